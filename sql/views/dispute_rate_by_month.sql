-- Ready answer: what share of a month's captured payments was disputed later, by month of the payment (UTC), provider, currency.
-- Metric: dispute rate by cohort, Stripe "Measuring disputes". Provisional for about 120 days, because disputes come late.
CREATE VIEW dispute_rate_by_month AS
SELECT
  account,
  provider,
  substr(day, 1, 7) AS month,
  currency,
  count(*) AS captured_payments,
  coalesce(sum(disputed), 0) AS disputed_payments,
  round(1.0 * coalesce(sum(disputed), 0) / count(*), 6) AS dispute_rate
FROM payments
WHERE status IN ('captured', 'partially_captured')
GROUP BY account, provider, substr(day, 1, 7), currency;
