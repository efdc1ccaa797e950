//! Setting, testing, listing and removing keys: the rules that a key must pass before it is sealed. Nothing here prints.

use std::sync::Arc;

use serde_json::{Value, json};

use super::parts::{Candidate, Parts, field, provider_of};
use super::request::words;
use crate::config::{Connection as Wanted, Environment, Provider as Kind};
use crate::problem::{self, Result};
use crate::sync::{identify, probe};
use crate::vault::{Origin, Secret};

/// Checks a key in every way that needs no trust in it, then seals it for the origins that the configuration names now.
pub async fn set(parts: &Parts, connection: &str, key: &str, secret: Secret, full_access: bool) -> Result<Value> {
    let wanted = parts.wanted(connection)?;
    if !wanted.keys().contains(&key) {
        return Err(problem::KEY_UNKNOWN.with(format!("{connection}/{key}")));
    }
    let form = (provider_of(&wanted)?.key)(secret.expose())?;
    if form.full_access && !full_access {
        return Err(problem::KEY_FULL_ACCESS.plain());
    }
    let account = parts.account(connection).await?;
    right_world(&wanted, account.livemode, form.live)?;
    let secret = Arc::new(secret);
    let candidate = parts.make(connection, &wanted, &account, Arc::new(Candidate(secret.clone())))?;
    if identify(&candidate).await? == Some(false) {
        return Err(problem::SYNC_OTHER_ACCOUNT.with(connection));
    }
    let origins = wanted.origins().into_iter().map(Origin::parse).collect::<Result<Vec<_>>>()?;
    let now = parts.seams.clock.wall_ms();
    parts.vault().put(&account.uuid, &field(key), &origins, &secret, now, &*parts.seams.entropy)?;
    parts.store.run(move |store| store.set_livemode(account.account, form.live)).await?;
    parts.unready(connection);
    let origins: Vec<String> = origins.iter().map(ToString::to_string).collect();
    Ok(json!({"connection": connection, "key": key, "live": form.live, "origins": origins}))
}

/// Live with live, test with test: by the environment that is configured, and by what the account was before.
fn right_world(wanted: &Wanted, before: Option<bool>, live: bool) -> Result<()> {
    let name = |live| if live { "live" } else { "test" };
    if let Kind::Checkoutcom(own) = &wanted.provider {
        let production = own.environment == Environment::Production;
        if production != live {
            let environment = if production { "production" } else { "sandbox" };
            return Err(
                problem::KEY_ENVIRONMENT.with(format!("a {} key for `environment = \"{environment}\"`", name(live)))
            );
        }
    }
    match before {
        Some(before) if before != live => {
            Err(problem::KEY_ENVIRONMENT.with(format!("a {} key for an account that was {}", name(live), name(before))))
        }
        _ => Ok(()),
    }
}

/// What is sealed: names, origins, when, and a fingerprint; never a key.
pub async fn list(parts: &Parts) -> Result<Value> {
    let accounts = parts.store.run(|store| store.accounts()).await?;
    let labels = parts.vault().list();
    let mut keys: Vec<Value> = labels
        .iter()
        .map(|label| {
            let account = accounts.iter().find(|account| account.uuid == label.account);
            let connection = account.and_then(|account| account.connection.clone());
            let origins: Vec<String> = label.origins.iter().map(ToString::to_string).collect();
            json!({
                "connection": connection, "key": label.field.trim_start_matches("key/"), "origins": origins,
                "fingerprint": label.fingerprint, "set_at": label.set_at, "version": label.version,
            })
        })
        .collect();
    keys.sort_by_key(|key| (key["connection"].to_string(), key["key"].to_string()));
    Ok(json!({"keys": keys}))
}

/// Reads one record of every stream: what the key may read, and which permission is missing where it may not.
pub async fn test(parts: &Parts, connection: &str) -> Result<Value> {
    let ready = parts.connection(connection).await?;
    let mut streams = Vec::new();
    for line in &ready.lines {
        let found = probe(&ready, line).await;
        let problem = found.err().as_ref().map(words);
        streams.push(json!({"stream": line.stream.name, "permission": line.stream.permission, "problem": problem}));
    }
    let same = identify(&ready).await.ok().flatten();
    if same == Some(false) {
        return Err(problem::SYNC_OTHER_ACCOUNT.with(connection));
    }
    Ok(json!({"connection": connection, "streams": streams, "holds_our_rows": same}))
}

/// Forgets a key. The rows stay.
pub async fn remove(parts: &Parts, connection: &str, key: &str) -> Result<Value> {
    let name = connection.to_owned();
    let account = parts.store.run(move |store| store.account(&name)).await?;
    let account = account.ok_or_else(|| problem::NO_CONNECTION.with(connection))?;
    parts.vault().remove(&account.uuid, &field(key)).map_err(|problem| {
        if problem.is(&problem::VAULT_NO_KEY) { problem::VAULT_NO_KEY.with(connection) } else { problem }
    })?;
    parts.unready(connection);
    Ok(json!({"connection": connection, "key": key}))
}
