//! Requirements for a device, in stages, and the judgement of what a posture lacks of them.
//!
//! The same function judges a request, a report of who would be refused, and a what-if, so that these cannot differ. A rule that nothing in
//! the posture answers is not met: an unknown fact is never better than a known one.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use countersign_core::{
    AppAccess, AppFinding, BootKey, BootState, Integrity, Licensing, Limits, PatchLevel, Platform, PlayProtect, Posture, Provenance,
    Reason, Recognition, Seconds, SecurityLevel, SerialDigest, Stage, UnixSeconds, Unmet, Update, UserId, VendorVerdict,
};

use crate::outage::{Forgiven, Outage};

/// Hundredth of the people that a person belongs to, from 0 to 99: the same at every node and on every day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bucket(u8);

impl Bucket {
    /// Computes the share of a person. Identifiers are random, so that all shares are about equally large.
    #[must_use]
    pub fn of(user: &UserId) -> Self {
        // FNV-1a, 64 bits: spreads what is random already, and needs no key because it protects nothing.
        let hash =
            user.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self(u8::try_from((hash >> 32) % 100).unwrap_or(0))
    }
}

/// Progress of a requirement among the people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// Stage for the people whom the rollout has reached.
    pub stage: Stage,
    /// Number of people in a hundred whom the rollout has reached, from 0 to 100.
    pub percent: u8,
    /// Stage for all other people.
    pub otherwise: Stage,
}

impl Rollout {
    /// Makes a rollout with one stage for everybody.
    #[must_use]
    pub const fn all(stage: Stage) -> Self {
        Self { stage, percent: 100, otherwise: stage }
    }

    /// Stage for one person. Before the person is known (`None`), the milder of the two stages holds, unless the rollout has reached
    /// everybody.
    #[must_use]
    pub fn stage_for(self, bucket: Option<Bucket>) -> Stage {
        match bucket {
            // Shares below the percentage are reached, so that a person who was reached stays so when it grows.
            Some(Bucket(bucket)) if bucket < self.percent => self.stage,
            Some(_) => self.otherwise,
            None if self.percent >= 100 => self.stage,
            None => self.stage.min(self.otherwise),
        }
    }
}

/// Effect of a requirement when the vendor gave no verdict at all, as for a phone without the vendor's services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenAbsent {
    /// The requirement is passed over; other evidence has to suffice.
    Pass,
    /// The requirement is not met.
    Unmet,
}

/// Bound on the age of security patches. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchRule {
    /// Patches are at most so old, counted from the first day of their month.
    AgeMax(Seconds),
    /// Patches are of this month, or newer.
    NotBefore(PatchLevel),
}

/// Oldest version of an app that is supported, and the place to get a newer one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppRelease {
    /// Oldest supported version as a number, in the form of [`Posture::app_version`].
    pub min: u64,
    /// The same version as people write it.
    pub min_text: String,
    /// Instant until which older versions are only observed; `None` for no grace.
    pub grace_until: Option<UnixSeconds>,
    /// Address of the app in its store; `None` when the operator gave none.
    pub store: Option<String>,
}

/// Rule about one fact of a phone. The variants say what the phone must be. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The vendor's verdict names none of these kinds of access that other apps have on the phone.
    AppAccess(BTreeSet<AppAccess>, WhenAbsent),
    /// The app's version is the oldest supported one of the platform, or newer; a platform without an entry passes.
    AppVersion(BTreeMap<Platform, AppRelease>),
    /// The system was verified at boot with the maker's key, or in another accepted way.
    Boot {
        /// Boot states that are accepted whatever the key is.
        states: Vec<BootState>,
        /// Keys that are accepted for a system in the state [`BootState::SelfSigned`].
        keys: BTreeSet<BootKey>,
    },
    /// The bootloader is locked.
    BootloaderLocked,
    /// The evidence is at most so old.
    EvidenceAge(Seconds),
    /// The vendor's verdict on the device has this level of integrity, or a higher one.
    Integrity(Integrity, WhenAbsent),
    /// The person got the app from the store, as the vendor's verdict says.
    Licensed(WhenAbsent),
    /// No development token vouches for the phone.
    NoDevelopment,
    /// None of the certificates that vouch for the phone's key was revoked.
    NotRevoked,
    /// The system's version is this minimum of the platform, or newer; a platform without an entry passes.
    OsVersion(BTreeMap<Platform, u64>),
    /// The security patches are as new as the bound asks.
    PatchLevel(PatchRule),
    /// Play Protect found nothing worse than this on the phone.
    PlayProtect(PlayProtect, WhenAbsent),
    /// The app is the one that the store distributes, as the vendor's verdict says.
    Recognized(WhenAbsent),
    /// Apple counted at most so many keys that the phone had attested for the app ([`countersign_core::RiskMetric`]).
    RiskMetric(u32, WhenAbsent),
    /// The phone's key is kept at this level of protection, or a higher one.
    SecurityLevel(SecurityLevel),
    /// The list of revoked certificates is at most so old: the limit of its age and the grace for an outage of its vendor, added.
    StatusListAge(Seconds),
    /// The vendor's verdict is at most so old. The only rule that an [`Outage`] can forgive.
    VerdictAge(Seconds, WhenAbsent),
    /// The app's reports have no finding of this kind. A phone without reports passes.
    Without(AppFinding),
}

