//! Several accounts at one provider, and one account under several names: every object is held once.

use std::sync::Arc;
use std::time::Duration;

use counterfoil::agent::request::{Request, perform};
use counterfoil::config;
use counterfoil::problem::Problem;
use counterfoil::sandbox::{CHECKOUT_KEY, Fault, FaultKind, STRIPE_KEY};
use serde_json::Value;

use super::{Rig, behind_its_back, problems};

/// Changes the configuration's text.
fn edit(rig: &Rig, change: impl FnOnce(String) -> String) {
    let file = rig.folder.path().join("counterfoil.toml");
    std::fs::write(&file, change(std::fs::read_to_string(&file).unwrap())).unwrap();
    rig.parts.set_config(Arc::new(config::load(&file).unwrap()));
}

/// A second section that reads what `main` reads.
fn add_again(text: String) -> String {
    let section = text.split("[connections.eu]").next().unwrap();
    let section = section.replace("[connections.main]", "[connections.again]").replace("shop", "again");
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

async fn sync(rig: &Rig, target: &str) -> Vec<Value> {
    problems(&perform(&rig.parts, Request::Sync { targets: vec![target.to_owned()] }, &|_| ()).await.unwrap())
}

#[tokio::test]
async fn what_one_connection_holds_does_not_enter_by_another() {
    let rig = Rig::new(200).await;
    edit(&rig, add_again);
    try_key(&rig, "again").await.unwrap();
    assert_eq!(sync(&rig, "main").await, [Value::Null; 0]);
    let held = holders(&rig);
    assert_eq!((held.len(), held[0].0), (1, account(&rig, "main")));
    let told = sync(&rig, "again").await;
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
    assert_eq!(sync(&rig, "main").await, [Value::Null; 0], "the other one goes on");
}

#[tokio::test]
async fn when_one_of_two_is_removed_the_other_goes_on_with_what_both_have_read() {
    let rig = Rig::new(200).await;
    edit(&rig, add_again);
    try_key(&rig, "again").await.unwrap();
    // Each is first somewhere: both are in the way of the other.
    for target in ["main/charges", "main/refunds", "again/balance_transactions", "again/payment_intents"] {
        assert_eq!(sync(&rig, target).await, [Value::Null; 0], "{target}");
    }
    let both = ["main", "again"].map(|name| account(&rig, name));
    for name in ["main", "again"] {
        assert!(sync(&rig, name).await.iter().any(|one| one["code"] == "sync.held_twice"), "{name}");
    }
    let rows = "SELECT (SELECT count(*) FROM stripe_balance_transactions), (SELECT count(*) FROM stripe_balance_transaction_fees),
        (SELECT count(*) FROM stripe_payment_intents)";
    let before = rig.reader().table(rows).unwrap().rows;
    remove(&rig, "again").await;
    edit(&rig, |text| text.split("[connections.again]").next().unwrap().to_owned());
    assert_eq!(sync(&rig, "main").await, [Value::Null; 0]);
    for table in ["stripe_balance_transactions", "stripe_balance_transaction_fees", "stripe_payment_intents"] {
        let sql = format!("SELECT count(*) FROM {table} WHERE account = {}", both[1]);
        assert_eq!(rig.reader().table(&sql).unwrap().rows[0][0].int(), Some(0), "{table}");
    }
    let after = rig.reader().table(rows).unwrap().rows;
    let number =
        |rows: &[Vec<counterfoil::store::Text>]| rows[0].iter().map(|one| one.int().unwrap()).collect::<Vec<_>>();
    let (before, after) = (number(&before), number(&after));
    assert!(before.iter().zip(&after).all(|(before, after)| *before > 50 && before <= after), "{before:?} {after:?}");
    let standing =
        "SELECT count(*) FROM problems JOIN accounts USING (account) WHERE cleared_at IS NULL AND connection = 'main'";
    assert_eq!(rig.reader().table(standing).unwrap().rows[0][0].int(), Some(0));
}

#[tokio::test]
async fn a_connection_that_is_set_up_again_takes_over_what_it_reads_again() {
    let rig = Rig::new(200).await;
    rig.sync().await;
    // What only another kind of read brings is not lost on the way.
    behind_its_back(&rig, "UPDATE stripe_charges SET read_seq = 0, seen_at = 5");
    let (held, number) = (holders(&rig), account(&rig, "main"));
    remove(&rig, "main").await;
    edit(&rig, |text| text.replace("[connections.main]", "[connections.shop]"));
    try_key(&rig, "shop").await.unwrap();
    let told = problems(&rig.sync().await);
    assert!(told.is_empty(), "{told:?}");
    let shop = account(&rig, "shop");
    assert_ne!(shop, number);
    let all = holders(&rig);
    assert!(all.len() == 1 && all[0].0 == shop && all[0].1 >= held[0].1, "every charge is there once: {all:?}");
    let fees = "SELECT count(*), count(*) FILTER (WHERE account = ".to_owned()
        + &format!("{shop}) FROM stripe_balance_transaction_fees");
    let fees = rig.reader().table(&fees).unwrap().rows.remove(0);
    assert!(fees[0].int() == fees[1].int() && fees[0].int() > Some(100), "with their fees: {fees:?}");
    let seen = "SELECT count(*) FROM stripe_charges WHERE seen_at = 5";
    assert_eq!(rig.reader().table(seen).unwrap().rows[0][0].int(), Some(held[0].1), "the same rows, merged with");
}

/// Which accounts hold a payment's actions, and how many.
fn actions(rig: &Rig) -> Vec<(i64, i64)> {
    let sql = "SELECT account, count(*) FROM checkoutcom_payment_actions GROUP BY account";
    let rows = rig.reader().table(sql).unwrap().rows;
    rows.iter().map(|row| (row[0].int().unwrap(), row[1].int().unwrap())).collect()
}

#[tokio::test]
async fn a_payments_actions_come_along() {
    let rig = Rig::new(400).await;
    rig.sync().await;
    let before = actions(&rig);
    assert!(before.len() == 1 && before[0].1 > 100, "{before:?}");
    remove(&rig, "eu").await;
    edit(&rig, |text| text.replace("[connections.eu]", "[connections.europe]"));
    rig.set_key("europe", CHECKOUT_KEY).await;
    assert_eq!(sync(&rig, "europe").await, [Value::Null; 0]);
    let after = actions(&rig);
    assert!(after.len() == 1 && after[0].0 == account(&rig, "europe") && after[0].1 >= before[0].1, "{after:?}");
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
    // Nor is a name under which a key is sealed.
    edit(&rig, add_again);
    try_key(&rig, "again").await.unwrap();
    assert_eq!(rename(&rig, "shop", "again").await.unwrap_err().code(), "connection.taken");
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
    let lists = ["charges", "refunds", "disputes", "payment_intents", "balance_transactions", "payouts"];
    let unknown = lists.map(|list| Fault::always(&format!("/v1/{list}/"), FaultKind::status(404)));
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

#[tokio::test]
async fn where_a_key_may_not_read_by_id_search_tells_whose_it_is() {
    let status = FaultKind::status;
    let (empty, none) = (Some(FaultKind::Empty), None);
    // What a payment by its id, the search for it and a dispute by its id are answered; whether that is another account's.
    for (by_id, search, dispute, foreign) in [
        (403, none.clone(), 404, false),
        (404, none.clone(), 404, false),
        (404, empty.clone(), 404, true),
        // Neither says whose it is, so the disputes do.
        (403, empty.clone(), 404, true),
        (403, empty, 200, false),
        (403, Some(status(403)), 404, true),
        (403, Some(status(403)), 200, false),
        (403, none, 200, false),
    ] {
        let case = format!("{by_id}, {search:?}, {dispute}");
        let rig = Rig::with(40, false, |options| options.payments = 2_000).await;
        rig.sync().await;
        rig.clock.advance(Duration::from_secs(25 * 3600));
        let mut faults = vec![Fault::always("/payments/pay_", status(by_id))];
        faults.extend((1..=3).filter_map(|nth| search.clone().map(|kind| Fault::nth("/payments/search", nth, kind))));
        faults.extend((dispute != 200).then(|| Fault::always("/disputes/dsp_", status(dispute))));
        rig.sandbox.set_faults(faults);
        let before = rig.sandbox.requests().len();
        let told = sync(&rig, "eu").await;
        let others = told.iter().filter(|one| one["code"] == "sync.other_account").count();
        assert_eq!(others > 0, foreign, "{case}: {told:?}");
        let asked = rig.sandbox.requests().split_off(before).into_iter();
        let asked: Vec<_> = asked.filter(|one| one.path != "/disputes").collect();
        assert!(asked[0].path.starts_with("/payments/pay_") && asked[1].body.contains("id:'pay_"), "{case}: {asked:?}");
        let searched =
            asked.iter().take_while(|one| !one.body.contains("amount:")).filter(|one| one.body.contains("id:"));
        // One that is not shown may be gone: three are asked for. What may not be asked is asked once.
        let most = if by_id == 404 && foreign { 3 } else { 1 };
        assert_eq!(searched.count(), most, "{case}: {asked:?}");
    }
}
