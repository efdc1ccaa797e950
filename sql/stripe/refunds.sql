-- One row a refund of a charge, whole or in part. It can fail weeks after it was made.
CREATE TABLE stripe_refunds (
  account                        INTEGER NOT NULL REFERENCES accounts, -- -                                              | ops       | the merchant's account
  id                             TEXT    NOT NULL, -- id                                             | id        | refund id
  created_at                     INTEGER NOT NULL, -- created (unix)                                 | time      | when the refund was made
  status                         TEXT,             -- status                                         | vocab     | pending, requires_action, succeeded, failed, canceled
  amount                         INTEGER NOT NULL, -- amount (minor)                                 | measure   | amount refunded
  currency                       TEXT    NOT NULL, -- currency (lower)                               | vocab     | lower-case ISO 4217
  amount_presented               INTEGER,          -- presentment_details.presentment_amount (minor) | measure   | amount that the payer saw, when Stripe converted it
  currency_presented             TEXT,             -- presentment_details.presentment_currency (lower) | vocab     | currency of amount_presented
  charge_id                      TEXT,             -- charge                                         | id        | charge that is refunded
  payment_intent_id              TEXT,             -- payment_intent                                 | id        | intention to pay that is refunded
  balance_transaction_id         TEXT,             -- balance_transaction                            | id        | its effect on the balance
  failure_balance_transaction_id TEXT,             -- failure_balance_transaction                    | id        | money that came back when the refund failed
  reason                         TEXT,             -- reason                                         | vocab     | duplicate, fraudulent, requested_by_customer, expired_uncaptured_charge
  failure_reason                 TEXT,             -- failure_reason                                 | vocab     | lost_or_stolen_card, expired_or_canceled_card, insufficient_funds, declined, unknown, …
  pending_reason                 TEXT,             -- pending_reason                                 | vocab     | processing, insufficient_funds, charge_pending
  destination_type               TEXT,             -- destination_details.type                       | vocab     | where the money went back to: card, sepa_bank_transfer, …
  card_refund_type               TEXT,             -- destination_details.card.type                  | vocab     | refund, reversal, pending
  card_reference_type            TEXT,             -- destination_details.card.reference_type        | vocab     | kind of the bank's reference: acquirer_reference_number, …
  card_reference_status          TEXT,             -- destination_details.card.reference_status      | vocab     | pending, available, unavailable
  card_reference                 TEXT,             -- destination_details.card.reference             | reference | reference to follow the refund at the bank (ARN)
  next_action_type               TEXT,             -- next_action.type                               | vocab     | what the payer has to do
  transfer_reversal_id           TEXT,             -- transfer_reversal                              | id        | reversal of the transfer to the connected account
  source_transfer_reversal_id    TEXT,             -- source_transfer_reversal                       | id        | the reversal that this refund came from, on the receiving account
  payment_method                 TEXT,             -- payment_method                                 | reference | id of the means of payment, of a refund without a charge
  customer_id                    TEXT,             -- customer                                       | reference | customer id, of a refund without a charge
  description                    TEXT,             -- description                                    | text      | the merchant's free text
  metadata                       TEXT,             -- metadata (allowed)                             | reference | allowed keys of the merchant's metadata, as JSON
  seen_at                        INTEGER NOT NULL, -- -                                              | ops       | when this row was first stored
  read_at                        INTEGER NOT NULL, -- -                                              | ops       | when it was last read from the provider
  read_seq                       INTEGER NOT NULL, -- -                                              | ops       | number of the read, taken before the request was sent
  source                         TEXT    NOT NULL, -- -                                              | ops       | what the read was: list, search, get, report
  deleted_at                     INTEGER,          -- -                                              | ops       | when the provider said that it is gone
  PRIMARY KEY (account, id)
);
-- not kept: object | ops · receipt_number | reference · instructions_email | direct · customer_account | reference
-- not kept: next_action.display_details.* | direct
-- not kept: destination_details.* | reference (each other method has an object of its own, with the bank's reference)
