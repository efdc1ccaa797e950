//! `connection`: the merchant's names for accounts.

use serde_json::json;

use super::{Context, table};
use crate::agent::request::Request;
use crate::problem::{Exit, Result};

/// List, rename and remove connections.
#[derive(clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// The connections and what they are
    List,
    /// Give a connection another name; rows and keys stay
    Rename {
        /// Its name
        old: String,
        /// Its new name
        new: String,
    },
    /// Forget a connection and its keys; its rows stay
    Remove {
        /// Its name
        name: String,
    },
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit> {
    match &args.what {
        What::List => list(context),
        What::Rename { old, new } => {
            let done = context.ask(Request::Rename { old: old.clone(), new: new.clone() }, &|_| ())?;
            context.out.facts("connection", done);
            context.out.line(format!("{old} is now {new}; its rows and its key stay."));
            context.out.remark(format!("Rename [connections.{old}] in the configuration file too."));
            Ok(Exit::Fine)
        }
        What::Remove { name } => {
            let done = context.ask(Request::RemoveConnection { connection: name.clone() }, &|_| ())?;
            context.out.line(format!("{name} is removed with {} key(s); its rows stay.", done["keys_removed"]));
            context.out.facts("connection", done);
            context
                .out
                .remark(format!("Take [connections.{name}] out of the configuration file too, or it starts anew."));
            Ok(Exit::Fine)
        }
    }
}

fn list(context: &Context) -> Result<Exit> {
    let config = context.config()?;
    let accounts = context.reader().and_then(|reader| reader.accounts()).unwrap_or_default();
    let mut rows = Vec::new();
    for (name, wanted) in &config.connections {
        let account = accounts.iter().find(|account| account.connection.as_deref() == Some(name));
        let mode = account.and_then(|account| account.livemode);
        let mode = mode.map_or("no key yet", |live| if live { "live" } else { "test" });
        rows.push(vec![name.clone(), wanted.provider_name().to_string(), mode.to_owned(), wanted.base_url.to_string()]);
    }
    let facts: Vec<_> = rows
        .iter()
        .map(|row| json!({"connection": row[0], "provider": row[1], "mode": row[2], "base_url": row[3]}))
        .collect();
    context.out.facts("connection", json!({"connections": facts}));
    context.out.line(table::aligned(&["connection", "provider", "mode", "address"], &rows));
    Ok(Exit::Fine)
}
