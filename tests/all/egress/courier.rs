//! The courier: what it sends, what it believes, when it waits, when it stops.

use std::sync::Arc;
use std::time::Duration;

use counterfoil::egress::sign::{Target, base64, enrolment_message, is_request_signed, sha256};
use counterfoil::egress::wire::DAY_MS;
use counterfoil::egress::{Courier, Ed25519Signer, Mode, Pass, Reply, SendFailure, Signer as _};
use counterfoil::entropy::SeededEntropy;
use counterfoil::problem;

use super::support::{Attempt, Rig, attempt, due, monday, raw, receipt, run, signer, store, upstream};

/// Consent, and three released days: numbers 1 to 3.
fn three() -> Rig {
    let mut rig = Rig::accepted();
    let mut attempts: Vec<Attempt> = (0..12).map(|n| attempt(n, monday(), n)).collect();
    attempts.extend((12..30).map(|n| attempt(n, monday().next(), n)));
    assert_eq!(rig.release(&store(&attempts), due(monday().next().next())).unwrap(), [1, 2, 3]);
    rig
}

fn pass(rig: &mut Rig, mode: Mode) -> Pass {
    let mut courier = rig.courier();
    run(courier.pass(&mut rig.outbox, &upstream(mode))).unwrap()
}

fn state(rig: &Rig, seq: i64) -> String {
    rig.outbox.show(seq).unwrap().batch.state
}

fn codes(pass: &Pass) -> Vec<&'static str> {
    pass.problems.iter().map(problem::Problem::code).collect()
}

#[test]
fn batches_go_in_order_signed_and_are_done_with_a_receipt() {
    let mut rig = three();
    assert_eq!(rig.outbox.waiting().unwrap(), (3, 0));
    let done = pass(&mut rig, Mode::On);
    assert_eq!((done.acknowledged, done.retry_in, done.problems.len()), (vec![1, 2, 3], None, 0));
    for (request, seq) in rig.sender.batches().iter().zip(1..) {
        let path = format!("/v1/installs/install-1/batches/{seq}");
        assert_eq!((request.method(), request.url()), ("PUT", format!("https://receiver.example{path}").as_str()));
        assert_eq!(request.body(), rig.outbox.show(seq).unwrap().bytes);
        let names: Vec<&str> = request.headers().iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["content-type", "content-digest", "signature-input", "signature", "user-agent"]);
        let header = |name: &str| request.headers().iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str());
        let target = Target { method: "PUT", authority: "receiver.example", path: &path };
        assert!(is_request_signed(&signer().public_key(), target, header, request.body()));
        let shown = rig.outbox.show(seq).unwrap();
        assert_eq!((shown.batch.state.as_str(), shown.batch.attempts), ("acknowledged", 1));
        assert!(shown.batch.receipt.is_some());
        let history: Vec<_> = shown.history.iter().map(|h| (h.event.as_str(), h.status)).collect();
        assert_eq!(history, [("released", None), ("sent", None), ("acknowledged", Some(201))]);
    }
    assert!(pass(&mut rig, Mode::On).acknowledged.is_empty());
    assert_eq!(rig.sender.batches().len(), 3);
}

#[test]
fn an_unknown_outcome_means_the_same_bytes_again() {
    let mut rig = three();
    rig.sender.then(Err(SendFailure::Cut));
    let cut = pass(&mut rig, Mode::On);
    assert_eq!((codes(&cut), state(&rig, 1).as_str()), (vec!["egress.unreachable"], "sent"));
    assert!(cut.retry_in.is_some());
    rig.sender.then_status(500);
    assert_eq!(codes(&pass(&mut rig, Mode::On)), ["egress.answer"]);
    rig.sender.then_status(302);
    assert_eq!(codes(&pass(&mut rig, Mode::On)), ["egress.answer"]);
    assert_eq!(pass(&mut rig, Mode::On).acknowledged, [1, 2, 3]);
    let sent = rig.sender.batches();
    assert_eq!(sent.len(), 6);
    assert!(
        sent[..4].iter().all(|request| *request == sent[0]),
        "with the clock still, even the signature is the same"
    );
    assert_eq!(rig.outbox.show(1).unwrap().batch.attempts, 4);
}

