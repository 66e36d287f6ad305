//! How unusual a login or a request is.

mod bytes;
pub mod evidence;
pub mod fingerprint;
pub mod freeman;
pub mod frequency;
pub mod geo;
pub mod login;
pub mod maths;
pub mod monitor;
pub mod network;
pub mod platform;
pub mod population;
pub mod profile;
pub mod snapshot;
mod state;
pub mod subjects;

pub use bytes::SnapshotRefusal;
