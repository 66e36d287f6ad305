//! Promise: the facts about a device are the same on every node.

use async_trait::async_trait;
use countersign_core::{
    AppReport, CounterRefusal, CounterWindow, DeviceId, Posture, Reason, RiskMetric, Thumbprint, UnixSeconds, VendorVerdict,
};

use crate::unavailable::Unavailable;

/// Permission of a device to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceState {
    /// The device is enrolled and may act.
    Active,
    /// The device is cut off for good.
    Revoked,
}

/// Key that cannot sign requests and vouches for the key that does: App Attest's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VouchingKey {
    /// The key as a JWK with the required members only.
    pub jwk: String,
    /// Counters of the key's assertions that were seen.
    pub counters: CounterWindow,
    /// Apple's receipt for the key, verified when it came. Apple wants it with the question how many keys the phone had attested.
    pub receipt: Option<Vec<u8>>,
}

/// Enrolled device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Facts about the device; the posture holds its id and the thumbprint of its key.
    pub posture: Posture,
    /// Device key as a JWK with the required members only (RFC 7638 section 3.2).
    pub key_jwk: String,
    /// Name for people, which the device's person may change.
    pub name: String,
    /// Model as the app states it: good for counting, never for trusting.
    pub model: Option<String>,
    /// Key that vouches for the device key; `None` when the platform needs none.
    pub vouching: Option<VouchingKey>,
    /// Instant of the first enrolment.
    pub enrolled_at: UnixSeconds,
    /// Permission to act.
    pub state: DeviceState,
}

/// Posture of a device that may act. Only a backend that keeps [`Devices::posture`] and [`Devices::posture_by_key`] makes one.
#[derive(Debug)]
#[must_use]
pub struct LivePosture(Posture);

impl LivePosture {
    /// Applies the rule, which is the same for every backend: an enrolled device that was not revoked may act.
    ///
    /// # Errors
    /// [`PostureError::Unknown`] when there is no such device, [`PostureError::Revoked`] when the device was revoked.
    pub(crate) fn of(found: Option<Device>) -> Result<Self, PostureError> {
        let device = found.ok_or(PostureError::Unknown)?;
        match device.state {
            DeviceState::Active => Ok(Self(device.posture)),
            DeviceState::Revoked => Err(PostureError::Revoked),
        }
    }

    /// The posture, borrowed.
    #[must_use]
    pub const fn posture(&self) -> &Posture {
        &self.0
    }

    /// Takes the posture out, for the facts of a decision.
    #[must_use]
    pub fn into_posture(self) -> Posture {
        self.0
    }
}

/// Reason why a device may not act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostureError {
    /// The device was revoked.
    Revoked,
    /// The backend failed, which is the fault of this node.
    Unavailable(Unavailable),
    /// There is no such device.
    Unknown,
}

impl PostureError {
    /// Stable code of the refusal.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Revoked => Reason::DeviceRevoked,
            Self::Unavailable(_) => Reason::StoreUnavailable,
            Self::Unknown => Reason::DeviceUnknown,
        }
    }
}

/// News about a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceChange {
    /// A report by the app about its surroundings.
    Report(AppReport),
    /// Fresh evidence of the platform: the posture as established now, and the counter of the assertion, when an assertion brought it.
    Evidence(Box<Posture>, Option<u32>),
    /// Another name, given by the device's person.
    Name(String),
    /// Apple's count of attested keys, and the newer receipt that came with it.
    RiskMetric(RiskMetric, Vec<u8>),
    /// A verdict of the platform's vendor.
    Verdict(VendorVerdict),
}

