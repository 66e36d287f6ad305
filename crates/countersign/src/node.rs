//! The running whole: started from a config, in this process, with a clock and a generator of the caller's choice.

mod front;
mod live;
mod probe;
mod side;
mod start;
mod start_error;

pub use live::RunningNode;
pub use probe::LogReport;
pub use start::{Addresses, Options, start};
pub use start_error::StartError;

pub use crate::config::Dev;
