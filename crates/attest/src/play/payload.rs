//! Conversion of a payload into a verdict: each field of Google's JSON with its place and type.

use std::collections::BTreeSet;

use countersign_codec::base64url;
use countersign_core::{Limits, UnixMillis};

use crate::play::label::{AppAccess, Label, Labels, ProtectRisk};
use crate::play::refusal::VerdictRefusal;
use crate::play::verdict::{AppIntegrity, Binding, Device, DeviceRecall, RecallBit, Request, Verdict};
use crate::play::wire::{Group, Unknown};

impl Verdict {
    /// Parses a payload, as [`super::decrypt_and_verify`] returns it.
    ///
    /// A payload that parses may still come from anybody; only the caller knows its origin.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(payload: &str) -> Result<Self, VerdictRefusal> {
        read(outermost(payload)?, Unknown::default())
    }

    /// Parses the body of Google's answer to `decodeIntegrityToken`. The caller fetched it over TLS and therefore knows that it is
    /// Google's.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn from_decoded(body: &str) -> Result<Self, VerdictRefusal> {
        let mut unknown = Unknown::default();
        // The bound on the size holds for the whole answer, payload and frame.
        let mut answer = outermost(body)?;
        let payload = required("tokenPayloadExternal", answer.group("tokenPayloadExternal")?)?;
        answer.close(&mut unknown);
        read(payload.rebased(), unknown)
    }
}

