//! Where things lie: the configuration file, the data directory, the log directory. Reads the environment of the
//! service manager and the `directories` crate; creates nothing.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The configuration file's own name.
pub const CONFIG_NAME: &str = "counterfoil.toml";

/// Where everything of one installation lies. All paths are absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The configuration file.
    pub config_file: PathBuf,
    /// What the agent keeps: the store, the vault, `egress.db`.
    pub data_dir: PathBuf,
    /// Log files, where logs go to files.
    pub log_dir: PathBuf,
    /// The control socket's folder.
    pub runtime_dir: PathBuf,
}

/// What the command line says about places.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--config FILE`.
    pub config: Option<PathBuf>,
    /// `--data-dir DIR`.
    pub data_dir: Option<PathBuf>,
}

/// What the machine says about places, handed in so that a test can be any machine.
pub struct Machine<'a> {
    /// An environment variable.
    pub var: &'a dyn Fn(&str) -> Option<OsString>,
    /// Whether a file is there.
    pub exists: &'a dyn Fn(&Path) -> bool,
    /// Whether this process is the system's own administrator.
    pub is_root: bool,
    /// Where a service's files belong.
    pub service: Folders,
    /// Where this person's files belong; `None` for an account without a home.
    pub person: Option<Folders>,
}

/// The four folders of an installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    /// Of the configuration file.
    pub config: PathBuf,
    /// Of what the agent keeps.
    pub data: PathBuf,
    /// Of log files.
    pub log: PathBuf,
    /// Of the control socket.
    pub runtime: PathBuf,
}

impl Folders {
    /// A service on Unix (the file hierarchy standard, and what systemd's unit options name).
    pub fn unix_service() -> Self {
        Self {
            config: "/etc/counterfoil".into(),
            data: "/var/lib/counterfoil".into(),
            log: "/var/log/counterfoil".into(),
            runtime: "/run/counterfoil".into(),
        }
    }

    /// A service on Windows: everything below `%ProgramData%\Counterfoil`, the configuration in a folder of its own
    /// company so that watching it hears nothing else.
    pub fn windows_service(program_data: &Path) -> Self {
        let top = program_data.join("Counterfoil");
        Self { data: top.join("data"), log: top.join("logs"), runtime: top.join("data"), config: top }
    }

    /// A person. The socket lies with the data: `$XDG_RUNTIME_DIR` is not the same in every session of a person, and the
    /// command line must find the agent from each.
    fn person() -> Option<Self> {
        let dirs = directories::ProjectDirs::from("", "", "counterfoil")?;
        let data = dirs.data_local_dir().to_owned();
        Some(Self {
            config: dirs.config_dir().to_owned(),
            log: dirs.state_dir().unwrap_or(&data).join("logs"),
            runtime: data.clone(),
            data,
        })
    }
}

impl Paths {
    /// The places on this machine.
    pub fn here(overrides: &Overrides) -> std::io::Result<Self> {
        let var = |name: &str| std::env::var_os(name);
        let service = if cfg!(windows) {
            Folders::windows_service(Path::new(&var("ProgramData").unwrap_or_else(|| r"C:\ProgramData".into())))
        } else {
            Folders::unix_service()
        };
        Self::resolve(
            overrides,
            &Machine {
                var: &var,
                exists: &|path| path.exists(),
                is_root: is_root(),
                service,
                person: Folders::person(),
            },
        )
    }

    /// Each place from the first that names it: the command line, the service manager's variables, then the folders of the
    /// service or of the person. `--data-dir` moves everything below it that nothing else names. Fails only where a
    /// relative path has no current directory to begin in.
    pub fn resolve(overrides: &Overrides, machine: &Machine<'_>) -> std::io::Result<Self> {
        let data_given = overrides.data_dir.as_deref().map(std::path::absolute).transpose()?;
        let config_given = overrides.config.as_deref().map(std::path::absolute).transpose()?;
        let folders = match data_given {
            Some(top) => Folders { config: top.clone(), log: top.join("logs"), runtime: top.clone(), data: top },
            None => by_service_manager(machine, owner(config_given.as_deref(), machine)),
        };
        Ok(Self {
            config_file: config_given.unwrap_or_else(|| folders.config.join(CONFIG_NAME)),
            data_dir: folders.data,
            log_dir: folders.log,
            runtime_dir: folders.runtime,
        })
    }

