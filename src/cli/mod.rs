//! What people type: one file a verb; asks, prints, explains; holds no rules. The names and exit codes are a contract.

mod context;
mod out;
mod progress;
mod reads;
mod table;

mod check;
mod completions;
mod connection;
mod demo;
mod egress;
mod gaps;
mod init;
mod key;
mod query;
mod receiver;
mod run;
mod sandbox;
mod schema;
mod service;
mod status;
mod sync;
mod verify;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use context::Context;
pub use out::Out;

use crate::problem::Exit;

/// Keeps your payment records on your own machine; only totals in which nobody can be recognised leave it.
#[derive(Parser)]
#[command(name = "counterfoil", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

/// Options of every verb.
#[derive(Args, Clone, Default)]
pub struct Global {
    /// The configuration file [default: counterfoil.toml in the usual folder]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder of store, vault and outbox; also of the configuration, unless --config names one
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Facts as JSON, in a versioned envelope
    #[arg(long, global = true)]
    pub json: bool,
    /// No progress and no remarks
    #[arg(long, global = true)]
    pub quiet: bool,
    /// Show the log of what is done on standard error; twice for every answer
    #[arg(short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

#[derive(Subcommand)]
enum Verb {
    /// Show everything at once on made-up data: no account needed
    Demo(demo::Args),
    /// Run only the sandbox: a made-up Stripe and Checkout.com on loopback
    Sandbox(sandbox::Args),
    /// Write a commented configuration, make the folders and the vault
    Init(init::Args),
    /// Set, list, test and remove provider keys
    Key(key::Args),
    /// List, rename and remove connections; their rows stay
    Connection(connection::Args),
    /// Check the configuration file
    Check(check::Args),
    /// What the configuration file would change if it were put into force now
    Plan(check::PlanArgs),
    /// Run the agent in the foreground (what the service starts)
    Run(run::Args),
    /// Read what is new, to completion
    Sync(sync::Args),
    /// Connections, streams, horizons, problems
    Status(status::Args),
    /// Windows that were not walked whole, and why
    Gaps(gaps::Args),
    /// Compare old windows, drawn by lot, with what the provider shows now
    Verify(verify::Args),
    /// Ask the store, read-only
    Query(query::Args),
    /// The data dictionary: tables, columns, meanings, privacy classes
    Schema(schema::Args),
    /// What would leave, what left, and your consent
    Egress(egress::Args),
    /// Run the reference receiver
    Receiver(receiver::Args),
    /// Install, start and stop the system service
    Service(service::Args),
    /// Completions for your shell
    Completions(completions::Args),
}

/// The whole program: parses, does, prints, and says how it ended.
pub fn main() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Fine };
            // A closed pipe is no reason to complain.
            error.print().ok();
            return exit;
        }
    };
    let context = Context::new(cli.global);
    // `run` begins its own log, in the places that the configuration and the service have for it.
    let _log = match cli.verb {
        Verb::Run(_) => None,
        _ => context.log(),
    };
    let acts = matches!(
        cli.verb,
        Verb::Init(_)
            | Verb::Key(_)
            | Verb::Connection(_)
            | Verb::Run(_)
            | Verb::Sync(_)
            | Verb::Verify(_)
            | Verb::Egress(_)
    );
    if acts {
        crate::service::harden::close_to_others();
    }
    if acts && let Err(problem) = context.become_owner() {
        context.out.problem(&problem);
        return problem.entry().exit;
    }
    let result = match &cli.verb {
        Verb::Demo(args) => demo::run(&context, args),
        Verb::Sandbox(args) => sandbox::run(&context, args),
        Verb::Init(args) => init::run(&context, args),
        Verb::Key(args) => key::run(&context, args),
        Verb::Connection(args) => connection::run(&context, args),
        Verb::Check(args) => check::run(&context, args),
        Verb::Plan(args) => check::plan(&context, args),
        Verb::Run(args) => run::run(&context, args),
        Verb::Sync(args) => sync::run(&context, args),
        Verb::Status(args) => status::run(&context, args),
        Verb::Gaps(args) => gaps::run(&context, args),
        Verb::Verify(args) => verify::run(&context, args),
        Verb::Query(args) => query::run(&context, args),
        Verb::Schema(args) => schema::run(&context, args),
        Verb::Egress(args) => egress::run(&context, args),
        Verb::Receiver(args) => receiver::run(&context, args),
        Verb::Service(args) => service::run(&context, args),
        Verb::Completions(args) => completions::run(&context, args),
    };
    match result {
        Ok(exit) => exit,
        Err(problem) => {
            context.out.problem(&problem);
            problem.entry().exit
        }
    }
}

/// The command line as a tree, for completions and tests.
pub fn tree() -> clap::Command {
    <Cli as clap::CommandFactory>::command()
}
