//! The steps of an installation under systemd. Each step knows whether it is done already, so that an installation can be
//! repeated, resumed after a failure, and used to bring in a new version. A step that was not needed changes nothing.

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

fn make_folder(path: &Path, mode: u32, account: Account) -> Result<()> {
    let make = || {
        match fs::create_dir(path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        if !fs::symlink_metadata(path)?.is_dir() {
            return Err(ErrorKind::NotADirectory.into());
        }
        own(path, account)?;
        set_mode(path, mode)
    };
    make().map_err(|error| misplaced(path, &error))
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

#[cfg(all(test, unix))]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    /// A system in which files are real, owned by who runs the test, and programs only noted.
    #[derive(Default)]
    struct Noted {
        account: Cell<Option<Account>>,
        ran: RefCell<Vec<String>>,
        missing: Vec<&'static str>,
        failing: Vec<&'static str>,
    }

    impl System for Noted {
        fn account(&self) -> Option<Account> {
            self.account.get()
        }

        fn run(&self, command: &mut Command) -> io::Result<bool> {
            let words = std::iter::once(command.get_program()).chain(command.get_args());
            let line = words.map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ");
            if self.missing.iter().any(|name| line.starts_with(name)) {
                return Err(ErrorKind::NotFound.into());
            }
            if line.starts_with("systemd-sysusers") || line.starts_with("useradd") {
                self.account.set(Some(own_account()));
            }
            let failing = self.failing.iter().any(|name| line.starts_with(name));
            self.ran.borrow_mut().push(line);
            Ok(!failing)
        }
    }

    fn own_account() -> Account {
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        Account { uid: uid.as_raw(), gid: gid.as_raw() }
    }

    /// Does a step that is not done, which it is afterwards; then it is not changed by being done again.
    fn does(step: &Step, system: &Noted) {
        assert!(!step.is_done(system), "{step}");
        step.carry_out(system).unwrap();
        assert!(step.is_done(system), "{step}");
        step.carry_out(system).unwrap();
        assert!(step.is_done(system), "{step}");
    }

    #[test]
    fn the_account_is_made_by_systemd_or_by_the_base_system() {
        let folder = tempfile::tempdir().unwrap();
        let sysusers = folder.path().join("sysusers.d").join("counterfoil.conf");
        let step = Step::Account { sysusers: sysusers.clone() };
        let system = Noted::default();
        does(&step, &system);
        assert_eq!(fs::read_to_string(&sysusers).unwrap(), SYSUSERS_TEXT);
        assert_eq!(system.ran.borrow()[0], format!("systemd-sysusers {}", sysusers.display()));

        let system = Noted { missing: vec!["systemd-sysusers"], ..Noted::default() };
        does(&step, &system);
        let useradd = "useradd --system --user-group --groups counterfoil-read --home-dir /var/lib/counterfoil \
                       --no-create-home --shell /usr/sbin/nologin counterfoil";
        assert_eq!(system.ran.borrow()[..2], ["groupadd --system --force counterfoil-read", useradd]);

        let system = Noted { missing: vec!["systemd-sysusers", "useradd", "groupadd"], ..Noted::default() };
        assert!(step.carry_out(&system).unwrap_err().is(&SERVICE_MANAGER));
    }

    #[test]
    fn the_program_is_replaced_even_while_it_runs() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a"), folder.path().join("bin").join("b"));
        fs::write(&from, "one").unwrap();
        let step = Step::Program { from: from.clone(), to: to.clone() };
        does(&step, &Noted::default());
        assert_eq!(mode_of(&to), Some(0o755));
        let running = fs::File::open(&to).unwrap();
        fs::write(&from, "two").unwrap();
        does(&step, &Noted::default());
        assert_eq!(fs::read_to_string(&to).unwrap(), "two");
        assert_eq!(io::read_to_string(running).unwrap(), "one", "another file, not other content");
        let in_place = Step::Program { from: to.clone(), to: to.clone() };
        assert!(in_place.is_done(&Noted::default()));
    }

    #[test]
    fn folders_get_owner_and_mode_and_nothing_else_is_taken_for_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let step = Step::Folder { path: path.clone(), mode: 0o2750 };
        let system = Noted::default();
        assert!(step.carry_out(&system).unwrap_err().is(&SERVICE_ACCOUNT));
        system.account.set(Some(own_account()));
        does(&step, &system);
        set_mode(&path, 0o755).unwrap();
        does(&step, &system);
        assert_eq!(mode_of(&path), Some(0o2750));

        fs::write(folder.path().join("precious"), "").unwrap();
        fs::create_dir(folder.path().join("elsewhere")).unwrap();
        set_mode(&folder.path().join("elsewhere"), 0o700).unwrap();
        std::os::unix::fs::symlink("elsewhere", folder.path().join("link")).unwrap();
        for name in ["precious", "link"] {
            let step = Step::Folder { path: folder.path().join(name), mode: 0o2750 };
            assert!(step.carry_out(&system).unwrap_err().is(&SERVICE_FILE), "{name}");
        }
        assert_eq!(mode_of(&folder.path().join("elsewhere")), Some(0o700), "a link is not followed");
    }

    #[test]
    fn what_an_agent_needs_first_is_made_once_by_the_program() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        fs::write(file("config"), "of the person").unwrap();
        let makes = vec![file("config"), file("key")];
        let step = Step::Init { program: "/p/counterfoil".into(), config: "/c.toml".into(), makes };
        let system = Noted::default();
        system.account.set(Some(own_account()));
        assert!(!step.is_done(&system), "a configuration alone is not enough");
        step.carry_out(&system).unwrap();
        assert_eq!(*system.ran.borrow(), ["/p/counterfoil --config /c.toml init"]);
        fs::write(file("key"), "").unwrap();
        assert!(step.is_done(&system));
        assert_eq!(fs::read_to_string(file("config")).unwrap(), "of the person");
    }

    #[test]
    fn systemd_is_asked_and_told() {
        let folder = tempfile::tempdir().unwrap();
        let unit = Step::Unit { path: folder.path().join(UNIT), text: "[Unit]\n".into() };
        let system = Noted::default();
        does(&unit, &system);
        assert_eq!(system.ran.borrow()[0], "systemctl daemon-reload");

        let down = Noted { failing: vec!["systemctl is-"], ..Noted::default() };
        for (step, line) in [
            (Step::Enable, "systemctl enable --quiet counterfoil.service"),
            (Step::Start { again: false }, "systemctl start counterfoil.service"),
            (Step::Start { again: true }, "systemctl restart counterfoil.service"),
        ] {
            assert!(!step.is_done(&down), "{step}");
            assert_eq!(step.is_done(&system), step != Step::Start { again: true }, "{step}");
            step.carry_out(&down).unwrap();
            assert_eq!(down.ran.borrow().last().unwrap(), line);
        }
        let broken = Noted { failing: vec!["systemctl"], ..Noted::default() };
        assert!(Step::Start { again: false }.carry_out(&broken).unwrap_err().is(&SERVICE_START));
        let problem = Step::Enable.carry_out(&broken).unwrap_err();
        assert!(problem.is(&SERVICE_MANAGER));
        assert_eq!(problem.detail(), "systemctl enable --quiet counterfoil.service");
    }
}
