//! `receiver`: the reference receiver, for self-hosting and as the executable contract.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::json;

use super::Context;
use super::context::block_on;
use crate::entropy::SystemEntropy;
use crate::problem::{Exit, Result};
use crate::sandbox::receiver::{Receiver, ReceiverOptions};
use crate::service::signals;

/// Run the reference receiver.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Where it listens; loopback, behind whatever ends TLS for you
    #[arg(long, default_value = "127.0.0.1:4020")]
    listen: SocketAddr,
    /// Its own database
    #[arg(long, default_value = "receiver.db", value_name = "FILE")]
    db: PathBuf,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit> {
    let (clock, entropy) = (context.clock.clone(), std::sync::Arc::new(SystemEntropy));
    let options = ReceiverOptions { db: args.db.clone(), addr: args.listen, clock, entropy, seed: None };
    let receiver = Receiver::start(options)?;
    let code = receiver.issue_code()?;
    context.out.facts("receiver", json!({"url": receiver.url(), "code": code}));
    context.out.line(format!("Receiver: {}\nOne-time code for an install: {code}", receiver.url()));
    context
        .out
        .remark("On the install: set [upstream] url, then `counterfoil egress accept --code CODE`. Ctrl-C stops this.");
    block_on(async {
        let mut signals = signals::Signals::listen()?;
        while signals.next().await != signals::Signal::Stop {}
        Ok(())
    })?;
    receiver.stop();
    Ok(Exit::Fine)
}
