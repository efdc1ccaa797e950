//! TLS for the sandbox: a certificate authority of its own, made anew at each start, and one certificate for loopback.

use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

use crate::problem::{Result, SANDBOX_CA};

/// A server configuration that offers HTTP/2 and HTTP/1.1; the authority's certificate is written to `ca_file` (PEM).
pub(super) fn server_config(ca_file: &Path) -> Result<Arc<ServerConfig>> {
    let (ca_pem, chain, key) = certificate().map_err(|error| SANDBOX_CA.with(error))?;
    std::fs::write(ca_file, ca_pem).map_err(|error| SANDBOX_CA.with(format!("{}: {error}", ca_file.display())))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| SANDBOX_CA.with(error))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

type Identity = (String, Vec<rustls::pki_types::CertificateDer<'static>>, PrivateKeyDer<'static>);

fn certificate() -> Result<Identity, rcgen::Error> {
    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::new(Vec::new())?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    ca.distinguished_name.push(DnType::CommonName, "Counterfoil sandbox");
    let ca_pem = ca.self_signed(&ca_key)?.pem();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate()?;
    let mut leaf = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()])?;
    leaf.distinguished_name.push(DnType::CommonName, "localhost");
    let certificate = leaf.signed_by(&key, &issuer)?;
    Ok((ca_pem, vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into())))
}
