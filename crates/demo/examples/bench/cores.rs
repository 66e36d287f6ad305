//! The parts of a request, each alone in this process.

use std::{sync::Arc, time::Instant};

use anyhow::{Context, Result, anyhow};
use countersign_audit::{CheckpointKey, Entry, Event, Identity, Recorded, RecordedFacts, RequestJudged};
use countersign_core::{
    Acr, Action, Amr, AppId, BootState, ClientId, Clock, DecisionId, DeviceId, EvidenceTier, Facts, OperationRules, Outcome, PairwiseId,
    PatchLevel, Platform, Posture, ProofId, Provenance, RequestFacts, ResourceFacts, RiskFacts, Seconds, Secret, SecurityLevel, Session,
    SessionId, SessionState, Thumbprint, UnixSeconds, UserId, WhenLimited,
};
use countersign_node::{OsEntropy, SystemClock, settings::rules};
use countersign_proof::{
    access_token,
    dpop::{self, BoundTo, Expected, ProofToMake},
    jwk::{Algorithm, SigningKey},
    nonce::NonceKeys,
    target::Target,
    window::NonceRule,
};
use countersign_store::{Recorder, segments::SegmentLog, sqlite::Sqlite};

use crate::servers::Setting;

/// How often each part is done.
const TIMES: usize = 5_000;

/// What one part costs.
pub struct Part {
    /// What it is.
    pub name: &'static str,
    /// Median in microseconds.
    pub p50_us: f64,
    /// 99th percentile in microseconds.
    pub p99_us: f64,
}

fn part(name: &'static str, mut once: impl FnMut(usize) -> Result<()>) -> Result<Part> {
    (0..TIMES / 10).try_for_each(&mut once)?;
    let mut took = Vec::with_capacity(TIMES);
    for n in 0..TIMES {
        let began = Instant::now();
        once(n)?;
        took.push(began.elapsed().as_nanos() as f64 / 1000.0);
    }
    Ok(percentiles(name, took))
}

fn percentiles(name: &'static str, mut took: Vec<f64>) -> Part {
    took.sort_by(f64::total_cmp);
    Part { name, p50_us: took[took.len() / 2], p99_us: took[took.len() * 99 / 100] }
}

/// Measures all parts; the first is one verification.
pub async fn measure(setting: &Setting) -> Result<Vec<Part>> {
    let (key, _) = SigningKey::generate(Algorithm::Es256).map_err(|e| anyhow!("{e:?}"))?;
    let signature = key.sign(b"message").map_err(|e| anyhow!("{e:?}"))?;
    let mut parts = vec![
        part("one P-256 verification", |_| key.public().verify(b"message", &signature).map_err(|e| anyhow!("{e:?}")))?,
        part("one P-256 signature (the statement's)", |_| key.sign(b"message").map(|_| ()).map_err(|e| anyhow!("{e:?}")))?,
        proof(&key)?,
        decision(setting)?,
    ];
    parts.extend(append().await?);
    Ok(parts)
}

fn proof(key: &SigningKey) -> Result<Part> {
    let target = Target::parse("https://api.example.com/v1/customers/p_me/accounts").map_err(|e| anyhow!("{e:?}"))?;
    let now = SystemClock.now().seconds();
    let hash = access_token::hash_text("a-token");
    let id = ProofId::parse("0123456789abcdef0123456789abcdef")?;
    let to_make = ProofToMake { method: "GET", target: &target, token_hash: Some(&hash), nonce: None, id: &id, issued_at: now };
    let proof = dpop::make(key, &to_make).map_err(|e| anyhow!("{e:?}"))?;
    let nonces = NonceKeys::new(&Secret::new([1; 32]), None);
    let expected = Expected {
        method: "GET",
        target: &target,
        bound_to: BoundTo::AccessToken { key: key.public().thumbprint(), hash: &hash },
        nonces: NonceRule::Accepted(&nonces),
    };
    part("a proof read and bound (with its verification)", |_| {
        let signed = dpop::read(&proof).map_err(|e| anyhow!("{e:?}"))?;
        dpop::bind(signed, &expected, now).map(|_| ()).map_err(|e| anyhow!("{e:?}"))
    })
}

