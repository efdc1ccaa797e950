//! The agent's side: its parts opened in a folder, the key checked and sealed, one pass through the same request that the
//! command line makes, the store closed in order.

use std::path::Path;
use std::sync::Arc;

use counterfoil::agent::parts::{Parts, Seams, Writer};
use counterfoil::agent::request::{Request, perform};
use counterfoil::clock::SystemClock;
use counterfoil::config;
use counterfoil::entropy::SystemEntropy;
use counterfoil::paths::{Overrides, Paths};

use super::contest::{Done, Order};

/// Writes the configuration of one connection that reads only charges.
pub fn configure(folder: &Path, url: &str, start: &str) {
    let text = format!(
        "[connections.main]\nprovider = \"stripe\"\nstreams = [\"charges\"]\nstart = {start}\nbase_url = \"{url}\"\n\
         requests_per_second = 10000\n"
    );
    std::fs::write(folder.join("counterfoil.toml"), text).expect("a configuration");
}

/// One first pass.
pub fn run(order: &Order) -> Done {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let overrides = Overrides { config: None, data_dir: Some(order.folder.clone()) };
        let paths = Paths::here(&overrides).expect("paths");
        let config = Arc::new(config::load(&paths.config_file).expect("a configuration"));
        let clock = Arc::new(SystemClock::new());
        let seams = Seams { clock, entropy: Arc::new(SystemEntropy), transport: None, writer: Writer::default() };
        let parts = Parts::open(paths, config, seams).expect("the parts");
        let (connection, key) = ("main".to_owned(), "default".to_owned());
        let request = Request::SetKey { connection, key, secret: order.key.clone(), full_access: false };
        perform(&parts, request, &|_| ()).await.expect("a key that is accepted");
        let report = perform(&parts, Request::Sync { targets: vec![] }, &|_| ()).await.expect("a pass");
        parts.close().await.expect("an orderly end");
        let stream = &report["connections"][0]["streams"][0];
        assert!(stream["problem"].is_null() && stream["rejected"] == 0, "{report}");
        let number = |key: &str| stream[key].as_u64().expect("a number");
        Done { rows: number("rows"), requests: number("requests") }
    })
}
