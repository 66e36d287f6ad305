//! What an operator asks of an app and its phone, as far as Google Play can say.

use countersign_core::{AppId, Limits, Seconds};

use crate::play::label::{AppAccess, DeviceIntegrity, DeviceLevel, Label, Labels, Licensing, ProtectRisk, Recognition};
use crate::play::refusal::PlayRefusal;
use crate::play::verdict::{AppIntegrity, Verdict};

/// What is required. Every field has to be chosen: there is no default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirements {
    /// Which app may ask and run.
    pub app: AppRule,
    /// What the phone has to fulfil.
    pub device: DeviceRule,
    /// Whether Google Play has to recognise the app.
    pub recognition: RecognitionRule,
    /// Whether the account has to have the app from Google Play.
    pub licensing: LicensingRule,
    /// How long ago the verdict may have been asked for.
    pub age_max: Seconds,
    /// What Play Protect may have found.
    pub play_protect: PlayProtectRule,
    /// What other apps on the phone may be able to do.
    pub app_access: AppAccessRule,
    /// Whether a tester's made-up verdict counts.
    pub testing: TestingRule,
}

/// An app, known by its package, by who signs it and by how old it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// The package.
    pub package: AppId,
    /// SHA-256 of the certificates that may sign it.
    pub signers: Vec<[u8; 32]>,
    /// The least version code; 0 for every version.
    pub version_min: u64,
}

/// Which apps are accepted. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppRule {
    /// Every app.
    Any,
    /// One of these.
    OneOf(Vec<App>),
}

/// What other apps may be able to do. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppAccessRule {
    /// Whatever it is.
    Any,
    /// None of these, and nothing that we do not know; it has to be evaluated, for which an app opts in.
    NoneOf(Vec<AppAccess>),
}

/// What the phone has to fulfil. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceRule {
    /// Nothing.
    Any,
    /// This level or a better one.
    AtLeast(DeviceLevel),
}

/// Whether the account has to have the app from Google Play. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LicensingRule {
    /// It may have it from elsewhere.
    Any,
    /// It has to.
    Licensed,
}

/// What Play Protect may have found. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlayProtectRule {
    /// Whatever it is.
    Any,
    /// This or something better; it has to be evaluated, for which an app opts in.
    AtMost(ProtectRisk),
}

/// Whether Google Play has to recognise the app. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecognitionRule {
    /// It need not.
    Any,
    /// It has to.
    PlayRecognized,
}

/// Whether a tester's made-up verdict counts. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestingRule {
    /// It does: for test environments only, because its labels are what somebody chose in the Play Console.
    Allowed,
    /// It does not.
    Refused,
}

impl Requirements {
    /// A phone that is in order: one that Google certified, running one of these apps as Google Play distributes and licensed it,
    /// asked while our challenge lives.
    ///
    /// Play Protect and other apps' access are left alone: Google says nothing of them unless an app opts in.
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

    /// Nothing beyond a verdict that answers this request: for looking at phones without refusing any.
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

    /// Each rule's answer, in the order in which they are asked.
    ///
    /// The phone comes before the app: of an app on a phone that fulfils nothing, Google says nothing.
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
    /// The app that the rule accepts; without a rule, none.
    ///
    /// The package that asked is only claimed, and has to be the one that Google Play found.
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
    /// Every signer has to be accepted, so that nobody adds a certificate of his own.
    fn signed(&self, running: Option<&AppIntegrity>) -> Result<(), PlayRefusal> {
        let signers = running.map_or(&[][..], |running| running.signers.as_slice());
        if !signers.is_empty() && signers.iter().all(|signer| self.signers.contains(signer)) {
            return Ok(());
        }
        Err(PlayRefusal::AppSignerUnknown { package: self.package.as_str().to_owned(), signers: signers.to_vec() })
    }

    fn new_enough(&self, running: Option<&AppIntegrity>) -> Result<(), PlayRefusal> {
        let version_min = self.version_min;
        match running.and_then(|running| running.version) {
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
        // SECURITY: a label that is newer than we are may be worse than all that we know.
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
