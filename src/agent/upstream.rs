//! The agent's side of the road out: the key that signs, the network that carries, and the proven horizon up to which may be
//! released. What leaves is decided in `egress` alone.

use std::sync::Arc;
use std::time::Duration;

use super::parts::Parts;
use crate::clock::BoxFuture;
use crate::config::{Config, Connection, Mode as ConfigMode};
use crate::egress::{
    Consent, Courier, EnrolmentCode, Mode, OutboundRequest, Outbox, Pass, ReceiverUrl, Reply, SendFailure, Sender,
    Signer, Upstream, accept,
};
use crate::http::{Method, NetOptions, NetTransport, Request, Transport, TransportError};
use crate::problem::{self, Result};
use crate::providers;
use crate::store::Reader;
use crate::sync::{horizon, proven};
use crate::testpoint::planted;
use crate::vault::SigningKey;

/// The vault's name for the key that signs batches.
const INSTALL_KEY: &str = "upstream";
/// Longest wait for the receiver.
const DEADLINE: Duration = Duration::from_secs(60);

/// The streams whose events the released facts are made of, by table.
const FACT_STREAMS: [&str; 2] = ["stripe_charges", "checkoutcom_payments"];

struct VaultSigner(SigningKey);

impl Signer for VaultSigner {
    fn public_key(&self) -> [u8; 32] {
        self.0.public_key()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message)
    }
}

struct NetSender(Arc<dyn Transport>);

impl Sender for NetSender {
    fn send(&self, request: OutboundRequest) -> BoxFuture<'_, Result<Reply, SendFailure>> {
        Box::pin(async move {
            let method = if request.method() == "PUT" { Method::Put } else { Method::Post };
            let (url, headers) = (request.url().to_owned(), request.headers().to_vec());
            let body = Some(request.body().to_vec());
            let request = Request { method, url, headers, bearer: None, body, deadline: DEADLINE };
            let mut response = self.0.send(request).await.map_err(failure)?;
            let mut body = Vec::new();
            while let Some(chunk) = response.body.next().await {
                body.extend_from_slice(&chunk.map_err(failure)?);
                if body.len() > crate::egress::seam::MAX_REPLY {
                    return Err(SendFailure::TooLong);
                }
            }
            Ok(Reply { status: response.status, headers: response.headers.0, body })
        })
    }
}

fn failure(error: TransportError) -> SendFailure {
    match error {
        TransportError::Connect | TransportError::Tls => SendFailure::Connect,
        TransportError::Timeout => SendFailure::Timeout,
        TransportError::Cut | TransportError::Protocol => SendFailure::Cut,
    }
}

/// The upstream of the configuration; `None` when none is named.
pub fn upstream(parts: &Parts) -> Result<Option<Upstream>> {
    let config = parts.config();
    let Some(url) = &config.upstream.url else { return Ok(None) };
    let mode = match config.upstream.mode {
        ConfigMode::Off => Mode::Off,
        ConfigMode::Local => Mode::Local,
        ConfigMode::Hold => Mode::Hold,
        ConfigMode::On => Mode::On,
    };
    Ok(Some(Upstream { url: ReceiverUrl::parse(url.origin())?, mode }))
}

fn sender(parts: &Parts, upstream: &Upstream) -> Result<Arc<dyn Sender>> {
    let transport: Arc<dyn Transport> = match &parts.seams.transport {
        Some(transport) => transport.clone(),
        None => {
            let plain = upstream.url.as_str().starts_with("http://");
            Arc::new(NetTransport::new(&NetOptions { plain, ..NetOptions::default() })?)
        }
    };
    Ok(Arc::new(NetSender(transport)))
}

fn signer(parts: &Parts) -> Result<Arc<dyn Signer>> {
    let now = parts.seams.clock.wall_ms();
    Ok(Arc::new(VaultSigner(parts.vault().signing_key(INSTALL_KEY, now, &*parts.seams.entropy)?)))
}

fn outbox(parts: &Parts) -> Result<Outbox> {
    let vfs = parts.seams.writer.vfs.as_deref();
    Outbox::open(&parts.paths.egress(), &parts.store_uuid, vfs, &*parts.seams.entropy)
}

