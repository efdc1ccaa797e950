//! `init`: a commented configuration, the folders, the vault; and what to do at the providers.

use serde_json::{Value, json};

use super::Context;
use super::context::block_on;
use crate::agent::parts::{Parts, make_folder};
use crate::config;
use crate::problem::{self, Exit, Result};
use crate::providers;

/// Write a commented configuration, make the folders and the vault.
#[derive(clap::Args)]
pub(super) struct Args {}

pub(super) fn run(context: &Context, _: &Args) -> Result<Exit> {
    let paths = context.paths()?;
    if let Some(folder) = paths.config_file.parent() {
        make_folder(folder)?;
    }
    let written = write_sample(&paths.config_file)?;
    let parts = Parts::open(paths.clone(), context.config()?, context.seams())?;
    block_on(parts.close())?;
    let say = |text: String| context.out.line(text);
    let there = if written { "written" } else { "was there, left as it is" };
    say(format!("configuration: {} ({there})", paths.config_file.display()));
    say(format!("data:          {}", paths.data_dir.display()));
    say(format!(
        "key file:      {} (keep a copy apart from the data; without it the sealed keys are lost)",
        paths.vault_key().display()
    ));
    say("\nWhat to tick where the key is made (nothing that writes or moves money):".to_owned());
    let mut facts = Vec::new();
    for provider in providers::ALL {
        let mut permissions: Vec<&str> = provider.streams.iter().map(|stream| stream.permission).collect();
        permissions.sort_unstable();
        permissions.dedup();
        say(format!("  {:12} {}", provider.name, permissions.join(", ")));
        facts.push(json!({"provider": provider.name, "permissions": permissions, "hosts": hosts(provider.name)}));
    }
    say("\nHosts to allow in a firewall, HTTPS only:".to_owned());
    for provider in providers::ALL {
        say(format!("  {:12} {}", provider.name, hosts(provider.name)));
    }
    say("\nWhat a first read costs: one request for 100 objects of a Stripe list, one for up to 1,000 payments at Checkout.com;".to_owned());
    say("100,000 payments with everything around them are about 5,000 requests: four to five minutes at 20 a second."
        .to_owned());
    say("\nNext: edit the configuration, then `counterfoil key set NAME` and `counterfoil sync`.".to_owned());
    context.out.facts("init", json!({
        "config_file": paths.config_file, "written": written, "data_dir": paths.data_dir, "key_file": paths.vault_key(),
        "providers": Value::Array(facts),
    }));
    Ok(Exit::Fine)
}

fn hosts(provider: &str) -> &'static str {
    match provider {
        "stripe" => "api.stripe.com",
        _ => {
            "PREFIX.api.checkout.com, or PREFIX.api.sandbox.checkout.com (PREFIX: the first 8 characters of the client id after cli_)"
        }
    }
}

/// Writes the sample unless there is a file; never over one.
fn write_sample(path: &std::path::Path) -> Result<bool> {
    use std::io::Write;
    let failed =
        |error: std::io::Error| problem::AGENT_DIRECTORY.with(format!("{} ({})", path.display(), error.kind()));
    match std::fs::OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(config::sample().as_bytes()).map(|()| true).map_err(failed),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(failed(error)),
    }
}
