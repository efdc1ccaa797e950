//! Places where tests interfere with the real binary: points at which it can be killed, deliberately wrong variants that
//! the tests must find, smaller pages, and a clock that is ahead. Nothing of it is in a release build, not even a name; in a debug build
//! nothing happens unless the environment asks for it.

#[cfg(debug_assertions)]
pub use on::*;

#[cfg(not(debug_assertions))]
pub use off::*;

#[cfg(debug_assertions)]
mod on {
    use std::cell::{Cell, RefCell};
    use std::collections::BTreeMap;
    use std::io::Write;
    use std::sync::Mutex;

    /// Every kill point, in the order in which a page, then a release, meets them.
    pub const KILL_POINTS: &[&str] = &[
        "page.received",
        "page.before_commit",
        "page.after_commit",
        "release.before_commit",
        "release.after_commit",
        "courier.before_send",
        "courier.after_send",
        "courier.after_mark",
    ];

    /// Every planted bug.
    pub const PLANTED: &[&str] = &[
        // The checkpoint moves before the rows are in.
        "ack_before_commit",
        // A later pass does not look back.
        "no_overlap",
        // A later pass begins behind the newest row that is held.
        "after_newest",
        // Windows close at the provider's now.
        "no_lag",
        // The feed is not heard again just before where it was heard.
        "feed_without_overlap",
        // The feed is believed up to the provider's now.
        "feed_without_lag",
        // The feed is heard from after the first listing.
        "feed_after_listing",
        // What the feed can no longer say is not missed.
        "gap_ignored",
        // What a page says of others is noted after its own rows, which then look known.
        "marks_after_page",
        // A mark goes when there is any read of its object.
        "marks_settled_unread",
        // What is not final is never read again.
        "unsettled_never",
        // What a read by id leaves out of a payment is not asked for.
        "actions_left_out",
        // No day is listed again when it has settled.
        "days_listed_once",
        // A window counts as whole with its first page.
        "first_page_is_all",
        // A window's last minute is not asked for.
        "window_end_dropped",
        // 403 and 404 are empty lists.
        "refusal_is_empty",
        // A body that is no JSON is an empty list.
        "malformed_is_empty",
        // An empty page ends a list, whatever it says.
        "hollow_is_end",
        // A total that does not match the page does not matter.
        "total_unchecked",
        // Records of the other mode are stored like those of this one.
        "other_mode_stored",
        // An object that another account holds is stored once more.
        "stored_twice",
        // Whether a key still shows our account is not asked again.
        "any_account",
        // A connection that another one has taken the place of goes on storing.
        "superseded_writes",
        // A list is paged by how many records were seen, while what changes leaves it.
        "skip_paging",
        // What a list does not show is gone.
        "absent_is_gone",
        // A full page is all there is.
        "full_page_is_whole",
        // A second that holds too much is whole.
        "full_second_is_whole",
        // A refused cursor ends the list.
        "cursor_refused_is_end",
        // An empty page is believed among busy neighbours.
        "empty_page_counts",
        // 404 for one object says that it is gone, whatever its code.
        "any_404_is_gone",
        // An earlier read overwrites a later one.
        "older_read_wins",
        // A search that is behind overwrites what was just read by id.
        "behind_wins",
        // A mark goes with a search that may be older than what it tells of.
        "behind_settles",
        // What search tells of a payment besides is not asked for after a read by id.
        "index_never_asked",
        // What a record leaves out empties what an earlier read brought.
        "poorer_overwrites",
        // Numbers of reads begin again after a restart.
        "read_numbers_reused",
        // What stood in the way is never taken off the list of problems.
        "problem_never_clears",
        // One stream that fails stops the others.
        "one_stops_all",
        // Windows close by this machine's wall clock.
        "local_clock",
        // A single answer's Date can move windows ahead.
        "leap_believed",
        // A failed request is tried again at once, for ever.
        "no_backoff",
        // A token is the value itself.
        "token_in_clear",
        // Columns of every class are kept, whatever the profile.
        "every_class_kept",
        // Every currency has two decimals.
        "exponent_two",
        // A key goes wherever the configuration says now.
        "any_origin",
        // Of a broken configuration what is left comes into force.
        "bad_config_applied",
        // In the place of a damaged store a new one is begun.
        "damaged_recreated",
        // A batch counts as acknowledged before it is sent.
        "mark_before_send",
        // Every try to send a batch gives it another number.
        "fresh_number_per_try",
        // A batch is made anew for every try, under its number.
        "body_recomputed",
        // Bytes that were changed after their release are sent.
        "changed_bytes_sent",
        // A batch that the receiver refuses for good is sent again and again.
        "rejected_blocks",
        // A conflict concerns one batch only.
        "conflict_ignored",
        // Whoever answers has received the batch.
        "receipt_unchecked",
        // A day is released before its lag has passed.
        "released_without_lag",
        // What is proven is what this machine's clock says.
        "released_by_wall_clock",
        // Events are not marked as released, and counted again.
        "counted_again",
        // A day that the receiver does not have yet is released once more.
        "day_released_twice",
        // A cell may hold one person.
        "small_cells",
    ];

