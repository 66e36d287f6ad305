//! The judgement of a verdict: one function that stops at the first broken rule, and one that lists all of them.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use countersign_core::{Limits, Seconds, UnixSeconds};

use crate::play::refusal::PlayRefusal;
use crate::play::requirements::Requirements;
use crate::play::verdict::Verdict;

/// Verifies a verdict: it must answer the request that `binding` stands for (a request hash, or a nonce without padding; see
/// [`super::request_hash`]), be fresh, and show an app and a phone as required.
///
/// This function does not detect a verdict that is used twice; the caller consumes the challenge in `binding`.
///
/// # Errors
/// The first rule that is broken, in the order of [`refusals`].
pub fn verify(verdict: &Verdict, binding: &[u8], requirements: &Requirements, now: UnixSeconds) -> Result<(), PlayRefusal> {
    refusals(verdict, binding, requirements, now).into_iter().next().map_or(Ok(()), Err)
}

/// All rules that a verdict breaks, in order; empty when it breaks none. For reports, and for trying out requirements before they are
/// enforced.
#[must_use]
pub fn refusals(verdict: &Verdict, binding: &[u8], requirements: &Requirements, now: UnixSeconds) -> Vec<PlayRefusal> {
    // The request first: what a verdict for another request says is of no interest.
    let request = [answers(verdict, binding), not_ahead(verdict, now), fresh(verdict, requirements.age_max, now)];
    request.into_iter().chain(requirements.answers(verdict)).filter_map(Result::err).collect()
}

/// Checks that the verdict was requested with this hash or nonce; compared in constant time.
fn answers(verdict: &Verdict, binding: &[u8]) -> Result<(), PlayRefusal> {
    // SECURITY: an app that asks without a nonce gets a verdict that would fit every request. An empty binding therefore never
    // matches, not even an empty one.
    if binding.is_empty() {
        return Err(PlayRefusal::RequestMismatch);
    }
    verify_slices_are_equal(verdict.request.binding.text().as_bytes(), binding).map_err(|_| PlayRefusal::RequestMismatch)
}

const fn not_ahead(verdict: &Verdict, now: UnixSeconds) -> Result<(), PlayRefusal> {
    let at = verdict.request.at.seconds();
    if at.0 > now.plus(Limits::VENDOR_CLOCK_AHEAD_MAX).0 { Err(PlayRefusal::VerdictTooEarly { at }) } else { Ok(()) }
}

