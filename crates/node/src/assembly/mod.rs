//! The assembly: a node is started from a config, in this process, with a clock and a generator of the caller's choice. Here every
//! promise meets its implementation, once.

mod auth_requests;
mod build;
mod clock;
mod doors;
mod entropy;
mod front;
mod keys;
mod live;
mod lock;
mod metering;
mod monitoring;
mod options;
pub mod replaying;
mod rotation;
mod rule_archive;
mod side;
mod signals;
mod start;
mod start_error;
mod stores;
mod understand;

pub use clock::SystemClock;
pub use doors::Addresses;
pub use entropy::OsEntropy;
pub use live::RunningNode;
pub use options::Options;
pub use start::start;
pub use start_error::StartError;
