//! Whatever a policy can see of a request comes back from its record, and what it cannot see is not kept.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "what fails outside of the test functions fails the test too")]

use std::collections::BTreeSet;

use countersign_audit::{
    DeviceName, Entry, Event, FactsRefusal, Identity, PersonKey, PersonalName, Record, Recorded, RecordedFacts, RequestJudged, RulesDigest,
    SealBytes, disclose, seal,
};
use countersign_core::{
    Acr, Action, Amr, AppFinding, AppId, AppReport, BootKey, BootState, ClientId, DecisionId, DeviceId, EvidenceTier, Facts, FieldValue,
    Integrity, Licensing, OperationRules, Outcome, PairwiseId, PatchLevel, Platform, Posture, Provenance, Reason, Recognition,
    RequestFacts, ResourceFacts, RiskFacts, RiskMetric, RiskReason, RiskView, Role, Seconds, Secret, SecurityLevel, SerialDigest, Session,
    SessionId, SessionState, Stage, Thumbprint, UnixMillis, UnixSeconds, Unmet, Update, UserId, VendorVerdict, WhenLimited,
};
use proptest::{collection::btree_map, prelude::*};

const AT: UnixMillis = UnixMillis(1_789_302_400_123);

/// Facts in which every member that can vary does, by a few numbers.
fn facts(n: u64, bits: u32, text: &str, fields: std::collections::BTreeMap<String, i64>) -> Facts {
    let bit = |at: u32| bits >> at & 1 == 1;
    let pick = |at: u32, count: usize| usize::try_from(bits >> at & 3).unwrap_or_default() % count;
    let when = |at: u64| UnixSeconds(1_700_000_000 + n % 1000 * at);
    let subject = PairwiseId::parse("p_alice").expect("an id");
    let mut values: std::collections::BTreeMap<_, _> = fields.into_iter().map(|(name, value)| (name, FieldValue::Long(value))).collect();
    values.insert("zz_note".to_owned(), FieldValue::Text(text.to_owned()));
    values.insert("zz_sure".to_owned(), FieldValue::Bool(bit(0)));
    Facts {
        session: Session {
            id: SessionId::parse("s_of_alice").expect("an id"),
            user: UserId::parse("u_alice").expect("an id"),
            roles: ["customer", "admin"].into_iter().take(pick(1, 3)).map(|role| Role::parse(role).expect("a role")).collect(),
            device: DeviceId::parse("d_of_alice").expect("an id"),
            client: ClientId::parse("com.example.bank").expect("an id"),
            state: if bit(3) { SessionState::Limited } else { SessionState::Active },
            acr: [Acr::Basic, Acr::PhishingResistant, Acr::Presence][pick(4, 3)],
            amr: [Amr::HardwareKey, Amr::UserVerified].into_iter().take(pick(6, 3)).collect(),
            auth_time: when(1),
            bound_at: when(2),
            created_at: when(3),
            expires_at: when(4),
        },
        posture: Posture {
            device: DeviceId::parse("d_of_alice").expect("an id"),
            key: Thumbprint::from_bytes([3; 32]),
            platform: if bit(8) { Platform::Ios } else { Platform::Android },
            tier: [EvidenceTier::None, EvidenceTier::SelfReported, EvidenceTier::Platform, EvidenceTier::Hardware][pick(9, 4)],
            by: [Provenance::AndroidKeyAttestation, Provenance::AppAttest, Provenance::DevelopmentToken][pick(11, 3)],
            established_at: when(5),
            security_level: [SecurityLevel::Software, SecurityLevel::TrustedEnvironment, SecurityLevel::StrongBox][pick(13, 3)],
            bootloader_locked: bit(15).then_some(bit(16)),
            boot_state: bit(17)
                .then_some([BootState::Failed, BootState::SelfSigned, BootState::Unverified, BootState::Verified][pick(18, 4)]),
            boot_key: BootKey::new(vec![1; 32]),
            os_version: bit(20).then_some(n),
            patch_level: PatchLevel::from_number(202_601 + n % 12),
            app: bit(21).then(|| AppId::parse("com.example.bank").expect("an id")),
            app_version: bit(22).then_some(n),
            certificates: vec![SerialDigest([1; 16])],
            verdict: bit(23).then(|| VendorVerdict {
                at: when(6),
                integrity: Integrity::Strong,
                recognition: bit(24).then_some(Recognition::Recognized),
                licensing: bit(25).then_some(Licensing::Licensed),
                play_protect: None,
                app_access: BTreeSet::new(),
                recent_activity: Some(1),
                sdk_version: Some(35),
                recall: None,
                testing: false,
            }),
            report: bit(26).then(|| AppReport {
                at: when(7),
                findings: [AppFinding::Rooted, AppFinding::Vpn].into_iter().take(pick(27, 3)).collect(),
                os_version: bit(29).then_some(n / 2),
                app_version: None,
                installer: Some("com.android.vending".to_owned()),
            }),
            risk_metric: bit(30).then_some(RiskMetric { count: 7, at: when(8) }),
        },
        unmet: [(Reason::Rooted, Stage::Limit), (Reason::AppVersionTooOld, Stage::Observe)]
            .into_iter()
            .take(pick(2, 3))
            .map(|(reason, stage)| Unmet { reason, stage, update: Some(Update { min_version: "2.0".to_owned(), store: None }) })
            .collect(),
        risk: RiskFacts {
            view: RiskView {
                score: if bit(5) { u8::try_from(n % 101).unwrap_or_default() } else { 0 },
                reasons: vec![
                    RiskReason { name: "new_network".into(), weight_tenths: 21 },
                    RiskReason { name: "x".into(), weight_tenths: -7 },
                ],
            },
            asks: if bit(7) { Outcome::StepUp } else { Outcome::Allow },
        },
        request: RequestFacts {
            action: Action::parse("transfers.create").expect("an id"),
            method: "POST".to_owned(),
            rules: OperationRules {
                when_limited: if bit(10) { WhenLimited::Allow } else { WhenLimited::Refuse },
                evidence_age_max: bit(12).then_some(Seconds(n)),
            },
            fields: values,
        },
        resource: ResourceFacts {
            kind: "Account".to_owned(),
            id: text.to_owned(),
            owner: [None, Some(subject.to_string()), Some(text.to_owned())][pick(14, 3)].clone(),
        },
        subject,
        now: if bit(31) { AT.seconds() } else { UnixSeconds(AT.seconds().0 + 3) },
    }
}

