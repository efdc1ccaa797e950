-- One row a payout from the Stripe balance to the merchant's bank account. A paid one can still fail, usually within five business days.
CREATE TABLE stripe_payouts (
  account                        INTEGER NOT NULL REFERENCES accounts, -- -                              | ops       | the merchant's account
  id                             TEXT    NOT NULL, -- id                             | id        | payout id
  created_at                     INTEGER NOT NULL, -- created (unix)                 | time      | when it was made
  arrival_at                     INTEGER,          -- arrival_date (unix)            | time      | day on which it should arrive, midnight UTC
  status                         TEXT    NOT NULL, -- status                         | vocab     | pending, in_transit, paid, failed, canceled
  amount                         INTEGER NOT NULL, -- amount (minor)                 | measure   | amount paid out; negative when Stripe debits the bank account
  currency                       TEXT    NOT NULL, -- currency (lower)               | vocab     | lower-case ISO 4217
  automatic                      INTEGER,          -- automatic (boolean)            | vocab     | 1: by schedule, 0: asked for by hand
  method                         TEXT,             -- method                         | vocab     | standard, instant
  type                           TEXT,             -- type                           | vocab     | bank_account, card
  source_type                    TEXT,             -- source_type                    | vocab     | balance it was drawn from: card, bank_account, fpx
  reconciliation_status          TEXT,             -- reconciliation_status          | vocab     | not_applicable, in_progress, completed: whether its balance transactions can be listed
  balance_transaction_id         TEXT,             -- balance_transaction            | id        | its effect on the balance
  failure_balance_transaction_id TEXT,             -- failure_balance_transaction    | id        | money that came back when it failed
  failure_code                   TEXT,             -- failure_code                   | vocab     | account_closed, could_not_process, …
  original_payout_id             TEXT,             -- original_payout                | id        | payout that this one reverses
  reversed_by_id                 TEXT,             -- reversed_by                    | id        | payout that reverses this one
  trace_status                   TEXT,             -- trace_id.status                | vocab     | pending, supported, unsupported: whether the bank has a trace id
  trace_id                       TEXT,             -- trace_id.value                 | reference | id to find the payout at the bank
  destination                    TEXT,             -- destination                    | reference | id of the bank account or card
  payout_method                  TEXT,             -- payout_method                  | reference | id of the payout method
  application_fee_id             TEXT,             -- application_fee                | id        | application fee of an instant payout
  amount_application_fee         INTEGER,          -- application_fee_amount (minor) | measure   | that fee
  statement_descriptor           TEXT,             -- statement_descriptor           | text      | what the merchant's bank statement says
  description                    TEXT,             -- description                    | text      | free text
  metadata                       TEXT,             -- metadata (allowed)             | reference | allowed keys of the merchant's metadata, as JSON
  seen_at                        INTEGER NOT NULL, -- -                              | ops       | when this row was first stored
  read_at                        INTEGER NOT NULL, -- -                              | ops       | when it was last read from the provider
  read_seq                       INTEGER NOT NULL, -- -                              | ops       | number of the read, taken before the request was sent
  source                         TEXT    NOT NULL, -- -                              | ops       | what the read was: list, search, get, report
  deleted_at                     INTEGER,          -- -                              | ops       | when the provider said that it is gone
  PRIMARY KEY (account, id)
);
-- not kept: object | ops · livemode | ops · failure_message | text
