//! From settings to the value the program sees: defaults, derived addresses, whole paths, and the rules that hang on more
//! than one setting. Each rule notes its fault; nothing stops at the first.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::Date;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Faults, closest, holds_key, names_secret};
use super::hash::Hash;
use super::keys::{CONNECTION, PROVIDERS_RATE, SECTIONS, Section, derived_prefix, find, name, sections};
use super::read::{self, Values, heading, holds_key_anywhere, quoted};
use super::url::BaseUrl;
use super::value::{
    Accounts, Auth, Checkoutcom, Config, Connection, Environment, Level, Log, Mode, Privacy, Profile, Provider,
    ProviderName, Publish, Store, Upstream,
};

/// Reads the whole document; `folder` is where relative paths begin. `None` when something is so wrong that no value can
/// stand in; a value counts only when no fault was noted.
pub(super) fn document(text: &str, document: &DeTable<'_>, folder: &Path, faults: &mut Faults<'_>) -> Config {
    for (name, value) in document {
        if !sections().any(|section| section.name == name.get_ref().as_ref()) {
            unknown_section(name, value, faults);
        }
    }
    let [privacy, upstream, store, publish, log] =
        SECTIONS.each_ref().map(|section| single(section, document.get_key_value(section.name), faults));
    Config {
        connections: connections(document.get_key_value(CONNECTION.name), folder, faults),
        privacy: Privacy {
            local: word(&privacy, "local", Profile::from_word).unwrap_or(Profile::Standard),
            metadata_keys: privacy.list("metadata_keys").unwrap_or_default(),
        },
        upstream: to_upstream(&upstream, faults),
        store: Store { path: path(&store, "path", folder) },
        publish: to_publish(&publish, folder, faults),
        log: Log { level: word(&log, "level", Level::from_word).unwrap_or(Level::Info) },
        hash: Hash::of(text.as_bytes()),
        text: Arc::from(text),
    }
}

type Entry<'t, 'i> = Option<(&'t Spanned<toml::de::DeString<'i>>, &'t Spanned<DeValue<'i>>)>;

/// Reads a table that stands once.
fn single(section: &'static Section, entry: Entry<'_, '_>, faults: &mut Faults<'_>) -> Values {
    match entry {
        None => Values::absent(section),
        Some((name, value)) => match value.get_ref().as_table() {
            Some(table) => read::table(section, name.span(), table, None, faults),
            None => {
                not_a_table(section, name, value, faults);
                Values::absent(section)
            }
        },
    }
}

fn not_a_table(
    section: &Section,
    name: &Spanned<toml::de::DeString<'_>>,
    value: &Spanned<DeValue<'_>>,
    faults: &mut Faults<'_>,
) {
    if holds_key_anywhere(value) {
        return faults.secret(&name.span(), None);
    }
    faults.add(&name.span(), format!("`{}` is a table", section.name), format!("write it as {}", heading(section)));
}

/// A heading, or a setting before the first heading, that we do not know.
fn unknown_section(name: &Spanned<toml::de::DeString<'_>>, value: &Spanned<DeValue<'_>>, faults: &mut Faults<'_>) {
    let (word, at) = (name.get_ref().as_ref(), name.span());
    let is_table = value.get_ref().is_table();
    if holds_key(word) || holds_key_anywhere(value) || (!is_table && names_secret(word)) {
        return faults.secret(&at, None);
    }
    let owner = sections().find(|section| !is_table && find(section, word).is_some());
    let what = if is_table { "unknown section" } else { "unknown key" };
    let advice = match (owner, closest(word, sections().map(|section| section.name))) {
        (Some(section), _) => format!("it belongs in {}", heading(section)),
        (None, Some(near)) => format!("did you mean `{near}`?"),
        (None, None) => {
            format!("the sections are {}", sections().map(heading).collect::<Vec<_>>().join(", "))
        }
    };
    faults.add(&at, format!("{what} {}", quoted(word)), advice);
}

fn connections(entry: Entry<'_, '_>, folder: &Path, faults: &mut Faults<'_>) -> BTreeMap<String, Connection> {
    let mut connections = BTreeMap::new();
    let Some((heading_name, value)) = entry else { return connections };
    let Some(tables) = value.get_ref().as_table() else {
        not_a_table(&CONNECTION, heading_name, value, faults);
        return connections;
    };
    for (name, value) in tables {
        let (word, at) = (name.get_ref().as_ref(), name.span());
        let Some(table) = value.get_ref().as_table() else {
            if holds_key(word) || names_secret(word) || holds_key_anywhere(value) {
                faults.secret(&at, None);
            } else {
                let message = format!("{} stands outside a connection", quoted(word));
                faults.add(&at, message, "settings belong in [connections.NAME]");
            }
            continue;
        };
        if holds_key(word) {
            faults.secret(&at, None);
            continue;
        }
        if let Err(what) = self::name(word) {
            faults.add(&at, format!("the connection {} has no proper name: {what}", quoted(word)), "");
            continue;
        }
        let values = read::table(&CONNECTION, at, table, Some(word), faults);
        if let Some(connection) = connection(&values, folder, faults) {
            connections.insert(word.to_owned(), connection);
        }
    }
    connections
}

