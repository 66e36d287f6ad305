//! Google Play Integrity: the token in which Google sends a verdict, and the verdict.

use std::{collections::BTreeSet, fs};

use anyhow::{Context, Result, anyhow};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_attest::{
    android::Field,
    play::{
        Activity, App, AppAccess, AppRule, Binding, DecryptionKeys, DeviceIntegrity, DeviceLevel, DeviceRecall, Label, Labels, Licensing,
        PlayRefusal, ProtectRisk, Recognition, Requirements, Verdict, decrypt_and_verify, refusals,
    },
};
use countersign_core::{
    self as core, AppId, DeviceId, EvidenceTier, Integrity, Platform, PlayProtect, Posture, Provenance, Reason, Secret, SecurityLevel,
    Thumbprint, UnixSeconds, VendorVerdict,
};
use serde::Deserialize;
use serde_json::Value;

use crate::cli::{
    attest_inspect::{
        asked::InspectArgs,
        explain::{Judged, Sheet, Told, bytes, known, text},
    },
    when,
};

/// The file of `--play-keys`, as the Play Console shows both keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireKeys {
    decryption: String,
    verification: String,
}

/// A token: five parts, of which only the header can be read without keys.
pub fn token(token: &str, args: &InspectArgs) -> Result<Told> {
    let mut sheet = Sheet::new("play_integrity_token", "Google Play Integrity token: an encrypted verdict on an app and its phone");
    sheet.part("parts", "parts", parts(token));
    let Some(keys) = keys(args)? else {
        sheet.verdict("token", Judged::Unjudged("it is encrypted; give the keys from the Play Console with `--play-keys FILE`"));
        return Ok(sheet.told(None));
    };
    let opened =
        decrypt_and_verify(token, &keys).and_then(|payload| Verdict::parse(payload.as_str()).map_err(PlayRefusal::VerdictMalformed));
    match opened {
        Ok(verdict) => {
            sheet.verdict("token", Judged::Accepted("valid: encrypted with the app's key, and signed by Google"));
            judge(sheet, &verdict, args)
        }
        Err(refusal) => {
            sheet.verdict("token", Judged::Refused(named(&[refusal])));
            Ok(sheet.told(None))
        }
    }
}

/// A payload that somebody else decoded.
pub fn payload(json: &str, args: &InspectArgs) -> Result<Told> {
    let answer = json.contains("\"tokenPayloadExternal\"");
    let verdict = if answer { Verdict::from_decoded(json) } else { Verdict::parse(json) };
    let verdict = verdict.map_err(|why| {
        let why = PlayRefusal::VerdictMalformed(why);
        anyhow!("`{}` looks like a Google Play verdict but cannot be read: {why}", args.file.display())
    })?;
    let title = "decoded Google Play Integrity verdict; its origin cannot be verified, because it is not signed";
    judge(Sheet::new("play_integrity_verdict", title), &verdict, args)
}

fn judge(mut sheet: Sheet, verdict: &Verdict, args: &InspectArgs) -> Result<Told> {
    sheet.part("request", "request", request(verdict));
    sheet.part("app_integrity", "the app", app(verdict));
    sheet.part("device", "the phone", device(verdict));
    let own = match &verdict.request.binding {
        Binding::Nonce(text) | Binding::RequestHash(text) => text.as_str(),
    };
    let binding = args.challenge.as_deref().unwrap_or(own).trim_end_matches('=');
    let strict = Requirements { app: app_rule(verdict, args)?, ..Requirements::enforce(Vec::new()) };
    let broken = refusals(verdict, binding.as_bytes(), &strict, args.now());
    sheet.verdict(
        "verdict",
        Judged::by(named(&broken), "accepted: a certified phone, the app as distributed by Google Play, and a recent verdict"),
    );
    Ok(sheet.told(Some(posture(verdict, args.now())?)))
}

fn named(refusals: &[PlayRefusal]) -> Vec<(Reason, String)> {
    refusals.iter().map(|refusal| (refusal.reason(), refusal.to_string())).collect()
}

