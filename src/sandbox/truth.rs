//! The oracle: what the provider holds, straight from the world, to compare a store with. It says no more of an object
//! than what a test needs to recognise it and its state.

use super::checkoutcom;
use super::fault::FaceName;
use super::stripe;
use super::world::World;

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TruthStream {
    /// Stripe charges, by `created`.
    StripeCharges,
    /// Stripe refunds, by `created`.
    StripeRefunds,
    /// Stripe disputes, by `created`.
    StripeDisputes,
    /// Stripe payment intents, by `created`.
    StripePaymentIntents,
    /// Stripe balance transactions, by `created`.
    StripeBalanceTransactions,
    /// Stripe payouts, by `created`.
    StripePayouts,
    /// Stripe events of the last thirty days, by `created`; their type stands for a status, and they have no amount.
    StripeEvents,
    /// Checkout.com payments, by `requested_on`.
    CheckoutPayments,
    /// Checkout.com disputes, by `last_update`.
    CheckoutDisputes,
}

impl TruthStream {
    /// The face that serves it.
    pub fn face(self) -> FaceName {
        match self {
            Self::CheckoutPayments | Self::CheckoutDisputes => FaceName::CheckoutCom,
            _ => FaceName::Stripe,
        }
    }
}

/// One object that exists at the time of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    /// The provider's id.
    pub id: String,
    /// The time by which the stream is read, in milliseconds since 1970.
    pub at_ms: i64,
    /// When lists begin to show it.
    pub visible_ms: i64,
    /// Its status as of now, in the provider's words.
    pub status: String,
    /// Minor units.
    pub amount: i64,
    /// Lower case.
    pub currency: &'static str,
}

/// Everything in `from..to` (unix seconds) that exists at `now_ms`, oldest first, hidden ones included.
pub(super) fn truth(world: &World, stream: TruthStream, from: i64, to: i64, now_ms: i64) -> Vec<Truth> {
    let bound = |time: i64| u32::try_from(time.max(0)).unwrap_or(u32::MAX);
    let now = bound(now_ms / 1000);
    let (from, to) = (bound(from), bound(to.min(now_ms / 1000 + 1)));
    if from >= to {
        return Vec::new();
    }
    match stream.face() {
        FaceName::Stripe => stripe::Face { world, now }.truth(stream, from, to - 1),
        FaceName::CheckoutCom => {
            checkoutcom::Face { world, now_ms, base: "", request_id: "" }.truth(stream, from, to - 1)
        }
    }
}
