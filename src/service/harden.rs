//! Keeps a process that opens keys from being looked into: no core dumps, and no other process of the same user may attach
//! or read its memory. It does not hinder root; nothing can.

/// Closes this process to others, as far as the system lets it. Best effort: what cannot be had is no reason not to run.
pub fn close_to_others() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let none = Rlimit { current: Some(0), maximum: Some(0) };
        setrlimit(Resource::Core, none).ok();
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        set_dumpable_behavior(DumpableBehavior::NotDumpable).ok();
    }
}
