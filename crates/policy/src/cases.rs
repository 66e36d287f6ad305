//! Policy tests as data: the facts of a request, and the decision that the policies must make.
//!
//! A case states only what it is about. Everything else has the best value: an active session just signed in by passkey, on a
//! hardware-backed, locked, verified and up-to-date phone, acting on a resource of the person's own.

use std::collections::BTreeMap;

use countersign_core::{
    Acr, Action, Amr, BootState, ClientId, DeviceId, EvidenceTier, Facts, FieldValue, IdError, Limits, PairwiseId, PatchLevel, Platform,
    Posture, Provenance, Reason, RequestFacts, ResourceFacts, RiskBar, RiskView, Role, Seconds, SecurityLevel, Session, SessionId,
    SessionState, Thumbprint, UnixSeconds, UserId,
};
use serde::Deserialize;

use crate::{load::Policies, router::Operations};

/// Seconds since a case's person first signed in on the phone, when the case says nothing: a year.
const BOUND_AGE_S: u64 = 365 * 86_400;

/// Time of every case: 2026-11-15T00:00:00Z, in the middle of a month, so that patch ages do not depend on the day of a run.
const NOW: UnixSeconds = UnixSeconds(1_794_700_800);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    action: String,
    #[serde(default)]
    fields: BTreeMap<String, Value>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    owner: Owner,
    acr: Option<String>,
    #[serde(default)]
    auth_age_s: u64,
    #[serde(default)]
    limited: bool,
    #[serde(default)]
    risk: u8,
    #[serde(default)]
    device: Device,
    expect: Expect,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Bool(bool),
    Long(i64),
    Text(String),
}

/// Owner of the resource in a case.
#[derive(Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Owner {
    Nobody,
    #[default]
    Own,
    Somebody,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Device {
    /// Place of the device key: `none`, `software` or `hardware`.
    key: Option<String>,
    patch_age_days: Option<u64>,
    /// Seconds since the person first signed in on the device; long ago when the case says nothing.
    bound_age_s: Option<u64>,
    bootloader_locked: Option<bool>,
    boot_state: Option<String>,
    #[serde(default)]
    evidence_age_s: u64,
    app_version: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    outcome: String,
    #[serde(default)]
    reasons: Vec<String>,
}

/// Reason why a file of cases cannot be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaseProblem {
    /// A case has a value that is not one of the known words.
    Unknown {
        /// Name of the case.
        case: String,
        /// Value that is not known.
        text: String,
    },
    /// The file is not JSON of this form; with the line, and what was expected.
    Malformed {
        /// Line, counted from 1.
        line: usize,
        /// Message of the JSON parser.
        what: String,
    },
    /// The file has more bytes than are read.
    TooLong,
}

impl std::fmt::Display for CaseProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unknown { case, text } => write!(f, "case `{case}`: `{text}` is unknown"),
            Self::Malformed { line, what } => write!(f, "line {line}: {what}"),
            Self::TooLong => f.write_str("the file is larger than one mebibyte; split it"),
        }
    }
}

/// Result of one case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseResult {
    /// Name of the case.
    pub name: String,
    /// Outcome and reasons that were expected.
    pub expected: String,
    /// Outcome and reasons that were decided; the same text when the case passes.
    pub got: String,
}

/// Runs a file of cases.
///
/// # Errors
/// A problem when the file cannot be read as cases. A case that fails is a result, not an error.
pub fn run(policies: &Policies, operations: &Operations, json: &str) -> Result<Vec<CaseResult>, CaseProblem> {
    if json.len() > Limits::CASES_BYTES_MAX {
        return Err(CaseProblem::TooLong);
    }
    let cases: Vec<Case> = serde_json::from_str(json).map_err(|e| CaseProblem::Malformed { line: e.line(), what: e.to_string() })?;
    cases.into_iter().map(|case| run_one(policies, operations, case)).collect()
}

fn run_one(policies: &Policies, operations: &Operations, case: Case) -> Result<CaseResult, CaseProblem> {
    let (name, expect) = (case.name.clone(), (case.expect.outcome.clone(), case.expect.reasons.clone()));
    let decision = policies.decide(&facts(operations, case)?);
    let reasons: Vec<_> = decision.reasons.iter().map(Reason::code).map(ToOwned::to_owned).collect();
    let outcome = decision.outcome.as_str().to_owned();
    let told = |outcome: &str, reasons: &[String]| {
        if reasons.is_empty() { outcome.to_owned() } else { format!("{outcome} {}", reasons.join(" ")) }
    };
    // A case that expects no reasons leaves them open.
    let got = if expect.1.is_empty() { outcome } else { told(&outcome, &reasons) };
    let mut wanted = expect.1;
    wanted.sort();
    Ok(CaseResult { name, expected: told(&expect.0, &wanted), got })
}