/// The moment before which every event is in the store and was read again after it had settled, over all connections.
/// Only time from `since` on counts (without it, from where each connection's newest whole stretch begins). `None` while a
/// connection has not come so far.
pub fn settled_until(reader: &Reader, starts: &[(String, i64)], since: Option<i64>) -> Result<Option<i64>> {
    let mut least: Option<i64> = None;
    for account in reader.accounts()? {
        let Some(name) = &account.connection else { continue };
        let Some((_, start)) = starts.iter().find(|(connection, _)| connection == name) else { continue };
        let Some(provider) = providers::find(&account.provider) else { continue };
        for stream in provider.streams {
            let table = provider.table(stream);
            if !FACT_STREAMS.contains(&table.as_str()) {
                continue;
            }
            let (windows, declaration) = (reader.windows(account.account, &table)?, stream.declaration()?);
            let since = since.or(horizon(&windows, *start, &declaration.hash).listed_from).unwrap_or(*start);
            let Some(until) = proven(&windows, since.max(*start), &declaration.hash) else { return Ok(None) };
            least = Some(least.map_or(until, |least| least.min(until)));
        }
    }
    Ok(least)
}

/// Names and starts of the configured connections that read what the facts are made of; the others hold nothing back.
pub fn starts(config: &Config) -> Vec<(String, i64)> {
    let reads = |wanted: &Connection| {
        let provider = wanted.provider_name();
        let chosen =
            |names: &Vec<String>| names.iter().any(|name| FACT_STREAMS.contains(&&*format!("{provider}_{name}")));
        wanted.streams.as_ref().is_none_or(chosen)
    };
    let wanted = config.connections.iter().filter(|(_, wanted)| reads(wanted));
    wanted.map(|(name, wanted)| (name.clone(), wanted.start_ms())).collect()
}

/// What is kept from one delivery to the next.
#[derive(Default)]
pub struct Kept {
    /// The courier of a receiver: it remembers how often it failed, and waits longer.
    courier: Option<(ReceiverUrl, Courier)>,
    /// The ways into the store and the outbox: opening them anew would read both schemas every time.
    files: Option<(Reader, Outbox)>,
}

/// Releases what is due and sends what waits.
pub async fn release_and_send(parts: &Parts, kept: &mut Kept) -> Result<(Vec<i64>, Pass)> {
    let Some(upstream) = upstream(parts)?.filter(|upstream| matches!(upstream.mode, Mode::Hold | Mode::On)) else {
        return Ok((Vec::new(), Pass::default()));
    };
    // Not put back when something fails: the next delivery opens both files anew.
    let (reader, mut outbox) = match kept.files.take() {
        Some((reader, outbox)) if outbox.is_at(&parts.paths.egress()) => (reader, outbox),
        _ => (Reader::open(&parts.store_path)?, outbox(parts)?),
    };
    let mut released = Vec::new();
    let since = outbox.next_day()?.map(|day| day.start_ms());
    let proven = match planted("released_by_wall_clock") {
        true => Some(parts.seams.clock.wall_ms()),
        false => settled_until(&reader, &starts(&parts.config()), since)?,
    };
    if let Some(until) = proven {
        released = outbox.release(reader.connection(), &upstream, until, &*parts.seams.clock)?;
    }
    let mut courier = match kept.courier.take() {
        Some((url, courier)) if url == upstream.url => courier,
        _ => {
            let (clock, entropy) = (parts.seams.clock.clone(), parts.seams.entropy.clone());
            Courier::new(sender(parts, &upstream)?, signer(parts)?, clock, entropy)
        }
    };
    let (config, settings) = (|| parts.config(), parts.config().upstream.clone());
    let pass = courier.pass_while(&mut outbox, &upstream, &|| config().upstream == settings).await;
    kept.courier = Some((upstream.url, courier));
    let pass = pass?;
    kept.files = Some((reader, outbox));
    Ok((released, pass))
}

/// Enrols with the receiver and records the consent.
pub async fn enrol(parts: &Parts, code: &str) -> Result<Consent> {
    let upstream = upstream(parts)?.ok_or_else(|| problem::EGRESS_URL.with("no [upstream] url is configured"))?;
    if upstream.mode == Mode::Off {
        return Err(problem::EGRESS_OFF.plain());
    }
    let code = EnrolmentCode::parse(code)?;
    let (sender, signer) = (sender(parts, &upstream)?, signer(parts)?);
    let mut outbox = outbox(parts)?;
    accept(&mut outbox, &upstream.url, &code, &*sender, &*signer, &*parts.seams.clock).await
}

/// Keeps a batch back, or lets a kept one go.
pub fn veto(parts: &Parts, seq: i64, hold: bool) -> Result<()> {
    let mut outbox = outbox(parts)?;
    if hold { outbox.hold(seq, &*parts.seams.clock) } else { outbox.approve(seq, &*parts.seams.clock) }
}
