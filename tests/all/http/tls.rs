//! TLS with a certificate authority of our own: HTTP/2 and its ends of a body, HTTP/1.1 cut below TLS, who is trusted,
//! and a machine that trusts nobody.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use counterfoil::http::{Expect, Failure, NetOptions, NetTransport, Transport, Version};
use hyper::body::{Body, Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::{AMPLE, CANARY, ask, get, transport};

const JSON: &str = "{\"data\":[]}";

fn authority(alpn: &[&str]) -> (String, TlsAcceptor) {
    let (pem, config) = crate::broken::authority::authority(alpn);
    (pem, TlsAcceptor::from(Arc::new(config)))
}

fn trusting(folder: &Path, pem: &str) -> NetTransport {
    let file = folder.join("ca.pem");
    std::fs::write(&file, pem).unwrap();
    NetTransport::new(&NetOptions { ca_file: Some(file), ..NetOptions::default() }).unwrap()
}

/// A body in pieces; `None` breaks the stream off.
struct Pieces(VecDeque<Option<&'static str>>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        Poll::Ready(self.0.pop_front().map(|piece| {
            piece.map(|text| Frame::data(Bytes::from(text))).ok_or_else(|| std::io::Error::other("broken off"))
        }))
    }
}

fn answer(request: &hyper::Request<Incoming>) -> hyper::Response<Pieces> {
    let (length, pieces) = match request.uri().path() {
        "/longer-than-said" => (Some("5"), vec![Some(JSON)]),
        "/shorter-than-said" => (Some("100"), vec![Some(JSON)]),
        "/broken-off" => (None, vec![Some("{\"da"), None]),
        "/broken-off-with-length" => (Some("11"), vec![Some("{\"da"), None]),
        "/with-length" => (Some("11"), vec![Some("{\"da"), Some("ta\":[]}")]),
        _ => (None, vec![Some("{\"da"), Some("ta\":[]}")]),
    };
    let response = hyper::Response::builder().header("content-type", "application/json");
    let response = length.into_iter().fold(response, |response, length| response.header("content-length", length));
    response.body(Pieces(pieces.into())).unwrap()
}

/// A server that speaks HTTP/2 where the client offers it; it ends with the test's runtime.
async fn start(acceptor: TlsAcceptor) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service =
                    hyper::service::service_fn(|request| async move { Ok::<_, Infallible>(answer(&request)) });
                let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                drop(server.serve_connection(TokioIo::new(stream), service).await);
            });
        }
    });
    address
}

#[tokio::test]
async fn http2_bodies_end_where_the_stream_says() {
    let folder = tempfile::tempdir().unwrap();
    let (pem, acceptor) = authority(&["h2", "http/1.1"]);
    let address = start(acceptor).await;
    let net = trusting(folder.path(), &pem);
    let url = |path: &str| format!("https://{address}/{path}?q={CANARY}");
    let response = net.send(get(url("whole"), AMPLE)).await.map_err(|error| format!("{error:?}")).unwrap();
    assert_eq!((response.status, response.version), (200, Version::Http2));
    for path in ["whole", "with-length"] {
        let answer = ask(&net, get(url(path), AMPLE), &Expect::json(1000)).await.unwrap();
        assert_eq!(answer.body, JSON.as_bytes(), "{path}");
    }
    for path in ["longer-than-said", "shorter-than-said", "broken-off", "broken-off-with-length"] {
        let result = ask(&net, get(url(path), AMPLE), &Expect::json(1000)).await;
        assert_eq!(result.err(), Some(Failure::Cut), "{path}");
    }
    let result = ask(&net, get(url("whole"), AMPLE), &Expect::json(10)).await;
    assert_eq!(result.err(), Some(Failure::TooLarge));
}

#[tokio::test]
async fn without_http2_the_same_server_speaks_http11() {
    let folder = tempfile::tempdir().unwrap();
    let (pem, acceptor) = authority(&["http/1.1"]);
    let address = start(acceptor).await;
    let net = trusting(folder.path(), &pem);
    let response = net.send(get(format!("https://{address}/"), AMPLE)).await;
    assert_eq!(response.map(|response| response.version).ok(), Some(Version::Http11));
    let answer = ask(&net, get(format!("https://{address}/"), AMPLE), &Expect::json(1000)).await.unwrap();
    assert_eq!(answer.body, JSON.as_bytes());
}

