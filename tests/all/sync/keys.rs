//! Connections without a key, with another one, and with another account's.

use std::sync::Arc;
use std::time::Duration;

use counterfoil::agent::request::{Request, perform};
use counterfoil::clock::Clock;
use counterfoil::config;
use counterfoil::sandbox::{Fault, FaultKind, STRIPE_KEY, Sandbox};
use counterfoil::testpoint::limit_pages;

use super::{Rig, options, problems};

#[tokio::test]
async fn without_a_key_nothing_is_asked_and_that_is_told_once() {
    let rig = Rig::new(40).await;
    let (connection, key) = ("main".to_owned(), "default".to_owned());
    perform(&rig.parts, Request::RemoveKey { connection, key }, &|_| ()).await.unwrap();
    let asked = rig.sandbox.requests().len();
    let report = perform(&rig.parts, Request::Sync { targets: vec!["main".to_owned()] }, &|_| ()).await.unwrap();
    let told = problems(&report);
    assert!(told.len() > 6 && told.iter().all(|one| one["code"] == "vault.no_key"), "each stream says why: {told:?}");
    let standing = rig.reader().table("SELECT stream, code FROM problems WHERE cleared_at IS NULL").unwrap().rows;
    assert_eq!(standing.len(), 1, "{standing:?}");
    assert!(standing[0][0].str().is_none() && standing[0][1].str() == Some("vault.no_key"), "{standing:?}");
    assert_eq!(rig.sandbox.requests().len(), asked);
}

#[tokio::test]
async fn a_replaced_connection_stores_nothing_more_and_the_new_one_numbers_on() {
    limit_pages(3);
    let rig = Rig::new(800).await;
    rig.sync().await;
    let number = |sql: String| rig.reader().table(&sql).unwrap().rows[0][0].int().unwrap();
    let highest = number("SELECT max(read_seq) FROM stripe_charges".to_owned());
    assert!(highest > 1_000, "many more than are taken at once: {highest}");
    let old = rig.parts.connection("main").await.unwrap();
    rig.set_key("main", STRIPE_KEY).await;
    rig.clock.advance(Duration::from_secs(86_400));
    let (now, runs) = (rig.clock.wall_ms(), "SELECT count(*) FROM runs");
    let before = number(runs.to_owned());
    let end = counterfoil::sync::pass(old, None, Arc::default(), None).await;
    assert_eq!(end.unwrap_err().code(), "sync.superseded");
    assert_eq!(number(runs.to_owned()), before);
    rig.sync().await;
    let lowest = number(format!("SELECT min(read_seq) FROM stripe_charges WHERE read_at >= {now}"));
    assert!(lowest > highest, "{lowest} after {highest}");
    let taken = number("SELECT CAST(value AS INTEGER) FROM state WHERE name = 'next_read'".to_owned());
    assert!(taken < 100 * highest, "{taken} after {highest}: hundreds are taken at once, not for each read");
    limit_pages(u32::MAX);
}

#[tokio::test]
async fn a_key_of_another_account_is_refused_for_rows_that_are_held() {
    let rig = Rig::new(200).await;
    rig.sync().await;
    rig.sandbox.set_faults(vec![Fault::always("/v1/charges/ch_", FaultKind::status(403))]);
    rig.set_key("main", STRIPE_KEY).await;
    let mut options = options(&rig.clock, 200);
    options.id_seed = 99;
    let other = Sandbox::start(options).unwrap();
    let file = rig.folder.path().join("counterfoil.toml");
    let text = std::fs::read_to_string(&file).unwrap().replace(&rig.sandbox.stripe_url(), &other.stripe_url());
    std::fs::write(&file, text).unwrap();
    rig.parts.set_config(Arc::new(config::load(&file).unwrap()));

    // The key was sealed for the other origin: nothing is sent to the new one.
    let report = rig.sync().await;
    let codes: Vec<_> = problems(&report).iter().map(|problem| problem["code"].clone()).collect();
    assert!(!codes.is_empty() && codes.iter().all(|code| code == "vault.origin"), "{codes:?}");
    assert_eq!(other.requests().len(), 0);

    // One stream is enough to tell; of what the key may not read by id, nothing is concluded.
    for forbidden in [&[][..], &["/v1/charges/ch_", "/v1/refunds/re_"]] {
        other.set_faults(forbidden.iter().map(|path| Fault::always(path, FaultKind::status(403))).collect());
        let (connection, key, secret) = ("main".to_owned(), "default".to_owned(), STRIPE_KEY.to_owned());
        let request = Request::SetKey { connection, key, secret, full_access: false };
        let refused = perform(&rig.parts, request, &|_| ()).await.unwrap_err();
        assert_eq!(refused.code(), "sync.other_account", "{forbidden:?}");
    }
    let asked = other.requests();
    assert!(asked.iter().any(|one| one.path.starts_with("/v1/charges/ch_") && one.status == 403), "{asked:?}");
}
