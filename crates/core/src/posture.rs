//! A device's health as last established from evidence, with its age.

use std::fmt;

use crate::{
    app_report::AppReport,
    id::{AppId, DeviceId, Thumbprint},
    time::{Seconds, UnixSeconds},
    vendor_verdict::VendorVerdict,
};

/// The operating system family. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Platform {
    /// Android and systems derived from it.
    Android,
    /// iOS and iPadOS.
    Ios,
}

/// Who vouches for what we know of a device. Ordered by strength.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EvidenceTier {
    /// Nobody.
    None,
    /// Only the app itself, or a development token.
    SelfReported,
    /// The platform's vendor, by a verdict (Play Integrity).
    Platform,
    /// The phone's hardware, by a chain to a trust anchor.
    Hardware,
}

/// Where a key lives. Ordered by strength; names as in Android's `KeyDescription.SecurityLevel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecurityLevel {
    /// In the memory of the operating system.
    Software,
    /// In a Trusted Execution Environment, or Apple's Secure Enclave.
    TrustedEnvironment,
    /// In a separate tamper-resistant chip.
    StrongBox,
}

/// What the bootloader verified (Android Verified Boot).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BootState {
    /// Verification failed.
    Failed,
    /// Verified with a key that the owner installed.
    SelfSigned,
    /// Not verified; the bootloader is unlocked.
    Unverified,
    /// Verified with the maker's key.
    Verified,
}

/// What established a fact about a device. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provenance {
    /// Android Key Attestation: the phone's hardware, by a chain to a trust anchor.
    AndroidKeyAttestation,
    /// Apple App Attest: the Secure Enclave and Apple's service, by a chain to Apple's root.
    AppAttest,
    /// The app itself. It may cost trust and never earn it (law 2).
    AppReport,
    /// A development token: whoever holds it. Nothing about the phone is known.
    DevelopmentToken,
    /// Google Play Integrity.
    PlayIntegrity,
}

impl Provenance {
    /// The word in listings, log and policy.
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

/// A value with what established it and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known<T> {
    /// The value.
    pub value: T,
    /// What established it.
    pub by: Provenance,
    /// Since when it is known.
    pub at: UnixSeconds,
}

/// The key that verified a system, as the bootloader gives it: for most phones its SHA-256.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootKey(Vec<u8>);

impl BootKey {
    /// Takes 1 to 64 bytes; `None` for fewer or more.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        (1..=64).contains(&bytes.len()).then_some(Self(bytes))
    }

    /// The bytes.
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

/// The first half of the SHA-256 of a certificate's serial number: enough to find it on a revocation list, and no
/// identifier that anybody else uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SerialDigest(pub [u8; 16]);

/// How many devices use one App Attest installation's key, as Apple counts them over thirty days.
///
/// <https://developer.apple.com/documentation/devicecheck/assessing-fraud-risk>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RiskMetric {
    /// Keys attested on this phone for this app.
    pub count: u32,
    /// When Apple said so.
    pub at: UnixSeconds,
}

/// A monthly security patch level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PatchLevel {
    year: u16,
    month: u8,
}

impl PatchLevel {
    /// Reads `YYYYMM` or `YYYYMMDD`, as Android's attestation writes patch levels. `None` when it is no date.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        let (year, month) = match number {
            190_001..=999_912 => (number / 100, number % 100),
            19_000_100..=99_991_231 => (number / 10_000, number / 100 % 100),
            _ => return None,
        };
        let (year, month) = (u16::try_from(year).ok()?, u8::try_from(month).ok()?);
        (1..=12).contains(&month).then_some(Self { year, month })
    }

    /// `YYYYMM`.
    #[must_use]
    pub fn number(self) -> u64 {
        u64::from(self.year) * 100 + u64::from(self.month)
    }

    /// How long ago the month of this patch level began; zero when it lies ahead.
    #[must_use]
    pub fn age(self, now: UnixSeconds) -> Seconds {
        now.since(UnixSeconds(days_from_epoch(u64::from(self.year), u64::from(self.month)) * 86_400))
    }
}

impl fmt::Display for PatchLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// Days from 1970-01-01 to the first day of a month of the proleptic Gregorian calendar; years from 1900, never negative.
fn days_from_epoch(year: u64, month: u64) -> u64 {
    // Years that begin in March make February's leap day the last of its year.
    let (y, m) = if month <= 2 { (year.saturating_sub(1), month + 9) } else { (year, month.saturating_sub(3)) };
    let days = 365 * y + y / 4 + y / 400 + (153 * m + 2) / 5;
    days.saturating_sub(y / 100).saturating_sub(719_468)
}

