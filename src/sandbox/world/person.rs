//! Everything that tells who a payer is: names, addresses, texts, last digits. Driven by a seed of its own, so that two
//! worlds can differ in this alone. Nothing that decides a state, a time or an amount may be asked here.

use super::super::chance::{Chance, hash};
use super::{Life, Plan};

const FIRST: &[&str] = &[
    "Ada", "Björn", "Chiara", "Dmitri", "Elif", "Fatima", "Grace", "Hiroshi", "Ingrid", "João", "Kwame", "Léa", "Maya",
    "Noor", "Olga", "Priya", "Quentin", "Rosa", "Søren", "Tomás", "Uma", "Víctor", "Wen", "Ximena", "Yusuf", "Zoë",
];
const LAST: &[&str] = &[
    "Almeida", "Bauer", "Castillo", "Dubois", "Eriksen", "Fischer", "García", "Haddad", "Ito", "Janssen", "Kowalski",
    "Larsen", "Müller", "Novak", "O'Brien", "Patel", "Quist", "Rossi", "Smith", "Tanaka", "Ueda", "Vargas", "Weiß",
    "Xu", "Yılmaz", "Zhang",
];
const STREETS: &[&str] =
    &["Harbour Road", "Lindenallee", "Rue des Lilas", "Oak Street", "Via Roma", "Sakura-dori", "High Street"];
const CITIES: &[&str] =
    &["Springfield", "Neustadt", "Villeneuve", "Porto Alto", "Kingsbridge", "Midorino", "Oldenburg"];
const GOODS: &[&str] =
    &["Tea, two boxes", "Annual plan", "Running shoes", "Concert tickets", "Book parcel", "Gift \"red\""];

/// One payer, with the card used and the texts of one payment.
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) phone: String,
    pub(crate) line1: String,
    pub(crate) city: &'static str,
    pub(crate) postcode: String,
    pub(crate) ip: String,
    /// Last four digits of the card (or account).
    pub(crate) last4: String,
    /// Digits five to eight of the card; the first ones tell the brand.
    pub(crate) bin_rest: String,
    pub(crate) expiry_month: u32,
    pub(crate) expiry_year: u32,
    /// Free text of this payment.
    pub(crate) description: String,
    /// The merchant's own reference of this payment.
    pub(crate) reference: String,
    /// Text in links that open a receipt.
    pub(crate) secret: u64,
}

impl Person {
    /// The person behind a payment.
    pub(crate) fn of(plan: &Plan, life: &Life) -> Self {
        let mut who = Chance::new(hash(plan.personal_seed, u64::from(life.payer)));
        let first = FIRST[who.below(FIRST.len() as u32) as usize];
        let last = LAST[who.below(LAST.len() as u32) as usize];
        let handle = who.below(1000);
        let mut card = Chance::new(hash(plan.personal_seed, life.card));
        let mut text = Chance::new(hash(plan.personal_seed ^ 5, life.key));
        let goods = GOODS[text.below(GOODS.len() as u32) as usize];
        let reference = format!("ORD-{:06}-{}", text.below(1_000_000), life.payment);
        Self {
            name: format!("{first} {last}"),
            // The payer's number keeps e-mail addresses apart as the payers are.
            email: format!("p{}.{handle}@mail{}.example", life.payer, who.below(30)),
            phone: format!("+1555{:07}", who.below(10_000_000)),
            line1: format!("{} {}", 1 + who.below(400), STREETS[who.below(STREETS.len() as u32) as usize]),
            city: CITIES[who.below(CITIES.len() as u32) as usize],
            postcode: format!("{:05}", who.below(100_000)),
            ip: format!("203.0.113.{}", who.below(256)),
            last4: format!("{:04}", card.below(10_000)),
            bin_rest: format!("{:05}", card.below(100_000)),
            expiry_month: 1 + card.below(12),
            expiry_year: 2027 + card.below(6),
            description: format!("{goods} for {first} {last}"),
            reference,
            secret: text.next(),
        }
    }
}