    /// Dies here when `COUNTERFOIL_KILL` names this point and the number of this visit: `page.after_commit:3`. Every
    /// visit is noted in the file that `COUNTERFOIL_KILL_LOG` names; without that file nothing happens.
    pub fn kill_point(name: &'static str) {
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
            // In one write, so that lines of two processes never mix.
            drop(file.write_all(format!("{name}\n").as_bytes()));
        }
        if std::env::var("COUNTERFOIL_KILL").is_ok_and(|kill| kill == format!("{name}:{visit}")) {
            std::process::abort();
        }
    }

    thread_local! {
        /// The wrong variant that is planted in what runs on this thread; begins with what the environment names.
        static HERE: RefCell<Option<String>> = RefCell::new(std::env::var("COUNTERFOIL_PLANTED").ok());
    }

    /// Plants this deliberately wrong variant (or none) in what runs on the calling thread from now on, so that simulations
    /// side by side can differ.
    pub fn plant(name: Option<&str>) {
        HERE.with_borrow_mut(|here| *here = name.map(str::to_owned));
    }

    /// True when this deliberately wrong variant is planted: by [`plant`] on this thread, or by `COUNTERFOIL_PLANTED`.
    pub fn planted(name: &'static str) -> bool {
        debug_assert!(PLANTED.contains(&name), "{name} is not in the list");
        HERE.with_borrow(|here| here.as_deref() == Some(name))
    }

    thread_local! {
        /// The most records a page may hold on this thread, where that is less than usual.
        static PAGE: Cell<u32> = const { Cell::new(u32::MAX) };
    }

    /// From now on pages on the calling thread hold at most so many records, so that small worlds fill many.
    pub fn limit_pages(most: u32) {
        PAGE.set(most);
    }

    /// How many records to ask for where `usual` are usual.
    pub fn page_limit(usual: u32) -> u32 {
        usual.min(PAGE.get())
    }

    /// How far `COUNTERFOIL_CLOCK_AHEAD_MS` puts this process's clock ahead of the machine's (behind it if negative), so that one run after another
    /// can live on later days of a sandbox.
    pub fn clock_ahead_ms() -> i64 {
        std::env::var("COUNTERFOIL_CLOCK_AHEAD_MS").ok().and_then(|ms| ms.parse().ok()).unwrap_or(0)
    }
}

#[cfg(not(debug_assertions))]
mod off {
    /// Nothing, in a release build.
    #[inline(always)]
    pub fn kill_point(_: &'static str) {}

    /// Never, in a release build.
    #[inline(always)]
    pub fn planted(_: &'static str) -> bool {
        false
    }

    /// As many as usual, in a release build.
    #[inline(always)]
    pub fn page_limit(usual: u32) -> u32 {
        usual
    }

    /// Not at all, in a release build.
    #[inline(always)]
    pub fn clock_ahead_ms() -> i64 {
        0
    }
}

/// Says past the test runner's capture that a unit test cannot run here, so that a plain `cargo test` names it.
#[cfg(test)]
pub(crate) fn skipped(why: impl std::fmt::Display) {
    use std::io::Write;
    // In one piece, or tests that run side by side would mix theirs.
    std::io::stderr().write_all(format!("skipped: {why}\n").as_bytes()).ok();
}
