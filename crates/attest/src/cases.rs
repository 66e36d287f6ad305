//! Files of Android attestations with expected results: our shared vectors and an operator's own cases.
//!
//! The file is a JSON array. A case names a chain (PEM, the attested key's certificate first) and anchors by file name, a time, a
//! challenge, requirements and the expected verdict. The verdict is `accepted`, with the fields of the key description to compare, or
//! `refused`, with reason codes of which one must be given. This module is the pure half: the caller reads the files.

use base64::{Engine, engine::general_purpose::STANDARD};
use countersign_core::{AppId, BootState, PatchLevel, Seconds, SecurityLevel, UnixSeconds};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::anchors::{Anchors, Purpose, Source, Vendor};
use crate::android::{
    App, AppRule, ApplicationsRule, AttestRefusal, BootKeyRule, BootloaderRule, Evidence, Field, KeyRule, OriginRule, PurposeRule,
    Requirements, RollbackRule, RootOfTrustRule, StatusList, StatusRule, Trust, chain_from_pem, description_fields, verify,
};

/// One case as it stands in the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    id: String,
    chain: String,
    at: u64,
    challenge_b64: Option<String>,
    anchors: Vec<String>,
    status_list: Option<Box<RawValue>>,
    status: Option<WireStatus>,
    requirements: WireRequirements,
    expect: WireExpect,
    #[serde(rename = "source")]
    _source: Option<String>,
    #[serde(rename = "note")]
    _note: Option<String>,
}

/// Rules for the age and absence of the list. Without them, the list of the case, if it has one, is used and counts as fresh.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireStatus {
    fetched_at: u64,
    age_max: u64,
}

/// Requirements of a case. The first four are in every case; the others cover what the vendors' vectors do not ask.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireRequirements {
    security_level_min: WireLevel,
    boot_state: Vec<WireBootState>,
    require_locked: bool,
    require_root_of_trust: bool,
    #[serde(default)]
    security_level_exact: Option<WireLevel>,
    #[serde(default)]
    attestation_version_min: Option<u32>,
    #[serde(default)]
    key_mint_version_min: Option<u32>,
    #[serde(default)]
    require_rollback_resistance: bool,
    #[serde(default)]
    attestation_age_max: Option<u64>,
    #[serde(default)]
    boot_keys_b64: Option<Vec<String>>,
    #[serde(default)]
    patch_level_min: Option<u64>,
    #[serde(default)]
    apps: Option<Vec<WireApp>>,
    #[serde(default)]
    require_own_application: bool,
    #[serde(default)]
    require_p256: bool,
    #[serde(default)]
    require_generated: bool,
    #[serde(default)]
    require_sign_only: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireApp {
    package: String,
    signers_b64: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum WireLevel {
    Software,
    StrongBox,
    TrustedEnvironment,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum WireBootState {
    Failed,
    SelfSigned,
    Unverified,
    Verified,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case", deny_unknown_fields)]
enum WireExpect {
    Accepted {
        #[serde(default)]
        description: serde_json::Map<String, serde_json::Value>,
    },
    Refused {
        reason_any: Vec<String>,
    },
}

/// Refusal of a file that is not a list of cases, with the parser's message and position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CasesMalformed(pub(crate) String);

impl std::fmt::Display for CasesMalformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the file does not hold cases: {}", self.0)
    }
}

impl std::error::Error for CasesMalformed {}

/// Result of running one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseResult {
    /// Identifier of the case.
    pub id: String,
    /// Expected verdict, in words.
    pub expected: String,
    /// Actual verdict, in words.
    pub got: String,
    /// Comparison of the two.
    pub agreement: Agreement,
}

/// Comparison of the expected with the actual verdict. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// The verdicts differ, or the case could not be read.
    Differs,
    /// The verdicts agree, so the case passes.
    Passed,
}

/// Parses a file of cases.
///
/// # Errors
/// A refusal when the text has another format or an unknown field: a misspelt requirement must not count as met.
pub fn parse(json: &str) -> Result<Vec<Case>, CasesMalformed> {
    serde_json::from_str(json).map_err(|why| CasesMalformed(why.to_string()))
}

impl Case {
    /// Identifier of the case.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// File of the chain, relative to the file of cases.
    #[must_use]
    pub fn chain_path(&self) -> &str {
        &self.chain
    }

