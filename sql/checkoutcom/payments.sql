-- One row a payment, as the payment search gives it. A payment is one try; a payout to a card or a bank account is a payment too,
-- and has a destination_type. Codes are stored in lower case with underscores, because the provider spells them both ways.
CREATE TABLE checkoutcom_payments (
  account                    INTEGER NOT NULL REFERENCES accounts, -- -                                     | ops       | the merchant's account
  id                         TEXT    NOT NULL, -- id                                    | id        | payment id
  requested_at               INTEGER NOT NULL, -- requested_on (iso)                    | time      | when the payment was requested
  status                     TEXT    NOT NULL, -- status (lower)                        | vocab     | pending, authorized, card_verified, voided, partially_captured, captured, partially_refunded, refunded, declined, canceled, expired, paid
  amount                     INTEGER NOT NULL, -- amount (minor)                        | measure   | amount of the payment
  currency                   TEXT    NOT NULL, -- currency (lower)                      | vocab     | lower-case ISO 4217
  amount_requested           INTEGER,          -- amount_requested (minor)              | measure   | amount first asked for
  amount_authorized          INTEGER,          -- balances.total_authorized (minor)     | measure   | amount authorized so far
  amount_voided              INTEGER,          -- balances.total_voided (minor)         | measure   | amount of authorization given back
  amount_captured            INTEGER,          -- balances.total_captured (minor)       | measure   | amount captured so far
  amount_refunded            INTEGER,          -- balances.total_refunded (minor)       | measure   | amount refunded so far
  amount_voidable            INTEGER,          -- balances.available_to_void (minor)    | measure   | amount that can still be voided
  amount_capturable          INTEGER,          -- balances.available_to_capture (minor) | measure   | amount that can still be captured
  amount_refundable          INTEGER,          -- balances.available_to_refund (minor)  | measure   | amount that can still be refunded
  payment_type               TEXT,             -- payment_type (lower)                  | vocab     | regular, recurring, moto, installment, unscheduled
  approved                   INTEGER,          -- approved (boolean)                    | vocab     | 1: authorized or verified; not in search results
  expires_at                 INTEGER,          -- expires_on (iso)                      | time      | end of the authorization
  processed_at               INTEGER,          -- processed_on (iso)                    | time      | when it was processed
  processing_channel_id      TEXT,             -- processing_channel_id                 | id        | processing channel
  sub_entity_id              TEXT,             -- marketplace.sub_entity_id             | id        | marketplaces: the seller
  method_type                TEXT,             -- source.type (lower)                   | vocab     | card, paypal, ideal, …
  destination_type           TEXT,             -- destination.type (lower)              | vocab     | payouts: where the money went, card or bank_account
  card_scheme                TEXT,             -- source.scheme (lower)                 | vocab     | visa, mastercard, american_express, …
  card_scheme_local          TEXT,             -- source.scheme_local (lower)           | vocab     | second scheme of a co-badged card: cartes_bancaires, mada, …
  card_type                  TEXT,             -- source.card_type (lower)              | vocab     | credit, debit, prepaid, charge, deferred_debit
  card_category              TEXT,             -- source.card_category (lower)          | vocab     | consumer, commercial
  card_wallet                TEXT,             -- source.card_wallet_type (lower)       | vocab     | applepay, googlepay
  card_country               TEXT,             -- source.issuer_country                 | vocab     | issuer's country, ISO 3166
  card_product_id            TEXT,             -- source.product_id                     | vocab     | the scheme's code of the card product
  card_product               TEXT,             -- source.product_type                   | vocab     | the scheme's name of the card product
  card_bin                   TEXT,             -- source.bin                            | reference | first digits of the card
  card_issuer                TEXT,             -- source.issuer                         | reference | issuing bank
  card_last4                 TEXT,             -- source.last4                          | card      | last four digits
  card_token                 TEXT,             -- source.fingerprint (keyed)            | token     | keyed hash of the card, only for counting and joining
  avs_check                  TEXT,             -- source.avs_check                      | vocab     | result of the address check, one letter
  cvv_check                  TEXT,             -- source.cvv_check                      | vocab     | result of the security code check, one letter
  source_id                  TEXT,             -- source.id                             | reference | id of the stored means of payment
  three_ds_version           TEXT,             -- 3ds.version                           | vocab     | 2.1.0, 2.2.0, …
  three_ds_eci               TEXT,             -- 3ds.eci                               | vocab     | indicator given by the authentication, in search results
  three_ds_enrolled          TEXT,             -- 3ds.enrolled                          | vocab     | whether the card takes part: Y, N, U
  three_ds_response          TEXT,             -- 3ds.authentication_response           | vocab     | Y authenticated, A attempted, N failed, U unavailable, C challenge, R rejected, I informational
  three_ds_status_reason     TEXT,             -- 3ds.authentication_status_reason      | vocab     | the network's reason for the response
  three_ds_downgraded        INTEGER,          -- 3ds.downgraded (boolean)              | vocab     | 1: went on without 3DS after trouble with it
  three_ds_challenged        INTEGER,          -- 3ds.challenged (boolean)              | vocab     | 1: the payer was asked
  three_ds_exemption         TEXT,             -- 3ds.exemption (lower)                 | vocab     | exemption asked for: low_value, transaction_risk_assessment, …
  three_ds_exemption_applied TEXT,             -- 3ds.exemption_applied (lower)         | vocab     | exemption used
  three_ds_upgrade_reason    TEXT,             -- 3ds.upgrade_reason (lower)            | vocab     | why 3DS was added: sca_retry, …
  eci                        TEXT,             -- eci                                   | vocab     | indicator sent with the authorization, not in search results
  risk_flagged               INTEGER,          -- risk.flagged (boolean)                | vocab     | 1: the risk rules flagged it
  risk_score                 INTEGER,          -- risk.score                            | measure   | risk score, 0 to 100
  mcc                        TEXT,             -- processing.merchant_category_code     | vocab     | merchant category code
  preferred_scheme           TEXT,             -- processing.preferred_scheme (lower)   | vocab     | scheme that the merchant asked for
  account_funding            INTEGER,          -- processing.aft (boolean)              | vocab     | 1: account funding transaction
  scheme_transaction_id      TEXT,             -- scheme_id                             | reference | the card scheme's own id of the transaction
  reference                  TEXT,             -- reference                             | reference | the merchant's reference
  payer_token                TEXT,             -- customer.email (keyed)                | token     | keyed hash of the payer's e-mail address, only for counting and joining
  customer_id                TEXT,             -- customer.id                           | reference | customer id
  billing_descriptor         TEXT,             -- billing_descriptor.name               | text      | what the payer's statement says
  description                TEXT,             -- description                           | text      | the merchant's free text
  metadata                   TEXT,             -- metadata (allowed)                    | reference | allowed keys of the merchant's metadata, as JSON
  seen_at                    INTEGER NOT NULL, -- -                                     | ops       | when this row was first stored
  read_at                    INTEGER NOT NULL, -- -                                     | ops       | when it was last read from the provider
  read_seq                   INTEGER NOT NULL, -- -                                     | ops       | number of the read, taken before the request was sent
  source                     TEXT    NOT NULL, -- -                                     | ops       | what the read was: list, search, get, report
  deleted_at                 INTEGER,          -- -                                     | ops       | when the provider said that it is gone
  PRIMARY KEY (account, id)
);
CREATE INDEX checkoutcom_payments_requested ON checkoutcom_payments (account, requested_at);
-- not kept: customer.name | direct · payment_ip | direct · shipping.* | direct · sender.* | direct · recipient.* | direct
-- not kept: source.expiry_month | direct · source.expiry_year | direct · source.name | direct · source.billing_address.* | direct
-- not kept: source.phone.* | direct · source.account_holder.* | direct · source.account_holder_name | direct
-- not kept: source.payment_account_reference | direct · source.card_token | direct · source.iban | direct · source.bic | direct
-- not kept: source.local_schemes.* | vocab (text or an array of texts) · source.payouts | vocab · source.fast_funds | vocab
-- not kept: source.* | direct (each other method has fields of its own, some with account numbers and free text)
-- not kept: destination.* | direct · 3ds.signature_valid | vocab · 3ds.cryptogram | direct · 3ds.xid | reference
-- not kept: billing_descriptor.city | text · billing_descriptor.reference | text · billing_descriptor.local_descriptors.* | text
-- not kept: marketplace.sub_entities.* | reference · amount_allocations.* | reference · instruction.* | text · items.* | text
-- not kept: processing.* | text (ids and messages of partners) · _links.* | ops · links.* | ops