fn decision(setting: &Setting) -> Result<Part> {
    let config = setting.config()?;
    let rules = rules::rules(&config.file, &config.operations, &config.policies).map_err(|e| anyhow!("{e}"))?;
    anyhow::ensure!(rules.policies.count() == crate::servers::POLICIES, "{} policies", rules.policies.count());
    let facts = facts()?;
    part("the decision by 50 policies", |_| {
        let decision = rules.policies.decide(&facts);
        anyhow::ensure!(decision.outcome == Outcome::Allow, "{decision:?}");
        Ok(())
    })
}

async fn append() -> Result<Vec<Part>> {
    let home = tempfile::tempdir()?;
    let store = Arc::new(Sqlite::open(home.path()).await?);
    let (_, pkcs8) = SigningKey::generate(Algorithm::EdDsa).map_err(|e| anyhow!("{e:?}"))?;
    let key = CheckpointKey::from_pkcs8("bench.example.com", &pkcs8).map_err(|e| anyhow!("{e:?}"))?;
    let log = SegmentLog::open(&home.path().join("log"), key, store, Arc::new(SystemClock), Arc::new(OsEntropy))?;
    let log = Arc::new(log);
    let mut parts = Vec::new();
    for (name, callers) in [("the audit append on disk, one at a time", 1), ("the audit append on disk, 32 at a time", 32)] {
        let tasks: Vec<_> = (0..callers)
            .map(|caller| {
                let log = Arc::clone(&log);
                tokio::spawn(async move {
                    let mut took = Vec::new();
                    for n in 0..TIMES / 10 {
                        let began = Instant::now();
                        let _ = log.record(entry(caller * TIMES + n)?).await?;
                        took.push(began.elapsed().as_nanos() as f64 / 1000.0);
                    }
                    anyhow::Ok(took)
                })
            })
            .collect();
        let mut took = Vec::new();
        for task in tasks {
            took.extend(task.await??);
        }
        parts.push(percentiles(name, took));
    }
    Ok(parts)
}

fn entry(n: usize) -> Result<Entry> {
    let facts = RecordedFacts::from(&facts()?);
    Ok(Entry {
        at: SystemClock.now(),
        decision: DecisionId::from_random((n as u64).to_be_bytes()),
        event: Event::allowed(Recorded::Request(Box::new(RequestJudged { facts: Some(facts.open), ..RequestJudged::default() }))),
        person: Some(UserId::from_random([1; 16])),
        identity: Identity {
            user: Some(UserId::from_random([1; 16])),
            path: Some("/v1/customers/p_me/accounts".to_owned()),
            facts: Some(facts.sealed),
            ..Identity::default()
        },
    })
}

fn facts() -> Result<Facts> {
    let now = UnixSeconds(SystemClock.now().seconds().0);
    let device = DeviceId::from_random([1; 16]);
    Ok(Facts {
        subject: PairwiseId::parse("p_me")?,
        session: Session {
            id: SessionId::from_random([1; 16]),
            user: UserId::from_random([1; 16]),
            roles: vec![],
            device: device.clone(),
            client: ClientId::parse("com.example.bank")?,
            state: SessionState::Active,
            acr: Acr::PhishingResistant,
            amr: vec![Amr::MultiFactor, Amr::UserVerified],
            auth_time: now,
            bound_at: now,
            created_at: now,
            expires_at: now.plus(Seconds(3600)),
        },
        posture: Posture {
            device,
            key: Thumbprint::from_bytes([1; 32]),
            platform: Platform::Android,
            tier: EvidenceTier::Hardware,
            by: Provenance::AndroidKeyAttestation,
            established_at: now,
            security_level: SecurityLevel::TrustedEnvironment,
            bootloader_locked: Some(true),
            boot_state: Some(BootState::Verified),
            boot_key: None,
            os_version: Some(160_000),
            patch_level: PatchLevel::from_number(202_610),
            app: AppId::parse("com.example.bank").ok(),
            app_version: Some(42),
            certificates: Vec::new(),
            verdict: None,
            report: None,
            risk_metric: None,
        },
        unmet: Vec::new(),
        risk: RiskFacts::default(),
        request: RequestFacts {
            action: Action::parse("accounts.list").context("an action")?,
            method: "GET".to_owned(),
            rules: OperationRules { when_limited: WhenLimited::Allow, evidence_age_max: None },
            fields: [].into(),
        },
        resource: ResourceFacts { kind: "Customer".to_owned(), id: "p_me".to_owned(), owner: Some("p_me".to_owned()) },
        now,
    })
}
