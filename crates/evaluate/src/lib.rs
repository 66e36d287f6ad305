//! Measurement of the risk models on recorded events, with the build and the configuration that are shipped: `countersign evaluate`.
//!
//! The measurement is strictly causal: every row is scored before it is learned, in one pass. Labels are kept away from the models, and
//! used only to answer simulated step-ups and to count. What this crate does not do: it knows no node, no configuration and no store; it
//! reads files of events and prints nothing.

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
