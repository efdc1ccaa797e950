//! Conditions of the room `store`.

super::entries! {
    STORE_MISSING = "store.missing", Error, Closed, "There is no store yet",
        "Run `counterfoil init` and `counterfoil sync`, or name the right folder with --data-dir.";
    STORE_FOREIGN = "store.foreign", Error, Closed, "The file is not a Counterfoil store",
        "It was left untouched. Name another file in [store] path, or move this one away.";
    STORE_NEWER = "store.newer", Error, Closed, "The store was made by a newer version of Counterfoil",
        "It was left untouched. Install that version or a later one; going back is only possible from a backup.";
    STORE_DAMAGED = "store.damaged", Error, Closed, "The store is damaged",
        "It was left as it is. Stop the agent, keep a copy of the file, restore a backup or move it aside: a new store is then filled from the providers.";
    STORE_LOCKED = "store.locked", Error, Closed, "Another Counterfoil already works on this data directory",
        "Use `counterfoil status` to see it. Reading commands work beside it; only one agent may write.";
    STORE_FULL = "store.full", Error, Closed, "The disk is full",
        "Nothing was lost: the last whole page is in, and the checkpoint stands there. Free some space; the agent goes on by itself.";
    STORE_READ_ONLY = "store.read_only", Error, Closed, "The store cannot be written",
        "Check the owner and the rights of the data directory; the agent must own it.";
    STORE_IO = "store.io", Error, Closed, "The disk refused to read or write",
        "Check the disk and the system log. Nothing more is written until the store was opened again and checked, which the agent does by itself.";
    STORE_BUSY = "store.busy", Warning, Problem, "The store is held by another program",
        "A program has the file open for writing, or a reader holds it for very long. Close it, or let it work on a copy made while the agent is stopped.";
    STORE_LOG = "store.log", Warning, Problem, "The store's log cannot be emptied, because a reader holds on to it",
        "A program keeps a query or a transaction open on the store, and the log grows as long as it does. End it; the log then shrinks by itself. What runs for long should work on a copy made while the agent is stopped.";
    STORE_SQLITE = "store.sqlite", Error, Problem, "SQLite refused a statement",
        "This is a fault of the program, not of your data. Please report it with the code named here.";
    STORE_NETWORK = "store.network_folder", Error, Closed, "The data directory lies on a network file system",
        "SQLite's write-ahead log needs a local disk. Name a local folder in [store] path or --data-dir.";
    QUERY_INVALID = "query.invalid", Error, Problem, "The query is not valid SQL",
        "`counterfoil schema` lists the tables and their columns.";
    SCHEMA_UNKNOWN = "schema.unknown", Error, Usage, "There is no such table or view",
        "`counterfoil schema` lists them.";
    QUERY_WRITES = "query.writes", Error, Problem, "The query would change the store",
        "`query` only reads. For tables of your own, work on a copy made while the agent is stopped.";
    QUERY_TIME = "query.time", Warning, Problem, "The query took longer than its limit",
        "Raise it with --timeout, or narrow the query.";
}
