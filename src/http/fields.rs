//! Reads header fields and error bodies into closed small values. It keeps no text of a provider but names and ids that
//! match a strict pattern: never a message, which may quote a key, an account or a person.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::{rfc2822, strtime};
use jiff::tz::TimeZone;
use serde_json::Value;

use super::Headers;
use super::failure::RateReason;

/// No provider may make us wait longer than this between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// Longest name or id that is kept.
const LONGEST_NAME: usize = 64;

/// An HTTP date in any of its three forms (RFC 9110 section 5.6.7), as milliseconds since 1970.
pub fn date_ms(text: &str) -> Option<i64> {
    let text = text.trim();
    let old = |format| {
        let civil = strtime::parse(format, text).ok()?.to_datetime().ok()?;
        Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
    };
    rfc2822::DateTimeParser::new()
        .parse_timestamp(text)
        .ok()
        .or_else(|| old("%A, %d-%b-%y %H:%M:%S GMT"))
        .or_else(|| old("%a %b %e %H:%M:%S %Y"))
        .map(Timestamp::as_millisecond)
}

/// The answer's own moment, from its one `Date`.
pub(super) fn sent_ms(headers: &Headers) -> Option<i64> {
    headers.only("date").and_then(date_ms)
}

/// `Retry-After` in both forms; a date counts from the answer's own `Date`, never from our clock. At most one hour.
pub(super) fn retry_after(headers: &Headers) -> Option<Duration> {
    let text = headers.only("retry-after")?.trim();
    let seconds = (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    let until = || {
        let span = date_ms(text)?.saturating_sub(sent_ms(headers)?);
        Some(Duration::from_millis(u64::try_from(span).unwrap_or(0)))
    };
    seconds.or_else(until).map(|wait| wait.min(LONGEST_WAIT))
}

/// `Stripe-Should-Retry`.
pub(super) fn should_retry(headers: &Headers) -> Option<bool> {
    headers.only("stripe-should-retry")?.parse().ok()
}

/// `Stripe-Rate-Limited-Reason`.
pub(super) fn rate_reason(headers: &Headers) -> Option<RateReason> {
    Some(match headers.only("stripe-rate-limited-reason")? {
        "global-rate" => RateReason::GlobalRate,
        "endpoint-rate" => RateReason::EndpointRate,
        "global-concurrency" => RateReason::GlobalConcurrency,
        "endpoint-concurrency" => RateReason::EndpointConcurrency,
        "resource-specific" => RateReason::Resource,
        _ => RateReason::Other,
    })
}

/// The provider's id of the exchange, for its support.
pub(super) fn request_id(headers: &Headers) -> Option<String> {
    let id = headers.only("request-id").or_else(|| headers.only("cko-request-id"))?;
    kept(id, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'-'))
}

/// What an error body says in words of a closed alphabet.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) error_type: Option<String>,
    pub(super) error_code: Option<String>,
    pub(super) permission: Option<String>,
}

/// Reads the error bodies of Stripe (`error.type`, `error.code`), Checkout.com (`error_type`, `error_codes`) and OAuth
/// (`error`); anything else tells nothing.
pub(super) fn told(body: &[u8]) -> Told {
    let Ok(json) = serde_json::from_slice::<Value>(body) else { return Told::default() };
    let name = |pointer: &str| json.pointer(pointer).and_then(Value::as_str).and_then(small_name);
    Told {
        error_type: name("/error/type").or_else(|| name("/error_type")),
        error_code: name("/error/code").or_else(|| name("/error_codes/0")).or_else(|| name("/error")),
        permission: json.pointer("/error/message").and_then(Value::as_str).and_then(permission),
    }
}

/// The first permission that Stripe's refusal names, in quotes: `'rak_charge_read'` or `'plan_read'`.
fn permission(message: &str) -> Option<String> {
    message
        .split('\'')
        .skip(1)
        .step_by(2)
        .filter(|word| word.starts_with("rak_") || word.ends_with("_read") || word.ends_with("_write"))
        .filter(|word| !["rk_", "sk_", "pk_"].iter().any(|key| word.starts_with(key)))
        .find_map(small_name)
}

