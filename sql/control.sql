-- The merchant's accounts at providers. Rows and keys hang on the account, never on its editable name.
CREATE TABLE accounts (
  account          INTEGER NOT NULL PRIMARY KEY, -- - | ops | the key that all rows carry
  uuid             TEXT NOT NULL UNIQUE, -- - | ops | the account's name in the vault
  connection       TEXT UNIQUE,      -- - | ops | the merchant's name for it; empty once removed
  provider         TEXT NOT NULL,    -- - | vocab | stripe, checkoutcom
  provider_account TEXT,             -- - | id | not filled yet: the provider's own account or client id
  livemode         INTEGER,          -- - | ops | 1 live, 0 test, empty until known
  created_at       INTEGER NOT NULL, -- - | time | when the account was first configured
  removed_at       INTEGER           -- - | time | when its connection was removed; its rows stay
);

-- One window of one stream: what was walked whole, when, and what could not be. What follows from all of them is in horizons.
CREATE TABLE coverage (
  window      INTEGER NOT NULL PRIMARY KEY, -- - | ops | key
  account     INTEGER NOT NULL REFERENCES accounts, -- - | ops | the merchant's account
  stream      TEXT NOT NULL,    -- - | ops | the stream, named as its table
  clock       TEXT NOT NULL,    -- - | ops | the provider's time that the window bounds: created, last_update, requested_on
  from_at     INTEGER NOT NULL, -- - | time | first instant inside
  to_at       INTEGER NOT NULL, -- - | time | first instant after
  method      TEXT NOT NULL,    -- - | ops | how it was walked: list, halved; relisted (a gap made good), none (a gap without a walk)
  state       TEXT NOT NULL,    -- - | ops | open (being walked), complete, gap (could not be walked whole)
  cursor      TEXT,             -- - | ops | open windows: the last id of the last page that is in; the checkpoint
  pages       INTEGER NOT NULL DEFAULT 0, -- - | measure | pages read
  rows        INTEGER NOT NULL DEFAULT 0, -- - | measure | records read
  rejected    INTEGER NOT NULL DEFAULT 0, -- - | measure | records that did not convert
  provider_at INTEGER,          -- - | time | the provider's time when the walk began
  read_at     INTEGER,          -- - | time | when the last page came, by the provider's clock
  declaration TEXT NOT NULL,    -- - | ops | hash of the declaration that read it
  reason      TEXT              -- - | ops | why it is a gap
);
CREATE INDEX coverage_by_stream ON coverage (account, stream, state, from_at);

-- Up to when each stream that is read is known, as stated when the last pass ended. No row: not stated, because nothing was
-- read yet, or what was read no longer counts and is read again.
CREATE TABLE horizons (
  account       INTEGER NOT NULL REFERENCES accounts, -- - | ops | the merchant's account
  stream        TEXT NOT NULL,    -- - | ops | the stream, named as its table
  listed_from   INTEGER,          -- - | time | from here to listed_to every object made is in, as visible to the key; empty: nothing listed yet
  listed_to     INTEGER,          -- - | time | every object made before it is in, back to listed_from; by the provider's clock
  changed_to    INTEGER,          -- - | time | every change before it to every object held is in, by the provider's clock; empty: not stated
  tells_changes INTEGER NOT NULL, -- - | ops | 1: changed_to can be stated; 0: never, no word comes of some changes
  stated_at     INTEGER NOT NULL, -- - | time | when this was stated, by this machine's clock
  PRIMARY KEY (account, stream)
);

-- Objects that are to be read again: something said that they changed, or their state is not final. A mark goes when a read
-- that was sent after it, and that can have seen what changed, has been stored.
CREATE TABLE changes (
  account    INTEGER NOT NULL REFERENCES accounts, -- - | ops | the merchant's account
  stream     TEXT NOT NULL,    -- - | ops | the object's stream, named as its table
  id         TEXT NOT NULL,    -- - | id | the object
  changed_at INTEGER NOT NULL, -- - | time | since when what we hold may be old, by the provider's clock; where a search may be behind, the latest change
  marked_seq INTEGER NOT NULL, -- - | ops | number of the mark: reads with greater numbers were sent after it
  reason     TEXT NOT NULL,    -- - | ops | what marked it: the stream whose record named it, unsettled, check, get (read by id; search is asked for the rest later)
  PRIMARY KEY (account, stream, id)
);

-- What is done from time to time, and when it was last begun, by the provider's clock.
CREATE TABLE rounds (
  account INTEGER NOT NULL REFERENCES accounts, -- - | ops | the merchant's account
  stream  TEXT NOT NULL,    -- - | ops | the stream
  kind    TEXT NOT NULL,    -- - | ops | feed (from where it must be heard), let_go (of old events), unsettled (their reading), check (random re-read), account (is it still the same one), left (no longer read)
  at      INTEGER NOT NULL, -- - | time | when
  PRIMARY KEY (account, stream, kind)
);

