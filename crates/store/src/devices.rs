//! Promise: what is known about a device, the same on every node.

use async_trait::async_trait;
use countersign_core::{DeviceId, Posture, Reason, Thumbprint, UnixSeconds};

use crate::unavailable::Unavailable;

/// Whether a device may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceState {
    /// Enrolled.
    Active,
    /// Cut off for good.
    Revoked,
}

/// An enrolled device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// What is known of it; holds its id and the thumbprint of its key.
    pub posture: Posture,
    /// Its device key as a JWK with the required members only (RFC 7638 section 3.2).
    pub key_jwk: String,
    /// A name for people: the model, where it is known.
    pub name: String,
    /// When it was enrolled.
    pub enrolled_at: UnixSeconds,
    /// Whether it may act.
    pub state: DeviceState,
}

/// The posture of a device that may act. Only [`Devices::posture`] makes one.
#[derive(Debug)]
#[must_use]
pub struct LivePosture(Posture);

impl LivePosture {
    /// The rule itself, the same for every backend.
    ///
    /// # Errors
    /// When there is no such device or it was revoked.
    pub fn of(found: Option<Device>) -> Result<Self, PostureError> {
        let device = found.ok_or(PostureError::Unknown)?;
        match device.state {
            DeviceState::Active => Ok(Self(device.posture)),
            DeviceState::Revoked => Err(PostureError::Revoked),
        }
    }

    /// The posture.
    #[must_use]
    pub const fn posture(&self) -> &Posture {
        &self.0
    }

    /// The posture itself, for the facts.
    #[must_use]
    pub fn into_posture(self) -> Posture {
        self.0
    }
}

/// Why a device may not act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostureError {
    /// It was revoked.
    Revoked,
    /// Our fault.
    Unavailable(Unavailable),
    /// There is no such device.
    Unknown,
}

impl PostureError {
    /// The stable code.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Revoked => Reason::DeviceRevoked,
            Self::Unavailable(_) => Reason::StoreUnavailable,
            Self::Unknown => Reason::DeviceUnknown,
        }
    }
}

/// Devices and their postures.
#[async_trait]
pub trait Devices: Send + Sync {
    /// Remembers `device`. If its key is enrolled already, the earlier device keeps its id, takes the new posture, and is
    /// returned; a revoked one stays revoked. Atomic: one key never names two devices.
    ///
    /// # Errors
    /// Our fault only.
    async fn enrol(&self, device: Device) -> Result<Device, Unavailable>;

    /// The posture, if the device may act. On the way of every request: served from memory where it can be.
    ///
    /// # Errors
    /// When it may not act, or by our fault.
    async fn posture(&self, id: &DeviceId) -> Result<LivePosture, PostureError>;

    /// The device in whatever state.
    ///
    /// # Errors
    /// Our fault only.
    async fn find(&self, id: &DeviceId) -> Result<Option<Device>, Unavailable>;

    /// The device that a key names, in whatever state.
    ///
    /// # Errors
    /// Our fault only.
    async fn find_by_key(&self, key: &Thumbprint) -> Result<Option<Device>, Unavailable>;

    /// The newest devices, at most `count_max`.
    ///
    /// # Errors
    /// Our fault only.
    async fn list(&self, count_max: u32) -> Result<Vec<Device>, Unavailable>;

    /// Cuts the device off for good; once this returns, no `posture` on this node answers otherwise. `None`: no such device.
    ///
    /// # Errors
    /// Our fault only.
    async fn revoke(&self, id: &DeviceId) -> Result<Option<Device>, Unavailable>;
}
