//! Installs the agent as a service, removes, starts and stops it, and says how it is. What it does is data first: the
//! steps of a plan, which can be shown without being carried out. It prints nothing; what a program of the system says
//! goes to standard error by itself.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::account::{Account, is_root};
use super::step::{READERS, System, UNIT, USER, manager};
use super::{Planned, Step};
use crate::paths::{CONFIG_NAME, Folders, Paths};
use crate::problem::{
    Result, SERVICE_ABSENT, SERVICE_FILE, SERVICE_MANAGER, SERVICE_ROOT, SERVICE_START, SERVICE_SYSTEM,
};

/// The unit as it is kept beside the program; its program is [`PROGRAM`].
const UNIT_TEXT: &str = include_str!("../../service/counterfoil.service");
/// Where the program is copied to when it runs from a place that is not the system's.
const PROGRAM: &str = "/usr/local/bin/counterfoil";
/// Programs below these folders are the system's or a package's, and are used where they are.
const SYSTEM_FOLDERS: [&str; 2] = ["/usr", "/opt"];
/// Members of the readers' group may look in and read, nobody else; new files get the group.
const FOLDER_MODE: u32 = 0o2750;

/// Where the parts of a service lie.
#[derive(Debug, Clone)]
struct Layout {
    /// The program that runs now.
    from: PathBuf,
    /// The program that the service runs.
    program: PathBuf,
    unit: PathBuf,
    sysusers: PathBuf,
    folders: Folders,
}

impl Layout {
    fn new(from: PathBuf) -> Self {
        let in_system = SYSTEM_FOLDERS.iter().any(|folder| from.starts_with(folder));
        Self {
            program: if in_system { from.clone() } else { PROGRAM.into() },
            from,
            unit: Path::new("/etc/systemd/system").join(UNIT),
            sysusers: "/etc/sysusers.d/counterfoil.conf".into(),
            folders: Folders::unix_service(),
        }
    }

    fn here() -> Result<Self> {
        let program = std::env::current_exe().and_then(std::fs::canonicalize);
        Ok(Self::new(program.map_err(|error| SERVICE_FILE.with(format_args!("this program ({})", error.kind())))?))
    }

    /// The steps up to a service that runs, in their order.
    fn steps(&self) -> Vec<Step> {
        let config = self.folders.config.join(CONFIG_NAME);
        let paths = Paths {
            config_file: config.clone(),
            data_dir: self.folders.data.clone(),
            log_dir: self.folders.log.clone(),
            runtime_dir: self.folders.runtime.clone(),
        };
        let folder = |path: &Path| Step::Folder { path: path.to_owned(), mode: FOLDER_MODE };
        let text = UNIT_TEXT.replace(PROGRAM, &self.program.to_string_lossy());
        vec![
            Step::Account { sysusers: self.sysusers.clone() },
            Step::Program { from: self.from.clone(), to: self.program.clone() },
            folder(&self.folders.config),
            folder(&self.folders.data),
            Step::Init {
                program: self.program.clone(),
                makes: vec![config.clone(), paths.vault_key(), paths.vault()],
                config,
            },
            Step::Unit { path: self.unit.clone(), text },
            Step::Enable,
        ]
    }
}

/// What an installation would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan(Vec<Planned>);

impl Plan {
    fn new(layout: &Layout, system: &dyn System) -> Self {
        let plan = |step: Step| Planned { done: step.is_done(system), step };
        let mut steps: Vec<Planned> = layout.steps().into_iter().map(plan).collect();
        let changes =
            |planned: &Planned| !planned.done && matches!(planned.step, Step::Program { .. } | Step::Unit { .. });
        let running = Step::Start { again: false };
        let again = running.is_done(system) && steps.iter().any(changes);
        steps.push(plan(Step::Start { again }));
        Self(steps)
    }

    /// The steps in their order, those too that are done already.
    pub fn steps(&self) -> &[Planned] {
        &self.0
    }

    /// Carries out what is not done; `before` is given each step before it is. After a failure the rest is left: a plan
    /// that is made anew begins there.
    pub fn carry_out(&self, before: impl FnMut(&Planned)) -> Result<()> {
        needs_root()?;
        self.carry_out_on(&Linux, before)
    }

    fn carry_out_on(&self, system: &dyn System, mut before: impl FnMut(&Planned)) -> Result<()> {
        for planned in &self.0 {
            before(planned);
            if !planned.done {
                planned.step.carry_out(system)?;
            }
        }
        Ok(())
    }
}

/// What is there and what is missing. Anybody may ask.
pub fn plan() -> Result<Plan> {
    needs_systemd()?;
    Ok(Plan::new(&Layout::here()?, &Linux))
}

