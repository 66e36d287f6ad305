//! Makers of witnesses, for backends outside of this crate.
//!
//! [`LiveSession`] and [`LivePosture`] are witnesses: whoever holds one need not ask again. A server therefore cannot make one; it gets
//! one from a promise. A backend that stands in a crate of its own, such as a cluster's database or a double in the tests of a server,
//! makes them here, and takes over what the witnesses say:
//!
//! - The value that it passes in was read from the truth in this very call. It is never kept from an earlier one, unless every change
//!   of it also changes the kept copy, before the change is acknowledged (see [`crate::Sessions::end`] and [`crate::Devices::revoke`]).
//!
//! The module exists only with the feature `backend`. Backends and tests turn it on; no server does, so that a product without another
//! backend holds no way to make a witness. A test beside this crate reads the manifests for it.

use countersign_core::{Session, UnixSeconds};

use crate::{
    devices::{Device, LivePosture, PostureError},
    sessions::{LiveError, LiveSession},
};

/// Makes the witness of [`crate::Sessions::live`] for the session that was found.
///
/// # Errors
/// The reason why the session may not act.
pub fn live_session(found: Option<Session>, now: UnixSeconds) -> Result<LiveSession, LiveError> {
    LiveSession::of(found, now)
}

/// Makes the witness of [`crate::Devices::posture`] and [`crate::Devices::posture_by_key`] for the device that was found.
///
/// # Errors
/// The reason why the device may not act.
pub fn live_posture(found: Option<Device>) -> Result<LivePosture, PostureError> {
    LivePosture::of(found)
}