/// One connection; `None` when its provider is not known, so that nothing can be said about the rest.
fn connection(values: &Values, folder: &Path, faults: &mut Faults<'_>) -> Option<Connection> {
    let provider = word(values, "provider", ProviderName::from_word)?;
    for name in values.names() {
        if let Some(only) = find(&CONNECTION, name).and_then(|key| key.only).filter(|only| *only != provider) {
            let at = values.place(name).unwrap_or(&values.at);
            faults.add(
                at,
                format!("`{name}` is a setting of {only}"),
                format!("this connection is {provider}: take it out"),
            );
        }
    }
    let given = url(values, "base_url");
    let (provider, base_url) = match provider {
        ProviderName::Stripe => {
            let accounts = match (values.list("accounts"), values.text("accounts").as_deref()) {
                (Some(ids), _) => Accounts::These(ids),
                (None, Some("all")) => Accounts::All,
                _ => Accounts::Own,
            };
            (Provider::Stripe { accounts }, given.or_else(|| own_url(STRIPE)))
        }
        ProviderName::Checkoutcom => {
            let (own, base_url) = checkoutcom(values, given, folder, faults)?;
            (Provider::Checkoutcom(Box::new(own)), Some(base_url))
        }
    };
    let base_url = base_url?;
    let rate = values.rate("requests_per_second").unwrap_or_default();
    if rate > PROVIDERS_RATE && !base_url.is_loopback() {
        let at = values.place("requests_per_second").unwrap_or(&values.at);
        let message = format!("`requests_per_second`: no provider grants more than {PROVIDERS_RATE}");
        faults.add(at, message, "the merchant's own shop shares this grant: stay well below it");
    }
    Some(Connection {
        provider,
        start: values.date("start").unwrap_or(Date::ZERO),
        poll: values.span("poll"),
        reads_per_month: values.count("reads_per_month"),
        requests_per_second: rate,
        streams: values.list("streams"),
        base_url,
        ca_file: path(values, "ca_file", folder),
        proxy: values.text("proxy").and_then(|text| BaseUrl::parse_any(&text).ok()),
    })
}

/// Stripe has one host for live and test keys.
const STRIPE: &str = "https://api.stripe.com";

/// What only Checkout.com has, and its address. Where a base URL is given, balances and tokens are there too unless they
/// have addresses of their own: a test server never sends a credential to the real provider.
fn checkoutcom(
    values: &Values,
    given: Option<BaseUrl>,
    folder: &Path,
    faults: &mut Faults<'_>,
) -> Option<(Checkoutcom, BaseUrl)> {
    let environment = word(values, "environment", Environment::from_word)?;
    let client_id = values.text("client_id");
    let prefix = values.text("prefix").or_else(|| derived_prefix(client_id.as_deref()?));
    let middle = if environment == Environment::Sandbox { "sandbox." } else { "" };
    let host = |service: &str| {
        let prefix = prefix.as_deref()?;
        own_url(&format!("https://{prefix}.{service}.{middle}checkout.com"))
    };
    // The shared balances host has no prefix (the provider's OpenAPI description, "servers" of the balances paths).
    let balances = || own_url(&format!("https://balances.{middle}checkout.com"));
    let access_url = url(values, "access_url").or_else(|| given.clone()).or_else(|| host("access"));
    let balances_url = url(values, "balances_url").or_else(|| given.clone()).or_else(balances);
    let Some(base_url) = given.or_else(|| host("api")) else {
        // Where one of the three was given but faulty, that fault has been noted.
        let tried = ["client_id", "prefix", "base_url"].iter().any(|name| values.was_tried(name));
        if !tried {
            faults.add(
                &values.at,
                "`client_id` is missing",
                "the address is derived from it; or give `prefix` or `base_url`",
            );
        }
        return None;
    };
    let own = Checkoutcom {
        environment,
        client_id,
        prefix,
        auth: word(values, "auth", Auth::from_word).unwrap_or(Auth::SecretKey),
        keys: values.list("keys").unwrap_or_default(),
        entities: values.list("entities").unwrap_or_default(),
        report_timezone: values.text("report_timezone").unwrap_or_default(),
        expect: values.list("expect").unwrap_or_default(),
        import_folder: path(values, "import_folder", folder),
        balances_url: balances_url?,
        access_url: access_url?,
    };
    Some((own, base_url))
}

fn to_upstream(values: &Values, faults: &mut Faults<'_>) -> Upstream {
    let mode = word(values, "mode", Mode::from_word).unwrap_or(Mode::Local);
    let url = url(values, "url");
    if url.is_none() && !values.was_tried("url") && matches!(mode, Mode::Hold | Mode::On) {
        let at = values.place("mode").unwrap_or(&values.at);
        faults.add(
            at,
            format!("`mode`: \"{mode}\" sends, and there is no `url` to send to"),
            "add `url`, or set mode = \"local\"",
        );
    }
    Upstream { url, mode }
}

fn to_publish(values: &Values, folder: &Path, faults: &mut Faults<'_>) -> Option<Publish> {
    let to = path(values, "to", folder);
    if let (None, false, Some(at)) = (&to, values.was_tried("to"), values.place("every")) {
        faults.add(at, "`every` stands without `to`", "add `to`, the file to replace");
    }
    Some(Publish { to: to?, every: values.span("every").unwrap_or_default() })
}

fn word<T>(values: &Values, name: &str, from_word: fn(&str) -> Option<T>) -> Option<T> {
    from_word(&values.text(name)?)
}

fn url(values: &Values, name: &str) -> Option<BaseUrl> {
    BaseUrl::parse(&values.text(name)?).ok()
}

fn own_url(text: &str) -> Option<BaseUrl> {
    BaseUrl::parse(text).ok()
}

fn path(values: &Values, name: &str, folder: &Path) -> Option<PathBuf> {
    Some(folder.join(values.text(name)?))
}
