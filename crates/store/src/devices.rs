//! Promise: what is known about a device, the same on every node.

use async_trait::async_trait;
use countersign_core::{
    AppReport, CounterRefusal, CounterWindow, DeviceId, Posture, Reason, RiskMetric, Thumbprint, UnixSeconds, VendorVerdict,
};

use crate::unavailable::Unavailable;

/// Whether a device may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceState {
    /// Enrolled.
    Active,
    /// Cut off for good.
    Revoked,
}

/// A key that cannot sign requests and vouches for the one that does: App Attest's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VouchingKey {
    /// The key as a JWK with the required members only.
    pub jwk: String,
    /// Which of its counters were seen.
    pub counters: CounterWindow,
    /// Apple's receipt for it, verified when it came; with it Apple is asked for its count.
    pub receipt: Option<Vec<u8>>,
}

/// An enrolled device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// What is known of it; holds its id and the thumbprint of its key.
    pub posture: Posture,
    /// Its device key as a JWK with the required members only (RFC 7638 section 3.2).
    pub key_jwk: String,
    /// A name for people, which its person may change.
    pub name: String,
    /// What its app says it is; for counting, never for trusting.
    pub model: Option<String>,
    /// The key that vouches for its key, where there is one.
    pub vouching: Option<VouchingKey>,
    /// When it was enrolled.
    pub enrolled_at: UnixSeconds,
    /// Whether it may act.
    pub state: DeviceState,
}

/// The posture of a device that may act. Only a backend that keeps [`Devices::posture`] and [`Devices::posture_by_key`] makes one.
#[derive(Debug)]
#[must_use]
pub struct LivePosture(Posture);

impl LivePosture {
    /// The rule itself, the same for every backend.
    ///
    /// # Errors
    /// When there is no such device or it was revoked.
    pub(crate) fn of(found: Option<Device>) -> Result<Self, PostureError> {
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

/// Something new about a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceChange {
    /// The app spoke.
    Report(AppReport),
    /// Hardware spoke again: the posture as established now, and the counter of the assertion, where there is one.
    Evidence(Box<Posture>, Option<u32>),
    /// Its person calls it something else.
    Name(String),
    /// Apple counted, and gave a newer receipt.
    RiskMetric(RiskMetric, Vec<u8>),
    /// The vendor spoke.
    Verdict(VendorVerdict),
}

impl DeviceChange {
    /// The word in the log.
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

    /// The rule itself, the same for every backend.
    ///
    /// # Errors
    /// When an assertion's counter was used before.
    pub fn apply(self, mut device: Device) -> Result<Device, CounterRefusal> {
        match self {
            Self::Report(report) => device.posture = device.posture.with_report(report),
            Self::Evidence(posture, counter) => {
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

/// Why a change was not taken in. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeError {
    /// An assertion's counter was used before: a replay, or a copy of the key.
    Counter(CounterRefusal),
    /// Our fault.
    Unavailable(Unavailable),
    /// There is no such device.
    Unknown,
}

impl ChangeError {
    /// The stable code.
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

/// Devices and their postures.
#[async_trait]
pub trait Devices: Send + Sync {
    /// Remembers `device`. If its key is enrolled already, the earlier device keeps its id and the name that its
    /// person may have given it, takes the new posture, and is
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

    /// The posture of the device that a key names, if the device may act. As new as [`Devices::posture`].
    ///
    /// # Errors
    /// When there is no such device, it may not act, or by our fault.
    async fn posture_by_key(&self, key: &Thumbprint) -> Result<LivePosture, PostureError>;

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

    /// All devices in whatever state, a page at a time: at most `count_max` of those whose id comes after this one, in the order
    /// of their ids. Whatever changes meanwhile, a device that is there all the time is in one page.
    ///
    /// # Errors
    /// Our fault only.
    async fn walk(&self, after: Option<&DeviceId>, count_max: u32) -> Result<Vec<Device>, Unavailable>;

    /// Takes in something new about a device in whatever state; once this returns, no `posture` on this node answers without it.
    /// Atomic: of two concurrent changes neither is lost, and of two equal counters one is refused.
    ///
    /// # Errors
    /// When it is not taken in, or by our fault.
    async fn change(&self, id: &DeviceId, change: DeviceChange) -> Result<Device, ChangeError>;

    /// Cuts the device off for good; once this returns, no `posture` on this node answers otherwise. `None`: no such device.
    ///
    /// # Errors
    /// Our fault only.
    async fn revoke(&self, id: &DeviceId) -> Result<Option<Device>, Unavailable>;
}
