//! Starts the tasks, hands each its parts, reloads, stops them in order. The rules are in the rooms below; here they are put
//! together.

pub mod control;
pub mod keys;
pub mod logs;
pub mod loops;
pub mod parts;
pub mod privacy;
pub mod request;
pub mod run;
mod schema;
pub mod upstream;
pub mod verify;

pub use self::schema::schema;