/// Stops the service and takes its unit away. Returns what stays: the configuration with the vault's key, the data and
/// the program. The account stays too, as it owns them.
pub fn uninstall() -> Result<Vec<PathBuf>> {
    let Layout { unit, folders, program, .. } = needs_installed()?;
    manager(&Linux, &["disable", "--now", "--quiet", UNIT])?;
    std::fs::remove_file(&unit)
        .map_err(|error| SERVICE_FILE.with(format_args!("{} ({})", unit.display(), error.kind())))?;
    manager(&Linux, &["daemon-reload"])?;
    Ok([folders.config, folders.data, program].into_iter().filter(|path| path.exists()).collect())
}

/// Starts the service and waits until it is ready.
pub fn start() -> Result<()> {
    needs_installed()?;
    manager(&Linux, &["start", UNIT]).map_err(|_| SERVICE_START.plain())
}

/// Stops the service and waits until it has ended.
pub fn stop() -> Result<()> {
    needs_installed()?;
    manager(&Linux, &["stop", UNIT])
}

/// How the service is, in systemd's words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// Whether there is a unit.
    pub installed: bool,
    /// Whether it starts with the machine.
    pub enabled: bool,
    /// `active`, `inactive`, `failed`, `activating`, …
    pub state: String,
    /// Why it ended last: `success`, `exit-code`, `watchdog`, …
    pub result: String,
    /// The exit code of its last end.
    pub exit_code: Option<i32>,
    /// The process while it runs.
    pub pid: Option<u32>,
    /// How often systemd has started it anew by itself.
    pub restarts: u32,
    /// What the agent says of itself.
    pub text: String,
}

const PROPERTIES: &str = "LoadState,UnitFileState,ActiveState,Result,ExecMainStatus,MainPID,NRestarts,StatusText";

/// How the service is. Anybody may ask.
pub fn status() -> Result<Status> {
    needs_systemd()?;
    let output = Command::new("systemctl").args(["show", UNIT, "--property", PROPERTIES]).output();
    match output {
        Ok(output) if output.status.success() => Ok(Status::read(&String::from_utf8_lossy(&output.stdout))),
        _ => Err(SERVICE_MANAGER.with("systemctl show")),
    }
}

impl Status {
    /// From the lines of `systemctl show`.
    fn read(shown: &str) -> Self {
        let of = |name: &str| {
            let values = shown.lines().filter_map(|line| line.split_once('='));
            values.filter(|(key, _)| *key == name).map(|(_, value)| value).next().unwrap_or_default()
        };
        let pid = of("MainPID").parse().ok().filter(|&pid| pid != 0);
        Self {
            installed: of("LoadState") == "loaded",
            enabled: of("UnitFileState") == "enabled",
            state: of("ActiveState").into(),
            result: of("Result").into(),
            exit_code: of("ExecMainStatus").parse().ok(),
            pid,
            restarts: of("NRestarts").parse().unwrap_or(0),
            text: of("StatusText").into(),
        }
    }
}

/// systemd is there and in charge.
fn needs_systemd() -> Result<()> {
    // sd_booted(3).
    if Path::new("/run/systemd/system").is_dir() { Ok(()) } else { Err(SERVICE_SYSTEM.plain()) }
}

fn needs_root() -> Result<()> {
    if is_root() { Ok(()) } else { Err(SERVICE_ROOT.plain()) }
}

fn needs_installed() -> Result<Layout> {
    needs_systemd()?;
    needs_root()?;
    let layout = Layout::here()?;
    if layout.unit.exists() { Ok(layout) } else { Err(SERVICE_ABSENT.with(layout.unit.display())) }
}

/// This machine.
struct Linux;

impl System for Linux {
    fn account(&self) -> Option<Account> {
        Some(Account { uid: number("passwd", USER)?, gid: number("group", READERS)? })
    }

    fn run(&self, command: &mut Command) -> io::Result<bool> {
        command.status().map(|status| status.success())
    }
}

