//! The fuzzer's program: libFuzzer around one target, which the environment names. What the targets are and what they
//! hold is in `targets`, which the ordinary tests share; nothing is decided here.
#![no_main]

mod targets;

use std::sync::OnceLock;

static TARGET: OnceLock<fn(&[u8])> = OnceLock::new();

libfuzzer_sys::fuzz_target!(
    init: {
        let name = std::env::var("COUNTERFOIL_FUZZ").unwrap_or_default();
        let target = targets::ALL.iter().find(|(known, _)| *known == name);
        let known: Vec<&str> = targets::ALL.iter().map(|(name, _)| *name).collect();
        TARGET.set(target.unwrap_or_else(|| panic!("COUNTERFOIL_FUZZ names one of {known:?}")).1).expect("set once");
    },
    |bytes: &[u8]| {
        if let Some(target) = TARGET.get() {
            target(bytes);
        }
    }
);
