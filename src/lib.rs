//! Counterfoil keeps a merchant's payment records on the merchant's own machine and sends upstream only totals in
//! which nobody can be recognised. ARCHITECTURE.md tells which room does what; a test holds the directions.

pub mod agent;
pub mod cli;
pub mod clock;
pub mod config;
pub mod dbfile;
pub mod egress;
pub mod entropy;
pub mod http;
pub mod paths;
pub mod problem;
pub mod providers;
pub mod sandbox;
pub mod service;
pub mod store;
pub mod stream;
pub mod sync;
pub mod testpoint;
pub mod vault;