    /// Files of the anchors, without folder and `.pem`.
    #[must_use]
    pub fn anchor_names(&self) -> &[String] {
        &self.anchors
    }

    /// Runs the case; the texts are the contents of its files.
    #[must_use]
    pub fn run(&self, chain_pem: &str, anchors_pem: &[String]) -> CaseResult {
        let judged = self.judge(chain_pem, anchors_pem);
        let (agreement, got) = match (&judged, &self.expect) {
            (Err(CaseFault(why)), _) => (Agreement::Differs, format!("a case that cannot be judged: {why}")),
            (Ok(Ok(evidence)), WireExpect::Accepted { description }) => {
                let differences = differences(description, &description_fields(evidence.description()));
                match differences.as_slice() {
                    [] => (Agreement::Passed, String::from("accepted")),
                    some => (Agreement::Differs, format!("accepted, but {}", some.join("; "))),
                }
            }
            (Ok(Ok(_)), WireExpect::Refused { .. }) => (Agreement::Differs, String::from("accepted")),
            (Ok(Err(refusal)), expect) => {
                let code = refusal.reason();
                let expected = match expect {
                    WireExpect::Accepted { .. } => false,
                    WireExpect::Refused { reason_any } => reason_any.iter().any(|reason| reason == code.code()),
                };
                let agreement = if expected { Agreement::Passed } else { Agreement::Differs };
                (agreement, format!("refused: {code} ({refusal})"))
            }
        };
        CaseResult { id: self.id.clone(), expected: self.expectation(), got, agreement }
    }

    fn expectation(&self) -> String {
        match &self.expect {
            WireExpect::Accepted { .. } => String::from("accepted, with the description given"),
            WireExpect::Refused { reason_any } => format!("refused: {}", reason_any.join(" or ")),
        }
    }

    fn judge(&self, chain_pem: &str, anchors_pem: &[String]) -> Result<Result<Evidence, AttestRefusal>, CaseFault> {
        let trust = Trust { anchors: self.anchors(anchors_pem)?, status: self.status()? };
        let requirements = self.requirements.read()?;
        // A case without a challenge is one in which nobody asked for an attestation: no attestation answers that.
        let challenge = base64("challenge_b64", self.challenge_b64.as_deref().unwrap_or_default())?;
        Ok(chain_from_pem(chain_pem).and_then(|chain| verify(&chain, &trust, &requirements, &challenge, UnixSeconds(self.at))))
    }

    fn anchors(&self, pems: &[String]) -> Result<Anchors, CaseFault> {
        let source = Source { vendor: Vendor::Operator, purpose: Purpose::AndroidHardware };
        pems.iter().try_fold(Anchors::none(), |all, pem| {
            let more = Anchors::parse(source, pem).map_err(|why| CaseFault(why.to_string()))?;
            Ok(all.and(more))
        })
    }

    fn status(&self) -> Result<StatusRule, CaseFault> {
        let read = |json: &RawValue, at| StatusList::parse(json.get(), UnixSeconds(at)).map_err(|why| CaseFault(why.to_string()));
        Ok(match (&self.status_list, &self.status) {
            (None, None) => StatusRule::NotAsked,
            (None, Some(rule)) => StatusRule::Required { list: None, age_max: Seconds(rule.age_max) },
            (Some(list), None) => StatusRule::Required { list: Some(read(list, self.at)?), age_max: Seconds(0) },
            (Some(list), Some(rule)) => StatusRule::Required { list: Some(read(list, rule.fetched_at)?), age_max: Seconds(rule.age_max) },
        })
    }
}

/// Mistake in the case itself.
struct CaseFault(String);