const fn fresh(verdict: &Verdict, age_max: Seconds, now: UnixSeconds) -> Result<(), PlayRefusal> {
    let at = verdict.request.at.seconds();
    if now.since(at).0 > age_max.0 { Err(PlayRefusal::VerdictTooOld { at }) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::play::label::{AppAccess, DeviceIntegrity, DeviceLevel, Label, Licensing, ProtectRisk, Recognition};
    use crate::play::requirements::{
        App, AppAccessRule, AppRule, DeviceRule, LicensingRule, PlayProtectRule, RecognitionRule, TestingRule,
    };
    use crate::play::verdict::{AppIntegrity, Binding, Device, Request};
    use countersign_core::{AppId, Reason, UnixMillis};

    const HASH: &str = "aGVsbG8gd29ybGQgdGhlcmU";
    const NOW: u64 = 1_700_000_000;

    fn bank() -> App {
        App { package: AppId::parse("com.example.bank").expect("a package"), signers: vec![[1; 32], [2; 32]], version_min: 42 }
    }

    /// Every rule asks for something.
    fn strictest() -> Requirements {
        Requirements {
            play_protect: PlayProtectRule::AtMost(ProtectRisk::NoData),
            app_access: AppAccessRule::NoneOf(vec![AppAccess::KnownControlling, AppAccess::UnknownControlling]),
            ..Requirements::enforce(vec![bank()])
        }
    }

    /// A verdict that meets them.
    fn good() -> Verdict {
        Verdict {
            request: Request {
                package: String::from("com.example.bank"),
                binding: Binding::RequestHash(String::from(HASH)),
                at: UnixMillis(NOW * 1000),
            },
            app: Some(AppIntegrity {
                recognition: Some(Label::Known(Recognition::PlayRecognized)),
                package: Some(String::from("com.example.bank")),
                signers: vec![[1; 32]],
                version: Some(42),
            }),
            device: Some(Device {
                labels: [DeviceIntegrity::Device].map(Label::Known).into(),
                activity: None,
                sdk_version: None,
                recall: None,
            }),
            licensing: Some(Label::Known(Licensing::Licensed)),
            app_access: Some([AppAccess::KnownInstalled].map(Label::Known).into()),
            play_protect: Some(Label::Known(ProtectRisk::NoData)),
            testing: false,
            unknown: vec![],
        }
    }

    fn app(verdict: &mut Verdict) -> &mut AppIntegrity {
        verdict.app.as_mut().expect("an app")
    }

    fn labelled(verdict: &mut Verdict, labels: &[&str]) {
        verdict.device.as_mut().expect("a phone").labels = labels.iter().map(|text| Label::read(text)).collect();
    }

    fn texts(labels: &[&str]) -> Vec<String> {
        labels.iter().map(|text| (*text).to_owned()).collect()
    }

    /// Judges by the one and by the other function, which have to agree.
    fn judged(verdict: &Verdict, binding: &str, requirements: &Requirements) -> Vec<PlayRefusal> {
        let refusals = refusals(verdict, binding.as_bytes(), requirements, UnixSeconds(NOW));
        let first = verify(verdict, binding.as_bytes(), requirements, UnixSeconds(NOW));
        assert_eq!(first.err().as_ref(), refusals.first());
        refusals
    }

    type Row = (&'static str, fn(&mut Verdict), fn(&mut Requirements), Vec<PlayRefusal>);

    fn check(rows: &[Row]) {
        for (name, change, require, expected) in rows {
            let (mut verdict, mut requirements) = (good(), strictest());
            change(&mut verdict);
            require(&mut requirements);
            assert_eq!(judged(&verdict, HASH, &requirements), *expected, "{name}");
        }
    }

    #[test]
    fn a_verdict_answers_one_request() {
        let hash = |text: &str| Binding::RequestHash(text.to_owned());
        let nonce = |text: &str| Binding::Nonce(text.to_owned());
        let rows: &[(&str, Binding, &str, bool)] = &[
            ("the hash", hash(HASH), HASH, true),
            ("the nonce", nonce(HASH), HASH, true),
            ("the nonce, padded on its way", nonce(&format!("{HASH}=")), HASH, true),
            ("a padded hash", hash(&format!("{HASH}=")), HASH, false),
            ("another hash", hash("aGVsbG8gd29ybGQgdGhlcmV"), HASH, false),
            ("another case", hash(&HASH.to_lowercase()), HASH, false),
            ("a part of it", hash("aGVsbG8"), HASH, false),
            ("nothing for something", hash(""), HASH, false),
            ("something for nothing", hash(HASH), "", false),
            ("nothing for nothing", hash(""), "", false),
            ("nothing but padding for nothing", nonce("=="), "", false),
        ];
        for (name, binding, expected, fits) in rows {
            let mut verdict = good();
            verdict.request.binding = binding.clone();
            let refusals = if *fits { vec![] } else { vec![PlayRefusal::RequestMismatch] };
            assert_eq!(judged(&verdict, expected, &strictest()), refusals, "{name}");
            assert_eq!(judged(&verdict, expected, &Requirements::observe()), refusals, "{name}, observing");
        }
    }

    #[test]
    fn a_verdict_is_of_now() {
        let late = |at| vec![PlayRefusal::VerdictTooEarly { at: UnixSeconds(at) }];
        let old = |at| vec![PlayRefusal::VerdictTooOld { at: UnixSeconds(at) }];
        check(&[
            ("as old as is accepted", |verdict| verdict.request.at = UnixMillis((NOW - 300) * 1000), |_| {}, vec![]),
            ("a second older", |verdict| verdict.request.at = UnixMillis((NOW - 301) * 1000 + 999), |_| {}, old(NOW - 301)),
            ("from the beginning of time", |verdict| verdict.request.at = UnixMillis(0), |_| {}, old(0)),
            (
                "from the beginning of time, accepted",
                |verdict| verdict.request.at = UnixMillis(0),
                |required| required.age_max = Seconds(u64::MAX),
                vec![],
            ),
            ("as far ahead as is accepted", |verdict| verdict.request.at = UnixMillis((NOW + 60) * 1000 + 999), |_| {}, vec![]),
            ("a second further", |verdict| verdict.request.at = UnixMillis((NOW + 61) * 1000), |_| {}, late(NOW + 61)),
            ("from the end of time", |verdict| verdict.request.at = UnixMillis(u64::MAX), |_| {}, late(u64::MAX / 1000)),
            (
                "from the end of time, observing",
                |verdict| verdict.request.at = UnixMillis(u64::MAX),
                |required| *required = Requirements::observe(),
                late(u64::MAX / 1000),
            ),
        ]);
    }

    #[test]
    fn a_phone_reaches_a_level() {
        let missing = |level_min, labels: &[&str]| vec![PlayRefusal::DeviceIntegrityMissing { level_min, labels: texts(labels) }];
        let (basic, device, strong) = (DeviceLevel::Basic, DeviceLevel::Device, DeviceLevel::Strong);
        check(&[
            ("the level", |verdict| labelled(verdict, &["MEETS_DEVICE_INTEGRITY"]), |_| {}, vec![]),
            ("a better one", |verdict| labelled(verdict, &["MEETS_STRONG_INTEGRITY"]), |_| {}, vec![]),
            ("less", |verdict| labelled(verdict, &["MEETS_BASIC_INTEGRITY"]), |_| {}, missing(device, &["MEETS_BASIC_INTEGRITY"])),
            (
                "the least, asked for",
                |verdict| labelled(verdict, &["MEETS_BASIC_INTEGRITY"]),
                |required| required.device = DeviceRule::AtLeast(DeviceLevel::Basic),
                vec![],
            ),
            (
                "the best, asked for",
                |verdict| labelled(verdict, &["MEETS_BASIC_INTEGRITY", "MEETS_DEVICE_INTEGRITY", "MEETS_STRONG_INTEGRITY"]),
                |required| required.device = DeviceRule::AtLeast(DeviceLevel::Strong),
                vec![],
            ),
            (
                "the best, not reached",
                |_| {},
                |required| required.device = DeviceRule::AtLeast(DeviceLevel::Strong),
                missing(strong, &["MEETS_DEVICE_INTEGRITY"]),
            ),
            (
                "an emulator",
                |verdict| labelled(verdict, &["MEETS_VIRTUAL_INTEGRITY"]),
                |required| required.device = DeviceRule::AtLeast(DeviceLevel::Basic),
                missing(basic, &["MEETS_VIRTUAL_INTEGRITY"]),
            ),
            ("a label of later times", |verdict| labelled(verdict, &["MEETS_MORE"]), |_| {}, missing(device, &["MEETS_MORE"])),
            ("not evaluated", |verdict| labelled(verdict, &["UNEVALUATED"]), |_| {}, missing(device, &["UNEVALUATED"])),
            ("no label", |verdict| labelled(verdict, &[]), |_| {}, missing(device, &[])),
            ("no word of it", |verdict| verdict.device = None, |_| {}, missing(device, &[])),
            ("no word of it, not asked", |verdict| verdict.device = None, |required| required.device = DeviceRule::Any, vec![]),
        ]);
    }

    #[test]
    fn an_app_is_one_of_ours() {
        let unknown = |package: Option<&str>| vec![PlayRefusal::AppUnknown { package: package.map(String::from) }];
        let claimed = |package: &str| vec![PlayRefusal::RequestPackageUnknown { package: package.to_owned() }];
        let signed = |signers: &[[u8; 32]]| {
            vec![PlayRefusal::AppSignerUnknown { package: String::from("com.example.bank"), signers: signers.to_vec() }]
        };
        let old = |version| vec![PlayRefusal::AppVersionTooOld { version_min: 42, version }];
        check(&[
            ("another app runs", |verdict| app(verdict).package = Some(String::from("com.evil")), |_| {}, unknown(Some("com.evil"))),
            ("no app is named", |verdict| app(verdict).package = None, |_| {}, unknown(None)),
            ("another app asked", |verdict| verdict.request.package = String::from("com.evil"), |_| {}, claimed("com.evil")),
            ("another case", |verdict| verdict.request.package = String::from("com.example.Bank"), |_| {}, claimed("com.example.Bank")),
            (
                "one of ours asked for another of ours",
                |verdict| verdict.request.package = String::from("com.example.shop"),
                |required| {
                    let shop = App { package: AppId::parse("com.example.shop").expect("a package"), ..bank() };
                    required.app = AppRule::OneOf(vec![shop, bank()]);
                },
                unknown(Some("com.example.bank")),
            ),
            ("no app is ours", |_| {}, |required| required.app = AppRule::OneOf(vec![]), claimed("com.example.bank")),
            ("every app is", |verdict| app(verdict).package = Some(String::from("a")), |required| required.app = AppRule::Any, vec![]),
            ("both signers", |verdict| app(verdict).signers = vec![[2; 32], [1; 32]], |_| {}, vec![]),
            ("another signer", |verdict| app(verdict).signers = vec![[3; 32]], |_| {}, signed(&[[3; 32]])),
            ("another signer, added", |verdict| app(verdict).signers.push([3; 32]), |_| {}, signed(&[[1; 32], [3; 32]])),
            ("no signer", |verdict| app(verdict).signers = vec![], |_| {}, signed(&[])),
            ("a version less", |verdict| app(verdict).version = Some(41), |_| {}, old(Some(41))),
            ("a version more", |verdict| app(verdict).version = Some(43), |_| {}, vec![]),
            ("no version", |verdict| app(verdict).version = None, |_| {}, old(None)),
            (
                "no version, not asked",
                |verdict| app(verdict).version = None,
                |required| required.app = AppRule::OneOf(vec![App { version_min: 0, ..bank() }]),
                vec![],
            ),
        ]);
    }

    #[test]
    fn google_play_knows_app_and_account() {
        let unrecognized = |recognition| vec![PlayRefusal::AppUnrecognized { recognition }];
        let unlicensed = |licensing| vec![PlayRefusal::Unlicensed { licensing }];
        let later = || String::from("ALMOST");
        check(&[
            (
                "another app",
                |verdict| app(verdict).recognition = Some(Label::Known(Recognition::UnrecognizedVersion)),
                |_| {},
                unrecognized(Some(Label::Known(Recognition::UnrecognizedVersion))),
            ),
            (
                "not evaluated",
                |verdict| app(verdict).recognition = Some(Label::Unevaluated),
                |_| {},
                unrecognized(Some(Label::Unevaluated)),
            ),
            (
                "a later label",
                |verdict| app(verdict).recognition = Some(Label::read("ALMOST")),
                |_| {},
                unrecognized(Some(Label::Unknown(later()))),
            ),
            ("no word of it", |verdict| app(verdict).recognition = None, |_| {}, unrecognized(None)),
            (
                "no word of it, not asked",
                |verdict| app(verdict).recognition = None,
                |required| required.recognition = RecognitionRule::Any,
                vec![],
            ),
            (
                "from elsewhere",
                |verdict| verdict.licensing = Some(Label::Known(Licensing::Unlicensed)),
                |_| {},
                unlicensed(Some(Label::Known(Licensing::Unlicensed))),
            ),
            ("account not evaluated", |verdict| verdict.licensing = Some(Label::Unevaluated), |_| {}, unlicensed(Some(Label::Unevaluated))),
            (
                "a later label for it",
                |verdict| verdict.licensing = Some(Label::read("ALMOST")),
                |_| {},
                unlicensed(Some(Label::Unknown(later()))),
            ),
            ("no account", |verdict| verdict.licensing = None, |_| {}, unlicensed(None)),
            ("no account, not asked", |verdict| verdict.licensing = None, |required| required.licensing = LicensingRule::Any, vec![]),
            ("a test", |verdict| verdict.testing = true, |_| {}, vec![PlayRefusal::TestingResponse]),
            ("a test, allowed", |verdict| verdict.testing = true, |required| required.testing = TestingRule::Allowed, vec![]),
        ]);
    }

    #[test]
    fn surroundings_are_safe_enough() {
        let risk = |risk| vec![PlayRefusal::PlayProtectRisk { risk }];
        let access = |labels: &[&str]| vec![PlayRefusal::AppAccessRisk { found: texts(labels) }];
        fn detected(verdict: &mut Verdict, labels: &[&str]) {
            verdict.app_access = Some(labels.iter().map(|text| Label::read(text)).collect());
        }
        check(&[
            ("the best", |verdict| verdict.play_protect = Some(Label::Known(ProtectRisk::NoIssues)), |_| {}, vec![]),
            (
                "the next worse",
                |verdict| verdict.play_protect = Some(Label::Known(ProtectRisk::PossibleRisk)),
                |_| {},
                risk(Some(Label::Known(ProtectRisk::PossibleRisk))),
            ),
            (
                "the worst, for which the rule stands",
                |verdict| verdict.play_protect = Some(Label::Known(ProtectRisk::HighRisk)),
                |required| required.play_protect = PlayProtectRule::AtMost(ProtectRisk::HighRisk),
                vec![],
            ),
            ("not evaluated", |verdict| verdict.play_protect = Some(Label::Unevaluated), |_| {}, risk(Some(Label::Unevaluated))),
            (
                "a later label",
                |verdict| verdict.play_protect = Some(Label::read("SUPERB")),
                |required| required.play_protect = PlayProtectRule::AtMost(ProtectRisk::HighRisk),
                risk(Some(Label::Unknown(String::from("SUPERB")))),
            ),
            ("no word of it", |verdict| verdict.play_protect = None, |_| {}, risk(None)),
            (
                "no word of it, not asked",
                |verdict| verdict.play_protect = None,
                |required| required.play_protect = PlayProtectRule::Any,
                vec![],
            ),
            ("no other app", |verdict| detected(verdict, &[]), |_| {}, vec![]),
            ("apps that may be", |verdict| detected(verdict, &["UNKNOWN_INSTALLED", "KNOWN_CAPTURING"]), |_| {}, vec![]),
            (
                "apps that may not be",
                |verdict| detected(verdict, &["KNOWN_INSTALLED", "UNKNOWN_CONTROLLING", "KNOWN_CONTROLLING"]),
                |_| {},
                access(&["KNOWN_CONTROLLING", "UNKNOWN_CONTROLLING"]),
            ),
            ("a later label for it", |verdict| detected(verdict, &["KNOWN_PAINTING"]), |_| {}, access(&["KNOWN_PAINTING"])),
            (
                "a later label, with nothing refused",
                |verdict| detected(verdict, &["KNOWN_PAINTING"]),
                |required| required.app_access = AppAccessRule::NoneOf(vec![]),
                access(&["KNOWN_PAINTING"]),
            ),
            ("access not evaluated", |verdict| verdict.app_access = None, |_| {}, vec![PlayRefusal::AppAccessUnevaluated]),
            (
                "access not evaluated, not asked",
                |verdict| verdict.app_access = None,
                |required| required.app_access = AppAccessRule::Any,
                vec![],
            ),
        ]);
    }

    /// The verdict of a phone that meets nothing: every rule refuses it, in order, and the rules for observing none.
    #[test]
    fn everything_that_is_wrong_is_told() {
        let mut verdict = good();
        verdict.testing = true;
        verdict.app = Some(AppIntegrity { recognition: Some(Label::Unevaluated), package: None, signers: vec![], version: None });
        (verdict.device, verdict.licensing, verdict.app_access, verdict.play_protect) = (None, None, None, None);
        verdict.request.at = UnixMillis(0);
        let reasons: Vec<_> = judged(&verdict, "another", &strictest()).iter().map(PlayRefusal::reason).collect();
        assert_eq!(
            reasons,
            [
                Reason::PlayRequestMismatch,
                Reason::PlayVerdictTooOld,
                Reason::PlayTestingResponse,
                Reason::PlayDeviceIntegrityMissing,
                Reason::PlayAppUnrecognized,
                Reason::AppUnknown,
                Reason::PlayUnlicensed,
                Reason::PlayProtectRisk,
                Reason::AppAccessRisk,
            ]
        );
        assert_eq!(judged(&verdict, HASH, &Requirements::observe()), []);
        let mut repackaged = good();
        *app(&mut repackaged) = AppIntegrity { signers: vec![[3; 32]], version: Some(1), ..app(&mut good()).clone() };
        let reasons: Vec<_> = judged(&repackaged, HASH, &strictest()).iter().map(PlayRefusal::reason).collect();
        assert_eq!(reasons, [Reason::AppSignerUnknown, Reason::AppVersionTooOld]);
    }
}
