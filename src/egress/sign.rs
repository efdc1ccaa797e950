//! Digests and signatures of requests: the fixed profile of HTTP Message Signatures (RFC 9421, Ed25519) over a
//! Content-Digest (RFC 9530, SHA-256), both ways, and Ed25519 itself. It holds no key: signing goes through [`Signer`].

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::digest;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

/// The media type of everything we send.
pub const CONTENT_TYPE: &str = "application/json";

/// The label of our signature in the two headers.
const LABEL: &str = "counterfoil";

/// Signs for this install (or for the receiver): the private key stays behind it.
pub trait Signer: Send + Sync {
    /// The Ed25519 public key.
    fn public_key(&self) -> [u8; 32];
    /// The Ed25519 signature of a message.
    fn sign(&self, message: &[u8]) -> [u8; 64];
}

/// A signer over a key pair in memory.
pub struct Ed25519Signer(Ed25519KeyPair);

/// What a signature covers besides the headers.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// `PUT` or `POST`.
    pub method: &'a str,
    /// Host in lower case, and the port unless it is the scheme's own.
    pub authority: &'a str,
    /// Absolute path without query.
    pub path: &'a str,
}

impl Ed25519Signer {
    /// The key pair of a 32-byte seed (RFC 8032).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        // A seed of 32 bytes is the only thing that this call checks.
        #[allow(clippy::expect_used)]
        Self(Ed25519KeyPair::from_seed_unchecked(seed).expect("32 bytes are a seed"))
    }
}

impl Signer for Ed25519Signer {
    fn public_key(&self) -> [u8; 32] {
        let mut out = [0; 32];
        out.copy_from_slice(self.0.public_key().as_ref());
        out
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut out = [0; 64];
        out.copy_from_slice(self.0.sign(message).as_ref());
        out
    }
}

/// True when `signature` is this key's over `message`.
pub fn is_signed(public_key: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public_key).verify(message, signature).is_ok()
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

/// Standard base64 with padding.
pub fn base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// Exactly `N` bytes from standard base64 with padding.
pub fn unbase64<const N: usize>(text: &str) -> Option<[u8; N]> {
    BASE64.decode(text).ok()?.try_into().ok()
}

/// The bytes that a receipt signs.
pub fn receipt_message(install: &str, seq: i64, digest: &[u8; 32]) -> Vec<u8> {
    format!("counterfoil-receipt-v1\n{install}\n{seq}\n{}\n", base64(digest)).into_bytes()
}

/// The bytes that the receiver signs when it enrols an install: the whole pair, and what it was given.
pub fn enrolment_message(
    install: &str,
    receiver_key: &[u8; 32],
    public_key: &[u8; 32],
    registry: &[u8; 32],
) -> Vec<u8> {
    let (receiver_key, public_key, registry) = (base64(receiver_key), base64(public_key), base64(registry));
    format!("counterfoil-enrolment-v1\n{install}\n{receiver_key}\n{public_key}\n{registry}\n").into_bytes()
}

/// The headers of a signed request, all of them; `created` in seconds since 1970-01-01 UTC.
pub fn signed_headers(
    signer: &dyn Signer,
    target: Target<'_>,
    body: &[u8],
    created: i64,
) -> Vec<(&'static str, String)> {
    let digest = content_digest(body);
    let (params, base) = profile(target, &digest, created, &signer.public_key());
    vec![
        ("content-type", CONTENT_TYPE.to_owned()),
        ("content-digest", digest),
        ("signature-input", format!("{LABEL}={params}")),
        ("signature", format!("{LABEL}=:{}:", base64(&signer.sign(base.as_bytes())))),
    ]
}

/// True when the request was signed with this key in exactly our profile. `header` gives a header's only value.
pub fn is_request_signed<'h>(
    public_key: &[u8; 32],
    target: Target<'_>,
    header: impl Fn(&str) -> Option<&'h str>,
    body: &[u8],
) -> bool {
    let digest = content_digest(body);
    let created = header("signature-input")
        .and_then(|input| input.split_once(";created="))
        .and_then(|(_, rest)| rest.split_once(';'))
        .and_then(|(created, _)| created.parse().ok());
    let signature = header("signature")
        .and_then(|value| value.strip_prefix(LABEL)?.strip_prefix("=:")?.strip_suffix(':'))
        .and_then(unbase64::<64>);
    let (Some(created), Some(signature)) = (created, signature) else { return false };
    let (params, base) = profile(target, &digest, created, public_key);
    header("content-type") == Some(CONTENT_TYPE)
        && header("content-digest") == Some(digest.as_str())
        && header("signature-input") == Some(format!("{LABEL}={params}").as_str())
        && is_signed(public_key, base.as_bytes(), &signature)
}