-- Requests sent, by day and purpose.
CREATE TABLE reads (
  account INTEGER NOT NULL REFERENCES accounts, -- - | ops | the merchant's account
  day_at  INTEGER NOT NULL, -- - | time | midnight UTC, by the provider's clock
  purpose TEXT NOT NULL,    -- - | ops | feed, poll, change, again, backfill, check
  reads   INTEGER NOT NULL, -- - | measure | requests, tries included
  PRIMARY KEY (account, day_at, purpose)
);

-- One pass over one stream.
CREATE TABLE runs (
  run        INTEGER NOT NULL PRIMARY KEY, -- - | ops | key
  account    INTEGER NOT NULL REFERENCES accounts, -- - | ops | the merchant's account
  stream     TEXT NOT NULL,    -- - | ops | the stream
  started_at INTEGER NOT NULL, -- - | time | start, by this machine's clock
  ended_at   INTEGER,          -- - | time | end; empty: running, or interrupted
  outcome    TEXT,             -- - | ops | fine, failed
  code       TEXT,             -- - | ops | the problem it ended with
  requests   INTEGER NOT NULL DEFAULT 0, -- - | measure | requests sent, tries included
  pages      INTEGER NOT NULL DEFAULT 0, -- - | measure | pages stored
  rows       INTEGER NOT NULL DEFAULT 0, -- - | measure | records stored
  bytes      INTEGER NOT NULL DEFAULT 0  -- - | measure | bytes of the pages
);

-- Conditions that stand or stood, each once per account and stream; codes are those of the catalogue.
CREATE TABLE problems (
  account    INTEGER,          -- - | ops | the merchant's account; empty: the agent itself
  stream     TEXT,             -- - | ops | the stream; empty: the whole connection
  code       TEXT NOT NULL,    -- - | ops | the catalogue's code
  detail     TEXT NOT NULL,    -- - | ops | particulars, in our own words
  first_at   INTEGER NOT NULL, -- - | time | when it was first met
  last_at    INTEGER NOT NULL, -- - | time | when it was last met
  times      INTEGER NOT NULL DEFAULT 1, -- - | measure | how often
  cleared_at INTEGER           -- - | time | when it was gone
);

-- Records that did not convert: id and reason, never the value.
CREATE TABLE rejected (
  account INTEGER NOT NULL REFERENCES accounts, -- - | ops | the merchant's account
  stream  TEXT NOT NULL,    -- - | ops | the table that the record was for
  id      TEXT NOT NULL,    -- - | id | the record's id; empty when it had no usable one
  reason  TEXT NOT NULL,    -- - | ops | why, from a closed list
  field   TEXT NOT NULL,    -- - | ops | the column that could not be filled
  read_at INTEGER NOT NULL, -- - | time | when it came last
  times   INTEGER NOT NULL DEFAULT 1, -- - | measure | how often it came
  PRIMARY KEY (account, stream, id, field, reason)
);

-- Field names that a provider sent and no declaration knows. Names only.
CREATE TABLE drift (
  account  INTEGER NOT NULL REFERENCES accounts, -- - | ops | the merchant's account
  stream   TEXT NOT NULL,    -- - | ops | the stream
  field    TEXT NOT NULL,    -- - | ops | the field's path
  times    INTEGER NOT NULL, -- - | measure | how often it came
  first_at INTEGER NOT NULL, -- - | time | when it came first
  last_at  INTEGER NOT NULL, -- - | time | when it came last
  PRIMARY KEY (account, stream, field)
);

-- Cross-checks against the provider, each with its result.
CREATE TABLE checks (
  account    INTEGER NOT NULL REFERENCES accounts, -- - | ops | the merchant's account
  stream     TEXT NOT NULL,    -- - | ops | the stream
  kind       TEXT NOT NULL,    -- - | ops | what was compared: reread (with the provider), else the column whose objects must be held
  checked_at INTEGER NOT NULL, -- - | time | when
  compared   INTEGER NOT NULL, -- - | measure | things compared
  different  INTEGER NOT NULL  -- - | measure | things that differed
);

-- Every configuration that was put into force or refused.
CREATE TABLE config_generations (
  generation INTEGER NOT NULL PRIMARY KEY, -- - | ops | number
  hash       TEXT NOT NULL,    -- - | ops | SHA-256 of the file
  loaded_at  INTEGER NOT NULL, -- - | time | when it was read
  outcome    TEXT NOT NULL,    -- - | ops | applied, refused
  detail     TEXT NOT NULL     -- - | ops | what changed, or why it was refused
);

-- The store's own few facts.
CREATE TABLE state (
  name  TEXT NOT NULL PRIMARY KEY, -- - | ops | which fact
  value TEXT NOT NULL              -- - | ops | the fact
);
