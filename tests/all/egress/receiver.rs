//! The reference receiver over HTTP on loopback: enrolment, verification, receipts, faults.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use counterfoil::egress::sign::{Target, signed_headers};
use counterfoil::egress::{Courier, EnrolmentCode, Mode, Outbox, Pass, ReceiverUrl, Upstream, accept, sign};
use counterfoil::entropy::SeededEntropy;
use counterfoil::problem;
use counterfoil::sandbox::receiver::{Fault, Receiver, ReceiverOptions};

use super::support::{OverHttp, STORE, TestClock, attempt, due, monday, raw, run, signer, store};

struct House {
    folder: tempfile::TempDir,
    receiver: Receiver,
    outbox: Outbox,
    clock: Arc<TestClock>,
}

fn start(folder: &tempfile::TempDir, clock: &Arc<TestClock>) -> Receiver {
    Receiver::start(ReceiverOptions {
        db: folder.path().join("receiver.db"),
        addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        clock: clock.clone(),
        entropy: Arc::new(SeededEntropy::new(5)),
        seed: None,
    })
    .unwrap()
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = TestClock::at(monday().start_ms());
        let receiver = start(&folder, &clock);
        let outbox = Outbox::open(&folder.path().join("egress.db"), STORE, None, &SeededEntropy::new(1)).unwrap();
        Self { folder, receiver, outbox, clock }
    }

    fn url(&self) -> ReceiverUrl {
        ReceiverUrl::parse(&self.receiver.url()).unwrap()
    }

    fn accept(&mut self, code: &str) -> problem::Result<counterfoil::egress::Consent> {
        let (url, code) = (self.url(), EnrolmentCode::parse(code).unwrap());
        run(accept(&mut self.outbox, &url, &code, &OverHttp, &signer(), &*self.clock))
    }

    /// Consent, and two released days.
    fn released() -> Self {
        let mut house = Self::new();
        let code = house.receiver.issue_code().unwrap();
        house.accept(&code).unwrap();
        let attempts: Vec<_> = (0..12).map(|n| attempt(n, monday(), n)).collect();
        let upstream = Upstream { url: house.url(), mode: Mode::On };
        let seqs = house.outbox.release(&store(&attempts), &upstream, due(monday().next()), &*house.clock).unwrap();
        assert_eq!(seqs, [1, 2]);
        house
    }

    fn pass(&mut self) -> Pass {
        let upstream = Upstream { url: self.url(), mode: Mode::On };
        let entropy = Arc::new(SeededEntropy::new(2));
        let mut courier = Courier::new(Arc::new(OverHttp), Arc::new(signer()), self.clock.clone(), entropy);
        run(courier.pass(&mut self.outbox, &upstream)).unwrap()
    }
}

#[test]
fn a_code_enrols_once_and_pins_the_receivers_key() {
    let mut house = House::new();
    assert!(house.accept("AAAA-AAAA").unwrap_err().is(&problem::EGRESS_ENROLMENT));
    assert_eq!(house.outbox.consent().unwrap(), None);
    let code = house.receiver.issue_code().unwrap();
    let consent = house.accept(&code).unwrap();
    assert_eq!(consent.receiver_key, house.receiver.public_key());
    assert_eq!(consent.accepted_at, monday().start_ms());
    // The same key may ask again (its answer was lost); another key may not.
    assert_eq!(house.accept(&code).unwrap().install, consent.install);
    let (url, parsed) = (house.url(), EnrolmentCode::parse(&code).unwrap());
    let other = sign::Ed25519Signer::from_seed(&[3; 32]);
    let refused = run(accept(&mut house.outbox, &url, &parsed, &OverHttp, &other, &*house.clock)).unwrap_err();
    assert_eq!(refused.detail(), "status 403");
}

#[test]
fn batches_arrive_byte_for_byte_and_as_cells() {
    let mut house = House::released();
    assert_eq!(house.pass().acknowledged, [1, 2]);
    let held = house.receiver.batches().unwrap();
    assert_eq!(held.iter().map(|batch| batch.period.as_str()).collect::<Vec<_>>(), ["2026-11-16", "2026-11-17"]);
    for batch in &held {
        assert_eq!(batch.bytes, house.outbox.show(batch.seq).unwrap().bytes);
    }
    let file = raw(house.folder.path().join("receiver.db"));
    let cell = file.query_row("SELECT outcome, provider, scheme, funding, count FROM cells", [], |row| {
        let text = |column| row.get::<_, String>(column);
        Ok((text(0)?, text(1)?, text(2)?, text(3)?, row.get::<_, i64>(4)?))
    });
    assert_eq!(cell.unwrap(), ("captured".into(), "stripe".into(), "visa".into(), "credit".into(), 12));
}

