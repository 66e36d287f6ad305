//! Scores for how unusual a login or a request is.
//!
//! A state and an observation go in; a score and named contributions come out. This crate reads no clock, draws no randomness and decides
//! nothing: the policy decides what follows from a score. Every state is bounded in bytes and can be serialised and restored.
//!
//! [`login`] weighs logins by sums of log-likelihood ratios (with [`freeman`] as the selectable baseline). [`credentials`] counts password
//! guessing and prompt fatigue. Three streaming models observe use: runs of operations ([`History`]), bursts between sources and
//! destinations ([`EdgeModel`]) and rows of numbers ([`OutlierModel`]).

pub mod admission;
mod bytes;
mod contribution;
pub mod credentials;
mod edges;
pub mod evidence;
pub mod fingerprint;
pub mod frames;
pub mod freeman;
pub mod frequency;
pub mod geo;
pub mod lists;
pub mod login;
pub mod maths;
pub mod monitor;
pub mod network;
mod numbers;
pub mod platform;
pub mod population;
pub mod profile;
mod sequence;
mod snapshot;
mod state;
mod stream;
pub mod subjects;
pub mod usage;

pub use contribution::Contribution;
pub use edges::{EdgeModel, EdgeScore};
pub use sequence::{Familiarity, History, Operation, Population, SequenceScore};
pub use snapshot::SnapshotRefusal;
pub use stream::{OutlierModel, RowOf, RowScore, StreamRefusal};
