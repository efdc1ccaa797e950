//! Every setting there is, as data: name, form, default, meaning. The reader, the advice on misspelt names, the sample that
//! `init` writes and the README are all made from these tables. A new setting is one line here and one in `resolve`.

use super::url::BaseUrl;
use super::value::{Auth, Environment, Level, Mode, Profile, ProviderName};

/// A table of the file: its heading, what it is for, its settings.
pub struct Section {
    /// The heading (`connections` holds one table a name).
    pub name: &'static str,
    /// What it is for.
    pub doc: &'static str,
    /// Its settings.
    pub keys: &'static [Key],
}

/// One setting.
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What may stand there.
    pub kind: Kind,
    /// What holds when it is left out.
    pub given: Given,
    /// The only provider that has it; `None`: both.
    pub only: Option<ProviderName>,
    /// What it means, in a line.
    pub doc: &'static str,
}

/// What holds when a setting is left out. The texts are TOML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// It may not be left out; an example.
    Needed(&'static str),
    /// This value.
    Default(&'static str),
    /// Nothing, or something derived; an example.
    Unset(&'static str),
}

impl Given {
    /// The default or the example.
    pub fn shown(self) -> &'static str {
        match self {
            Self::Needed(text) | Self::Default(text) | Self::Unset(text) => text,
        }
    }
}

/// What may stand in a setting.
pub enum Kind {
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A string of this form.
    Text(Form),
    /// A list of different strings of this form; at least this many.
    List(Form, usize),
    /// One of these words, or a list of at least one string of this form.
    ChoiceOrList(&'static [&'static str], Form),
    /// A day.
    Date,
    /// A span of time from so many seconds to so many; perhaps `auto`.
    Span(Auto, u64, u64),
    /// A whole number within limits; perhaps `auto`.
    Count(Auto, u64, u64),
    /// A number above 0, a fraction allowed, up to this.
    Rate(f64),
}

/// Whether the word `auto` may stand in place of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auto {
    /// It may.
    Allowed,
    /// It may not.
    No,
}

/// The form of a string: what to call it, and what is wrong with one.
#[derive(Clone, Copy)]
pub struct Form {
    /// `expected …`
    pub what: &'static str,
    /// Says what is wrong; never with the value.
    pub check: fn(&str) -> Result<(), &'static str>,
}

const NAME: Form = Form { what: "a name", check: name };
const STREAM: Form = Form { what: "the name of a stream, such as \"charges\"", check: word };
const REPORT: Form = Form { what: "a report type, such as \"payments\"", check: word };
const URL: Form = Form { what: "an address, such as \"https://receiver.example\"", check: url };
const PROXY: Form = Form { what: "an address, such as \"http://proxy.example:3128\"", check: any_url };
const PATH: Form = Form { what: "a path", check: path };
const CLIENT: Form = Form { what: "a client id, such as \"cli_vkuhvk4vjn2edkps7dfsq6emqm\"", check: client_id };
const PREFIX: Form = Form { what: "a URL prefix, such as \"vkuhvk4v\" or \"pl-vkuhvk4v\"", check: prefix };
const ENTITY: Form = Form { what: "an entity id, such as \"ent_…\"", check: entity };
const ACCOUNT: Form = Form { what: "an account id, such as \"acct_…\"", check: account };
const ZONE: Form = Form { what: "a time zone, such as \"UTC\" or \"Europe/London\"", check: zone };
const METADATA: Form = Form { what: "the name of a metadata key", check: metadata_key };

use Auto::{Allowed, No};
use Given::{Default, Needed, Unset};
use Kind::{Choice, ChoiceOrList, Count, Date, List, Rate, Span, Text};
use ProviderName::{Checkoutcom, Stripe};

const fn key(name: &'static str, kind: Kind, given: Given, doc: &'static str) -> Key {
    Key { name, kind, given, only: None, doc }
}

const fn of(only: ProviderName, name: &'static str, kind: Kind, given: Given, doc: &'static str) -> Key {
    Key { name, kind, given, only: Some(only), doc }
}

/// Ceiling of requests a second that both providers state for live accounts (each counts reads of the whole account).
pub(super) const PROVIDERS_RATE: f64 = 100.0;

/// The days that make sense as a start: neither provider has older payments.
pub(super) const EARLIEST: jiff::civil::Date = jiff::civil::Date::constant(2010, 1, 1);
/// A later start is a slip of the pen.
pub(super) const LATEST: jiff::civil::Date = jiff::civil::Date::constant(2099, 12, 31);

