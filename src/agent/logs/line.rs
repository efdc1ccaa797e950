//! How a line of the log looks.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

use crate::clock::Clock;

/// What stands in front of the words.
pub(super) enum Look {
    /// `<4>`, the priority as the journal reads it (sd-daemon(3)); it notes the time itself.
    Journal,
    /// Time in UTC and level.
    Plain(Arc<dyn Clock>),
}

/// `2026-11-20T13:25:18.123Z WARN http: words name=value`.
pub(super) struct Words(pub(super) Look);

impl<S, N> FormatEvent<S, N> for Words
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let level = *event.metadata().level();
        match &self.0 {
            Look::Journal => write!(out, "<{}>", priority(level))?,
            Look::Plain(clock) => {
                let now = Timestamp::from_millisecond(clock.wall_ms()).unwrap_or_default();
                write!(out, "{now:.3} {level:5} ")?;
            }
        }
        let target = event.metadata().target();
        write!(out, "{}: ", target.strip_prefix("counterfoil::").unwrap_or(target))?;
        context.field_format().format_fields(out.by_ref(), event)?;
        writeln!(out)
    }
}

/// The priorities of syslog(3), one for each level.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}