/// The facts without what no policy can see.
fn visible(mut facts: Facts) -> Facts {
    let posture = &mut facts.posture;
    posture.key = Thumbprint::from_bytes([0; 32]);
    posture.boot_key = None;
    posture.certificates = Vec::new();
    if let Some(metric) = &mut posture.risk_metric {
        metric.at = posture.established_at;
    }
    if let Some(verdict) = &mut posture.verdict {
        (verdict.recent_activity, verdict.sdk_version) = (None, None);
    }
    if let Some(report) = &mut posture.report {
        report.installer = None;
    }
    facts.unmet.iter_mut().for_each(|lack| lack.update = None);
    facts
}

fn entry(facts: &Facts) -> Entry {
    let recorded = RecordedFacts::of(facts, AT);
    let judged = RequestJudged {
        action: Some(facts.request.action.clone()),
        rules: Some(RulesDigest::of("rules")),
        facts: Some(recorded.open),
        ..RequestJudged::default()
    };
    Entry {
        at: AT,
        decision: DecisionId::from_random([1; 8]),
        event: Event::allowed(Recorded::Request(Box::new(judged))),
        person: Some(facts.session.user.clone()),
        identity: Identity {
            address: None,
            device: Some(DeviceName::Enrolled(facts.session.device.clone())),
            path: None,
            resource: Some(facts.resource.id.clone()),
            session: Some(facts.session.id.clone()),
            subject: Some(facts.subject.clone()),
            user: Some(facts.session.user.clone()),
            facts: Some(recorded.sealed),
        },
    }
}

