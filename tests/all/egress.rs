//! Tests of `egress`: the gate's laws, release-once, what the courier believes, the reference receiver over HTTP, and the
//! twin run with planted leaks.

mod courier;
mod gate;
mod receiver;
mod release;
pub(crate) mod support;
mod twin;

#[cfg(debug_assertions)]
pub(crate) use courier::planted as couriers;

/// The rooms that see keys, providers or the network stay out of the only road out.
#[test]
fn the_road_out_sees_no_keys_no_network_and_no_provider() {
    let mut files = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/egress"))];
    let mut read = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        read += 1;
        let text = std::fs::read_to_string(&path).unwrap();
        for word in ["vault", "http::", "providers", "sync::", "store::", "config", "agent", "sandbox"] {
            assert!(!text.contains(&format!("crate::{word}")), "{} uses {word}", path.display());
        }
        for word in ["reqwest", "hyper", "std::net::Tcp", "std::env", "std::process"] {
            assert!(!text.contains(word), "{} uses {word}", path.display());
        }
        if path.ends_with("wire/mod.rs") || path.ends_with("wire/codes.rs") || path.ends_with("wire/time.rs") {
            let code = text.split("#[cfg(test)]").next().unwrap();
            for word in ["use serde", "use jiff", "use rusqlite", "use ring", "use std::collections"] {
                assert!(!code.contains(word), "{}: the wire's types depend on {word}", path.display());
            }
        }
    }
    assert!(read >= 13, "{read} files");
}
