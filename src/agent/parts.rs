//! The parts that everything which acts is made of: the lock, the store's writer, the vault, the connections ready to read.
//! The agent holds them while it runs; a command that acts alone holds them while it acts. It decides nothing.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::privacy;
use crate::clock::Clock;
use crate::config::{Config, Connection as Wanted, Privacy, Provider as Kind};
use crate::entropy::Entropy;
use crate::http::{NetOptions, NetTransport, Transport};
use crate::paths::Paths;
use crate::problem::{self, Result};
use crate::providers::{self, Of, Provider};
use crate::store::{Account, Lock, Marks, Store, StoreHandle, Target, Upsert};
use crate::stream::{Projection, Tokens};
use crate::sync::{Caller, Connection, Keys, Line, Progress, Terms, Writing};
use crate::testpoint::planted;
use crate::vault::{KeyFile, Origin, Secret, TokenKey, Vault};

/// The version of the key that makes tokens.
const TOKEN_VERSION: u32 = 1;

/// The seams that a whole agent is started with.
#[derive(Clone)]
pub struct Seams {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// The way to the network; `None`: the real one, made for each connection as it is configured.
    pub transport: Option<Arc<dyn Transport>>,
    /// Where the store's writer runs, and over what.
    pub writer: Writer,
}

/// Where the store's writer runs, and over what.
#[derive(Clone, Default)]
pub struct Writer {
    /// In the caller instead of on a thread of its own: where nothing may pass a paused clock.
    pub inline: bool,
    /// The SQLite VFS that the store and `egress.db` open through; `None`: the system's.
    pub vfs: Option<String>,
}

/// What acting needs.
pub struct Parts {
    /// Time and chance.
    pub seams: Seams,
    /// Where things lie.
    pub paths: Paths,
    /// The way to the writer.
    pub store: StoreHandle,
    /// The store's own name.
    pub store_uuid: String,
    /// The store's file.
    pub store_path: std::path::PathBuf,
    vault: Arc<Mutex<Vault>>,
    config: Mutex<Arc<Config>>,
    /// Connections that were made ready, each with what it was made by.
    ready: Mutex<BTreeMap<String, (Made, Arc<Connection>)>>,
    _lock: Lock,
}

/// What a connection is made by: with another table in the configuration, or other columns to store, it is another one.
#[derive(PartialEq)]
struct Made {
    wanted: Wanted,
    privacy: Privacy,
}

impl Parts {
    /// Takes the lock and opens store and vault; makes what is not there yet.
    pub fn open(paths: Paths, config: Arc<Config>, seams: Seams) -> Result<Self> {
        make_folder(&paths.data_dir)?;
        let lock = Lock::take(&paths.lock())?;
        let vault = open_vault(&paths, &*seams.entropy)?;
        let store_path = paths.store(config.store.path.as_deref());
        if let Some(folder) = store_path.parent() {
            make_folder(folder)?;
        }
        let schema = super::schema()?;
        let mut store = Store::open(&store_path, &schema, seams.writer.vfs.as_deref(), &*seams.entropy)?;
        privacy::apply(&mut store, &schema, &config.privacy)?;
        let store_uuid = store.uuid()?;
        let store = if seams.writer.inline { StoreHandle::inline(store) } else { StoreHandle::thread(store) };
        Ok(Self {
            seams,
            paths,
            store,
            store_uuid,
            store_path,
            vault: Arc::new(Mutex::new(vault)),
            config: Mutex::new(config),
            ready: Mutex::default(),
            _lock: lock,
        })
    }

    /// The configuration in force.
    pub fn config(&self) -> Arc<Config> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another configuration into force. Connections are made ready anew when they are next used.
    pub fn set_config(&self, config: Arc<Config>) {
        *self.config.lock().unwrap_or_else(PoisonError::into_inner) = config;
    }

