//! What the store is made of: its own control tables, every provider's streams, and the views over all of them. It is put
//! together here because the providers do not know the store, nor the store the providers.

use crate::problem::Result;
use crate::providers;
use crate::store::{Schema, View};
use crate::stream::Declaration;

/// The whole schema, read from the SQL files of this version.
pub fn schema() -> Result<Schema> {
    let control = Declaration::control("control.sql", include_str!("../../sql/control.sql"))?;
    Ok(Schema { control, streams: providers::declarations()?, views: VIEWS.to_vec() })
}

/// Names and texts of views from their files, in the order of their creation.
macro_rules! views {
    ($($name:literal)*) => {
        /// The provider-neutral views and the ready answers.
        static VIEWS: &[View] = &[$(View { name: $name, sql: include_str!(concat!("../../sql/views/", $name, ".sql")) }),*];
    };
}

views! {
    "currencies" "payment_attempts" "payments" "refunds" "disputes" "payouts" "balance_transactions" "fees"
    "approval_rate_by_day" "declines_by_day" "dispute_rate_by_month"
}
