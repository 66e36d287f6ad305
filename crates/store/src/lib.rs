//! Promises about state, and the backends that keep them.
//!
//! One promise a file: small traits, named for what they promise, atomic where two callers may race. Nothing above this
//! crate knows which backend it talks to. The store judges nothing: rules live in `identity` and `proof`, and a promise
//! only says which of two racing callers was first. Every error here is ours (`Unavailable`) or a named outcome; both refuse.

#[cfg(feature = "backend")]
pub mod backend;
mod bindings;
mod challenges;
mod changes;
mod counters;
mod dev_tokens;
mod devices;
mod expiring_map;
mod grants;
mod incidents;
mod keys;
pub mod memory;
mod records;
mod replay;
mod retention;
pub mod segments;
mod sessions;
mod shared_signals;
mod spender;
pub mod sqlite;
mod strangers;
mod subjects;
#[cfg(any(test, feature = "suite"))]
pub mod suite;
mod unavailable;

pub use bindings::{BindError, Bindings};
pub use challenges::{ChallengeError, ChallengeId, Challenges};
pub use changes::{Change, Changes, Listener, News};
pub use counters::{RateCounters, Rated, TakeError};
pub use dev_tokens::{DevTokenNoted, DevTokens, KeptDevToken};
pub use devices::{ChangeError, Device, DeviceChange, DeviceState, Devices, LivePosture, PostureError, VouchingKey};
pub use grants::{GivenToken, Grants, RedeemError, Renewed};
pub use incidents::{ActionTaken, Incident, IncidentChange, IncidentState, Incidents, Moment, Suppression};
pub use keys::{KeyPurpose, Keys, StoredKey, SubjectKeys};
pub use records::{Counted, NotLive, Receipt, Recorder, Stranger, StrangerRefusal, Written};
pub use replay::{FreshProof, ReplayMemory, SpendError};
pub use retention::{Forgotten, Retention};
pub use sessions::{Ended, LiveError, LiveSession, OpenState, Presence, SessionFilter, Sessions, StateChange, Whose};
pub use shared_signals::{SeenSet, SharedSignals, WaitingSet};
pub use spender::Spender;
pub use strangers::Due;
pub use subjects::{Created, Invitation, Passkey, Subjects, Used, User, UserState};
pub use unavailable::Unavailable;
