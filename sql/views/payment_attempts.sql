-- One row a try to collect money from a payer: a Stripe charge, or a Checkout.com payment (payouts left out).
-- Metric: attempts and their outcomes, as Pagos ("total transactions"), Checkout.com ("Authorization analytics") and
-- Stripe's glossary count them; verifications without an amount are rows with is_verification = 1, to be left out of rates.
-- A Stripe payment that the payer left before any charge was made (abandoned 3DS) has no row here, only in `payments`.
--   outcome      captured: money was taken · approved: authorized, not (or not yet) captured · declined: the issuer said no ·
--                blocked: stopped by risk rules before the issuer or against it · error: neither side decided · pending
--   method       card (in person too), or the provider's name of another method
--   scheme       one spelling for both providers: visa, mastercard, amex, discover, diners, jcb, unionpay, cartes_bancaires, …
--   three_ds     authenticated, attempted, exempted, failed, unavailable, error, none; NULL when not a card
--   decline_code the provider's own code, of tries that were not approved
--   amount       in minor units of (provider, currency): never add up across currencies
-- card_token and payer_token are keyed hashes for counting; the same card used in person has a token of its own at Stripe.
CREATE VIEW payment_attempts AS
SELECT
  account,
  'stripe' AS provider,
  id AS attempt_id,
  coalesce(payment_intent_id, id) AS payment_id,
  created_at AS attempted_at,
  date(created_at / 1000, 'unixepoch') AS day,
  amount,
  currency,
  CASE
    WHEN status = 'succeeded' AND captured = 1 THEN 'captured'
    WHEN status = 'succeeded' THEN 'approved'
    WHEN status = 'pending' THEN 'pending'
    WHEN outcome_type = 'blocked' THEN 'blocked'
    WHEN outcome_type = 'issuer_declined' OR network_status = 'declined_by_network' OR failure_code = 'card_declined'
      THEN 'declined'
    ELSE 'error'
  END AS outcome,
  CASE WHEN method_type IN ('card', 'card_present', 'interac_present') THEN 'card' ELSE method_type END AS method,
  method_type IN ('card_present', 'interac_present') AS in_person,
  0 AS is_verification,
  CASE WHEN method_type IN ('card', 'card_present', 'interac_present') THEN
    coalesce(nullif(card_network, 'unknown'), card_brand, nullif(present_network, 'unknown'), present_brand, 'unknown')
  END AS scheme,
  CASE WHEN method_type IN ('card', 'card_present', 'interac_present') THEN
    CASE coalesce(card_funding, present_funding)
      WHEN 'credit' THEN 'credit' WHEN 'debit' THEN 'debit' WHEN 'prepaid' THEN 'prepaid' ELSE 'unknown'
    END
  END AS funding,
  upper(coalesce(card_country, present_country)) AS issuer_country,
  wallet_type AS wallet,
  CASE
    WHEN method_type IS NOT 'card' THEN NULL
    WHEN three_ds_result IS NULL THEN 'none'
    WHEN three_ds_result IN ('authenticated', 'exempted', 'failed') THEN three_ds_result
    WHEN three_ds_result = 'attempt_acknowledged' THEN 'attempted'
    WHEN three_ds_result = 'not_supported' THEN 'unavailable'
    ELSE 'error'
  END AS three_ds,
  CASE WHEN status = 'failed' THEN coalesce(outcome_reason, failure_code) END AS decline_code,
  coalesce(card_token, present_token) AS card_token,
  payer_token
FROM stripe_charges
WHERE deleted_at IS NULL
UNION ALL
SELECT
  p.account,
  'checkoutcom',
  p.id,
  p.id,
  p.requested_at,
  date(p.requested_at / 1000, 'unixepoch'),
  p.amount,
  p.currency,
  CASE
    WHEN p.status IN ('captured', 'partially_captured', 'refunded', 'partially_refunded') THEN 'captured'
    WHEN p.status IN ('authorized', 'card_verified', 'voided') OR p.approved = 1 OR p.amount_authorized > 0 THEN 'approved'
    WHEN p.status = 'pending' THEN 'pending'
    WHEN p.status = 'declined' AND d.response_code LIKE '4%' THEN 'blocked'
    WHEN p.status = 'declined' THEN 'declined'
    ELSE 'error'
  END,
  p.method_type,
  0,
  p.status = 'card_verified' OR p.amount = 0,
  CASE
    WHEN p.method_type IS NOT 'card' THEN NULL
    WHEN p.card_scheme LIKE 'american%' OR p.card_scheme = 'amex' THEN 'amex'
    WHEN p.card_scheme LIKE 'diners%' THEN 'diners'
    WHEN p.card_scheme LIKE '%union%pay%' THEN 'unionpay'
    WHEN p.card_scheme LIKE 'cartes_bancaire%' THEN 'cartes_bancaires'
    ELSE coalesce(p.card_scheme, 'unknown')
  END,
  CASE
    WHEN p.method_type IS NOT 'card' THEN NULL
    WHEN p.card_type IN ('credit', 'debit', 'prepaid', 'charge') THEN p.card_type
    WHEN p.card_type = 'deferred_debit' THEN 'charge'
    ELSE 'unknown'
  END,
  upper(p.card_country),
  CASE p.card_wallet WHEN 'applepay' THEN 'apple_pay' WHEN 'googlepay' THEN 'google_pay' ELSE p.card_wallet END,
  CASE
    WHEN p.method_type IS NOT 'card' THEN NULL
    WHEN p.three_ds_exemption_applied IS NOT NULL AND p.three_ds_exemption_applied <> 'none' THEN 'exempted'
    WHEN p.three_ds_response = 'Y' THEN 'authenticated'
    WHEN p.three_ds_response = 'A' THEN 'attempted'
    WHEN p.three_ds_response IN ('N', 'R') THEN 'failed'
    WHEN p.three_ds_response = 'U' THEN 'unavailable'
    WHEN p.three_ds_response IS NOT NULL THEN 'error'
    -- Search results tell only version and indicator: 05, 06, 07 at most schemes, 02, 01, 00 at Mastercard.
    WHEN p.three_ds_version IS NULL THEN 'none'
    WHEN p.three_ds_eci IN ('05', '02') THEN 'authenticated'
    WHEN p.three_ds_eci IN ('06', '01') THEN 'attempted'
    WHEN p.three_ds_eci IN ('07', '00') THEN 'failed'
    ELSE 'unavailable'
  END,
  CASE WHEN p.status = 'declined' THEN d.response_code END,
  p.card_token,
  p.payer_token
FROM checkoutcom_payments AS p
LEFT JOIN (
  -- Of several declined authorizations of a payment the last one: with max() SQLite takes the other columns from its row.
  SELECT account, payment_id, response_code, max(processed_at) AS processed_at
  FROM checkoutcom_payment_actions
  -- A search tells the status, a read by id only whether it was approved; both stay in the row, and the newer one counts.
  WHERE type IN ('authorization', 'card_verification') AND deleted_at IS NULL AND CASE
    WHEN approved IS NOT NULL AND (source = 'get' OR status IS NULL) THEN approved = 0 AND status IS NOT 'pending'
    ELSE status = 'declined'
  END
  GROUP BY account, payment_id
) AS d ON d.account = p.account AND d.payment_id = p.id
WHERE p.deleted_at IS NULL AND p.destination_type IS NULL AND p.status NOT IN ('paid', 'returned');
