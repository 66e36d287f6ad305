//! Advice: why nothing permitted a request, and the smallest change that would turn the answer.

#![expect(clippy::expect_used, reason = "tests stop where they fail")]

use countersign_core::{
    Acr, Action, AppId, BootState, ClientId, DeviceId, EvidenceTier, Facts, FieldValue, OperationRules, Outcome, PairwiseId, PatchLevel,
    Platform, PolicyName, Posture, Provenance, Reason, Remedy, RequestFacts, ResourceFacts, RiskBar, RiskFacts, RiskView, Role, Seconds,
    SecurityLevel, Session, SessionId, SessionState, Stage, Thumbprint, UnixSeconds, Unmet, UserId, WhenLimited,
};
use countersign_policy::{OperationSpec, Operations, OtherMembers, Policies, PolicySource, RequestHeaders};

const NOW: UnixSeconds = UnixSeconds(1_794_700_800);

const POLICIES: &str = r#"
@id("own_fresh")
permit (principal, action == Action::"transfers.create", resource)
when { resource.owner == principal && context.device.trust >= 2 && context.auth.presence_age_s <= 120 && context.device.evidence_age_s <= 3600 };

@id("tellers")
permit (principal in Role::"teller", action == Action::"transfers.create", resource)
when { context.request.amount <= 100 } unless { context.session.limited };

@id("old_system")
forbid (principal, action, resource)
when { context.device.patch_age_days > 180 };
"#;

fn policies() -> Policies {
    let spec = OperationSpec {
        method: "POST".to_owned(),
        path: "/{customer}/transfers".to_owned(),
        action: "transfers.create".to_owned(),
        resource: Some("Customer".to_owned()),
        id: Some("path.customer".to_owned()),
        owner: Some("path.customer".to_owned()),
        body: [("amount".to_owned(), "long /amount".to_owned())].into(),
        body_others: OtherMembers::Closed,
        request_headers: RequestHeaders::Usual,
        body_bytes_max: None,
        when_limited: None,
        evidence_age_max: None,
        stream: None,
    };
    let operations = Operations::new(&[spec]).expect("sound");
    Policies::load(&[PolicySource { file: "a.cedar".to_owned(), text: POLICIES.to_owned() }], &operations).expect("sound")
}

fn facts() -> Facts {
    let device = DeviceId::from_random([1; 16]);
    Facts {
        subject: PairwiseId::parse("p_me").expect("an id"),
        session: Session {
            id: SessionId::from_random([1; 16]),
            user: UserId::from_random([1; 16]),
            roles: vec![],
            device: device.clone(),
            client: ClientId::parse("bank").expect("an id"),
            state: SessionState::Active,
            acr: Acr::PhishingResistant,
            amr: vec![],
            auth_time: NOW.minus(Seconds(60)),
            bound_at: NOW.minus(Seconds(60)),
            created_at: NOW.minus(Seconds(60)),
            expires_at: NOW.plus(Seconds(3600)),
        },
        posture: Posture {
            device,
            key: Thumbprint::from_bytes([1; 32]),
            platform: Platform::Android,
            tier: EvidenceTier::Hardware,
            by: Provenance::AndroidKeyAttestation,
            established_at: NOW.minus(Seconds(60)),
            security_level: SecurityLevel::TrustedEnvironment,
            bootloader_locked: Some(true),
            boot_state: Some(BootState::Verified),
            boot_key: None,
            os_version: Some(160_000),
            patch_level: PatchLevel::from_number(202_610),
            app: AppId::parse("com.example.bank").ok(),
            app_version: Some(1),
            certificates: Vec::new(),
            verdict: None,
            report: None,
            risk_metric: None,
        },
        unmet: vec![],
        risk: RiskFacts::default(),
        request: RequestFacts {
            action: Action::parse("transfers.create").expect("an id"),
            method: "POST".to_owned(),
            rules: OperationRules { when_limited: WhenLimited::Allow, evidence_age_max: None },
            fields: [("amount".to_owned(), FieldValue::Long(500))].into(),
        },
        resource: ResourceFacts { kind: "Customer".to_owned(), id: "p_me".to_owned(), owner: Some("p_me".to_owned()) },
        now: NOW,
    }
}

