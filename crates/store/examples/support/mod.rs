//! A world for examples: a clock that counts, bytes that are not secret, one key for everybody.

use std::{
    hash::{BuildHasher, RandomState},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Context, Result, anyhow};
use async_trait::async_trait;
use countersign_audit::{
    CheckpointKey, CheckpointVerifier, DeviceName, Entry, Event, Grounds, Identity, Recorded, RecordedFacts, RequestJudged, RulesDigest,
};
use countersign_core::{
    Acr, Action, Amr, AppId, BootState, ClientId, Clock, DecisionId, DeviceId, Entropy, EvidenceTier, Facts, FieldValue, OperationRules,
    PairwiseId, PatchLevel, Platform, PolicyName, Posture, Provenance, RequestFacts, ResourceFacts, RiskFacts, Role, Secret, SecurityLevel,
    Session, SessionId, SessionState, Thumbprint, UnixMillis, UnixSeconds, UserId, WhenLimited,
};
use countersign_store::{SubjectKeys, Unavailable, segments::SegmentLog};

/// The Ed25519 key of RFC 8410 section 10.3, in PKCS#8: anybody knows it, and an example needs no other.
const PKCS8: &[u8] = &[
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20, 0xd4, 0xee, 0x72, 0xdb, 0xf9, 0x13,
    0x58, 0x4a, 0xd5, 0xb6, 0xd8, 0xf1, 0xf7, 0x69, 0xf8, 0xad, 0x3a, 0xfe, 0x7c, 0x28, 0xcb, 0xf1, 0xd4, 0xfb, 0xe0, 0x97, 0xa8, 0x8f,
    0x44, 0x75, 0x58, 0x42,
];

/// Numbers that look random, from a seed (SplitMix64: Steele, Lea and Flood 2014).
pub struct Numbers(AtomicU64);

impl Numbers {
    /// The same seed gives the same numbers.
    pub const fn from_seed(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// Numbers that differ from run to run.
    pub fn fresh() -> Self {
        Self::from_seed(RandomState::new().hash_one(0))
    }

    /// The next one.
    pub fn next(&self) -> u64 {
        let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Entropy for Numbers {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.chunks_mut(8).for_each(|chunk| chunk.iter_mut().zip(self.next().to_le_bytes()).for_each(|(to, from)| *to = from));
    }
}

impl Clock for Numbers {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.fetch_add(1, Ordering::Relaxed) >> 32)
    }
}

/// One key for everybody.
struct OneKey;

#[async_trait]
impl SubjectKeys for OneKey {
    async fn key(&self, _: &UserId, _: Secret<[u8; 32]>) -> Result<Option<Secret<[u8; 32]>>, Unavailable> {
        Ok(Some(Secret::new([7; 32])))
    }

    async fn find(&self, _: &UserId) -> Result<Option<Secret<[u8; 32]>>, Unavailable> {
        Ok(None)
    }

    async fn destroy(&self, _: &UserId) -> Result<(), Unavailable> {
        Ok(())
    }
}

fn key() -> Result<CheckpointKey> {
    CheckpointKey::from_pkcs8("log.example.com", &Secret::new(PKCS8.to_vec())).context("the key of RFC 8410")
}

/// The key with which the log is verified.
pub fn verifier() -> Result<CheckpointVerifier> {
    CheckpointVerifier::parse(&key()?.verifier_text()).context("its own text")
}

/// Opens the log in `directory`.
pub fn open(directory: &Path) -> Result<SegmentLog> {
    let world = Arc::new(Numbers::fresh());
    let clock = Arc::clone(&world) as Arc<dyn Clock>;
    Ok(SegmentLog::open(directory, key()?, Arc::new(OneKey), clock, world)?)
}

/// An entry as a request leaves it: number `number`, of one of a thousand people.
pub fn entry(number: u64) -> Result<Entry> {
    let user = UserId::parse(&format!("u_{:026}", number % 1000)).map_err(|error| anyhow!(error))?;
    let (device, session) = (DeviceId::from_random([7; 16]), SessionId::from_random([8; 16]));
    let recorded = RecordedFacts::of(&facts(&user, &device, &session)?, UnixMillis(number));
    let judged = RequestJudged {
        action: Action::parse("transfers.create").ok(),
        grounds: Grounds { policies: vec![PolicyName::new("owners-read-their-accounts")], ..Grounds::default() },
        rules: Some(RulesDigest::of("")),
        facts: Some(recorded.open),
        decided: None,
    };
    let identity = Identity {
        address: Some("203.0.113.0/24".to_owned()),
        device: Some(DeviceName::Enrolled(device)),
        path: Some("/v1/accounts/acc-12345/transfers".to_owned()),
        resource: Some("acc-12345".to_owned()),
        session: Some(session),
        subject: PairwiseId::parse("p_7Q4K2M9X0C3V7Q4K2M9X0C3V7Q").ok(),
        user: Some(user.clone()),
        facts: Some(recorded.sealed),
    };
    let decision = DecisionId::from_random(number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    let event = Event::allowed(Recorded::Request(Box::new(judged)));
    Ok(Entry { at: UnixMillis(number), decision, event, person: Some(user), identity })
}

/// The facts of a payment from a phone of today.
fn facts(user: &UserId, device: &DeviceId, session: &SessionId) -> Result<Facts> {
    let subject = PairwiseId::parse("p_7Q4K2M9X0C3V7Q4K2M9X0C3V7Q").map_err(|error| anyhow!(error))?;
    Ok(Facts {
        session: Session {
            id: session.clone(),
            user: user.clone(),
            roles: vec![Role::parse("customer").map_err(|error| anyhow!(error))?],
            device: device.clone(),
            client: ClientId::parse("com.example.bank").map_err(|error| anyhow!(error))?,
            state: SessionState::Active,
            acr: Acr::PhishingResistant,
            amr: vec![Amr::HardwareKey, Amr::UserVerified],
            auth_time: UnixSeconds(1_789_300_000),
            bound_at: UnixSeconds(1_780_000_000),
            created_at: UnixSeconds(1_789_000_000),
            expires_at: UnixSeconds(1_790_000_000),
        },
        posture: Posture {
            device: device.clone(),
            key: Thumbprint::from_bytes([3; 32]),
            platform: Platform::Android,
            tier: EvidenceTier::Hardware,
            by: Provenance::AndroidKeyAttestation,
            established_at: UnixSeconds(1_789_000_000),
            security_level: SecurityLevel::TrustedEnvironment,
            bootloader_locked: Some(true),
            boot_state: Some(BootState::Verified),
            boot_key: None,
            os_version: Some(160_000),
            patch_level: PatchLevel::from_number(202_608),
            app: AppId::parse("com.example.bank").ok(),
            app_version: Some(7),
            certificates: Vec::new(),
            verdict: None,
            report: None,
            risk_metric: None,
        },
        unmet: Vec::new(),
        risk: RiskFacts::default(),
        request: RequestFacts {
            action: Action::parse("transfers.create").map_err(|error| anyhow!(error))?,
            method: "POST".to_owned(),
            rules: OperationRules { when_limited: WhenLimited::Refuse, evidence_age_max: None },
            fields: [("amount".to_owned(), FieldValue::Long(2500)), ("note".to_owned(), FieldValue::Text("for lunch".to_owned()))].into(),
        },
        resource: ResourceFacts { kind: "Account".to_owned(), id: "acc-12345".to_owned(), owner: Some(subject.to_string()) },
        subject,
        now: UnixSeconds(1_789_302_400),
    })
}
