//! `key`: keys come from a prompt or standard input, never from an argument, the environment or the configuration.

use std::io::{IsTerminal, Read};

use serde_json::Value;
use zeroize::Zeroizing;

use super::{Context, sync, table};
use crate::agent::request::Request;
use crate::config::DEFAULT_KEY;
use crate::problem::{self, Exit, Result};

/// Set, list, test and remove provider keys.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Check a key and seal it; asks for it, or reads it from standard input
    Set {
        /// CONNECTION or CONNECTION/KEY
        connection: String,
        /// A key that may do more than read is meant
        #[arg(long)]
        full_access: bool,
    },
    /// What is sealed: names, origins, fingerprints; never a key
    List,
    /// What the key may read
    Test {
        /// The connection
        connection: String,
    },
    /// Forget a key; the rows stay
    Remove {
        /// CONNECTION or CONNECTION/KEY
        connection: String,
    },
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit> {
    match &args.what {
        What::Set { connection, full_access } => set(context, connection, *full_access),
        What::List => list(context),
        What::Test { connection } => test(context, connection),
        What::Remove { connection } => {
            let (connection, key) = split(connection);
            let done = context.ask(Request::RemoveKey { connection, key }, &|_| ())?;
            context.out.line(format!("The key of {} is forgotten; its rows stay.", text(&done, "connection")));
            context.out.facts("key", done);
            Ok(Exit::Fine)
        }
    }
}

fn split(name: &str) -> (String, String) {
    let (connection, key) = name.split_once('/').unwrap_or((name, DEFAULT_KEY));
    (connection.to_owned(), key.to_owned())
}

fn set(context: &Context, name: &str, full_access: bool) -> Result<Exit> {
    let (connection, key) = split(name);
    let secret = read_secret(&connection)?;
    let request = Request::SetKey { connection, key, secret: secret.to_string(), full_access };
    let done = context.ask(request, &|_| ())?;
    let origins: Vec<&str> = done["origins"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mode = if done["live"] == true { "live" } else { "test" };
    context.out.line(format!(
        "The {mode} key of {} is sealed; it can only be sent to {}.",
        text(&done, "connection"),
        origins.join(", ")
    ));
    context.out.facts("key", done);
    Ok(Exit::Fine)
}

fn read_secret(connection: &str) -> Result<Zeroizing<String>> {
    let mut secret = Zeroizing::new(String::new());
    if std::io::stdin().is_terminal() {
        let prompt = format!("Key for {connection} (not shown): ");
        *secret = rpassword::prompt_password(prompt).map_err(|error| problem::KEY_EMPTY.with(error.kind()))?;
    } else {
        std::io::stdin()
            .take(4096)
            .read_to_string(&mut secret)
            .map_err(|error| problem::KEY_EMPTY.with(error.kind()))?;
    }
    let clean = Zeroizing::new(secret.trim().to_owned());
    if clean.is_empty() { Err(problem::KEY_EMPTY.plain()) } else { Ok(clean) }
}

fn list(context: &Context) -> Result<Exit> {
    let done = context.ask(Request::ListKeys, &|_| ())?;
    let keys = done["keys"].as_array().cloned().unwrap_or_default();
    let row = |key: &Value| {
        let origins: Vec<&str> = key["origins"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let set_at = key["set_at"].as_i64().map(table::moment).unwrap_or_default();
        vec![text(key, "connection"), text(key, "key"), text(key, "fingerprint"), set_at, origins.join(" ")]
    };
    let rows: Vec<Vec<String>> = keys.iter().map(row).collect();
    context.out.facts("key", done);
    context.out.line(table::words(&["connection", "key", "fingerprint", "set at", "may be sent to"], &rows));
    Ok(Exit::Fine)
}

fn test(context: &Context, connection: &str) -> Result<Exit> {
    let done = context.ask(Request::TestKey { connection: connection.to_owned() }, &|_| ())?;
    let streams = done["streams"].as_array().cloned().unwrap_or_default();
    let row = |stream: &Value| {
        let verdict = stream["problem"]["title"].as_str().unwrap_or("may be read");
        vec![text(stream, "stream"), text(stream, "permission"), verdict.to_owned()]
    };
    let rows: Vec<Vec<String>> = streams.iter().map(row).collect();
    context.out.facts("key", done);
    context.out.line(table::aligned(&["stream", "permission", "verdict"], &rows));
    let refused = streams.into_iter().filter(|stream| !stream["problem"].is_null());
    let troubles: Vec<_> = refused.map(|mut stream| (text(&stream, "stream"), stream["problem"].take())).collect();
    let exit = if troubles.is_empty() { Exit::Fine } else { Exit::Problem };
    sync::tell(context, troubles);
    Ok(exit)
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}
