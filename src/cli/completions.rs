//! `completions`: for the person's shell.

use clap_complete::Shell;

use super::{Context, tree};
use crate::problem::{Exit, Result};

/// Completions for your shell.
#[derive(clap::Args)]
pub(super) struct Args {
    /// Which shell
    shell: Shell,
}

pub(super) fn run(context: &Context, args: &Args) -> Result<Exit> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut tree(), "counterfoil", &mut text);
    context.out.raw(&text);
    Ok(Exit::Fine)
}
