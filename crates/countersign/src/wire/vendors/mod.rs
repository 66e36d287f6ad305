//! What we ask vendors: each answer bounded in size and time, each failure ours and not the phone's.

mod caller;
mod google;

pub use caller::{CallError, Caller};
pub use google::{Google, ServiceAccountFault};
