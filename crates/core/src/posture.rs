//! The posture of a device: its health as last established from evidence, with the age of the evidence.

use std::fmt;

use crate::{
    app_report::AppReport,
    id::{AppId, DeviceId, Thumbprint},
    limit::Limits,
    time::{Seconds, UnixSeconds},
    vendor_verdict::VendorVerdict,
};

/// Operating system family. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Platform {
    /// Android and systems derived from it.
    Android,
    /// Apple's iOS and iPadOS.
    Ios,
}

/// Strength of the evidence about a device. Ordered from the weakest to the strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EvidenceTier {
    /// No evidence at all.
    None,
    /// The app itself, or a development token.
    SelfReported,
    /// A verdict of the platform's vendor (Play Integrity).
    Platform,
    /// The phone's hardware, by a certificate chain to a trust anchor.
    Hardware,
}

/// Place where a key is kept. Ordered by strength; the names are those of Android's `KeyDescription.SecurityLevel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecurityLevel {
    /// The memory of the operating system.
    Software,
    /// A Trusted Execution Environment, or Apple's Secure Enclave.
    TrustedEnvironment,
    /// A separate tamper-resistant chip.
    StrongBox,
}

/// Result of the bootloader's verification (Android Verified Boot).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BootState {
    /// The verification of the system failed.
    Failed,
    /// The system was verified with a key that the owner installed.
    SelfSigned,
    /// The system was not verified, because the bootloader is unlocked.
    Unverified,
    /// The system was verified with the maker's key.
    Verified,
}

/// Source of a fact about a device. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provenance {
    /// Android Key Attestation: the phone's hardware, by a certificate chain to a trust anchor.
    AndroidKeyAttestation,
    /// Apple App Attest: the Secure Enclave and Apple's service, by a certificate chain to Apple's root.
    AppAttest,
    /// The app itself. Such a fact can lower trust and never raise it (law 2 of the design).
    AppReport,
    /// A development token, which anybody may hold. Nothing about the phone is known.
    DevelopmentToken,
    /// Google Play Integrity, a verdict of the vendor.
    PlayIntegrity,
}

impl Provenance {
    /// Stable word of the source in listings, log and policy.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AndroidKeyAttestation => "android_key_attestation",
            Self::AppAttest => "app_attest",
            Self::AppReport => "app_report",
            Self::DevelopmentToken => "development_token",
            Self::PlayIntegrity => "play_integrity",
        }
    }
}

/// A value with its source and age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value, as its source states it.
    pub value: T,
    /// Source of the value.
    pub source: Provenance,
    /// Time at which the value was established.
    pub at: UnixSeconds,
}

/// The key that verified a system, as the bootloader gives it: on most phones the SHA-256 of the key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootKey(Vec<u8>);

impl BootKey {
    /// Takes 1 to 64 bytes; `None` for fewer or more.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        (1..=64).contains(&bytes.len()).then_some(Self(bytes))
    }

    /// The bytes as the bootloader gave them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for BootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BootKey({self})")
    }
}

/// First half of the SHA-256 of a certificate's serial number. It is enough to find the certificate on a revocation list, and it is not an
/// identifier that anybody else uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SerialDigest(pub [u8; 16]);

/// Apple's fraud metric for one installation of an app, counted over thirty days.
///
/// See <https://developer.apple.com/documentation/devicecheck/assessing-fraud-risk>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RiskMetric {
    /// Number of keys that this phone had attested for this app.
    pub count: u32,
    /// Time of Apple's statement.
    pub at: UnixSeconds,
}

/// A monthly security patch level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PatchLevel {
    year: u16,
    month: u8,
}