/// Rule and the progress of its rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Rule that a phone has to meet.
    pub rule: Rule,
    /// Stages for people whose phones do not meet the rule.
    pub rollout: Rollout,
}

/// Facts from outside of a posture that its judgement needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revocations {
    /// Digests of the serial numbers on the vendors' revocation lists.
    pub revoked: HashSet<SerialDigest>,
    /// Instant at which the list was fetched; `None` when no list is held.
    pub fetched_at: Option<UnixSeconds>,
    /// Outage of the vendor of verdicts; `None` while that vendor answers.
    pub outage: Option<Outage>,
}

/// All requirements of one app for its devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirements(pub Vec<Requirement>);

impl Requirements {
    /// Lists the requirements that the posture does not meet, in their order, with their stages for a person of this share. A requirement
    /// in its grace period, or forgiven by an outage, has a milder stage.
    #[must_use]
    pub fn unmet(&self, posture: &Posture, revocations: &Revocations, bucket: Option<Bucket>, now: UnixSeconds) -> Vec<Unmet> {
        self.judge(posture, revocations, |rollout| rollout.stage_for(bucket), now)
    }

    /// Lists the requirements that the posture would not meet if every one were enforced for everybody; grace periods and outages still
    /// count.
    #[must_use]
    pub(crate) fn unmet_enforced(&self, posture: &Posture, revocations: &Revocations, now: UnixSeconds) -> Vec<Unmet> {
        self.judge(posture, revocations, |_| Stage::Enforce, now)
    }

    fn judge(&self, posture: &Posture, revocations: &Revocations, stage: impl Fn(Rollout) -> Stage, now: UnixSeconds) -> Vec<Unmet> {
        let one = |Requirement { rule, rollout }: &Requirement| {
            // A rule that has no meaning for the device is dropped here, before any stage is asked for.
            let reason = rule.broken(posture, revocations, now).filter(|_| !rule.passes_over(posture))?;
            let release = rule.release(posture.platform);
            let in_grace = release.and_then(|release| release.grace_until).is_some_and(|until| now < until);
            let stage = match rule.forgiven(posture, revocations, now) {
                // Grace for an update comes before everything else: the person could not have done more yet.
                _ if in_grace => Stage::Observe,
                Forgiven::Everything => Stage::Observe,
                Forgiven::Nothing => stage(*rollout),
                // INVARIANT: forgiveness only lowers a stage; `min` keeps an observed requirement observed.
                Forgiven::Refusal => stage(*rollout).min(Stage::Limit),
            };
            let update = release.map(|release| Update { min_version: release.min_text.clone(), store: release.store.clone() });
            Some(Unmet { reason, stage, update })
        };
        self.0.iter().filter_map(one).collect()
    }
}

/// Most severe stage of a list of lacks; `None` for an empty list.
#[must_use]
pub fn worst(unmet: &[Unmet]) -> Option<Stage> {
    unmet.iter().map(|unmet| unmet.stage).max()
}