fn keys(args: &InspectArgs) -> Result<Option<DecryptionKeys>> {
    let Some(file) = &args.play_keys else { return Ok(None) };
    let reading = || format!("reading `{}`", file.display());
    let text = Secret::new(fs::read_to_string(file).with_context(reading)?);
    // The parser's own message may quote what it read, and one of the keys is secret.
    let wire: WireKeys = serde_json::from_str(text.expose())
        .map_err(|_| anyhow!("the file must contain {{\"decryption\":\"BASE64\",\"verification\":\"BASE64\"}} and nothing else"))
        .with_context(reading)?;
    DecryptionKeys::parse(&Secret::new(wire.decryption), &wire.verification).map(Some).with_context(reading)
}

/// The app of `--app`, by whomever it is signed; who signed it is on the page.
fn app_rule(verdict: &Verdict, args: &InspectArgs) -> Result<AppRule> {
    let Some(package) = &args.app else { return Ok(AppRule::Any) };
    let package = AppId::parse(package).with_context(|| format!("`--app {package}` is not a package name"))?;
    let signers = verdict.app.as_ref().map(|app| app.signers.clone()).unwrap_or_default();
    Ok(AppRule::OneOf(vec![App { package, signers, version_min: 0 }]))
}

/// The parts of a JWE (RFC 7516 section 7.1): the header in words, of the others their length.
fn parts(token: &str) -> Vec<(&str, Field)> {
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
    let length = |part: Option<Vec<u8>>, what: &str| {
        text(part.map_or_else(|| "not base64url".to_owned(), |bytes| format!("{} bytes: {what}", bytes.len())))
    };
    let mut parts = token.split('.');
    let mut next = || parts.next().and_then(decode);
    let header: Option<Value> = next().and_then(|header| serde_json::from_slice(&header).ok());
    vec![
        ("header", header.as_ref().map_or_else(|| text("not JSON"), header_field)),
        ("encrypted_key", length(next(), "the key of this token, encrypted with the app's key")),
        ("initialisation_vector", length(next(), "new for each token")),
        ("ciphertext", length(next(), "the verdict, signed by Google")),
        ("authentication_tag", length(next(), "over header and ciphertext")),
    ]
}

fn header_field(header: &Value) -> Field {
    let Some(members) = header.as_object() else { return text("not a JSON object") };
    let meaning = |name: &str, value: &Value| match (name, value.as_str()) {
        ("alg", Some("A256KW")) => "A256KW: the token's key is encrypted with AES-256 key wrap".to_owned(),
        ("enc", Some("A256GCM")) => "A256GCM: the verdict is encrypted with AES-256 in GCM".to_owned(),
        ("alg" | "enc", _) => format!("{value}: not used by Google Play, and refused"),
        (_, Some(text)) => text.to_owned(),
        (_, None) => value.to_string(),
    };
    Field::Group(members.iter().map(|(name, value)| (name.clone(), text(meaning(name, value)))).collect())
}

fn request(verdict: &Verdict) -> Vec<(&'static str, Field)> {
    let request = &verdict.request;
    let (kind, binding) = match &request.binding {
        Binding::Nonce(text) => ("nonce", text),
        Binding::RequestHash(text) => ("request_hash", text),
    };
    vec![
        ("package", text(format!("{}, as claimed by the app", request.package))),
        (kind, text(binding)),
        ("at", text(when::instant(request.at.seconds()))),
        ("testing", text(if verdict.testing { "yes: a test response from the Play Console" } else { "no" })),
        ("not_read", text(if verdict.unknown.is_empty() { "nothing".to_owned() } else { verdict.unknown.join(", ") })),
    ]
}

fn app(verdict: &Verdict) -> Vec<(&'static str, Field)> {
    let app = verdict.app.as_ref();
    let signers = app.map(|app| app.signers.iter().map(|signer| bytes(signer)).collect()).unwrap_or_default();
    let access = verdict.app_access.as_ref();
    vec![
        ("recognition", label(app.and_then(|app| app.recognition.as_ref()), recognition)),
        ("package", known(app.and_then(|app| app.package.as_deref()))),
        ("version", known(app.and_then(|app| app.version))),
        ("signers_sha256", Field::List(signers)),
        ("licensing", label(verdict.licensing.as_ref(), licensing)),
        (
            "other_apps",
            access.map_or_else(|| text("not given"), |all| Field::List(all.iter().map(|one| label(Some(one), access_meaning)).collect())),
        ),
    ]
}

