//! Who may read: the keys a sandbox knows, what each may not do, and how each provider refuses.

use super::fault::FaceName;
use super::stripe::Answer;
use super::{checkoutcom, stripe};

/// A key the sandbox accepts.
#[derive(Debug, Clone)]
pub struct Key {
    /// The key itself: of test mode, worth nothing anywhere else.
    pub token: String,
    /// Permissions (Stripe, such as `charge_read`) or scopes (Checkout.com, such as `disputes:view`) it lacks.
    pub lacks: Vec<String>,
}

impl Key {
    /// A key that may read everything.
    pub fn reading_all(token: &str) -> Self {
        Self { token: token.to_owned(), lacks: Vec::new() }
    }
}

/// The refusal of a request, if it is refused. `account` names the account in Stripe's message.
pub(super) fn refuse(face: FaceName, keys: &[Key], header: Option<&str>, path: &str, account: &str) -> Option<Answer> {
    let token = header.and_then(token).unwrap_or_default();
    let Some(key) = keys.iter().find(|key| key.token == token) else {
        return Some(match face {
            FaceName::Stripe => stripe::error(401, None, None, &unknown(&token)),
            FaceName::CheckoutCom => Answer { status: 401, body: Vec::new() },
        });
    };
    let needed = match face {
        FaceName::Stripe => stripe::permission(path)?,
        FaceName::CheckoutCom => checkoutcom::scope(path)?,
    };
    if !key.lacks.iter().any(|lacked| lacked == needed) {
        return None;
    }
    Some(match face {
        FaceName::Stripe => {
            let message = format!(
                "The provided key '{}' does not have the required permissions for this endpoint on account '{account}'. \
                 Having the 'rak_{needed}' permission would allow this request to continue.",
                starred(&key.token)
            );
            stripe::error(403, Some("more_permissions_required"), None, &message)
        }
        FaceName::CheckoutCom => Answer { status: 403, body: Vec::new() },
    })
}

/// The key in an `Authorization` header: as a bearer, as the user of Basic, or bare.
fn token(header: &str) -> Option<String> {
    use base64::Engine as _;
    if let Some(basic) = header.strip_prefix("Basic ") {
        let pair = base64::engine::general_purpose::STANDARD.decode(basic.trim()).ok()?;
        let pair = String::from_utf8(pair).ok()?;
        return pair.split(':').next().map(str::to_owned);
    }
    Some(header.strip_prefix("Bearer ").unwrap_or(header).trim().to_owned())
}

fn unknown(token: &str) -> String {
    if token.is_empty() {
        return "You did not provide an API key. You need to provide your API key in the Authorization header, using \
                Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
            .to_owned();
    }
    format!("Invalid API Key provided: {}", starred(token))
}

/// A key as Stripe's messages show it: its prefix and its last four.
fn starred(token: &str) -> String {
    let prefix: String = token.chars().take(8).collect();
    let rest: Vec<char> = token.chars().skip(8).collect();
    let shown: String = rest.iter().skip(rest.len().saturating_sub(4)).collect();
    format!("{prefix}{}{shown}", "*".repeat(rest.len().saturating_sub(4)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_keys_in_each_form() {
        assert_eq!(token("Bearer rk_test_1").as_deref(), Some("rk_test_1"));
        assert_eq!(token("Basic cmtfdGVzdF8xOg==").as_deref(), Some("rk_test_1"));
        assert_eq!(token("sk_sbox_a").as_deref(), Some("sk_sbox_a"));
        assert_eq!(token("Basic %%%"), None);
    }

    #[test]
    fn refuses_unknown_keys_and_missing_permissions_by_name() {
        let keys = [Key { token: "rk_test_abcdefgh".into(), lacks: vec!["dispute_read".into()] }];
        let ask = |header, path| refuse(FaceName::Stripe, &keys, header, path, "acct_1");
        assert_eq!(ask(None, "/v1/charges").map(|answer| answer.status), Some(401));
        assert_eq!(ask(Some("Bearer rk_test_zzz"), "/v1/charges").map(|answer| answer.status), Some(401));
        assert!(ask(Some("Bearer rk_test_abcdefgh"), "/v1/charges").is_none());
        let refused = ask(Some("Bearer rk_test_abcdefgh"), "/v1/disputes/du_1").unwrap();
        assert_eq!(refused.status, 403);
        let text = String::from_utf8(refused.body).unwrap();
        assert!(text.contains("'rak_dispute_read'") && text.contains("'acct_1'"), "{text}");
        assert!(text.contains("rk_test_****efgh") && !text.contains("abcdefgh"), "{text}");
    }
}