#[test]
fn the_nearest_permit_its_unmet_conditions_and_the_smallest_remedy() {
    type Change = fn(&mut Facts);
    let rows: &[(&str, Change, Option<&str>, &[&str], &[Remedy])] = &[
        ("another's", |f| f.resource.owner = Some("p_you".to_owned()), Some("own_fresh"), &["resource.owner == principal"], &[]),
        (
            "an old finger",
            |f| f.session.auth_time = NOW.minus(Seconds(121)),
            Some("own_fresh"),
            &["context.auth.presence_age_s <= 120"],
            &[Remedy::ConfirmItsYou],
        ),
        (
            "old evidence",
            |f| f.posture.established_at = NOW.minus(Seconds(3601)),
            Some("own_fresh"),
            &["context.device.evidence_age_s <= 3600"],
            &[Remedy::AttestDevice],
        ),
        (
            "both",
            |f| (f.session.auth_time, f.posture.established_at) = (NOW.minus(Seconds(999)), NOW.minus(Seconds(9999))),
            Some("own_fresh"),
            &["context.auth.presence_age_s <= 120", "context.device.evidence_age_s <= 3600"],
            &[Remedy::AttestDevice, Remedy::ConfirmItsYou],
        ),
        (
            "a key in software, unproved",
            |f| (f.posture.tier, f.posture.security_level) = (EvidenceTier::SelfReported, SecurityLevel::Software),
            Some("own_fresh"),
            &["context.device.trust >= 2"],
            &[Remedy::AttestDevice],
        ),
        (
            "a key in software, proved",
            |f| f.posture.security_level = SecurityLevel::Software,
            Some("own_fresh"),
            &["context.device.trust >= 2"],
            &[],
        ),
        (
            "a plain forbid that an update cures",
            |f| f.posture.patch_level = PatchLevel::from_number(202_510),
            None,
            &[],
            &[Remedy::UpdateSystem],
        ),
        (
            "patches of the future are no new patches",
            |f| f.posture.patch_level = PatchLevel::from_number(209_912),
            None,
            &[],
            &[Remedy::UpdateSystem],
        ),
    ];
    let policies = policies();
    assert_eq!(policies.decide(&facts()).reasons, [], "all fits");
    for (name, change, nearest, unmet, remedies) in rows {
        let mut facts = facts();
        change(&mut facts);
        let advice = policies.decide(&facts).advice;
        assert_eq!(advice.nearest.as_ref().map(PolicyName::as_str), *nearest, "{name}");
        let mut said = advice.unmet.clone();
        said.sort();
        let spaceless = |text: &str| text.replace(['(', ')', ' ', '"', '[', ']'], "");
        let said: Vec<_> = said.iter().map(|text| spaceless(text)).collect();
        assert_eq!(said, unmet.iter().map(|text| spaceless(text)).collect::<Vec<_>>(), "{name}");
        assert_eq!(advice.remedies, *remedies, "{name}");
    }
}

#[test]
fn what_devices_lack_and_operations_ask_weighs_like_a_policy() {
    type Change = fn(&mut Facts);
    fn unmet(facts: &mut Facts, reason: Reason, stage: Stage) {
        facts.unmet.push(Unmet { reason, stage, update: None });
    }
    fn looks(facts: &mut Facts, score: u8, confirmed_ago: u64) {
        facts.risk = RiskBar::SHIPPED.judge(RiskView { score, reasons: vec![] });
        facts.session.auth_time = NOW.minus(Seconds(confirmed_ago));
        facts.session.roles = vec![Role::parse("teller").expect("an id")];
        facts.request.fields.insert("amount".to_owned(), FieldValue::Long(50));
    }
    let rows: &[(&str, Change, Outcome, &[Reason], &[Remedy])] = &[
        ("nothing is lacking", |_| {}, Outcome::Allow, &[], &[]),
        ("observed", |f| unmet(f, Reason::Rooted, Stage::Observe), Outcome::Allow, &[], &[]),
        ("limited", |f| unmet(f, Reason::Rooted, Stage::Limit), Outcome::Limit, &[Reason::Rooted], &[]),
        (
            "limited, where limited sessions are refused",
            |f| {
                unmet(f, Reason::Rooted, Stage::Limit);
                f.request.rules.when_limited = WhenLimited::Refuse;
            },
            Outcome::Deny,
            &[Reason::Rooted, Reason::SessionLimited],
            &[],
        ),
        (
            "a session that the monitor limited",
            |f| {
                f.session.state = SessionState::Limited;
                f.request.rules.when_limited = WhenLimited::Refuse;
            },
            Outcome::StepUp,
            &[Reason::SessionSuspect],
            &[Remedy::ConfirmItsYou],
        ),
        ("the same where limited sessions may", |f| f.session.state = SessionState::Limited, Outcome::Allow, &[], &[]),
        ("a score below the bar", |f| looks(f, 49, 3600), Outcome::Allow, &[], &[]),
        ("a score at the bar", |f| looks(f, 50, 3600), Outcome::StepUp, &[Reason::RiskRaised], &[Remedy::ConfirmItsYou]),
        ("the same, confirmed just now", |f| looks(f, 50, 300), Outcome::Allow, &[], &[]),
        ("the same, a second too long ago", |f| looks(f, 50, 301), Outcome::StepUp, &[Reason::RiskRaised], &[Remedy::ConfirmItsYou]),
        ("a score that nobody can confirm", |f| looks(f, 95, 0), Outcome::Deny, &[Reason::RiskHigh], &[]),
        (
            "enforced, and an update helps",
            |f| unmet(f, Reason::PatchLevelTooOld, Stage::Enforce),
            Outcome::Deny,
            &[Reason::PatchLevelTooOld],
            &[Remedy::UpdateSystem],
        ),
        (
            "enforced, and a newer app helps",
            |f| unmet(f, Reason::AppVersionTooOld, Stage::Enforce),
            Outcome::Deny,
            &[Reason::AppVersionTooOld],
            &[Remedy::UpdateApp],
        ),
        ("evidence on its last second", |f| f.request.rules.evidence_age_max = Some(Seconds(60)), Outcome::Allow, &[], &[]),
        (
            "evidence a second older",
            |f| f.request.rules.evidence_age_max = Some(Seconds(59)),
            Outcome::Deny,
            &[Reason::EvidenceStale],
            &[Remedy::AttestDevice],
        ),
        (
            "the worst wins and all are named",
            |f| {
                unmet(f, Reason::Vpn, Stage::Limit);
                unmet(f, Reason::Hooked, Stage::Enforce);
            },
            Outcome::Deny,
            &[Reason::Hooked, Reason::Vpn],
            &[],
        ),
    ];
    let policies = policies();
    for (name, change, outcome, reasons, remedies) in rows {
        let mut facts = facts();
        change(&mut facts);
        let decision = policies.decide(&facts);
        assert_eq!(
            (decision.outcome, decision.reasons.as_slice(), decision.advice.remedies.as_slice()),
            (*outcome, *reasons, *remedies),
            "{name}"
        );
    }
}
