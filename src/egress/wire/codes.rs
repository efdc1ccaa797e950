//! The closed vocabularies of the wire. `classify` is the only way from text to the wire, and it returns an enumeration:
//! a text that is not in the list becomes 'other'. The roll-up value can never come from text.

macro_rules! codes {
    (
        $(#[$about:meta])* $name:ident {
            $($variant:ident = $code:literal $(| $alias:literal)*,)*
        } else $other:ident = $other_code:literal $(, rolled up $any:ident = $any_code:literal)?
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $(#[doc = $code] $variant,)*
            #[doc = $other_code] $other,
            $(#[doc = $any_code] $any,)?
        }

        impl $name {
            /// Every value that text can become.
            pub const CLASSIFIED: &'static [Self] = &[$(Self::$variant,)* Self::$other];

            /// The value's code on the wire.
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)*
                    Self::$other => $other_code,
                    $(Self::$any => $any_code,)?
                }
            }

            /// The value that a text stands for; total.
            pub fn classify(text: &str) -> Self {
                $(if [$code $(, $alias)*].iter().any(|known| text.eq_ignore_ascii_case(known)) {
                    return Self::$variant;
                })*
                Self::$other
            }
        }
    };
}

codes! {
    /// How an attempt ended, judged when its lag has passed.
    Outcome {
        Captured = "captured",
        Approved = "approved",
        Declined = "declined",
        Blocked = "blocked",
        Error = "error",
        Pending = "pending",
    } else Other = "other"
}

codes! {
    /// The provider that handled an attempt.
    Provider {
        Stripe = "stripe",
        Checkoutcom = "checkoutcom",
    } else Other = "other", rolled up Any = "any"
}

codes! {
    /// The card's scheme; the other spellings are those of Stripe's `brand` and Checkout.com's `scheme`.
    Scheme {
        Visa = "visa",
        Mastercard = "mastercard",
        Amex = "amex" | "american express" | "american_express",
        Discover = "discover",
        Diners = "diners" | "diners club" | "diners_club" | "diners club international",
        Jcb = "jcb",
        Unionpay = "unionpay" | "china union pay" | "union_pay",
        CartesBancaires = "cartes_bancaires" | "cartes bancaires",
        Eftpos = "eftpos" | "eftpos_au",
        Interac = "interac",
        Maestro = "maestro",
    } else Other = "other", rolled up Any = "any"
}

codes! {
    /// The card's funding type.
    Funding {
        Credit = "credit",
        Debit = "debit",
        Prepaid = "prepaid",
        Charge = "charge",
    } else Unknown = "unknown", rolled up Any = "any"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::registry::ATTEMPTS;

    #[test]
    fn vocabularies_are_those_of_the_registry() {
        let dims = ATTEMPTS.view.dims;
        let codes = |at: usize| dims[at].codes.to_vec();
        assert_eq!(Outcome::CLASSIFIED.iter().map(|c| c.code()).collect::<Vec<_>>(), codes(0));
        assert_eq!(Provider::CLASSIFIED.iter().map(|c| c.code()).collect::<Vec<_>>(), codes(1));
        assert_eq!(Scheme::CLASSIFIED.iter().map(|c| c.code()).collect::<Vec<_>>(), codes(2));
        assert_eq!(Funding::CLASSIFIED.iter().map(|c| c.code()).collect::<Vec<_>>(), codes(3));
        assert_eq!(dims[1].rolled_up, Some(Provider::Any.code()));
        assert_eq!(dims[2].rolled_up, Some(Scheme::Any.code()));
        assert_eq!(dims[3].rolled_up, Some(Funding::Any.code()));
    }

    #[test]
    fn text_becomes_a_code_and_nothing_else() {
        assert_eq!(Scheme::classify("Visa"), Scheme::Visa);
        assert_eq!(Scheme::classify("American Express"), Scheme::Amex);
        assert_eq!(Scheme::classify("ada@example.com"), Scheme::Other);
        assert_eq!(Scheme::classify(""), Scheme::Other);
        assert_eq!(Funding::classify("4242424242424242"), Funding::Unknown);
        assert_eq!(Outcome::classify("Captured"), Outcome::Captured);
        assert_eq!(Outcome::classify("refunded"), Outcome::Other);
    }

    #[test]
    fn a_text_never_passes_for_a_rolled_up_value() {
        assert_eq!(Scheme::classify("any"), Scheme::Other);
        assert_eq!(Provider::classify("any"), Provider::Other);
        assert_eq!(Funding::classify("any"), Funding::Unknown);
    }
}
