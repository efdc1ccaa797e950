//! Conditions of the room `agent`.

super::entries! {
    NO_CONNECTION = "connection.unknown", Error, Usage, "There is no such connection",
        "Connections are the [connections.NAME] tables of the configuration; `counterfoil connection list` shows them.";
    CONNECTION_TAKEN = "connection.taken", Error, Problem, "The name belongs to another connection",
        "Choose another name, or rename the other connection first.";
    CONNECTION_PROVIDER = "connection.provider", Error, Problem, "The connection's rows come from another provider",
        "A connection keeps its provider. Give the new account a name of its own.";
    CONNECTION_STREAM = "connection.stream", Error, Config, "The configuration names a stream that its provider does not have",
        "Mend its spelling in `streams`, or take it out. Without `streams` all of them are read.";
    NO_CONNECTIONS = "connection.none", Error, Problem, "No connection is configured",
        "Add a [connections.NAME] table to the configuration; `counterfoil init` writes one to start from.";
    KEY_UNKNOWN = "key.unknown", Error, Usage, "The connection has no key of that name",
        "The names are those of `keys` in the connection's table; most connections have only `default`.";
    KEY_FULL_ACCESS = "key.full_access", Error, Problem, "This key may do more than read",
        "Make a restricted key with read permissions only (`counterfoil init` lists them). To use this one all the same, add --full-access.";
    KEY_ENVIRONMENT = "key.environment", Error, Problem, "The key belongs to the other environment",
        "Live keys go with production, sandbox and test keys with the sandbox. Check `environment` in the connection's table, or the key.";
    KEY_EMPTY = "key.empty", Error, Problem, "No key was given",
        "Type or paste it at the prompt, or send it on standard input: `counterfoil key set NAME < file`.";
    AGENT_DIRECTORY = "agent.directory", Error, Closed, "A folder cannot be made or used",
        "Check its owner and rights, or name another one with --data-dir.";
    AGENT_RUNTIME = "agent.runtime", Error, Problem, "The system refused something that the agent needs",
        "Look at the system log; limits on threads or open files may be too low.";
    AGENT_NOT_RUNNING = "agent.not_running", Error, Problem, "No agent runs on this data directory",
        "Start it with `counterfoil run` or `counterfoil service start`.";
    AGENT_RUNNING = "agent.running", Error, Closed, "An agent already listens for this installation",
        "Use `counterfoil status` to see it. Only one agent may run; stop the other one first.";
    AGENT_REFUSED = "agent.refused", Error, Problem, "The agent takes requests only from root and from its own account",
        "Run the command with sudo, or as the account of the agent. `counterfoil query`, `schema`, `status` and `gaps` need neither.";
    AGENT_BUSY = "agent.busy", Warning, Problem, "The agent is in conversation with too many others",
        "Wait until other commands have ended, and try again.";
    AGENT_REQUEST = "agent.request", Error, Problem, "The agent cannot read the request",
        "Command and agent may be of different versions: restart the agent with the version that is installed.";
    AGENT_SLOW = "agent.slow", Warning, Problem, "The agent waited too long for a request",
        "Try again.";
    AGENT_GONE = "agent.gone", Error, Problem, "The agent went away before it answered",
        "It was stopped or has failed; `counterfoil status` and its log say which. What was asked may have been done.";
    AGENT_ANSWER = "agent.answer", Error, Problem, "The agent's answer cannot be read",
        "Command and agent may be of different versions: restart the agent with the version that is installed.";
    AGENT_SOCKET = "agent.socket", Error, Problem, "The agent's control socket cannot be used",
        "Check the folder named here: it must exist, belong to the agent's account and have a short path.";
    AGENT_SYSTEM = "agent.system", Error, Problem, "The agent does not run on this system yet",
        "The agent cannot run here yet. `counterfoil sync` does one pass; let the system's scheduler start it regularly.";
    AGENT_LOGS = "agent.logs", Error, Problem, "The log cannot be opened",
        "Check that the log folder exists, is writable for the agent's account and has free space.";
}
