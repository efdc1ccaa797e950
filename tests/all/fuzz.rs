//! Every kept input of the fuzz targets, run through its target as an ordinary test: what a fuzzer once found stays found
//! without it. `UPDATE=1 cargo test fuzz` writes the seeds that come from the program itself: the sandbox's pages and the
//! sample configuration.

#[path = "../../fuzz/src/targets/mod.rs"]
mod targets;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use counterfoil::providers::{self, Position};
use counterfoil::sandbox::{CHECKOUT_KEY, Options, STRIPE_KEY, Sandbox};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus")
}

fn replay(name: &str) {
    let target = targets::ALL.iter().find(|(known, _)| *known == name).expect(name).1;
    let mut files: Vec<PathBuf> =
        fs::read_dir(corpus().join(name)).expect(name).map(|file| file.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 5, "{name} keeps {} inputs", files.len());
    for file in files {
        println!("{}", file.display());
        target(&fs::read(&file).unwrap());
    }
}

fn keep(target: &str, name: &str, bytes: &[u8]) {
    fs::write(corpus().join(target).join(format!("seed-{name}")), bytes).unwrap();
}

/// A record of every stream, as the sandbox serves them.
async fn keep_pages() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let first_day = Some(20_500);
    let options = Options {
        charges: 200,
        payments: 200,
        days: 60,
        gzip: false,
        first_day,
        ..Options::new(Arc::new(crate::noon()))
    };
    let sandbox = Sandbox::start(options).unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for provider in providers::ALL {
        let (url, key) = match provider.name {
            "stripe" => (sandbox.stripe_url(), STRIPE_KEY),
            _ => (sandbox.checkout_url(), CHECKOUT_KEY),
        };
        for stream in provider.streams {
            let from_s = 20_500 * 86_400;
            let ask =
                (provider.request)(stream, &Position { from_s, to_s: from_s + 60 * 86_400, cursor: None, limit: 1 });
            let request = match ask.body {
                None => client.get(format!("{url}{}", ask.path)),
                Some(body) => {
                    client.post(format!("{url}{}", ask.path)).header("content-type", "application/json").body(body)
                }
            };
            let page = request.bearer_auth(key).send().await.unwrap().bytes().await.unwrap();
            keep("pages", &provider.table(stream), &page);
        }
    }
}

#[test]
fn seeds_from_the_program_are_kept() {
    if std::env::var_os("UPDATE").is_some() {
        keep("config", "sample", counterfoil::config::sample().as_bytes());
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(keep_pages());
    }
    for table in providers::ALL.iter().flat_map(|provider| provider.streams.iter().map(|stream| provider.table(stream)))
    {
        assert!(corpus().join("pages").join(format!("seed-{table}")).exists(), "{table}: run with UPDATE=1");
    }
}

#[test]
fn pages() {
    replay("pages");
}

#[test]
fn records() {
    replay("records");
}

#[test]
fn config() {
    replay("config");
}

#[test]
fn vault() {
    replay("vault");
}

#[test]
fn wire() {
    replay("wire");
}

#[test]
fn numbers() {
    replay("numbers");
}

#[test]
fn paging() {
    replay("paging");
}
