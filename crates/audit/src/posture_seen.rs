//! What the log keeps of a posture: all that a policy can see of it, and nothing by which the phone could be told from another of
//! its kind.

use std::collections::BTreeSet;

use countersign_core::{
    AppFinding, AppId, AppReport, BootState, DeviceId, EvidenceTier, Integrity, Licensing, PatchLevel, Platform, Posture, Provenance,
    Reason, Recognition, RiskMetric, SecurityLevel, Stage, Thumbprint, UnixSeconds, Unmet, VendorVerdict,
};
use serde::{Deserialize, Serialize};

use crate::spelling::{number, number_if, word, word_if, words};

/// A posture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostureSeen {
    /// As [`Posture::platform`].
    #[serde(with = "word")]
    pub platform: Platform,
    /// As [`Posture::tier`].
    #[serde(with = "word")]
    pub tier: EvidenceTier,
    /// As [`Posture::by`].
    #[serde(with = "word")]
    pub by: Provenance,
    /// As [`Posture::established_at`].
    #[serde(with = "number")]
    pub established_at: UnixSeconds,
    /// As [`Posture::security_level`].
    #[serde(with = "word")]
    pub security_level: SecurityLevel,
    /// As [`Posture::bootloader_locked`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bootloader_locked: Option<bool>,
    /// As [`Posture::boot_state`].
    #[serde(with = "word_if", skip_serializing_if = "Option::is_none", default)]
    pub boot_state: Option<BootState>,
    /// As [`Posture::os_version`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub os_version: Option<u64>,
    /// As [`Posture::patch_level`].
    #[serde(with = "number_if", skip_serializing_if = "Option::is_none", default)]
    pub patch_level: Option<PatchLevel>,
    /// As [`Posture::app`].
    #[serde(with = "word_if", skip_serializing_if = "Option::is_none", default)]
    pub app: Option<AppId>,
    /// As [`Posture::app_version`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub app_version: Option<u64>,
    /// As [`Posture::verdict`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub verdict: Option<VerdictSeen>,
    /// As [`Posture::report`], but for its time, which is sealed where somebody is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub report: Option<ReportSeen>,
    /// The count in [`Posture::risk_metric`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub risk_metric: Option<u32>,
}

/// What the platform's vendor said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerdictSeen {
    /// As [`VendorVerdict::at`].
    #[serde(with = "number")]
    pub at: UnixSeconds,
    /// As [`VendorVerdict::integrity`].
    #[serde(with = "word")]
    pub integrity: Integrity,
    /// As [`VendorVerdict::recognition`].
    #[serde(with = "word_if", skip_serializing_if = "Option::is_none", default)]
    pub recognition: Option<Recognition>,
    /// As [`VendorVerdict::licensing`].
    #[serde(with = "word_if", skip_serializing_if = "Option::is_none", default)]
    pub licensing: Option<Licensing>,
}

/// What the app said of itself and its phone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportSeen {
    /// As [`AppReport::findings`].
    #[serde(with = "words", skip_serializing_if = "BTreeSet::is_empty", default)]
    pub findings: BTreeSet<AppFinding>,
    /// As [`AppReport::os_version`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub os_version: Option<u64>,
    /// As [`AppReport::app_version`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub app_version: Option<u64>,
}

/// A requirement that is not met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LackSeen {
    /// As [`Unmet::reason`].
    #[serde(with = "word")]
    pub reason: Reason,
    /// As [`Unmet::stage`].
    #[serde(with = "word")]
    pub stage: Stage,
}

impl From<&Unmet> for LackSeen {
    fn from(lack: &Unmet) -> Self {
        Self { reason: lack.reason.clone(), stage: lack.stage }
    }
}

impl From<&LackSeen> for Unmet {
    /// Where an update is found is for the person at that time; no rule reads it.
    fn from(seen: &LackSeen) -> Self {
        Self { reason: seen.reason.clone(), stage: seen.stage, update: None }
    }
}

impl From<&Posture> for PostureSeen {
    fn from(posture: &Posture) -> Self {
        let verdict = |verdict: &VendorVerdict| VerdictSeen {
            at: verdict.at,
            integrity: verdict.integrity,
            recognition: verdict.recognition,
            licensing: verdict.licensing,
        };
        let report = |report: &AppReport| ReportSeen {
            findings: report.findings.clone(),
            os_version: report.os_version,
            app_version: report.app_version,
        };
        Self {
            platform: posture.platform,
            tier: posture.tier,
            by: posture.by,
            established_at: posture.established_at,
            security_level: posture.security_level,
            bootloader_locked: posture.bootloader_locked,
            boot_state: posture.boot_state,
            os_version: posture.os_version,
            patch_level: posture.patch_level,
            app: posture.app.clone(),
            app_version: posture.app_version,
            verdict: posture.verdict.as_ref().map(verdict),
            report: posture.report.as_ref().map(report),
            risk_metric: posture.risk_metric.map(|metric| metric.count),
        }
    }
}

impl PostureSeen {
    /// The posture of `device`, whose app last spoke at `report_at`. What the log does not keep is as if nothing had established
    /// it, and the key is all zeros: no policy can see either.
    #[must_use]
    pub fn posture(&self, device: DeviceId, report_at: UnixSeconds) -> Posture {
        let verdict = |seen: &VerdictSeen| VendorVerdict {
            at: seen.at,
            integrity: seen.integrity,
            recognition: seen.recognition,
            licensing: seen.licensing,
            play_protect: None,
            app_access: BTreeSet::new(),
            recent_activity: None,
            sdk_version: None,
            recall: None,
            testing: false,
        };
        let report = |seen: &ReportSeen| AppReport {
            at: report_at,
            findings: seen.findings.clone(),
            os_version: seen.os_version,
            app_version: seen.app_version,
            installer: None,
        };
        Posture {
            device,
            key: Thumbprint::from_bytes([0; 32]),
            platform: self.platform,
            tier: self.tier,
            by: self.by,
            established_at: self.established_at,
            security_level: self.security_level,
            bootloader_locked: self.bootloader_locked,
            boot_state: self.boot_state,
            boot_key: None,
            os_version: self.os_version,
            patch_level: self.patch_level,
            app: self.app.clone(),
            app_version: self.app_version,
            certificates: Vec::new(),
            verdict: self.verdict.as_ref().map(verdict),
            report: self.report.as_ref().map(report),
            risk_metric: self.risk_metric.map(|count| RiskMetric { count, at: self.established_at }),
        }
    }
}
