//! `check` and `plan`: is the file valid, and what would it change.

use serde_json::json;

use super::Context;
use crate::config::{self, keys};
use crate::problem::{Exit, Result};

/// Check the configuration file.
#[derive(clap::Args)]
pub(super) struct Args {}

/// What the file would change.
#[derive(clap::Args)]
pub(super) struct PlanArgs {}

pub(super) fn run(context: &Context, _: &Args) -> Result<Exit> {
    let config = context.config()?;
    let paths = context.paths()?;
    let connections: Vec<_> = config
        .connections
        .iter()
        .map(|(name, wanted)| {
            let settings: serde_json::Map<_, _> =
                wanted.settings().into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
            json!({"connection": name, "settings": settings})
        })
        .collect();
    for wanted in config.connections.values() {
        crate::agent::parts::check_streams(wanted)?;
    }
    let idle = without_effect(&std::fs::read_to_string(&paths.config_file).unwrap_or_default());
    let facts = json!({"file": paths.config_file, "connections": connections, "without_effect_yet": idle});
    context.out.facts("check", facts);
    context.out.line(format!("{} is valid: {} connection(s).", paths.config_file.display(), connections.len()));
    if !idle.is_empty() {
        context.out.remark(format!("Nothing in this version acts on these settings yet: {}", idle.join(", ")));
    }
    Ok(Exit::Fine)
}

/// The settings of a valid file that nothing acts on, as `table.setting`.
fn without_effect(text: &str) -> Vec<String> {
    let Ok(file) = text.parse::<toml::Table>() else { return Vec::new() };
    let mut found = Vec::new();
    for (heading, section) in file.iter().filter_map(|(heading, value)| Some((heading, value.as_table()?))) {
        let connections = section.iter().filter_map(|(name, value)| Some((name, value.as_table()?)));
        for (place, table) in connections.chain([(heading, section)]) {
            let idle = table.keys().filter(|key| keys::NOT_YET.contains(&key.as_str()));
            found.extend(idle.map(|key| format!("{place}.{key}")));
        }
    }
    found
}

pub(super) fn plan(context: &Context, _: &PlanArgs) -> Result<Exit> {
    let new = context.config()?;
    let last_good = context.paths()?.last_good();
    let old = config::load(&last_good).ok();
    let Some(old) = old else {
        context.out.facts("plan", json!({"in_force": false}));
        context.out.line("No configuration has been in force yet: everything in the file would be started.");
        return Ok(Exit::Fine);
    };
    let plan = config::plan(&old, &new);
    context
        .out
        .facts("plan", json!({"in_force": true, "changes": plan.to_string(), "needs_restart": plan.needs_restart()}));
    context.out.line(if plan.is_empty() {
        "Nothing would change.".to_owned()
    } else {
        plan.to_string().trim_end().to_owned()
    });
    Ok(Exit::Fine)
}
