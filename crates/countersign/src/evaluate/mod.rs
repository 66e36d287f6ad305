//! `countersign evaluate`: the risk models on an operator's own data, with the build and the configuration that are shipped.
//!
//! Strictly causal: every row is scored before it is learned, in one pass. Columns that say what a row is are kept away from the
//! models and used only to answer simulated step-ups and to count.

pub mod curve;
pub mod edges;
pub mod input;
pub mod login;
pub mod metrics;
pub mod numeric;
pub mod rows;
pub mod sequence;
pub mod table;
pub mod tally;
pub mod travel;
