//! The assembly: a node is started from a config, in this process, with a clock and a generator of the caller's choice. Here every
//! promise meets its implementation, once. [`start`] reads in the order in which a node comes up; each server has a step of its own.

mod auth_requests;
mod base;
mod clock;
mod descriptors;
mod development;
mod entropy;
mod front;
mod gateway;
mod issuer;
mod keys;
mod listeners;
mod live;
mod lock;
mod metering;
mod monitor;
mod monitoring;
mod options;
mod readiness;
mod reading;
pub mod replaying;
mod rotation;
mod rule_archive;
mod serve;
mod sharing;
mod side;
mod signals;
mod start;
mod start_error;
mod stores;
mod validate;

pub use clock::SystemClock;
pub use entropy::OsEntropy;
pub use listeners::Addresses;
pub use live::RunningNode;
pub use options::Options;
pub use start::start;
pub use start_error::StartError;
