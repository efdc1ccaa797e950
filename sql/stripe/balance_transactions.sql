-- One row a change of the Stripe balance, in the currency of the balance: amount - amount_fee = amount_net.
CREATE TABLE stripe_balance_transactions (
  account            INTEGER NOT NULL REFERENCES accounts, -- -                   | ops     | the merchant's account
  id                 TEXT    NOT NULL, -- id                  | id      | balance transaction id
  created_at         INTEGER NOT NULL, -- created (unix)      | time    | when it was booked
  available_at       INTEGER,          -- available_on (unix) | time    | when the net amount becomes available
  status             TEXT,             -- status              | vocab   | pending, available: the only thing that changes later
  type               TEXT    NOT NULL, -- type                | vocab   | charge, refund, adjustment, payout, stripe_fee, …
  reporting_category TEXT,             -- reporting_category  | vocab   | coarser than type; what Stripe's reports group by
  balance_type       TEXT,             -- balance_type        | vocab   | which balance: payments, issuing, refund_and_dispute_prefunding, risk_reserved
  amount             INTEGER NOT NULL, -- amount (minor)      | measure | gross amount, negative when it leaves the balance
  amount_fee         INTEGER NOT NULL, -- fee (minor)         | measure | fees kept back, positive
  amount_net         INTEGER NOT NULL, -- net (minor)         | measure | amount - amount_fee
  currency           TEXT    NOT NULL, -- currency (lower)    | vocab   | currency of the balance, lower-case ISO 4217
  exchange_rate      TEXT,             -- exchange_rate       | measure | from the source's currency to this one, decimal text as sent
  source_id          TEXT,             -- source              | id      | what caused it: a charge, refund, dispute, payout, …
  description        TEXT,             -- description         | text    | free text, mostly copied from the source
  seen_at            INTEGER NOT NULL, -- -                   | ops     | when this row was first stored
  read_at            INTEGER NOT NULL, -- -                   | ops     | when it was last read from the provider
  read_seq           INTEGER NOT NULL, -- -                   | ops     | number of the read, taken before the request was sent
  source             TEXT    NOT NULL, -- -                   | ops     | what the read was: list, search, get, report
  deleted_at         INTEGER,          -- -                   | ops     | when the provider said that it is gone
  PRIMARY KEY (account, id)
);
CREATE INDEX stripe_balance_transactions_created ON stripe_balance_transactions (account, created_at);
-- not kept: object | ops

-- each: fee_details[]
-- One row a fee within a balance transaction; together they make its amount_fee.
CREATE TABLE stripe_balance_transaction_fees (
  account                INTEGER NOT NULL REFERENCES accounts, -- -                | ops     | the merchant's account
  balance_transaction_id TEXT    NOT NULL, -- ^id              | id      | balance transaction that the fee was taken in
  position               INTEGER NOT NULL, -- #                | ops     | its place among the fees of the balance transaction, from 0
  created_at             INTEGER NOT NULL, -- ^created (unix)  | time    | when it was booked
  type                   TEXT,             -- type             | vocab   | application_fee, payment_method_passthrough_fee, stripe_fee, tax, withheld_tax
  amount                 INTEGER NOT NULL, -- amount (minor)   | measure | the fee, positive
  currency               TEXT    NOT NULL, -- currency (lower) | vocab   | lower-case ISO 4217
  application_id         TEXT,             -- application      | id      | Connect application that took it
  description            TEXT,             -- description      | text    | Stripe's free text
  seen_at                INTEGER NOT NULL, -- -                | ops     | when this row was first stored
  read_at                INTEGER NOT NULL, -- -                | ops     | when it was last read from the provider
  read_seq               INTEGER NOT NULL, -- -                | ops     | number of the read, taken before the request was sent
  source                 TEXT    NOT NULL, -- -                | ops     | what the read was: list, search, get, report
  deleted_at             INTEGER,          -- -                | ops     | when the provider said that it is gone
  PRIMARY KEY (account, balance_transaction_id, position)
);
