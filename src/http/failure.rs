//! Why an exchange gave no usable answer: a closed list of situations, what a person is told about each, and whether to
//! try again. It keeps no text of the server but names and ids of a strict pattern.

use std::time::Duration;

use super::TransportError;
use crate::problem::*;

/// The limiters count per second: a shorter wait would only meet the same one again.
const RATE_WAIT: Duration = Duration::from_secs(1);

/// Why there is no usable answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// No connection was made.
    Unreachable,
    /// No trusted TLS connection was made.
    Tls,
    /// The deadline passed, or nothing came for too long.
    Timeout,
    /// The connection, or the body, ended before the answer did.
    Cut,
    /// The answer breaks the rules of HTTP.
    Protocol,
    /// The body ends with the connection, so that a cut would look like its end.
    Endless,
    /// The gzip body is cut, does not match its checksum, or something follows it.
    Damaged,
    /// A content coding that was not asked for.
    Encoding,
    /// No body where data must be.
    Empty,
    /// Another content type than expected (HTML above all), or not one JSON value.
    WrongContent,
    /// More bytes than the request allows.
    TooLarge,
    /// A redirect where none is declared, or to an address that is not taken.
    Redirect,
    /// A success or other status that this request never has.
    UnexpectedStatus(u16),
    /// The server refused or failed: 4xx and 5xx.
    Status(Box<StatusFailure>),
}

/// A 4xx or 5xx answer, as far as it may be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusFailure {
    /// Status code, 400 to 599.
    pub status: u16,
    /// The server's own wish, at most one hour.
    pub retry_after: Option<Duration>,
    /// `Stripe-Should-Retry`.
    pub should_retry: Option<bool>,
    /// `Stripe-Rate-Limited-Reason`; `None` when absent.
    pub rate_reason: Option<RateReason>,
    /// `Request-Id` or `Cko-Request-Id`, `[A-Za-z0-9_:-]{1,64}`.
    pub request_id: Option<String>,
    /// The error's type, `[a-z0-9_]{1,64}`.
    pub error_type: Option<String>,
    /// The error's code (the first of several), `[a-z0-9_]{1,64}`.
    pub error_code: Option<String>,
    /// The permission that a 403 says would have been enough, `[a-z0-9_]{1,64}`.
    pub permission: Option<String>,
    /// The answer's `Date`, milliseconds since 1970.
    pub date_ms: Option<i64>,
}

/// Which of Stripe's limiters pushed back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateReason {
    /// Requests per second of the account.
    GlobalRate,
    /// Requests per second of the endpoint.
    EndpointRate,
    /// Requests at a time of the account.
    GlobalConcurrency,
    /// Requests at a time of the endpoint.
    EndpointConcurrency,
    /// Something about this one object.
    Resource,
    /// A reason that is not known here.
    Other,
}

/// Whether and when to try the same request again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It would end the same way: leave it for the next run.
    No,
    /// After a backoff.
    Backoff,
    /// After this long at least, and a backoff on top.
    After(Duration),
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        match error {
            TransportError::Connect => Self::Unreachable,
            TransportError::Tls => Self::Tls,
            TransportError::Timeout => Self::Timeout,
            TransportError::Cut => Self::Cut,
            TransportError::Protocol => Self::Protocol,
        }
    }
}

impl Failure {
    /// The catalogue entry that a person is told.
    pub fn problem(&self) -> &'static Entry {
        match self {
            Self::Unreachable => &HTTP_UNREACHABLE,
            Self::Tls => &HTTP_TLS,
            Self::Timeout => &HTTP_TIMEOUT,
            Self::Cut => &HTTP_CUT,
            Self::Protocol => &HTTP_PROTOCOL,
            Self::Endless => &HTTP_ENDLESS,
            Self::Damaged => &HTTP_DAMAGED,
            Self::Encoding => &HTTP_ENCODING,
            Self::Empty => &HTTP_EMPTY,
            Self::WrongContent => &HTTP_WRONG_CONTENT,
            Self::TooLarge => &HTTP_TOO_LARGE,
            Self::Redirect => &HTTP_REDIRECT,
            Self::UnexpectedStatus(_) => &HTTP_UNEXPECTED_STATUS,
            Self::Status(failure) => match failure.status {
                401 => &HTTP_UNAUTHORISED,
                403 => &HTTP_FORBIDDEN,
                404 | 410 => &HTTP_NOT_FOUND,
                409 => &HTTP_CONFLICT,
                429 => &HTTP_RATE_LIMITED,
                500.. => &HTTP_SERVER_ERROR,
                _ => &HTTP_BAD_REQUEST,
            },
        }
    }

    /// The occurrence, with what is known of it.
    pub fn to_problem(&self) -> Problem {
        match self {
            Self::UnexpectedStatus(status) => self.problem().with(format_args!("status {status}")),
            Self::Status(failure) => self.problem().with(failure.particulars()),
            _ => self.problem().plain(),
        }
    }

    /// Whether the same request may be tried again in this run.
    pub fn retryable(&self) -> Retry {
        match self {
            Self::Unreachable
            | Self::Timeout
            | Self::Cut
            | Self::Protocol
            | Self::Endless
            | Self::Damaged
            | Self::Empty => Retry::Backoff,
            Self::Tls
            | Self::Encoding
            | Self::WrongContent
            | Self::TooLarge
            | Self::Redirect
            | Self::UnexpectedStatus(_) => Retry::No,
            Self::Status(failure) => failure.retryable(),
        }
    }
}

