-- One row a change of a provider's balance, in the balance's currency: amount - amount_fee = amount_net. Stripe only so far;
-- Checkout.com tells of its financial actions in reports.
-- Metric: movements by category; `category` is Stripe's reporting_category, the model of the shared vocabulary.
CREATE VIEW balance_transactions AS
SELECT
  account,
  'stripe' AS provider,
  id AS balance_transaction_id,
  created_at AS booked_at,
  date(created_at / 1000, 'unixepoch') AS day,
  date(available_at / 1000, 'unixepoch') AS available_day,
  status,
  coalesce(reporting_category, type) AS category,
  type AS provider_type,
  amount,
  amount_fee,
  amount_net,
  currency,
  source_id
FROM stripe_balance_transactions
WHERE deleted_at IS NULL;
