//! The domain of the sentry, pure: no clock, no network, no environment.
//!
//! Time comes in as a value, and every write to the ledger goes out as a value
//! ([`ledger::Update`]), so that the same code is called by the functions, driven by
//! property tests and explored by a model checker.

pub mod api_key;
pub mod error;
pub mod ledger;
pub mod limit;
pub mod model;
pub mod money;
pub mod month;
pub mod notice;
pub mod price;
pub mod request;
pub mod usage;
