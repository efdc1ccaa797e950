//! Places where tests interfere with the real binary: points at which it can be killed, and deliberately wrong variants that
//! the tests must find. Compiled out of release builds, which a test asserts; without the variables nothing happens.

/// Every kill point, in the order in which a page, then a release, meets them.
pub const KILL_POINTS: &[&str] = &[
    "window.opened",
    "page.received",
    "page.before_commit",
    "page.after_commit",
    "window.split",
    "release.before_commit",
    "release.after_commit",
    "courier.before_send",
    "courier.after_send",
    "courier.after_mark",
];

/// Every planted bug.
pub const PLANTED: &[&str] = &["ack_before_commit"];

/// Dies here when `COUNTERFOIL_KILL` names this point and the number of this visit: `page.after_commit:3`. Every visit is
/// noted in the file that `COUNTERFOIL_KILL_LOG` names.
#[cfg(debug_assertions)]
pub fn kill_point(name: &'static str) {
    use std::collections::BTreeMap;
    use std::io::Write;
    use std::sync::Mutex;
    static VISITS: Mutex<BTreeMap<&str, u32>> = Mutex::new(BTreeMap::new());
    debug_assert!(KILL_POINTS.contains(&name), "{name} is not in the list");
    let Some(log) = std::env::var_os("COUNTERFOIL_KILL_LOG") else { return };
    let visit = {
        let mut visits = VISITS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let visit = visits.entry(name).or_default();
        *visit += 1;
        *visit
    };
    if let Ok(mut file) = std::fs::OpenOptions::new().create(true).append(true).open(log) {
        drop(writeln!(file, "{name}"));
    }
    if std::env::var("COUNTERFOIL_KILL").is_ok_and(|kill| kill == format!("{name}:{visit}")) {
        std::process::abort();
    }
}

/// Nothing, in a release build.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn kill_point(_: &'static str) {}

/// True when `COUNTERFOIL_PLANTED` names this deliberately wrong variant.
#[cfg(debug_assertions)]
pub fn planted(name: &'static str) -> bool {
    debug_assert!(PLANTED.contains(&name), "{name} is not in the list");
    std::env::var("COUNTERFOIL_PLANTED").is_ok_and(|planted| planted == name)
}

/// Never, in a release build.
#[cfg(not(debug_assertions))]
#[inline(always)]
pub fn planted(_: &'static str) -> bool {
    false
}
