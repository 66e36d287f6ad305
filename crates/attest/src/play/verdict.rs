//! What Google Play says of a request, an app and a phone, as typed facts. None of them is judged here.
//!
//! See <https://developer.android.com/google/play/integrity/verdicts>.

use std::collections::BTreeSet;

use countersign_core::UnixMillis;
use countersign_proof::base64url;

use crate::play::label::{Activity, AppAccess, DeviceIntegrity, Label, Labels, Licensing, ProtectRisk, Recognition};
use crate::play::refusal::VerdictRefusal;
use crate::play::wire::{Group, Unknown};

/// Bytes in a payload or in an answer of Google's that holds one.
const PAYLOAD_BYTES_MAX: usize = 64 * 1024;

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

impl Verdict {
    /// Reads a payload: what [`super::decrypt_and_verify`] yields.
    ///
    /// That it parses says nothing of where it came from.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(payload: &str) -> Result<Self, VerdictRefusal> {
        read(outermost(payload)?, Unknown::default())
    }

    /// Reads the body of Google's answer when Google was asked to decode a token (`decodeIntegrityToken`); whoever asked over TLS
    /// knows that it is Google's.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn from_decoded(body: &str) -> Result<Self, VerdictRefusal> {
        let mut unknown = Unknown::default();
        let mut answer = outermost(body)?;
        let payload = required("tokenPayloadExternal", answer.group("tokenPayloadExternal")?)?;
        answer.close(&mut unknown);
        read(payload, unknown)
    }
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

fn outermost(text: &str) -> Result<Group<'_>, VerdictRefusal> {
    if text.len() > PAYLOAD_BYTES_MAX {
        return Err(VerdictRefusal::TooLarge);
    }
    Group::outermost(text)
}

fn required<T>(field: &'static str, value: Option<T>) -> Result<T, VerdictRefusal> {
    value.ok_or(VerdictRefusal::FieldMissing { field })
}

fn read(mut payload: Group<'_>, mut unknown: Unknown) -> Result<Verdict, VerdictRefusal> {
    let request = required("requestDetails", payload.group("requestDetails")?)?;
    let request = self::request(request, &mut unknown)?;
    let app = payload.group("appIntegrity")?.map(|group| app(group, &mut unknown)).transpose()?;
    let device = payload.group("deviceIntegrity")?.map(|group| device(group, &mut unknown)).transpose()?;
    let licensing = match payload.group("accountDetails")? {
        None => None,
        Some(mut group) => {
            let licensing = label(&mut group, "appLicensingVerdict")?;
            group.close(&mut unknown);
            licensing
        }
    };
    let (app_access, play_protect) = match payload.group("environmentDetails")? {
        None => (None, None),
        Some(group) => environment(group, &mut unknown)?,
    };
    let testing = match payload.group("testingDetails")? {
        None => false,
        Some(mut group) => {
            let testing = group.flag("isTestingResponse")?;
            group.close(&mut unknown);
            testing.unwrap_or(false)
        }
    };
    payload.close(&mut unknown);
    Ok(Verdict { request, app, device, licensing, app_access, play_protect, testing, unknown: unknown.into_names() })
}

fn request(mut group: Group<'_>, unknown: &mut Unknown) -> Result<Request, VerdictRefusal> {
    let package = required("requestPackageName", group.text("requestPackageName")?)?;
    let binding = match (group.text("nonce")?, group.text("requestHash")?) {
        (Some(nonce), None) => Binding::Nonce(nonce),
        (None, Some(hash)) => Binding::RequestHash(hash),
        (None, None) | (Some(_), Some(_)) => return Err(VerdictRefusal::BindingAmbiguous),
    };
    let at = UnixMillis(required("timestampMillis", group.number("timestampMillis")?)?);
    group.close(unknown);
    Ok(Request { package, binding, at })
}

