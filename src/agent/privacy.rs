//! Keeps the rows in step with the privacy settings: what a narrower setting no longer stores is taken out of the rows and of
//! the file, what a wider one newly stores is read again. It reads nothing itself: it opens coverage, and the next pass
//! follows. That a change is under way is in the store before anything is taken out: one that is cut short is finished,
//! or made good if the settings were taken back meanwhile.

use serde::{Deserialize, Serialize};

use crate::config::{Privacy, Profile as Configured};
use crate::problem::Result;
use crate::store::{Schema, Store, StoreHandle};
use crate::stream::{Conversion, Profile};

/// The fact of the store that says by which settings its rows were stored.
const FACT: &str = "privacy";

#[derive(Serialize, Deserialize)]
struct Settings {
    local: String,
    metadata_keys: Vec<String>,
    /// Another setting was to follow this one, and may have emptied columns that this one stores.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    leaving: bool,
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
    /// Those before them, as they are kept until these are in force: `None` where none were.
    leaving: Option<String>,
    /// Columns that are no longer stored, by table.
    out: Vec<(String, Vec<String>)>,
    /// Columns of merchant metadata, by table, and the keys that are no longer stored in them.
    fewer: (Vec<(String, String)>, Vec<String>),
    /// Whether something is stored now that was left out.
    again: bool,
}

/// Makes the settings those of a store that nobody uses yet. Cheap when nothing changed.
pub fn apply(store: &mut Store, schema: &Schema, privacy: &Privacy) -> Result<()> {
    let Some(change) = change(store, schema, privacy)? else { return Ok(()) };
    take_out(store, &change)?;
    if change.leaving.is_some() {
        store.empty_log()?;
    }
    settle(store, &change)
}

/// Whether the store's rows are by other settings, or a change of them was cut short.
pub async fn is_behind(store: &StoreHandle, privacy: &Privacy) -> Result<bool> {
    let privacy = privacy.clone();
    store.run(move |store| change(store, &super::schema()?, &privacy).map(|change| change.is_some())).await
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
    let (local, metadata_keys) = (privacy.local.as_str().to_owned(), privacy.metadata_keys.clone());
    let new = Settings { local, metadata_keys, leaving: false };
    let text = serde_json::to_string(&new).unwrap_or_default();
    let old = store.state(FACT)?;
    if old.as_deref() == Some(&text) {
        return Ok(None);
    }
    let old: Option<Settings> = old.and_then(|old| serde_json::from_str(&old).ok());
    let Some(old) = old else {
        let (out, fewer) = (Vec::new(), Default::default());
        return Ok(Some(Change { text, leaving: None, out, fewer, again: false }));
    };
    let (before, now) = (Configured::from_word(&old.local).map(profile), profile(privacy.local));
    let gone: Vec<_> = old.metadata_keys.iter().filter(|key| !new.metadata_keys.contains(key)).cloned().collect();
    let keys_new = new.metadata_keys.iter().any(|key| !old.metadata_keys.contains(key));
    let tables = || schema.streams.iter().flat_map(|declaration| &declaration.tables);
    let out = tables().map(|table| {
        let left_out = table.columns.iter().filter(|column| !column.class.stored_in(now));
        (table.name.clone(), left_out.map(|column| column.name.clone()).collect())
    });
    let metadata = tables().flat_map(|table| {
        let allowed = table.columns.iter().filter(|column| column.conversion == Conversion::Allowed);
        allowed.map(|column| (table.name.clone(), column.name.clone()))
    });
    let again = before.is_none_or(|before| now > before) || keys_new || old.leaving;
    let leaving = serde_json::to_string(&Settings { leaving: true, ..old }).unwrap_or_default();
    Ok(Some(Change { text, leaving: Some(leaving), out: out.collect(), fewer: (metadata.collect(), gone), again }))
}

fn take_out(store: &mut Store, change: &Change) -> Result<()> {
    let Some(leaving) = &change.leaving else { return Ok(()) };
    store.set_state(FACT, leaving)?;
    change.out.iter().try_for_each(|(table, columns)| store.clear_columns(table, columns))?;
    let (columns, keys) = &change.fewer;
    columns.iter().try_for_each(|(table, column)| store.clear_keys(table, column, keys))
}

fn settle(store: &mut Store, change: &Change) -> Result<()> {
    if change.again {
        store.forget_coverage()?;
    }
    store.set_state(FACT, &change.text)
}