impl WireRequirements {
    fn read(&self) -> Result<Requirements, CaseFault> {
        Ok(Requirements {
            security_level_min: level(self.security_level_min),
            security_level_exact: self.security_level_exact.map(level),
            attestation_version_min: self.attestation_version_min,
            key_mint_version_min: self.key_mint_version_min,
            rollback: if self.require_rollback_resistance { RollbackRule::Resistant } else { RollbackRule::Any },
            attestation_age_max: self.attestation_age_max.map(Seconds),
            boot_states: self.boot_state.iter().map(|state| boot_state(*state)).collect(),
            boot_keys: match &self.boot_keys_b64 {
                None => BootKeyRule::Any,
                Some(keys) => BootKeyRule::OneOf(keys.iter().map(|key| base64("boot_keys_b64", key)).collect::<Result<_, _>>()?),
            },
            bootloader: if self.require_locked { BootloaderRule::Locked } else { BootloaderRule::Any },
            root_of_trust: if self.require_root_of_trust { RootOfTrustRule::Required } else { RootOfTrustRule::Optional },
            patch_level_min: match self.patch_level_min {
                None => None,
                Some(number) => Some(PatchLevel::from_number(number).ok_or_else(|| fault("patch_level_min", "is no `YYYYMM`"))?),
            },
            app: match &self.apps {
                None => AppRule::Any,
                Some(apps) => AppRule::OneOf(apps.iter().map(WireApp::read).collect::<Result<_, _>>()?),
            },
            applications: if self.require_own_application { ApplicationsRule::OnlyItsOwn } else { ApplicationsRule::Any },
            key: if self.require_p256 { KeyRule::P256 } else { KeyRule::Any },
            origin: if self.require_generated { OriginRule::Generated } else { OriginRule::Any },
            purpose: if self.require_sign_only { PurposeRule::SignOnly } else { PurposeRule::Any },
        })
    }
}

impl WireApp {
    fn read(&self) -> Result<App, CaseFault> {
        let signer = |text: &String| {
            let digest = base64("signers_b64", text)?;
            <[u8; 32]>::try_from(digest).map_err(|_| fault("signers_b64", "is no SHA-256"))
        };
        Ok(App {
            package: AppId::parse(&self.package).map_err(|why| CaseFault(why.to_string()))?,
            signers: self.signers_b64.iter().map(signer).collect::<Result<_, _>>()?,
        })
    }
}

const fn level(level: WireLevel) -> SecurityLevel {
    match level {
        WireLevel::Software => SecurityLevel::Software,
        WireLevel::TrustedEnvironment => SecurityLevel::TrustedEnvironment,
        WireLevel::StrongBox => SecurityLevel::StrongBox,
    }
}

const fn boot_state(state: WireBootState) -> BootState {
    match state {
        WireBootState::Failed => BootState::Failed,
        WireBootState::SelfSigned => BootState::SelfSigned,
        WireBootState::Unverified => BootState::Unverified,
        WireBootState::Verified => BootState::Verified,
    }
}

fn base64(field: &str, text: &str) -> Result<Vec<u8>, CaseFault> {
    STANDARD.decode(text).map_err(|_| fault(field, "is no base64"))
}

fn fault(field: &str, what: &str) -> CaseFault {
    CaseFault(format!("`{field}` {what}"))
}

/// Expected fields that are missing or differ, each as a sentence.
fn differences(expected: &serde_json::Map<String, serde_json::Value>, got: &Field) -> Vec<String> {
    let mut out = Vec::new();
    for (name, value) in expected {
        match got.find(name) {
            None => out.push(format!("`{name}` is missing")),
            Some(field) => compare(name, value, field, &mut out),
        }
    }
    out
}