    /// The database of the merchant's records: `[store] path`, or its usual name.
    pub fn store(&self, configured: Option<&Path>) -> PathBuf {
        configured.map_or_else(|| self.data_dir.join("counterfoil.db"), Path::to_owned)
    }

    /// What was released upstream, and what waits for it.
    pub fn egress(&self) -> PathBuf {
        self.data_dir.join("egress.db")
    }

    /// The sealed keys.
    pub fn vault(&self) -> PathBuf {
        self.data_dir.join("vault")
    }

    /// The key that opens the vault: beside the configuration, so that a copy of the data directory opens nothing.
    pub fn vault_key(&self) -> PathBuf {
        self.config_file.with_file_name("vault.key")
    }

    /// Held by the one process that writes.
    pub fn lock(&self) -> PathBuf {
        self.data_dir.join("lock")
    }

    /// Where the command line speaks to the running agent.
    pub fn socket(&self) -> PathBuf {
        self.runtime_dir.join("control.sock")
    }

    /// The text of the configuration that was last in force.
    pub fn last_good(&self) -> PathBuf {
        self.data_dir.join("config.last-good.toml")
    }
}

/// The folders of the service or of the person. The administrator means the service; anybody else means their own
/// installation if they have one, and the service's if only that is there. A file named on the command line says which.
fn owner(config_given: Option<&Path>, machine: &Machine<'_>) -> Folders {
    let service = machine.service.clone();
    let Some(person) = machine.person.clone() else { return service };
    let means_service = machine.is_root
        || match config_given {
            Some(file) => file.starts_with(&service.config),
            None => {
                let there = |folders: &Folders| (machine.exists)(&folders.config.join(CONFIG_NAME));
                there(&service) && !there(&person)
            }
        };
    if means_service { service } else { person }
}

/// What systemd says (systemd.exec(5): `ConfigurationDirectory=` and its like set a variable each, a list parted by
/// colons). A variable that names another program's folder was inherited from another service, and is not for us.
fn by_service_manager(machine: &Machine<'_>, folders: Folders) -> Folders {
    let named = |variable: &str| {
        let list = (machine.var)(variable)?;
        let first = std::env::split_paths(&list).next()?;
        let ours = first.file_name()?.to_str()?.starts_with("counterfoil");
        (ours && first.is_absolute()).then_some(first)
    };
    Folders {
        config: named("CONFIGURATION_DIRECTORY").unwrap_or(folders.config),
        data: named("STATE_DIRECTORY").unwrap_or(folders.data),
        log: named("LOGS_DIRECTORY").unwrap_or(folders.log),
        runtime: named("RUNTIME_DIRECTORY").unwrap_or(folders.runtime),
    }
}