/// What is known about a device, who vouches for it and since when.
///
/// Three sources, each with its own age, and never mixed in storage: what hardware said (the plain fields), what the platform's
/// vendor said ([`VendorVerdict`]) and what the app says of itself ([`AppReport`]). The methods weigh them against each other. A
/// field that nothing established is `None`, which no requirement accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posture {
    /// The device.
    pub device: DeviceId,
    /// Its device key.
    pub key: Thumbprint,
    /// Operating system family.
    pub platform: Platform,
    /// Who vouches.
    pub tier: EvidenceTier,
    /// What vouches for the key.
    pub by: Provenance,
    /// When the evidence was verified.
    pub established_at: UnixSeconds,
    /// Where the device key lives.
    pub security_level: SecurityLevel,
    /// Whether the bootloader is locked.
    pub bootloader_locked: Option<bool>,
    /// What the bootloader verified.
    pub boot_state: Option<BootState>,
    /// The key that verified the system.
    pub boot_key: Option<BootKey>,
    /// Operating system version as `MMmmss` (Android 14 is 140000).
    pub os_version: Option<u64>,
    /// Security patch level of the system.
    pub patch_level: Option<PatchLevel>,
    /// The app that holds the key.
    pub app: Option<AppId>,
    /// The app's version: Android's version code, or `MMmmmppp` of a dotted one (3.1.0 is 3001000).
    pub app_version: Option<u64>,
    /// The certificates that vouch, for the day on which one is revoked.
    pub certificates: Vec<SerialDigest>,
    /// What the platform's vendor said.
    pub verdict: Option<VendorVerdict>,
    /// What the app says of itself.
    pub report: Option<AppReport>,
    /// What Apple counts of this installation.
    pub risk_metric: Option<RiskMetric>,
}

impl Posture {
    /// Age of the evidence.
    #[must_use]
    pub const fn evidence_age(&self, now: UnixSeconds) -> Seconds {
        now.since(self.established_at)
    }

    /// One number for simple policies: 0 nothing proved, 1 software, 2 hardware, 3 hardware with a verified and locked system.
    ///
    /// An iPhone's bootloader cannot be unlocked and its Secure Enclave runs only what Apple signed, so that App Attest is 3.
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

    /// The system's version: the lower of what evidence says and what the app claims. Where no evidence says it, as on an
    /// iPhone, the claim stands alone, and a policy that must not believe it asks for its provenance.
    #[must_use]
    pub fn os_version_known(&self) -> Option<Known<u64>> {
        self.lower(self.os_version, self.report.as_ref().and_then(|report| report.os_version))
    }

    /// The app's version: the lower of what evidence says and what the app claims.
    #[must_use]
    pub fn app_version_known(&self) -> Option<Known<u64>> {
        self.lower(self.app_version, self.report.as_ref().and_then(|report| report.app_version))
    }

    fn lower(&self, proved: Option<u64>, claimed: Option<u64>) -> Option<Known<u64>> {
        let proved = proved.map(|value| Known { value, by: self.by, at: self.established_at });
        let claimed_at = self.report.as_ref().map_or(self.established_at, |report| report.at);
        let claimed = claimed.map(|value| Known { value, by: Provenance::AppReport, at: claimed_at });
        match (proved, claimed) {
            (Some(proved), Some(claimed)) if claimed.value < proved.value => Some(claimed),
            (Some(proved), _) => Some(proved),
            (None, claimed) => claimed,
        }
    }

    /// The posture after the app spoke. What it admitted before stands: within one establishment, trust only falls.
    #[must_use]
    pub fn with_report(mut self, report: AppReport) -> Self {
        self.report = Some(match self.report.take() {
            None => report,
            Some(earlier) => earlier.and(report),
        });
        self
    }

    /// The posture after the vendor spoke: newer evidence replaces older, and an answer that overtook a newer one is dropped.
    /// What the app admitted stands: a verdict says nothing of hooks and debuggers, and whatever it says may be bad.
    #[must_use]
    pub fn with_verdict(mut self, verdict: VendorVerdict) -> Self {
        if self.verdict.as_ref().is_none_or(|earlier| earlier.at <= verdict.at) {
            self.verdict = Some(verdict);
        }
        self
    }

    /// The posture after the hardware spoke again, for the same device and key.
    ///
    /// What the vendor said stays with its own age. What the app admitted is forgotten: this evidence is newer.
    #[must_use]
    pub fn with_evidence(self, evidence: Self) -> Self {
        if evidence.established_at < self.established_at {
            return self;
        }
        let verdict = evidence.verdict.or(self.verdict);
        let risk_metric = evidence.risk_metric.or(self.risk_metric);
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
            assert_eq!(posture.os_version_known().map(|known| (known.value, known.by)), *expected, "{name}");
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
