//! What a changed configuration changes, as data and as words. It compares values, not texts: a moved line or a comment is
//! no change. It applies nothing.

use std::fmt;

use super::value::{Config, Connection, Privacy, ProviderName, list_text, path_text, span_text, url_text};

/// What a change asks for beyond being applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: it applies at once.
    Nothing,
    /// Records are read (again) that the old configuration left out.
    Reread,
    /// The key must be set again: it is sealed to the origins it was set for.
    Key,
    /// The merchant must accept again: consent is bound to the receiver's address.
    Consent,
    /// The agent must be restarted.
    Restart,
}

impl Needs {
    /// In words, for a person; empty when nothing is asked for.
    pub fn words(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Reread => "records are read again where the old setting left them out",
            Self::Key => "the key must be set again for this address",
            Self::Consent => "consent must be given again for this address",
            Self::Restart => "takes effect when the agent is restarted",
        }
    }
}

/// One setting that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The setting's name.
    pub key: &'static str,
    /// What holds now, as the file would write it.
    pub from: String,
    /// What would hold.
    pub to: String,
    /// What it asks for.
    pub needs: Needs,
}

/// Everything that changes. A connection whose provider changes is another account: it is removed and added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Connections that start.
    pub added: Vec<(String, ProviderName)>,
    /// Connections that stop; their rows and keys stay.
    pub removed: Vec<(String, ProviderName)>,
    /// Connections that go on otherwise.
    pub changed: Vec<(String, Vec<Change>)>,
    /// What is stored.
    pub privacy: Vec<Change>,
    /// What leaves.
    pub upstream: Vec<Change>,
    /// Where the rows rest: needs a restart.
    pub store: Vec<Change>,
    /// The copy for analysts elsewhere.
    pub publish: Vec<Change>,
    /// What is logged.
    pub log: Vec<Change>,
}

/// What `new` changes of `old`.
pub fn plan(old: &Config, new: &Config) -> Plan {
    let mut plan = Plan {
        privacy: privacy(&old.privacy, &new.privacy),
        upstream: changes(
            upstream(old),
            upstream(new),
            |key| {
                if key == "url" { Needs::Consent } else { Needs::Nothing }
            },
        ),
        store: changes(store(old), store(new), |_| Needs::Restart),
        publish: changes(publish(old), publish(new), |_| Needs::Nothing),
        log: changes(log(old), log(new), |_| Needs::Nothing),
        ..Plan::default()
    };
    for (name, before) in &old.connections {
        match new.connections.get(name) {
            Some(after) if after.provider_name() == before.provider_name() => {
                let changes = connection(before, after);
                if !changes.is_empty() {
                    plan.changed.push((name.clone(), changes));
                }
            }
            _ => plan.removed.push((name.clone(), before.provider_name())),
        }
    }
    for (name, after) in &new.connections {
        if old.connections.get(name).is_none_or(|before| before.provider_name() != after.provider_name()) {
            plan.added.push((name.clone(), after.provider_name()));
        }
    }
    plan
}

impl Plan {
    /// True when nothing changes.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// True when a part takes effect only after a restart.
    pub fn needs_restart(&self) -> bool {
        self.changes().any(|change| change.needs == Needs::Restart)
    }

    fn changes(&self) -> impl Iterator<Item = &Change> {
        let connections = self.changed.iter().flat_map(|(_, changes)| changes);
        self.sections().into_iter().flat_map(|(_, changes)| changes).chain(connections)
    }

    fn sections(&self) -> [(&'static str, &Vec<Change>); 5] {
        [
            ("privacy", &self.privacy),
            ("upstream", &self.upstream),
            ("store", &self.store),
            ("publish", &self.publish),
            ("log", &self.log),
        ]
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing changes\n");
        }
        for (name, provider) in &self.removed {
            writeln!(f, "- {name} ({provider}) stops; its rows and its key stay")?;
        }
        for (name, provider) in &self.added {
            writeln!(f, "+ {name} ({provider}) starts")?;
        }
        for (name, changes) in &self.changed {
            block(f, name, changes)?;
        }
        for (name, changes) in self.sections() {
            block(f, &format!("[{name}]"), changes)?;
        }
        Ok(())
    }
}

fn block(f: &mut fmt::Formatter<'_>, heading: &str, changes: &[Change]) -> fmt::Result {
    if changes.is_empty() {
        return Ok(());
    }
    writeln!(f, "~ {heading}")?;
    for Change { key, from, to, needs } in changes {
        write!(f, "    {key}: {from} -> {to}")?;
        match needs {
            Needs::Nothing => writeln!(f)?,
            asked => writeln!(f, " ({})", asked.words())?,
        }
    }
    Ok(())
}

type Settings = Vec<(&'static str, String)>;

/// The settings that differ; both lists name the same settings in the same order.
fn changes(old: Settings, new: Settings, needs: impl Fn(&str) -> Needs) -> Vec<Change> {
    old.into_iter()
        .zip(new)
        .filter(|((_, from), (_, to))| from != to)
        .map(|((key, from), (_, to))| Change { key, from, to, needs: needs(key) })
        .collect()
}

fn connection(old: &Connection, new: &Connection) -> Vec<Change> {
    let sealed = old.origins();
    let elsewhere = new.origins().iter().any(|origin| !sealed.contains(origin));
    changes(old.settings(), new.settings(), |key| match key {
        "base_url" | "balances_url" | "access_url" if elsewhere => Needs::Key,
        "start" if new.start < old.start => Needs::Reread,
        "streams" | "accounts" | "entities" | "report_timezone" => Needs::Reread,
        _ => Needs::Nothing,
    })
}

fn privacy(old: &Privacy, new: &Privacy) -> Vec<Change> {
    let settings = |p: &Privacy| vec![("local", p.local.to_string()), ("metadata_keys", list_text(&p.metadata_keys))];
    let more_keys = new.metadata_keys.iter().any(|key| !old.metadata_keys.contains(key));
    changes(settings(old), settings(new), |key| {
        let wider = if key == "local" { new.local > old.local } else { more_keys };
        if wider { Needs::Reread } else { Needs::Nothing }
    })
}

fn upstream(config: &Config) -> Settings {
    vec![("url", url_text(config.upstream.url.as_ref())), ("mode", config.upstream.mode.to_string())]
}

fn store(config: &Config) -> Settings {
    vec![("path", path_text(config.store.path.as_deref()))]
}

fn publish(config: &Config) -> Settings {
    let publish = config.publish.as_ref();
    let every = publish.map_or_else(|| "none".to_owned(), |publish| span_text(publish.every));
    vec![("to", path_text(publish.map(|publish| publish.to.as_path()))), ("every", every)]
}

fn log(config: &Config) -> Settings {
    vec![("level", config.log.level.to_string())]
}
