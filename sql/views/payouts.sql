-- One row a payout of the provider's balance to the merchant's bank account. Stripe only so far; Checkout.com tells of its
-- payouts in reports.
-- Metric: settlement lag (arrival after the payment's capture), payouts by state.
--   status  pending, in_transit, paid, failed, canceled, reversed (paid and then taken back by another payout)
CREATE VIEW payouts AS
SELECT
  account,
  'stripe' AS provider,
  id AS payout_id,
  created_at,
  date(created_at / 1000, 'unixepoch') AS day,
  date(arrival_at / 1000, 'unixepoch') AS arrival_day,
  amount,
  currency,
  CASE WHEN status = 'paid' AND reversed_by_id IS NOT NULL THEN 'reversed' ELSE status END AS status,
  automatic,
  method,
  failure_code,
  reconciliation_status,
  -- Stripe can say what is in it only for automatic payouts, once it has reconciled them.
  automatic = 1 AND reconciliation_status = 'completed' AS is_itemisable,
  trace_id,
  balance_transaction_id
FROM stripe_payouts
WHERE deleted_at IS NULL;
