//! `countersign evaluate`: the risk models on an operator's own data, with the build and the configuration that are shipped.
//!
//! Strictly causal: every row is scored before it is learned, in one pass. Columns that say what a row is are kept away from the
//! models and used only to answer simulated step-ups and to count.

pub mod login;
pub mod metrics;
pub mod rows;
pub mod table;
pub mod travel;
