//! Where there are no Unix sockets: nobody listens, so the command line acts itself.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::Handler;
use crate::clock::Clock;
use crate::problem::{AGENT_SYSTEM, Result};

/// The agent's end. There is none here.
pub enum Server {}

impl Server {
    /// Refuses, with words.
    pub fn bind(_: &Path, _: Arc<dyn Handler>, _: Arc<dyn Clock>) -> Result<Self> {
        Err(AGENT_SYSTEM.plain())
    }

    /// Cannot be reached.
    #[allow(clippy::unused_async)] // the same signature as where it waits
    pub async fn serve(self, _: impl Future<Output = ()>) {
        match self {}
    }
}

/// The command line's end. There is none here.
pub enum Client {}

impl Client {
    /// No agent listens.
    #[allow(clippy::unused_async)] // the same signature as where it waits
    pub async fn connect(_: &Path) -> Result<Option<Self>> {
        Ok(None)
    }

    /// Cannot be reached.
    #[allow(clippy::unused_async)] // the same signature as where it waits
    pub async fn ask(&mut self, _: &Value, _: impl FnMut(Value)) -> Result<Value> {
        match *self {}
    }
}