/// The number of a user or group, from whatever the system asks for names: the third field in both lists.
fn number(list: &str, name: &str) -> Option<u32> {
    let output = Command::new("getent").args([list, name]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.split(':').nth(2)?.parse().ok()
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_the_system_is_used_where_it_is_and_another_is_copied() {
        for (from, program) in [
            ("/home/ada/target/release/counterfoil", "/usr/local/bin/counterfoil"),
            ("/usr/bin/counterfoil", "/usr/bin/counterfoil"),
            ("/opt/counterfoil/bin/counterfoil", "/opt/counterfoil/bin/counterfoil"),
            ("/usrs/counterfoil", "/usr/local/bin/counterfoil"),
        ] {
            let steps = Layout::new(from.into()).steps();
            let unit = steps.iter().find_map(|step| match step {
                Step::Unit { text, .. } => Some(text.clone()),
                _ => None,
            });
            assert!(unit.unwrap().contains(&format!("\nExecStart={program} run\n")), "{from}");
            assert!(steps.contains(&Step::Program { from: from.into(), to: program.into() }));
        }
    }

    #[test]
    fn the_plan_in_words() {
        let steps: Vec<String> = Layout::new("/tmp/counterfoil".into()).steps().iter().map(Step::to_string).collect();
        assert_eq!(
            steps,
            [
                "create the user counterfoil and the group counterfoil-read (declared in /etc/sysusers.d/counterfoil.conf)",
                "copy the program to /usr/local/bin/counterfoil",
                "make the folder /etc/counterfoil (owner counterfoil:counterfoil-read, mode 2750)",
                "make the folder /var/lib/counterfoil (owner counterfoil:counterfoil-read, mode 2750)",
                "run `/usr/local/bin/counterfoil --config /etc/counterfoil/counterfoil.toml init` as counterfoil",
                "write the unit /etc/systemd/system/counterfoil.service",
                "enable counterfoil.service",
            ]
        );
    }

    /// A system on which everything below a folder is done or not, by name of the step.
    struct Fixed {
        runs: bool,
    }

    impl System for Fixed {
        fn account(&self) -> Option<Account> {
            None
        }

        fn run(&self, command: &mut Command) -> io::Result<bool> {
            assert_eq!(command.get_program(), "systemctl");
            Ok(self.runs)
        }
    }

    #[test]
    fn a_service_that_runs_is_restarted_only_for_a_new_program_or_unit() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        std::fs::write(file("program"), "").unwrap();
        let layout = Layout {
            from: file("program"),
            program: file("program"),
            unit: file("unit"),
            sysusers: file("sysusers"),
            folders: Folders { config: file("c"), data: file("d"), log: file("l"), runtime: file("r") },
        };
        let last = |runs: bool| Plan::new(&layout, &Fixed { runs }).steps().last().unwrap().clone();
        let start = |again, done| Planned { step: Step::Start { again }, done };
        assert_eq!(last(false), start(false, false));
        assert_eq!(last(true), start(true, false), "there is no unit yet");
        let text = UNIT_TEXT.replace(PROGRAM, file("program").to_str().unwrap());
        std::fs::write(file("unit"), text).unwrap();
        assert_eq!(last(true), start(false, true), "the same program and unit: nothing to do");
        assert_eq!(last(false), start(false, false));
    }

    #[test]
    fn a_plan_stops_at_the_first_failure() {
        let fails = Planned { step: Step::Program { from: "/nowhere/a".into(), to: "/nowhere/b".into() }, done: false };
        let done = Planned { step: Step::Enable, done: true };
        let never = Planned { step: Step::Start { again: true }, done: false };
        let mut seen = Vec::new();
        let plan = Plan(vec![done.clone(), fails.clone(), never]);
        let problem = plan.carry_out_on(&Fixed { runs: true }, |planned| seen.push(planned.clone())).unwrap_err();
        assert!(problem.is(&SERVICE_FILE), "{problem:?}");
        assert_eq!(seen, [done, fails]);
    }

    #[test]
    fn the_state_in_systemds_words() {
        let shown = "Result=exit-code\nMainPID=0\nNRestarts=2\nExecMainStatus=3\nStatusText=a=b\nLoadState=loaded\n\
                     ActiveState=failed\nUnitFileState=enabled\n";
        let expected = Status {
            installed: true,
            enabled: true,
            state: "failed".into(),
            result: "exit-code".into(),
            exit_code: Some(3),
            pid: None,
            restarts: 2,
            text: "a=b".into(),
        };
        assert_eq!(Status::read(shown), expected);
        assert_eq!(Status::read("MainPID=12\n").pid, Some(12));
        assert!(!Status::read("LoadState=not-found\n").installed);
    }

    #[test]
    fn the_unit_keeps_the_contract() {
        for line in [
            "Type=notify",
            "User=counterfoil",
            "Group=counterfoil-read",
            "UMask=0027",
            "RestartPreventExitStatus=3",
            "ExecReload=/bin/kill -HUP $MAINPID",
            "WatchdogSec=30",
            "StateDirectory=counterfoil",
            "StateDirectoryMode=2750",
        ] {
            assert!(UNIT_TEXT.lines().any(|there| there == line), "{line}");
        }
        assert_eq!(crate::problem::Exit::Config as u8, 3);
    }
}
