//! The operator's requirements on an app and its phone, as far as Google Play can state them.

use countersign_core::{AppId, Limits, Seconds};

use crate::play::label::{AppAccess, DeviceIntegrity, DeviceLevel, Label, Labels, Licensing, ProtectRisk, Recognition};
use crate::play::refusal::PlayRefusal;
use crate::play::verdict::{AppIntegrity, Verdict};

/// The requirements. Every field has to be chosen: there is no default, so that a forgotten rule is a compile error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirements {
    /// Apps that may ask for a verdict and run.
    pub app: AppRule,
    /// Level that the phone must reach.
    pub device: DeviceRule,
    /// Requirement that Google Play recognises the app.
    pub recognition: RecognitionRule,
    /// Requirement that the account has the app from Google Play.
    pub licensing: LicensingRule,
    /// Greatest accepted age of the verdict.
    pub age_max: Seconds,
    /// Accepted findings of Play Protect.
    pub play_protect: PlayProtectRule,
    /// Accepted access of other apps on the phone.
    pub app_access: AppAccessRule,
    /// Rule for test responses.
    pub testing: TestingRule,
}

/// An app, identified by its package name and its signers, with its oldest accepted version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Name of the package.
    pub package: AppId,
    /// SHA-256 of the certificates that may sign the package.
    pub signers: Vec<[u8; 32]>,
    /// Lowest accepted version code; 0 accepts every version.
    pub version_min: u64,
}

/// Rule for the app. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppRule {
    /// Every app is accepted.
    Any,
    /// One of these apps is accepted.
    OneOf(Vec<App>),
}

/// Rule for the access of other apps. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppAccessRule {
    /// Every access is accepted.
    Any,
    /// None of these labels is accepted, and no unknown label. The check must have been made, for which an app opts in.
    NoneOf(Vec<AppAccess>),
}

/// Rule for the phone's level. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceRule {
    /// Every phone is accepted.
    Any,
    /// The phone must reach this level or a better one.
    AtLeast(DeviceLevel),
}

/// Rule for the origin of the account's app. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LicensingRule {
    /// The account may have the app from elsewhere.
    Any,
    /// The account must have the app from Google Play.
    Licensed,
}

/// Rule for the findings of Play Protect. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlayProtectRule {
    /// Every finding is accepted.
    Any,
    /// This finding or a better one is accepted. The check must have been made, for which an app opts in.
    AtMost(ProtectRisk),
}

/// Rule for Google Play's recognition of the app. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecognitionRule {
    /// The app need not be recognised.
    Any,
    /// The app must be recognised.
    PlayRecognized,
}

/// Rule for test responses. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestingRule {
    /// Test responses are accepted. For test environments only, because somebody chose their labels in the Play Console.
    Allowed,
    /// Test responses are refused.
    Refused,
}

impl Requirements {
    /// Requirements for a phone in good order: certified by Google, and running one of these apps as Google Play distributes and licenses
    /// it, with a verdict not older than our challenges live.
    ///
    /// Play Protect and the access of other apps are not required, because Google states nothing about them unless an app opts in.
    #[must_use]
    pub const fn enforce(apps: Vec<App>) -> Self {
        Self {
            app: AppRule::OneOf(apps),
            device: DeviceRule::AtLeast(DeviceLevel::Device),
            recognition: RecognitionRule::PlayRecognized,
            licensing: LicensingRule::Licensed,
            age_max: Limits::CHALLENGE_LIFE,
            play_protect: PlayProtectRule::Any,
            app_access: AppAccessRule::Any,
            testing: TestingRule::Refused,
        }
    }

    /// Requirements that every verdict for this request meets: for observing phones without refusing any.
    #[must_use]
    pub const fn observe() -> Self {
        Self {
            app: AppRule::Any,
            device: DeviceRule::Any,
            recognition: RecognitionRule::Any,
            licensing: LicensingRule::Any,
            age_max: Seconds(u64::MAX),
            play_protect: PlayProtectRule::Any,
            app_access: AppAccessRule::Any,
            testing: TestingRule::Allowed,
        }
    }

    /// Result of each rule, in the order in which the rules are applied.
    ///
    /// The rules on the phone come before those on the app: for a phone that passes no check, Google states nothing about the app.
    pub(super) fn answers(&self, verdict: &Verdict) -> [Result<(), PlayRefusal>; 9] {
        let app = self.app.accepted(verdict);
        let (accepted, app) = match app {
            Ok(accepted) => (accepted, Ok(())),
            Err(why) => (None, Err(why)),
        };
        let running = verdict.app.as_ref();
        [
            self.testing.met(verdict.testing),
            self.device.met(verdict),
            self.recognition.met(running),
            app,
            accepted.map_or(Ok(()), |app| app.signed(running)),
            accepted.map_or(Ok(()), |app| app.new_enough(running)),
            self.licensing.met(verdict.licensing.as_ref()),
            self.play_protect.met(verdict.play_protect.as_ref()),
            self.app_access.met(verdict),
        ]
    }
}

