//! Conditions of the room `egress` and of the reference receiver.

super::entries! {
    EGRESS_FILE = "egress.file", Error, Closed,
        "egress.db cannot be read or written",
        "Check free space, owner and permissions of the data directory; nothing is sent meanwhile.";
    EGRESS_PRIVATE = "egress.private", Error, Closed,
        "This account may not read egress.db",
        "Only the agent's account and root may: run the command with sudo. If the agent itself says this, give the file back to its account.";
    EGRESS_DAMAGED = "egress.damaged", Error, Closed,
        "egress.db is damaged",
        "Keep the file, and restore egress.db from a backup. Without it nothing says what already left, so nothing leaves.";
    EGRESS_FOREIGN = "egress.foreign", Error, Closed,
        "The file in the place of egress.db belongs to another program",
        "Move it away, or choose another data directory. It was not touched.";
    EGRESS_NEWER = "egress.newer", Error, Closed,
        "egress.db was written by a newer version",
        "Install that version again. The file was not touched.";
    EGRESS_OTHER_STORE = "egress.other_store", Error, Closed,
        "egress.db belongs to another store",
        "Put back the store that it was made beside, or move egress.db away and accept anew.";
    EGRESS_FACT = "egress.fact", Error, Problem,
        "The view payment_attempts does not keep its contract",
        "Nothing was released. This is a fault of the program: please report it with the code and the place named here.";
    EGRESS_GUARD = "egress.guard", Error, Problem,
        "The guard refused a batch",
        "The batch stays here. This is a fault of the program or a changed egress.db: report it.";
    EGRESS_URL = "egress.url", Error, Config,
        "The receiver's address cannot be used",
        "Give https://host or https://host:port, without path, user or query; plain http only on loopback.";
    EGRESS_DAY = "egress.day", Error, Usage,
        "This is no day",
        "Write a day as YYYY-MM-DD.";
    EGRESS_CODE = "egress.code", Error, Usage,
        "This is not an enrolment code",
        "Ask the receiver's operator for a code: 8 to 64 capital letters, digits and hyphens.";
    EGRESS_ENROLMENT = "egress.enrolment", Error, Problem,
        "The receiver did not enrol this install",
        "Codes work once and expire: ask the receiver's operator for a new one, and check the address.";
    EGRESS_NO_CONSENT = "egress.no_consent", Warning, Problem,
        "Nobody has consented to sending",
        "Read `counterfoil egress preview`, then accept with the code of the receiver's operator.";
    EGRESS_CONSENT_CHANGED = "egress.consent_changed", Warning, Problem,
        "The consent does not cover what is configured now",
        "Look at the change, then run `counterfoil egress accept` again with a new code. Nothing is sent until then.";
    EGRESS_EXPIRED = "egress.expired", Warning, Problem,
        "The registry of what may leave has expired",
        "Install a version whose registry was reviewed. Nothing is released until then.";
    EGRESS_OFF = "egress.off", Error, Problem,
        "Everything upstream is switched off",
        "Set `mode` in [upstream] to local, hold or on, then accept again. Nothing was sent.";
    EGRESS_UNREACHABLE = "egress.unreachable", Warning, Problem,
        "The receiver could not be reached",
        "Check the address and the network. A batch that waits is sent again later by itself, with the same bytes.";
    EGRESS_BUSY = "egress.busy", Notice, Problem,
        "The receiver asks to wait",
        "Nothing to do: the same bytes are sent again later.";
    EGRESS_ANSWER = "egress.answer", Warning, Problem,
        "The receiver gave an answer that it should not give",
        "The same bytes are sent again later. Check the address, and tell the receiver's operator if it lasts.";
    EGRESS_RECEIPT = "egress.receipt", Error, Problem,
        "The receiver's receipt is missing or not signed by the pinned key",
        "The batch does not count as received and is sent again later. Check that the address leads to the receiver you enrolled with.";
    EGRESS_REFUSED = "egress.refused", Error, Problem,
        "The receiver does not let this install send",
        "Ask the receiver's operator; if the install is gone there, accept again with a new code.";
    EGRESS_REJECTED = "egress.rejected", Error, Problem,
        "The receiver rejected a batch",
        "The batch stays here and is not sent again; the others go on. Tell the receiver's operator its number.";
    EGRESS_CONFLICT = "egress.conflict", Error, Problem,
        "The receiver holds another batch in this one's place",
        "Most likely egress.db was restored or copied. Make sure that one agent runs, then accept again with a new code.";
    EGRESS_GONE = "egress.gone", Error, Problem,
        "The receiver asked this install to stop",
        "Nothing is sent any more. If that is a mistake, ask its operator for a new code and accept again.";
    EGRESS_NO_BATCH = "egress.no_batch", Error, Usage,
        "There is no such batch",
        "See `counterfoil egress log` for the numbers.";
    EGRESS_RELEASED = "egress.released", Notice, Usage,
        "This day was released already",
        "See `counterfoil egress log` and `counterfoil egress show`.";
    EGRESS_STATE = "egress.state", Error, Usage,
        "The batch is past this step",
        "Only a batch that was not sent yet can be held or let go; see `counterfoil egress log`.";
    RECEIVER_FILE = "receiver.file", Error, Closed,
        "The receiver's database cannot be opened",
        "Check the path, free space and permissions, and that the file is a receiver's.";
    RECEIVER_ADDRESS = "receiver.address", Error, Problem,
        "The receiver cannot listen on this address",
        "Choose a free port on 127.0.0.1, or port 0 for any.";
}
