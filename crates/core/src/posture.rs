//! A device's health as last established from evidence, with its age.

use std::fmt;

use crate::{
    id::{AppId, DeviceId, Thumbprint},
    time::{Seconds, UnixSeconds},
};

/// The operating system family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
/// A field that no evidence established is `None`, which no requirement accepts.
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
    /// When the evidence was verified.
    pub established_at: UnixSeconds,
    /// Where the device key lives.
    pub security_level: SecurityLevel,
    /// Whether the bootloader is locked.
    pub bootloader_locked: Option<bool>,
    /// What the bootloader verified.
    pub boot_state: Option<BootState>,
    /// Operating system version as `MMmmss` (Android 14 is 140000).
    pub os_version: Option<u64>,
    /// Security patch level of the system.
    pub patch_level: Option<PatchLevel>,
    /// The app that holds the key.
    pub app: Option<AppId>,
    /// The app's version code.
    pub app_version: Option<u64>,
}

impl Posture {
    /// Age of the evidence.
    #[must_use]
    pub const fn evidence_age(&self, now: UnixSeconds) -> Seconds {
        now.since(self.established_at)
    }

    /// One number for simple policies: 0 nothing proved, 1 software, 2 hardware, 3 hardware with a verified and locked system.
    #[must_use]
    pub fn trust(&self) -> u8 {
        match (self.tier, self.security_level) {
            (EvidenceTier::None, _) => 0,
            (EvidenceTier::SelfReported | EvidenceTier::Platform, _) | (EvidenceTier::Hardware, SecurityLevel::Software) => 1,
            (EvidenceTier::Hardware, SecurityLevel::TrustedEnvironment | SecurityLevel::StrongBox) => {
                if self.bootloader_locked == Some(true) && self.boot_state == Some(BootState::Verified) { 3 } else { 2 }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
