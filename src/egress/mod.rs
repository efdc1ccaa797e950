//! The only road out. Events from the store pass the gate and become cells; cells become the frozen bytes of a batch in
//! `egress.db`; the guard judges the bytes; the courier signs them, sends them and keeps the receipt.
//!
//! The room sees no keys and no network: whoever runs it hands it a [`Signer`], a [`Sender`], the store's connection for
//! reading, the proven horizon and a clock. What may leave is the [`registry`]; what can be said at all is [`wire`].

pub mod consent;
pub mod courier;
mod db;
mod facts;
pub mod gate;
pub mod log;
pub mod registry;
mod release;
pub mod seam;
pub mod sign;
pub mod wire;

pub use consent::{Consent, Mode, Upstream, accept};
pub use courier::{Courier, Pass};
pub use db::Outbox;
pub use release::{Preview, preview};
pub use seam::{EnrolmentCode, OutboundRequest, ReceiverUrl, Reply, SendFailure, Sender};
pub use sign::{Ed25519Signer, Signer};
