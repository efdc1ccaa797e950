//! What can be said on the wire: closed codes, small numbers, days and weeks. There is no way to put text, a raw number or
//! foreign bytes into a batch: [`EgressBytes`] are made by [`encode`] (from cells, which only the gate makes) or by the
//! [`guard`] (which judges bytes by the registry, with a grammar of its own). It sends nothing.
//!
//! Bytes cannot be declared fit to leave:
//! ```compile_fail,E0423
//! let bytes = counterfoil::egress::wire::EgressBytes(b"anything".to_vec());
//! ```
//! A number cannot go round its bound:
//! ```compile_fail,E0423
//! let count = counterfoil::egress::wire::Count(5_555_555_555_554_444);
//! ```
//! Text is not a dimension:
//! ```compile_fail,E0308
//! use counterfoil::egress::wire::{Codes, Funding, Outcome, Provider};
//! let codes = Codes { outcome: Outcome::Error, provider: Provider::Any, scheme: "Ada", funding: Funding::Any };
//! ```

mod codes;
pub mod guard;
mod time;

use super::gate::Cell;
use super::registry::{Dim, FORMAT, Fact};

pub use codes::{Funding, Outcome, Provider, Scheme};
pub use time::{DAY_MS, Day, Period, Week};

/// The largest number that can leave.
pub const MAX_COUNT: u32 = 1_000_000_000;

/// A number of events, at most [`MAX_COUNT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count(u32);

/// The codes of a cell or of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Codes {
    /// How the attempt ended.
    pub outcome: Outcome,
    /// Who handled it.
    pub provider: Provider,
    /// The card's scheme.
    pub scheme: Scheme,
    /// The card's funding type.
    pub funding: Funding,
}

/// Bytes that may leave: the canonical body of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EgressBytes(Vec<u8>);

impl Count {
    /// The number, unless it is too large for the wire.
    pub fn new(number: usize) -> Option<Self> {
        u32::try_from(number).ok().filter(|number| *number <= MAX_COUNT).map(Self)
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl Codes {
    /// The code of one dimension.
    pub fn code(&self, dim: Dim) -> &'static str {
        match dim {
            Dim::Outcome => self.outcome.code(),
            Dim::Provider => self.provider.code(),
            Dim::Scheme => self.scheme.code(),
            Dim::Funding => self.funding.code(),
        }
    }

    /// The same with one dimension rolled up; the base dimension stays.
    #[must_use]
    pub fn without(self, dim: Dim) -> Self {
        match dim {
            Dim::Outcome => self,
            Dim::Provider => Self { provider: Provider::Any, ..self },
            Dim::Scheme => Self { scheme: Scheme::Any, ..self },
            Dim::Funding => Self { funding: Funding::Any, ..self },
        }
    }

    /// The codes in the order of the wire: what cells are sorted by.
    pub fn sort_key(&self) -> [&'static str; 4] {
        [self.outcome.code(), self.provider.code(), self.scheme.code(), self.funding.code()]
    }
}

impl EgressBytes {
    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

/// The canonical body of a batch: fixed key order, no whitespace, cells in ascending order of their codes (the gate
/// hands them over in that order).
pub fn encode(fact: &Fact, period: Period, cells: &[Cell]) -> EgressBytes {
    let mut out = format!(
        "{{\"f\":{FORMAT},\"fact\":\"{}\",\"v\":{},\"period\":\"{period}\",\"epoch\":0,\"late\":{},\"{}\":[",
        fact.name,
        fact.version,
        period.is_late(),
        fact.view.name
    );
    for (index, cell) in cells.iter().enumerate() {
        out.push_str(if index == 0 { "[" } else { ",[" });
        for dimension in fact.view.dims {
            out.push('"');
            out.push_str(cell.codes().code(dimension.dim));
            out.push_str("\",");
        }
        out.push_str(&cell.count().get().to_string());
        out.push(']');
    }
    out.push_str("]}");
    EgressBytes(out.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::gate::{Event, gate};
    use crate::egress::registry::ATTEMPTS;

    const CODES: Codes = Codes {
        outcome: Outcome::Captured,
        provider: Provider::Stripe,
        scheme: Scheme::Visa,
        funding: Funding::Credit,
    };

    #[test]
    fn a_number_is_itself_up_to_its_bound() {
        assert_eq!(Count::new(1_000_000_000).map(Count::get), Some(1_000_000_000));
        assert_eq!(Count::new(1_000_000_001), None);
        assert_eq!(Count::new(usize::MAX), None);
    }

    #[test]
    fn each_dimension_is_rolled_up_alone() {
        let codes = |dim| CODES.without(dim).sort_key();
        assert_eq!(codes(Dim::Outcome), ["captured", "stripe", "visa", "credit"]);
        assert_eq!(codes(Dim::Provider), ["captured", "any", "visa", "credit"]);
        assert_eq!(codes(Dim::Scheme), ["captured", "stripe", "any", "credit"]);
        assert_eq!(codes(Dim::Funding), ["captured", "stripe", "visa", "any"]);
    }

    #[test]
    fn the_bytes_of_a_batch_are_these_and_the_guard_reads_them() {
        let event = |number: u32, codes| {
            let mut mark = [0; 16];
            mark[..4].copy_from_slice(&number.to_be_bytes());
            Event { mark, account: 1, codes, card: Some(format!("card{number}").into()), payer: None }
        };
        let declined = Codes { outcome: Outcome::Declined, ..CODES };
        let events: Vec<Event> = (0..12).map(|n| event(n, declined)).chain((12..22).map(|n| event(n, CODES))).collect();
        let gated = gate(&ATTEMPTS.view, &events, ATTEMPTS.k);
        let bytes = encode(&ATTEMPTS, Period::Day(Day::civil(2026, 11, 16)), &gated.cells);
        let expected = concat!(
            r#"{"f":1,"fact":"attempts","v":1,"period":"2026-11-16","epoch":0,"late":false,"card":["#,
            r#"["captured","stripe","visa","credit",10],["declined","stripe","visa","credit",12]]}"#
        );
        assert_eq!(std::str::from_utf8(bytes.as_slice()), Ok(expected));
        assert_eq!(guard::check(bytes.as_slice()).map(|reading| reading.bytes().clone()), Ok(bytes));
    }
}
