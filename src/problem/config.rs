//! Conditions of the room `config`.

super::entries! {
    CONFIG_MISSING = "config.missing", Error, Config, "There is no configuration file",
        "Write one with `counterfoil init`, or name it with --config FILE.";
    CONFIG_UNREADABLE = "config.unreadable", Error, Config, "The configuration file cannot be read",
        "It must be a plain file of at most 1 MiB that the account of the agent may read.";
    CONFIG_EMPTY = "config.empty", Error, Config, "The configuration file is empty",
        "An empty file changes nothing, so that a half-written one cannot remove every connection. Write the sections, or stop the agent.";
    CONFIG_INVALID = "config.invalid", Error, Config, "The configuration is invalid",
        "Mend the places named and look again with `counterfoil check`. Until then a running agent keeps the last good configuration.";
    CONFIG_UNWATCHED = "config.unwatched", Notice, Problem, "Changes of the configuration file are not announced by this system",
        "Nothing to do: the file is looked at every two seconds instead.";
}
