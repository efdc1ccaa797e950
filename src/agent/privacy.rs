//! Keeps the rows in step with the privacy settings: what a narrower setting no longer stores is taken out of the rows and of
//! the file, what a wider one newly stores is read again. It reads nothing itself: it opens coverage, and the next pass
//! follows.

use serde::{Deserialize, Serialize};

use crate::config::{Privacy, Profile as Configured};
use crate::problem::Result;
use crate::store::{Schema, Store};
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

/// Makes the settings those of the store's rows. Cheap when nothing changed.
pub fn apply(store: &mut Store, schema: &Schema, privacy: &Privacy) -> Result<()> {
    let new = Settings { local: privacy.local.as_str().to_owned(), metadata_keys: privacy.metadata_keys.clone() };
    let text = serde_json::to_string(&new).unwrap_or_default();
    let old = store.state(FACT)?;
    if old.as_deref() == Some(&text) {
        return Ok(());
    }
    let old: Option<Settings> = old.and_then(|old| serde_json::from_str(&old).ok());
    if let Some(old) = old {
        let before = Configured::from_word(&old.local).map(profile);
        let now = profile(privacy.local);
        let keys_gone = old.metadata_keys.iter().any(|key| !new.metadata_keys.contains(key));
        let keys_new = new.metadata_keys.iter().any(|key| !old.metadata_keys.contains(key));
        for table in schema.streams.iter().flat_map(|declaration| &declaration.tables) {
            let left_out = |column: &&crate::stream::Column| {
                let metadata = column.conversion == Conversion::Allowed;
                !column.class.stored_in(now) || (metadata && keys_gone)
            };
            let columns: Vec<&str> = table.columns.iter().filter(left_out).map(|column| column.name.as_str()).collect();
            store.clear_columns(&table.name, &columns)?;
        }
        // What was taken out, now or by a try that was cut short, stands in the log's older pages too.
        store.checkpoint(true)?;
        if before.is_none_or(|before| now > before) || keys_new || keys_gone {
            store.forget_coverage()?;
        }
    }
    store.set_state(FACT, &text)
}
