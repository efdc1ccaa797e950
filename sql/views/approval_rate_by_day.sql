-- Ready answer: what share of card tries was approved, by day (UTC), provider and currency.
-- Metric: approved (captured or not) over attempted, without verifications and without those still pending, as Pagos
-- "Approvals"; `authorization_rate` leaves out what never reached the issuer (blocked, error), as Checkout.com "Authorization
-- analytics" and Stripe's glossary do. Rates are shares between 0 and 1, NULL when nothing was attempted.
CREATE VIEW approval_rate_by_day AS
SELECT
  account,
  provider,
  day,
  currency,
  count(*) AS attempts,
  sum(outcome IN ('captured', 'approved')) AS approved,
  sum(outcome = 'declined') AS declined,
  sum(outcome = 'blocked') AS blocked,
  sum(outcome = 'error') AS errors,
  round(1.0 * sum(outcome IN ('captured', 'approved')) / count(*), 4) AS approval_rate,
  round(1.0 * sum(outcome IN ('captured', 'approved'))
    / nullif(sum(outcome IN ('captured', 'approved', 'declined')), 0), 4) AS authorization_rate
FROM payment_attempts
WHERE method = 'card' AND outcome <> 'pending' AND is_verification = 0
GROUP BY account, provider, day, currency;
