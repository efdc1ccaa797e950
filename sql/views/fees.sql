-- One row a fee that a provider kept back within a change of the balance. Stripe only so far.
-- Metric: effective rate (Pagos: all fees over captured volume, one currency at a time). Stripe's blended prices have no
-- interchange rows: `category` is then processor, and no split is guessed. Fees that are a balance transaction of their own
-- (category `fee` in `balance_transactions`) belong to no payment and have no row here.
CREATE VIEW fees AS
SELECT
  f.account,
  'stripe' AS provider,
  f.balance_transaction_id,
  f.position,
  f.created_at AS booked_at,
  date(f.created_at / 1000, 'unixepoch') AS day,
  CASE f.type
    WHEN 'stripe_fee' THEN 'processor'
    WHEN 'application_fee' THEN 'gateway'
    WHEN 'tax' THEN 'tax'
    WHEN 'withheld_tax' THEN 'tax'
    ELSE 'other'
  END AS category,
  f.type AS provider_type,
  f.amount,
  f.currency,
  b.source_id
FROM stripe_balance_transaction_fees AS f
JOIN stripe_balance_transactions AS b ON b.account = f.account AND b.id = f.balance_transaction_id
WHERE f.deleted_at IS NULL AND b.deleted_at IS NULL;