-- each: actions[] (newest first)
-- One row a thing that happened to a payment: authorization, authentication, capture, void, refund, dispute, payout, return.
-- An action's id comes twice when its status changed; the newest one stands.
CREATE TABLE checkoutcom_payment_actions (
  account                   INTEGER NOT NULL REFERENCES accounts, -- -                                     | ops       | the merchant's account
  id                        TEXT    NOT NULL, -- id                                    | id        | action id, of an authentication the session id, of a dispute the dispute id
  payment_id                TEXT    NOT NULL, -- ^id                                   | id        | payment that it happened to
  type                      TEXT,             -- type (lower)                          | vocab     | authorization, authentication, card_verification, void, capture, refund, dispute, payout, return
  status                    TEXT,             -- status (lower)                        | vocab     | approved, declined, pending, …; of a dispute its status
  processed_at              INTEGER,          -- processed_on (iso)                    | time      | when it was processed
  amount                    INTEGER,          -- amount (minor)                        | measure   | amount of the action
  currency                  TEXT    NOT NULL, -- ^currency                             | vocab     | currency of the payment, lower-case ISO 4217
  approved                  INTEGER,          -- approved (boolean)                    | vocab     | 1: approved; not in search results
  response_code             TEXT,             -- response_code                         | vocab     | 10000 approved, 2…: soft decline, 3…: hard decline, 4…: stopped by risk rules
  reason_code               TEXT,             -- reason_code                           | vocab     | disputes: the scheme's reason code
  authorization_type        TEXT,             -- authorization_type (lower)            | vocab     | final, estimated, incremental
  authentication_experience TEXT,             -- authentication_experience (lower)     | vocab     | 3ds, google_spa, …
  reference                 TEXT,             -- reference                             | reference | the merchant's reference of the action
  auth_code                 TEXT,             -- auth_code                             | reference | issuer's authorization code
  arn                       TEXT,             -- processing.acquirer_reference_number  | reference | acquirer reference number, to follow it at the bank
  retrieval_reference       TEXT,             -- processing.retrieval_reference_number | reference | reference number of the authorization message
  acquirer_transaction_id   TEXT,             -- processing.acquirer_transaction_id    | reference | the acquirer's id
  response_summary          TEXT,             -- response_summary                      | text      | the provider's words for the response code
  seen_at                   INTEGER NOT NULL, -- -                                     | ops       | when this row was first stored
  read_at                   INTEGER NOT NULL, -- -                                     | ops       | when it was last read from the provider
  read_seq                  INTEGER NOT NULL, -- -                                     | ops       | number of the read, taken before the request was sent
  source                    TEXT    NOT NULL, -- -                                     | ops       | what the read was: list, search, get, report
  deleted_at                INTEGER,          -- -                                     | ops       | when the provider said that it is gone
  PRIMARY KEY (account, id)
);
-- not kept: actions.metadata.* | text · actions.marketplace.* | reference · actions.amount_allocations.* | reference
-- not kept: actions.authentication_transaction_id | reference