impl Rule {
    /// Compares two rules by the fact that they ask about, whatever their bounds.
    #[must_use]
    pub fn same_kind(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Without(a), Self::Without(b)) => a == b,
            (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
        }
    }

    /// Release of the app that a rule on versions asks for; `None` for every other rule.
    fn release(&self, platform: Platform) -> Option<&AppRelease> {
        if let Self::AppVersion(releases) = self { releases.get(&platform) } else { None }
    }

    /// Tells whether the rule has no meaning for this kind of device. A development token vouches for no phone, so that rules about phones
    /// pass such a device over and [`Rule::NoDevelopment`] alone decides.
    fn passes_over(&self, posture: &Posture) -> bool {
        let development = posture.by == Provenance::DevelopmentToken;
        match self {
            Self::NoDevelopment | Self::Without(_) => false,
            Self::AppAccess(..)
            | Self::Boot { .. }
            | Self::BootloaderLocked
            | Self::Integrity(..)
            | Self::Licensed(_)
            | Self::PatchLevel(_)
            | Self::PlayProtect(..)
            | Self::Recognized(_)
            | Self::StatusListAge(_)
            | Self::VerdictAge(..) => development || posture.platform == Platform::Ios,
            Self::RiskMetric(..) => development || posture.platform == Platform::Android,
            Self::AppVersion(_) | Self::EvidenceAge(_) | Self::NotRevoked | Self::OsVersion(_) | Self::SecurityLevel(_) => development,
        }
    }

    /// Decides what an outage of the vendor forgives: only a verdict that nobody could renew. A verdict that is missing, or bad, is never
    /// forgiven.
    fn forgiven(&self, posture: &Posture, world: &Revocations, now: UnixSeconds) -> Forgiven {
        match (self, &posture.verdict, &world.outage) {
            (Self::VerdictAge(age_max, _), Some(verdict), Some(outage)) => outage.forgives(verdict.at, *age_max, now),
            _ => Forgiven::Nothing,
        }
    }

    fn broken(&self, posture: &Posture, revocations: &Revocations, now: UnixSeconds) -> Option<Reason> {
        match self {
            Self::AppAccess(refused, absent) => {
                of_vendor(posture, *absent, |verdict| (!verdict.app_access.is_disjoint(refused)).then_some(Reason::AppAccessRisk))
            }
            Self::AppVersion(releases) => {
                // No entry for the platform: the operator asks nothing there.
                let release = releases.get(&posture.platform)?;
                posture.app_version_known().is_none_or(|version| version.value < release.min).then_some(Reason::AppVersionTooOld)
            }
            Self::Boot { states, keys } => boot(posture, states, keys),
            Self::BootloaderLocked => match posture.bootloader_locked {
                Some(true) => None,
                Some(false) => Some(Reason::BootloaderUnlocked),
                None => Some(Reason::RootOfTrustMissing),
            },
            Self::EvidenceAge(age_max) => (posture.evidence_age(now) > *age_max).then_some(Reason::EvidenceStale),
            Self::Integrity(min, absent) => {
                of_vendor(posture, *absent, |verdict| (verdict.integrity < *min).then_some(Reason::PlayDeviceIntegrityMissing))
            }
            Self::Licensed(absent) => {
                of_vendor(posture, *absent, |verdict| (verdict.licensing != Some(Licensing::Licensed)).then_some(Reason::PlayUnlicensed))
            }
            Self::NoDevelopment => (posture.by == Provenance::DevelopmentToken).then_some(Reason::DevelopmentDevice),
            Self::NotRevoked => {
                posture.certificates.iter().any(|serial| revocations.revoked.contains(serial)).then_some(Reason::CertificateRevoked)
            }
            Self::OsVersion(minimums) => {
                let min = *minimums.get(&posture.platform)?;
                posture.os_version_known().is_none_or(|version| version.value < min).then_some(Reason::OsVersionTooOld)
            }
            Self::PatchLevel(rule) => patched(posture, *rule, now),
            Self::PlayProtect(worst, absent) => of_vendor(posture, *absent, |verdict| {
                verdict.play_protect.is_none_or(|found| found > *worst).then_some(Reason::PlayProtectRisk)
            }),
            Self::Recognized(absent) => of_vendor(posture, *absent, |verdict| {
                (verdict.recognition != Some(Recognition::Recognized)).then_some(Reason::PlayAppUnrecognized)
            }),
            Self::RiskMetric(max, absent) => match (posture.risk_metric, absent) {
                (Some(metric), _) => (metric.count > *max).then_some(Reason::RiskMetricHigh),
                (None, WhenAbsent::Pass) => None,
                (None, WhenAbsent::Unmet) => Some(Reason::RiskMetricMissing),
            },
            Self::SecurityLevel(min) => (posture.security_level < *min).then_some(Reason::KeyNotHardware),
            Self::StatusListAge(age_max) => match revocations.fetched_at {
                // Without a list no certificate can be known to be sound.
                None => Some(Reason::StatusListMissing),
                Some(at) => (now.age_of(at, Limits::LIST_AHEAD_MAX) > *age_max).then_some(Reason::StatusListStale),
            },
            Self::VerdictAge(age_max, absent) => of_vendor(posture, *absent, |verdict| {
                (now.age_of(verdict.at, Limits::CLOCK_AHEAD_MAX) > *age_max).then_some(Reason::EvidenceStale)
            }),
            Self::Without(finding) => {
                posture.report.as_ref().is_some_and(|report| report.findings.contains(finding)).then(|| found(*finding))
            }
        }
    }
}

