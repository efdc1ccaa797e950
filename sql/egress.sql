-- egress.db: what left, what may still leave, and on whose consent. One writer. No event, token or provider id is in it:
-- events appear as keyed marks. Times (`…_at`) are UTC milliseconds of this machine's clock, kept for people only.

-- To which store this file belongs, and the key of the marks. One row.
CREATE TABLE identity (
  one        INTEGER PRIMARY KEY CHECK (one = 1),
  store_uuid TEXT NOT NULL,
  mark_key   BLOB NOT NULL CHECK (length(mark_key) = 32)
);

-- Each consent ever given: to this receiver (address and key), under this registry, by this install's key.
-- At most one is in force. Nothing that happened before `accepted_at` leaves under it.
CREATE TABLE consents (
  consent      INTEGER PRIMARY KEY,
  url          TEXT    NOT NULL,
  install      TEXT    NOT NULL, -- given by the receiver
  public_key   BLOB    NOT NULL CHECK (length(public_key) = 32),   -- this install's
  receiver_key BLOB    NOT NULL CHECK (length(receiver_key) = 32), -- pinned at enrolment
  registry     BLOB    NOT NULL CHECK (length(registry) = 32),     -- hash of the registry that was shown
  accepted_at  INTEGER NOT NULL,
  ended_at     INTEGER,          -- replaced by a later consent, or withdrawn
  stopped      TEXT CHECK (stopped IN ('gone', 'conflict')) -- nothing is sent until a person resumes
);
CREATE UNIQUE INDEX consents_in_force ON consents (ended_at IS NULL) WHERE ended_at IS NULL;

-- The batches, frozen: the bytes are written once and sent as they stand.
CREATE TABLE outbox (
  seq        INTEGER PRIMARY KEY,
  consent    INTEGER NOT NULL REFERENCES consents,
  fact       TEXT    NOT NULL,
  version    INTEGER NOT NULL,
  period     TEXT    NOT NULL, -- 2026-11-16 or 2026-W47
  first_day  INTEGER NOT NULL, -- its first day, in days since 1970-01-01
  late       INTEGER NOT NULL CHECK (late IN (0, 1)),
  bytes      BLOB    NOT NULL,
  digest     BLOB    NOT NULL CHECK (length(digest) = 32), -- SHA-256 of the bytes
  link       BLOB    NOT NULL CHECK (length(link) = 32),   -- SHA-256 over the link before, seq, install and digest
  state      TEXT    NOT NULL DEFAULT 'pending'
             CHECK (state IN ('pending', 'held', 'sent', 'acknowledged', 'rejected', 'withdrawn')),
  created_at INTEGER NOT NULL,
  approved   INTEGER NOT NULL DEFAULT 0, -- a person let it go before its veto period was over
  attempts   INTEGER NOT NULL DEFAULT 0,
  receipt    BLOB CHECK (length(receipt) = 64), -- the receiver's signature over install, seq and digest
  UNIQUE (fact, first_day, late)                -- a period is released once, whatever the version or the consent
);

-- The cells of the batches, for reading with SQL; the bytes are what counts.
CREATE TABLE cells (
  seq      INTEGER NOT NULL REFERENCES outbox,
  position INTEGER NOT NULL,
  outcome  TEXT    NOT NULL,
  provider TEXT    NOT NULL,
  scheme   TEXT    NOT NULL,
  funding  TEXT    NOT NULL,
  count    INTEGER NOT NULL,
  PRIMARY KEY (seq, position)
) WITHOUT ROWID;

-- One row a released event: in which cell it left. What is not here may still leave.
CREATE TABLE released (
  mark     BLOB PRIMARY KEY CHECK (length(mark) = 16),
  seq      INTEGER NOT NULL,
  position INTEGER NOT NULL,
  FOREIGN KEY (seq, position) REFERENCES cells
) WITHOUT ROWID;

-- What happened to each batch, appended only.
CREATE TABLE log (
  id     INTEGER PRIMARY KEY,
  at     INTEGER NOT NULL,
  seq    INTEGER NOT NULL REFERENCES outbox,
  event  TEXT    NOT NULL CHECK (event IN ('released', 'held', 'approved', 'sent', 'acknowledged', 'rejected', 'failed', 'withdrawn')),
  status INTEGER -- the HTTP status, where there was an answer
);