fn facts(operations: &Operations, case: Case) -> Result<Facts, CaseProblem> {
    let name = case.name;
    let unknown = |text: &str| CaseProblem::Unknown { case: name.clone(), text: text.to_owned() };
    let id = |_: IdError| unknown("an identifier");
    let operation =
        operations.all.iter().find(|operation| operation.action.as_str() == case.action).ok_or_else(|| unknown(&case.action))?;
    let subject = PairwiseId::parse("p_me").map_err(id)?;
    let owner = match case.owner {
        Owner::Nobody => None,
        Owner::Own => Some(subject.to_string()),
        Owner::Somebody => Some("p_somebody".to_owned()),
    };
    let acr = match &case.acr {
        None => Acr::PhishingResistant,
        Some(text) => Acr::parse(text).ok_or_else(|| unknown(text))?,
    };
    let value = |value| match value {
        Value::Bool(value) => FieldValue::Bool(value),
        Value::Long(value) => FieldValue::Long(value),
        Value::Text(value) => FieldValue::Text(value),
    };
    let device = DeviceId::from_random([1; 16]);
    let session = Session {
        id: SessionId::from_random([1; 16]),
        user: UserId::from_random([1; 16]),
        roles: case.roles.iter().map(|role| Role::parse(role)).collect::<Result<_, _>>().map_err(id)?,
        device: device.clone(),
        client: ClientId::parse("app").map_err(id)?,
        state: if case.limited { SessionState::Limited } else { SessionState::Active },
        acr,
        amr: vec![Amr::MultiFactor, Amr::UserVerified],
        auth_time: NOW.minus(Seconds(case.auth_age_s)),
        bound_at: NOW.minus(Seconds(case.device.bound_age_s.unwrap_or(BOUND_AGE_S).max(case.auth_age_s))),
        created_at: NOW.minus(Seconds(case.auth_age_s)),
        expires_at: NOW.plus(Seconds(3600)),
    };
    Ok(Facts {
        subject,
        posture: posture(&case.device, device).map_err(|text| unknown(&text))?,
        unmet: Vec::new(),
        risk: RiskBar::SHIPPED.judge(RiskView { score: case.risk, reasons: Vec::new() }),
        request: RequestFacts {
            action: Action::parse(&case.action).map_err(id)?,
            method: operation.method.clone(),
            rules: operation.rules,
            fields: case.fields.into_iter().map(|(name, field)| (name, value(field))).collect(),
        },
        resource: ResourceFacts { kind: operation.kind.clone(), id: "1".to_owned(), owner: owner.filter(|_| operation.owner.is_some()) },
        session,
        now: NOW,
    })
}

fn posture(said: &Device, device: DeviceId) -> Result<Posture, String> {
    let (tier, security_level) = match said.key.as_deref() {
        None | Some("hardware") => (EvidenceTier::Hardware, SecurityLevel::TrustedEnvironment),
        Some("software") => (EvidenceTier::SelfReported, SecurityLevel::Software),
        Some("none") => (EvidenceTier::None, SecurityLevel::Software),
        Some(other) => return Err(other.to_owned()),
    };
    let boot_state = match said.boot_state.as_deref() {
        None | Some("verified") => Some(BootState::Verified),
        Some("self_signed") => Some(BootState::SelfSigned),
        Some("unverified") => Some(BootState::Unverified),
        Some("failed") => Some(BootState::Failed),
        Some("unknown") => None,
        Some(other) => return Err(other.to_owned()),
    };
    let aged = |days: u64| {
        (0..1200_u64)
            .filter_map(|n| PatchLevel::from_number((2026 - n / 12) * 100 + 12 - n % 12))
            .find(|patch| patch.age(NOW).0 >= days.saturating_mul(86_400) && patch.age(NOW).0 > 0)
    };
    Ok(Posture {
        device,
        key: Thumbprint::from_bytes([1; 32]),
        platform: Platform::Android,
        tier,
        by: Provenance::AndroidKeyAttestation,
        established_at: NOW.minus(Seconds(said.evidence_age_s)),
        security_level,
        bootloader_locked: Some(said.bootloader_locked.unwrap_or(true)),
        boot_state,
        boot_key: None,
        os_version: Some(160_000),
        patch_level: aged(said.patch_age_days.unwrap_or(0)),
        app: None,
        app_version: Some(said.app_version.unwrap_or(1)),
        certificates: Vec::new(),
        verdict: None,
        report: None,
        risk_metric: None,
    })
}
