-- One row a dispute, as the list of disputes gives it: its present state, found by the time of its last change.
CREATE TABLE checkoutcom_disputes (
  account               INTEGER NOT NULL REFERENCES accounts, -- -                          | ops       | the merchant's account
  id                    TEXT    NOT NULL, -- id                         | id        | dispute id
  received_at           INTEGER,          -- received_on (iso)          | time      | when it was received from the scheme
  updated_at            INTEGER NOT NULL, -- last_update (iso)          | time      | when it last changed
  due_at                INTEGER,          -- evidence_required_by (iso) | time      | until when evidence is taken
  status                TEXT    NOT NULL, -- status (lower)             | vocab     | evidence_required, evidence_under_review, resolved, won, lost, canceled, expired, accepted, arbitration_under_review, arbitration_won, arbitration_lost, arb_evidence_submitted
  amount                INTEGER,          -- amount (minor)             | measure   | amount disputed, in the processing currency
  currency              TEXT,             -- currency (lower)           | vocab     | lower-case ISO 4217
  category              TEXT,             -- category (lower)           | vocab     | fraudulent, unrecognized, canceled_recurring, product_service_not_received, not_as_described, credit_not_issued, duplicate, incorrect_amount, general
  reason_code           TEXT,             -- reason_code                | vocab     | the scheme's reason code, for example 10.4
  resolved_reason       TEXT,             -- resolved_reason (lower)    | vocab     | rapid_dispute_resolution, negative_amount, already_refunded
  payment_id            TEXT,             -- payment_id                 | id        | payment that is disputed
  payment_action_id     TEXT,             -- payment_action_id          | id        | its action that is disputed
  payment_method        TEXT,             -- payment_method (lower)     | vocab     | visa, mastercard, …
  payment_mcc           TEXT,             -- payment_mcc                | vocab     | merchant category code
  payment_arn           TEXT,             -- payment_arn                | reference | acquirer reference number of the payment
  payment_reference     TEXT,             -- payment_reference          | reference | the merchant's reference of the payment
  entity_id             TEXT,             -- entity_id                  | id        | the merchant's entity
  sub_entity_id         TEXT,             -- sub_entity_id              | id        | marketplaces: the seller
  processing_channel_id TEXT,             -- processing_channel         | id        | processing channel
  segment_id            TEXT,             -- segment_id                 | id        | segment of the merchant's account
  ce_candidate          INTEGER,          -- is_ce_candidate (boolean)  | vocab     | 1: earlier undisputed payments may win it (compelling evidence)
  seen_at               INTEGER NOT NULL, -- -                          | ops       | when this row was first stored
  read_at               INTEGER NOT NULL, -- -                          | ops       | when it was last read from the provider
  read_seq              INTEGER NOT NULL, -- -                          | ops       | number of the read, taken before the request was sent
  source                TEXT    NOT NULL, -- -                          | ops       | what the read was: list, search, get, report
  deleted_at            INTEGER,          -- -                          | ops       | when the provider said that it is gone
  PRIMARY KEY (account, id)
);
-- not kept: _links.* | ops
-- not kept: relevant_evidence.* | vocab · reference | reference · evidence_list.* | direct · evidence_bundle.* | direct
-- not kept: payment.* | reference (a single dispute nests what the list has flat)
