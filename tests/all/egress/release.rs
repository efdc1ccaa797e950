//! Release: the frozen bytes, once, after the lag, on consent, in one transaction; and a file that belongs to one store.

use std::collections::BTreeMap;

use counterfoil::egress::wire::{DAY_MS, Day};
use counterfoil::egress::{Mode, Outbox, Preview, ReceiverUrl, Upstream, preview};
use counterfoil::entropy::{Entropy as _, SeededEntropy};
use counterfoil::problem;

use super::support::{Attempt, Rig, STORE, add, attempt, due, monday, raw, store, upstream};

/// Twelve captured Visa cards and ten declined over two schemes on Monday; and three lonely blocked ones.
fn monday_attempts() -> Vec<Attempt> {
    let mut all: Vec<Attempt> = (0..12).map(|n| attempt(n, monday(), n)).collect();
    all.extend((12..22).map(|n| Attempt {
        outcome: "declined",
        scheme: if n < 17 { "mastercard" } else { "amex" },
        ..attempt(n, monday(), n)
    }));
    all.extend((22..25).map(|n| Attempt { outcome: "blocked", ..attempt(n, monday(), n) }));
    all
}

#[test]
fn the_bytes_of_a_day_are_fixed() {
    let mut rig = Rig::accepted();
    assert_eq!(rig.release(&store(&monday_attempts()), due(monday())).unwrap(), [1]);
    assert_eq!(
        rig.body(1),
        concat!(
            r#"{"f":1,"fact":"attempts","v":1,"period":"2026-11-16","epoch":0,"late":false,"card":["#,
            r#"["captured","stripe","visa","credit",12],["declined","any","any","any",10]]}"#
        )
    );
    let shown = rig.outbox.show(1).unwrap();
    assert_eq!((shown.batch.cells, shown.batch.events, shown.batch.state.as_str()), (2, 22, "pending"));
    assert_eq!(rig.outbox.verify().unwrap(), 1);
}

