//! The command line's end of the control socket: asks, hands on what is told, and returns the answer.

use std::io::{self, ErrorKind};
use std::path::Path;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use zeroize::Zeroizing;

use super::{ANSWER_LIMIT, REQUEST_LIMIT, Told, told};
use crate::problem::{AGENT_ANSWER, AGENT_GONE, AGENT_REFUSED, AGENT_REQUEST, AGENT_SOCKET, Result};

/// A conversation with the running agent.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Speaks to the agent that listens at `path`; `None` when none does.
    pub async fn connect(path: &Path) -> Result<Option<Self>> {
        match UnixStream::connect(path).await {
            Ok(stream) => Ok(Some(Self { stream: BufReader::new(stream) })),
            Err(error) => match error.kind() {
                // No file; or one that an agent left behind when it was killed.
                ErrorKind::NotFound | ErrorKind::ConnectionRefused => Ok(None),
                ErrorKind::PermissionDenied => Err(AGENT_REFUSED.with(path.display())),
                kind => Err(AGENT_SOCKET.with(format_args!("{} ({kind})", path.display()))),
            },
        }
    }

    /// Asks one thing; `on_event` is given what is told until the answer comes.
    pub async fn ask(&mut self, request: &Value, mut on_event: impl FnMut(Value)) -> Result<Value> {
        let line = line(request)?;
        // An agent that refuses says so and hangs up without reading: what it said is read even if writing failed.
        let sent = self.stream.write_all(&line).await;
        let mut line = Vec::new();
        loop {
            line.clear();
            let mut limited = (&mut self.stream).take(ANSWER_LIMIT as u64);
            limited.read_until(b'\n', &mut line).await.map_err(gone)?;
            if line.last() != Some(&b'\n') {
                return Err(match (&sent, line.len()) {
                    (_, ANSWER_LIMIT) => AGENT_ANSWER.with(format_args!("longer than {ANSWER_LIMIT} bytes")),
                    (Err(error), _) => AGENT_GONE.with(error.kind()),
                    (Ok(()), _) => AGENT_GONE.plain(),
                });
            }
            match told(&line)? {
                Told::Event(event) => on_event(event),
                Told::Outcome(outcome) => return outcome,
            }
        }
    }
}

fn gone(error: io::Error) -> crate::problem::Problem {
    AGENT_GONE.with(error.kind())
}

/// The request as a line, in a buffer that never moves and is wiped: there may be a key in it.
fn line(request: &Value) -> Result<Zeroizing<Vec<u8>>> {
    let mut room = Zeroizing::new(vec![0; REQUEST_LIMIT]);
    let mut rest = room.as_mut_slice();
    let too_long = || AGENT_REQUEST.with(format_args!("longer than {REQUEST_LIMIT} bytes"));
    serde_json::to_writer(&mut rest, request).map_err(|_| too_long())?;
    *rest.first_mut().ok_or_else(too_long)? = b'\n';
    let length = REQUEST_LIMIT - rest.len() + 1;
    room.truncate(length);
    Ok(room)
}