#[test]
fn whoever_wakes_the_courier_a_batch_is_not_sent_before_its_time() {
    let mut rig = three();
    let mut courier = rig.courier();
    let busy = Reply { status: 429, headers: vec![("retry-after".to_owned(), "600".to_owned())], ..Reply::default() };
    rig.sender.then(Ok(busy));
    let mut again = |rig: &mut Rig| run(courier.pass(&mut rig.outbox, &upstream(Mode::On))).unwrap();
    assert_eq!(again(&mut rig).retry_in, Some(Duration::from_secs(600)));
    for left in [600, 400, 200] {
        let woken = again(&mut rig);
        assert_eq!((codes(&woken), woken.retry_in), (vec!["egress.busy"], Some(Duration::from_secs(left))));
        rig.clock.advance(200_000);
    }
    assert_eq!(rig.sender.batches().len(), 1);
    assert_eq!(again(&mut rig).acknowledged, [1, 2, 3]);
}

#[test]
fn nothing_is_sent_by_settings_that_were_changed_meanwhile() {
    let mut rig = three();
    let (mut courier, sender) = (rig.courier(), rig.sender.clone());
    let in_force = move || sender.batches().len() < 2;
    let cut = run(courier.pass_while(&mut rig.outbox, &upstream(Mode::On), &in_force)).unwrap();
    assert_eq!((cut.acknowledged.as_slice(), state(&rig, 3).as_str()), (&[1, 2][..], "pending"));
    assert!(cut.retry_in.is_some(), "soon again, by the new settings");
}

#[test]
fn a_success_without_the_pinned_keys_receipt_is_none() {
    let body = |rig: &Rig, seq| rig.outbox.show(seq).unwrap().bytes;
    let pinned = || Ed25519Signer::from_seed(&[9; 32]);
    let mut rig = three();
    let first = body(&rig, 1);
    let text = String::from_utf8(receipt(&pinned(), "install-1", 1, &first).body).unwrap();
    let answers = [
        Reply { status: 200, ..Reply::default() },
        Reply { status: 200, body: b"<html>Welcome to the hotel</html>".to_vec(), ..Reply::default() },
        receipt(&Ed25519Signer::from_seed(&[8; 32]), "install-1", 1, &first),
        receipt(&pinned(), "install-2", 1, &first),
        receipt(&pinned(), "install-1", 2, &first),
        receipt(&pinned(), "install-1", 1, &body(&rig, 2)),
        Reply { status: 200, body: text.replace("}", ",\"more\":1}").into_bytes(), ..Reply::default() },
    ];
    // Signed for our batch, but saying of itself that it is for another.
    let (ours, other) = (base64(&sha256(&first)), base64(&sha256(&body(&rig, 2))));
    let said = [("install-1", "install-2"), ("\"seq\":1,", "\"seq\":2,"), (ours.as_str(), other.as_str())];
    let answers = answers.into_iter().chain(said.map(|(from, to)| {
        assert!(text.contains(from));
        Reply { status: 200, body: text.replace(from, to).into_bytes(), ..Reply::default() }
    }));
    for answer in answers {
        rig.sender.then(Ok(answer));
        let refused = pass(&mut rig, Mode::On);
        assert_eq!((codes(&refused), refused.acknowledged), (vec!["egress.receipt"], vec![]));
        assert_eq!(state(&rig, 1), "sent");
    }
    rig.sender.then(Ok(Reply { status: 200, body: text.into_bytes(), ..Reply::default() }));
    assert_eq!(pass(&mut rig, Mode::On).acknowledged, [1, 2, 3]);
}

#[test]
fn a_poisoned_batch_is_parked_and_the_others_go_on() {
    for status in [400, 413, 422] {
        let mut rig = three();
        rig.sender.then_status(status);
        let done = pass(&mut rig, Mode::On);
        assert_eq!((done.rejected.as_slice(), done.acknowledged.as_slice()), (&[1][..], &[2, 3][..]));
        assert_eq!((codes(&done), state(&rig, 1).as_str()), (vec!["egress.rejected"], "rejected"));
        assert!(pass(&mut rig, Mode::On).acknowledged.is_empty());
    }
}

