//! Where a key may be sent: scheme, host and port. It reads the beginning of a URL and nothing else of it; it opens no
//! connection and resolves no name.
//!
//! The grammar is narrower than that of browsers and of the HTTP client, on purpose: an address that two parsers could
//! read in two ways (user names, backslashes, percent signs, `127.1`, other scripts, a final dot) is refused.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use crate::problem::{Problem, Result, VAULT_PLAIN_HTTP, VAULT_URL};

/// How bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// In clear; only to this machine itself.
    Http,
    /// Under TLS.
    Https,
}

impl Scheme {
    /// As written in a URL.
    pub fn text(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port where none is written.
    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Scheme, host and port of a server. Its text, `https://host:port`, always names the port and parses to itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin {
    scheme: Scheme,
    host: String,
    port: u16,
}

impl Origin {
    /// Reads the origin of an absolute URL; path and query are not looked at.
    pub fn parse(url: &str) -> Result<Self> {
        let (scheme, rest) = url.split_once("://").ok_or_else(|| VAULT_URL.with("it does not begin with https://"))?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            _ => return Err(VAULT_URL.with("it does not begin with https://")),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(VAULT_URL.with("it holds a user name"));
        }
        // The colons of an IPv6 address stand in brackets.
        let colon = authority.rfind(':').filter(|colon| authority.rfind(']') < Some(*colon));
        let (host, port) = match colon {
            Some(colon) => (&authority[..colon], number(&authority[colon + 1..])?),
            None => (authority, scheme.port()),
        };
        let (host, loopback) = read_host(&host.to_ascii_lowercase())?;
        if scheme == Scheme::Http && !loopback {
            return Err(VAULT_PLAIN_HTTP.with(&host));
        }
        Ok(Self { scheme, host, port })
    }

    /// How bytes travel.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Name or address in lower case, an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, written or not.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme.text(), self.host, self.port)
    }
}

impl TryFrom<String> for Origin {
    type Error = Problem;

    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.to_string()
    }
}

fn number(port: &str) -> Result<u16> {
    let digits = (1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|port| digits && *port != 0);
    port.ok_or_else(|| VAULT_URL.with("its port is not a number from 1 to 65535"))
}

/// The host in its one spelling, and whether it is this machine.
fn read_host(host: &str) -> Result<(String, bool)> {
    let wrong = || VAULT_URL.with("its host is neither a plain name nor an address");
    if let Some(inner) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address: Ipv6Addr = inner.parse().map_err(|_| wrong())?;
        return Ok((format!("[{}]", six(address)), address.is_loopback()));
    }
    let plain = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
    };
    if host.len() > 253 || !host.split('.').all(plain) {
        return Err(wrong());
    }
    // URL parsers read every name whose last label is a number as an IPv4 address, in any of its spellings.
    let last = host.rsplit('.').next().unwrap_or_default();
    let hex = last.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()));
    if hex || last.bytes().all(|b| b.is_ascii_digit()) {
        let address: Ipv4Addr = host.parse().map_err(|_| wrong())?;
        return Ok((address.to_string(), address.is_loopback()));
    }
    Ok((host.to_owned(), host == "localhost"))
}

