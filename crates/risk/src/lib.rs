//! How unusual a login or a request is.
//!
//! State and observation in; score and named contributions out. This crate reads no clock, draws no randomness and decides
//! nothing: what a score leads to is policy's. Every state is bounded in bytes and can be written down and read back.
//!
//! [`login`] weighs logins by sums of log-likelihood ratios (with [`freeman`] as the selectable baseline), [`credentials`] counts
//! guessing and fatigue, and three streaming models watch use: runs of operations ([`History`]), who talks to what
//! ([`EdgeModel`]) and numbers ([`OutlierModel`]).

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
