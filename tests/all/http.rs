//! Tests of `http`: a hand-made server that answers wrongly in every way we know, the right answers beside them, and
//! TLS with a certificate authority of our own.

mod faults;
mod server;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use counterfoil::http::{Answer, Expect, Failure, Method, NetOptions, NetTransport, Request, fetch};
use counterfoil::vault::Secret;

/// Stands in every place from which a secret could leak into a text.
pub(crate) const CANARY: &str = "Canary-7f3A";

/// Long enough for a busy machine; only the stalling answers get less.
pub(crate) const AMPLE: Duration = Duration::from_secs(20);

pub(crate) fn transport() -> NetTransport {
    NetTransport::new(&NetOptions { plain: true, ..NetOptions::default() }).unwrap()
}

pub(crate) fn get(url: String, deadline: Duration) -> Request {
    Request {
        method: Method::Get,
        url,
        headers: vec![("accept", "application/json".into())],
        bearer: Some(Arc::new(Secret::new(CANARY.as_bytes().to_vec()))),
        body: None,
        deadline,
    }
}

/// Fetches, and sees to it that nothing printable holds the canary.
pub(crate) async fn ask(net: &NetTransport, request: Request, expect: &Expect) -> Result<Answer, Failure> {
    let result = fetch(net, request, expect).await;
    let mut texts = vec![format!("{result:?}")];
    if let Err(failure) = &result {
        let problem = failure.to_problem();
        texts.extend([format!("{problem:?}"), format!("{problem}"), problem.detail().to_owned()]);
    }
    for text in texts {
        assert!(!text.contains(CANARY) && !text.contains("127.0.0.1"), "{text}");
    }
    result
}
