//! Every declared stream, ready to be read under each profile, and one more declaration that has every conversion there is.
//! It reads nothing itself.

use std::sync::{Arc, OnceLock};

use counterfoil::providers::{self, Provider, Stream};
use counterfoil::stream::{Declaration, Profile, Projection, Shape, Tokens};

/// A declaration under one profile.
pub(super) struct Ready {
    pub(super) declaration: Declaration,
    pub(super) projection: Projection,
    pub(super) profile: Profile,
    pub(super) shape: Shape,
    pub(super) exponent: fn(&str) -> Option<u8>,
    /// None for the declaration that no provider has.
    pub(super) of: Option<(&'static Provider, &'static Stream)>,
}

/// The keys of merchant metadata that may be kept.
pub(super) const ALLOWED: [&str; 2] = ["order", "a.b"];

/// How a keyed hash looks here: it must be told from a value in clear, and equal for equal values of one scope.
pub(super) struct Marked;

impl Tokens for Marked {
    fn token(&self, scope: &str, value: &str, out: &mut String) {
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let hash = scope.bytes().chain([0]).chain(value.bytes()).fold(0xcbf2_9ce4_8422_2325, mix);
        out.push_str(&format!("\u{1}{hash:016x}\u{1}"));
    }
}

/// True for what [`Marked`] makes and nothing that a provider could send by chance.
pub(super) fn is_marked(text: &str) -> bool {
    text.len() == 18 && text.starts_with('\u{1}') && text.ends_with('\u{1}')
}

const EVERY_CONVERSION: &str = "\
-- Every conversion, in a parent and in children with and without ids of their own.
CREATE TABLE fuzz_things (
  account   INTEGER NOT NULL REFERENCES accounts, -- - | ops | the merchant's account
  id        TEXT NOT NULL,    -- id | id | thing id
  at        INTEGER NOT NULL, -- at (unix) | time | when
  iso_at    INTEGER,          -- deep.iso (iso) | time | when, as text
  amount    INTEGER,          -- amount (decimal currency) | measure | an amount in major units
  currency  TEXT,             -- currency (lower) | vocab | its currency
  rate      INTEGER,          -- deep.rate (e8) | measure | a rate
  minor     INTEGER,          -- minor (minor) | measure | an amount in minor units
  yes       INTEGER,          -- yes (boolean) | vocab | 1: yes
  number    INTEGER,          -- number | measure | a number
  token     TEXT,             -- deep.deeper.secret (keyed) | token | keyed hash
  score     TEXT,             -- score | vocab | a number as text
  whole     TEXT,             -- both | reference | the thing itself, or
  part      TEXT,             -- both.id | reference | a part of it
  note      TEXT,             -- note | text | free text
  last_four TEXT,             -- last4 | card | last four digits
  metadata  TEXT,             -- metadata (allowed) | reference | allowed keys of the merchant's metadata
  seen_at   INTEGER NOT NULL, -- - | ops | when this row was first stored
  read_at   INTEGER NOT NULL, -- - | ops | when it was last read from the provider
  read_seq  INTEGER NOT NULL, -- - | ops | number of the read, taken before the request was sent
  source    TEXT NOT NULL,    -- - | ops | what the read was: list, search, get, report
  deleted_at INTEGER,         -- - | ops | when the provider said that it is gone
  PRIMARY KEY (account, id)
);
-- each: parts[] (newest first)
-- Parts with ids.
CREATE TABLE fuzz_parts (
  account   INTEGER NOT NULL REFERENCES accounts, -- - | ops | the merchant's account
  id        TEXT NOT NULL,    -- id | id | part id
  thing_id  TEXT NOT NULL,    -- ^id | id | the thing
  amount    INTEGER NOT NULL, -- sum.amount (decimal sum.currency) | measure | an amount in major units
  currency  TEXT NOT NULL,    -- sum.currency (lower) | vocab | its currency
  seen_at   INTEGER NOT NULL, -- - | ops | when this row was first stored
  read_at   INTEGER NOT NULL, -- - | ops | when it was last read from the provider
  read_seq  INTEGER NOT NULL, -- - | ops | number of the read, taken before the request was sent
  source    TEXT NOT NULL,    -- - | ops | what the read was: list, search, get, report
  deleted_at INTEGER,         -- - | ops | when the provider said that it is gone
  PRIMARY KEY (account, id)
);
-- each: deep.lines[]
-- Lines by position.
CREATE TABLE fuzz_lines (
  account   INTEGER NOT NULL REFERENCES accounts, -- - | ops | the merchant's account
  thing_id  TEXT NOT NULL,    -- ^id | id | the thing
  position  INTEGER NOT NULL, -- # | ops | place in the list
  kind      TEXT,             -- kind (lower) | vocab | what it is
  token     TEXT,             -- who (keyed) | token | keyed hash
  seen_at   INTEGER NOT NULL, -- - | ops | when this row was first stored
  read_at   INTEGER NOT NULL, -- - | ops | when it was last read from the provider
  read_seq  INTEGER NOT NULL, -- - | ops | number of the read, taken before the request was sent
  source    TEXT NOT NULL,    -- - | ops | what the read was: list, search, get, report
  deleted_at INTEGER,         -- - | ops | when the provider said that it is gone
  PRIMARY KEY (account, thing_id, position)
);
-- not kept: name | direct
-- not kept: deep.open.* | direct
";

/// The declarations under the strictest and the widest profile, prepared once.
pub(super) fn all() -> &'static [Ready] {
    static ALL: OnceLock<Vec<Ready>> = OnceLock::new();
    ALL.get_or_init(|| {
        let ours =
            providers::ALL.iter().flat_map(|provider| provider.streams.iter().map(move |stream| (*provider, stream)));
        let mut all = Vec::new();
        for profile in [Profile::Finance, Profile::Strict] {
            let shape = Shape { records: Some("data"), leaves: &["total", "more"] };
            let exponent = providers::stripe::PROVIDER.exponent;
            let declaration = Declaration::parse("every conversion", EVERY_CONVERSION).expect("it is a declaration");
            all.push(ready(declaration, profile, shape, exponent, None));
            for (provider, stream) in ours.clone() {
                let declaration = Declaration::clone(&stream.declaration().expect("it is a declaration"));
                all.push(ready(declaration, profile, stream.shape, provider.exponent, Some((provider, stream))));
            }
        }
        all
    })
}

fn ready(
    declaration: Declaration,
    profile: Profile,
    shape: Shape,
    exponent: fn(&str) -> Option<u8>,
    of: Option<(&'static Provider, &'static Stream)>,
) -> Ready {
    let allowed = ALLOWED.map(str::to_owned);
    let projection = Projection::new(&declaration, profile, Arc::new(Marked), exponent, &allowed);
    Ready { declaration, projection, profile, shape, exponent, of }
}