    /// The vault, for as long as the guard is held.
    pub fn vault(&self) -> MutexGuard<'_, Vault> {
        self.vault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The table of a connection in the configuration.
    pub fn wanted(&self, name: &str) -> Result<Wanted> {
        let config = self.config();
        config.connections.get(name).cloned().ok_or_else(|| {
            let known: Vec<&str> = config.connections.keys().map(String::as_str).collect();
            problem::NO_CONNECTION.with(format!(
                "{name} (there are: {})",
                if known.is_empty() { "none".to_owned() } else { known.join(", ") }
            ))
        })
    }

    /// The account of a connection, made when its name is new.
    pub async fn account(&self, name: &str) -> Result<Account> {
        let provider = provider_of(&self.wanted(name)?)?.name;
        let (name, now, entropy) = (name.to_owned(), self.seams.clock.wall_ms(), self.seams.entropy.clone());
        let account = self.store.run(move |store| store.ensure_account(&name, provider, now, &*entropy)).await?;
        if account.provider != provider {
            return Err(problem::CONNECTION_PROVIDER.with(format!("{}, not {provider}", account.provider)));
        }
        Ok(account)
    }

    /// A connection, ready to read with the key of the vault. Made once and kept until its configuration changes.
    pub async fn connection(&self, name: &str) -> Result<Arc<Connection>> {
        let made = Made { wanted: self.wanted(name)?, privacy: self.config().privacy.clone() };
        let wanted = &made.wanted;
        {
            let ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((same, connection)) = ready.get(name)
                && *same == made
            {
                return Ok(connection.clone());
            }
        }
        let account = self.account(name).await?;
        let keys = Arc::new(VaultKeys {
            connection: name.to_owned(),
            vault: self.vault.clone(),
            account: account.uuid.clone(),
            field: field(wanted.keys().first().copied().unwrap_or(crate::config::DEFAULT_KEY)),
            origin: Origin::parse(wanted.base_url.origin())?,
        });
        let connection = Arc::new(self.make(name, wanted, &account, keys)?);
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody else may have made it in the meantime: of one account there is one connection that stores.
        if let Some((_, same)) = ready.get(name).filter(|(same, _)| *same == made) {
            return Ok(same.clone());
        }
        if let Some((_, before)) = ready.insert(name.to_owned(), (made, connection.clone())) {
            before.store.retire();
        }
        Ok(connection)
    }

    /// Requests a second, now and at most, of the connections that their provider slowed down.
    pub fn paces(&self) -> Value {
        let ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        let paces =
            ready.iter().map(|(name, (made, one))| (name, one.caller.per_second(), made.wanted.requests_per_second));
        let lowered = paces.filter(|(_, now, most)| now < most);
        lowered.map(|(name, now, most)| (name.clone(), json!({"now": now, "most": most}))).collect()
    }

    /// Forgets a connection that was made ready (its key or its name changed); what it has under way stores nothing more.
    pub fn unready(&self, name: &str) {
        let before = self.ready.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        before.inspect(|(_, connection)| connection.store.retire());
    }

    /// Forgets all of them (what is stored changed).
    pub fn unready_all(&self) {
        let before = std::mem::take(&mut *self.ready.lock().unwrap_or_else(PoisonError::into_inner));
        before.values().for_each(|(_, connection)| connection.store.retire());
    }

    /// A connection with whatever keys are given: a candidate key is tried this way before it is sealed.
    pub fn make(&self, name: &str, wanted: &Wanted, account: &Account, keys: Arc<dyn Keys>) -> Result<Connection> {
        let provider = provider_of(wanted)?;
        let transport = self.transport(wanted)?;
        let (clock, entropy) = (self.seams.clock.clone(), self.seams.entropy.clone());
        let base_url = wanted.base_url.to_string().trim_end_matches('/').to_owned();
        let caller = Caller::new(
            provider,
            base_url,
            (transport, keys),
            (clock.clone(), entropy.clone()),
            wanted.requests_per_second,
        );
        Ok(Connection {
            name: name.to_owned(),
            account: account.account,
            live: account.livemode,
            provider,
            start: wanted.start_ms(),
            caller,
            store: Writing::new(self.store.clone()),
            clock,
            entropy,
            lines: self.lines(wanted, provider, account)?,
            terms: terms(wanted)?,
            progress: Arc::new(Progress::default()),
            spent: Mutex::default(),
            left: Mutex::default(),
            reads: tokio::sync::Mutex::new((0, 0)),
            busy: tokio::sync::Mutex::new(()),
        })
    }

