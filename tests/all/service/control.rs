//! The control socket: round trips, refusals, limits, and that nothing of a request is ever said.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use counterfoil::agent::control::{CONVERSATIONS, Client, Events, GRACE, Handler, IDLE, Peer, REQUEST_LIMIT, Server};
use counterfoil::clock::{BoxFuture, Clock, SystemClock};
use counterfoil::config::Level;
use counterfoil::problem::{
    AGENT_BUSY, AGENT_GONE, AGENT_REFUSED, AGENT_REQUEST, AGENT_RUNNING, AGENT_SLOW, AGENT_SOCKET, Result, STORE_FULL,
};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Does what the tests ask: answers, tells, fails, or never ends.
struct Echo;

impl Handler for Echo {
    fn handle<'a>(&'a self, request: Value, peer: Peer, events: Events) -> BoxFuture<'a, Result<Value>> {
        Box::pin(async move {
            assert_eq!(peer.uid, own_uid());
            for step in 0..request["events"].as_u64().unwrap_or(0) {
                events.send(json!({ "step": step }));
                tokio::task::yield_now().await;
            }
            match request["do"].as_str() {
                Some("fail") => Err(STORE_FULL.with("in our own words")),
                Some("hang") => std::future::pending().await,
                Some("keep") => {
                    // Left with somebody who never lets go: the answer must not wait for it.
                    std::mem::forget(events);
                    Ok(json!("kept"))
                }
                _ => Ok(request),
            }
        })
    }
}

fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

struct Agent {
    folder: tempfile::TempDir,
    clock: SystemClock,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Agent {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = SystemClock::new();
        let server = Server::bind(&folder.path().join("s"), Arc::new(Echo), Arc::new(clock.clone())).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(server.serve(async {
            stopped.await.ok();
        }));
        Self { folder, clock, stop, task }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("s")
    }

    async fn client(&self) -> Client {
        Client::connect(&self.socket()).await.unwrap().unwrap()
    }

