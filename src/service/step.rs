//! The steps of an installation under systemd. Each step knows whether it is done already, so that an installation can be
//! repeated, resumed after a failure, and used to bring in a new version. A step that was not needed changes nothing.

#[cfg(test)]
#[cfg(unix)]
mod tests;

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::account::Account;
use crate::problem::{Result, SERVICE_ACCOUNT, SERVICE_FILE, SERVICE_MANAGER, SERVICE_START};

/// The user that the agent runs as.
pub(super) const USER: &str = "counterfoil";
/// The group of those who may read the store.
pub(super) const READERS: &str = "counterfoil-read";
/// The unit's name.
pub(super) const UNIT: &str = "counterfoil.service";
/// The user and the group, in the words of sysusers.d(5).
pub(super) const SYSUSERS_TEXT: &str = include_str!("../../service/counterfoil.sysusers");

/// What a step needs of the system around it.
pub(super) trait System {
    /// The user of the agent in the group of the readers; `None` while one of them does not exist.
    fn account(&self) -> Option<Account>;
    /// Runs a program to its end; true when it says that all went well. Fails when there is no such program.
    fn run(&self, command: &mut Command) -> io::Result<bool>;
}

/// One step. Paths are absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Creates the user of the agent and the group of the readers.
    Account {
        /// Where the declaration of both is put, for systemd-sysusers(8).
        sysusers: PathBuf,
    },
    /// Puts the program where services find it.
    Program {
        /// The program that runs now.
        from: PathBuf,
        /// The program that the service runs.
        to: PathBuf,
    },
    /// Creates a folder that belongs to the agent; its files get the group of the readers.
    Folder {
        /// The folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Lets the program make what an agent needs first: a configuration, the vault and its key. As the agent's user.
    Init {
        /// The program.
        program: PathBuf,
        /// The configuration file.
        config: PathBuf,
        /// The files that are there afterwards.
        makes: Vec<PathBuf>,
    },
    /// Writes the unit and lets systemd read it.
    Unit {
        /// The unit's file.
        path: PathBuf,
        /// What stands in it.
        text: String,
    },
    /// Lets systemd start the agent with the machine.
    Enable,
    /// Starts the agent and waits until it is ready.
    Start {
        /// It may run already, with the program or unit of before.
        again: bool,
    },
}

/// A step, and whether it is done already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The step.
    pub step: Step,
    /// It needs no doing.
    pub done: bool,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account { sysusers } => {
                write!(f, "create the user {USER} and the group {READERS} (declared in {})", sysusers.display())
            }
            Self::Program { to, .. } => write!(f, "copy the program to {}", to.display()),
            Self::Folder { path, mode } => {
                write!(f, "make the folder {} (owner {USER}:{READERS}, mode {mode:04o})", path.display())
            }
            Self::Init { program, config, .. } => {
                write!(f, "run `{} --config {} init` as {USER}", program.display(), config.display())
            }
            Self::Unit { path, .. } => write!(f, "write the unit {}", path.display()),
            Self::Enable => write!(f, "enable {UNIT}"),
            Self::Start { again: false } => write!(f, "start {UNIT}"),
            Self::Start { again: true } => write!(f, "restart {UNIT}"),
        }
    }
}

impl Step {
    /// Whether all of it is as it should be.
    pub(super) fn is_done(&self, system: &dyn System) -> bool {
        match self {
            Self::Account { .. } => system.account().is_some(),
            Self::Program { from, to } => same_file(from, to),
            Self::Folder { path, mode } => {
                let account = system.account();
                account.is_some() && Account::owner(path) == account && mode_of(path) == Some(*mode)
            }
            Self::Init { makes, .. } => makes.iter().all(|file| file.exists()),
            Self::Unit { path, text } => fs::read(path).is_ok_and(|there| there == text.as_bytes()),
            Self::Enable => asks(system, "is-enabled"),
            Self::Start { again } => !again && asks(system, "is-active"),
        }
    }

    /// Does it.
    pub(super) fn carry_out(&self, system: &dyn System) -> Result<()> {
        match self {
            Self::Account { sysusers } => make_account(system, sysusers),
            Self::Program { from, to } => {
                let program = fs::read(from).map_err(|error| misplaced(from, &error))?;
                put(to, &program, 0o755)
            }
            Self::Folder { path, mode } => make_folder(path, *mode, known(system)?),
            Self::Init { program, config, .. } => init(system, program, config),
            Self::Unit { path, text } => {
                put(path, text.as_bytes(), 0o644)?;
                manager(system, &["daemon-reload"])
            }
            Self::Enable => manager(system, &["enable", "--quiet", UNIT]),
            Self::Start { again } => {
                let verb = if *again { "restart" } else { "start" };
                manager(system, &[verb, UNIT]).map_err(|_| SERVICE_START.plain())
            }
        }
    }
}