impl DeviceChange {
    /// Stable word for the kind of news, for the log.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        match self {
            Self::Report(_) => "report",
            Self::Evidence(..) => "evidence",
            Self::Name(_) => "name",
            Self::RiskMetric(..) => "risk_metric",
            Self::Verdict(_) => "verdict",
        }
    }

    /// Applies the news to a device. The rule is the same for every backend.
    ///
    /// # Errors
    /// A refusal when the assertion's counter was used before.
    pub fn apply(self, mut device: Device) -> Result<Device, CounterRefusal> {
        match self {
            Self::Report(report) => device.posture = device.posture.with_report(report),
            Self::Evidence(posture, counter) => {
                // SECURITY: judged in the step that stores the counter, so that of two equal counters one is refused.
                if let (Some(vouching), Some(counter)) = (&mut device.vouching, counter) {
                    vouching.counters = vouching.counters.after(counter)?;
                }
                device.posture = device.posture.with_evidence(*posture);
            }
            Self::Name(name) => device.name = name,
            Self::RiskMetric(metric, receipt) => {
                device.posture.risk_metric = Some(metric);
                if let Some(vouching) = &mut device.vouching {
                    vouching.receipt = Some(receipt);
                }
            }
            Self::Verdict(verdict) => device.posture = device.posture.with_verdict(verdict),
        }
        Ok(device)
    }
}

/// Reason why news were not taken in. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeError {
    /// The assertion's counter was used before: a replay, or a copy of the key.
    Counter(CounterRefusal),
    /// The backend failed, which is the fault of this node.
    Unavailable(Unavailable),
    /// There is no such device.
    Unknown,
}

impl ChangeError {
    /// Stable code of the refusal.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Counter(_) => Reason::AssertionCounterReused,
            Self::Unavailable(_) => Reason::StoreUnavailable,
            Self::Unknown => Reason::DeviceUnknown,
        }
    }
}

impl From<Unavailable> for ChangeError {
    fn from(fault: Unavailable) -> Self {
        Self::Unavailable(fault)
    }
}

/// Enrolled devices and their postures.
#[async_trait]
pub trait Devices: Send + Sync {
    /// Remembers `device`. If its key is enrolled already, the earlier device keeps its id and the name that its person may have given it,
    /// takes the new posture, and is returned; a revoked device stays revoked. Atomic: one key never names two devices.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn enrol(&self, device: Device) -> Result<Device, Unavailable>;

    /// Returns the posture of a device that may act. Every request asks this, so it is served from memory where possible.
    ///
    /// # Errors
    /// The reason why the device may not act, or [`PostureError::Unavailable`] when the backend failed.
    async fn posture(&self, id: &DeviceId) -> Result<LivePosture, PostureError>;

    /// Returns the posture of the device that a key names, if the device may act. The answer is as fresh as that of [`Devices::posture`].
    ///
    /// # Errors
    /// The reason why the device may not act, or [`PostureError::Unavailable`] when the backend failed.
    async fn posture_by_key(&self, key: &Thumbprint) -> Result<LivePosture, PostureError>;

    /// Finds a device in whatever state.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn find(&self, id: &DeviceId) -> Result<Option<Device>, Unavailable>;

    /// Finds the device that a key names, in whatever state.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn find_by_key(&self, key: &Thumbprint) -> Result<Option<Device>, Unavailable>;

    /// Lists the newest devices, at most `count_max`.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn list(&self, count_max: u32) -> Result<Vec<Device>, Unavailable>;

    /// Lists all devices in whatever state, a page at a time: at most `count_max` of those whose id comes after `after`, in the order of
    /// their ids. A device that exists during the whole walk is in exactly one page, whatever changes meanwhile.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn walk(&self, after: Option<&DeviceId>, count_max: u32) -> Result<Vec<Device>, Unavailable>;

    /// Takes in news about a device in whatever state. Once this returns, no `posture` on this node answers without them. Atomic: of two
    /// concurrent changes neither is lost, and of two equal counters one is refused.
    ///
    /// # Errors
    /// The reason why the news were not taken in, or [`ChangeError::Unavailable`] when the backend failed.
    async fn change(&self, id: &DeviceId, change: DeviceChange) -> Result<Device, ChangeError>;

    /// Cuts the device off for good. Once this returns, no `posture` on this node answers otherwise. `None` when there is no such device.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn revoke(&self, id: &DeviceId) -> Result<Option<Device>, Unavailable>;
}