fn small_name(text: &str) -> Option<String> {
    kept(text, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn kept(text: &str, allowed: impl Fn(u8) -> bool) -> Option<String> {
    ((1..=LONGEST_NAME).contains(&text.len()) && text.bytes().all(allowed)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> Headers {
        Headers(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn the_three_forms_of_a_date_are_one_moment() {
        for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(date_ms(text), Some(784_111_777_000), "{text}");
        }
        assert_eq!(date_ms("Wed Nov 16 08:49:37 1994"), Some(784_975_777_000));
        for text in ["", "yesterday", "1994-11-06", "Mon, 06 Nov 1994 08:49:37 GMT", "784111777"] {
            assert_eq!(date_ms(text), None, "{text}");
        }
    }

    #[test]
    fn two_dates_are_none() {
        let one = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(sent_ms(&headers(&[one])), Some(784_111_777_000));
        assert_eq!(sent_ms(&headers(&[one, one])), None);
    }

    #[test]
    fn retry_after_reads_both_forms_and_is_capped() {
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        let read = |value: &str| retry_after(&headers(&[date, ("retry-after", value)]));
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        assert_eq!(read("86400"), Some(LONGEST_WAIT));
        assert_eq!(read("99999999999999999999999"), Some(LONGEST_WAIT));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:57 GMT"), Some(Duration::from_secs(20)));
        assert_eq!(read("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("soon"), None);
        assert_eq!(read("-1"), None);
        assert_eq!(read(""), None);
        // Without the answer's own date a date says nothing: our clock may be wrong.
        assert_eq!(retry_after(&headers(&[("retry-after", "Sun, 06 Nov 1994 08:49:57 GMT")])), None);
    }

    #[test]
    fn only_well_formed_ids_are_kept() {
        let id = |name: &str, value: &str| request_id(&headers(&[(name, value)]));
        assert_eq!(id("request-id", "req_aB9"), Some("req_aB9".into()));
        assert_eq!(id("cko-request-id", "0HMJGFVAQ35TL:00000117"), Some("0HMJGFVAQ35TL:00000117".into()));
        assert_eq!(id("request-id", "req 1"), None);
        assert_eq!(id("request-id", ""), None);
        assert_eq!(id("request-id", &"a".repeat(65)), None);
    }

    #[test]
    fn error_bodies_tell_names_but_no_message() {
        let stripe =
            br#"{"error":{"code":"api_key_expired","message":"Expired: rk_live_9","type":"invalid_request_error"}}"#;
        assert_eq!(
            told(stripe),
            Told {
                error_type: Some("invalid_request_error".into()),
                error_code: Some("api_key_expired".into()),
                permission: None
            }
        );
        let checkout =
            br#"{"request_id":"0HL","error_type":"request_invalid","error_codes":["paging_limit_invalid","x"]}"#;
        assert_eq!(told(checkout).error_type.as_deref(), Some("request_invalid"));
        assert_eq!(told(checkout).error_code.as_deref(), Some("paging_limit_invalid"));
        assert_eq!(told(br#"{"error":"invalid_client"}"#).error_code.as_deref(), Some("invalid_client"));
        for odd in [&b""[..], b"<html>", b"[]", b"7", br#"{"error":{"code":7}}"#, br#"{"error_codes":"x"}"#] {
            assert_eq!(told(odd), Told::default());
        }
        assert_eq!(told(br#"{"error":{"code":"No such customer: jane@example.com"}}"#), Told::default());
    }

    #[test]
    fn a_refusal_names_the_permission_and_nothing_else() {
        let found = |message: &str| {
            told(&serde_json::to_vec(&serde_json::json!({"error": {"message": message}})).unwrap()).permission
        };
        assert_eq!(
            found(
                "The provided key 'rk_live_***' does not have the required permissions for this endpoint on account 'acct_x'. Having the 'rak_charge_read' permission would allow this request to continue."
            ),
            Some("rak_charge_read".into())
        );
        assert_eq!(
            found(
                "Permission denied. The provided key 'rk_test_a_read' does not have them on account 'acct_x'. Enabling \"Prices Read\" ('plan_read') permissions on this key would allow this request."
            ),
            Some("plan_read".into())
        );
        assert_eq!(found("Key 'sk_live_abc' of 'acct_x' is no good"), None);
        assert_eq!(found("Having rak_charge_read unquoted"), None);
        assert_eq!(found("'Jane Doe_read'"), None);
    }
}
