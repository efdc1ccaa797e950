-- One row a refund: a Stripe refund, or a refund action of a Checkout.com payment.
-- Metric: refund rate by activity (refunds of the day over captured payments of the day) and refund failure rate; Primer's
-- snapshot divides by sales at payment creation instead, for which join payment_id to `payments`.
--   status  pending, requires_action, succeeded, failed, canceled
CREATE VIEW refunds AS
SELECT
  account,
  'stripe' AS provider,
  id AS refund_id,
  coalesce(payment_intent_id, charge_id) AS payment_id,
  charge_id AS attempt_id,
  created_at AS refunded_at,
  date(created_at / 1000, 'unixepoch') AS day,
  amount,
  currency,
  coalesce(status, 'pending') AS status,
  reason,
  failure_reason,
  card_reference AS bank_reference
FROM stripe_refunds
WHERE deleted_at IS NULL
UNION ALL
SELECT
  account,
  'checkoutcom',
  id,
  payment_id,
  payment_id,
  processed_at,
  date(processed_at / 1000, 'unixepoch'),
  amount,
  currency,
  result,
  NULL,
  CASE WHEN result = 'failed' THEN response_code END,
  arn
FROM (
  -- A search tells the status, a read by id only whether it was approved; both stay in the row, and the newer one counts.
  SELECT *, CASE
    WHEN approved = 1 AND (source = 'get' OR status IS NULL) THEN 'succeeded'
    WHEN approved = 0 AND (source = 'get' OR status IS NULL) AND status IS NOT 'pending' THEN 'failed'
    WHEN status = 'approved' THEN 'succeeded'
    WHEN status = 'declined' THEN 'failed'
    ELSE 'pending'
  END AS result
  FROM checkoutcom_payment_actions
  WHERE type = 'refund' AND deleted_at IS NULL
);