fn of_vendor(posture: &Posture, absent: WhenAbsent, judge: impl FnOnce(&VendorVerdict) -> Option<Reason>) -> Option<Reason> {
    match (&posture.verdict, absent) {
        (Some(verdict), _) => judge(verdict),
        (None, WhenAbsent::Pass) => None,
        (None, WhenAbsent::Unmet) => Some(Reason::PlayVerdictMissing),
    }
}

fn boot(posture: &Posture, states: &[BootState], keys: &BTreeSet<BootKey>) -> Option<Reason> {
    let Some(state) = posture.boot_state else { return Some(Reason::RootOfTrustMissing) };
    // SECURITY: the key counts only in the state that says an owner's key was used; in other states a key of the list means nothing.
    let own_key = state == BootState::SelfSigned && posture.boot_key.as_ref().is_some_and(|key| keys.contains(key));
    (!own_key && !states.contains(&state)).then_some(Reason::BootNotVerified)
}

fn patched(posture: &Posture, rule: PatchRule, now: UnixSeconds) -> Option<Reason> {
    // An unknown patch level counts as too old, and so does one that nobody can have yet.
    let new_enough = posture.patch_level.and_then(|level| level.believed(now)).is_some_and(|level| match rule {
        PatchRule::AgeMax(age_max) => level.age(now) <= age_max,
        PatchRule::NotBefore(min) => level >= min,
    });
    (!new_enough).then_some(Reason::PatchLevelTooOld)
}

