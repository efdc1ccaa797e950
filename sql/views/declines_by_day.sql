-- Ready answer: why card tries were not approved, by day (UTC), provider and decline code.
-- Metric: declines with a code over all declines of the day (Checkout.com, Hyperswitch "failure reasons"). Codes are the
-- provider's own: do not compare them across providers.
CREATE VIEW declines_by_day AS
SELECT
  account,
  provider,
  day,
  outcome,
  coalesce(decline_code, 'unknown') AS decline_code,
  count(*) AS declines,
  count(DISTINCT card_token) AS cards
FROM payment_attempts
WHERE method = 'card' AND outcome IN ('declined', 'blocked', 'error')
GROUP BY account, provider, day, outcome, coalesce(decline_code, 'unknown');
