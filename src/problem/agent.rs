//! Conditions of the room `agent`.

super::entries! {
    AGENT_RUNNING = "agent.running", Error, Closed, "An agent already listens for this installation",
        "Use `counterfoil status` to see it. Only one agent may run; stop the other one first.";
    AGENT_REFUSED = "agent.refused", Error, Problem, "The agent takes requests only from root and from its own account",
        "Run the command with sudo, or as the account of the agent. Reading commands such as `counterfoil query` need neither.";
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
    AGENT_SYSTEM = "agent.system", Error, Problem, "The agent cannot be spoken to on this system yet",
        "Stop the agent and run the command without it.";
    AGENT_LOGS = "agent.logs", Error, Problem, "The log cannot be opened",
        "Check that the log folder exists, is writable for the agent's account and has free space.";
}
