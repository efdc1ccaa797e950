//! Fault switches: which answers go wrong, and how, as data. The server asks for the fault of each request.

use serde::Deserialize;

/// Which provider a listener plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FaceName {
    /// Stripe.
    Stripe,
    /// Checkout.com.
    CheckoutCom,
}

/// One switch. Requests are counted for each switch from the moment it is set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Only requests to this face; all when absent.
    #[serde(default)]
    pub face: Option<FaceName>,
    /// Only requests whose path begins so.
    #[serde(default)]
    pub path: String,
    /// Only the n-th such request (from 1).
    #[serde(default)]
    pub nth: Option<u64>,
    /// Only every n-th such request. With neither, all of them.
    #[serde(default)]
    pub every: Option<u64>,
    /// What goes wrong.
    pub kind: FaultKind,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// This status with the provider's error body; a 429 can carry `Retry-After` (seconds) and Stripe's reason.
    Status {
        /// HTTP status.
        code: u16,
        /// Seconds.
        #[serde(default)]
        retry_after: Option<u32>,
        /// Value of `Stripe-Rate-Limited-Reason`, such as `endpoint-rate`.
        #[serde(default)]
        reason: Option<String>,
    },
    /// 200 with an HTML page, as captive portals answer.
    Html,
    /// Half of the announced body, then the connection ends.
    Cut,
    /// Half of the body, announced as if that were all.
    Short,
    /// The right body as `text/plain`.
    ContentType,
    /// The right answer, this much later.
    Slow {
        /// Milliseconds.
        ms: u64,
    },
    /// The first page again: cursors and offsets are ignored.
    Repeat,
    /// No data, but more is said to follow.
    Hollow,
    /// A whole and well-formed page without any data.
    Empty,
    /// The right answer, but for an amount that is no number.
    Odd,
    /// The object that is asked for does not exist (any more).
    Gone,
    /// The connection ends without an answer.
    Close,
}

impl FaultKind {
    /// This status, plainly.
    pub fn status(code: u16) -> Self {
        FaultKind::Status { code, retry_after: None, reason: None }
    }
}

impl Fault {
    /// All requests below `path`, on both faces.
    pub fn always(path: &str, kind: FaultKind) -> Self {
        Self { face: None, path: path.to_owned(), nth: None, every: None, kind }
    }

    /// Only the n-th request below `path` (from 1).
    pub fn nth(path: &str, nth: u64, kind: FaultKind) -> Self {
        Self { nth: Some(nth), ..Self::always(path, kind) }
    }
}

/// The switches with their counts.
#[derive(Default)]
pub(crate) struct Switches(Vec<(Fault, u64)>);

impl Switches {
    pub(crate) fn set(&mut self, faults: Vec<Fault>) {
        self.0 = faults.into_iter().map(|fault| (fault, 0)).collect();
    }

    /// Counts a request and says what goes wrong with it: the first switch that strikes.
    pub(crate) fn strike(&mut self, face: FaceName, path: &str) -> Option<FaultKind> {
        let mut struck = None;
        for (fault, count) in &mut self.0 {
            if fault.face.is_some_and(|only| only != face) || !path.starts_with(&fault.path) {
                continue;
            }
            *count += 1;
            let now = match (fault.nth, fault.every) {
                (Some(nth), _) => *count == nth,
                (None, Some(every)) => every > 0 && *count % every == 0,
                (None, None) => true,
            };
            if now && struck.is_none() {
                struck = Some(fault.kind.clone());
            }
        }
        struck
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_count_their_own_requests() {
        let text = r#"[{"face":"stripe","path":"/v1/charges","nth":2,"kind":"html"},
                       {"every":3,"kind":{"status":{"code":429,"retry_after":2}}}]"#;
        let mut switches = Switches::default();
        switches.set(serde_json::from_str(text).unwrap());
        let too_many = Some(FaultKind::Status { code: 429, retry_after: Some(2), reason: None });
        assert_eq!(switches.strike(FaceName::Stripe, "/v1/charges"), None);
        assert_eq!(switches.strike(FaceName::CheckoutCom, "/v1/charges"), None);
        assert_eq!(switches.strike(FaceName::Stripe, "/v1/refunds"), too_many);
        assert_eq!(switches.strike(FaceName::Stripe, "/v1/charges/x"), Some(FaultKind::Html));
        assert_eq!(switches.strike(FaceName::Stripe, "/v1/charges"), None);
        assert_eq!(switches.strike(FaceName::Stripe, "/v1/charges"), too_many);
    }
}
