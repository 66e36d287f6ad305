//! What Google Play says of a request, an app and a phone, as typed facts. None of them is judged here.
//!
//! See <https://developer.android.com/google/play/integrity/verdicts>.

use std::collections::BTreeSet;

use countersign_core::UnixMillis;

use crate::play::label::{Activity, AppAccess, DeviceIntegrity, Label, Licensing, ProtectRisk, Recognition};

/// A verdict. What Google left out is `None`, and `None` meets no requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What was asked (`requestDetails`).
    pub request: Request,
    /// Which app runs (`appIntegrity`).
    pub app: Option<AppIntegrity>,
    /// On what phone (`deviceIntegrity`).
    pub device: Option<Device>,
    /// Whether the account has the app from Google Play (`accountDetails.appLicensingVerdict`).
    pub licensing: Option<Label<Licensing>>,
    /// What other apps can do (`environmentDetails.appAccessRiskVerdict.appsDetected`); `None` when it was not evaluated.
    pub app_access: Option<BTreeSet<Label<AppAccess>>>,
    /// What Play Protect found (`environmentDetails.playProtectVerdict`).
    pub play_protect: Option<Label<ProtectRisk>>,
    /// Whether all of this was made up for a tester (`testingDetails.isTestingResponse`).
    pub testing: bool,
    /// Fields that we do not know, by path, at most 16 of them: Google says more than is judged here.
    pub unknown: Vec<String>,
}

/// What was asked. The app said it, so none of it is proved but that it was asked like this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The package that asked, which can be made up (`requestPackageName`).
    pub package: String,
    /// What the verdict answers.
    pub binding: Binding,
    /// When it was asked (`timestampMillis`).
    pub at: UnixMillis,
}

/// What a verdict answers. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Binding {
    /// A classic request (`nonce`).
    Nonce(String),
    /// A standard request (`requestHash`).
    RequestHash(String),
}

/// Which app runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppIntegrity {
    /// Whether Google Play knows it (`appRecognitionVerdict`).
    pub recognition: Option<Label<Recognition>>,
    /// Its package (`packageName`).
    pub package: Option<String>,
    /// SHA-256 of the certificates that signed it (`certificateSha256Digest`).
    pub signers: Vec<[u8; 32]>,
    /// Its version code (`versionCode`).
    pub version: Option<u64>,
}

/// The phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// What it fulfils (`deviceRecognitionVerdict`).
    pub labels: BTreeSet<Label<DeviceIntegrity>>,
    /// How much it has asked lately (`recentDeviceActivity.deviceActivityLevel`).
    pub activity: Option<Label<Activity>>,
    /// The API level of its system (`deviceAttributes.sdkVersion`).
    pub sdk_version: Option<u64>,
    /// What we had Google remember of it (`deviceRecall`).
    pub recall: Option<DeviceRecall>,
}

/// Three bits that outlive a factory reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceRecall {
    /// `bitFirst` and `yyyymmFirst`.
    pub first: RecallBit,
    /// `bitSecond` and `yyyymmSecond`.
    pub second: RecallBit,
    /// `bitThird` and `yyyymmThird`.
    pub third: RecallBit,
}

/// One of these bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecallBit {
    /// Whether it is set; `None` when Google could not recall it.
    pub set: Option<bool>,
    /// The month in which it was set, in UTC, as `YYYYMM`.
    pub written: Option<u32>,
}

impl Binding {
    /// The hash or nonce, without the padding that a nonce may have.
    // A nonce is base64 that passes through an app, Play's library and Google; each may pad it, which adds nothing to it.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Nonce(text) => text.trim_end_matches('='),
            Self::RequestHash(text) => text,
        }
    }
}
