//! A server that writes exactly the bytes it is told to, for answers no honest server library would give.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the server does after its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// Closes in good order.
    Close,
    /// Leaves a part of the request unread, so that closing resets the connection.
    Reset,
    /// Sends nothing more and keeps the connection until the client leaves.
    Stall,
    /// Waits for the next request on the same connection.
    Next,
}

/// One scripted answer.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) bytes: Vec<u8>,
    pub(crate) then: Then,
}

/// Answers `/N…` with script N. Threads end with their connections, the last with the process.
pub(crate) struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) fn start(scripts: Vec<Script>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (scripts, log) = (Arc::new(scripts), seen.clone());
        std::thread::spawn(move || {
            for (connection, stream) in listener.incoming().enumerate() {
                let (scripts, log) = (scripts.clone(), log.clone());
                std::thread::spawn(move || drop(serve(connection, stream.unwrap(), &scripts, &log)));
            }
        });
        Self { address, seen }
    }

    pub(crate) fn url(&self, script: usize) -> String {
        format!("http://{}/{script}?q={}", self.address, super::CANARY)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests so far: `connection number`, a space, and the request's head.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn serve(
    connection: usize,
    mut stream: TcpStream,
    scripts: &[Script],
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.set_nodelay(true)?;
    loop {
        let head = read_head(&mut stream)?;
        let script = &scripts[script_number(&head)];
        log.lock().unwrap().push(format!("{connection} {head}"));
        stream.write_all(&script.bytes)?;
        match script.then {
            Then::Next => {}
            Then::Close | Then::Reset => return Ok(()),
            Then::Stall => {
                while stream.read(&mut [0; 64])? > 0 {}
                return Ok(());
            }
        }
    }
}

/// Reads byte by byte, so that what follows the head stays in the socket (and closing then resets).
fn read_head(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// The N of `GET /N?…`, also when the request goes through a proxy (`GET http://host/N?…`).
fn script_number(head: &str) -> usize {
    let target = head.split(' ').nth(1).unwrap();
    let path = target.split("://").nth(1).map_or(target, |rest| &rest[rest.find('/').unwrap()..]);
    path[1..].split('?').next().unwrap().parse().unwrap()
}
