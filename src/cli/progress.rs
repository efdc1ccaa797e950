//! Progress on a terminal: rows, rate, honest time left. Silent in a pipe.

use serde_json::Value;

use super::{Out, table};

/// One line about how far a pass is.
pub(super) fn show(out: &Out, event: &Value) {
    let rows = event["rows"].as_i64().unwrap_or(0);
    let elapsed = event["elapsed_ms"].as_u64().unwrap_or(0).max(1);
    let rate = rows.saturating_mul(1000) / i64::try_from(elapsed).unwrap_or(i64::MAX);
    let left = match event["left_s"].as_u64() {
        Some(seconds) => format!("about {} left", span(seconds)),
        None => "time left not known yet".to_owned(),
    };
    out.progress(&format!("{} rows  {} rows/s  {left}", table::count(rows), table::count(rate)));
}

/// A span of time in words.
pub(super) fn span(seconds: u64) -> String {
    match seconds {
        0..90 => format!("{seconds} s"),
        90..5400 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}