#[test]
fn a_week_ends_with_its_late_batch() {
    let mut rig = Rig::accepted();
    let db = store(&monday_attempts());
    rig.release(&db, due(monday())).unwrap();
    let sunday = monday().week().last_day();
    // Three more blocked on Wednesday and four on Sunday: held as well. And ten captured ones of Monday, late.
    let blocked = |n, day| Attempt { outcome: "blocked", ..attempt(n, day, n) };
    add(&db, &(100..103).map(|n| blocked(n, monday().next().next())).collect::<Vec<_>>());
    add(&db, &(103..107).map(|n| blocked(n, sunday)).collect::<Vec<_>>());
    add(&db, &(200..210).map(|n| attempt(n, monday(), n)).collect::<Vec<_>>());
    assert_eq!(rig.release(&db, due(sunday)).unwrap(), [2, 3, 4, 5, 6, 7, 8]);
    for seq in 2..8 {
        assert!(rig.body(seq).ends_with(r#""late":false,"card":[]}"#), "{}", rig.body(seq));
    }
    assert_eq!(
        rig.body(8),
        concat!(
            r#"{"f":1,"fact":"attempts","v":1,"period":"2026-W47","epoch":0,"late":true,"card":["#,
            r#"["blocked","stripe","visa","credit",10],["captured","stripe","visa","credit",10]]}"#
        )
    );
    // Once is once.
    let next_sunday = sunday.next().week().last_day();
    assert_eq!(rig.release(&db, due(next_sunday)).unwrap().len(), 8);
    assert_eq!((9..17).map(|seq| rig.outbox.show(seq).unwrap().batch.events).sum::<i64>(), 0);
    assert_eq!(rig.outbox.verify().unwrap(), 16);
}

#[test]
fn whichever_account_holds_it_an_event_leaves_once() {
    let counts = |change: &dyn Fn(&rusqlite::Connection)| {
        let mut rig = Rig::accepted();
        let db = store(&monday_attempts());
        rig.release(&db, due(monday())).unwrap();
        add(&db, &(200..210).map(|n| attempt(n, monday(), n)).collect::<Vec<_>>());
        change(&db);
        let all = rig.release(&db, due(monday().week().last_day())).unwrap();
        all.into_iter().chain([1]).map(|seq| rig.outbox.show(seq).unwrap().batch.events).sum::<i64>()
    };
    let once = counts(&|_| ());
    assert!(once >= 22, "{once}");
    let moved = counts(&|db| {
        db.execute_batch("UPDATE payment_attempts SET account = 2; INSERT INTO accounts VALUES (2)").unwrap();
    });
    let doubled = counts(&|db| {
        db.execute_batch(
            "INSERT INTO accounts VALUES (2); INSERT INTO payment_attempts SELECT 2, provider, attempt_id, attempted_at,
             outcome, method, scheme, funding, card_token, payer_token FROM payment_attempts",
        )
        .unwrap();
    });
    assert_eq!((moved, doubled), (once, once));
}

#[test]
fn what_no_week_could_take_waits_for_the_next_and_then_too_old_to_leave_stays() {
    let mut rig = Rig::accepted();
    let few = |from, day| (from..from + 5).map(|n| attempt(n, day, n)).collect::<Vec<_>>();
    let next_monday = monday().week().next().first_day();
    let db = store(&few(0, monday()));
    add(&db, &few(10, next_monday));
    rig.release(&db, due(next_monday.week().last_day())).unwrap();
    let log = rig.outbox.log(100).unwrap();
    let late: Vec<_> = log.iter().filter(|b| b.late).map(|b| (b.period.as_str(), b.events)).collect();
    assert_eq!(late, [("2026-W48", 10), ("2026-W47", 0)]);
    // Ten that come to light thirty days late never leave.
    add(&db, &(300..310).map(|n| attempt(n, monday(), n)).collect::<Vec<_>>());
    let later = Day::of_ms(monday().start_ms() + 60 * DAY_MS).unwrap();
    let mut other = Rig::accepted();
    let empty = store(&[]);
    other.release(&empty, due(Day::of_ms(monday().start_ms() + 30 * DAY_MS).unwrap())).unwrap();
    other.release(&db, due(later)).unwrap();
    assert_eq!(other.outbox.log(100).unwrap().iter().map(|batch| batch.events).sum::<i64>(), 0);
}

#[test]
fn nothing_leaves_before_its_lag() {
    let mut rig = Rig::accepted();
    let db = store(&monday_attempts());
    assert_eq!(rig.release(&db, due(monday()) - 1).unwrap(), [0; 0]);
    assert_eq!(rig.release(&db, due(monday())).unwrap(), [1]);
    assert_eq!(rig.release(&db, due(monday())).unwrap(), [0; 0]);
}

#[test]
fn nothing_from_before_the_consent_leaves() {
    let mut rig = Rig::unaccepted();
    rig.clock.advance(12 * 3_600_000);
    let noon = monday().start_ms() + 12 * 3_600_000;
    rig.accept().unwrap();
    let mut attempts: Vec<Attempt> = (0..40).map(|n| Attempt { at: noon - 1, ..attempt(n, monday(), n) }).collect();
    attempts.extend((40..50).map(|n| Attempt { at: noon, ..attempt(n, monday(), n) }));
    let yesterday = Day::of_ms(monday().start_ms() - 1).unwrap();
    attempts.extend((50..90).map(|n| attempt(n, yesterday, n)));
    rig.release(&store(&attempts), due(monday().week().last_day())).unwrap();
    let log = rig.outbox.log(100).unwrap();
    assert_eq!(log.iter().map(|batch| batch.events).sum::<i64>(), 10);
    assert_eq!(log.last().unwrap().period, "2026-11-16");
}

#[test]
fn only_cards_count() {
    let mut rig = Rig::accepted();
    let mut attempts = monday_attempts();
    attempts.iter_mut().for_each(|attempt| attempt.method = "sepa_debit");
    rig.release(&store(&attempts), due(monday())).unwrap();
    assert_eq!(rig.outbox.show(1).unwrap().batch.events, 0);
}

#[test]
fn without_consent_or_mode_nothing_is_numbered() {
    let db = store(&monday_attempts());
    let mut rig = Rig::unaccepted();
    assert!(rig.release(&db, due(monday())).unwrap_err().is(&problem::EGRESS_NO_CONSENT));
    rig.accept().unwrap();
    for mode in [Mode::Off, Mode::Local] {
        assert_eq!(rig.outbox.release(&db, &upstream(mode), due(monday()), &*rig.clock).unwrap(), [0; 0]);
    }
    let elsewhere = Upstream { url: ReceiverUrl::parse("https://other.example").unwrap(), mode: Mode::On };
    let refused = rig.outbox.release(&db, &elsewhere, due(monday()), &*rig.clock).unwrap_err();
    assert!(refused.is(&problem::EGRESS_CONSENT_CHANGED));
    rusqlite_edit(&rig, "UPDATE consents SET registry = zeroblob(32)");
    assert!(rig.release(&db, due(monday())).unwrap_err().is(&problem::EGRESS_CONSENT_CHANGED));
    assert!(rig.outbox.log(9).unwrap().is_empty());
}

#[test]
fn a_preview_is_the_batch_and_leaves_no_trace() {
    let db = store(&monday_attempts());
    let rig = Rig::unaccepted();
    let shown = |previews: Vec<Preview>| -> Vec<Vec<u8>> {
        previews.iter().map(|preview| preview.reading.bytes().as_slice().to_vec()).collect()
    };
    let without_file = shown(preview(None, &db, due(monday()), None).unwrap());
    let without_consent = shown(preview(Some(&rig.outbox), &db, due(monday()), None).unwrap());
    let mut rig = Rig::accepted();
    let beside = Outbox::open_read_only(&rig.path(), STORE).unwrap();
    let with_consent = shown(preview(Some(&beside), &db, due(monday()), None).unwrap());
    assert!(rig.outbox.log(9).unwrap().is_empty());
    rig.release(&db, due(monday())).unwrap();
    let released = vec![rig.outbox.show(1).unwrap().bytes];
    assert_eq!((&without_file, &without_consent, &with_consent), (&released, &released, &released));
    // The next preview knows what left and what waits; a day that left is not shown anew.
    let next = preview(Some(&beside), &db, due(monday()), None).unwrap();
    assert_eq!((next.len(), next[0].reading.period.as_str(), next[0].held), (1, "2026-11-17", 0));
    let sunday = preview(None, &db, due(monday()), Some(monday().week().last_day())).unwrap();
    assert_eq!(
        sunday.iter().map(|preview| preview.reading.period.as_str()).collect::<Vec<_>>(),
        ["2026-11-22", "2026-W47"]
    );
    assert_eq!(preview(None, &db, 0, Some(monday())).unwrap()[0].held, 3);
    let again = preview(Some(&beside), &db, due(monday()), Some(monday())).unwrap_err();
    assert!(again.is(&problem::EGRESS_RELEASED));
}

#[test]
fn a_step_that_fails_leaves_nothing_behind() {
    let mut rig = Rig::accepted();
    let db = store(&monday_attempts());
    add(&db, &[attempt(3, monday(), 3)]);
    assert!(rig.release(&db, due(monday())).unwrap_err().is(&problem::EGRESS_FACT));
    assert!(rig.outbox.log(9).unwrap().is_empty());
    // Fails at the last statement of the transaction: marks, cells and the row before it must go too.
    rusqlite_edit(
        &rig,
        "CREATE TRIGGER cut BEFORE INSERT ON released WHEN NEW.position = 1 BEGIN SELECT raise(ABORT, 'cut'); END",
    );
    let db = store(&monday_attempts());
    assert!(rig.release(&db, due(monday())).unwrap_err().is(&problem::EGRESS_FILE));
    rusqlite_edit(&rig, "DROP TRIGGER cut");
    let left: i64 = raw(rig.path())
        .query_row(
            "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM released) + (SELECT count(*) FROM cells)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(left, 0);
    // A new process goes on as if nothing had been.
    rig.outbox = Outbox::open(&rig.path(), STORE, None, &SeededEntropy::new(3)).unwrap();
    assert_eq!(rig.release(&db, due(monday())).unwrap(), [1]);
    assert_eq!(rig.outbox.show(1).unwrap().batch.events, 22);
}

#[test]
fn over_random_histories_every_event_leaves_at_most_once() {
    // Six weeks; events come to light up to ten days late; the horizon moves unevenly.
    for seed in 0..6 {
        let chance = SeededEntropy::new(seed);
        let mut rig = Rig::accepted();
        let db = store(&[]);
        let mut made: BTreeMap<i64, Vec<Attempt>> = BTreeMap::new();
        let outcomes = ["captured", "declined", "approved", "blocked"];
        let schemes = ["visa", "mastercard", "amex"];
        for n in 0..1500 {
            let day = chance.below(42) as i64;
            let late = if chance.below(10) == 0 { chance.below(10) as i64 } else { 0 };
            let made_on = Day::from_number(monday().number() + day).unwrap();
            made.entry(day + late).or_default().push(Attempt {
                outcome: outcomes[chance.below(4) as usize],
                scheme: schemes[chance.below(3) as usize],
                ..attempt(n, made_on, chance.below(400) as usize)
            });
        }
        for today in 0..60 {
            add(&db, made.get(&today).map_or(&[][..], Vec::as_slice));
            if chance.below(3) > 0 {
                rig.release(&db, Day::from_number(monday().number() + today).unwrap().start_ms()).unwrap();
            }
        }
        let file = raw(rig.path());
        let number = |sql: &str| file.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        let events = number("SELECT sum(count) FROM cells");
        assert_eq!(number("SELECT count(*) FROM released"), events);
        assert!((1200..=1500).contains(&events), "{events}");
        assert_eq!(number("SELECT min(count) >= 10 FROM cells"), 1);
        assert!(number("SELECT count(*) FROM cells JOIN outbox USING (seq) WHERE late") > 0);
        assert_eq!(rig.outbox.verify().unwrap(), number("SELECT count(*) FROM outbox"));
    }
}

#[test]
fn the_registry_expires() {
    let mut rig = Rig::unaccepted();
    rig.clock.advance(Day::civil(2027, 12, 31).start_ms() - monday().start_ms());
    rig.accept().unwrap();
    let refused = rig.release(&store(&[]), due(Day::civil(2028, 1, 1))).unwrap_err();
    assert!(refused.is(&problem::EGRESS_EXPIRED));
    assert_eq!(rig.outbox.log(9).unwrap().len(), 1);
}

#[test]
fn a_new_consent_withdraws_what_was_not_acknowledged() {
    let mut rig = Rig::accepted();
    let db = store(&monday_attempts());
    rig.release(&db, due(monday())).unwrap();
    rig.clock.advance(10 * DAY_MS);
    rig.accept().unwrap();
    let shown = rig.outbox.show(1).unwrap();
    assert_eq!(shown.batch.state, "withdrawn");
    assert_eq!(shown.history.iter().map(|h| h.event.as_str()).collect::<Vec<_>>(), ["released", "withdrawn"]);
    assert_eq!(rig.outbox.next_day().unwrap().unwrap().number(), monday().number() + 10);
}

#[test]
fn other_files_are_refused_and_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("egress.db");
    let open = || Outbox::open(&path, STORE, None, &SeededEntropy::new(1)).map(drop);
    let refuse = |make: &dyn Fn(), entry: &'static problem::Entry| {
        for name in ["egress.db", "egress.db-wal", "egress.db-shm"] {
            _ = std::fs::remove_file(folder.path().join(name));
        }
        make();
        let before = std::fs::read(&path).unwrap();
        assert_eq!(open().unwrap_err().code(), entry.code);
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    };
    let sql = |sql: &str| raw(&path).execute_batch(sql).unwrap();
    refuse(&|| std::fs::write(&path, "not a database at all").unwrap(), &problem::EGRESS_FOREIGN);
    refuse(&|| sql("CREATE TABLE t (a); PRAGMA user_version = 1"), &problem::EGRESS_FOREIGN);
    let newer = || sql("CREATE TABLE t (a); PRAGMA application_id = 0x43464547; PRAGMA user_version = 2");
    refuse(&newer, &problem::EGRESS_NEWER);
    let theirs = || drop(Outbox::open(&path, "another", None, &SeededEntropy::new(1)).unwrap());
    std::fs::remove_file(&path).unwrap();
    theirs();
    assert!(open().unwrap_err().is(&problem::EGRESS_OTHER_STORE));
}

#[cfg(unix)]
#[test]
fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let rig = Rig::accepted();
    for name in ["egress.db", "egress.db-wal"] {
        let mode = std::fs::metadata(rig.folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn under_a_consent_a_preview_begins_where_the_consent_does() {
    let mut rig = Rig::unaccepted();
    // Twenty of the day's attempts came before the consent, sixteen after it.
    rig.clock.advance(20_500);
    rig.accept().unwrap();
    let attempts: Vec<Attempt> = (1..37).map(|n| attempt(n, monday(), n)).collect();
    let db = store(&attempts);
    let shown = preview(Some(&rig.outbox), &db, due(monday()), None).unwrap();
    rig.release(&db, due(monday())).unwrap();
    assert_eq!(shown[0].reading.bytes().as_slice(), rig.outbox.show(1).unwrap().bytes);
    assert_eq!(shown[0].reading.cells.iter().map(|cell| cell.count).sum::<u32>(), 16);
}

#[test]
fn a_file_in_the_place_of_the_open_one_is_noticed() {
    let rig = Rig::unaccepted();
    assert!(rig.outbox.is_at(&rig.path()));
    let aside = rig.folder.path().join("aside.db");
    std::fs::rename(rig.path(), &aside).unwrap();
    assert!(!rig.outbox.is_at(&rig.path()) && rig.outbox.is_at(&aside));
    std::fs::copy(&aside, rig.path()).unwrap();
    assert!(!rig.outbox.is_at(&rig.path()), "the same bytes, but another file");
}

/// A person's veto and what `egress` shows open the file again while the courier has it: closing theirs must not drop the
/// courier's lock, or a tool that closes the file next would believe that it is alone and take the log away.
#[cfg(target_os = "linux")]
#[test]
fn opening_the_file_again_in_the_same_process_leaves_its_lock() {
    let rig = Rig::accepted();
    let path = rig.path();
    let locked = || crate::store::kit::locked(&path);
    assert!(locked());
    drop(Outbox::open(&rig.path(), STORE, None, &SeededEntropy::new(3)).unwrap());
    assert!(locked(), "after a second writer");
    drop(Outbox::open_read_only(&rig.path(), STORE).unwrap());
    assert!(locked(), "after a reader");
    drop(rig.outbox);
    assert!(!locked(), "the case is none: somebody else holds the file");
}

fn rusqlite_edit(rig: &Rig, sql: &str) {
    raw(rig.path()).execute_batch(sql).unwrap();
}
