//! Several accounts at one provider, and one account under several names: every object is held once.

use std::sync::Arc;
use std::time::Duration;

use counterfoil::agent::request::{Request, perform};
use counterfoil::config;
use counterfoil::problem::Problem;
use counterfoil::sandbox::{Fault, FaultKind, STRIPE_KEY};
use serde_json::Value;

use super::{Rig, problems};

/// Changes the configuration's text.
fn edit(rig: &Rig, change: impl FnOnce(String) -> String) {
    let file = rig.folder.path().join("counterfoil.toml");
    std::fs::write(&file, change(std::fs::read_to_string(&file).unwrap())).unwrap();
    rig.parts.set_config(Arc::new(config::load(&file).unwrap()));
}

/// A second section that reads what `main` reads.
fn add_again(text: String) -> String {
    let section = text.split("[connections.eu]").next().unwrap().replace("[connections.main]", "[connections.again]");
    text + &section
}

async fn try_key(rig: &Rig, connection: &str) -> Result<Value, Problem> {
    let (connection, key, secret) = (connection.to_owned(), "default".to_owned(), STRIPE_KEY.to_owned());
    perform(&rig.parts, Request::SetKey { connection, key, secret, full_access: false }, &|_| ()).await
}

async fn remove(rig: &Rig, connection: &str) {
    perform(&rig.parts, Request::RemoveConnection { connection: connection.to_owned() }, &|_| ()).await.unwrap();
}

async fn rename(rig: &Rig, old: &str, new: &str) -> Result<Value, Problem> {
    perform(&rig.parts, Request::Rename { old: old.to_owned(), new: new.to_owned() }, &|_| ()).await
}

/// Accounts that hold charges, and how many each.
fn holders(rig: &Rig) -> Vec<(i64, i64)> {
    let sql = "SELECT account, count(*) FROM stripe_charges GROUP BY account ORDER BY account";
    let rows = rig.reader().table(sql).unwrap().rows;
    rows.iter().map(|row| (row[0].int().unwrap(), row[1].int().unwrap())).collect()
}

fn account(rig: &Rig, name: &str) -> i64 {
    rig.reader().accounts().unwrap().iter().find(|one| one.connection.as_deref() == Some(name)).unwrap().account
}

#[tokio::test]
async fn what_one_connection_holds_does_not_enter_by_another() {
    let rig = Rig::new(200).await;
    edit(&rig, add_again);
    // Nobody can tell yet.
    assert_eq!(try_key(&rig, "again").await.unwrap()["rows_came_back"], false);
    let sync = |name: &str| perform(&rig.parts, Request::Sync { targets: vec![name.to_owned()] }, &|_| ());
    assert!(problems(&sync("main").await.unwrap()).is_empty());
    let held = holders(&rig);
    assert_eq!((held.len(), held[0].0), (1, account(&rig, "main")));
    let told = problems(&sync("again").await.unwrap());
    let code = |one: &&Value| one["code"] == "sync.held_twice" && one["detail"] == "by main";
    // Of the other streams there is nothing yet.
    assert_eq!((told.len(), told.iter().filter(code).count()), (5, 5), "{told:?}");
    assert_eq!(holders(&rig), held, "nothing of it entered");
    let again = account(&rig, "again");
    for table in ["stripe_charges", "stripe_refunds", "stripe_payment_intents", "stripe_balance_transactions"] {
        let sql = format!(
            "SELECT (SELECT count(*) FROM {table} WHERE account = {again}), (SELECT count(*) FROM coverage
             WHERE state = 'complete' AND rows > 0 AND account = {again} AND stream = '{table}')"
        );
        let found = rig.reader().table(&sql).unwrap().rows.remove(0);
        assert_eq!((found[0].int(), found[1].int()), (Some(0), Some(0)), "{table}: nothing counts as read either");
    }
    // Now it can be told when the key is set.
    let refused = try_key(&rig, "again").await.unwrap_err();
    assert_eq!((refused.code(), refused.detail()), ("sync.held_twice", "by main"));
    assert!(problems(&sync("main").await.unwrap()).is_empty(), "the other one goes on");
}