    fn lines(&self, wanted: &Wanted, provider: &'static Provider, account: &Account) -> Result<Vec<Arc<Line>>> {
        let config = self.config();
        let tokens: Arc<dyn Tokens> = Arc::new(VaultTokens(self.vault().token_key(TOKEN_VERSION)?));
        let profile = privacy::profile(config.privacy.local);
        check_streams(wanted)?;
        let line = |stream: &'static providers::Stream| {
            let declaration = stream.declaration()?;
            let keys = &config.privacy.metadata_keys;
            let projection = Projection::new(&declaration, profile, tokens.clone(), provider.exponent, keys);
            let projection = projection.telling_mode(provider.mode);
            let cell = |name: &str| {
                let found = declaration.main().column(name).and_then(|column| projection.cell_of(column));
                found.ok_or_else(|| problem::DECLARATION.with(format!("{}: no column {name}", stream.file)))
            };
            let clock_cell = cell(stream.clock.0)?;
            let mut upsert = Upsert::new(account.account, &declaration, &projection);
            upsert.marks = marks((wanted, provider), stream, &cell)?;
            upsert.behind_ms = stream.behind_s * 1000;
            let (upsert, size) = (Arc::new(upsert), AtomicI64::new(0));
            Ok(Arc::new(Line { stream, projection, upsert, clock_cell, size, doubts: Mutex::default() }))
        };
        provider.streams.iter().filter(|stream| reads(wanted, stream)).map(line).collect()
    }

    fn transport(&self, wanted: &Wanted) -> Result<Arc<dyn Transport>> {
        if let Some(transport) = &self.seams.transport {
            return Ok(transport.clone());
        }
        let options = NetOptions {
            ca_file: wanted.ca_file.clone(),
            proxy: wanted.proxy.as_ref().map(ToString::to_string),
            plain: wanted.base_url.origin().starts_with("http://"),
        };
        Ok(Arc::new(NetTransport::new(&options)?))
    }

    /// Lets the writer finish and closes the store in order.
    pub async fn close(self) -> Result<()> {
        drop(self.ready);
        self.store.close().await
    }
}

/// The provider of a connection's table.
pub fn provider_of(wanted: &Wanted) -> Result<&'static Provider> {
    let name = match &wanted.provider {
        Kind::Stripe { .. } => "stripe",
        Kind::Checkoutcom(_) => "checkoutcom",
    };
    providers::find(name).ok_or_else(|| problem::NO_CONNECTION.with(name))
}

/// The tables of a provider's streams.
pub fn tables(provider: &str) -> Vec<String> {
    let provider = providers::find(provider).into_iter();
    provider.flat_map(|known| known.streams.iter().map(|stream| known.table(stream))).collect()
}

/// What the budget of a connection hangs on besides the store.
pub fn terms(wanted: &Wanted) -> Result<Terms> {
    let provider = provider_of(wanted)?;
    let streams = provider.streams.iter().filter(|stream| reads(wanted, stream)).collect();
    Ok(Terms { provider, streams, reads_per_month: wanted.reads_per_month, poll: wanted.poll })
}

/// Whether a connection reads a stream: all when it names none, and what tells of changes in any case.
pub fn reads(wanted: &Wanted, stream: &providers::Stream) -> bool {
    let chosen = |list: &Vec<String>| list.iter().any(|one| one == stream.name);
    stream.heard == providers::Heard::IsFeed || wanted.streams.as_ref().is_none_or(chosen)
}

