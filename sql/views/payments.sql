-- One row a payment, whatever number of tries it took: a Stripe payment intent, a Stripe charge without one, or a
-- Checkout.com payment (payouts left out).
-- Metric: overall conversion (Hyperswitch: captured of created), capture rate (Checkout.com "Captures and refunds").
--   status  incomplete, requires_action, pending, authorized, captured, partially_captured, declined,
--           canceled, expired, voided, error
CREATE VIEW payments AS
SELECT
  i.account,
  'stripe' AS provider,
  i.id AS payment_id,
  i.created_at,
  date(i.created_at / 1000, 'unixepoch') AS day,
  CASE
    WHEN i.status = 'succeeded' AND i.amount_received < i.amount THEN 'partially_captured'
    WHEN i.status = 'succeeded' THEN 'captured'
    WHEN i.status = 'requires_capture' THEN 'authorized'
    WHEN i.status = 'processing' THEN 'pending'
    WHEN i.status IN ('canceled', 'requires_action') THEN i.status
    WHEN i.latest_charge_id IS NOT NULL THEN 'declined'
    ELSE 'incomplete'
  END AS status,
  i.status AS provider_status,
  i.amount,
  i.currency,
  i.amount_received AS amount_captured,
  c.amount_refunded,
  c.disputed,
  c.method_type AS method,
  i.latest_charge_id AS last_attempt_id,
  coalesce(c.payer_token, i.payer_token) AS payer_token,
  i.customer_id,
  i.order_reference AS reference
FROM stripe_payment_intents AS i
LEFT JOIN stripe_charges AS c ON c.account = i.account AND c.id = i.latest_charge_id AND c.deleted_at IS NULL
WHERE i.deleted_at IS NULL
UNION ALL
SELECT
  account,
  'stripe',
  id,
  created_at,
  date(created_at / 1000, 'unixepoch'),
  CASE
    WHEN status = 'succeeded' AND captured = 1 AND amount_captured < amount THEN 'partially_captured'
    WHEN status = 'succeeded' AND captured = 1 THEN 'captured'
    WHEN status = 'succeeded' AND refunded = 1 THEN 'voided'
    WHEN status = 'succeeded' THEN 'authorized'
    WHEN status = 'pending' THEN 'pending'
    ELSE 'declined'
  END,
  status,
  amount,
  currency,
  amount_captured,
  amount_refunded,
  disputed,
  method_type,
  id,
  payer_token,
  customer_id,
  NULL
FROM stripe_charges
WHERE payment_intent_id IS NULL AND deleted_at IS NULL
UNION ALL
SELECT
  p.account,
  'checkoutcom',
  p.id,
  p.requested_at,
  date(p.requested_at / 1000, 'unixepoch'),
  CASE
    WHEN p.status IN ('refunded', 'partially_refunded') AND p.amount_captured < p.amount THEN 'partially_captured'
    WHEN p.status IN ('refunded', 'partially_refunded') THEN 'captured'
    WHEN p.status = 'card_verified' THEN 'authorized'
    WHEN p.status IN ('pending', 'authorized', 'captured', 'partially_captured', 'voided', 'declined', 'canceled', 'expired')
      THEN p.status
    ELSE 'error'
  END,
  p.status,
  p.amount,
  p.currency,
  p.amount_captured,
  p.amount_refunded,
  d.payment_id IS NOT NULL,
  p.method_type,
  p.id,
  p.payer_token,
  p.customer_id,
  p.reference
FROM checkoutcom_payments AS p
LEFT JOIN (
  SELECT DISTINCT account, payment_id FROM checkoutcom_disputes WHERE deleted_at IS NULL
) AS d ON d.account = p.account AND d.payment_id = p.id
WHERE p.deleted_at IS NULL AND p.destination_type IS NULL AND p.status NOT IN ('paid', 'returned');
