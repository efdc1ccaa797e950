//! The commented configuration that `init` writes: made from the tables of settings, so that it cannot fall behind them.

use std::fmt::Write;

use super::keys::{self, Given, Key};
use super::value::ProviderName;

const HEAD: &str = "\
# counterfoil.toml
# May be edited while the agent runs: a valid change applies within two seconds, an invalid one changes nothing.
# Lines that begin with `# name =` show what holds when they are left out, or an example.
# Relative paths begin where this file is. Keys never stand here: `counterfoil key set NAME` asks for them.
";

/// What a new connection says by itself: settings whose default is seldom what is meant.
const FILLED: [(&str, &str); 2] = [("start", "2024-01-01"), ("client_id", "\"cli_vkuhvk4vjn2edkps7dfsq6emqm\"")];

/// The text: one Stripe connection in force, one of Checkout.com as a comment, all settings with their meaning.
pub fn sample() -> String {
    let mut text = HEAD.to_owned();
    connection(&mut text, "main", ProviderName::Stripe, "");
    connection(&mut text, "eu", ProviderName::Checkoutcom, "# ");
    for section in &keys::SECTIONS {
        _ = write!(text, "\n# {}\n[{}]\n", section.doc, section.name);
        lines(&mut text, section.keys.iter(), |key| setting(key, &[], ""));
    }
    text
}

/// One connection; with `off` in front of each line it is only a proposal.
fn connection(text: &mut String, name: &str, provider: ProviderName, off: &'static str) {
    let section = &keys::CONNECTION;
    _ = write!(text, "\n# {provider}: {}\n{off}[{}.{name}]\n", section.doc, section.name);
    let provider_text = format!("\"{provider}\"");
    let mut filled = vec![("provider", provider_text.as_str())];
    filled.extend(FILLED);
    let own = section.keys.iter().filter(|key| key.only.is_none_or(|only| only == provider));
    lines(text, own, |key| setting(key, &filled, off));
}

/// `name = value`, as a comment where it only shows what would hold.
fn setting(key: &Key, filled: &[(&str, &str)], off: &str) -> String {
    match (filled.iter().find(|(name, _)| *name == key.name), key.given) {
        (Some((name, value)), _) => format!("{off}{name} = {value}"),
        (None, Given::Unset(value) | Given::Default(value) | Given::Needed(value)) => {
            format!("{off}# {} = {value}", key.name)
        }
    }
}

/// The settings one a line, their meanings in one column where that is possible.
fn lines<'k>(text: &mut String, keys: impl Iterator<Item = &'k Key>, setting: impl Fn(&Key) -> String) {
    const COLUMN: usize = 40;
    for key in keys {
        _ = writeln!(text, "{:COLUMN$} # {}", setting(key), key.doc);
    }
}