fn outermost(text: &str) -> Result<Group<'_>, VerdictRefusal> {
    if text.len() > Limits::VERDICT_BYTES_MAX {
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
        // SECURITY: with both, a standard and a classic request could be confused, and with neither the verdict answers no request of ours.
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

/// A SHA-256 in base64url, with or without padding: Google's pages do not say which, and its libraries differ.
fn digest(text: &str) -> Result<[u8; 32], VerdictRefusal> {
    let bare = text.strip_suffix('=').unwrap_or(text);
    base64url::decode_array(bare).map_err(|_| VerdictRefusal::FieldMalformed { field: "certificateSha256Digest" })
}

fn device(mut group: Group<'_>, unknown: &mut Unknown) -> Result<Device, VerdictRefusal> {
    // No label at all is a statement too: the phone passed no check.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::play::label::{Activity, DeviceIntegrity, Licensing, Recognition};
    use serde_json::{Value, json};

    const DIGEST: &str = "hIO7bIJmGlKa_ly9Jw-83oZMk_2iAF3IMh-OG7SGmR8";

    /// Everything that Google's pages describe.
    fn whole() -> Value {
        json!({
            "requestDetails": { "requestPackageName": "com.example.bank", "requestHash": "aGVsbG8", "timestampMillis": "1675655009345" },
            "appIntegrity": {
                "appRecognitionVerdict": "PLAY_RECOGNIZED", "packageName": "com.example.bank",
                "certificateSha256Digest": [DIGEST], "versionCode": "42",
            },
            "deviceIntegrity": {
                "deviceRecognitionVerdict": ["MEETS_BASIC_INTEGRITY", "MEETS_DEVICE_INTEGRITY"],
                "recentDeviceActivity": { "deviceActivityLevel": "LEVEL_2" },
                "deviceAttributes": { "sdkVersion": 33 },
                "deviceRecall": {
                    "values": { "bitFirst": true, "bitSecond": false, "bitThird": true },
                    "writeDates": { "yyyymmFirst": 202_401, "yyyymmThird": 202_310 },
                },
            },
            "accountDetails": { "appLicensingVerdict": "LICENSED" },
            "environmentDetails": {
                "appAccessRiskVerdict": { "appsDetected": ["KNOWN_INSTALLED", "UNKNOWN_CAPTURING"] },
                "playProtectVerdict": "NO_ISSUES",
            },
            "testingDetails": { "isTestingResponse": true },
        })
    }

    fn facts() -> Verdict {
        Verdict {
            request: Request {
                package: String::from("com.example.bank"),
                binding: Binding::RequestHash(String::from("aGVsbG8")),
                at: UnixMillis(1_675_655_009_345),
            },
            app: Some(AppIntegrity {
                recognition: Some(Label::Known(Recognition::PlayRecognized)),
                package: Some(String::from("com.example.bank")),
                signers: vec![base64url::decode_array(DIGEST).expect("a digest")],
                version: Some(42),
            }),
            device: Some(Device {
                labels: [DeviceIntegrity::Basic, DeviceIntegrity::Device].map(Label::Known).into(),
                activity: Some(Label::Known(Activity::Level2)),
                sdk_version: Some(33),
                recall: Some(DeviceRecall {
                    first: RecallBit { set: Some(true), written: Some(202_401) },
                    second: RecallBit { set: Some(false), written: None },
                    third: RecallBit { set: Some(true), written: Some(202_310) },
                }),
            }),
            licensing: Some(Label::Known(Licensing::Licensed)),
            app_access: Some([AppAccess::KnownInstalled, AppAccess::UnknownCapturing].map(Label::Known).into()),
            play_protect: Some(Label::Known(ProtectRisk::NoIssues)),
            testing: true,
            unknown: vec![],
        }
    }

    fn drop_member(object: &mut Value, name: &str) {
        object.as_object_mut().expect("an object").remove(name).expect("a member");
    }

    #[test]
    fn every_field_becomes_a_fact() {
        type Row = (&'static str, fn(&mut Value), fn(&mut Verdict));
        let rows: &[Row] = &[
            ("everything", |_| {}, |_| {}),
            (
                "a classic request",
                |payload| payload["requestDetails"] = json!({ "requestPackageName": "a", "nonce": "YQ==", "timestampMillis": 7 }),
                |facts| {
                    facts.request =
                        Request { package: String::from("a"), binding: Binding::Nonce(String::from("YQ==")), at: UnixMillis(7) };
                },
            ),
            ("a version that is a number", |payload| payload["appIntegrity"]["versionCode"] = json!(42), |_| {}),
            (
                "the greatest version",
                |payload| payload["appIntegrity"]["versionCode"] = json!(u64::MAX.to_string()),
                |facts| facts.app.as_mut().expect("an app").version = Some(u64::MAX),
            ),
            ("a padded digest", |payload| payload["appIntegrity"]["certificateSha256Digest"] = json!([format!("{DIGEST}=")]), |_| {}),
            (
                "an app that was not evaluated",
                |payload| payload["appIntegrity"] = json!({ "appRecognitionVerdict": "UNEVALUATED" }),
                |facts| {
                    facts.app = Some(AppIntegrity { recognition: Some(Label::Unevaluated), package: None, signers: vec![], version: None });
                },
            ),
            (
                "a phone that fulfils nothing",
                |payload| {
                    payload["deviceIntegrity"] =
                        json!({ "recentDeviceActivity": { "deviceActivityLevel": "UNEVALUATED" }, "deviceAttributes": {} });
                },
                |facts| {
                    let activity = Some(Label::Unevaluated);
                    facts.device = Some(Device { labels: BTreeSet::new(), activity, sdk_version: None, recall: None });
                },
            ),
            (
                "no recall",
                |payload| payload["deviceIntegrity"]["deviceRecall"] = json!({ "values": {}, "writeDates": {} }),
                |facts| {
                    let nothing = RecallBit { set: None, written: None };
                    let recall = DeviceRecall { first: nothing, second: nothing, third: nothing };
                    facts.device.as_mut().expect("a phone").recall = Some(recall);
                },
            ),
            (
                "access that was not evaluated",
                |payload| payload["environmentDetails"]["appAccessRiskVerdict"] = json!({}),
                |facts| facts.app_access = None,
            ),
            (
                "no other apps",
                |payload| payload["environmentDetails"]["appAccessRiskVerdict"]["appsDetected"] = json!([]),
                |facts| facts.app_access = Some(BTreeSet::new()),
            ),
            ("no test", |payload| payload["testingDetails"]["isTestingResponse"] = json!(false), |facts| facts.testing = false),
            (
                "a label twice",
                |payload| {
                    let labels = ["MEETS_BASIC_INTEGRITY", "MEETS_DEVICE_INTEGRITY", "MEETS_BASIC_INTEGRITY"];
                    payload["deviceIntegrity"]["deviceRecognitionVerdict"] = json!(labels);
                },
                |_| {},
            ),
            (
                "labels of later times",
                |payload| {
                    payload["deviceIntegrity"]["deviceRecognitionVerdict"] = json!(["MEETS_QUANTUM_INTEGRITY"]);
                    payload["environmentDetails"]["playProtectVerdict"] = json!("SUPERB");
                },
                |facts| {
                    let label = Label::Unknown(String::from("MEETS_QUANTUM_INTEGRITY"));
                    facts.device.as_mut().expect("a phone").labels = [label].into();
                    facts.play_protect = Some(Label::Unknown(String::from("SUPERB")));
                },
            ),
            (
                "fields of later times",
                |payload| {
                    payload["deviceIntegrity"]["deviceRecall"]["values"]["bitFourth"] = json!(true);
                    payload["deviceIntegrity"]["legacyDeviceRecognitionVerdict"] = json!(["MEETS_STRONG_INTEGRITY"]);
                    payload["environmentDetails"]["locationSpoofingRiskVerdict"] = json!([{ "a": null }]);
                    payload["weather"] = json!({});
                },
                |facts| {
                    let names = [
                        "deviceIntegrity.deviceRecall.values.bitFourth",
                        "deviceIntegrity.legacyDeviceRecognitionVerdict",
                        "environmentDetails.locationSpoofingRiskVerdict",
                        "weather",
                    ];
                    facts.unknown = names.map(String::from).to_vec();
                },
            ),
        ];
        for (name, change, expected) in rows {
            let (mut payload, mut verdict) = (whole(), facts());
            change(&mut payload);
            expected(&mut verdict);
            assert_eq!(Verdict::parse(&payload.to_string()).as_ref(), Ok(&verdict), "{name}");
            assert_eq!(Verdict::from_decoded(&json!({ "tokenPayloadExternal": payload }).to_string()), Ok(verdict), "{name}, decoded");
        }
    }

    #[test]
    fn what_google_leaves_out_is_none() {
        let mut payload = whole();
        for name in ["appIntegrity", "deviceIntegrity", "accountDetails", "environmentDetails", "testingDetails"] {
            drop_member(&mut payload, name);
        }
        let (app, device, licensing, app_access, play_protect) = (None, None, None, None, None);
        let nothing = Verdict { app, device, licensing, app_access, play_protect, testing: false, ..facts() };
        assert_eq!(Verdict::parse(&payload.to_string()), Ok(nothing));
    }

    #[test]
    fn a_field_has_its_type() {
        fn malformed(field: &'static str) -> VerdictRefusal {
            VerdictRefusal::FieldMalformed { field }
        }
        let missing = |field| VerdictRefusal::FieldMissing { field };
        let too_many = |field| VerdictRefusal::TooMany { field };
        let rows: &[(&str, fn(&mut Value), VerdictRefusal)] = &[
            ("no request", |p| drop_member(p, "requestDetails"), missing("requestDetails")),
            ("no package", |p| drop_member(&mut p["requestDetails"], "requestPackageName"), missing("requestPackageName")),
            ("no time", |p| drop_member(&mut p["requestDetails"], "timestampMillis"), missing("timestampMillis")),
            ("no hash", |p| drop_member(&mut p["requestDetails"], "requestHash"), VerdictRefusal::BindingAmbiguous),
            ("hash and nonce", |p| p["requestDetails"]["nonce"] = json!("aGVsbG8"), VerdictRefusal::BindingAmbiguous),
            ("a hash that is a number", |p| p["requestDetails"]["requestHash"] = json!(1), malformed("requestHash")),
            ("a nonce that is null", |p| p["requestDetails"]["nonce"] = json!(null), malformed("nonce")),
            ("a time before all times", |p| p["requestDetails"]["timestampMillis"] = json!(-1), malformed("timestampMillis")),
            ("half a millisecond", |p| p["requestDetails"]["timestampMillis"] = json!(0.5), malformed("timestampMillis")),
            ("a time in words", |p| p["requestDetails"]["timestampMillis"] = json!("now"), malformed("timestampMillis")),
            ("an empty time", |p| p["requestDetails"]["timestampMillis"] = json!(""), malformed("timestampMillis")),
            ("a signed time", |p| p["requestDetails"]["timestampMillis"] = json!("+5"), malformed("timestampMillis")),
            ("a time with zeros before", |p| p["requestDetails"]["timestampMillis"] = json!("05"), malformed("timestampMillis")),
            (
                "a time after all times",
                |p| p["requestDetails"]["timestampMillis"] = json!("18446744073709551616"),
                malformed("timestampMillis"),
            ),
            ("a request that is a list", |p| p["requestDetails"] = json!([]), malformed("requestDetails")),
            ("an app that is null", |p| p["appIntegrity"] = json!(null), malformed("appIntegrity")),
            ("a version of dots", |p| p["appIntegrity"]["versionCode"] = json!("0.331.0"), malformed("versionCode")),
            (
                "a digest too short",
                |p| p["appIntegrity"]["certificateSha256Digest"] = json!(["6a6a"]),
                malformed("certificateSha256Digest"),
            ),
            (
                "a digest padded twice",
                |p| p["appIntegrity"]["certificateSha256Digest"] = json!([format!("{DIGEST}==")]),
                malformed("certificateSha256Digest"),
            ),
            (
                "one digest, not in a list",
                |p| p["appIntegrity"]["certificateSha256Digest"] = json!(DIGEST),
                malformed("certificateSha256Digest"),
            ),
            ("33 digests", |p| p["appIntegrity"]["certificateSha256Digest"] = json!(vec![DIGEST; 33]), too_many("certificateSha256Digest")),
            (
                "33 labels",
                |p| p["deviceIntegrity"]["deviceRecognitionVerdict"] = json!(vec!["A"; 33]),
                too_many("deviceRecognitionVerdict"),
            ),
            (
                "a label that is a number",
                |p| p["deviceIntegrity"]["deviceRecognitionVerdict"] = json!([1]),
                malformed("deviceRecognitionVerdict"),
            ),
            ("a bit that is a number", |p| p["deviceIntegrity"]["deviceRecall"]["values"]["bitFirst"] = json!(1), malformed("bitFirst")),
            ("month 13", |p| p["deviceIntegrity"]["deviceRecall"]["writeDates"]["yyyymmFirst"] = json!(202_413), malformed("yyyymmFirst")),
            ("month 0", |p| p["deviceIntegrity"]["deviceRecall"]["writeDates"]["yyyymmThird"] = json!(202_400), malformed("yyyymmThird")),
            ("no month", |p| p["deviceIntegrity"]["deviceRecall"]["writeDates"]["yyyymmSecond"] = json!(0), malformed("yyyymmSecond")),
            ("a test that is a text", |p| p["testingDetails"]["isTestingResponse"] = json!("false"), malformed("isTestingResponse")),
            ("access that is a text", |p| p["environmentDetails"]["appAccessRiskVerdict"] = json!(""), malformed("appAccessRiskVerdict")),
        ];
        for (name, change, expected) in rows {
            let mut payload = whole();
            change(&mut payload);
            assert_eq!(Verdict::parse(&payload.to_string()), Err(*expected), "{name}");
        }
        let mut most = whole();
        most["deviceIntegrity"]["deviceRecognitionVerdict"] = json!(vec!["A"; 32]);
        assert!(Verdict::parse(&most.to_string()).is_ok(), "32 labels");
        assert_eq!(Verdict::from_decoded("{}"), Err(missing("tokenPayloadExternal")));
        assert_eq!(Verdict::from_decoded(&whole().to_string()), Err(missing("tokenPayloadExternal")), "the payload itself");
    }

    #[test]
    fn a_payload_is_one_object_of_small_depth() {
        let with = |extra: &str| {
            let whole = whole().to_string();
            format!("{},{extra}}}", whole.strip_suffix('}').expect("an object"))
        };
        let nested = |depth: usize| with(&format!("\"a\":{}1{}", "[".repeat(depth), "]".repeat(depth)));
        let padded = |length: usize| format!("{}{}", whole(), " ".repeat(length - whole().to_string().len()));
        let rows: &[(&str, String, Result<(), VerdictRefusal>)] = &[
            ("all fits", whole().to_string(), Ok(())),
            ("space around", format!(" {}\n", whole()), Ok(())),
            ("as deep as is read", nested(11), Ok(())),
            ("one deeper", nested(12), Err(VerdictRefusal::NotTheObject)),
            ("very deep", nested(20_000), Err(VerdictRefusal::NotTheObject)),
            ("as long as is read", padded(Limits::VERDICT_BYTES_MAX), Ok(())),
            ("one byte longer", padded(Limits::VERDICT_BYTES_MAX + 1), Err(VerdictRefusal::TooLarge)),
            ("two requests", with("\"requestDetails\":{}"), Err(VerdictRefusal::NotTheObject)),
            ("two requests, one escaped", with("\"\\u0072equestDetails\":{}"), Err(VerdictRefusal::NotTheObject)),
            ("twice the same further in", with("\"a\":{\"b\":[{\"c\":1,\"c\":1}]}"), Err(VerdictRefusal::NotTheObject)),
            ("a list", String::from("[]"), Err(VerdictRefusal::NotTheObject)),
            ("a text", String::from("\"{}\""), Err(VerdictRefusal::NotTheObject)),
            ("nothing", String::new(), Err(VerdictRefusal::NotTheObject)),
            ("cut off", String::from("{\"requestDetails\":"), Err(VerdictRefusal::NotTheObject)),
            ("two payloads", whole().to_string().repeat(2), Err(VerdictRefusal::NotTheObject)),
        ];
        for (name, payload, expected) in rows {
            assert_eq!(Verdict::parse(payload).map(|_| ()), *expected, "{name}");
        }
    }

    #[test]
    fn what_is_unknown_is_bounded() {
        let mut payload = whole();
        for index in 0..40 {
            payload["accountDetails"][format!("{index}{}", "ä".repeat(100))] = json!(index);
        }
        let verdict = Verdict::parse(&payload.to_string()).expect("a verdict");
        assert_eq!(verdict.unknown.len(), 16);
        assert!(verdict.unknown.iter().all(|name| (120..=128).contains(&name.len())), "{:?}", verdict.unknown);
    }
}