#[test]
fn through_faults_everything_arrives_once() {
    let mut house = House::released();
    let faults = [Fault::DropAnswer, Fault::Busy(7), Fault::Status(500), Fault::ForgedReceipt, Fault::Redirect];
    house.receiver.misbehave(&faults);
    let mut seen = Vec::new();
    for _ in faults {
        seen.extend(house.pass().problems.iter().map(problem::Problem::code));
    }
    assert_eq!(seen, ["egress.unreachable", "egress.busy", "egress.answer", "egress.receipt", "egress.answer"]);
    assert_eq!(house.pass().acknowledged, [1, 2]);
    let puts: Vec<_> = house.receiver.requests().into_iter().filter(|r| r.method == "PUT").collect();
    assert_eq!(puts.len(), 7);
    assert!(puts[..6].iter().all(|request| *request == puts[0]));
    assert_eq!(house.receiver.batches().unwrap().len(), 2);
}

#[test]
fn a_copied_outbox_meets_a_conflict() {
    let mut house = House::released();
    house.pass();
    // The copy forgets what it sent and what it numbered, and starts again with other events.
    let file = raw(house.folder.path().join("egress.db"));
    file.execute_batch("DELETE FROM released; DELETE FROM cells; DELETE FROM log; DELETE FROM outbox").unwrap();
    let attempts: Vec<_> = (0..13).map(|n| attempt(n, monday(), n)).collect();
    let upstream = Upstream { url: house.url(), mode: Mode::On };
    house.outbox.release(&store(&attempts), &upstream, due(monday()), &*house.clock).unwrap();
    let stopped = house.pass();
    assert!(stopped.problems[0].is(&problem::EGRESS_CONFLICT));
    assert_eq!(stopped.rejected, [1]);
    // Another number for a period that is held is a conflict too.
    file.execute_batch("UPDATE outbox SET state = 'pending'; PRAGMA foreign_keys = off; UPDATE outbox SET seq = 9")
        .unwrap();
    house.outbox.resume().unwrap();
    assert!(house.pass().problems[0].is(&problem::EGRESS_CONFLICT));
}

#[test]
fn what_is_not_signed_or_not_canonical_is_not_stored() {
    let mut house = House::released();
    let consent = house.outbox.consent().unwrap().unwrap();
    let good = house.outbox.show(1).unwrap().bytes;
    let path = |install: &str, seq: &str| format!("/v1/installs/{install}/batches/{seq}");
    let url = house.url();
    let send = |path: &str, body: &[u8], key: &[u8; 32], tamper: bool| {
        let target = Target { method: "PUT", authority: url.authority(), path };
        let mut headers = signed_headers(&sign::Ed25519Signer::from_seed(key), target, body, 1);
        if tamper {
            headers[2].1 = headers[2].1.replace("created=1", "created=2");
        }
        status(url.authority(), path, &headers, body)
    };
    let (install, ours) = (consent.install.as_str(), [7; 32]);
    let late = String::from_utf8(good.clone()).unwrap().replace("12", "9").into_bytes();
    assert_eq!(send(&path(install, "1"), &good, &[3; 32], false), 400);
    assert_eq!(send(&path(install, "1"), &good, &ours, true), 400);
    assert_eq!(send(&path(install, "01"), &good, &ours, false), 400);
    assert_eq!(send(&path("nobody", "1"), &good, &ours, false), 401);
    assert_eq!(send(&path(install, "1"), &late, &ours, false), 422);
    assert_eq!(send(&path(install, "1"), b"{}", &ours, false), 422);
    assert_eq!(send(&path(install, "1"), &vec![b' '; 70_000], &ours, false), 413);
    assert_eq!(send("/v1/elsewhere", &good, &ours, false), 404);
    assert!(house.receiver.batches().unwrap().is_empty());
    assert_eq!(send(&path(install, "1"), &good, &ours, false), 201);
    assert_eq!(send(&path(install, "1"), &good, &ours, false), 200);
    assert_eq!(house.pass().acknowledged, [1, 2]);
}

#[test]
fn its_key_and_its_batches_outlive_it() {
    let mut house = House::released();
    assert_eq!(house.pass().acknowledged, [1, 2]);
    let key = house.receiver.public_key();
    let old = std::mem::replace(&mut house.receiver, start(&tempfile::tempdir().unwrap(), &house.clock));
    old.stop();
    let again = start(&house.folder, &house.clock);
    assert_eq!((again.public_key(), again.batches().unwrap().len()), (key, 2));
    let foreign = house.folder.path().join("egress.db");
    let options = ReceiverOptions {
        db: foreign,
        addr: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        clock: house.clock.clone(),
        entropy: Arc::new(SeededEntropy::new(5)),
        seed: None,
    };
    assert!(Receiver::start(options).err().unwrap().is(&problem::RECEIVER_FILE));
}

/// The status of a hand-made PUT.
fn status(authority: &str, path: &str, headers: &[(&str, String)], body: &[u8]) -> u16 {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(authority).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
    let mut request = format!("PUT {path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n");
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    stream.write_all(request.as_bytes()).unwrap();
    // A body that is refused for its length need not be read whole.
    _ = stream.write_all(body);
    let mut answer = Vec::new();
    _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap().parse().unwrap()
}
