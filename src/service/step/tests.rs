//! Each step against a folder of the test's own and a system that only notes what is run.

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

/// With a real second user, where there can be one.
#[test]
fn what_root_began_becomes_the_agents_and_nothing_else() {
    if !rustix::process::geteuid().is_root() {
        return crate::testpoint::skipped("only root can give files away");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    fs::create_dir_all(file("data").join("logs")).unwrap();
    for name in ["outside", "data/vault", "data/logs/a"] {
        fs::write(file(name), "").unwrap();
        set_mode(&file(name), 0o600).unwrap();
    }
    std::os::unix::fs::symlink(file("outside"), file("data/link")).unwrap();
    let system = Noted::default();
    let agent = Account { uid: 65533, gid: 65532 };
    system.account.set(Some(agent));
    let step = Step::Folder { path: file("data"), mode: 0o2750 };
    does(&step, &system);
    for name in ["data", "data/vault", "data/logs", "data/logs/a", "data/link"] {
        assert_eq!(Account::owner(&file(name)), Some(agent), "{name}");
    }
    assert_eq!(Account::owner(&file("outside")), Some(own_account()), "where a link points");
    assert_eq!(mode_of(&file("data/vault")), Some(0o600));

    // What is put into a folder that is the agent's is not given away.
    fs::write(file("data/planted"), "").unwrap();
    set_mode(&file("data"), 0o700).unwrap();
    does(&step, &system);
    assert_eq!(Account::owner(&file("data/planted")).map(|owner| owner.uid), Some(0));
}
