//! The running whole: started from a config, in this process, with a clock and a generator of the caller's choice.

mod build;
mod doors;
mod front;
mod live;
mod options;
mod probe;
mod side;
mod start;
mod start_error;
mod understand;

pub use doors::Addresses;
pub use live::RunningNode;
pub use options::Options;
pub use probe::LogReport;
pub use start::start;
pub use start_error::StartError;

pub use crate::config::Dev;
