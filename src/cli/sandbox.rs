//! `sandbox`: only the sandbox servers, until interrupted.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use super::Context;
use super::context::block_on;
use crate::problem::{Exit, Result};
use crate::sandbox::{CHECKOUT_KEY, Options, STRIPE_KEY, Sandbox};
use crate::service::signals;

/// Run only the sandbox.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The same seed gives the same world
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Charges in the world's history
    #[arg(long, default_value_t = 10_000)]
    charges: u64,
    /// Days of history
    #[arg(long, default_value_t = 90)]
    days: u32,
    /// Port of the Stripe face; 0 for any free one
    #[arg(long, default_value_t = 0)]
    stripe_port: u16,
    /// Port of the Checkout.com face; 0 for any free one
    #[arg(long, default_value_t = 0)]
    checkout_port: u16,
    /// Serve over TLS; the certificate authority is written to this file
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// Stop after this many seconds; otherwise on Ctrl-C
    #[arg(long, value_name = "SECONDS")]
    stop_after: Option<u64>,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit> {
    let mut options = Options::new(context.clock.clone());
    (options.seed, options.charges, options.days) = (args.seed, args.charges, args.days);
    options.payments = args.charges / 4;
    (options.stripe_port, options.checkout_port) = (args.stripe_port, args.checkout_port);
    options.ca_file = args.tls_ca.clone();
    let mut sandbox = Sandbox::start(options)?;
    let (stripe, checkout) = (sandbox.stripe_url(), sandbox.checkout_url());
    context.out.facts(
        "sandbox",
        json!({
            "stripe": {"url": stripe, "key": STRIPE_KEY}, "checkoutcom": {"url": checkout, "key": CHECKOUT_KEY},
            "ca_file": sandbox.ca_file(),
        }),
    );
    context
        .out
        .line(format!("Stripe:       {stripe}   key {STRIPE_KEY}\nCheckout.com: {checkout}   key {CHECKOUT_KEY}"));
    context.out.remark("Made-up data on loopback only. Ctrl-C stops it.");
    block_on(async {
        let mut signals = signals::Signals::listen()?;
        match args.stop_after {
            Some(seconds) => tokio::select! {
                () = context.clock.sleep(Duration::from_secs(seconds)) => {}
                _ = signals.next() => {}
            },
            None => while signals.next().await != signals::Signal::Stop {},
        }
        Ok(())
    })?;
    sandbox.stop();
    Ok(Exit::Fine)
}
