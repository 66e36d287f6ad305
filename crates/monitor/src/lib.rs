//! Monitoring: observes logins and requests, notices unusual ones, explains them, and restricts sessions at once.
//!
//! [`observe`] scores live traffic, [`react`] turns signals into incidents and restrictions, [`ssf`] exchanges shared signals. This crate
//! does not decide about a single request: it returns a score and changes sessions, and the policy decides. It knows neither the gateway
//! nor the issuer.

pub mod geography;
pub mod observe;
pub mod react;
pub mod ssf;
