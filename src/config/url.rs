//! Addresses in the configuration: scheme, host, port and a path, nothing else. Stricter than a browser on purpose: an
//! origin that a key is sealed to must read the same to us, to the HTTP client and to a person. It resolves no names.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A checked address without query, fragment and user: an origin and a path that does not end in `/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BaseUrl {
    origin: String,
    path: String,
    loopback: bool,
}

impl BaseUrl {
    /// Scheme, host and port (left out when it is the scheme's own), as RFC 6454 section 6.2 writes an origin.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The path below the origin: empty, or begins with `/`; never ends with one.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// True when the host is this machine: `localhost`, 127.0.0.0/8 or `[::1]`.
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// Reads an address that keys or batches are sent to: https, or plain http on loopback.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let url = Self::parse_any(text)?;
        if url.loopback || url.origin.starts_with("https:") {
            Ok(url)
        } else {
            Err("plain http is only for loopback addresses; use https")
        }
    }

    /// Reads an address of either scheme (a proxy is spoken to in plain http; what passes it is not).
    pub fn parse_any(text: &str) -> Result<Self, &'static str> {
        let (scheme, own_port, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => ("https", 443, rest),
            (_, Some(rest)) => ("http", 80, rest),
            _ => return Err("an address begins with https:// (or http:// on loopback)"),
        };
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err("an address here holds no user name and no password");
        }
        if path.contains(['?', '#']) {
            return Err("an address here has no query and no fragment");
        }
        let (host, port) = split_port(authority)?;
        let (host, loopback) = check_host(host)?;
        let port = match port {
            None => own_port,
            Some(digits) => match digits.parse::<u16>() {
                Ok(port) if port > 0 && digits.bytes().all(|b| b.is_ascii_digit()) => port,
                _ => return Err("the port is not a number from 1 to 65535"),
            },
        };
        let origin = if port == own_port { format!("{scheme}://{host}") } else { format!("{scheme}://{host}:{port}") };
        Ok(Self { origin, path: check_path(path)?, loopback })
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path)
    }
}

/// Parts `host:port`, minding the brackets of IPv6.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), &'static str> {
    let end = if authority.starts_with('[') {
        authority.find(']').ok_or("the address has an opening bracket without a closing one")? + 1
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (host, rest) = authority.split_at(end);
    match rest.strip_prefix(':') {
        Some(port) => Ok((host, Some(port))),
        None if rest.is_empty() => Ok((host, None)),
        None => Err("the address has something between host and port"),
    }
}

/// The host in its one spelling, and whether it is this machine.
fn check_host(host: &str) -> Result<(String, bool), &'static str> {
    const NO_HOST: &str = "the address has no proper host name";
    if let Some(inner) = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        let address: Ipv6Addr = inner.parse().map_err(|_| "the address has no proper IPv6 host")?;
        return Ok((format!("[{address}]"), address.is_loopback()));
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Ok((address.to_string(), address.is_loopback()));
    }
    let host = host.to_ascii_lowercase();
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    // A last label of digits is read as an IPv4 number by HTTP clients (`127.1`, `0x7f.1`): two readings, so refused.
    let last = host.rsplit('.').next().unwrap_or_default();
    if host.len() > 253 || !host.split('.').all(label) || last.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(NO_HOST);
    }
    let loopback = host == "localhost";
    Ok((host, loopback))
}

fn check_path(path: &str) -> Result<String, &'static str> {
    let trimmed = path.trim_end_matches('/');
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
    if !trimmed.bytes().all(plain)
        || trimmed.split('/').any(|part| part == "." || part == "..")
        || trimmed.contains("//")
    {
        return Err("the path of the address holds characters that do not belong there");
    }
    Ok(trimmed.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_spelling() {
        for (given, origin, path) in [
            ("https://api.stripe.com", "https://api.stripe.com", ""),
            ("https://API.Stripe.com:443/", "https://api.stripe.com", ""),
            ("https://receiver.example:8443/v1/", "https://receiver.example:8443", "/v1"),
            ("http://127.0.0.1:4010", "http://127.0.0.1:4010", ""),
            ("http://localhost:80", "http://localhost", ""),
            ("http://[::1]:9/x", "http://[::1]:9", "/x"),
            ("https://[0:0:0:0:0:0:0:1]", "https://[::1]", ""),
        ] {
            let url = BaseUrl::parse(given).unwrap();
            assert_eq!((url.origin(), url.path()), (origin, path), "{given}");
            assert_eq!(url.to_string(), format!("{origin}{path}"));
        }
    }

    #[test]
    fn doubtful_addresses_are_refused() {
        for bad in [
            "api.stripe.com",
            "ftp://x.example",
            "https://",
            "https:///x",
            "https://u:p@x.example",
            "https://x.example?q=1",
            "https://x.example/#f",
            "https://x.example:0",
            "https://x.example:70000",
            "https://x.example:+1",
            "https://x.example:",
            "https://x..example",
            "https://-x.example",
            "https://127.1",
            "https://2130706433",
            "https://x.0x7f",
            "https://[::1",
            "https://[::1]x",
            "https://x.example/a/../b",
            "https://x.example/a b",
            "https://x.example\\@y.example",
            "http://api.stripe.com",
            "http://localhost.example",
            "http://127.0.0.1.example",
        ] {
            assert!(BaseUrl::parse(bad).is_err(), "{bad}");
        }
        assert!(BaseUrl::parse_any("http://proxy.example:3128").is_ok());
    }

    #[test]
    fn loopback_is_this_machine_only() {
        for (url, expected) in [
            ("http://127.9.9.9", true),
            ("http://[::1]", true),
            ("http://localhost", true),
            ("https://10.0.0.1", false),
        ] {
            assert_eq!(BaseUrl::parse(url).unwrap().is_loopback(), expected, "{url}");
        }
    }
}
