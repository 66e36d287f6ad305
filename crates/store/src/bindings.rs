//! Promise: which people sign in on which devices, the same on every node.

use async_trait::async_trait;
use countersign_core::{DeviceId, UnixSeconds, UserId};
use countersign_identity::{Binding, BindingRefusal, BindingRules, BindingState};

use crate::unavailable::Unavailable;

/// Why a sign-in was not bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindError {
    /// The rule that stands against it.
    Refused(BindingRefusal),
    /// Our fault.
    Unavailable(Unavailable),
}

impl From<Unavailable> for BindError {
    fn from(fault: Unavailable) -> Self {
        Self::Unavailable(fault)
    }
}

/// People on devices.
#[async_trait]
pub trait Bindings: Send + Sync {
    /// Remembers `binding`, or gives the earlier one of the same person and device. Atomic: of two that race for the last
    /// place one is refused.
    ///
    /// # Errors
    /// When [`countersign_identity::bind`] refuses it, or by our fault.
    async fn bind(&self, binding: Binding, rules: BindingRules) -> Result<Binding, BindError>;

    /// A person's bindings in whatever state, newest first, at most `count_max`.
    ///
    /// # Errors
    /// Our fault only.
    async fn of_user(&self, user: &UserId, count_max: u32) -> Result<Vec<Binding>, Unavailable>;

    /// A device's bindings in whatever state, newest first, at most `count_max`.
    ///
    /// # Errors
    /// Our fault only.
    async fn of_device(&self, device: &DeviceId, count_max: u32) -> Result<Vec<Binding>, Unavailable>;

    /// Notes the day on which the person was seen there, and gives the binding as it is then.
    ///
    /// # Errors
    /// Our fault only.
    async fn seen(&self, user: &UserId, device: &DeviceId, day: UnixSeconds) -> Result<Option<Binding>, Unavailable>;

    /// Cuts an active binding for good; one that was cut before stays as it is, but one that was removed may still be disowned.
    /// Once this returns, `seen` and `bind` answer by it. `None`: there is no such binding.
    ///
    /// # Errors
    /// Our fault only.
    async fn cut(&self, user: &UserId, device: &DeviceId, state: BindingState) -> Result<Option<Binding>, Unavailable>;
}