#[test]
fn a_refusal_waits_and_a_conflict_or_a_farewell_stops_until_a_person_acts() {
    for status in [401, 403] {
        let mut rig = three();
        rig.sender.then_status(status);
        let refused = pass(&mut rig, Mode::On);
        assert_eq!((codes(&refused), refused.acknowledged.len()), (vec!["egress.refused"], 0));
        assert!(refused.retry_in >= Some(Duration::from_secs(3600)));
        assert_eq!(rig.sender.batches().len(), 1);
    }
    for (status, entry, after, goes_on) in [
        (409, &problem::EGRESS_CONFLICT, "rejected", [2, 3].as_slice()),
        (410, &problem::EGRESS_GONE, "sent", &[1, 2, 3]),
    ] {
        let mut rig = three();
        rig.sender.then_status(status);
        let stopped = pass(&mut rig, Mode::On);
        assert!(stopped.problems[0].is(entry));
        assert_eq!((state(&rig, 1).as_str(), stopped.retry_in), (after, None));
        let mut courier = rig.courier();
        assert!(run(courier.pass(&mut rig.outbox, &upstream(Mode::On))).unwrap_err().is(entry));
        assert_eq!(rig.sender.batches().len(), 1);
        rig.outbox.resume().unwrap();
        assert_eq!(pass(&mut rig, Mode::On).acknowledged, goes_on);
    }
}

#[test]
fn the_receiver_may_ask_to_wait_within_reason() {
    let after = |status, value: &str| {
        let mut rig = three();
        let headers = vec![("retry-after".to_owned(), value.to_owned())];
        rig.sender.then(Ok(Reply { status, headers, ..Reply::default() }));
        let busy = pass(&mut rig, Mode::On);
        assert_eq!(codes(&busy), ["egress.busy"]);
        busy.retry_in.unwrap()
    };
    assert_eq!(after(429, "120"), Duration::from_secs(120));
    // The rig's clock stands at the start of Monday, 16 November 2026.
    assert_eq!(after(503, "Mon, 16 Nov 2026 00:05:00 GMT"), Duration::from_secs(300));
    assert_eq!(after(503, "9999999999"), Duration::from_secs(24 * 3600));
    assert!(after(429, "soon") <= Duration::from_secs(5));
}

#[test]
fn the_wait_grows_with_failures_and_not_for_ever() {
    let mut rig = three();
    let mut courier = rig.courier();
    let mut longest = Duration::ZERO;
    for failures in 0..40u32 {
        rig.sender.then(Err(SendFailure::Connect));
        let wait = run(courier.pass(&mut rig.outbox, &upstream(Mode::On))).unwrap().retry_in.unwrap();
        let most = Duration::from_secs((5u64 << failures.min(12)).min(3600));
        assert!((Duration::from_secs(1)..=most).contains(&wait), "{failures}: {wait:?}");
        longest = longest.max(wait);
        rig.clock.advance(wait.as_millis() as i64);
    }
    assert!(longest > Duration::from_secs(1800));
}

#[test]
fn bytes_that_changed_on_disk_are_not_sent() {
    let edits = [
        ("UPDATE outbox SET bytes = replace(bytes, '12', '13')", "egress.guard"), // a batch, but not the one released
        ("UPDATE outbox SET bytes = replace(bytes, 'visa', 'ada@example.com')", "egress.guard"),
        ("UPDATE outbox SET bytes = bytes || ' '", "egress.guard"),
    ];
    for (edit, code) in edits {
        let mut rig = three();
        raw(rig.path())
            .execute_batch(&format!("{edit} WHERE seq = 1; UPDATE outbox SET bytes = CAST(bytes AS BLOB)"))
            .unwrap();
        let mut courier = rig.courier();
        let refused = run(courier.pass(&mut rig.outbox, &upstream(Mode::On))).unwrap_err();
        assert_eq!(refused.code(), code);
        assert!(rig.sender.batches().is_empty());
        assert!(rig.outbox.verify().unwrap_err().is(&problem::EGRESS_DAMAGED));
    }
}

