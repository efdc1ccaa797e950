//! The configuration as one checked, immutable value: what the rest of the program sees. Every default is filled in and
//! every path is resolved; nothing here can be wrong. It reads no file and holds no secret.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;

use super::hash::Hash;
use super::url::BaseUrl;

/// An enumeration whose members have one word each, the word that stands in the file.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $member:ident = $word:literal,)* }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$doc])* $member,)* }

        impl $name {
            /// Every word, in the order of the members.
            pub const WORDS: &'static [&'static str] = &[$($word),*];

            /// The word that stands for it in the file.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$member => $word,)* }
            }

            /// The member of this word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$member),)* _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// Which provider a connection reads.
    ProviderName {
        /// Stripe.
        Stripe = "stripe",
        /// Checkout.com.
        Checkoutcom = "checkoutcom",
    }
}
words! {
    /// Which of Checkout.com's two worlds.
    Environment {
        /// Real payments.
        Production = "production",
        /// Test payments.
        Sandbox = "sandbox",
    }
}
words! {
    /// How Checkout.com is told who asks.
    Auth {
        /// A secret key, sent with each request.
        SecretKey = "secret_key",
        /// An access key: OAuth client credentials, exchanged for a token that lives an hour.
        AccessKey = "access_key",
    }
}
words! {
    /// Which classes of columns are stored (the classes nest).
    Profile {
        /// Ids, keyed hashes, codes, measures and times.
        Strict = "strict",
        /// And the merchant's references.
        Standard = "standard",
        /// And descriptions and last four digits.
        Finance = "finance",
    }
}
words! {
    /// What becomes of aggregates.
    Mode {
        /// Nothing is computed.
        Off = "off",
        /// Computed and shown; never numbered, never sent.
        Local = "local",
        /// Sent after a veto period.
        Hold = "hold",
        /// Sent.
        On = "on",
    }
}
words! {
    /// How much is logged.
    Level {
        /// Only what does not work.
        Error = "error",
        /// And what is not as it should be.
        Warn = "warn",
        /// And what happens.
        Info = "info",
        /// And how.
        Debug = "debug",
        /// And everything.
        Trace = "trace",
    }
}

/// The whole configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// By the merchant's own names.
    pub connections: BTreeMap<String, Connection>,
    /// What is stored.
    pub privacy: Privacy,
    /// What leaves.
    pub upstream: Upstream,
    /// Where the rows rest.
    pub store: Store,
    /// The copy for analysts elsewhere, if one is wanted.
    pub publish: Option<Publish>,
    /// What is logged.
    pub log: Log,
    /// Which text this was read from.
    pub hash: Hash,
    /// The text itself (it holds no secrets), to be kept as the last good one.
    pub text: Arc<str>,
}

/// One provider account.
#[derive(Debug, Clone, PartialEq)]
pub struct Connection {
    /// The provider, and what only it has.
    pub provider: Provider,
    /// First day to read, UTC.
    pub start: Date,
    /// Time between two looks; `None`: planned within the reads.
    pub poll: Option<Duration>,
    /// Reads a month; `None`: planned from the provider's grant.
    pub reads_per_month: Option<u64>,
    /// Ceiling of the request rate.
    pub requests_per_second: f64,
    /// The streams to read; `None`: every one that the key may read.
    pub streams: Option<Vec<String>>,
    /// Where the provider's API is.
    pub base_url: BaseUrl,
    /// Further certificate authorities to trust (PEM).
    pub ca_file: Option<PathBuf>,
    /// The proxy to go through.
    pub proxy: Option<BaseUrl>,
}

/// A provider, and the settings that only it has.
#[derive(Debug, Clone, PartialEq)]
pub enum Provider {
    /// Stripe.
    Stripe {
        /// Connected accounts, for platform keys.
        accounts: Accounts,
    },
    /// Checkout.com.
    Checkoutcom(Box<Checkoutcom>),
}

/// Which of a platform's connected accounts are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accounts {
    /// Only the account of the key.
    Own,
    /// Every connected account.
    All,
    /// These.
    These(Vec<String>),
}

/// What only Checkout.com has.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkoutcom {
    /// Which world.
    pub environment: Environment,
    /// The client, where given.
    pub client_id: Option<String>,
    /// The URL prefix, given or derived; `None` when only a base URL is given.
    pub prefix: Option<String>,
    /// How we say who we are.
    pub auth: Auth,
    /// The names of the keys (at least one).
    pub keys: Vec<String>,
    /// Entities, for balances and reports of their own.
    pub entities: Vec<String>,
    /// How times without zone in reports are read: `UTC` or an IANA name.
    pub report_timezone: String,
    /// Report types whose absence is a problem.
    pub expect: Vec<String>,
    /// A folder whose report files are loaded.
    pub import_folder: Option<PathBuf>,
    /// Where balances are.
    pub balances_url: BaseUrl,
    /// Where tokens are issued (for access keys).
    pub access_url: BaseUrl,
}

/// What is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Privacy {
    /// The classes of columns.
    pub local: Profile,
    /// Merchant metadata keys that may be stored.
    pub metadata_keys: Vec<String>,
}

/// What leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// The receiver; always present when `mode` sends.
    pub url: Option<BaseUrl>,
    /// What becomes of aggregates.
    pub mode: Mode,
}