fn device(verdict: &Verdict) -> Vec<(&'static str, Field)> {
    let device = verdict.device.as_ref();
    let labels: Vec<_> = device.iter().flat_map(|device| &device.labels).map(|one| label(Some(one), integrity)).collect();
    let labels = if labels.is_empty() { text("none: the phone meets no level") } else { Field::List(labels) };
    vec![
        ("integrity", labels),
        ("activity", label(device.and_then(|device| device.activity.as_ref()), activity)),
        ("sdk_version", known(device.and_then(|device| device.sdk_version))),
        ("recall", known(device.and_then(|device| device.recall).map(|recall| recall_in_words(&recall)))),
        ("play_protect", label(verdict.play_protect.as_ref(), protect)),
    ]
}

fn label<T: Labels>(label: Option<&Label<T>>, meaning: fn(T) -> &'static str) -> Field {
    text(match label {
        None => "not given".to_owned(),
        Some(label @ Label::Known(known)) => format!("{label}: {}", meaning(*known)),
        Some(label @ Label::Unevaluated) => format!("{label}: not evaluated by Google, because a precondition was not met"),
        Some(label @ Label::Unknown(_)) => format!("{label}: unknown, and not trusted by any rule"),
    })
}

const fn integrity(label: DeviceIntegrity) -> &'static str {
    match label {
        DeviceIntegrity::Basic => "passes basic checks; the system may not be certified by Google",
        DeviceIntegrity::Device => "a phone certified by Google",
        DeviceIntegrity::Strong => "a phone certified by Google, proved by its hardware",
        DeviceIntegrity::Virtual => "an emulator",
    }
}

const fn recognition(label: Recognition) -> &'static str {
    match label {
        Recognition::PlayRecognized => "app and signer are as distributed by Google Play",
        Recognition::UnrecognizedVersion => "app or signer differ from those distributed by Google Play",
    }
}

const fn licensing(label: Licensing) -> &'static str {
    match label {
        Licensing::Licensed => "installed or updated by Google Play",
        Licensing::Unlicensed => "not installed from Google Play",
    }
}

const fn activity(label: Activity) -> &'static str {
    match label {
        Activity::Level1 => "few verdicts requested by this phone recently",
        Activity::Level2 => "more verdicts requested by this phone recently than by most",
        Activity::Level3 => "many verdicts requested by this phone recently",
        Activity::Level4 => "more verdicts requested by this phone recently than one person needs",
    }
}

const fn protect(label: ProtectRisk) -> &'static str {
    match label {
        ProtectRisk::NoIssues => "Play Protect is on and found nothing",
        ProtectRisk::NoData => "Play Protect is on and has not scanned yet",
        ProtectRisk::PossibleRisk => "Play Protect is off",
        ProtectRisk::MediumRisk => "Play Protect found potentially harmful apps",
        ProtectRisk::HighRisk => "Play Protect found dangerous apps",
    }
}

const fn access_meaning(label: AppAccess) -> &'static str {
    match label {
        AppAccess::KnownCapturing => "apps from Google Play can see the screen",
        AppAccess::KnownControlling => "apps from Google Play can control this app",
        AppAccess::KnownInstalled => "apps from Google Play are installed",
        AppAccess::KnownOverlays => "apps from Google Play can draw over this app",
        AppAccess::UnknownCapturing => "apps from other sources can see the screen",
        AppAccess::UnknownControlling => "apps from other sources can control this app",
        AppAccess::UnknownInstalled => "apps from other sources are installed",
        AppAccess::UnknownOverlays => "apps from other sources can draw over this app",
    }
}