#[tokio::test]
async fn a_connection_that_was_removed_comes_back_with_its_rows() {
    let rig = Rig::new(200).await;
    rig.sync().await;
    let (held, number) = (holders(&rig), account(&rig, "main"));
    remove(&rig, "main").await;
    edit(&rig, |text| text.replace("[connections.main]", "[connections.shop]"));
    assert_eq!(try_key(&rig, "shop").await.unwrap()["rows_came_back"], true);
    assert_eq!(account(&rig, "shop"), number);
    let told = problems(&rig.sync().await);
    assert!(told.is_empty(), "{told:?}");
    assert_eq!(holders(&rig), held);
    // Of the name that was taken from the empty account no key is left.
    let keys = perform(&rig.parts, Request::ListKeys, &|_| ()).await.unwrap();
    let names: Vec<_> = keys["keys"].as_array().unwrap().iter().map(|key| key["connection"].clone()).collect();
    assert_eq!(names, ["eu", "shop"]);
}

#[tokio::test]
async fn a_name_that_the_file_had_first_is_taken_over() {
    let rig = Rig::new(200).await;
    rig.sync().await;
    let (held, number) = (holders(&rig), account(&rig, "main"));
    edit(&rig, |text| text.replace("[connections.main]", "[connections.shop]"));
    let told = problems(&rig.sync().await);
    assert!(told.iter().any(|one| one["code"] == "vault.no_key"), "another account for now: {told:?}");
    rename(&rig, "main", "shop").await.unwrap();
    assert_eq!(account(&rig, "shop"), number);
    let told = problems(&rig.sync().await);
    assert!(told.is_empty(), "the key came with it: {told:?}");
    assert_eq!(holders(&rig), held);
    // A name with rows of its own is not given away, nor to another provider.
    for (old, new, code) in [
        ("shop", "eu", "connection.taken"),
        ("eu", "shop", "connection.taken"),
        ("shop", "shop", "connection.taken"),
        ("main", "other", "connection.unknown"),
    ] {
        assert_eq!(rename(&rig, old, new).await.unwrap_err().code(), code, "{old} to {new}");
    }
}

#[tokio::test]
async fn once_a_day_a_pass_asks_whether_the_account_is_still_the_same() {
    let rig = Rig::new(200).await;
    rig.sync().await;
    // Whatever is held is unknown to what answers now.
    let unknown = [
        "charges/ch_",
        "refunds/re_",
        "disputes/du_",
        "payment_intents/pi_",
        "balance_transactions/txn_",
        "payouts/po_",
    ];
    let unknown = unknown.map(|path| Fault::always(&format!("/v1/{path}"), FaultKind::status(404)));
    rig.sandbox.set_faults(unknown.into());
    let hour = Duration::from_secs(3600);
    rig.clock.advance(hour);
    let told = problems(&rig.sync().await);
    assert!(told.iter().all(|one| one["code"] != "sync.other_account"), "not asked yet: {told:?}");
    let held = holders(&rig);
    rig.clock.advance(24 * hour);
    for _ in 0..2 {
        let before = rig.sandbox.requests().len();
        let told = problems(&rig.sync().await);
        let foreign = told.iter().filter(|one| one["code"] == "sync.other_account").count();
        assert_eq!((told.len(), foreign), (7, 7), "{told:?}");
        let asked = rig.sandbox.requests().split_off(before);
        let lists = asked.iter().filter(|one| one.path.starts_with("/v1/") && one.status == 200).count();
        assert!(lists <= 1, "at most for the time: {asked:?}");
    }
    assert_eq!(holders(&rig), held);
    rig.sandbox.set_faults(Vec::new());
    let told = problems(&rig.sync().await);
    assert!(told.is_empty(), "it heals by itself: {told:?}");
    let standing = "SELECT count(*) FROM problems WHERE cleared_at IS NULL";
    assert_eq!(rig.reader().table(standing).unwrap().rows[0][0].int(), Some(0));
    assert!(holders(&rig)[0].1 > held[0].1, "the day is made up for");
}
