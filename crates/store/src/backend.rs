//! What a backend outside of this crate keeps the promises with.
//!
//! [`LiveSession`] and [`LivePosture`] are witnesses: whoever holds one need not ask again. A server therefore cannot make one; it gets
//! one from a promise. A backend that stands in a crate of its own, such as a cluster's database or a double in the tests of a server,
//! makes them here, and takes over what the witnesses say:
//!
//! - What it passes in was read from the truth in this very call. It is never kept from an earlier one, unless whatever changes it
//!   also changes what is kept, before the change is acknowledged (see [`crate::Sessions::end`] and [`crate::Devices::revoke`]).
//! - What was not found is passed in as `None`, and what could not be read is answered by `Unavailable`, never by `None`.
//! - The backend passes `suite`, the promises as tests.
//!
//! The module exists only with the feature `backend`. Backends and tests turn it on; no server does, so that a product without another
//! backend holds no way to make a witness. A test beside this crate reads the manifests for it.

use countersign_core::{Session, UnixSeconds};

use crate::{
    devices::{Device, LivePosture, PostureError},
    sessions::{LiveError, LiveSession},
};

/// The witness of [`crate::Sessions::live`], of the session that was found.
///
/// # Errors
/// When the session does not exist, has ended, was revoked, or waits for its person.
pub fn live_session(found: Option<Session>, now: UnixSeconds) -> Result<LiveSession, LiveError> {
    LiveSession::of(found, now)
}

/// The witness of [`crate::Devices::posture`] and [`crate::Devices::posture_by_key`], of the device that was found.
///
/// # Errors
/// When there is no such device or it was revoked.
pub fn live_posture(found: Option<Device>) -> Result<LivePosture, PostureError> {
    LivePosture::of(found)
}
