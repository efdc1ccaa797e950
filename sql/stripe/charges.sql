-- One row a charge: one try to collect money, by card or by another method, whether it went through or not.
-- created_at is the moment of the authorization, also when the capture came later.
CREATE TABLE stripe_charges (
  account                        INTEGER NOT NULL REFERENCES accounts, -- -                                              | ops       | the merchant's account
  id                             TEXT    NOT NULL, -- id                                             | id        | charge id
  created_at                     INTEGER NOT NULL, -- created (unix)                                 | time      | when the charge was made
  status                         TEXT    NOT NULL, -- status                                         | vocab     | succeeded, pending, failed
  amount                         INTEGER NOT NULL, -- amount (minor)                                 | measure   | amount intended
  currency                       TEXT    NOT NULL, -- currency (lower)                               | vocab     | presentment currency, lower-case ISO 4217
  amount_captured                INTEGER,          -- amount_captured (minor)                        | measure   | amount captured, less than amount after a partial capture
  amount_refunded                INTEGER,          -- amount_refunded (minor)                        | measure   | amount refunded so far
  amount_presented               INTEGER,          -- presentment_details.presentment_amount (minor) | measure   | amount that the payer saw, when Stripe converted it
  currency_presented             TEXT,             -- presentment_details.presentment_currency (lower) | vocab     | currency of amount_presented
  paid                           INTEGER,          -- paid (boolean)                                 | vocab     | 1: succeeded, or authorized for a later capture
  captured                       INTEGER,          -- captured (boolean)                             | vocab     | 1: captured; 0 on an authorization that is open or was released
  refunded                       INTEGER,          -- refunded (boolean)                             | vocab     | 1: wholly refunded, or the authorization was released
  disputed                       INTEGER,          -- disputed (boolean)                             | vocab     | 1: a dispute was opened
  payment_intent_id              TEXT,             -- payment_intent                                 | id        | the intention to pay that this try belongs to
  balance_transaction_id         TEXT,             -- balance_transaction                            | id        | its effect on the balance, null until captured
  failure_balance_transaction_id TEXT,             -- failure_balance_transaction                    | id        | the reversal on the balance when it failed later
  review_id                      TEXT,             -- review                                         | id        | manual review that was opened for it
  outcome_type                   TEXT,             -- outcome.type                                   | vocab     | authorized, manual_review, issuer_declined, blocked, invalid
  outcome_reason                 TEXT,             -- outcome.reason                                 | vocab     | why it was declined, blocked or reviewed: issuer's decline code or Radar's reason
  network_status                 TEXT,             -- outcome.network_status                         | vocab     | approved_by_network, declined_by_network, not_sent_to_network, reversed_after_approval
  network_decline_code           TEXT,             -- outcome.network_decline_code                   | vocab     | raw code of the issuer or the card network
  network_advice_code            TEXT,             -- outcome.network_advice_code                    | vocab     | the network's advice on another try
  advice_code                    TEXT,             -- outcome.advice_code                            | vocab     | Stripe's advice on another try
  risk_level                     TEXT,             -- outcome.risk_level                             | vocab     | Radar: normal, elevated, highest, not_assessed
  risk_score                     INTEGER,          -- outcome.risk_score                             | measure   | Radar: 0 to 99
  failure_code                   TEXT,             -- failure_code                                   | vocab     | error code of a failed charge
  fraud_report_stripe            TEXT,             -- fraud_details.stripe_report                    | vocab     | Stripe's assessment: fraudulent
  fraud_report_user              TEXT,             -- fraud_details.user_report                      | vocab     | the merchant's assessment: safe, fraudulent
  method_type                    TEXT,             -- payment_method_details.type                    | vocab     | card, card_present, sepa_debit, ideal, …
  payment_method                 TEXT,             -- payment_method                                 | reference | id of the means of payment used
  card_brand                     TEXT,             -- payment_method_details.card.brand              | vocab     | amex, diners, discover, eftpos_au, jcb, mastercard, unionpay, visa, unknown
  card_network                   TEXT,             -- payment_method_details.card.network            | vocab     | network that carried it; cartes_bancaires for a co-badged card
  card_funding                   TEXT,             -- payment_method_details.card.funding            | vocab     | credit, debit, prepaid, unknown
  card_country                   TEXT,             -- payment_method_details.card.country            | vocab     | issuer's country, ISO 3166
  card_regulated                 TEXT,             -- payment_method_details.card.regulated_status   | vocab     | regulated, unregulated (debit interchange, US)
  card_product                   TEXT,             -- payment_method_details.card.description        | vocab     | issuer's product, where Stripe enables it
  card_bin                       TEXT,             -- payment_method_details.card.iin                | reference | first digits of the card, where Stripe enables them
  card_issuer                    TEXT,             -- payment_method_details.card.issuer             | reference | issuing bank, where Stripe enables it
  card_last4                     TEXT,             -- payment_method_details.card.last4              | card      | last four digits
  card_token                     TEXT,             -- payment_method_details.card.fingerprint (keyed) | token     | keyed hash of the card, only for counting and joining
  avs_line1_check                TEXT,             -- payment_method_details.card.checks.address_line1_check | vocab     | pass, fail, unavailable, unchecked
  avs_postal_code_check          TEXT,             -- payment_method_details.card.checks.address_postal_code_check | vocab     | pass, fail, unavailable, unchecked
  cvc_check                      TEXT,             -- payment_method_details.card.checks.cvc_check   | vocab     | pass, fail, unavailable, unchecked
  three_ds_result                TEXT,             -- payment_method_details.card.three_d_secure.result | vocab     | authenticated, attempt_acknowledged, exempted, failed, not_supported, processing_error
  three_ds_result_reason         TEXT,             -- payment_method_details.card.three_d_secure.result_reason | vocab     | why it was not authenticated
  three_ds_flow                  TEXT,             -- payment_method_details.card.three_d_secure.authentication_flow | vocab     | challenge, frictionless
  three_ds_version               TEXT,             -- payment_method_details.card.three_d_secure.version | vocab     | 1.0.2, 2.1.0, 2.2.0, …
  three_ds_eci                   TEXT,             -- payment_method_details.card.three_d_secure.electronic_commerce_indicator | vocab     | indicator given by the authentication
  three_ds_exemption             TEXT,             -- payment_method_details.card.three_d_secure.exemption_indicator | vocab     | exemption asked for: low_risk, none
  three_ds_exemption_applied     INTEGER,          -- payment_method_details.card.three_d_secure.exemption_indicator_applied (boolean) | vocab     | 1: the exemption was used in the authorization
  eci                            TEXT,             -- payment_method_details.card.electronic_commerce_indicator | vocab     | indicator sent with the authorization
  wallet_type                    TEXT,             -- payment_method_details.card.wallet.type        | vocab     | apple_pay, google_pay, link, samsung_pay, …
  network_token_used             INTEGER,          -- payment_method_details.card.network_token.used (boolean) | vocab     | 1: a network token stood in for the card number
  stored_credential_usage        TEXT,             -- payment_method_details.card.stored_credential_usage | vocab     | recurring, unscheduled, installment: a stored card was used
  setup_credential_usage         TEXT,             -- payment_method_details.card.setup_credential_usage | vocab     | recurring, unscheduled, installment: the card was stored for later
  moto                           INTEGER,          -- payment_method_details.card.moto (boolean)     | vocab     | 1: mail order or telephone order
  amount_authorized              INTEGER,          -- payment_method_details.card.amount_authorized (minor) | measure   | amount authorized by the issuer
  capture_before_at              INTEGER,          -- payment_method_details.card.capture_before (unix) | time      | end of the authorization
  installments                   INTEGER,          -- payment_method_details.card.installments.plan.count | measure   | number of instalments of the chosen plan
  network_transaction_id         TEXT,             -- payment_method_details.card.network_transaction_id | reference | the card network's own id of the transaction
  authorization_code             TEXT,             -- payment_method_details.card.authorization_code | reference | issuer's authorization code
  present_brand                  TEXT,             -- payment_method_details.card_present.brand      | vocab     | in person: card_brand
  present_network                TEXT,             -- payment_method_details.card_present.network    | vocab     | in person: card_network
  present_funding                TEXT,             -- payment_method_details.card_present.funding    | vocab     | in person: card_funding
  present_country                TEXT,             -- payment_method_details.card_present.country    | vocab     | in person: card_country
  present_token                  TEXT,             -- payment_method_details.card_present.fingerprint (keyed) | token     | in person: card_token
  present_read_method            TEXT,             -- payment_method_details.card_present.read_method | vocab     | in person: contact_emv, contactless_emv, magnetic_stripe_track2, …
  billing_country                TEXT,             -- billing_details.address.country                | vocab     | country of the billing address, ISO 3166
  payer_token                    TEXT,             -- billing_details.email (keyed)                  | token     | keyed hash of the payer's e-mail address, only for counting and joining
  customer_id                    TEXT,             -- customer                                       | reference | customer id
  customer_token                 TEXT,             -- customer (keyed)                               | token     | keyed hash of the customer id, for profiles that leave the id out
  application_id                 TEXT,             -- application                                    | id        | Connect application that made the charge
  amount_application_fee         INTEGER,          -- application_fee_amount (minor)                 | measure   | application fee asked for
  application_fee_id             TEXT,             -- application_fee                                | id        | application fee taken
  on_behalf_of                   TEXT,             -- on_behalf_of                                   | id        | connected account that it was made for
  transfer_id                    TEXT,             -- transfer                                       | id        | transfer made from it to the connected account
  transfer_destination           TEXT,             -- transfer_data.destination                      | id        | connected account that receives the transfer
  amount_transfer                INTEGER,          -- transfer_data.amount (minor)                   | measure   | amount to transfer, when not the whole
  source_transfer_id             TEXT,             -- source_transfer                                | id        | transfer that this charge came from, on the receiving account
  transfer_group                 TEXT,             -- transfer_group                                 | reference | the merchant's name for a group of transfers
  description                    TEXT,             -- description                                    | text      | the merchant's free text
  statement_descriptor           TEXT,             -- calculated_statement_descriptor                | text      | what the payer's statement says
  metadata                       TEXT,             -- metadata (allowed)                             | reference | allowed keys of the merchant's metadata, as JSON
  seen_at                        INTEGER NOT NULL, -- -                                              | ops       | when this row was first stored
  read_at                        INTEGER NOT NULL, -- -                                              | ops       | when it was last read from the provider
  read_seq                       INTEGER NOT NULL, -- -                                              | ops       | number of the read, taken before the request was sent
  source                         TEXT    NOT NULL, -- -                                              | ops       | what the read was: list, search, get, report
  deleted_at                     INTEGER,          -- -                                              | ops       | when the provider said that it is gone
  PRIMARY KEY (account, id)
);
CREATE INDEX stripe_charges_created ON stripe_charges (account, created_at);
-- not kept: object | ops · livemode | ops · refunds.* | direct (read as stripe_refunds) · level3.* | direct
-- not kept: billing_details.name | direct · billing_details.phone | direct · billing_details.tax_id | direct
-- not kept: billing_details.address.line1 | direct · billing_details.address.line2 | direct · billing_details.address.city | direct
-- not kept: billing_details.address.state | direct · billing_details.address.postal_code | direct
-- not kept: shipping.* | direct · receipt_email | direct · receipt_url | direct · receipt_number | reference
-- not kept: source.* | direct (the old form of the means of payment, with its owner)
-- not kept: failure_message | text · outcome.seller_message | text · outcome.rule.* | reference · radar_options.* | direct
-- not kept: statement_descriptor | text · statement_descriptor_suffix | text
-- not kept: authorization_code | reference · invoice | id (gone since API version 2025-03-31)
-- not kept: payment_method_details.card.exp_month | direct · payment_method_details.card.exp_year | direct
-- not kept: payment_method_details.card.mandate | reference · payment_method_details.card.transaction_link_id | reference
-- not kept: payment_method_details.card.installments.plan.interval | vocab · payment_method_details.card.installments.plan.type | vocab
-- not kept: payment_method_details.card.extended_authorization.status | vocab
-- not kept: payment_method_details.card.incremental_authorization.status | vocab
-- not kept: payment_method_details.card.multicapture.status | vocab · payment_method_details.card.overcapture.status | vocab
-- not kept: payment_method_details.card.overcapture.maximum_amount_capturable | measure
-- not kept: payment_method_details.card.three_d_secure.transaction_id | reference
-- not kept: payment_method_details.card.wallet.dynamic_last4 | card · payment_method_details.card.wallet.link.* | direct
-- not kept: payment_method_details.card.wallet.masterpass.* | direct · payment_method_details.card.wallet.visa_checkout.* | direct
-- not kept: payment_method_details.card.wallet.amex_express_checkout.* | ops · payment_method_details.card.wallet.apple_pay.* | ops
-- not kept: payment_method_details.card.wallet.google_pay.* | ops · payment_method_details.card.wallet.samsung_pay.* | ops
-- not kept: payment_method_details.card_present.* | direct (name, expiry date, receipt with cryptograms, …)
-- not kept: payment_method_details.* | direct (each other method has an object of its own, many with names or account numbers)