#[test]
fn another_signing_key_needs_a_new_consent() {
    let mut rig = three();
    let other = Arc::new(Ed25519Signer::from_seed(&[1; 32]));
    let mut courier = Courier::new(rig.sender.clone(), other, rig.clock.clone(), Arc::new(SeededEntropy::new(2)));
    let refused = run(courier.pass(&mut rig.outbox, &upstream(Mode::On))).unwrap_err();
    assert!(refused.is(&problem::EGRESS_CONSENT_CHANGED));
    assert!(rig.sender.batches().is_empty());
}

#[test]
fn in_mode_hold_a_batch_waits_a_day_unless_a_person_decides() {
    let mut rig = three();
    for mode in [Mode::Off, Mode::Local] {
        assert!(pass(&mut rig, mode).acknowledged.is_empty());
    }
    let waiting = pass(&mut rig, Mode::Hold);
    assert_eq!((waiting.acknowledged.len(), waiting.retry_in), (0, Some(Duration::from_secs(86_400))));
    let clock = rig.clock.clone();
    rig.outbox.approve(2, &*clock).unwrap();
    rig.outbox.hold(3, &*clock).unwrap();
    assert_eq!(pass(&mut rig, Mode::Hold).acknowledged, [2]);
    rig.clock.advance(DAY_MS);
    assert_eq!(pass(&mut rig, Mode::Hold).acknowledged, [1]);
    assert_eq!(rig.outbox.waiting().unwrap(), (0, 1));
    rig.clock.advance(DAY_MS);
    assert!(pass(&mut rig, Mode::On).acknowledged.is_empty(), "a held batch stays, whatever the mode");
    rig.outbox.approve(3, &*clock).unwrap();
    assert_eq!(pass(&mut rig, Mode::Hold).acknowledged, [3]);
    assert!(rig.outbox.hold(3, &*clock).unwrap_err().is(&problem::EGRESS_STATE));
    assert!(rig.outbox.hold(9, &*clock).unwrap_err().is(&problem::EGRESS_NO_BATCH));
}