impl AppRule {
    /// The app that the rule accepts; `None` when every app is accepted.
    ///
    /// The package that asked is only claimed, so it must be the one that Google Play found running.
    fn accepted(&self, verdict: &Verdict) -> Result<Option<&App>, PlayRefusal> {
        let Self::OneOf(apps) = self else { return Ok(None) };
        let claimed = &verdict.request.package;
        let Some(app) = apps.iter().find(|app| app.package.as_str() == claimed) else {
            return Err(PlayRefusal::RequestPackageUnknown { package: claimed.clone() });
        };
        let found = verdict.app.as_ref().and_then(|running| running.package.as_ref());
        if found == Some(claimed) { Ok(Some(app)) } else { Err(PlayRefusal::AppUnknown { package: found.cloned() }) }
    }
}

impl App {
    /// Checks the signers. Every signer must be accepted, so that nobody can add a certificate of his own.
    fn signed(&self, running: Option<&AppIntegrity>) -> Result<(), PlayRefusal> {
        let signers = running.map_or(&[][..], |running| running.signers.as_slice());
        // SECURITY: `all` alone would accept an empty list of signers.
        if !signers.is_empty() && signers.iter().all(|signer| self.signers.contains(signer)) {
            return Ok(());
        }
        Err(PlayRefusal::AppSignerUnknown { package: self.package.as_str().to_owned(), signers: signers.to_vec() })
    }

    fn new_enough(&self, running: Option<&AppIntegrity>) -> Result<(), PlayRefusal> {
        let version_min = self.version_min;
        match running.and_then(|running| running.version) {
            // 0 also accepts an app whose version is not stated.
            _ if version_min == 0 => Ok(()),
            Some(version) if version >= version_min => Ok(()),
            version => Err(PlayRefusal::AppVersionTooOld { version_min, version }),
        }
    }
}

impl AppAccessRule {
    fn met(&self, verdict: &Verdict) -> Result<(), PlayRefusal> {
        let Self::NoneOf(refused) = self else { return Ok(()) };
        let detected = verdict.app_access.as_ref().ok_or(PlayRefusal::AppAccessUnevaluated)?;
        // SECURITY: a label newer than this version may mean something worse than all known ones.
        let bad = |label: &&Label<AppAccess>| label.known().is_none_or(|known| refused.contains(&known));
        let found: Vec<_> = detected.iter().filter(bad).map(ToString::to_string).collect();
        if found.is_empty() { Ok(()) } else { Err(PlayRefusal::AppAccessRisk { found }) }
    }
}

impl DeviceRule {
    fn met(self, verdict: &Verdict) -> Result<(), PlayRefusal> {
        let Self::AtLeast(level_min) = self else { return Ok(()) };
        let labels = verdict.device.iter().flat_map(|device| &device.labels);
        let reached = labels.clone().filter_map(Label::known).filter_map(DeviceIntegrity::level).max();
        // `None` is less than every level, so a phone without a label is refused.
        if reached >= Some(level_min) {
            return Ok(());
        }
        Err(PlayRefusal::DeviceIntegrityMissing { level_min, labels: labels.map(ToString::to_string).collect() })
    }
}

impl LicensingRule {
    fn met(self, licensing: Option<&Label<Licensing>>) -> Result<(), PlayRefusal> {
        match self {
            Self::Any => Ok(()),
            Self::Licensed if known(licensing) == Some(Licensing::Licensed) => Ok(()),
            Self::Licensed => Err(PlayRefusal::Unlicensed { licensing: licensing.cloned() }),
        }
    }
}

impl PlayProtectRule {
    fn met(self, risk: Option<&Label<ProtectRisk>>) -> Result<(), PlayRefusal> {
        match self {
            Self::Any => Ok(()),
            // A finding that is unknown or not stated is refused.
            Self::AtMost(risk_max) if known(risk).is_some_and(|found| found <= risk_max) => Ok(()),
            Self::AtMost(_) => Err(PlayRefusal::PlayProtectRisk { risk: risk.cloned() }),
        }
    }
}

impl RecognitionRule {
    fn met(self, running: Option<&AppIntegrity>) -> Result<(), PlayRefusal> {
        let recognition = running.and_then(|running| running.recognition.as_ref());
        match self {
            Self::Any => Ok(()),
            Self::PlayRecognized if known(recognition) == Some(Recognition::PlayRecognized) => Ok(()),
            Self::PlayRecognized => Err(PlayRefusal::AppUnrecognized { recognition: recognition.cloned() }),
        }
    }
}

impl TestingRule {
    const fn met(self, testing: bool) -> Result<(), PlayRefusal> {
        match self {
            Self::Refused if testing => Err(PlayRefusal::TestingResponse),
            Self::Refused | Self::Allowed => Ok(()),
        }
    }
}

fn known<T: Labels>(label: Option<&Label<T>>) -> Option<T> {
    label.and_then(Label::known)
}