/// What the records of a stream say of others, in the cells of its projection; `None` when they say nothing. What a feed says
/// of a stream that is not read marks nothing: that stream is listed anew when it is read again. What other records say of it
/// nobody would say again, so that waits until then.
fn marks(
    (wanted, provider): (&Wanted, &Provider),
    stream: &providers::Stream,
    cell: &dyn Fn(&str) -> Result<usize>,
) -> Result<Option<Marks>> {
    let table = |stream: &providers::Stream| provider.table(stream);
    let waits = stream.heard != providers::Heard::IsFeed;
    let others =
        || provider.streams.iter().filter(|other| other.name != stream.name && (waits || reads(wanted, other)));
    let mut objects = Vec::new();
    for mark in provider.marks.iter().filter(|mark| mark.stream == stream.name) {
        let target = match mark.of {
            Of::Stream(name) => others().find(|other| other.name == name).map(|other| Target::Table(table(other))),
            Of::Named(column) => {
                let tables = others().map(|other| (other.object.to_owned(), table(other)));
                Some(Target::Named(cell(column)?, tables.collect()))
            }
        };
        if let Some(target) = target {
            objects.push((cell(mark.id)?, target));
        }
    }
    let clock = (stream.clock.0.to_owned(), cell(stream.clock.0)?);
    let indexed = provider.streams.iter().filter(|other| other.behind_s > 0).map(table).collect();
    Ok((!objects.is_empty()).then_some(Marks { clock, objects, indexed }))
}

/// Whether every stream that the configuration names exists.
pub fn check_streams(wanted: &Wanted) -> Result<()> {
    let provider = provider_of(wanted)?;
    let Some(odd) = wanted.streams.iter().flatten().find(|name| provider.stream(name).is_none()) else { return Ok(()) };
    let known: Vec<&str> = provider.streams.iter().map(|stream| stream.name).collect();
    Err(problem::CONNECTION_STREAM.with(format!("{odd} ({} has: {})", provider.name, known.join(", "))))
}

/// The vault's name for a connection's key.
pub fn field(key: &str) -> String {
    format!("key/{key}")
}

/// Opens the vault; on a machine without one makes it and its key file.
fn open_vault(paths: &Paths, entropy: &dyn Entropy) -> Result<Vault> {
    let (vault, key) = (paths.vault(), paths.vault_key());
    if vault.exists() {
        return Vault::open(&vault, KeyFile::load(&key)?);
    }
    let kek = if key.exists() {
        KeyFile::load(&key)?
    } else {
        if let Some(folder) = key.parent() {
            make_folder(folder)?;
        }
        KeyFile::create(&key, entropy)?
    };
    Vault::create(&vault, kek, entropy)
}

/// Makes a folder for the owner alone when it is not there; one that is there keeps its rights.
pub fn make_folder(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(path)
        .map_err(|error| problem::AGENT_DIRECTORY.with(format!("{} ({})", path.display(), error.kind())))
}

/// Lends a connection's key out of the vault, for its origin only.
struct VaultKeys {
    /// For words: the account's own name means nothing to a person.
    connection: String,
    vault: Arc<Mutex<Vault>>,
    account: String,
    field: String,
    origin: Origin,
}

impl Keys for VaultKeys {
    fn lend(&self) -> Result<Arc<Secret>> {
        let vault = self.vault.lock().unwrap_or_else(PoisonError::into_inner);
        vault.lend(&self.account, &self.field, &self.origin).map(Arc::new).map_err(|problem| {
            if problem.is(&problem::VAULT_NO_KEY) { problem::VAULT_NO_KEY.with(&self.connection) } else { problem }
        })
    }
}

/// A key that is not sealed yet.
pub struct Candidate(pub Arc<Secret>);

impl Keys for Candidate {
    fn lend(&self) -> Result<Arc<Secret>> {
        Ok(self.0.clone())
    }
}

struct VaultTokens(TokenKey);

impl Tokens for VaultTokens {
    fn token(&self, scope: &str, value: &str, out: &mut String) {
        if planted("token_in_clear") {
            return out.push_str(value);
        }
        self.0.write_token(scope, value, out);
    }
}
