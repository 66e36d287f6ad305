//! What we ask vendors: each answer bounded in size and time, each failure ours and not the phone's.

mod caller;
mod google;
mod silence;

pub use caller::{Answer, CallError, Caller, Patience};
pub use google::{Google, ServiceAccountFault};
pub use silence::Silence;
