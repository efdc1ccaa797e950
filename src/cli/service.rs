//! `service`: the agent as a service of the system.

use serde_json::json;

use super::Context;
use crate::problem::{Exit, Result, SERVICE_FOLDERS};
use crate::service::install;

/// Install, start and stop the system service.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Make user, folders, configuration and unit, and start the agent; repeating it brings in a new version
    Install {
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// Stop the agent and take its unit away; data and configuration stay
    Uninstall,
    /// Start the agent and wait until it is ready
    Start,
    /// Stop the agent and wait until it has ended
    Stop,
    /// How the service is
    Status,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit> {
    if context.global.config.is_some() || context.global.data_dir.is_some() {
        return Err(SERVICE_FOLDERS.plain());
    }
    let done = |what: &str| {
        context.out.facts("service", json!({"done": what}));
        context.out.line(what);
        Ok(Exit::Fine)
    };
    match args.what {
        What::Install { dry_run } => install_it(context, dry_run),
        What::Uninstall => {
            let stays = install::uninstall()?;
            context.out.facts("service", json!({"done": "uninstalled", "stays": stays}));
            context.out.line("The service is uninstalled. These stay:");
            stays.iter().for_each(|path| context.out.line(format!("  {}", path.display())));
            Ok(Exit::Fine)
        }
        What::Start => install::start().and_then(|()| done("started")),
        What::Stop => install::stop().and_then(|()| done("stopped")),
        What::Status => {
            let status = install::status()?;
            context.out.facts("service", json!({
                "installed": status.installed, "enabled": status.enabled, "state": status.state, "result": status.result,
                "exit_code": status.exit_code, "pid": status.pid, "restarts": status.restarts, "says": status.text,
            }));
            let pid = status.pid.map(|pid| format!(", process {pid}")).unwrap_or_default();
            context
                .out
                .line(format!("{} ({}){pid}, restarted {} time(s)", status.state, status.result, status.restarts));
            if !status.text.is_empty() {
                context.out.line(status.text);
            }
            Ok(if status.state == "active" { Exit::Fine } else { Exit::Problem })
        }
    }
}

fn install_it(context: &Context, dry_run: bool) -> Result<Exit> {
    let plan = install::plan()?;
    let steps: Vec<_> =
        plan.steps().iter().map(|one| json!({"step": one.step.to_string(), "done": one.done})).collect();
    for one in plan.steps() {
        context.out.line(format!("{}  {}", if one.done { "done" } else { "to do" }, one.step));
    }
    if !dry_run {
        plan.carry_out(|one| {
            if !one.done {
                context.out.remark(format!("… {}", one.step));
            }
        })?;
        context.out.remark("Next: edit /etc/counterfoil/counterfoil.toml, then set each key with `sudo counterfoil key set NAME`. (What you set up as a person stays apart.)");
    }
    context.out.facts("service", json!({"steps": steps, "dry_run": dry_run}));
    Ok(Exit::Fine)
}