fn app(mut group: Group<'_>, unknown: &mut Unknown) -> Result<AppIntegrity, VerdictRefusal> {
    let digests = group.texts("certificateSha256Digest")?.unwrap_or_default();
    let app = AppIntegrity {
        recognition: label(&mut group, "appRecognitionVerdict")?,
        package: group.text("packageName")?,
        signers: digests.iter().map(|text| digest(text)).collect::<Result<_, _>>()?,
        version: group.number("versionCode")?,
    };
    group.close(unknown);
    Ok(app)
}

/// A SHA-256 in base64url; with its padding or without, because Google's pages show neither and their libraries differ.
fn digest(text: &str) -> Result<[u8; 32], VerdictRefusal> {
    let bare = text.strip_suffix('=').unwrap_or(text);
    base64url::decode_array(bare).map_err(|_| VerdictRefusal::FieldMalformed { field: "certificateSha256Digest" })
}

fn device(mut group: Group<'_>, unknown: &mut Unknown) -> Result<Device, VerdictRefusal> {
    let labels = labels(&mut group, "deviceRecognitionVerdict")?.unwrap_or_default();
    let activity = match group.group("recentDeviceActivity")? {
        None => None,
        Some(mut inner) => {
            let activity = label(&mut inner, "deviceActivityLevel")?;
            inner.close(unknown);
            activity
        }
    };
    let sdk_version = match group.group("deviceAttributes")? {
        None => None,
        Some(mut inner) => {
            let version = inner.number("sdkVersion")?;
            inner.close(unknown);
            version
        }
    };
    let recall = group.group("deviceRecall")?.map(|inner| recall(inner, unknown)).transpose()?;
    group.close(unknown);
    Ok(Device { labels, activity, sdk_version, recall })
}

fn recall(mut group: Group<'_>, unknown: &mut Unknown) -> Result<DeviceRecall, VerdictRefusal> {
    let mut values = group.group("values")?;
    let mut dates = group.group("writeDates")?;
    let mut bit = |value: &'static str, date: &'static str| {
        let set = values.as_mut().map(|group| group.flag(value)).transpose()?.flatten();
        let written = dates.as_mut().map(|group| group.number(date)).transpose()?.flatten();
        let written = written.map(|number| month(number).ok_or(VerdictRefusal::FieldMalformed { field: date })).transpose()?;
        Ok(RecallBit { set, written })
    };
    let recall = DeviceRecall {
        first: bit("bitFirst", "yyyymmFirst")?,
        second: bit("bitSecond", "yyyymmSecond")?,
        third: bit("bitThird", "yyyymmThird")?,
    };
    [values, dates].into_iter().flatten().for_each(|inner| inner.close(unknown));
    group.close(unknown);
    Ok(recall)
}

fn month(number: u64) -> Option<u32> {
    let number = u32::try_from(number).ok()?;
    let (year, month) = (number / 100, number % 100);
    ((1970..=9999).contains(&year) && (1..=12).contains(&month)).then_some(number)
}

type Environment = (Option<BTreeSet<Label<AppAccess>>>, Option<Label<ProtectRisk>>);

fn environment(mut group: Group<'_>, unknown: &mut Unknown) -> Result<Environment, VerdictRefusal> {
    let app_access = match group.group("appAccessRiskVerdict")? {
        None => None,
        Some(mut inner) => {
            let detected = labels(&mut inner, "appsDetected")?;
            inner.close(unknown);
            detected
        }
    };
    let play_protect = label(&mut group, "playProtectVerdict")?;
    group.close(unknown);
    Ok((app_access, play_protect))
}

fn label<T: Labels>(group: &mut Group<'_>, name: &'static str) -> Result<Option<Label<T>>, VerdictRefusal> {
    Ok(group.text(name)?.map(|text| Label::read(&text)))
}

fn labels<T: Labels + Ord>(group: &mut Group<'_>, name: &'static str) -> Result<Option<BTreeSet<Label<T>>>, VerdictRefusal> {
    Ok(group.texts(name)?.map(|texts| texts.iter().map(|text| Label::read(text)).collect()))
}