/// An IPv6 address as URLs spell it: without the dotted ending that Rust gives to mapped IPv4 addresses.
fn six(address: Ipv6Addr) -> String {
    match address.to_ipv4_mapped() {
        Some(_) => {
            let [.., high, low] = address.segments();
            format!("::ffff:{high:x}:{low:x}")
        }
        None => address.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(url: &str) -> String {
        Origin::parse(url).map_or_else(|problem| problem.code().to_owned(), |origin| origin.to_string())
    }

    #[test]
    fn a_host_has_at_most_253_characters() {
        let host = |last: usize| format!("https://{0}.{0}.{0}.{1}", "a".repeat(63), "a".repeat(last));
        assert_eq!(text(&host(61)), format!("{}:443", host(61)));
        assert_eq!(text(&host(62)), "vault.url");
        assert_eq!(text(&host(63)), "vault.url");
    }

    #[test]
    fn a_url_has_one_origin_whatever_its_spelling() {
        for (url, origin) in [
            ("https://api.stripe.com", "https://api.stripe.com:443"),
            ("https://a-b_c.example", "https://a-b_c.example:443"),
            ("HTTPS://API.Stripe.COM/v1/charges?limit=100#x", "https://api.stripe.com:443"),
            ("https://api.stripe.com:443/", "https://api.stripe.com:443"),
            ("https://api.stripe.com:8443?a=b@c", "https://api.stripe.com:8443"),
            ("https://abcdef12.api.checkout.com/payments", "https://abcdef12.api.checkout.com:443"),
            ("https://10.0.0.7", "https://10.0.0.7:443"),
            ("http://127.0.0.1:4010", "http://127.0.0.1:4010"),
            ("http://127.9.8.7", "http://127.9.8.7:80"),
            ("http://localhost/v1", "http://localhost:80"),
            ("http://[::1]:4010/v1", "http://[::1]:4010"),
            ("http://[0:0::1]", "http://[::1]:80"),
            ("https://[2001:DB8::1]", "https://[2001:db8::1]:443"),
        ] {
            assert_eq!(text(url), origin, "{url}");
        }
    }

    #[test]
    fn a_url_that_could_be_read_in_two_ways_is_refused() {
        for url in [
            "",
            "api.stripe.com",
            "ftp://api.stripe.com",
            "https:/api.stripe.com",
            "https:///api.stripe.com",
            "https://",
            " https://api.stripe.com",
            "https://api.stripe.com\t",
            "https://api.stripe.com@evil.example",
            "https://user:word@api.stripe.com",
            "https://api.stripe.com\\@evil.example",
            "https://api.stripe.com\\evil.example",
            "https://api%2estripe.com",
            "https://api.stripe.com.",
            "https://api..stripe.com",
            "https://äpi.stripe.com",
            "https://api.stripe.com:",
            "https://api.stripe.com:0",
            "https://api.stripe.com:65536",
            "https://api.stripe.com:+443",
            "https://api.stripe.com:4:43",
            "https://127.1",
            "https://0x7f.1",
            "https://2130706433",
            "https://0177.0.0.1",
            "https://api.0x1",
            "https://[::1",
            "https://::1",
            "https://[::1%25eth0]",
            "https://[::1]x",
            "https://[127.0.0.1]",
        ] {
            assert_eq!(text(url), "vault.url", "{url}");
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for url in ["http://api.stripe.com", "http://10.0.0.7", "http://128.0.0.1", "http://[::2]", "http://0.0.0.0"] {
            assert_eq!(text(url), "vault.plain_http", "{url}");
        }
        for url in ["http://localhost.evil.example", "http://[::ffff:127.0.0.1]", "http://127.0.0.1.nip.io"] {
            assert_eq!(text(url), "vault.plain_http", "{url}");
        }
    }

    #[test]
    fn a_refusal_never_quotes_the_url() {
        let problem = Origin::parse("https://user:canary@api.stripe.com/?q=canary").unwrap_err();
        assert!(!format!("{problem:?}").contains("canary"), "{problem:?}");
    }

    /// Any text after a scheme, and texts that are nearly addresses: those are where parsers differ.
    fn urls() -> impl Strategy<Value = String> {
        prop_oneof![
            r"(https?|HTTP)://[a-zA-Z0-9.\-_@\\%:\[\]/?#\t é]{0,24}",
            r"https://[0-9a-fx]{1,4}(\.[0-9a-fx]{1,4}){0,3}(:[0-9]{1,5})?",
            r"https://\[[0-9a-f:.]{2,20}\](:[0-9]{1,5})?",
            r"https://[a-z0-9]{1,4}(\.[a-z0-9\-]{1,4}){1,3}",
            any::<[u16; 8]>().prop_map(|parts| format!("https://[{}]", Ipv6Addr::from(parts))),
            any::<[u8; 4]>().prop_map(|parts| format!("https://[::ffff:{}]", Ipv4Addr::from(parts))),
            any::<[u8; 4]>().prop_map(|parts| format!("https://[::{}]", Ipv4Addr::from(parts))),
        ]
    }

    proptest! {
        /// What we take for the origin is what the HTTP client would connect to; an origin's text parses to itself.
        #[test]
        fn the_http_client_reads_the_same_origin(url in urls()) {
            if let (Ok(origin), Ok(theirs)) = (Origin::parse(&url), reqwest::Url::parse(&url)) {
                prop_assert_eq!(theirs.scheme(), origin.scheme().text());
                prop_assert_eq!(theirs.host_str(), Some(origin.host()));
                prop_assert_eq!(theirs.port_or_known_default(), Some(origin.port()));
                prop_assert_eq!(Origin::parse(&origin.to_string()).unwrap(), origin);
            }
        }
    }
}
