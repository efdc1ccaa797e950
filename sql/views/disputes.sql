-- One row a dispute, in its present state.
-- Metric: dispute activity (opened in the period over successful payments of the period) and dispute rate (by day of the
-- payment), as in Stripe "Measuring disputes"; win rate = won over won + lost, accepted ones counting as lost.
--   status    needs_response, under_review, won, lost, accepted, expired, prevented, closed
--   stage     inquiry, chargeback, arbitration
--   category  fraud, authorization, processing_error, consumer, other (the reason in four groups, as Pagos has them)
CREATE VIEW disputes AS
SELECT
  account,
  'stripe' AS provider,
  id AS dispute_id,
  coalesce(payment_intent_id, charge_id) AS payment_id,
  charge_id AS attempt_id,
  created_at AS opened_at,
  date(created_at / 1000, 'unixepoch') AS day,
  amount,
  currency,
  CASE
    WHEN status IN ('won', 'lost', 'prevented', 'needs_response', 'under_review') THEN status
    WHEN status = 'warning_closed' THEN 'closed'
    WHEN status LIKE '%needs_response' THEN 'needs_response'
    WHEN status LIKE '%under_review' THEN 'under_review'
    ELSE 'closed'
  END AS status,
  status AS provider_status,
  CASE
    WHEN status LIKE 'warning%' THEN 'inquiry'
    WHEN status LIKE 'appeal%' THEN 'arbitration'
    ELSE 'chargeback'
  END AS stage,
  CASE
    WHEN reason IN ('fraudulent', 'unrecognized') THEN 'fraud'
    WHEN reason IN ('duplicate', 'incorrect_account_details', 'insufficient_funds', 'bank_cannot_process') THEN 'processing_error'
    WHEN reason IN ('debit_not_authorized', 'check_returned', 'customer_initiated') THEN 'authorization'
    WHEN reason IN ('credit_not_processed', 'product_not_received', 'product_unacceptable', 'subscription_canceled') THEN 'consumer'
    ELSE 'other'
  END AS category,
  reason,
  network_reason_code,
  card_brand AS scheme,
  due_at
FROM stripe_disputes
WHERE deleted_at IS NULL
UNION ALL
SELECT
  account,
  'checkoutcom',
  id,
  payment_id,
  payment_id,
  received_at,
  date(received_at / 1000, 'unixepoch'),
  amount,
  currency,
  CASE
    WHEN status = 'evidence_required' THEN 'needs_response'
    WHEN status IN ('evidence_under_review', 'arbitration_under_review', 'arb_evidence_submitted') THEN 'under_review'
    WHEN status IN ('won', 'arbitration_won') THEN 'won'
    WHEN status IN ('lost', 'arbitration_lost') THEN 'lost'
    WHEN status IN ('accepted', 'expired') THEN status
    WHEN resolved_reason = 'rapid_dispute_resolution' THEN 'prevented'
    ELSE 'closed'
  END,
  status,
  CASE WHEN status LIKE 'arb%' THEN 'arbitration' ELSE 'chargeback' END,
  CASE
    WHEN category IN ('fraudulent', 'unrecognized') THEN 'fraud'
    WHEN category IN ('duplicate', 'incorrect_amount') THEN 'processing_error'
    WHEN category IN ('canceled_recurring', 'product_service_not_received', 'not_as_described', 'credit_not_issued') THEN 'consumer'
    ELSE 'other'
  END,
  category,
  reason_code,
  CASE
    WHEN payment_method LIKE 'american%' THEN 'amex'
    WHEN payment_method LIKE 'diners%' THEN 'diners'
    ELSE payment_method
  END,
  due_at
FROM checkoutcom_disputes
WHERE deleted_at IS NULL;
