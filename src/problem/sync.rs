//! Conditions of the room `sync`.

super::entries! {
    SYNC_MALFORMED = "sync.malformed", Error, Partly, "The provider's answer is not what its API describes",
        "Nothing of it was used and the checkpoint stands where it was; it is asked for again at the next run. If it lasts, something between us and the provider may answer in its place.";
    SYNC_CONTRADICTION = "sync.contradiction", Error, Partly, "The provider's page contradicts itself or the request",
        "Nothing of it was used and the checkpoint stands where it was; it is asked for again at the next run. If it lasts, check `base_url` and `proxy`: something may answer from a store; else report it with the stream's name.";
    SYNC_NO_TIME = "sync.no_time", Error, Partly, "The provider's answers do not tell its time",
        "Windows are closed by the provider's clock (the Date header). A proxy may remove it: let it pass.";
    SYNC_CLOCK = "sync.clock", Warning, Partly, "The provider's clock and this machine's differ by more than five minutes",
        "Windows follow the provider's clock, so nothing is missed. Set this machine's clock (time service), or look for a proxy that answers from a store.";
    SYNC_FUTURE = "sync.future", Warning, Partly, "Windows were walked by a clock that was ahead",
        "Whatever was made in them later would have been passed over: they were forgotten and are read again. Nothing needs to be done.";
    SYNC_LIVEMODE = "sync.livemode", Error, Partly, "The provider shows records of the other mode (live or test)",
        "Nothing of the page was used and the checkpoint stands where it was. Check which key was set, and `base_url`; a live account and a test account are two connections.";
    SYNC_FULL_SECOND = "sync.full_second", Warning, Partly, "One second holds more records than the provider lets anyone read",
        "What was shown is stored, and the second is stated as a gap in `counterfoil gaps`. This version cannot close it; everything else goes on.";
    SYNC_UNSEEN = "sync.unseen", Warning, Partly, "An object that another one names is shown to this key neither by its id nor by search",
        "It may belong to an entity that the key does not cover: give the connection a key that does, or ignore it.";
    SYNC_DIFFERENCE = "sync.difference", Warning, Problem, "What the provider shows was not what the store held",
        "What was found is stored and its days are listed again by themselves. This stands until as many rows were compared anew without a difference: `counterfoil verify` compares more at once. If it comes again, please tell us.";
    SYNC_SUPERSEDED = "sync.superseded", Warning, Partly, "The configuration or a key was changed while this was under way",
        "What was stored before stands, nothing after it was. Run the command again; a running agent goes on by itself, with what is in force now.";
    SYNC_OTHER_ACCOUNT = "sync.other_account", Error, Problem, "The key belongs to another account than the rows of this connection",
        "Nothing was changed. Make a new connection for that account, or set a key of the right one.";
    SYNC_HELD_TWICE = "sync.held_twice", Error, Partly, "What the provider shows is held already, by another connection",
        "Two connections with keys of one account would count everything twice, so nothing of it was stored. Take one of them out: `counterfoil connection remove NAME`, and its section in the configuration; the other one then goes on with what both have read. Where only one stream is shown to both, leave it out of one with `streams`.";
    SYNC_NO_STREAM = "sync.no_stream", Error, Usage, "There is no such stream",
        "`counterfoil status` lists connections and their streams.";
}