/// One provider account.
pub static CONNECTION: Section = Section {
    name: "connections",
    doc: "one table a provider account; NAME is yours (a-z, 0-9, - and _)",
    keys: &[
        key("provider", Choice(ProviderName::WORDS), Needed("\"stripe\""), "stripe or checkoutcom"),
        key("start", Date, Default("2010-01-01"), "how far back to read (a day, UTC)"),
        key(
            "poll",
            Span(Allowed, 1, 86_400),
            Default("\"auto\""),
            "time between looks, such as \"5m\"; auto plans within the reads",
        ),
        key(
            "reads_per_month",
            Count(Allowed, 100, 1_000_000_000),
            Default("\"auto\""),
            "reads to plan for; auto is a share of the provider's grant",
        ),
        key(
            "requests_per_second",
            Rate(100_000.0),
            Default("20"),
            "ceiling; lowered by itself when the provider pushes back",
        ),
        key(
            "streams",
            List(STREAM, 1),
            Unset("[\"charges\", \"disputes\"]"),
            "left out: every stream that the key may read",
        ),
        key(
            "base_url",
            Text(URL),
            Unset("\"http://127.0.0.1:4010\""),
            "another host than the provider's; plain http only on loopback",
        ),
        key("ca_file", Text(PATH), Unset("\"ca.pem\""), "further certificate authorities, PEM"),
        key("proxy", Text(PROXY), Unset("\"http://proxy.example:3128\""), "the proxy to go through"),
        of(
            Stripe,
            "accounts",
            ChoiceOrList(&["own", "all"], ACCOUNT),
            Default("\"own\""),
            "platform keys: connected accounts",
        ),
        of(Checkoutcom, "environment", Choice(Environment::WORDS), Default("\"production\""), "production or sandbox"),
        of(
            Checkoutcom,
            "client_id",
            Text(CLIENT),
            Unset("\"cli_vkuhvk4vjn2edkps7dfsq6emqm\""),
            "the URL prefix is derived from it",
        ),
        of(Checkoutcom, "prefix", Text(PREFIX), Unset("\"pl-vkuhvk4v\""), "instead of the derived one"),
        of(
            Checkoutcom,
            "auth",
            Choice(Auth::WORDS),
            Default("\"secret_key\""),
            "secret_key, or access_key (OAuth client credentials)",
        ),
        of(
            Checkoutcom,
            "keys",
            List(NAME, 1),
            Default("[\"default\"]"),
            "names of keys (not the keys), where entities need their own",
        ),
        of(Checkoutcom, "entities", List(ENTITY, 0), Default("[]"), "ent_…: balances and reports of their own"),
        of(
            Checkoutcom,
            "report_timezone",
            Text(ZONE),
            Default("\"UTC\""),
            "how times without zone in reports are read",
        ),
        of(
            Checkoutcom,
            "expect",
            List(REPORT, 0),
            Default("[\"payments\", \"disputes\", \"financial_actions\", \"payouts\"]"),
            "report types whose absence is a problem",
        ),
        of(Checkoutcom, "import_folder", Text(PATH), Unset("\"reports\""), "a folder whose report files are loaded"),
        of(
            Checkoutcom,
            "balances_url",
            Text(URL),
            Unset("\"https://balances.checkout.com\""),
            "where balances are; left out: the provider's, or base_url",
        ),
        of(
            Checkoutcom,
            "access_url",
            Text(URL),
            Unset("\"https://vkuhvk4v.access.checkout.com\""),
            "where tokens are issued; left out: the provider's, or base_url",
        ),
    ],
};

/// The tables that stand once.
pub static SECTIONS: [Section; 5] = [
    Section {
        name: "privacy",
        doc: "which classes of columns are stored",
        keys: &[
            key(
                "local",
                Choice(Profile::WORDS),
                Default("\"standard\""),
                "strict, standard (and references) or finance (and descriptions, last four digits)",
            ),
            key(
                "metadata_keys",
                List(METADATA, 0),
                Default("[]"),
                "merchant metadata keys that may be stored; nothing else of metadata is",
            ),
        ],
    },
    Section {
        name: "upstream",
        doc: "what leaves: totals in which nobody can be recognised, or nothing",
        keys: &[
            key(
                "url",
                Text(URL),
                Unset("\"https://receiver.example\""),
                "consent is bound to this address and the receiver's key",
            ),
            key(
                "mode",
                Choice(Mode::WORDS),
                Default("\"local\""),
                "off, local (compute and show, never send), hold (send after a veto period) or on",
            ),
        ],
    },
    Section {
        name: "store",
        doc: "where the rows rest",
        keys: &[key(
            "path",
            Text(PATH),
            Unset("\"/var/lib/counterfoil/counterfoil.db\""),
            "left out: counterfoil.db in the data directory; a change waits for a restart",
        )],
    },
    Section {
        name: "publish",
        doc: "a plain copy for analysts elsewhere, replaced atomically",
        keys: &[
            key("to", Text(PATH), Unset("\"/srv/finance/counterfoil.db\""), "the file to replace; left out: no copy"),
            key("every", Span(No, 60, 2_678_400), Default("\"1h\""), "how often"),
        ],
    },
    Section {
        name: "log",
        doc: "what is logged; never a key, a record or an address's query",
        keys: &[key("level", Choice(Level::WORDS), Default("\"info\""), "error, warn, info, debug or trace")],
    },
];