#[test]
fn an_enrolment_that_the_receiver_did_not_sign_is_no_consent() {
    let key = Ed25519Signer::from_seed(&[9; 32]);
    let registry = counterfoil::egress::registry::hash();
    let answer = |install: &str, public_key: [u8; 32], registry: [u8; 32], key_shown: [u8; 32]| {
        let signature = base64(&key.sign(&enrolment_message(install, &key_shown, &public_key, &registry)));
        let shown = base64(&key_shown);
        format!(r#"{{"install":"{install}","receiver_key":"{shown}","signature":"{signature}"}}"#)
    };
    let ours = signer().public_key();
    let good = answer("a-1", ours, registry, key.public_key());
    let answers = [
        (201, answer("a-1", [1; 32], registry, key.public_key())),
        (201, answer("a-1", ours, [1; 32], key.public_key())),
        (201, answer("a-1", ours, registry, ours)),
        (201, answer("A/../1", ours, registry, key.public_key())),
        (201, answer("", ours, registry, key.public_key())),
        (201, good.replace("a-1", "a-2")),
        (201, good.replace('}', ",\"more\":true}")),
        (201, "<html></html>".to_owned()),
        (403, good.clone()),
        (302, good.clone()),
    ];
    let mut rig = Rig::unaccepted();
    for (status, body) in answers {
        rig.sender.then(Ok(Reply { status, body: body.clone().into_bytes(), ..Reply::default() }));
        assert!(rig.accept().unwrap_err().is(&problem::EGRESS_ENROLMENT), "{status} {body}");
        assert_eq!(rig.outbox.consent().unwrap(), None);
    }
    rig.sender.then(Ok(Reply { status: 201, body: good.into_bytes(), ..Reply::default() }));
    assert_eq!(rig.accept().unwrap().install, "a-1");
}

/// What a courier with a planted bug does wrong; nothing without it. The bug is planted on this thread.
#[cfg(debug_assertions)]
pub(crate) mod planted {
    use super::*;
    use counterfoil::testpoint::plant;

    /// Somebody answers with success, and without a receipt.
    pub(crate) fn a_success_without_a_receipt(bug: Option<&'static str>) -> Vec<String> {
        let mut rig = three();
        rig.sender.then_status(200);
        plant(bug);
        let done = pass(&mut rig, Mode::On);
        plant(None);
        done.acknowledged.iter().map(|seq| format!("batch {seq} counts as received")).take(1).collect()
    }

    /// The receiver will never take the first batch.
    pub(crate) fn a_batch_that_is_refused(bug: Option<&'static str>) -> Vec<String> {
        let mut rig = three();
        (0..3).for_each(|_| rig.sender.then_status(400));
        plant(bug);
        let done: Vec<i64> = (0..3).flat_map(|_| pass(&mut rig, Mode::On).rejected).collect();
        plant(None);
        if done == [1, 2, 3] { Vec::new() } else { vec![format!("the others wait for it: {done:?}")] }
    }

    /// The receiver has other bytes under the first number.
    pub(crate) fn a_conflict(bug: Option<&'static str>) -> Vec<String> {
        let mut rig = three();
        rig.sender.then_status(409);
        plant(bug);
        pass(&mut rig, Mode::On);
        plant(None);
        rig.sender.batches().iter().skip(1).map(|request| format!("{} was sent after it", request.url())).collect()
    }

    /// Somebody puts other bytes, well-formed ones, in the place of a batch's.
    #[allow(clippy::disallowed_methods)] // from outside, as nobody should
    pub(crate) fn bytes_that_were_changed(bug: Option<&'static str>) -> Vec<String> {
        let mut rig = three();
        let db = rusqlite::Connection::open(rig.folder.path().join("egress.db")).unwrap();
        let sql = "UPDATE outbox SET bytes = (SELECT bytes FROM outbox WHERE seq = 2) WHERE seq = 1";
        assert_eq!(db.execute(sql, []).unwrap(), 1);
        plant(bug);
        let mut courier = rig.courier();
        drop(run(courier.pass(&mut rig.outbox, &upstream(Mode::On))));
        plant(None);
        rig.sender.batches().iter().map(|request| format!("{} was sent", request.url())).take(1).collect()
    }

    /// Between two tries of a batch its day gets another event, which is for a later batch.
    pub(crate) fn an_event_between_two_tries(bug: Option<&'static str>) -> Vec<String> {
        let mut rig = Rig::accepted();
        let mut attempts: Vec<Attempt> = (0..12).map(|n| attempt(n, monday(), n)).collect();
        let until = due(monday());
        rig.release(&store(&attempts), until).unwrap();
        rig.sender.then(Err(SendFailure::Cut));
        plant(bug);
        pass(&mut rig, Mode::On);
        attempts.push(attempt(12, monday(), 12));
        rig.release(&store(&attempts), until).unwrap();
        pass(&mut rig, Mode::On);
        plant(None);
        let sent = rig.sender.batches();
        let other = |request: &&counterfoil::egress::OutboundRequest| request.body() != sent[0].body();
        sent.iter().filter(other).map(|_| "other bytes under one number".to_owned()).collect()
    }

    /// A first try whose outcome is unknown, and a second.
    pub(crate) fn a_second_try(bug: Option<&'static str>) -> Vec<String> {
        let mut rig = three();
        rig.sender.then(Err(SendFailure::Cut));
        rig.sender.then(Err(SendFailure::Cut));
        plant(bug);
        let mut courier = rig.courier();
        for _ in 0..2 {
            run(courier.pass(&mut rig.outbox, &upstream(Mode::On))).unwrap();
            rig.clock.advance(DAY_MS);
        }
        plant(None);
        let sent = rig.sender.batches();
        sent.iter().filter(|request| request.url() != sent[0].url()).map(|_| "another number".to_owned()).collect()
    }
}