impl PatchLevel {
    /// Parses `YYYYMM` or `YYYYMMDD`, as Android's attestation writes patch levels. `None` when the number is not a date.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        let (year, month) = match number {
            // Six digits are a month, eight a day, of which only the month is kept.
            190_001..=999_912 => (number / 100, number % 100),
            19_000_100..=99_991_231 => (number / 10_000, number / 100 % 100),
            _ => return None,
        };
        let (year, month) = (u16::try_from(year).ok()?, u8::try_from(month).ok()?);
        (1..=12).contains(&month).then_some(Self { year, month })
    }

    /// The patch level as the number `YYYYMM`.
    #[must_use]
    pub fn number(self) -> u64 {
        u64::from(self.year) * 100 + u64::from(self.month)
    }

    /// The patch level, when it can be one: at most 31 days in the future. A system that claims patches
    /// which nobody has written yet says nothing about the patches that it has.
    #[must_use]
    pub fn believed(self, now: UnixSeconds) -> Option<Self> {
        (self.began().since(now) <= Limits::PATCH_LEVEL_AHEAD_MAX).then_some(self)
    }

    /// Time since the month of this patch level began; zero when the month lies in the future.
    #[must_use]
    pub fn age(self, now: UnixSeconds) -> Seconds {
        now.since(self.began())
    }

    fn began(self) -> UnixSeconds {
        UnixSeconds(days_from_epoch(u64::from(self.year), u64::from(self.month)) * 86_400)
    }
}

impl fmt::Display for PatchLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// Days from 1970-01-01 to the first day of a month of the proleptic Gregorian calendar, for years from 1900; never negative.
fn days_from_epoch(year: u64, month: u64) -> u64 {
    // With years that begin in March, the leap day is the last day of its year.
    let (y, m) = if month <= 2 { (year.saturating_sub(1), month + 9) } else { (year, month.saturating_sub(3)) };
    let days = 365 * y + y / 4 + y / 400 + (153 * m + 2) / 5;
    days.saturating_sub(y / 100).saturating_sub(719_468)
}

/// The facts known about a device, with the source and age of each.
///
/// There are three sources, each with an age of its own, and they are never mixed in storage: the hardware (the plain fields), the
/// platform's vendor ([`VendorVerdict`]) and the app itself ([`AppReport`]). The methods compare them. A field that nothing established is
/// `None`, which no requirement accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posture {
    /// Identifier of the device.
    pub device: DeviceId,
    /// Thumbprint of its device key.
    pub key: Thumbprint,
    /// Family of the phone's operating system.
    pub platform: Platform,
    /// Strength of the evidence.
    pub tier: EvidenceTier,
    /// Source of the evidence for the key.
    pub by: Provenance,
    /// Time at which the evidence was verified.
    pub established_at: UnixSeconds,
    /// Place where the device key is kept.
    pub security_level: SecurityLevel,
    /// True when the bootloader is locked.
    pub bootloader_locked: Option<bool>,
    /// Result of the bootloader's verification.
    pub boot_state: Option<BootState>,
    /// Key that verified the system.
    pub boot_key: Option<BootKey>,
    /// Version of the operating system as `MMmmss` (Android 14 is 140000).
    pub os_version: Option<u64>,
    /// Security patch level of the system.
    pub patch_level: Option<PatchLevel>,
    /// App that holds the key.
    pub app: Option<AppId>,
    /// Version of the app: Android's version code, or `MMmmmppp` of a dotted version (3.1.0 is 3001000).
    pub app_version: Option<u64>,
    /// Certificates of the evidence, kept so that a later revocation is noticed.
    pub certificates: Vec<SerialDigest>,
    /// Verdict of the platform's vendor.
    pub verdict: Option<VendorVerdict>,
    /// Report of the app about itself.
    pub report: Option<AppReport>,
    /// Apple's fraud metric for this installation.
    pub risk_metric: Option<RiskMetric>,
}

impl Posture {
    /// Age of the hardware evidence.
    #[must_use]
    pub const fn evidence_age(&self, now: UnixSeconds) -> Seconds {
        now.age_of(self.established_at, Limits::CLOCK_AHEAD_MAX)
    }

    /// Trust as one number, for simple policies: 0 nothing proved, 1 software, 2 hardware, 3 hardware with a verified and locked system.
    ///
    /// The bootloader of an iPhone cannot be unlocked, and its Secure Enclave runs only what Apple signed, so App Attest gives 3.
    #[must_use]
    pub fn trust(&self) -> u8 {
        match (self.tier, self.security_level) {
            (EvidenceTier::None, _) => 0,
            (EvidenceTier::SelfReported | EvidenceTier::Platform, _) | (EvidenceTier::Hardware, SecurityLevel::Software) => 1,
            (EvidenceTier::Hardware, SecurityLevel::TrustedEnvironment | SecurityLevel::StrongBox) => {
                let verified = self.bootloader_locked == Some(true) && self.boot_state == Some(BootState::Verified);
                if verified || self.by == Provenance::AppAttest { 3 } else { 2 }
            }
        }
    }

