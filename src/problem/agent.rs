//! Conditions of the room `agent`.

super::entries! {
    NO_CONNECTION = "connection.unknown", Error, Usage, "There is no such connection",
        "Connections are the [connections.NAME] tables of the configuration; `counterfoil connection list` shows them.";
    CONNECTION_TAKEN = "connection.taken", Error, Problem, "The name belongs to another connection",
        "Choose another name, or rename the other connection first.";
    CONNECTION_PROVIDER = "connection.provider", Error, Problem, "The connection's rows come from another provider",
        "A connection keeps its provider. Give the new account a name of its own.";
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
    AGENT_REQUEST = "agent.request", Error, Problem, "The agent did not understand the request",
        "The agent and the command line are of different versions: restart the agent after an update.";
    AGENT_NOT_RUNNING = "agent.not_running", Error, Problem, "No agent runs on this data directory",
        "Start it with `counterfoil run` or `counterfoil service start`.";
}
