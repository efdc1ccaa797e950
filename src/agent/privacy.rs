//! Keeps the rows in step with the privacy settings: what a narrower setting no longer stores is taken out of the rows and of
//! the file, what a wider one newly stores is read again. It reads nothing itself: it opens coverage, and the next pass
//! follows.

use serde::{Deserialize, Serialize};

use crate::config::{Privacy, Profile as Configured};
use crate::problem::Result;
use crate::store::{Schema, Store, StoreHandle};
use crate::stream::{Conversion, Profile};

/// The fact of the store that says by which settings its rows were stored.
const FACT: &str = "privacy";

#[derive(Serialize, Deserialize, PartialEq)]
struct Settings {
    local: String,
    metadata_keys: Vec<String>,
}

/// The stream's word for a configured profile.
pub fn profile(configured: Configured) -> Profile {
    match configured {
        Configured::Strict => Profile::Strict,
        Configured::Standard => Profile::Standard,
        Configured::Finance => Profile::Finance,
    }
}

/// What a change of the settings asks for.
#[derive(Debug, Clone)]
struct Change {
    /// The settings, as the store keeps them.
    text: String,
    /// Columns that are no longer stored, by table.
    out: Vec<(String, Vec<String>)>,
    /// Whether something is stored now that was left out.
    again: bool,
}

/// Makes the settings those of a store that nobody uses yet. Cheap when nothing changed.
pub fn apply(store: &mut Store, schema: &Schema, privacy: &Privacy) -> Result<()> {
    let Some(change) = change(store, schema, privacy)? else { return Ok(()) };
    take_out(store, &change)?;
    store.checkpoint(true)?;
    settle(store, &change)
}

/// The same for a store at work. Nobody may store by the old settings any more.
pub async fn follow(store: &StoreHandle, privacy: &Privacy) -> Result<()> {
    let privacy = privacy.clone();
    let out = move |store: &mut Store| {
        let change = change(store, &super::schema()?, &privacy)?;
        change.as_ref().map_or(Ok(()), |change| take_out(store, change)).map(|()| change)
    };
    let Some(change) = store.run(out).await? else { return Ok(()) };
    // What was taken out, now or by a try that was cut short, stands in the log's older pages too. Until that is gone the store
    // does not say that the settings are these.
    store.empty_log().await?;
    store.run(move |store| settle(store, &change)).await
}

/// `None` when the store's rows are by these settings.
fn change(store: &Store, schema: &Schema, privacy: &Privacy) -> Result<Option<Change>> {
    let new = Settings { local: privacy.local.as_str().to_owned(), metadata_keys: privacy.metadata_keys.clone() };
    let text = serde_json::to_string(&new).unwrap_or_default();
    let old = store.state(FACT)?;
    if old.as_deref() == Some(&text) {
        return Ok(None);
    }
    let old: Option<Settings> = old.and_then(|old| serde_json::from_str(&old).ok());
    let Some(old) = old else { return Ok(Some(Change { text, out: Vec::new(), again: false })) };
    let (before, now) = (Configured::from_word(&old.local).map(profile), profile(privacy.local));
    let keys_gone = old.metadata_keys.iter().any(|key| !new.metadata_keys.contains(key));
    let keys_new = new.metadata_keys.iter().any(|key| !old.metadata_keys.contains(key));
    let out = schema.streams.iter().flat_map(|declaration| &declaration.tables).map(|table| {
        let left_out = |column: &&crate::stream::Column| {
            let metadata = column.conversion == Conversion::Allowed;
            !column.class.stored_in(now) || (metadata && keys_gone)
        };
        let columns = table.columns.iter().filter(left_out).map(|column| column.name.clone());
        (table.name.clone(), columns.collect())
    });
    let again = before.is_none_or(|before| now > before) || keys_new || keys_gone;
    Ok(Some(Change { text, out: out.collect(), again }))
}

fn take_out(store: &mut Store, change: &Change) -> Result<()> {
    change.out.iter().try_for_each(|(table, columns)| store.clear_columns(table, columns))
}

fn settle(store: &mut Store, change: &Change) -> Result<()> {
    if change.again {
        store.forget_coverage()?;
    }
    store.set_state(FACT, &change.text)
}
