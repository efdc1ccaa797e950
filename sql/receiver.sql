-- The reference receiver's database: enrolled installs, the batches exactly as they came, and their cells for reading.
-- Times (`…_at`) are UTC milliseconds of the receiver's clock.

-- The receiver's own signing key (seed of an Ed25519 key pair). One row. The file is readable by its owner only.
CREATE TABLE IF NOT EXISTS identity (
  one  INTEGER PRIMARY KEY CHECK (one = 1),
  seed BLOB NOT NULL CHECK (length(seed) = 32)
);

-- One-time codes of the operator; a used code answers again only to the key that used it.
CREATE TABLE IF NOT EXISTS codes (
  code    TEXT PRIMARY KEY,
  install TEXT REFERENCES installs
);

-- Who may send.
CREATE TABLE IF NOT EXISTS installs (
  install     TEXT PRIMARY KEY,
  public_key  BLOB    NOT NULL CHECK (length(public_key) = 32),
  registry    BLOB    NOT NULL CHECK (length(registry) = 32), -- hash of the registry that was accepted there
  enrolled_at INTEGER NOT NULL
);

-- Every batch once, byte for byte. A period has one batch, whatever its number.
CREATE TABLE IF NOT EXISTS batches (
  install     TEXT    NOT NULL REFERENCES installs,
  seq         INTEGER NOT NULL,
  fact        TEXT    NOT NULL,
  version     INTEGER NOT NULL,
  period      TEXT    NOT NULL,
  late        INTEGER NOT NULL,
  bytes       BLOB    NOT NULL,
  received_at INTEGER NOT NULL,
  PRIMARY KEY (install, seq),
  UNIQUE (install, fact, period)
);

-- What the batches say. Totals are sums over cells: none is stated twice.
CREATE TABLE IF NOT EXISTS cells (
  install  TEXT    NOT NULL,
  seq      INTEGER NOT NULL,
  position INTEGER NOT NULL,
  outcome  TEXT    NOT NULL,
  provider TEXT    NOT NULL,
  scheme   TEXT    NOT NULL,
  funding  TEXT    NOT NULL,
  count    INTEGER NOT NULL,
  PRIMARY KEY (install, seq, position),
  FOREIGN KEY (install, seq) REFERENCES batches
);