fn compare(name: &str, expected: &serde_json::Value, got: &Field, out: &mut Vec<String>) {
    use serde_json::Value;
    match (expected, got) {
        (Value::Object(fields), Field::Group(_)) => {
            out.extend(differences(fields, got).into_iter().map(|difference| format!("{name}: {difference}")));
        }
        (Value::Array(values), Field::List(fields)) if values.len() == fields.len() => {
            values.iter().zip(fields).for_each(|(value, field)| compare(name, value, field, out));
        }
        (Value::Bool(value), Field::Flag(flag)) if value == flag => {}
        (Value::String(value), Field::Text(text)) if value == text => {}
        _ => out.push(format!("`{name}` is {got:?}, expected {expected}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const CHAIN: &str = include_str!("../tests/vectors/chains/factory.pem");
    const ANCHOR: &str = include_str!("../tests/vectors/anchors/factory.pem");

    fn accepted() -> Value {
        json!({
            "id": "a",
            "chain": "chains/factory.pem",
            "at": 1_751_328_000,
            "challenge_b64": "YSBjaGFsbGVuZ2Ugb2YgdGhpcnR5LXR3byBieXRlcyE=",
            "anchors": ["factory"],
            "requirements": {
                "security_level_min": "TRUSTED_ENVIRONMENT", "boot_state": ["VERIFIED"], "require_locked": true, "require_root_of_trust": true,
            },
            "expect": { "verdict": "accepted", "description": { "hardwareEnforced": { "osVersion": "150000" } } },
        })
    }

    #[test]
    fn what_differs_is_told() {
        let rows: &[(&str, fn(&mut Value), Agreement, &str)] = &[
            ("as expected", |_| {}, Agreement::Passed, "accepted"),
            (
                "refused as expected",
                |case| {
                    case["at"] = json!(0);
                    case["expect"] = json!({ "verdict": "refused", "reason_any": ["chain_broken", "certificate_not_yet_valid"] });
                },
                Agreement::Passed,
                "refused: certificate_not_yet_valid (certificate 1 is not valid before 2025-01-01T00:00:00Z",
            ),
            (
                "refused otherwise",
                |case| {
                    case["at"] = json!(0);
                    case["expect"] = json!({ "verdict": "refused", "reason_any": ["chain_broken"] });
                },
                Agreement::Differs,
                "refused: certificate_not_yet_valid",
            ),
            ("refused instead of accepted", |case| case["at"] = json!(0), Agreement::Differs, "refused: "),
            (
                "accepted instead of refused",
                |case| case["expect"] = json!({ "verdict": "refused", "reason_any": ["chain_broken"] }),
                Agreement::Differs,
                "accepted",
            ),
            (
                "another value",
                |case| case["expect"]["description"]["hardwareEnforced"]["osVersion"] = json!("1"),
                Agreement::Differs,
                "hardwareEnforced: `osVersion` is",
            ),
            (
                "another type",
                |case| case["expect"]["description"]["hardwareEnforced"]["osVersion"] = json!(150_000),
                Agreement::Differs,
                "`osVersion` is",
            ),
            (
                "a value more in a list",
                |case| case["expect"]["description"]["hardwareEnforced"]["purposes"] = json!(["2", "3"]),
                Agreement::Differs,
                "`purposes` is",
            ),
            (
                "a field that is not there",
                |case| case["expect"]["description"]["keyMintMood"] = json!("good"),
                Agreement::Differs,
                "`keyMintMood` is missing",
            ),
            (
                "a challenge that is no base64",
                |case| case["challenge_b64"] = json!("%"),
                Agreement::Differs,
                "cannot be judged: `challenge_b64` is no base64",
            ),
            ("a list of nonsense", |case| case["status_list"] = json!([]), Agreement::Differs, "cannot be judged: the status list"),
            (
                "a month that is none",
                |case| case["requirements"]["patch_level_min"] = json!(13),
                Agreement::Differs,
                "cannot be judged: `patch_level_min`",
            ),
            (
                "a digest that is none",
                |case| case["requirements"]["apps"] = json!([{ "package": "a", "signers_b64": ["AA=="] }]),
                Agreement::Differs,
                "cannot be judged: `signers_b64`",
            ),
            (
                "a package that is none",
                |case| case["requirements"]["apps"] = json!([{ "package": "", "signers_b64": [] }]),
                Agreement::Differs,
                "cannot be judged: an identifier",
            ),
        ];
        for (name, change, agreement, got) in rows {
            let mut case = accepted();
            change(&mut case);
            let cases = parse(&json!([case]).to_string()).expect("a case");
            let result = cases[0].run(CHAIN, &[ANCHOR.to_owned()]);
            assert_eq!(result.agreement, *agreement, "{name}: {result:?}");
            assert!(result.got.contains(got), "{name}: {result:?}");
        }
        let unreadable = parse(&json!([accepted()]).to_string()).expect("a case")[0].run(CHAIN, &[String::new()]);
        assert!(unreadable.got.contains("cannot be judged: no trust anchor"), "{unreadable:?}");
    }

    #[test]
    fn a_misspelt_case_is_no_case() {
        let rows: &[(&str, fn(&mut Value))] = &[
            ("an unknown field", |case| case["expext"] = json!({})),
            ("an unknown requirement", |case| case["requirements"]["require_lock"] = json!(true)),
            ("an unknown security level", |case| case["requirements"]["security_level_min"] = json!("TEE")),
            ("an unknown verdict", |case| case["expect"]["verdict"] = json!("maybe")),
            ("no verdict", |case| case["expect"] = json!({})),
            ("no requirements", |case| drop(case.as_object_mut().expect("an object").remove("requirements"))),
        ];
        for (name, change) in rows {
            let mut case = accepted();
            change(&mut case);
            assert!(parse(&json!([case]).to_string()).is_err(), "{name}");
        }
        assert!(parse("{}").is_err());
    }
}
