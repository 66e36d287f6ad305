//! Where every promise meets its implementation, once: the clock, the generator, keys, trust, certificates, signals.

mod clock;
pub mod devices;
mod entropy;
pub mod feeds;
pub mod geography;
pub mod issuing;
pub mod keys;
pub mod lock;
pub mod mail;
pub mod metering;
pub mod monitoring;
pub mod places;
pub mod replaying;
pub mod rotation;
pub mod rule_archive;
pub mod rules;
pub mod shared_signals;
pub mod signals;
pub mod stores;
pub mod tls;
pub mod trust;
pub mod upstream;
pub mod vendors;

pub use clock::SystemClock;
pub use entropy::OsEntropy;