/// Runs systemctl(1).
pub(super) fn manager(system: &dyn System, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("systemctl");
    command.args(arguments);
    succeed(system, &mut command)
}

/// What systemctl says to a yes-or-no question about the unit.
fn asks(system: &dyn System, question: &str) -> bool {
    system.run(Command::new("systemctl").args([question, "--quiet", UNIT])).unwrap_or(false)
}

fn succeed(system: &dyn System, command: &mut Command) -> Result<()> {
    let name = |command: &Command| {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
    };
    match system.run(command) {
        Ok(true) => Ok(()),
        Ok(false) => Err(SERVICE_MANAGER.with(name(command))),
        Err(error) => Err(SERVICE_MANAGER.with(format_args!("{} ({})", name(command), error.kind()))),
    }
}

fn known(system: &dyn System) -> Result<Account> {
    system.account().ok_or_else(|| SERVICE_ACCOUNT.plain())
}

/// By systemd's own tool; where that is missing, by those of the base system.
fn make_account(system: &dyn System, sysusers: &Path) -> Result<()> {
    put(sysusers, SYSUSERS_TEXT.as_bytes(), 0o644)?;
    let missing = |result: &io::Result<bool>| matches!(result, Err(error) if error.kind() == ErrorKind::NotFound);
    if missing(&system.run(Command::new("systemd-sysusers").arg(sysusers))) {
        succeed(system, Command::new("groupadd").args(["--system", "--force", READERS]))?;
        let home = ["--home-dir", "/var/lib/counterfoil", "--no-create-home", "--shell", "/usr/sbin/nologin"];
        let groups = ["--system", "--user-group", "--groups", READERS];
        succeed(system, Command::new("useradd").args(groups).args(home).arg(USER))?;
    }
    known(system).map(|_| ())
}

fn init(system: &dyn System, program: &Path, config: &Path) -> Result<()> {
    let account = known(system)?;
    let mut command = Command::new(program);
    command.arg("--config").arg(config).arg("init");
    // Nothing of root's surroundings: its home, its folder, its terminal.
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin").current_dir("/").stdin(std::process::Stdio::null());
    let umask = Umask::of_service();
    let result = succeed(system, account.run(&mut command));
    drop(umask);
    result
}

/// The unit's `UMask=`, for as long as this value lives: what is made for the readers must not depend on root's own.
struct Umask(#[cfg(unix)] rustix::fs::Mode);

impl Umask {
    fn of_service() -> Self {
        Self(
            #[cfg(unix)]
            rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o027)),
        )
    }
}

impl Drop for Umask {
    fn drop(&mut self) {
        #[cfg(unix)]
        rustix::process::umask(self.0);
    }
}

fn misplaced(path: &Path, error: &io::Error) -> crate::problem::Problem {
    SERVICE_FILE.with(format_args!("{} ({})", path.display(), error.kind()))
}

/// A file with this content, whole or not at all: a program that runs cannot be written to, but replaced.
fn put(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    let write = || {
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
        let mut file = fs::File::create(&fresh)?;
        file.write_all(bytes)?;
        set_mode(&fresh, mode)?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    };
    write().map_err(|error| misplaced(path, &error))
}

/// Makes the folder the account's own, and what is in it if it was somebody else's until now (root may have begun by
/// hand). The content of a folder that is the account's already is left: root gives away nothing that the account put there.
fn make_folder(path: &Path, mode: u32, account: Account) -> Result<()> {
    let make = || {
        match fs::create_dir(path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        if !fs::symlink_metadata(path)?.is_dir() {
            return Err(ErrorKind::NotADirectory.into());
        }
        if Account::owner(path).is_none_or(|owner| owner.uid != account.uid) {
            own_content(path, account)?;
        }
        own(path, account)?;
        set_mode(path, mode)
    };
    make().map_err(|error| misplaced(path, &error))
}

/// Everything below the folder; links themselves, not what they point at.
fn own_content(folder: &Path, account: Account) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            own_content(&entry.path(), account)?;
        }
        own(&entry.path(), account)?;
    }
    Ok(())
}

fn same_file(a: &Path, b: &Path) -> bool {
    let is_one = matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b);
    is_one || matches!((fs::read(a), fs::read(b)), (Ok(a), Ok(b)) if a == b)
}

#[cfg(unix)]
fn own(path: &Path, account: Account) -> io::Result<()> {
    std::os::unix::fs::lchown(path, Some(account.uid), Some(account.gid))
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(unix)]
fn mode_of(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    Some(fs::symlink_metadata(path).ok()?.permissions().mode() & 0o7777)
}

/// No systemd there, so no step is ever carried out.
#[cfg(not(unix))]
fn own(_: &Path, _: Account) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) -> io::Result<()> {
    Err(ErrorKind::Unsupported.into())
}

#[cfg(not(unix))]
fn mode_of(_: &Path) -> Option<u32> {
    None
}
