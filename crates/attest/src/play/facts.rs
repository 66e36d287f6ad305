//! Conversion of a verdict into the facts that a posture holds.

use countersign_core::{self as core, Integrity, VendorVerdict};

use crate::play::label::{Activity, AppAccess, DeviceIntegrity, Label, Licensing, ProtectRisk, Recognition};
use crate::play::verdict::{Device, RecallBit, Verdict};

impl Verdict {
    /// The facts for the posture of the device. Unknown labels count as the worst of their kind.
    #[must_use]
    pub fn facts(&self) -> VendorVerdict {
        let app = self.app.as_ref();
        let device = self.device.as_ref();
        VendorVerdict {
            at: self.request.at.seconds(),
            integrity: device.map_or(Integrity::None, integrity),
            recognition: app.and_then(|app| app.recognition.as_ref()).map(recognition),
            licensing: self.licensing.as_ref().map(licensing),
            play_protect: self.play_protect.as_ref().map(play_protect),
            app_access: self.app_access.iter().flatten().map(app_access).collect(),
            recent_activity: device.and_then(|device| device.activity.as_ref()).and_then(Label::known).map(activity),
            sdk_version: device.and_then(|device| device.sdk_version).and_then(|version| u32::try_from(version).ok()),
            recall: device.and_then(|device| device.recall).map(|recall| [recall.first, recall.second, recall.third].map(set)),
            testing: self.testing,
        }
    }
}

/// A recall bit that Google could not read does not count as set.
fn set(bit: RecallBit) -> bool {
    bit.set == Some(true)
}

/// The best of the device labels. Google sends several when the app asked for all of them.
fn integrity(device: &Device) -> Integrity {
    let one = |label: &Label<DeviceIntegrity>| match label.known() {
        Some(DeviceIntegrity::Strong) => Integrity::Strong,
        Some(DeviceIntegrity::Device) => Integrity::Device,
        Some(DeviceIntegrity::Basic) => Integrity::Basic,
        Some(DeviceIntegrity::Virtual) => Integrity::Virtual,
        // A label that this version does not know earns nothing.
        None => Integrity::None,
    };
    device.labels.iter().map(one).max().unwrap_or(Integrity::None)
}

fn recognition(label: &Label<Recognition>) -> core::Recognition {
    match label.known() {
        Some(Recognition::PlayRecognized) => core::Recognition::Recognized,
        Some(Recognition::UnrecognizedVersion) => core::Recognition::Unrecognized,
        None => core::Recognition::Unevaluated,
    }
}

fn licensing(label: &Label<Licensing>) -> core::Licensing {
    match label.known() {
        Some(Licensing::Licensed) => core::Licensing::Licensed,
        Some(Licensing::Unlicensed) => core::Licensing::Unlicensed,
        None => core::Licensing::Unevaluated,
    }
}

fn play_protect(label: &Label<ProtectRisk>) -> core::PlayProtect {
    match label.known() {
        Some(ProtectRisk::NoIssues) => core::PlayProtect::NoIssues,
        Some(ProtectRisk::NoData) => core::PlayProtect::NoData,
        Some(ProtectRisk::PossibleRisk) => core::PlayProtect::PossibleRisk,
        Some(ProtectRisk::MediumRisk) => core::PlayProtect::MediumRisk,
        Some(ProtectRisk::HighRisk) => core::PlayProtect::HighRisk,
        None => core::PlayProtect::Unevaluated,
    }
}

fn app_access(label: &Label<AppAccess>) -> core::AppAccess {
    match label.known() {
        Some(AppAccess::KnownCapturing) => core::AppAccess::KnownCapturing,
        Some(AppAccess::KnownControlling) => core::AppAccess::KnownControlling,
        Some(AppAccess::KnownInstalled) => core::AppAccess::KnownInstalled,
        Some(AppAccess::KnownOverlays) => core::AppAccess::KnownOverlays,
        Some(AppAccess::UnknownCapturing) => core::AppAccess::UnknownCapturing,
        Some(AppAccess::UnknownControlling) => core::AppAccess::UnknownControlling,
        Some(AppAccess::UnknownInstalled) => core::AppAccess::UnknownInstalled,
        Some(AppAccess::UnknownOverlays) => core::AppAccess::UnknownOverlays,
        None => core::AppAccess::Other,
    }
}

const fn activity(activity: Activity) -> u8 {
    match activity {
        Activity::Level1 => 1,
        Activity::Level2 => 2,
        Activity::Level3 => 3,
        Activity::Level4 => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::UnixSeconds;

    fn facts(changed: &str) -> VendorVerdict {
        let payload =
            format!(r#"{{"requestDetails":{{"requestPackageName":"a","nonce":"bm9uY2U","timestampMillis":"1793491200999"}}{changed}}}"#);
        Verdict::parse(&payload).expect("a verdict").facts()
    }

    #[test]
    fn what_google_does_not_say_is_the_worst() {
        let least = VendorVerdict {
            at: UnixSeconds(1_793_491_200),
            integrity: Integrity::None,
            recognition: None,
            licensing: None,
            play_protect: None,
            app_access: [].into(),
            recent_activity: None,
            sdk_version: None,
            recall: None,
            testing: false,
        };
        assert_eq!(facts(""), least);
        let unknown = r#","appIntegrity":{"appRecognitionVerdict":"NEW"},"accountDetails":{"appLicensingVerdict":"NEW"},"deviceIntegrity":{"deviceRecognitionVerdict":["NEW"]},"environmentDetails":{"playProtectVerdict":"NEW","appAccessRiskVerdict":{"appsDetected":["NEW"]}}"#;
        let expected = VendorVerdict {
            recognition: Some(core::Recognition::Unevaluated),
            licensing: Some(core::Licensing::Unevaluated),
            play_protect: Some(core::PlayProtect::Unevaluated),
            app_access: [core::AppAccess::Other].into(),
            ..least
        };
        assert_eq!(facts(unknown), expected);
    }

    #[test]
    fn the_best_label_counts() {
        let labels = |labels: &str| facts(&format!(r#","deviceIntegrity":{{"deviceRecognitionVerdict":[{labels}]}}"#)).integrity;
        let rows = [
            (r#""MEETS_BASIC_INTEGRITY","MEETS_DEVICE_INTEGRITY","MEETS_STRONG_INTEGRITY""#, Integrity::Strong),
            (r#""MEETS_DEVICE_INTEGRITY","MEETS_BASIC_INTEGRITY""#, Integrity::Device),
            (r#""MEETS_BASIC_INTEGRITY""#, Integrity::Basic),
            (r#""MEETS_VIRTUAL_INTEGRITY""#, Integrity::Virtual),
            ("", Integrity::None),
        ];
        for (text, expected) in rows {
            assert_eq!(labels(text), expected, "{text}");
        }
    }
}
