-- One row a provider and currency: the number of decimals of its minor unit, as that provider counts amounts.
-- The exponent belongs to the provider, not to the currency: Stripe sends ISK and UGX with two decimals and CLP and MGA with
-- none, Checkout.com the other way round; neither list is ISO 4217's. amount / 10^exponent is the amount in major units.
-- Sources: docs.stripe.com/currencies ("zero-decimal", "three-decimal", "special cases"); Checkout.com docs "Format the amount
-- value" (December 2025). All other currencies of ISO 4217 have two decimals at both.
CREATE VIEW currencies AS
WITH
  provider(provider) AS (VALUES ('stripe'), ('checkoutcom')),
  iso(currency) AS (VALUES
    ('aed'), ('afn'), ('all'), ('amd'), ('ang'), ('aoa'), ('ars'), ('aud'), ('awg'), ('azn'), ('bam'), ('bbd'),
    ('bdt'), ('bgn'), ('bhd'), ('bif'), ('bmd'), ('bnd'), ('bob'), ('brl'), ('bsd'), ('btn'), ('bwp'), ('byn'),
    ('bzd'), ('cad'), ('cdf'), ('chf'), ('clp'), ('cny'), ('cop'), ('crc'), ('cup'), ('cve'), ('czk'), ('djf'),
    ('dkk'), ('dop'), ('dzd'), ('egp'), ('ern'), ('etb'), ('eur'), ('fjd'), ('fkp'), ('gbp'), ('gel'), ('ghs'),
    ('gip'), ('gmd'), ('gnf'), ('gtq'), ('gyd'), ('hkd'), ('hnl'), ('htg'), ('huf'), ('idr'), ('ils'), ('inr'),
    ('iqd'), ('irr'), ('isk'), ('jmd'), ('jod'), ('jpy'), ('kes'), ('kgs'), ('khr'), ('kmf'), ('kpw'), ('krw'),
    ('kwd'), ('kyd'), ('kzt'), ('lak'), ('lbp'), ('lkr'), ('lrd'), ('lsl'), ('lyd'), ('mad'), ('mdl'), ('mga'),
    ('mkd'), ('mmk'), ('mnt'), ('mop'), ('mru'), ('mur'), ('mvr'), ('mwk'), ('mxn'), ('myr'), ('mzn'), ('nad'),
    ('ngn'), ('nio'), ('nok'), ('npr'), ('nzd'), ('omr'), ('pab'), ('pen'), ('pgk'), ('php'), ('pkr'), ('pln'),
    ('pyg'), ('qar'), ('ron'), ('rsd'), ('rub'), ('rwf'), ('sar'), ('sbd'), ('scr'), ('sdg'), ('sek'), ('sgd'),
    ('shp'), ('sle'), ('sll'), ('sos'), ('srd'), ('ssp'), ('std'), ('stn'), ('svc'), ('syp'), ('szl'), ('thb'),
    ('tjs'), ('tmt'), ('tnd'), ('top'), ('try'), ('ttd'), ('twd'), ('tzs'), ('uah'), ('ugx'), ('usd'), ('uyu'),
    ('uzs'), ('ves'), ('vnd'), ('vuv'), ('wst'), ('xaf'), ('xcd'), ('xcg'), ('xof'), ('xpf'), ('yer'), ('zar'),
    ('zmw'), ('zwg')
  ),
  other(provider, currency, exponent) AS (VALUES
    ('stripe', 'bif', 0), ('stripe', 'clp', 0), ('stripe', 'djf', 0), ('stripe', 'gnf', 0),
    ('stripe', 'jpy', 0), ('stripe', 'kmf', 0), ('stripe', 'krw', 0), ('stripe', 'mga', 0),
    ('stripe', 'pyg', 0), ('stripe', 'rwf', 0), ('stripe', 'vnd', 0), ('stripe', 'vuv', 0),
    ('stripe', 'xaf', 0), ('stripe', 'xof', 0), ('stripe', 'xpf', 0), ('stripe', 'bhd', 3),
    ('stripe', 'jod', 3), ('stripe', 'kwd', 3), ('stripe', 'omr', 3), ('stripe', 'tnd', 3),
    ('checkoutcom', 'bif', 0), ('checkoutcom', 'djf', 0), ('checkoutcom', 'gnf', 0), ('checkoutcom', 'isk', 0),
    ('checkoutcom', 'jpy', 0), ('checkoutcom', 'kmf', 0), ('checkoutcom', 'krw', 0), ('checkoutcom', 'pyg', 0),
    ('checkoutcom', 'rwf', 0), ('checkoutcom', 'ugx', 0), ('checkoutcom', 'vuv', 0), ('checkoutcom', 'vnd', 0),
    ('checkoutcom', 'xaf', 0), ('checkoutcom', 'xof', 0), ('checkoutcom', 'xpf', 0), ('checkoutcom', 'bhd', 3),
    ('checkoutcom', 'iqd', 3), ('checkoutcom', 'jod', 3), ('checkoutcom', 'kwd', 3), ('checkoutcom', 'lyd', 3),
    ('checkoutcom', 'omr', 3), ('checkoutcom', 'tnd', 3)
  )
SELECT provider.provider, iso.currency, coalesce(other.exponent, 2) AS exponent
FROM provider
CROSS JOIN iso
LEFT JOIN other ON other.provider = provider.provider AND other.currency = iso.currency;
