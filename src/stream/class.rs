//! Privacy classes and local profiles: closed lists. What a class means is fixed; which column has which is declared.

/// The privacy class of a column: what it may be used for, and in which local profile it is stored at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Object ids.
    Id,
    /// Keyed hashes, only for counting and joining.
    Token,
    /// Codes from a small vocabulary: brands, countries, currencies, states.
    Vocab,
    /// Numbers.
    Measure,
    /// Instants.
    Time,
    /// Facts about the reading itself.
    Ops,
    /// Merchant references, customer ids, BIN, issuer name.
    Reference,
    /// Free text: descriptions, statement descriptors.
    Text,
    /// Last four digits.
    Card,
    /// Names, e-mails, phones, addresses, IP addresses, expiry dates, secrets: never stored, never a column.
    Direct,
}

/// Which classes of columns are stored on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Profile {
    /// Ids, tokens, codes, numbers, times.
    Strict,
    /// Strict and references.
    Standard,
    /// Standard, free text and last four digits.
    Finance,
}

impl Class {
    const ALL: [(Self, &'static str); 10] = [
        (Self::Id, "id"),
        (Self::Token, "token"),
        (Self::Vocab, "vocab"),
        (Self::Measure, "measure"),
        (Self::Time, "time"),
        (Self::Ops, "ops"),
        (Self::Reference, "reference"),
        (Self::Text, "text"),
        (Self::Card, "card"),
        (Self::Direct, "direct"),
    ];

    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == word).map(|(class, _)| *class)
    }

    /// The class's name in declarations and in the dictionary.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(class, _)| *class == self).map_or("", |(_, name)| name)
    }

    /// True when `profile` stores columns of this class.
    pub fn stored_in(self, profile: Profile) -> bool {
        match self {
            Self::Direct => false,
            Self::Text | Self::Card => profile >= Profile::Finance,
            Self::Reference => profile >= Profile::Standard,
            _ => true,
        }
    }
}
