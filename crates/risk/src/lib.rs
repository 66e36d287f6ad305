//! How unusual a login or a request is.
//!
//! State and observation in; score and named contributions out. This crate reads no clock, draws no randomness and decides
//! nothing: what a score leads to is policy's. Every state is bounded in bytes and can be written down and read back.

mod contribution;
mod edges;
mod numbers;
mod sequence;
mod snapshot;
mod stream;

pub use contribution::Contribution;
pub use edges::{EdgeModel, EdgeScore};
pub use sequence::{Familiarity, History, Operation, Population, SequenceScore};
pub use snapshot::SnapshotRefusal;
pub use stream::{OutlierModel, RowOf, RowScore, StreamRefusal};