#[tokio::test]
async fn only_the_named_authority_for_the_named_host_is_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let (pem, acceptor) = authority(&["h2"]);
    let (other, _) = authority(&["h2"]);
    let address = start(acceptor).await;
    let url = format!("https://{address}/?q={CANARY}");
    let ours = trusting(folder.path(), &pem);
    assert!(ask(&ours, get(url.clone(), AMPLE), &Expect::json(1000)).await.is_ok());
    let mut refused = vec![
        ask(&transport(), get(url.clone(), AMPLE), &Expect::json(1000)).await,
        ask(&trusting(folder.path(), &other), get(url.clone(), AMPLE), &Expect::json(1000)).await,
    ];
    // The certificate names the address, not this name of it.
    let named = format!("https://localhost:{}/", address.port());
    refused.push(ask(&ours, get(named, AMPLE), &Expect::json(1000)).await);
    for result in refused {
        assert_eq!(result.err(), Some(Failure::Tls));
    }
}

#[tokio::test]
async fn a_server_without_tls_is_a_tls_failure() {
    let folder = tempfile::tempdir().unwrap();
    let (pem, _) = authority(&[]);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        drop(stream.read(&mut [0; 64]).await);
    });
    let net = trusting(folder.path(), &pem);
    let result = ask(&net, get(format!("https://{address}/"), AMPLE), &Expect::json(1000)).await;
    assert_eq!(result.err(), Some(Failure::Tls));
}

/// A connection that is cut below TLS (no close_notify) must not look like the end of a body.
#[tokio::test]
async fn a_cut_below_tls_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let (pem, acceptor) = authority(&["http/1.1"]);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let framings = ["Content-Length: 11\r\n", "Transfer-Encoding: chunked\r\n", ""];
    tokio::spawn(async move {
        for framing in framings {
            let body = if framing.starts_with('T') { "b\r\n{\"da" } else { "{\"da" };
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = acceptor.accept(stream).await.unwrap();
            while stream.read(&mut [0; 4096]).await.unwrap() == 4096 {}
            let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{framing}\r\n{body}");
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.flush().await.unwrap();
            let (tcp, _tls) = stream.into_inner();
            drop(tcp);
        }
    });
    let net = trusting(folder.path(), &pem);
    for (framing, expected) in framings.iter().zip([Failure::Cut, Failure::Cut, Failure::Endless]) {
        let result = ask(&net, get(format!("https://{address}/"), AMPLE), &Expect::json(1000)).await;
        assert_eq!(result.err(), Some(expected), "{framing:?}");
    }
}

#[test]
fn an_unusable_ca_file_is_named_with_its_fault() {
    let folder = tempfile::tempdir().unwrap();
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (content, fault) in [
        (None, "entity not found"),
        (Some(""), "no certificate in PEM form"),
        (Some("hello"), "no certificate in PEM form"),
        (Some(broken), "not a valid certificate"),
    ] {
        let file = folder.path().join("own.pem");
        drop(std::fs::remove_file(&file));
        content.inspect(|text| std::fs::write(&file, text).unwrap());
        let options = NetOptions { ca_file: Some(file.clone()), ..NetOptions::default() };
        let problem = NetTransport::new(&options).err().unwrap();
        assert_eq!(
            (problem.code(), problem.detail()),
            ("http.ca_file", format!("{}: {fault}", file.display()).as_str())
        );
    }
}

/// Set for the copy of this test binary that plays a machine without authorities.
const BARE: &str = "COUNTERFOIL_TEST_BARE";

/// What a machine without authorities can do; run by the test below in a process of its own, because the environment
/// belongs to the whole process.
#[tokio::test]
async fn bare_machine() {
    let Some(proxy) = std::env::var_os(BARE) else { return };
    let problem = NetTransport::new(&NetOptions::default()).err().unwrap();
    assert_eq!(problem.code(), "http.no_roots");
    // Its own authority is enough, and so is plain HTTP.
    let folder = tempfile::tempdir().unwrap();
    let (pem, acceptor) = authority(&["h2"]);
    let address = start(acceptor).await;
    let net = trusting(folder.path(), &pem);
    assert!(ask(&net, get(format!("https://{address}/"), AMPLE), &Expect::json(1000)).await.is_ok());
    // The environment's proxy would answer; nobody is at the address asked for.
    assert_eq!(proxy, std::env::var_os("http_proxy").unwrap());
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let result = ask(&transport(), get(format!("http://{nobody}/"), AMPLE), &Expect::json(1000)).await;
    assert_eq!(result.err(), Some(Failure::Unreachable));
    println!("bare machine played");
}

#[cfg(target_os = "linux")]
#[test]
fn no_authorities_is_told_and_the_environments_proxy_is_not_used() {
    use super::server::{Script, Server, Then};
    let bytes = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{JSON}");
    let proxy = Server::start(vec![Script { bytes: bytes.into(), then: Then::Next }]);
    let address = format!("http://{}", proxy.address());
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "http::tls::bare_machine", "--nocapture"])
        .env("SSL_CERT_DIR", folder.path())
        .env_remove("SSL_CERT_FILE")
        .envs([(BARE, &address), ("http_proxy", &address), ("all_proxy", &address)])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("bare machine played"), "{text}");
    assert!(proxy.seen().is_empty());
}