#[cfg(unix)]
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Windows has no one administrator; there the file that exists decides.
#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine with these variables and files; the person is `ada`.
    fn resolve(overrides: &Overrides, vars: &[(&str, &str)], files: &[&str], is_root: bool) -> Paths {
        let home = |part: &str| PathBuf::from("/home/ada").join(part);
        let person = Folders { config: home("c"), data: home("d"), log: home("l"), runtime: home("d") };
        let machine = Machine {
            var: &|name| vars.iter().find(|(n, _)| *n == name).map(|(_, value)| value.into()),
            exists: &|path| files.iter().any(|file| Path::new(file) == path),
            is_root,
            service: Folders::unix_service(),
            person: Some(person),
        };
        Paths::resolve(overrides, &machine).unwrap()
    }

    fn paths(config: &str, data: &str, log: &str, runtime: &str) -> Paths {
        Paths { config_file: config.into(), data_dir: data.into(), log_dir: log.into(), runtime_dir: runtime.into() }
    }

    fn of_service() -> Paths {
        paths("/etc/counterfoil/counterfoil.toml", "/var/lib/counterfoil", "/var/log/counterfoil", "/run/counterfoil")
    }

    fn of_ada() -> Paths {
        paths("/home/ada/c/counterfoil.toml", "/home/ada/d", "/home/ada/l", "/home/ada/d")
    }

    const ETC: &str = "/etc/counterfoil/counterfoil.toml";
    const OWN: &str = "/home/ada/c/counterfoil.toml";

    #[test]
    fn the_administrator_means_the_service_and_a_person_what_is_there() {
        let none = Overrides::default();
        assert_eq!(resolve(&none, &[], &[], true), of_service());
        assert_eq!(resolve(&none, &[], &[OWN], true), of_service());
        assert_eq!(resolve(&none, &[], &[], false), of_ada());
        assert_eq!(resolve(&none, &[], &[ETC], false), of_service());
        assert_eq!(resolve(&none, &[], &[ETC, OWN], false), of_ada());
    }

    #[test]
    fn a_file_named_on_the_command_line_says_whose_it_is() {
        let own = Overrides { config: Some("/srv/x.toml".into()), data_dir: None };
        let expected = Paths { config_file: "/srv/x.toml".into(), ..of_ada() };
        assert_eq!(resolve(&own, &[], &[ETC], false), expected);
        let service = Overrides { config: Some(ETC.into()), data_dir: None };
        assert_eq!(resolve(&service, &[], &[ETC, OWN], false), of_service());
    }

    #[test]
    fn the_service_manager_names_folders_of_ours_only() {
        let none = Overrides::default();
        let vars = [
            ("CONFIGURATION_DIRECTORY", "/etc/counterfoil-eu:/etc/other"),
            ("STATE_DIRECTORY", "/srv/counterfoil"),
            ("LOGS_DIRECTORY", "/var/log/gitlab-runner"),
            ("RUNTIME_DIRECTORY", "run/counterfoil"),
        ];
        let expected = paths(
            "/etc/counterfoil-eu/counterfoil.toml",
            "/srv/counterfoil",
            "/var/log/counterfoil",
            "/run/counterfoil",
        );
        assert_eq!(
            resolve(&none, &vars, &[], true),
            expected,
            "the first of a list; never another program's; never relative"
        );
    }

    #[test]
    fn a_data_directory_holds_everything() {
        let over = Overrides { config: None, data_dir: Some("/tmp/x".into()) };
        let found = resolve(&over, &[("STATE_DIRECTORY", "/var/lib/counterfoil")], &[ETC, OWN], true);
        assert_eq!(found, paths("/tmp/x/counterfoil.toml", "/tmp/x", "/tmp/x/logs", "/tmp/x"));
        assert_eq!(found.store(None), Path::new("/tmp/x/counterfoil.db"));
        assert_eq!(found.store(Some(Path::new("/s.db"))), Path::new("/s.db"));
        assert_eq!(found.egress(), Path::new("/tmp/x/egress.db"));
        assert_eq!(found.vault(), Path::new("/tmp/x/vault"));
        assert_eq!(found.vault_key(), Path::new("/tmp/x/vault.key"));
        assert_eq!(found.lock(), Path::new("/tmp/x/lock"));
        assert_eq!(found.socket(), Path::new("/tmp/x/control.sock"));
        assert_eq!(found.last_good(), Path::new("/tmp/x/config.last-good.toml"));

        let both = Overrides { config: Some("/e/c.toml".into()), ..over };
        let found = resolve(&both, &[], &[], false);
        assert_eq!(found.config_file, Path::new("/e/c.toml"));
        assert_eq!(found.vault_key(), Path::new("/e/vault.key"), "beside the configuration");
        assert_eq!(found.data_dir, Path::new("/tmp/x"));
    }

    #[test]
    fn the_vaults_key_is_not_in_the_services_data() {
        let found = resolve(&Overrides::default(), &[], &[], true);
        assert_eq!(found.vault_key(), Path::new("/etc/counterfoil/vault.key"));
        assert_eq!(found.socket(), Path::new("/run/counterfoil/control.sock"));
    }

    #[test]
    fn relative_paths_become_whole() {
        let over = Overrides { config: Some("x.toml".into()), data_dir: Some("d".into()) };
        let found = resolve(&over, &[], &[], false);
        let here = std::env::current_dir().unwrap();
        assert_eq!((found.config_file, found.data_dir), (here.join("x.toml"), here.join("d")));
    }

    #[test]
    fn an_account_without_a_home_uses_the_services_folders() {
        let machine = Machine {
            var: &|_| None,
            exists: &|_| false,
            is_root: false,
            service: Folders::windows_service(Path::new("/pd")),
            person: None,
        };
        let found = Paths::resolve(&Overrides::default(), &machine).unwrap();
        let top = "/pd/Counterfoil";
        let below = |part: &str| format!("{top}/{part}");
        assert_eq!(found, paths(&below(CONFIG_NAME), &below("data"), &below("logs"), &below("data")));
    }
}
