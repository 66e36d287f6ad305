//! Live scoring: every request and login is compared with what is usual for the person and for everybody, in bounded memory.

mod alarms;
mod live;
mod logins;
mod places;
mod requests;
mod snapshot;

pub use live::{LiveObserver, ObserverConfig};
pub use places::{Place, Places};
pub use snapshot::SnapshotFault;
