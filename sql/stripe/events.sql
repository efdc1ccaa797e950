-- What happened at Stripe, as its event feed tells it: which object changed, and when. A list of what to read again, not a
-- record of the past: nothing of the object that an event shows is kept, and rows leave after 35 days (Stripe keeps 30).
CREATE TABLE stripe_events (
  account          INTEGER NOT NULL REFERENCES accounts, -- -           | ops   | the merchant's account
  id               TEXT    NOT NULL, -- id                              | id    | event id
  created_at       INTEGER NOT NULL, -- created (unix)                  | time  | when it happened
  type             TEXT    NOT NULL, -- type                            | vocab | charge.refunded, payout.paid, …
  object           TEXT,             -- data.object.object              | vocab | kind of the object that changed: charge, refund, …
  object_id        TEXT,             -- data.object.id                  | id    | the object that changed
  charge_id        TEXT,             -- data.object.charge              | id    | the charge that it names
  latest_charge_id TEXT,             -- data.object.latest_charge       | id    | payment intents: their last charge
  seen_at          INTEGER NOT NULL, -- -                               | ops   | when this row was first stored
  read_at          INTEGER NOT NULL, -- -                               | ops   | when it was last read from the provider
  read_seq         INTEGER NOT NULL, -- -                               | ops   | number of the read, taken before the request was sent
  source           TEXT    NOT NULL, -- -                               | ops   | what the read was: list, search, get, report
  deleted_at       INTEGER,          -- -                               | ops   | when the provider said that it is gone
  PRIMARY KEY (account, id)
);
-- not kept: data.object.* | direct (the object as it was then, with persons in it) · data.previous_attributes.* | direct
-- not kept: data.* | direct · request.* | reference · account | id · context | id
-- not kept: api_version | vocab · livemode | ops · object | vocab · pending_webhooks | ops · reason.* | vocab
