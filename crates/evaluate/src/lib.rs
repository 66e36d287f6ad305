//! The risk models measured on recorded events, with the build and the configuration that are shipped: `countersign evaluate`.
//!
//! Strictly causal: every row is scored before it is learned, in one pass. Columns that say what a row is are kept away from the
//! models and used only to answer simulated step-ups and to count. What this crate does not do: it knows no node, no config and no
//! store; it reads files of events and prints nothing.

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