/// RFC 9530.
fn content_digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", base64(&sha256(body)))
}

/// The signature parameters and the signature base of our fixed profile; the key id is the public key itself.
fn profile(target: Target<'_>, digest: &str, created: i64, public_key: &[u8; 32]) -> (String, String) {
    let components = [
        ("@method", target.method),
        ("@authority", target.authority),
        ("@path", target.path),
        ("content-type", CONTENT_TYPE),
        ("content-digest", digest),
    ];
    signature_base(&components, created, &base64(public_key))
}

/// RFC 9421 section 2.5: a line a component, and the parameters last.
fn signature_base(components: &[(&str, &str)], created: i64, key_id: &str) -> (String, String) {
    let names: Vec<String> = components.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    let params = format!("({});created={created};keyid=\"{key_id}\"", names.join(" "));
    let mut base: String = components.iter().map(|(name, value)| format!("\"{name}\": {value}\n")).collect();
    base.push_str(&format!("\"@signature-params\": {params}"));
    (params, base)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9421 appendix B.1.4: test-key-ed25519 (the seed inside the PKCS#8 key, and the public key).
    const SEED: &str = "n4Ni+HpISpVObnQMW0wOhCKROaIKqKtW/2ZYb2p9KcU=";
    const PUBLIC: &str = "JrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=";

    fn signer() -> Ed25519Signer {
        Ed25519Signer::from_seed(&unbase64(SEED).unwrap())
    }

    #[test]
    fn the_vector_of_rfc_9421_b_2_6_is_reproduced() {
        assert_eq!(base64(&signer().public_key()), PUBLIC);
        let components = [
            ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
            ("@method", "POST"),
            ("@path", "/foo"),
            ("@authority", "example.com"),
            ("content-type", "application/json"),
            ("content-length", "18"),
        ];
        let (params, base) = signature_base(&components, 1_618_884_473, "test-key-ed25519");
        assert_eq!(
            params,
            "(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" \"content-length\")\
             ;created=1618884473;keyid=\"test-key-ed25519\""
        );
        assert_eq!(
            base64(&signer().sign(base.as_bytes())),
            "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="
        );
    }

    #[test]
    fn the_digest_vector_of_rfc_9530_is_reproduced() {
        assert_eq!(
            content_digest(b"{\"hello\": \"world\"}\n"),
            "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
        );
    }

    #[test]
    fn what_the_receiver_signs_is_fixed() {
        let (a, b, c) = ("A".repeat(43), "AQEB".repeat(10), "AgIC".repeat(10));
        let text = |message: Vec<u8>| String::from_utf8(message).unwrap();
        let receipt = text(receipt_message("install-1", 7, &[0; 32]));
        assert_eq!(receipt, format!("counterfoil-receipt-v1\ninstall-1\n7\n{a}=\n"));
        let enrolment = text(enrolment_message("install-1", &[0; 32], &[1; 32], &[2; 32]));
        assert_eq!(enrolment, format!("counterfoil-enrolment-v1\ninstall-1\n{a}=\n{b}AQE=\n{c}AgI=\n"));
    }

    #[test]
    fn any_changed_part_of_a_request_is_seen() {
        let target = Target { method: "PUT", authority: "receiver.example", path: "/v1/installs/a/batches/1" };
        let headers = signed_headers(&signer(), target, b"body", 1_700_000_000);
        let verify = |target: Target<'_>, headers: &[(&str, String)], body: &[u8]| {
            let find = |name: &str| headers.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str());
            is_request_signed(&signer().public_key(), target, find, body)
        };
        assert!(verify(target, &headers, b"body"));
        assert!(!verify(target, &headers, b"bodY"));
        assert!(!verify(Target { method: "POST", ..target }, &headers, b"body"));
        assert!(!verify(Target { authority: "other.example", ..target }, &headers, b"body"));
        assert!(!verify(Target { path: "/v1/installs/a/batches/2", ..target }, &headers, b"body"));
        for at in 0..headers.len() {
            let mut changed = headers.clone();
            changed[at].1 = changed[at].1.replacen('=', "==", 1);
            changed[at].1.push('x');
            assert!(!verify(target, &changed, b"body"), "{}", changed[at].0);
            changed.remove(at);
            assert!(!verify(target, &changed, b"body"));
        }
        let later: Vec<_> = headers.iter().map(|(n, v)| (*n, v.replace("1700000000", "1700000001"))).collect();
        assert!(!verify(target, &later, b"body"));
    }
}