/// Where the rows rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// The database file; `None`: the usual name in the data directory.
    pub path: Option<PathBuf>,
}

/// A plain copy, replaced atomically.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// The file to replace.
    pub to: PathBuf,
    /// How often.
    pub every: Duration,
}

/// What is logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// How much.
    pub level: Level,
}

impl Connection {
    /// The provider's name.
    pub fn provider_name(&self) -> ProviderName {
        match self.provider {
            Provider::Stripe { .. } => ProviderName::Stripe,
            Provider::Checkoutcom(_) => ProviderName::Checkoutcom,
        }
    }

    /// The start in milliseconds since 1970-01-01 UTC.
    pub fn start_ms(&self) -> i64 {
        let days = Date::constant(1970, 1, 1).duration_until(self.start);
        i64::try_from(days.as_millis()).unwrap_or_default()
    }

    /// The names of the keys this connection needs, as `counterfoil key set CONNECTION/KEY` takes them.
    pub fn keys(&self) -> Vec<&str> {
        match &self.provider {
            Provider::Stripe { .. } => vec![DEFAULT_KEY],
            Provider::Checkoutcom(own) => own.keys.iter().map(String::as_str).collect(),
        }
    }

    /// The origins (RFC 6454) that this connection's keys may be sent to, each once.
    pub fn origins(&self) -> Vec<&str> {
        let mut origins = vec![self.base_url.origin()];
        if let Provider::Checkoutcom(own) = &self.provider {
            origins.push(own.balances_url.origin());
            if own.auth == Auth::AccessKey {
                origins.push(own.access_url.origin());
            }
        }
        origins.sort_unstable();
        origins.dedup();
        origins
    }

    /// Every setting in force as the file would write it, by name, in the order of the file: for people and for [`super::plan`].
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let auto = |text: Option<String>| text.unwrap_or_else(|| "auto".to_owned());
        let mut all = vec![
            ("provider", self.provider_name().to_string()),
            ("start", self.start.to_string()),
            ("poll", auto(self.poll.map(span_text))),
            ("reads_per_month", auto(self.reads_per_month.map(|n| n.to_string()))),
            ("requests_per_second", self.requests_per_second.to_string()),
            ("streams", self.streams.as_deref().map_or_else(|| "all".to_owned(), list_text)),
            ("base_url", self.base_url.to_string()),
            ("ca_file", path_text(self.ca_file.as_deref())),
            ("proxy", url_text(self.proxy.as_ref())),
        ];
        match &self.provider {
            Provider::Stripe { accounts } => all.push(("accounts", accounts.to_string())),
            Provider::Checkoutcom(own) => all.extend([
                ("environment", own.environment.to_string()),
                ("client_id", own.client_id.clone().unwrap_or_else(none)),
                ("prefix", own.prefix.clone().unwrap_or_else(none)),
                ("auth", own.auth.to_string()),
                ("keys", list_text(&own.keys)),
                ("entities", list_text(&own.entities)),
                ("report_timezone", own.report_timezone.clone()),
                ("expect", list_text(&own.expect)),
                ("import_folder", path_text(own.import_folder.as_deref())),
                ("balances_url", own.balances_url.to_string()),
                ("access_url", own.access_url.to_string()),
            ]),
        }
        all
    }
}

/// The name of a key where a connection has only one.
pub const DEFAULT_KEY: &str = "default";

impl fmt::Display for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str("own"),
            Self::All => f.write_str("all"),
            Self::These(ids) => f.write_str(&list_text(ids)),
        }
    }
}

fn none() -> String {
    "none".to_owned()
}

pub(super) fn list_text(items: &[String]) -> String {
    format!("[{}]", items.join(", "))
}

pub(super) fn path_text(path: Option<&Path>) -> String {
    path.map_or_else(none, |path| path.display().to_string())
}

pub(super) fn url_text(url: Option<&BaseUrl>) -> String {
    url.map_or_else(none, BaseUrl::to_string)
}

/// Units of a span, largest first, with their seconds.
const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

/// A span as the file writes it: the largest unit that divides it.
pub(super) fn span_text(span: Duration) -> String {
    let seconds = span.as_secs();
    let (unit, size) =
        UNITS.iter().find(|(_, size)| seconds >= *size && seconds.is_multiple_of(*size)).unwrap_or(&("s", 1));
    format!("{}{unit}", seconds / size)
}

/// Reads `90s`, `5m`, `1h`, `2d`.
pub(super) fn span_from(text: &str) -> Option<Duration> {
    let (unit, size) = UNITS.iter().find(|(unit, _)| text.ends_with(unit))?;
    let digits = text.strip_suffix(unit)?;
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(*size).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_back_as_written() {
        for (text, seconds) in [("90s", 90), ("5m", 300), ("1h", 3600), ("2d", 172_800), ("0s", 0)] {
            let span = span_from(text).unwrap();
            assert_eq!(span.as_secs(), seconds);
            assert_eq!(span_text(span), text);
        }
        assert_eq!(span_text(Duration::from_secs(7200)), "2h");
        for bad in ["", "5", "m", "-5m", "+5m", "5 m", "1.5h", "5ms", "99999999999999999999d", "9999999999999999999d"] {
            assert_eq!(span_from(bad), None, "{bad}");
        }
    }
}
