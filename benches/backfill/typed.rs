//! A charge as a typed struct, read by what serde derives: only the fields that become columns, their texts borrowed from
//! the page wherever JSON lets them be. This is the fastest plain way to read such pages, and so the yardstick.

use std::borrow::Cow;
use std::fmt;

use rusqlite::types::ValueRef;
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A text or null, borrowed from the page unless it was escaped.
#[derive(Default)]
pub struct Text<'a>(Option<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or null")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Some(Cow::Borrowed(text))))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Some(Cow::Owned(text.to_owned()))))
            }
            fn visit_unit<E: Error>(self) -> Result<Text<'de>, E> {
                Ok(Text(None))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// What a field becomes in SQLite.
trait Cell {
    fn cell(&self) -> ValueRef<'_>;
}

impl Cell for Text<'_> {
    fn cell(&self) -> ValueRef<'_> {
        self.0.as_deref().map_or(ValueRef::Null, |text| ValueRef::Text(text.as_bytes()))
    }
}

impl Cell for Option<i64> {
    fn cell(&self) -> ValueRef<'_> {
        self.map_or(ValueRef::Null, ValueRef::Integer)
    }
}

impl Cell for Option<bool> {
    fn cell(&self) -> ValueRef<'_> {
        self.map_or(ValueRef::Null, |truth| ValueRef::Integer(i64::from(truth)))
    }
}

/// Seconds to milliseconds.
fn time(seconds: Option<i64>) -> ValueRef<'static> {
    seconds.map_or(ValueRef::Null, |seconds| ValueRef::Integer(seconds * 1000))
}

/// An object or null.
fn or_empty<'de, T: Deserialize<'de> + Default, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Objects of which every member may be missing or null. A member marked `{}` is an object itself.
macro_rules! objects {
    ($($(#[$doc:meta])* $name:ident { $($texts:ident)* ; $($numbers:ident)* ; $($truths:ident)* ; $($inner:ident: $type:ident)* })*) => {
        $($(#[$doc])*
        #[derive(Default, serde::Deserialize)]
        #[serde(default, bound(deserialize = "'de: 'a"))]
        pub struct $name<'a> {
            $($texts: Text<'a>,)*
            $($numbers: Option<i64>,)*
            $($truths: Option<bool>,)*
            $(#[serde(deserialize_with = "or_empty")] $inner: $type<'a>,)*
            #[serde(skip)]
            _page: std::marker::PhantomData<&'a str>,
        })*
    };
}

/// One page of the list.
#[derive(serde::Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub struct Page<'a> {
    pub data: Vec<Charge<'a>>,
    pub has_more: bool,
}

objects! {
    /// One charge.
    Charge {
        id status currency payment_intent balance_transaction failure_balance_transaction review failure_code
        payment_method customer application application_fee on_behalf_of transfer source_transfer transfer_group;
        created amount amount_captured amount_refunded application_fee_amount;
        paid captured refunded disputed;
        presentment_details: Presentment outcome: Outcome fraud_details: Fraud payment_method_details: Method
        billing_details: Billing transfer_data: Transfer
    }
    Presentment { presentment_currency; presentment_amount; ; }
    Outcome {
        r#type reason network_status network_decline_code network_advice_code advice_code risk_level; risk_score; ;
    }
    Fraud { stripe_report user_report; ; ; }
    Method { r#type; ; ; card: Card card_present: Present }
    Card {
        brand network funding country regulated_status description iin issuer fingerprint electronic_commerce_indicator
        stored_credential_usage setup_credential_usage network_transaction_id authorization_code;
        amount_authorized capture_before;
        moto;
        checks: Checks three_d_secure: Secure wallet: Wallet network_token: NetworkToken installments: Installments
    }
    Checks { address_line1_check address_postal_code_check cvc_check; ; ; }
    Secure {
        result result_reason authentication_flow version electronic_commerce_indicator exemption_indicator; ;
        exemption_indicator_applied;
    }
    Wallet { r#type; ; ; }
    NetworkToken { ; ; used; }
    Installments { ; ; ; plan: InstalmentPlan }
    InstalmentPlan { ; count; ; }
    Present { brand network funding country fingerprint read_method; ; ; }
    Billing { email; ; ; address: Address }
    Address { country; ; ; }
    Transfer { destination; amount; ; }
}

impl Charge<'_> {
    /// The charge's id, for the cursor.
    pub fn id(&self) -> &str {
        self.id.0.as_deref().unwrap_or_default()
    }

    /// The row, in the order of the declaration's columns.
    #[rustfmt::skip] // one line a group of columns reads better here
    pub fn row(&self) -> [ValueRef<'_>; 80] {
        let (method, outcome) = (&self.payment_method_details, &self.outcome);
        let (card, present) = (&method.card, &method.card_present);
        let secure = &card.three_d_secure;
        [
            self.id.cell(), time(self.created), self.status.cell(), self.amount.cell(), self.currency.cell(),
            self.amount_captured.cell(), self.amount_refunded.cell(),
            self.presentment_details.presentment_amount.cell(), self.presentment_details.presentment_currency.cell(),
            self.paid.cell(), self.captured.cell(), self.refunded.cell(), self.disputed.cell(),
            self.payment_intent.cell(), self.balance_transaction.cell(), self.failure_balance_transaction.cell(),
            self.review.cell(),
            outcome.r#type.cell(), outcome.reason.cell(), outcome.network_status.cell(),
            outcome.network_decline_code.cell(), outcome.network_advice_code.cell(), outcome.advice_code.cell(),
            outcome.risk_level.cell(), outcome.risk_score.cell(),
            self.failure_code.cell(), self.fraud_details.stripe_report.cell(), self.fraud_details.user_report.cell(),
            method.r#type.cell(), self.payment_method.cell(),
            card.brand.cell(), card.network.cell(), card.funding.cell(), card.country.cell(),
            card.regulated_status.cell(), card.description.cell(), card.iin.cell(), card.issuer.cell(),
            card.fingerprint.cell(),
            card.checks.address_line1_check.cell(), card.checks.address_postal_code_check.cell(),
            card.checks.cvc_check.cell(),
            secure.result.cell(), secure.result_reason.cell(), secure.authentication_flow.cell(),
            secure.version.cell(), secure.electronic_commerce_indicator.cell(), secure.exemption_indicator.cell(),
            secure.exemption_indicator_applied.cell(),
            card.electronic_commerce_indicator.cell(), card.wallet.r#type.cell(), card.network_token.used.cell(),
            card.stored_credential_usage.cell(), card.setup_credential_usage.cell(), card.moto.cell(),
            card.amount_authorized.cell(), time(card.capture_before), card.installments.plan.count.cell(),
            card.network_transaction_id.cell(), card.authorization_code.cell(),
            present.brand.cell(), present.network.cell(), present.funding.cell(), present.country.cell(),
            present.fingerprint.cell(), present.read_method.cell(),
            self.billing_details.address.country.cell(), self.billing_details.email.cell(),
            self.customer.cell(), self.customer.cell(),
            self.application.cell(), self.application_fee_amount.cell(), self.application_fee.cell(),
            self.on_behalf_of.cell(), self.transfer.cell(), self.transfer_data.destination.cell(),
            self.transfer_data.amount.cell(), self.source_transfer.cell(), self.transfer_group.cell(),
            ValueRef::Text(b"{}"), // no key of the metadata is allowed
        ]
    }
}