fn recall_in_words(recall: &DeviceRecall) -> String {
    let bits = [("first", recall.first), ("second", recall.second), ("third", recall.third)];
    let one = |(name, bit): (&str, countersign_attest::play::RecallBit)| {
        let set = match bit.set {
            Some(true) => "set",
            Some(false) => "not set",
            None => "not available",
        };
        bit.written.map_or_else(|| format!("{name} {set}"), |month| format!("{name} {set} in {month}"))
    };
    bits.map(one).join(", ")
}

/// What Google's word says of a device; the hardware said nothing.
fn posture(verdict: &Verdict, now: UnixSeconds) -> Result<Posture> {
    let app = verdict.app.as_ref();
    Ok(Posture {
        device: DeviceId::parse("inspected")?,
        key: Thumbprint::from_bytes([0; 32]),
        platform: Platform::Android,
        tier: EvidenceTier::Platform,
        by: Provenance::PlayIntegrity,
        established_at: now,
        security_level: SecurityLevel::Software,
        bootloader_locked: None,
        boot_state: None,
        boot_key: None,
        os_version: None,
        patch_level: None,
        app: app.and_then(|app| app.package.as_deref()).and_then(|package| AppId::parse(package).ok()),
        app_version: app.and_then(|app| app.version),
        certificates: Vec::new(),
        verdict: Some(vendor_verdict(verdict)),
        report: None,
        risk_metric: None,
    })
}

/// The same in the words in which requirements are written. A label that we do not know says nothing good.
fn vendor_verdict(verdict: &Verdict) -> VendorVerdict {
    let device = verdict.device.as_ref();
    let labels = device.iter().flat_map(|device| &device.labels).filter_map(Label::known);
    VendorVerdict {
        at: verdict.request.at.seconds(),
        integrity: labels.map(level).max().unwrap_or(Integrity::None),
        recognition: verdict.app.as_ref().and_then(|app| app.recognition.as_ref()).map(|label| match label.known() {
            Some(Recognition::PlayRecognized) => core::Recognition::Recognized,
            Some(Recognition::UnrecognizedVersion) => core::Recognition::Unrecognized,
            None => core::Recognition::Unevaluated,
        }),
        licensing: verdict.licensing.as_ref().map(|label| match label.known() {
            Some(Licensing::Licensed) => core::Licensing::Licensed,
            Some(Licensing::Unlicensed) => core::Licensing::Unlicensed,
            None => core::Licensing::Unevaluated,
        }),
        play_protect: verdict.play_protect.as_ref().map(|label| match label.known() {
            Some(ProtectRisk::NoIssues) => PlayProtect::NoIssues,
            Some(ProtectRisk::NoData) => PlayProtect::NoData,
            Some(ProtectRisk::PossibleRisk) => PlayProtect::PossibleRisk,
            Some(ProtectRisk::MediumRisk) => PlayProtect::MediumRisk,
            Some(ProtectRisk::HighRisk) => PlayProtect::HighRisk,
            None => PlayProtect::Unevaluated,
        }),
        app_access: verdict.app_access.iter().flatten().map(access).collect::<BTreeSet<_>>(),
        recent_activity: device.and_then(|device| device.activity.as_ref()).and_then(Label::known).map(|activity| match activity {
            Activity::Level1 => 1,
            Activity::Level2 => 2,
            Activity::Level3 => 3,
            Activity::Level4 => 4,
        }),
        sdk_version: device.and_then(|device| device.sdk_version).and_then(|version| u32::try_from(version).ok()),
        recall: device.and_then(|device| device.recall).and_then(|recall| Some([recall.first.set?, recall.second.set?, recall.third.set?])),
        testing: verdict.testing,
    }
}

const fn level(label: DeviceIntegrity) -> Integrity {
    match label.level() {
        Some(DeviceLevel::Basic) => Integrity::Basic,
        Some(DeviceLevel::Device) => Integrity::Device,
        Some(DeviceLevel::Strong) => Integrity::Strong,
        None => Integrity::Virtual,
    }
}

fn access(label: &Label<AppAccess>) -> core::AppAccess {
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
