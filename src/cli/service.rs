//! `service`: the agent as a service of the system.

use super::Context;
use crate::problem::{Exit, Result};

/// Install, start and stop the system service.
#[derive(clap::Args)]
pub struct Args {}

pub(super) fn run(_: &Context, _: &Args) -> Result<Exit> {
    Ok(Exit::Fine)
}
