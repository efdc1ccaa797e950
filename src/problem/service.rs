//! Conditions of the room `service`.

super::entries! {
    SERVICE_SYSTEM = "service.system", Error, Problem, "There is no systemd on this system",
        "Let your own service manager start `counterfoil run`; it needs nothing else.";
    SERVICE_FOLDERS = "service.folders", Error, Usage, "The folders of the service are fixed",
        "Leave --config and --data-dir away: it uses /etc/counterfoil and /var/lib/counterfoil. For others, let your own service manager start `counterfoil run`.";
    SERVICE_ROOT = "service.root", Error, Problem, "Only root can do this",
        "Run the command again with sudo. `counterfoil service install --dry-run` shows what would be done.";
    SERVICE_MANAGER = "service.manager", Error, Problem, "A program of the system has failed",
        "What it said stands above. Mend it and run the command again: what was done is not done twice.";
    SERVICE_START = "service.start", Error, Problem, "The service does not start",
        "See why with `journalctl -u counterfoil -n 50`; `counterfoil check` looks at the configuration.";
    SERVICE_ABSENT = "service.absent", Error, Problem, "The service is not installed",
        "Install it with `counterfoil service install`.";
    SERVICE_FILE = "service.file", Error, Problem, "A file of the service cannot be put in its place",
        "Check the path named here: something else may stand there, or the file system is full or read-only.";
    SERVICE_ACCOUNT = "service.account", Error, Problem, "The account of the agent cannot be found",
        "Create the system user `counterfoil` and the group `counterfoil-read`, and run the command again.";
    SERVICE_OWNER = "service.owner", Error, Problem, "Cannot go on as the owner of the data directory",
        "Run the command as that user.";
    SERVICE_SIGNALS = "service.signals", Error, Problem, "The signals of the system cannot be heard",
        "The system refused; look at its limits for this process.";
}