/// Settings that are checked but that nothing in this version acts on: `check` says so, and the README.
pub const NOT_YET: [&str; 10] = [
    "accounts",
    "auth",
    "entities",
    "report_timezone",
    "expect",
    "import_folder",
    "balances_url",
    "access_url",
    "to",
    "every",
];

/// Every section, the connections first.
pub fn sections() -> impl Iterator<Item = &'static Section> {
    std::iter::once(&CONNECTION).chain(&SECTIONS)
}

/// The setting of this name in `section`.
pub(super) fn find(section: &'static Section, name: &str) -> Option<&'static Key> {
    section.keys.iter().find(|key| key.name == name)
}

fn ok(fits: bool, wrong: &'static str) -> Result<(), &'static str> {
    if fits { Ok(()) } else { Err(wrong) }
}

fn of_bytes(text: &str, most: usize, also: &[u8]) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || also.contains(&b);
    (1..=most).contains(&text.len()) && text.bytes().all(fits)
}

/// Names of connections and keys.
pub(super) fn name(text: &str) -> Result<(), &'static str> {
    ok(of_bytes(text, 64, b"-_"), "a name is 1 to 64 of a-z, 0-9, - and _")
}

fn word(text: &str) -> Result<(), &'static str> {
    ok(of_bytes(text, 64, b"_"), "this is a word of a-z, 0-9 and _")
}

fn url(text: &str) -> Result<(), &'static str> {
    BaseUrl::parse(text).map(drop)
}

fn any_url(text: &str) -> Result<(), &'static str> {
    BaseUrl::parse_any(text).map(drop)
}

fn path(text: &str) -> Result<(), &'static str> {
    match text {
        "" => Err("a path is not empty"),
        _ if text.starts_with('~') => {
            Err("`~` is not expanded here: write the whole path, or one relative to this file")
        }
        _ => ok(!text.contains(char::is_control), "a path has no control characters"),
    }
}

fn client_id(text: &str) -> Result<(), &'static str> {
    let tail = text.strip_prefix("cli_").filter(|tail| tail.len() >= PREFIX_LENGTH && of_bytes(tail, 64, b""));
    ok(tail.is_some(), "a client id is `cli_` and at least 8 of a-z and 0-9")
}

/// How much of a client id is the URL prefix (Checkout.com documentation, "API endpoints": the first 8
/// characters after `cli_`).
pub(super) const PREFIX_LENGTH: usize = 8;

/// The URL prefix of a checked client id.
pub(super) fn derived_prefix(client_id: &str) -> Option<String> {
    client_id.strip_prefix("cli_")?.get(..PREFIX_LENGTH).map(str::to_owned)
}

fn prefix(text: &str) -> Result<(), &'static str> {
    let own = text.strip_prefix("pl-").unwrap_or(text);
    ok(of_bytes(own, 60, b""), "a URL prefix is a-z and 0-9, perhaps after `pl-`")
}

fn entity(text: &str) -> Result<(), &'static str> {
    let tail = text.strip_prefix("ent_").filter(|tail| of_bytes(tail, 64, b""));
    ok(tail.is_some(), "an entity id is `ent_` and a-z and 0-9")
}

fn account(text: &str) -> Result<(), &'static str> {
    let tail = text
        .strip_prefix("acct_")
        .filter(|tail| (1..=255).contains(&tail.len()) && tail.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
    ok(tail.is_some(), "an account id is `acct_` and letters and digits")
}

fn zone(text: &str) -> Result<(), &'static str> {
    let part = |p: &str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-+".contains(&b));
    let fits = text.len() <= 64 && text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.split('/').all(part);
    ok(fits, "a time zone is `UTC` or an IANA name such as `Europe/London`")
}

fn metadata_key(text: &str) -> Result<(), &'static str> {
    let fits = (1..=100).contains(&text.chars().count()) && !text.contains(char::is_control);
    ok(fits, "a metadata key has 1 to 100 characters")
}
