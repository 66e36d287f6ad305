//! Why nothing permitted a request, and the smallest thing that would turn the answer.

#![expect(clippy::expect_used, reason = "tests stop where they fail")]

use countersign_core::{
    Acr, Action, AppId, BootState, ClientId, DeviceId, EvidenceTier, Facts, FieldValue, PairwiseId, PatchLevel, Platform, PolicyName,
    Posture, Remedy, RequestFacts, ResourceFacts, Seconds, SecurityLevel, Session, SessionId, SessionState, Thumbprint, UnixSeconds,
    UserId,
};
use countersign_policy::{OperationSpec, Operations, Policies, PolicySource};

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
        body_bytes_max: None,
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
            created_at: NOW.minus(Seconds(60)),
            expires_at: NOW.plus(Seconds(3600)),
        },
        posture: Posture {
            device,
            key: Thumbprint::from_bytes([1; 32]),
            platform: Platform::Android,
            tier: EvidenceTier::Hardware,
            established_at: NOW.minus(Seconds(60)),
            security_level: SecurityLevel::TrustedEnvironment,
            bootloader_locked: Some(true),
            boot_state: Some(BootState::Verified),
            os_version: Some(160_000),
            patch_level: PatchLevel::from_number(202_610),
            app: AppId::parse("com.example.bank").ok(),
            app_version: Some(1),
        },
        request: RequestFacts {
            action: Action::parse("transfers.create").expect("an id"),
            method: "POST".to_owned(),
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