    /// Version of the system: the lower of the proved and the claimed one. Where evidence proves none, as on an iPhone, the claim stands
    /// alone; a rule that must not believe it can look at its source.
    #[must_use]
    pub fn os_version_known(&self) -> Option<Sourced<u64>> {
        self.lower(self.os_version, self.report.as_ref().and_then(|report| report.os_version))
    }

    /// Version of the app: the lower of the proved and the claimed one.
    #[must_use]
    pub fn app_version_known(&self) -> Option<Sourced<u64>> {
        self.lower(self.app_version, self.report.as_ref().and_then(|report| report.app_version))
    }

    fn lower(&self, proved: Option<u64>, claimed: Option<u64>) -> Option<Sourced<u64>> {
        let proved = proved.map(|value| Sourced { value, source: self.by, at: self.established_at });
        let claimed_at = self.report.as_ref().map_or(self.established_at, |report| report.at);
        let claimed = claimed.map(|value| Sourced { value, source: Provenance::AppReport, at: claimed_at });
        match (proved, claimed) {
            (Some(proved), Some(claimed)) if claimed.value < proved.value => Some(claimed),
            (Some(proved), _) => Some(proved),
            (None, claimed) => claimed,
        }
    }

    /// The posture after a report of the app. Earlier findings stay: until new hardware evidence arrives, reports can only lower trust.
    #[must_use]
    pub fn with_report(mut self, report: AppReport) -> Self {
        self.report = Some(match self.report.take() {
            None => report,
            Some(earlier) => earlier.and(report),
        });
        self
    }

    /// The posture after a verdict of the vendor. A newer verdict replaces an older one, and a verdict that arrives after a newer one is
    /// dropped. Findings of the app stay, because a verdict says nothing about hooks and debuggers, and may be a bad one.
    #[must_use]
    pub fn with_verdict(mut self, verdict: VendorVerdict) -> Self {
        if self.verdict.as_ref().is_none_or(|earlier| earlier.at <= verdict.at) {
            self.verdict = Some(verdict);
        }
        self
    }

