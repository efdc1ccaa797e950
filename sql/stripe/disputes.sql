-- One row a dispute of a charge: an inquiry, a chargeback or what became of it.
CREATE TABLE stripe_disputes (
  account              INTEGER NOT NULL REFERENCES accounts, -- -                                       | ops       | the merchant's account
  id                   TEXT    NOT NULL, -- id                                      | id        | dispute id
  created_at           INTEGER NOT NULL, -- created (unix)                          | time      | when it was opened
  status               TEXT    NOT NULL, -- status                                  | vocab     | warning_needs_response, warning_under_review, warning_closed, needs_response, under_review, won, lost, prevented, …
  amount               INTEGER NOT NULL, -- amount (minor)                          | measure   | amount disputed, may differ from the charge's
  currency             TEXT    NOT NULL, -- currency (lower)                        | vocab     | lower-case ISO 4217
  charge_id            TEXT,             -- charge                                  | id        | charge that is disputed
  payment_intent_id    TEXT,             -- payment_intent                          | id        | intention to pay that is disputed
  reason               TEXT,             -- reason                                  | vocab     | fraudulent, product_not_received, duplicate, subscription_canceled, general, …
  network_reason_code  TEXT,             -- payment_method_details.card.network_reason_code | vocab     | the card network's reason code, for example 10.4
  case_type            TEXT,             -- payment_method_details.card.case_type   | vocab     | inquiry, chargeback, block, compliance, resolution
  card_brand           TEXT,             -- payment_method_details.card.brand       | vocab     | visa, mastercard, …
  card_network         TEXT,             -- payment_method_details.card.network     | vocab     | network that carried the charge
  method_type          TEXT,             -- payment_method_details.type             | vocab     | card, klarna, paypal, amazon_pay
  is_charge_refundable INTEGER,          -- is_charge_refundable (boolean)          | vocab     | 1: a refund still ends it
  due_at               INTEGER,          -- evidence_details.due_by (unix)          | time      | until when evidence is taken, null when it is too late
  has_evidence         INTEGER,          -- evidence_details.has_evidence (boolean) | vocab     | 1: evidence was staged
  past_due             INTEGER,          -- evidence_details.past_due (boolean)     | vocab     | 1: the last evidence came after the due date
  submissions          INTEGER,          -- evidence_details.submission_count       | measure   | how often evidence was submitted
  intended_submission  TEXT,             -- intended_submission_method              | vocab     | how the merchant means to answer
  metadata             TEXT,             -- metadata (allowed)                      | reference | allowed keys of the merchant's metadata, as JSON
  seen_at              INTEGER NOT NULL, -- -                                       | ops       | when this row was first stored
  read_at              INTEGER NOT NULL, -- -                                       | ops       | when it was last read from the provider
  read_seq             INTEGER NOT NULL, -- -                                       | ops       | number of the read, taken before the request was sent
  source               TEXT    NOT NULL, -- -                                       | ops       | what the read was: list, search, get, report
  deleted_at           INTEGER,          -- -                                       | ops       | when the provider said that it is gone
  PRIMARY KEY (account, id)
);
-- not kept: object | ops · livemode | ops · evidence.* | direct
-- not kept: balance_transactions.* | text (read as stripe_balance_transactions, whose source is the dispute)
-- not kept: enhanced_eligibility_types.* | vocab · evidence_details.enhanced_eligibility.* | vocab
-- not kept: network_reason_code | vocab (payment_method_details.card has it)
-- not kept: payment_method_details.paypal.* | reference · payment_method_details.klarna.* | reference
-- not kept: payment_method_details.amazon_pay.* | reference
