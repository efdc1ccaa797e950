-- One row an intention to pay: an order or an invoice that may take several charges until one goes through, or none.
CREATE TABLE stripe_payment_intents (
  account                    INTEGER NOT NULL REFERENCES accounts, -- -                                              | ops       | the merchant's account
  id                         TEXT    NOT NULL, -- id                                             | id        | payment intent id
  created_at                 INTEGER NOT NULL, -- created (unix)                                 | time      | when it was made
  status                     TEXT    NOT NULL, -- status                                         | vocab     | requires_payment_method, requires_confirmation, requires_action, processing, requires_capture, canceled, succeeded
  amount                     INTEGER NOT NULL, -- amount (minor)                                 | measure   | amount intended
  currency                   TEXT    NOT NULL, -- currency (lower)                               | vocab     | lower-case ISO 4217
  amount_capturable          INTEGER,          -- amount_capturable (minor)                      | measure   | amount authorized and not yet captured
  amount_received            INTEGER,          -- amount_received (minor)                        | measure   | amount captured
  amount_tip                 INTEGER,          -- amount_details.tip.amount (minor)              | measure   | part that is a tip
  amount_presented           INTEGER,          -- presentment_details.presentment_amount (minor) | measure   | amount that the payer saw, when Stripe converted it
  currency_presented         TEXT,             -- presentment_details.presentment_currency (lower) | vocab     | currency of amount_presented
  latest_charge_id           TEXT,             -- latest_charge                                  | id        | the last try
  capture_method             TEXT,             -- capture_method                                 | vocab     | automatic, automatic_async, manual
  confirmation_method        TEXT,             -- confirmation_method                            | vocab     | automatic, manual
  setup_future_usage         TEXT,             -- setup_future_usage                             | vocab     | on_session, off_session: the means of payment is stored for later
  canceled_at                INTEGER,          -- canceled_at (unix)                             | time      | when it was canceled
  cancellation_reason        TEXT,             -- cancellation_reason                            | vocab     | abandoned, duplicate, fraudulent, requested_by_customer, failed_invoice, automatic, …
  next_action_type           TEXT,             -- next_action.type                               | vocab     | what the payer has to do: use_stripe_sdk, redirect_to_url, …
  error_type                 TEXT,             -- last_payment_error.type                        | vocab     | card_error, invalid_request_error, …
  error_code                 TEXT,             -- last_payment_error.code                        | vocab     | card_declined, payment_intent_authentication_failure, …
  error_decline_code         TEXT,             -- last_payment_error.decline_code                | vocab     | the issuer's reason
  error_advice_code          TEXT,             -- last_payment_error.advice_code                 | vocab     | Stripe's advice on another try
  error_network_decline_code TEXT,             -- last_payment_error.network_decline_code        | vocab     | raw code of the issuer or the card network
  error_charge_id            TEXT,             -- last_payment_error.charge                      | id        | charge that failed
  processing_type            TEXT,             -- processing.type                                | vocab     | kind of the processing that is under way
  automatic_methods          INTEGER,          -- automatic_payment_methods.enabled (boolean)    | vocab     | 1: the Dashboard's settings choose the methods offered
  payment_method             TEXT,             -- payment_method                                 | reference | id of the means of payment
  customer_id                TEXT,             -- customer                                       | reference | customer id
  customer_token             TEXT,             -- customer (keyed)                               | token     | keyed hash of the customer id, for profiles that leave the id out
  payer_token                TEXT,             -- receipt_email (keyed)                          | token     | keyed hash of the e-mail address for the receipt; no other is on the object
  review_id                  TEXT,             -- review                                         | id        | manual review that was opened for it
  application_id             TEXT,             -- application                                    | id        | Connect application that made it
  amount_application_fee     INTEGER,          -- application_fee_amount (minor)                 | measure   | application fee asked for
  on_behalf_of               TEXT,             -- on_behalf_of                                   | id        | connected account that it was made for
  transfer_destination       TEXT,             -- transfer_data.destination                      | id        | connected account that receives the transfer
  amount_transfer            INTEGER,          -- transfer_data.amount (minor)                   | measure   | amount to transfer, when not the whole
  transfer_group             TEXT,             -- transfer_group                                 | reference | the merchant's name for a group of transfers
  order_reference            TEXT,             -- payment_details.order_reference                | reference | the merchant's order number
  description                TEXT,             -- description                                    | text      | the merchant's free text
  statement_descriptor       TEXT,             -- statement_descriptor                           | text      | what the payer's statement says
  metadata                   TEXT,             -- metadata (allowed)                             | reference | allowed keys of the merchant's metadata, as JSON
  seen_at                    INTEGER NOT NULL, -- -                                              | ops       | when this row was first stored
  read_at                    INTEGER NOT NULL, -- -                                              | ops       | when it was last read from the provider
  read_seq                   INTEGER NOT NULL, -- -                                              | ops       | number of the read, taken before the request was sent
  source                     TEXT    NOT NULL, -- -                                              | ops       | what the read was: list, search, get, report
  deleted_at                 INTEGER,          -- -                                              | ops       | when the provider said that it is gone
  PRIMARY KEY (account, id)
);
CREATE INDEX stripe_payment_intents_created ON stripe_payment_intents (account, created_at);
-- not kept: object | ops · livemode | ops · client_secret | direct · shipping.* | direct
-- not kept: source | reference · customer_account | reference · payment_record | id · invoice | id (gone since API version 2025-03-31)
-- not kept: statement_descriptor_suffix | text · automatic_payment_methods.allow_redirects | vocab
-- not kept: amount_details.* | measure · payment_details.* | reference · hooks.* | ops · managed_payments.* | vocab
-- not kept: payment_method_types.* | vocab · allowed_payment_method_types.* | vocab · excluded_payment_method_types.* | vocab
-- not kept: payment_method_options.* | direct · payment_method_configuration_details.* | ops · next_action.* | direct
-- not kept: processing.card.* | ops · transfer_data.* | text
-- not kept: last_payment_error.message | text · last_payment_error.doc_url | ops · last_payment_error.request_log_url | direct
-- not kept: last_payment_error.param | ops · last_payment_error.payment_method_type | vocab
-- not kept: last_payment_error.network_advice_code | vocab · last_payment_error.payment_method.* | direct
-- not kept: last_payment_error.payment_intent.* | direct · last_payment_error.setup_intent.* | direct · last_payment_error.source.* | direct