    /// Sends these bytes, and what comes back until the agent hangs up.
    async fn raw(&self, bytes: &[u8]) -> String {
        let (path, bytes) = (self.socket(), bytes.to_vec());
        blocking(move || {
            let mut stream = UnixStream::connect(path).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            drop(stream.write_all(&bytes));
            drop(stream.shutdown(std::net::Shutdown::Write));
            let mut answer = Vec::new();
            drop(stream.read_to_end(&mut answer));
            String::from_utf8(answer).unwrap()
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    bounded(tokio::task::spawn_blocking(work)).await.unwrap()
}

/// The result, if it comes in bounded time.
async fn bounded<T>(work: impl Future<Output = T>) -> T {
    tokio::select! {
        result = work => result,
        () = SystemClock::new().sleep(Duration::from_secs(20)) => panic!("it takes too long"),
    }
}

async fn ask(client: &mut Client, request: Value) -> (Result<Value>, Vec<Value>) {
    let mut events = Vec::new();
    let answer = bounded(client.ask(&request, |event| events.push(event))).await;
    (answer, events)
}

#[tokio::test]
async fn questions_events_and_answers() {
    let agent = Agent::start();
    assert_eq!(fs::metadata(agent.socket()).unwrap().permissions().mode() & 0o777, 0o660);
    let mut client = agent.client().await;
    let request = json!({ "events": 3, "x": "ä\n\"" });
    let (answer, events) = ask(&mut client, request.clone()).await;
    assert_eq!(answer.unwrap(), request);
    assert_eq!(events, [json!({ "step": 0 }), json!({ "step": 1 }), json!({ "step": 2 })]);

    // The same conversation goes on after a problem, which is the same problem here.
    let (answer, _) = ask(&mut client, json!({ "do": "fail" })).await;
    let problem = answer.unwrap_err();
    assert!(problem.is(&STORE_FULL));
    assert_eq!(problem.detail(), "in our own words");
    assert_eq!(ask(&mut client, json!({ "do": "keep" })).await.0.unwrap(), "kept");
    assert_eq!(ask(&mut client, Value::Null).await.0.unwrap(), Value::Null);

    // On the wire: one line each, in the form that was agreed.
    let lines = agent.raw(b"{\"events\":1}\n{\"do\":\"fail\"}\n").await;
    let expected = [
        r#"{"event":{"step":0}}"#,
        r#"{"ok":{"events":1}}"#,
        r#"{"problem":{"code":"store.full","detail":"in our own words"}}"#,
    ];
    assert_eq!(lines.lines().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn more_events_than_a_client_takes_hold_up_nothing() {
    let agent = Agent::start();
    let (answer, events) = ask(&mut agent.client().await, json!({ "events": 20_000 })).await;
    assert_eq!(answer.unwrap()["events"], 20_000);
    assert!(!events.is_empty());
}

#[tokio::test]
async fn nobody_there_is_no_problem() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    assert!(Client::connect(&path).await.unwrap().is_none(), "no file");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    assert!(Client::connect(&path).await.unwrap().is_none(), "left behind by a killed agent");
    fs::write(folder.path().join("file"), "").unwrap();
    assert!(Client::connect(&folder.path().join("file")).await.unwrap().is_none(), "nothing that listens");
}

#[tokio::test]
async fn a_socket_left_behind_is_replaced_and_an_agent_is_not() {
    let agent = Agent::start();
    let bind = |path: &Path| Server::bind(path, Arc::new(Echo), Arc::new(SystemClock::new()));
    let refused = bind(&agent.socket()).err().unwrap();
    assert!(refused.is(&AGENT_RUNNING), "{refused:?}");
    assert_eq!(ask(&mut agent.client().await, json!(1)).await.0.unwrap(), 1, "the first one still answers");

    let stale = agent.folder.path().join("stale");
    drop(UnixListener::bind(&stale).unwrap());
    let server = bind(&stale).unwrap();
    assert!(Client::connect(&stale).await.unwrap().is_some());
    drop(server);
    assert!(!stale.exists(), "an agent that ends takes its socket away");

    let file = agent.folder.path().join("file");
    fs::write(&file, "precious").unwrap();
    assert!(bind(&file).err().unwrap().is(&AGENT_SOCKET));
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    let long = agent.folder.path().join("long".repeat(30));
    assert!(bind(&long).err().unwrap().is(&AGENT_SOCKET));
}

#[tokio::test]
async fn a_socket_in_whose_place_another_stands_is_not_taken_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let server = Server::bind(&path, Arc::new(Echo), Arc::new(SystemClock::new())).unwrap();
    fs::remove_file(&path).unwrap();
    let other = UnixListener::bind(&path).unwrap();
    drop(server);
    assert!(path.exists());
    drop(other);
}

#[test]
fn root_and_the_agents_own_account_may_command_and_nobody_else() {
    let may = |uid, own| Peer { uid, pid: None }.may_command(own);
    assert!(may(0, 990) && may(990, 990) && may(0, 0));
    assert!(!may(991, 990) && !may(990, 0) && !may(u32::MAX, 990));
}

/// With a real second user, where there can be one.
#[tokio::test]
async fn another_user_is_refused_before_anything_is_read() {
    use std::os::unix::process::CommandExt;
    if own_uid() != 0 {
        return crate::skip::skipped("only root can become another user");
    }
    let agent = Agent::start();
    for path in [agent.folder.path(), &agent.socket()] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    // The request never ends, so that an answer shows that it was not waited for.
    let talk = "use IO::Socket::UNIX; $SIG{PIPE} = 'IGNORE'; my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die; \
                $s->print('{'); print scalar <$s>; print defined(<$s>) ? 'more' : 'end'";
    let mut command = Command::new("perl");
    command.args(["-e", talk]).arg(agent.socket()).uid(65534).gid(65534);
    let Ok(spoken) = blocking(move || command.output()).await else {
        return crate::skip::skipped("no perl to speak as another user");
    };
    let refusal = r#"{"problem":{"code":"agent.refused","detail":"user 65534"}}"#;
    assert_eq!(String::from_utf8(spoken.stdout).unwrap(), format!("{refusal}\nend"));
    assert_eq!(ask(&mut agent.client().await, json!(2)).await.0.unwrap(), 2);
}

/// The agent refuses by answering and hanging up; a client that was still writing learns the reason all the same.
#[tokio::test]
async fn a_client_reads_why_it_was_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let mut client = Client::connect(&path).await.unwrap().unwrap();
    blocking(move || {
        let mut stream = listener.accept().unwrap().0;
        stream.write_all(b"{\"problem\":{\"code\":\"agent.refused\",\"detail\":\"user 7\"}}\n").unwrap();
    })
    .await;
    let problem = ask(&mut client, json!("x".repeat(REQUEST_LIMIT - 100))).await.0.unwrap_err();
    assert!(problem.is(&AGENT_REFUSED) && problem.detail() == "user 7", "{problem:?}");
}

#[tokio::test]
async fn requests_have_a_limit_on_both_sides() {
    let agent = Agent::start();
    // Quotes and the end of the line count.
    let longest = json!("x".repeat(REQUEST_LIMIT - 3));
    assert_eq!(ask(&mut agent.client().await, longest.clone()).await.0.unwrap(), longest);
    let problem = ask(&mut agent.client().await, json!("x".repeat(REQUEST_LIMIT - 2))).await.0.unwrap_err();
    assert!(problem.is(&AGENT_REQUEST), "{problem:?}");

    let refusal = |detail: &str| format!("{{\"problem\":{{\"code\":\"agent.request\",\"detail\":\"{detail}\"}}}}\n");
    assert_eq!(agent.raw(&vec![b'['; REQUEST_LIMIT]).await, refusal("longer than 65536 bytes"));
    assert_eq!(agent.raw(b"{nonsense}\n1\n").await, refusal("it is not JSON"), "and hangs up");
    assert_eq!(agent.raw(b"{\"cut\":").await, "", "half a request is none");
}

#[tokio::test]
async fn only_so_many_conversations_at_a_time() {
    let agent = Agent::start();
    let mut clients = Vec::new();
    for _ in 0..CONVERSATIONS {
        let mut client = agent.client().await;
        assert_eq!(ask(&mut client, json!(0)).await.0.unwrap(), 0);
        clients.push(client);
    }
    let problem = ask(&mut agent.client().await, json!(1)).await.0.unwrap_err();
    assert!(problem.is(&AGENT_BUSY), "{problem:?}");
    assert_eq!(ask(&mut clients[0], json!(2)).await.0.unwrap(), 2, "those that are held go on");
    drop(clients.pop());
    // Once the agent has seen that one has gone, there is room.
    let mut tries = 0;
    while let Err(problem) = ask(&mut agent.client().await, json!(3)).await.0 {
        assert!(problem.is(&AGENT_BUSY) && tries < 10_000, "{problem:?}");
        tries += 1;
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn silence_and_half_a_request_end_after_a_while() {
    let agent = Agent::start();
    let mut silent = agent.client().await;
    assert_eq!(ask(&mut silent, json!(0)).await.0.unwrap(), 0);
    let path = agent.socket();
    let mut half = blocking(move || {
        let mut stream = UnixStream::connect(path).unwrap();
        stream.write_all(b"1\n{\"half\":").unwrap();
        let mut first = [0; 9];
        stream.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"{\"ok\":1}\n");
        stream
    })
    .await;
    agent.clock.advance(IDLE);
    let said = blocking(move || {
        let mut said = String::new();
        half.read_to_string(&mut said).unwrap();
        said
    })
    .await;
    assert_eq!(said, format!("{{\"problem\":{{\"code\":\"{}\",\"detail\":\"\"}}}}\n", AGENT_SLOW.code));
    assert!(ask(&mut silent, json!(1)).await.0.unwrap_err().is(&AGENT_GONE));
}

#[tokio::test]
async fn a_stop_gives_what_is_under_way_a_little_time() {
    let agent = Agent::start();
    let mut hanging = agent.client().await;
    let asked = tokio::spawn(async move { hanging.ask(&json!({ "do": "hang", "events": 1 }), |_| ()).await });
    // One round trip: the hanging request has been read before.
    assert_eq!(ask(&mut agent.client().await, json!(0)).await.0.unwrap(), 0);
    let Agent { folder, clock, stop, task } = agent;
    stop.send(()).unwrap();
    while folder.path().join("s").exists() {
        tokio::task::yield_now().await;
    }
    assert!(Client::connect(&folder.path().join("s")).await.unwrap().is_none(), "nobody new is heard");
    assert!(!task.is_finished());
    clock.advance(GRACE);
    bounded(task).await.unwrap();
    assert!(bounded(asked).await.unwrap().unwrap_err().is(&AGENT_GONE));
}

#[tokio::test]
async fn nothing_of_a_request_is_ever_said() {
    const CANARY: &str = "canary-of-a-request";
    let folder = tempfile::tempdir().unwrap();
    let (logs, here) = super::logs::log(folder.path(), Level::Trace);
    let agent = Agent::start();
    let mut client = agent.client().await;
    let mut heard = String::new();
    for request in [json!({ "do": "fail", "secret": CANARY }), json!({ "do": "keep", "secret": CANARY })] {
        heard += &format!("{:?}", ask(&mut client, request).await);
    }
    let long = CANARY.repeat(REQUEST_LIMIT / CANARY.len() + 1);
    heard += &format!("{:?}", ask(&mut agent.client().await, json!(long)).await);
    heard += &agent.raw(long.as_bytes()).await;
    heard += &agent.raw(format!("{{\"secret\":\"{CANARY}\n").as_bytes()).await;
    heard += &agent.raw(format!("{CANARY}\n").as_bytes()).await;
    heard += &agent.raw(CANARY.as_bytes()).await;
    drop((here, logs));
    let said = super::logs::read(folder.path());
    assert_eq!(said.matches("agent.request").count(), 3, "{said}");
    assert_eq!((said.contains(CANARY), heard.contains(CANARY)), (false, false), "{said}{heard}");
}
