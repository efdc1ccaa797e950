//! Privacy settings that change: what is left out goes from the rows and the files, what is wanted is read again, and a change
//! that is cut short is finished or made good.

use std::sync::Arc;

use counterfoil::agent::parts::{Parts, Seams, Writer};
use counterfoil::config;
use counterfoil::entropy::SeededEntropy;
use counterfoil::paths::{Overrides, Paths};
use counterfoil::problem::{Result, STORE_BUSY};
use counterfoil::sandbox::TruthStream;
use counterfoil::store::Reader;
use serde_json::Value;

use super::{Rig, behind_its_back, complete, open, problems};

#[tokio::test]
async fn wider_privacy_settings_are_read_again_and_narrower_ones_take_out() {
    let rig = Rig::new(200).await;
    let began = rig.sandbox.now_ms();
    rig.sync().await;
    let Rig { sandbox, clock, folder, parts } = rig;
    let count = |reader: &Reader, what: &str| {
        let sql = format!("SELECT count({what}) FROM stripe_charges");
        reader.table(&sql).unwrap().rows[0][0].int().unwrap()
    };
    let reader = Reader::open(&parts.store_path).unwrap();
    let all = count(&reader, "*");
    assert!(all > 100 && count(&reader, "card_last4") == 0 && count(&reader, "card_bin") == 0);
    assert!(count(&reader, "customer_token") > 0);
    drop(reader);
    parts.close().await.unwrap();

    let file = folder.path().join("counterfoil.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}[privacy]\nlocal = \"finance\"\n")).unwrap();
    let rig = Rig { parts: open(&folder, &clock), sandbox, clock, folder };
    let report = rig.sync().await;
    assert_eq!(problems(&report), Vec::<Value>::new());
    let reader = rig.reader();
    assert_eq!(count(&reader, "*"), count(&reader, "read_at"));
    assert!(count(&reader, "card_last4") > all / 2, "what was left out is read again");
    complete(&rig, "stripe_charges", TruthStream::StripeCharges, began);
    drop(reader);

    let customers =
        rig.reader().table("SELECT DISTINCT customer_id FROM stripe_charges WHERE customer_id > ''").unwrap();
    let in_the_files = |folder: &tempfile::TempDir| {
        let names = ["counterfoil.db", "counterfoil.db-wal"].map(|name| folder.path().join(name));
        let bytes: Vec<u8> = names.iter().flat_map(|path| std::fs::read(path).unwrap()).collect();
        let holds = |id: &str| bytes.windows(id.len()).any(|part| part == id.as_bytes());
        customers.rows.iter().filter(|row| holds(row[0].str().unwrap())).count()
    };
    assert!(customers.rows.len() > 10);
    let Rig { sandbox, clock, folder, parts } = rig;
    parts.close().await.unwrap();
    assert_eq!(in_the_files(&folder), customers.rows.len());
    std::fs::write(&file, format!("{text}[privacy]\nlocal = \"strict\"\n")).unwrap();
    let rig = Rig { parts: open(&folder, &clock), sandbox, clock, folder };
    assert_eq!(in_the_files(&rig.folder), 0, "neither in free pages nor in the log");
    let before = rig.sandbox.requests().len();
    let reader = rig.reader();
    assert_eq!((count(&reader, "card_last4"), count(&reader, "customer_id")), (0, 0), "taken out of the rows");
    assert!(count(&reader, "customer_token") > 0 && count(&reader, "*") >= all);
    rig.sync().await;
    let since = rig.sandbox.requests().split_off(before);
    assert!(since.len() <= 11, "nothing needs to be read again: {since:#?}");
}

fn number(rig: &Rig, sql: &str) -> i64 {
    rig.reader().table(sql).unwrap().rows[0][0].int().unwrap()
}

/// A house that nobody is in.
struct Closed {
    sandbox: counterfoil::sandbox::Sandbox,
    clock: counterfoil::clock::SystemClock,
    folder: tempfile::TempDir,
}