    /// The posture after new hardware evidence for the same device and key.
    ///
    /// The vendor's verdict stays, with its own age. Findings of the app are forgotten, since this evidence is newer.
    #[must_use]
    pub fn with_evidence(self, evidence: Self) -> Self {
        // Evidence that was overtaken by newer evidence changes nothing.
        if evidence.established_at < self.established_at {
            return self;
        }
        let verdict = evidence.verdict.or(self.verdict);
        let risk_metric = evidence.risk_metric.or(self.risk_metric);
        // SECURITY: device and key stay, so that evidence cannot move a posture to another key.
        Self { device: self.device, key: self.key, verdict, risk_metric, ..evidence }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app_report::AppFinding;

    #[test]
    fn patch_levels_are_months() {
        let rows: &[(&str, u64, Option<u64>)] = &[
            ("a month", 202_408, Some(202_408)),
            ("a day", 20_240_805, Some(202_408)),
            ("zero, as some vendors write", 0, None),
            ("no such month", 202_413, None),
            ("month zero", 202_400, None),
            ("the end of numbers", u64::MAX, None),
        ];
        for (name, number, expected) in rows {
            assert_eq!(PatchLevel::from_number(*number).map(PatchLevel::number), *expected, "{name}");
        }
    }

    #[test]
    fn patch_age_counts_from_the_first_of_the_month() {
        // 1 March 2024 is 1_709_251_200; 2024 is a leap year.
        let march = PatchLevel::from_number(202_403).expect("a month");
        assert_eq!(march.age(UnixSeconds(1_709_251_200)), Seconds(0));
        assert_eq!(march.age(UnixSeconds(1_709_251_200 + 86_400)), Seconds(86_400));
        assert_eq!(march.age(UnixSeconds(0)), Seconds(0));
        let february = PatchLevel::from_number(202_402).expect("a month");
        assert_eq!(february.age(UnixSeconds(1_709_251_200)), Seconds(29 * 86_400));
    }

    #[test]
    fn a_patch_level_of_the_future_is_none() {
        // 1 July 2025 at midnight is 1_751_328_000; August begins 31 days later, September 62.
        let july = 1_751_328_000;
        let rows: &[(&str, u64, u64, bool)] = &[
            ("this month's", 202_507, july, true),
            ("an old one", 201_908, july, true),
            ("next month's", 202_508, july, true),
            ("next month's, a second before this month", 202_508, july - 1, false),
            ("the month after next, on the first", 202_509, july, false),
            ("the month after next, just not", 202_509, july + 31 * 86_400 - 1, false),
            ("the month after next has come near", 202_509, july + 31 * 86_400, true),
            ("by day, next month's", 20_250_805, july, true),
            ("the end of the century", 209_912, july, false),
            ("the end of years", 999_912, july, false),
            ("at the beginning of time", 202_507, 0, false),
        ];
        for (name, number, now, believed) in rows {
            let level = PatchLevel::from_number(*number).expect("a month");
            assert_eq!(level.believed(UnixSeconds(*now)).is_some(), *believed, "{name}");
        }
    }

    fn phone() -> Posture {
        Posture {
            device: DeviceId::from_random([1; 16]),
            key: Thumbprint::from_bytes([2; 32]),
            platform: Platform::Android,
            tier: EvidenceTier::Hardware,
            by: Provenance::AndroidKeyAttestation,
            established_at: UnixSeconds(1_000),
            security_level: SecurityLevel::TrustedEnvironment,
            bootloader_locked: Some(true),
            boot_state: Some(BootState::Verified),
            boot_key: None,
            os_version: Some(140_000),
            patch_level: PatchLevel::from_number(202_408),
            app: None,
            app_version: Some(310),
            certificates: Vec::new(),
            verdict: None,
            report: None,
            risk_metric: None,
        }
    }

    fn report(at: u64, findings: &[AppFinding], os_version: Option<u64>) -> AppReport {
        AppReport { at: UnixSeconds(at), findings: findings.iter().copied().collect(), os_version, app_version: None, installer: None }
    }

    #[test]
    fn claims_only_lower() {
        let rows: &[(&str, Option<u64>, Option<u64>, Option<(u64, Provenance)>)] = &[
            ("evidence alone", Some(140_000), None, Some((140_000, Provenance::AndroidKeyAttestation))),
            ("a claim that is better", Some(140_000), Some(160_000), Some((140_000, Provenance::AndroidKeyAttestation))),
            ("a claim that is the same", Some(140_000), Some(140_000), Some((140_000, Provenance::AndroidKeyAttestation))),
            ("a claim that is worse", Some(140_000), Some(90_000), Some((90_000, Provenance::AppReport))),
            ("a claim where there is no evidence", None, Some(170_501), Some((170_501, Provenance::AppReport))),
            ("nothing", None, None, None),
        ];
        for (name, proved, claimed, expected) in rows {
            let posture = Posture { os_version: *proved, ..phone() }.with_report(report(2_000, &[], *claimed));
            assert_eq!(posture.os_version_known().map(|known| (known.value, known.source)), *expected, "{name}");
        }
    }

    #[test]
    fn what_was_admitted_stands_until_there_is_new_evidence() {
        let rooted = phone().with_report(report(2_000, &[AppFinding::Rooted], None));
        let denied = rooted.clone().with_report(report(3_000, &[], None));
        assert!(denied.report.as_ref().is_some_and(|report| report.findings.contains(&AppFinding::Rooted)), "a later denial");
        let older = denied.clone().with_evidence(Posture { established_at: UnixSeconds(999), ..phone() });
        assert_eq!(older, denied, "older evidence changes nothing");
        let verdict = VendorVerdict {
            at: UnixSeconds(5_000),
            integrity: crate::Integrity::None,
            recognition: None,
            licensing: None,
            play_protect: None,
            app_access: std::collections::BTreeSet::new(),
            recent_activity: None,
            sdk_version: None,
            recall: None,
            testing: false,
        };
        let judged = denied.clone().with_verdict(verdict);
        assert_eq!(judged.report, denied.report, "a verdict says nothing of what the app admitted");
        let proved = denied.with_evidence(Posture { established_at: UnixSeconds(4_000), ..phone() });
        assert_eq!(proved.report, None, "new evidence");
    }
}