impl StatusFailure {
    /// The provider's own word decides; else what passes by itself: 408, 409, 425, 429 and 5xx.
    fn retryable(&self) -> Retry {
        let passes = matches!(self.status, 408 | 409 | 425 | 429 | 500..);
        if !self.should_retry.unwrap_or(passes) {
            return Retry::No;
        }
        match self.retry_after {
            Some(wait) if !wait.is_zero() => Retry::After(wait),
            _ if self.status == 429 => Retry::After(RATE_WAIT),
            _ => Retry::Backoff,
        }
    }

    fn particulars(&self) -> String {
        let mut text = format!("status {}", self.status);
        let named = [
            ("type", &self.error_type),
            ("code", &self.error_code),
            ("permission", &self.permission),
            ("request", &self.request_id),
        ];
        for (name, value) in named {
            if let Some(value) = value {
                text.extend([", ", name, " ", value]);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16) -> StatusFailure {
        StatusFailure {
            status,
            retry_after: None,
            should_retry: None,
            rate_reason: None,
            request_id: None,
            error_type: None,
            error_code: None,
            permission: None,
            date_ms: None,
        }
    }

    fn of(failure: StatusFailure) -> Failure {
        Failure::Status(Box::new(failure))
    }

    #[test]
    fn each_status_has_its_entry() {
        let told = [
            (400, "http.bad_request"),
            (401, "http.unauthorised"),
            (402, "http.bad_request"),
            (403, "http.forbidden"),
            (404, "http.not_found"),
            (409, "http.conflict"),
            (422, "http.bad_request"),
            (429, "http.rate_limited"),
            (500, "http.server_error"),
            (503, "http.server_error"),
        ];
        for (code, entry) in told {
            assert_eq!(of(status(code)).problem().code, entry);
        }
    }

    #[test]
    fn the_providers_word_decides_about_another_try() {
        for code in [408, 409, 500, 502, 503] {
            assert_eq!(of(status(code)).retryable(), Retry::Backoff, "{code}");
        }
        for code in [400, 401, 403, 404, 422] {
            assert_eq!(of(status(code)).retryable(), Retry::No, "{code}");
        }
        assert_eq!(of(status(429)).retryable(), Retry::After(RATE_WAIT));
        assert_eq!(of(StatusFailure { should_retry: Some(false), ..status(500) }).retryable(), Retry::No);
        assert_eq!(of(StatusFailure { should_retry: Some(true), ..status(400) }).retryable(), Retry::Backoff);
        let wait = Some(Duration::from_secs(9));
        assert_eq!(
            of(StatusFailure { retry_after: wait, ..status(503) }).retryable(),
            Retry::After(Duration::from_secs(9))
        );
        assert_eq!(of(StatusFailure { retry_after: wait, ..status(403) }).retryable(), Retry::No);
        assert_eq!(
            of(StatusFailure { retry_after: Some(Duration::ZERO), ..status(429) }).retryable(),
            Retry::After(RATE_WAIT)
        );
    }

    #[test]
    fn a_problem_names_what_is_known() {
        let failure = StatusFailure {
            error_type: Some("invalid_request_error".into()),
            permission: Some("rak_charge_read".into()),
            request_id: Some("req_1".into()),
            ..status(403)
        };
        assert_eq!(
            of(failure).to_problem().detail(),
            "status 403, type invalid_request_error, permission rak_charge_read, request req_1"
        );
        assert_eq!(Failure::UnexpectedStatus(206).to_problem().detail(), "status 206");
        assert_eq!(Failure::Cut.to_problem().detail(), "");
    }
}