impl Closed {
    async fn of(rig: Rig) -> Self {
        let Rig { sandbox, clock, folder, parts } = rig;
        parts.close().await.unwrap();
        Self { sandbox, clock, folder }
    }

    /// Started with this `[privacy]`.
    fn open(self, privacy: &str) -> Rig {
        let parts = self.try_open(privacy).unwrap();
        let Self { sandbox, clock, folder } = self;
        Rig { sandbox, clock, folder, parts }
    }

    fn try_open(&self, privacy: &str) -> Result<Parts> {
        let file = self.folder.path().join("counterfoil.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.split("[privacy]").next().unwrap();
        std::fs::write(&file, format!("{text}[privacy]\n{privacy}\n")).unwrap();
        let overrides = Overrides { config: None, data_dir: Some(self.folder.path().to_owned()) };
        let seams = Seams {
            clock: Arc::new(self.clock.clone()),
            entropy: Arc::new(SeededEntropy::new(7)),
            transport: None,
            writer: Writer::default(),
        };
        crate::open_parts(Paths::here(&overrides).unwrap(), Arc::new(config::load(&file).unwrap()), seams)
    }
}

#[tokio::test]
async fn a_narrower_setting_that_is_cut_short_and_taken_back_loses_nothing() {
    let rig = Rig::new(200).await;
    rig.sync().await;
    let customers = "SELECT count(customer_id) FROM stripe_charges";
    let held = number(&rig, customers);
    assert!(held > 10);
    // Somebody reads, and what was taken out cannot be taken out of the log: the start is refused.
    let reader = rig.reader();
    reader.connection().execute_batch("BEGIN; SELECT count(*) FROM stripe_charges;").unwrap();
    let house = Closed::of(rig).await;
    assert!(house.try_open("local = \"strict\"").err().is_some_and(|problem| problem.is(&STORE_BUSY)));
    drop(reader);
    let rig = house.open("local = \"standard\"");
    // By the old setting again: what had been emptied is wanted, and read again.
    assert_eq!(number(&rig, customers), 0, "the test needs rows that were emptied");
    assert_eq!(problems(&rig.sync().await), Vec::<Value>::new());
    assert_eq!(number(&rig, customers), held);
    let before = rig.sandbox.requests().len();
    rig.sync().await;
    assert!(rig.sandbox.requests().len() - before <= 11, "once");
}

#[tokio::test]
async fn of_metadata_only_the_keys_that_are_no_longer_allowed_go() {
    let rig = Rig::new(200).await;
    let rig = Closed::of(rig).await.open("metadata_keys = [\"order\", \"note\", \"none\"]");
    rig.sync().await;
    let held = |key: &str| format!("SELECT count(*) FROM stripe_charges WHERE metadata ->> '{key}' > ''");
    let orders = number(&rig, &held("order"));
    assert!(orders > 50 && number(&rig, &held("note")) > 50);
    // One is held that no list will show again.
    behind_its_back(
        &rig,
        "UPDATE stripe_charges SET metadata = '{\"note\":\"x\",\"n\":1.5,\"order\":{\"a\":[true,null]}}'
        WHERE id = (SELECT min(id) FROM stripe_charges)",
    );
    let before = rig.sandbox.requests().len();
    let rig = Closed::of(rig).await.open("metadata_keys = [\"order\"]");
    assert_eq!((number(&rig, &held("order")), number(&rig, &held("note"))), (orders, 0));
    let odd = "SELECT metadata = '{\"n\":1.5,\"order\":{\"a\":[true,null]}}' FROM stripe_charges ORDER BY id LIMIT 1";
    assert_eq!(number(&rig, odd), 1, "what stays is as it was");
    rig.sync().await;
    assert!(rig.sandbox.requests().len() - before <= 11, "nothing has to be read again");
}
