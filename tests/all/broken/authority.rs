//! A certificate authority of the tests' own, and a server's configuration with a certificate from it for 127.0.0.1.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

/// An authority's PEM, and the configuration of a server that speaks these protocols (ALPN).
pub(crate) fn authority(alpn: &[&str]) -> (String, ServerConfig) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca = params.self_signed(&ca_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["127.0.0.1".into()]).unwrap();
    let leaf = leaf.signed_by(&key, &Issuer::from_params(&params, &ca_key)).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    (ca.pem(), config)
}

/// HTTP/1.1 alone: how HTTP/2 ends a body is the subject of `http::tls`.
pub(crate) struct Authority {
    /// The authority's certificate, PEM.
    pub(crate) file: PathBuf,
    pub(crate) config: Arc<ServerConfig>,
}

impl Authority {
    pub(crate) fn new(folder: &Path) -> Self {
        let (pem, config) = authority(&[]);
        let file = folder.join("authority.pem");
        std::fs::write(&file, pem).unwrap();
        Self { file, config: Arc::new(config) }
    }
}