const fn found(finding: AppFinding) -> Reason {
    match finding {
        AppFinding::AccessibilityAbuse => Reason::AccessibilityAbuse,
        AppFinding::Debugger => Reason::DebuggerAttached,
        AppFinding::Emulator => Reason::Emulator,
        AppFinding::Hooked => Reason::Hooked,
        AppFinding::Rooted => Reason::Rooted,
        AppFinding::ScreenLockMissing => Reason::ScreenLockMissing,
        AppFinding::SideloadedApps => Reason::SideloadedApps,
        AppFinding::Tampered => Reason::AppTampered,
        AppFinding::Vpn => Reason::Vpn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::{AppReport, DeviceId, EvidenceTier, RiskMetric, Thumbprint};

    const DAY: u64 = 86_400;
    /// First of November 2026 at midnight in UTC, the day of all judgements here.
    const NOW: UnixSeconds = UnixSeconds(1_793_491_200);

    fn android() -> Posture {
        Posture {
            device: DeviceId::from_random([1; 16]),
            key: Thumbprint::from_bytes([2; 32]),
            platform: Platform::Android,
            tier: EvidenceTier::Hardware,
            by: Provenance::AndroidKeyAttestation,
            established_at: NOW,
            security_level: SecurityLevel::TrustedEnvironment,
            bootloader_locked: Some(true),
            boot_state: Some(BootState::Verified),
            boot_key: BootKey::new(vec![7; 32]),
            os_version: Some(140_000),
            patch_level: PatchLevel::from_number(202_609),
            app: None,
            app_version: Some(310),
            certificates: vec![SerialDigest([1; 16])],
            verdict: Some(verdict()),
            report: Some(AppReport { at: NOW, findings: BTreeSet::new(), os_version: None, app_version: None, installer: None }),
            risk_metric: None,
        }
    }

    fn iphone() -> Posture {
        let report =
            AppReport { at: NOW, findings: BTreeSet::new(), os_version: Some(170_501), app_version: Some(3_001_000), installer: None };
        Posture {
            platform: Platform::Ios,
            by: Provenance::AppAttest,
            bootloader_locked: None,
            boot_state: None,
            boot_key: None,
            os_version: None,
            patch_level: None,
            app_version: None,
            verdict: None,
            report: Some(report),
            risk_metric: Some(RiskMetric { count: 2, at: NOW }),
            ..android()
        }
    }

    fn emulator() -> Posture {
        Posture {
            tier: EvidenceTier::SelfReported,
            by: Provenance::DevelopmentToken,
            security_level: SecurityLevel::Software,
            boot_state: None,
            bootloader_locked: None,
            patch_level: None,
            app_version: None,
            verdict: None,
            ..android()
        }
    }

    fn verdict() -> VendorVerdict {
        VendorVerdict {
            at: NOW,
            integrity: Integrity::Device,
            recognition: Some(Recognition::Recognized),
            licensing: Some(Licensing::Licensed),
            play_protect: Some(PlayProtect::NoIssues),
            app_access: BTreeSet::from([AppAccess::KnownInstalled]),
            recent_activity: Some(1),
            sdk_version: Some(34),
            recall: None,
            testing: false,
        }
    }

    fn revocations() -> Revocations {
        Revocations { revoked: HashSet::from([SerialDigest([9; 16])]), fetched_at: Some(NOW), outage: None }
    }

    fn release(min: u64) -> Rule {
        let release = AppRelease { min, min_text: "3.1.0".to_owned(), grace_until: None, store: Some("https://store".to_owned()) };
        Rule::AppVersion(BTreeMap::from([(Platform::Android, release.clone()), (Platform::Ios, release)]))
    }

    fn reason(rule: Rule, posture: &Posture, now: UnixSeconds) -> Option<Reason> {
        let all = Requirements(vec![Requirement { rule, rollout: Rollout::all(Stage::Enforce) }]);
        all.unmet(posture, &revocations(), None, now).into_iter().next().map(|unmet| unmet.reason)
    }

    fn unlisted(change: impl FnOnce(&mut VendorVerdict)) -> Posture {
        let mut verdict = verdict();
        change(&mut verdict);
        Posture { verdict: Some(verdict), ..android() }
    }

    #[test]
    fn each_rule_has_its_boundary() {
        use WhenAbsent::{Pass, Unmet};
        let verified = || Rule::Boot { states: vec![BootState::Verified], keys: BTreeSet::new() };
        let known_key = || Rule::Boot { states: vec![BootState::Verified], keys: BootKey::new(vec![7; 32]).into_iter().collect() };
        let own = |key: u8| Posture { boot_state: Some(BootState::SelfSigned), boot_key: BootKey::new(vec![key; 32]), ..android() };
        let no_vendor = || Posture { verdict: None, ..android() };
        let patch = |number| PatchLevel::from_number(number).map(PatchRule::NotBefore).map(Rule::PatchLevel).expect("a month");
        let no_capture = |absent| Rule::AppAccess(BTreeSet::from([AppAccess::UnknownCapturing]), absent);
        let with = |finding| {
            android().with_report(AppReport {
                at: NOW,
                findings: BTreeSet::from([finding]),
                os_version: None,
                app_version: None,
                installer: None,
            })
        };
        let rows: Vec<(&str, Rule, Posture, Option<Reason>)> = vec![
            ("access: none", no_capture(Unmet), android(), None),
            (
                "access: recorded",
                no_capture(Unmet),
                unlisted(|v| v.app_access = BTreeSet::from([AppAccess::UnknownCapturing])),
                Some(Reason::AppAccessRisk),
            ),
            ("app: just new enough", release(310), android(), None),
            ("app: one too old", release(311), android(), Some(Reason::AppVersionTooOld)),
            ("app: unknown", release(1), Posture { app_version: None, ..android() }, Some(Reason::AppVersionTooOld)),
            ("app: an iPhone says so itself", release(3_001_000), iphone(), None),
            ("boot: verified", verified(), android(), None),
            ("boot: with a known key", known_key(), own(7), None),
            ("boot: with another key", known_key(), own(8), Some(Reason::BootNotVerified)),
            (
                "boot: failed, with a known key",
                known_key(),
                Posture { boot_state: Some(BootState::Failed), ..own(7) },
                Some(Reason::BootNotVerified),
            ),
            ("boot: unknown", verified(), Posture { boot_state: None, ..android() }, Some(Reason::RootOfTrustMissing)),
            ("boot: iPhones do not say", verified(), iphone(), None),
            ("bootloader: locked", Rule::BootloaderLocked, android(), None),
            (
                "bootloader: open",
                Rule::BootloaderLocked,
                Posture { bootloader_locked: Some(false), ..android() },
                Some(Reason::BootloaderUnlocked),
            ),
            (
                "bootloader: unknown",
                Rule::BootloaderLocked,
                Posture { bootloader_locked: None, ..android() },
                Some(Reason::RootOfTrustMissing),
            ),
            ("evidence: as old as it may be", Rule::EvidenceAge(Seconds(DAY)), android(), None),
            ("integrity: as asked", Rule::Integrity(Integrity::Device, Unmet), android(), None),
            ("integrity: less", Rule::Integrity(Integrity::Strong, Unmet), android(), Some(Reason::PlayDeviceIntegrityMissing)),
            ("integrity: no verdict", Rule::Integrity(Integrity::Device, Unmet), no_vendor(), Some(Reason::PlayVerdictMissing)),
            ("integrity: no verdict, and other evidence will do", Rule::Integrity(Integrity::Device, Pass), no_vendor(), None),
            ("integrity: iPhones have none", Rule::Integrity(Integrity::Device, Unmet), iphone(), None),
            ("licence: bought", Rule::Licensed(Unmet), android(), None),
            (
                "licence: not evaluated",
                Rule::Licensed(Unmet),
                unlisted(|v| v.licensing = Some(Licensing::Unevaluated)),
                Some(Reason::PlayUnlicensed),
            ),
            ("development: a phone", Rule::NoDevelopment, android(), None),
            ("development: a token", Rule::NoDevelopment, emulator(), Some(Reason::DevelopmentDevice)),
            ("development: other rules pass it over", verified(), emulator(), None),
            ("revocation: none", Rule::NotRevoked, android(), None),
            (
                "revocation: one of two",
                Rule::NotRevoked,
                Posture { certificates: vec![SerialDigest([1; 16]), SerialDigest([9; 16])], ..android() },
                Some(Reason::CertificateRevoked),
            ),
            ("os: as asked", Rule::OsVersion(BTreeMap::from([(Platform::Android, 140_000)])), android(), None),
            ("os: older", Rule::OsVersion(BTreeMap::from([(Platform::Android, 140_001)])), android(), Some(Reason::OsVersionTooOld)),
            ("os: only the other platform has a minimum", Rule::OsVersion(BTreeMap::from([(Platform::Ios, 180_000)])), android(), None),
            (
                "os: an iPhone says so itself",
                Rule::OsVersion(BTreeMap::from([(Platform::Ios, 180_000)])),
                iphone(),
                Some(Reason::OsVersionTooOld),
            ),
            ("patch: of that month", patch(202_609), android(), None),
            ("patch: a month older", patch(202_610), android(), Some(Reason::PatchLevelTooOld)),
            ("patch: 61 days", Rule::PatchLevel(PatchRule::AgeMax(Seconds(61 * DAY))), android(), None),
            ("patch: 60 days", Rule::PatchLevel(PatchRule::AgeMax(Seconds(60 * DAY))), android(), Some(Reason::PatchLevelTooOld)),
            ("patch: next month's", patch(202_612), Posture { patch_level: PatchLevel::from_number(202_612), ..android() }, None),
            (
                "patch: of the future",
                patch(202_609),
                Posture { patch_level: PatchLevel::from_number(202_701), ..android() },
                Some(Reason::PatchLevelTooOld),
            ),
            (
                "patch: of the future, by age",
                Rule::PatchLevel(PatchRule::AgeMax(Seconds(60 * DAY))),
                Posture { patch_level: PatchLevel::from_number(209_912), ..android() },
                Some(Reason::PatchLevelTooOld),
            ),
            ("patch: unknown", patch(200_001), Posture { patch_level: None, ..android() }, Some(Reason::PatchLevelTooOld)),
            ("protect: nothing found", Rule::PlayProtect(PlayProtect::NoData, Unmet), android(), None),
            (
                "protect: off",
                Rule::PlayProtect(PlayProtect::NoData, Unmet),
                unlisted(|v| v.play_protect = Some(PlayProtect::PossibleRisk)),
                Some(Reason::PlayProtectRisk),
            ),
            (
                "protect: silent",
                Rule::PlayProtect(PlayProtect::HighRisk, Unmet),
                unlisted(|v| v.play_protect = None),
                Some(Reason::PlayProtectRisk),
            ),
            ("recognised", Rule::Recognized(Unmet), android(), None),
            (
                "repackaged",
                Rule::Recognized(Unmet),
                unlisted(|v| v.recognition = Some(Recognition::Unrecognized)),
                Some(Reason::PlayAppUnrecognized),
            ),
            ("metric: as many as may be", Rule::RiskMetric(2, Unmet), iphone(), None),
            ("metric: one more", Rule::RiskMetric(1, Unmet), iphone(), Some(Reason::RiskMetricHigh)),
            (
                "metric: not counted, and has to be",
                Rule::RiskMetric(9, Unmet),
                Posture { risk_metric: None, ..iphone() },
                Some(Reason::RiskMetricMissing),
            ),
            ("metric: not counted", Rule::RiskMetric(0, Pass), Posture { risk_metric: None, ..iphone() }, None),
            ("key: as asked", Rule::SecurityLevel(SecurityLevel::TrustedEnvironment), android(), None),
            ("key: less", Rule::SecurityLevel(SecurityLevel::StrongBox), android(), Some(Reason::KeyNotHardware)),
            ("list: fresh", Rule::StatusListAge(Seconds(0)), android(), None),
            ("verdict: fresh", Rule::VerdictAge(Seconds(0), Unmet), android(), None),
            ("report: nothing found", Rule::Without(AppFinding::Rooted), android(), None),
            ("report: something else found", Rule::Without(AppFinding::Rooted), with(AppFinding::Vpn), None),
            (
                "report: accessibility",
                Rule::Without(AppFinding::AccessibilityAbuse),
                with(AppFinding::AccessibilityAbuse),
                Some(Reason::AccessibilityAbuse),
            ),
            ("report: debugger", Rule::Without(AppFinding::Debugger), with(AppFinding::Debugger), Some(Reason::DebuggerAttached)),
            ("report: emulator", Rule::Without(AppFinding::Emulator), with(AppFinding::Emulator), Some(Reason::Emulator)),
            ("report: hooked", Rule::Without(AppFinding::Hooked), with(AppFinding::Hooked), Some(Reason::Hooked)),
            ("report: rooted", Rule::Without(AppFinding::Rooted), with(AppFinding::Rooted), Some(Reason::Rooted)),
            (
                "report: no lock",
                Rule::Without(AppFinding::ScreenLockMissing),
                with(AppFinding::ScreenLockMissing),
                Some(Reason::ScreenLockMissing),
            ),
            (
                "report: sideloaded",
                Rule::Without(AppFinding::SideloadedApps),
                with(AppFinding::SideloadedApps),
                Some(Reason::SideloadedApps),
            ),
            ("report: tampered", Rule::Without(AppFinding::Tampered), with(AppFinding::Tampered), Some(Reason::AppTampered)),
            ("report: vpn", Rule::Without(AppFinding::Vpn), with(AppFinding::Vpn), Some(Reason::Vpn)),
        ];
        for (name, rule, posture, expected) in rows {
            assert_eq!(reason(rule, &posture, NOW), expected, "{name}");
        }
        let later = UnixSeconds(NOW.0 + DAY + 1);
        let stale = [
            (Rule::EvidenceAge(Seconds(DAY)), Reason::EvidenceStale),
            (Rule::VerdictAge(Seconds(DAY), Unmet), Reason::EvidenceStale),
            (Rule::StatusListAge(Seconds(DAY)), Reason::StatusListStale),
        ];
        for (rule, expected) in stale {
            assert_eq!(reason(rule.clone(), &android(), UnixSeconds(later.0 - 1)), None, "{rule:?} on the last second");
            assert_eq!(reason(rule.clone(), &android(), later), Some(expected), "{rule:?} a second later");
        }
    }

    #[test]
    fn an_outage_forgives_what_it_made_old() {
        use crate::outage::{AfterGrace, OutageRule};
        let down = |since: u64, then| Revocations {
            outage: Some(Outage { since: UnixSeconds(since), rule: OutageRule { grace: Seconds(6 * 3600), then } }),
            ..revocations()
        };
        let none = Posture { verdict: None, ..android() };
        let (age, integrity) = (Rule::VerdictAge(Seconds(DAY), WhenAbsent::Unmet), Rule::Integrity(Integrity::Strong, WhenAbsent::Unmet));
        let (at, grace) = (NOW.0 + DAY, 6 * 3600);
        let rows: &[(&str, &Rule, &Posture, Revocations, u64, Option<Stage>)] = &[
            ("no outage", &age, &android(), revocations(), at + 1, Some(Stage::Enforce)),
            ("in the grace", &age, &android(), down(at, AfterGrace::Limit), at + grace, Some(Stage::Observe)),
            ("after it, limited", &age, &android(), down(at, AfterGrace::Limit), at + grace + 1, Some(Stage::Limit)),
            ("after it, refused", &age, &android(), down(at, AfterGrace::Refuse), at + grace + 1, Some(Stage::Enforce)),
            ("too old before it began", &age, &android(), down(at + 1, AfterGrace::Limit), at + 1, Some(Stage::Enforce)),
            ("no verdict at all", &age, &none, down(at, AfterGrace::Limit), at + 1, Some(Stage::Enforce)),
            ("another rule", &integrity, &none, down(at, AfterGrace::Limit), at + 1, Some(Stage::Enforce)),
        ];
        for (name, rule, posture, world, now, expected) in rows {
            let all = Requirements(vec![Requirement { rule: (*rule).clone(), rollout: Rollout::all(Stage::Enforce) }]);
            assert_eq!(worst(&all.unmet(posture, world, None, UnixSeconds(*now))), *expected, "{name}");
        }
    }

    #[test]
    fn without_a_list_nothing_is_fresh() {
        let all = Requirements(vec![Requirement { rule: Rule::StatusListAge(Seconds(u64::MAX)), rollout: Rollout::all(Stage::Limit) }]);
        let unmet = all.unmet(&android(), &Revocations::default(), None, NOW);
        assert_eq!(unmet, vec![Unmet { reason: Reason::StatusListMissing, stage: Stage::Limit, update: None }]);
    }

    #[test]
    fn an_old_app_is_counted_until_its_grace_ends() {
        let until = UnixSeconds(NOW.0 + 1);
        let Rule::AppVersion(mut releases) = release(311) else { return };
        releases.values_mut().for_each(|release| release.grace_until = Some(until));
        let all = Requirements(vec![Requirement { rule: Rule::AppVersion(releases), rollout: Rollout::all(Stage::Enforce) }]);
        let update = Some(Update { min_version: "3.1.0".to_owned(), store: Some("https://store".to_owned()) });
        for (now, stage) in [(NOW, Stage::Observe), (until, Stage::Enforce)] {
            let unmet = all.unmet(&android(), &revocations(), None, now);
            assert_eq!(unmet, vec![Unmet { reason: Reason::AppVersionTooOld, stage, update: update.clone() }]);
        }
    }

    #[test]
    fn a_rollout_reaches_its_share() {
        let rollout = Rollout { stage: Stage::Enforce, percent: 10, otherwise: Stage::Limit };
        let rows =
            [(Some(Bucket(9)), Stage::Enforce), (Some(Bucket(10)), Stage::Limit), (Some(Bucket(99)), Stage::Limit), (None, Stage::Limit)];
        for (bucket, stage) in rows {
            assert_eq!(rollout.stage_for(bucket), stage, "{bucket:?}");
        }
        assert_eq!(Rollout::all(Stage::Enforce).stage_for(None), Stage::Enforce);
    }

    #[test]
    fn shares_are_even() {
        let mut counts = [0_u32; 100];
        for n in 0..20_000_u32 {
            let mut random = [0; 16];
            random[..4].copy_from_slice(&n.wrapping_mul(2_654_435_761).to_be_bytes());
            let Bucket(bucket) = Bucket::of(&UserId::from_random(random));
            counts[usize::from(bucket)] += 1;
        }
        assert!(counts.iter().all(|count| (140..=260).contains(count)), "{counts:?}");
    }
}
