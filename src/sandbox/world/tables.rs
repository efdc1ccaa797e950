//! The vocabularies of the sandbox's world: currencies, countries, brands, declines, reasons. Codes are those the
//! providers publish; shares and rates are made up.

/// A currency and how its money settles. One row serves both providers because all of these have the same number of
/// decimals at each of them.
pub(crate) struct Currency {
    pub(crate) code: &'static str,
    /// Index of the settlement currency.
    pub(crate) settles: u8,
    /// Settlement minor units for one presentment minor unit, as a fraction.
    pub(crate) rate: (i64, i64),
    /// The same rate between major units, as text; `None` when nothing is exchanged.
    pub(crate) rate_text: Option<&'static str>,
    /// Minor units for a US cent's worth, as a fraction, and the unit amounts are rounded to.
    pub(crate) cents: (i64, i64),
    pub(crate) step: i64,
}

const fn currency(code: &'static str, settles: u8) -> Currency {
    Currency { code, settles, rate: (1, 1), rate_text: None, cents: (1, 1), step: 1 }
}

pub(crate) const CURRENCIES: &[Currency] = &[
    currency("usd", 0),
    currency("eur", 1),
    currency("gbp", 2),
    // No decimals: one yen is the minor unit.
    Currency { rate: (67, 100), rate_text: Some("0.0067"), cents: (3, 2), ..currency("jpy", 0) },
    // Three decimals, the last of them always 0.
    Currency { rate: (325, 1000), rate_text: Some("3.25"), cents: (3, 1), step: 10, ..currency("kwd", 0) },
];

/// Issuer countries, their currency (index) and how common they are.
pub(crate) const COUNTRIES: &[(&str, u8, u32)] = &[
    ("US", 0, 300),
    ("GB", 2, 220),
    ("DE", 1, 140),
    ("FR", 1, 110),
    ("NL", 1, 60),
    ("JP", 3, 90),
    ("KW", 4, 50),
    ("BR", 0, 30),
];

pub(crate) struct Brand {
    pub(crate) stripe: &'static str,
    pub(crate) checkout: &'static str,
    /// First digits of its numbers.
    pub(crate) digits: &'static str,
    pub(crate) share: u32,
}

pub(crate) const BRANDS: &[Brand] = &[
    Brand { stripe: "visa", checkout: "Visa", digits: "4", share: 520 },
    Brand { stripe: "mastercard", checkout: "Mastercard", digits: "53", share: 330 },
    Brand { stripe: "amex", checkout: "American Express", digits: "37", share: 80 },
    Brand { stripe: "discover", checkout: "Discover", digits: "6011", share: 40 },
    Brand { stripe: "jcb", checkout: "JCB", digits: "35", share: 30 },
];

pub(crate) const FUNDINGS: &[(&str, &str, u32)] =
    &[("credit", "Credit", 500), ("debit", "Debit", 430), ("prepaid", "Prepaid", 70)];

/// Why an attempt did not succeed.
pub(crate) struct Decline {
    /// Stripe: `failure_code`, then `outcome.reason`.
    pub(crate) code: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) network_code: &'static str,
    pub(crate) advice: &'static str,
    pub(crate) message: &'static str,
    /// Checkout.com: `response_code` and `response_summary`.
    pub(crate) checkout: (&'static str, &'static str),
    /// Stopped before the network saw it.
    pub(crate) blocked: bool,
    pub(crate) share: u32,
}

const fn decline(code: &'static str, reason: &'static str, network_code: &'static str) -> Decline {
    Decline {
        code,
        reason,
        network_code,
        advice: "try_again_later",
        message: "Your card was declined.",
        checkout: ("20005", "Declined - Do not honour"),
        blocked: false,
        share: 100,
    }
}

pub(crate) const DECLINES: &[Decline] = &[
    Decline { share: 300, ..decline("card_declined", "do_not_honor", "05") },
    Decline {
        message: "Your card has insufficient funds.",
        checkout: ("20051", "Insufficient Funds"),
        share: 320,
        ..decline("card_declined", "insufficient_funds", "51")
    },
    Decline {
        message: "Your card has expired.",
        checkout: ("20054", "Expired card - Pick up"),
        advice: "do_not_try_again",
        ..decline("expired_card", "expired_card", "54")
    },
    Decline {
        message: "Your card's security code is incorrect.",
        checkout: ("20014", "Invalid account number (no such number)"),
        advice: "confirm_card_data",
        ..decline("incorrect_cvc", "incorrect_cvc", "N7")
    },
    Decline {
        checkout: ("30041", "Lost card - Pick up"),
        advice: "do_not_try_again",
        share: 30,
        ..decline("card_declined", "lost_card", "41")
    },
    Decline {
        checkout: ("40101", "Payment blocked due to risk"),
        blocked: true,
        share: 90,
        ..decline("card_declined", "highest_risk_level", "")
    },
];

/// Not drawn from [`DECLINES`]: it follows from a failed authentication.
pub(crate) const NOT_AUTHENTICATED: Decline = Decline {
    message: "The authentication of the card failed.",
    checkout: ("20150", "Card not 3D Secure enabled"),
    advice: "confirm_card_data",
    ..decline("authentication_required", "authentication_not_handled", "65")
};

/// Why a payer disputes: Stripe's reason, Visa's code, Mastercard's code, Checkout.com's category, share.
pub(crate) const REASONS: &[(&str, &str, &str, &str, u32)] = &[
    ("fraudulent", "10.4", "4837", "fraudulent", 550),
    ("product_not_received", "13.1", "4853", "product_service_not_received", 200),
    ("duplicate", "12.6.1", "4834", "duplicate", 60),
    ("product_unacceptable", "13.3", "4853", "not_as_described", 100),
    ("credit_not_processed", "13.6", "4853", "credit_not_issued", 50),
    ("subscription_canceled", "13.2", "4841", "canceled_recurring", 40),
];

pub(crate) const REFUND_REASONS: &[(Option<&str>, u32)] =
    &[(Some("requested_by_customer"), 600), (None, 250), (Some("duplicate"), 90), (Some("fraudulent"), 60)];
