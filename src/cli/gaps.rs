//! `gaps`: the time that was not walked whole, the time of which it was not heard what changed, and why; and the streams of
//! which that can never be stated.

use serde_json::{Value, json};

use super::status::{One, all};
use super::{Context, table};
use crate::problem::{Exit, Result};
use crate::sync::Stretch;

/// Time that was not walked whole, and time whose changes were not heard.
#[derive(clap::Args)]
pub(super) struct Args {}

/// A stretch that a horizon of a stream does not reach over.
struct Gap {
    connection: String,
    stream: String,
    horizon: &'static str,
    stretch: Stretch,
}

pub(super) fn run(context: &Context, _: &Args) -> Result<Exit> {
    let reader = context.reader()?;
    let config = context.config()?;
    let (mut gaps, mut unread, mut never) = (Vec::new(), Vec::new(), Vec::new());
    for One { connection, stream, known, .. } in all(&reader, &config)? {
        let name = format!("{connection}/{stream}");
        if known.never_changed {
            never.push(name.clone());
        }
        if known.horizon.listed_to.is_none() {
            unread.push(name);
        }
        for (horizon, stretches) in [("listed", known.missing), ("changed", known.unheard)] {
            let gap = |stretch| Gap { connection: connection.clone(), stream: stream.clone(), horizon, stretch };
            gaps.extend(stretches.into_iter().map(gap));
        }
    }
    let facts: Vec<Value> = gaps.iter().map(Gap::fact).collect();
    context.out.facts("gaps", json!({"gaps": facts, "not_read_yet": unread, "never_changed": never}));
    if gaps.is_empty() && unread.is_empty() {
        context.out.line(
            "No gaps: every stream was walked whole and its changes heard up to its own horizons, which `counterfoil status` shows.",
        );
    }
    for (what, streams) in [("Not read yet", unread), ("Changes can never be stated", never)] {
        if !streams.is_empty() {
            context.out.line(format!("{what}: {}", streams.join(", ")));
        }
    }
    if gaps.is_empty() {
        return Ok(Exit::Fine);
    }
    let rows: Vec<Vec<String>> = gaps.into_iter().map(Gap::row).collect();
    context.out.line(table::aligned(&["connection", "stream", "horizon", "from", "to", "why"], &rows));
    Ok(Exit::Problem)
}

impl Gap {
    fn fact(&self) -> Value {
        let (from, to, reason) = self.stretch;
        json!({"connection": self.connection, "stream": self.stream, "horizon": self.horizon, "from_at": from, "to_at": to, "reason": reason})
    }

    fn row(self) -> Vec<String> {
        let (from, to, reason) = self.stretch;
        let (from, to) = (table::moment(from), table::moment(to));
        vec![self.connection, self.stream, self.horizon.to_owned(), from, to, reason.to_owned()]
    }
}
