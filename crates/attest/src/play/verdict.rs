//! A verdict of Google Play about a request, an app and a phone, as typed facts. No rule is applied here.
//!
//! See <https://developer.android.com/google/play/integrity/verdicts>.

use std::collections::BTreeSet;

use countersign_core::UnixMillis;

use crate::play::label::{Activity, AppAccess, DeviceIntegrity, Label, Licensing, ProtectRisk, Recognition};

/// A verdict. A part that Google left out is `None`, and `None` meets no requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The request that the verdict answers (`requestDetails`).
    pub request: Request,
    /// The app that runs (`appIntegrity`).
    pub app: Option<AppIntegrity>,
    /// The phone on which it runs (`deviceIntegrity`).
    pub device: Option<Device>,
    /// Statement whether the account has the app from Google Play (`accountDetails.appLicensingVerdict`).
    pub licensing: Option<Label<Licensing>>,
    /// Access of other apps (`environmentDetails.appAccessRiskVerdict.appsDetected`); `None` when it was not evaluated.
    pub app_access: Option<BTreeSet<Label<AppAccess>>>,
    /// Finding of Play Protect (`environmentDetails.playProtectVerdict`).
    pub play_protect: Option<Label<ProtectRisk>>,
    /// True for a test response that was set up for a tester (`testingDetails.isTestingResponse`).
    pub testing: bool,
    /// Paths of unknown fields, at most 16 of them. Google states more than is judged here.
    pub unknown: Vec<String>,
}

/// The request that a verdict answers. The app supplied these values; Google only proves that it was asked with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Package that asked (`requestPackageName`); an attacker can make it up.
    pub package: String,
    /// Value to which the verdict is bound.
    pub binding: Binding,
    /// Time of the request in milliseconds (`timestampMillis`).
    pub at: UnixMillis,
}

/// Value to which a verdict is bound. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Binding {
    /// The nonce of a classic request (`nonce`).
    Nonce(String),
    /// The hash of a standard request (`requestHash`).
    RequestHash(String),
}

/// The app that runs, as Google Play found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppIntegrity {
    /// Statement whether Google Play knows the app (`appRecognitionVerdict`).
    pub recognition: Option<Label<Recognition>>,
    /// Name of the package (`packageName`).
    pub package: Option<String>,
    /// SHA-256 of the certificates that signed the package (`certificateSha256Digest`).
    pub signers: Vec<[u8; 32]>,
    /// Version code of the app (`versionCode`).
    pub version: Option<u64>,
}

/// The phone, as Google Play found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Checks that the phone passes (`deviceRecognitionVerdict`).
    pub labels: BTreeSet<Label<DeviceIntegrity>>,
    /// Number of verdicts requested lately, as a level (`recentDeviceActivity.deviceActivityLevel`).
    pub activity: Option<Label<Activity>>,
    /// API level of the phone's system (`deviceAttributes.sdkVersion`).
    pub sdk_version: Option<u64>,
    /// Bits that this app's server had Google remember about the phone (`deviceRecall`).
    pub recall: Option<DeviceRecall>,
}

/// Three bits that Google keeps for the app's server and that outlive a factory reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceRecall {
    /// Value of `bitFirst` and month `yyyymmFirst`.
    pub first: RecallBit,
    /// Value of `bitSecond` and month `yyyymmSecond`.
    pub second: RecallBit,
    /// Value of `bitThird` and month `yyyymmThird`.
    pub third: RecallBit,
}

/// One bit of the device recall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecallBit {
    /// Value of the bit; `None` when Google could not read it.
    pub set: Option<bool>,
    /// Month in which the bit was written, in UTC, as `YYYYMM`.
    pub written: Option<u32>,
}

impl Binding {
    /// The hash or nonce, without the padding that a nonce may have.
    // A nonce is base64 that passes through an app, Play's library and Google. Each may add padding, which carries no information.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Nonce(text) => text.trim_end_matches('='),
            Self::RequestHash(text) => text,
        }
    }
}