fn key() -> PersonKey {
    PersonKey::new(&Secret::new([7; 32])).expect("a key")
}

fn sealed(facts: &Facts) -> String {
    seal(&entry(facts), Some(&key()), &SealBytes::new(&[9; SealBytes::LENGTH])).expect("sealed")
}

proptest! {
    #[test]
    fn facts_come_back_from_their_record(
        n in 1..u64::from(u32::MAX),
        bits: u32,
        text in "\\PC{0,60}",
        fields in btree_map("[a-y][a-z0-9_]{0,8}", any::<i64>(), 0..4),
    ) {
        let facts = facts(n, bits, &text, fields);
        let json = sealed(&facts);
        let record = Record::read(&json).expect("an entry");
        let identity = record.open(&key()).expect("opens");
        prop_assert_eq!(record.facts(&identity), Ok(visible(facts)));
    }

    /// What is somebody's stands under the seal, however it looks. Needles are long: a short one turns up in a base64 box by chance.
    #[test]
    fn nothing_that_people_wrote_is_readable(n in 1..1000_u64, bits: u32) {
        let facts = facts(n, bits, "Quarterly rent for Bartholomew", std::collections::BTreeMap::new());
        let json = sealed(&facts);
        for secret in ["Quarterly", "Bartholomew", "u_alice", "p_alice", "s_of_alice", "d_of_alice", "\"customer\"", "\"admin\""] {
            prop_assert!(!json.contains(secret), "{}: {}", secret, json);
        }
    }
}

#[test]
fn facts_that_were_not_opened_or_not_there_are_refused() {
    let json = sealed(&facts(1, u32::MAX, "x", std::collections::BTreeMap::new()));
    let record = Record::read(&json).expect("an entry");
    let whole = record.open(&key()).expect("opens");
    type Change = fn(&mut Identity);
    let rows: &[(&str, Change)] = &[
        ("nothing was opened", |it| *it = Identity::default()),
        ("no facts", |it| it.facts = None),
        ("no person", |it| it.user = None),
        ("no session", |it| it.session = None),
        ("no device", |it| it.device = None),
        ("a key instead of a device", |it| it.device = Some(DeviceName::Key(Thumbprint::from_bytes([1; 32])))),
        ("no subject", |it| it.subject = None),
        ("no resource", |it| it.resource = None),
    ];
    for (name, change) in rows {
        let mut identity = whole.clone();
        change(&mut identity);
        assert_eq!(record.facts(&identity), Err(FactsRefusal::Sealed), "{name}");
    }
    let mut undecided = entry(&facts(1, 0, "x", std::collections::BTreeMap::new()));
    undecided.event = Event::allowed(Recorded::Request(Box::default()));
    let json = seal(&undecided, Some(&key()), &SealBytes::new(&[9; SealBytes::LENGTH])).expect("sealed");
    let record = Record::read(&json).expect("an entry");
    assert_eq!(record.facts(&whole), Err(FactsRefusal::NotDecided));
}

/// Of one body field its text is shown and proved, and nothing else (EXPERIENCE PR-10).
#[test]
fn one_text_of_a_body_is_disclosed() {
    let json = sealed(&facts(1, 0, "Rent for Bob", std::collections::BTreeMap::new()));
    let note = PersonalName::parse("request.zz_note").expect("a name");
    let shown = disclose(&json, &key(), std::slice::from_ref(&note)).expect("opens");
    let values: Vec<_> = shown.iter().map(|shown| (&shown.field.name, shown.field.value.as_str())).collect();
    assert_eq!(values, [(&note, "Rent for Bob")]);
}

/// Bytes of a request's record, so that a change of the format that costs shows here.
#[test]
fn a_record_is_short() {
    let json = sealed(&facts(1, 0b0000_0000_0100_0010_1110_0010_0000_0010, "acc-12345", std::collections::BTreeMap::new()));
    assert!(json.len() < 1500, "{} bytes: {json}", json.len());
}
