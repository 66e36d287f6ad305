//! Promise: the bindings of people to the devices on which they sign in are the same on every node.

use async_trait::async_trait;
use countersign_core::{DeviceId, UnixSeconds, UserId};
use countersign_identity::{Binding, BindingRefusal, BindingRules, BindingState};

use crate::unavailable::Unavailable;

/// Reason why a sign-in was not bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindError {
    /// A rule stands against the binding.
    Refused(BindingRefusal),
    /// The backend failed, which is the fault of this node.
    Unavailable(Unavailable),
}

impl From<Unavailable> for BindError {
    fn from(fault: Unavailable) -> Self {
        Self::Unavailable(fault)
    }
}

/// Bindings of people to devices.
#[async_trait]
pub trait Bindings: Send + Sync {
    /// Remembers `binding`, or returns the earlier one of the same person and device. Atomic: of two callers that race for the last place
    /// one is refused.
    ///
    /// # Errors
    /// [`BindError::Refused`] when [`countersign_identity::bind`] refuses the binding; [`BindError::Unavailable`] when the backend failed.
    async fn bind(&self, binding: Binding, rules: BindingRules) -> Result<Binding, BindError>;

    /// Lists a person's bindings in whatever state, newest first, at most `count_max`.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn of_user(&self, user: &UserId, count_max: u32) -> Result<Vec<Binding>, Unavailable>;

    /// Lists a device's bindings in whatever state, newest first, at most `count_max`.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn of_device(&self, device: &DeviceId, count_max: u32) -> Result<Vec<Binding>, Unavailable>;

    /// Notes the day on which the person was seen on the device, and returns the binding with it; `None` when there is no such binding.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn seen(&self, user: &UserId, device: &DeviceId, day: UnixSeconds) -> Result<Option<Binding>, Unavailable>;

    /// Cuts an active binding for good. A binding that was cut before stays as it is, except that a removed one may still be disowned. Once
    /// this returns, `seen` and `bind` answer by the new state. `None` when there is no such binding.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn cut(&self, user: &UserId, device: &DeviceId, state: BindingState) -> Result<Option<Binding>, Unavailable>;
}
