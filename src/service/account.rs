//! The account that the agent runs as, and acting as it: nobody but the owner of the data directory writes there, so
//! root becomes that owner before it works on the agent's files.

use std::path::Path;
use std::process::Command;

use crate::problem::Result;
#[cfg(unix)]
use crate::problem::SERVICE_OWNER;

/// A user and a group by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// The user.
    pub uid: u32,
    /// The group in which its files are made.
    pub gid: u32,
}

impl Account {
    /// Who owns a file or folder; `None` when there is none, or where files have no such owners.
    pub fn owner(path: &Path) -> Option<Self> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let metadata = path.symlink_metadata().ok()?;
            Some(Self { uid: metadata.uid(), gid: metadata.gid() })
        }
        #[cfg(not(unix))]
        {
            let _ = path;
            None
        }
    }

    /// Lets the command run as this account, in this one group.
    pub fn run(self, command: &mut Command) -> &mut Command {
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt;
            // Root's further groups are given up with its user: std empties the list when root changes the user.
            command.uid(self.uid).gid(self.gid);
        }
        command
    }
}

/// Whether this process is root.
pub fn is_root() -> bool {
    #[cfg(unix)]
    {
        rustix::process::geteuid().is_root()
    }
    #[cfg(not(unix))]
    {
        false
    }
}

/// Goes on as the owner of `folder`, with the same command line, if this is root and the owner is somebody else. Call it
/// before anything is opened: the process is replaced, and returns from here only when there was nothing to do.
pub fn become_owner(folder: &Path) -> Result<()> {
    let Some(owner) = Account::owner(folder).filter(|owner| is_root() && owner.uid != 0) else { return Ok(()) };
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        let problem = |error: std::io::Error| SERVICE_OWNER.with(format_args!("user {} ({})", owner.uid, error.kind()));
        let program = std::env::current_exe().map_err(problem)?;
        // As under the unit: the group reads, others do not.
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o027));
        let mut arguments = std::env::args_os();
        let name = arguments.next().unwrap_or_default();
        Err(problem(owner.run(Command::new(program).arg0(name).args(arguments)).exec()))
    }
    #[cfg(not(unix))]
    {
        let _ = owner;
        Ok(())
    }
}
