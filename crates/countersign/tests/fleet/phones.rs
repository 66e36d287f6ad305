//! Phones whose defects are known because they were made with them. The same seed makes the same phones.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::{
    Acr, Amr, AppFinding, AppId, AppReport, BootState, ClientId, DeviceId, EvidenceTier, Integrity, PatchLevel, Platform, Posture,
    Provenance, RiskMetric, Seconds, SecurityLevel, SerialDigest, Session, SessionId, SessionState, Stage, Thumbprint, UnixSeconds, UserId,
    VendorVerdict,
};
use countersign_store::{Device, DeviceState, Passkey, User, UserState};

use crate::stages::{BANK, GONE, SHOP, Set};

/// When the tests take place: 2026-11-15.
pub const NOW: UnixSeconds = UnixSeconds(1_794_700_800);
const DAY: u64 = 86_400;
const MODELS: [&str; 12] = [
    "Pixel 7a",
    "Pixel 8",
    "Pixel 9",
    "Pixel 10",
    "Galaxy A15",
    "Galaxy S22",
    "Galaxy S24",
    "Redmi Note 13",
    "Moto G54",
    "Fairphone 5",
    "OnePlus 12",
    "Xperia 5",
];

/// One thing that is wrong with a phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Defect {
    Debugged,
    Development,
    Emulator,
    Hooked,
    ManyKeys,
    NoEvidence,
    NoVerdict,
    OldApp,
    OldAppAdmitted,
    OldPatch,
    OldSystem,
    RevokedCertificate,
    Rooted,
    SoftwareKey,
    Stale,
    Tampered,
    Unlocked,
    WeakVerdict,
}

use Defect::*;

impl Defect {
    const ANDROID: [Self; 17] = [
        Debugged,
        Development,
        Emulator,
        Hooked,
        NoEvidence,
        NoVerdict,
        OldApp,
        OldAppAdmitted,
        OldPatch,
        OldSystem,
        RevokedCertificate,
        Rooted,
        SoftwareKey,
        Stale,
        Tampered,
        Unlocked,
        WeakVerdict,
    ];
    const IOS: [Self; 9] = [Debugged, Emulator, Hooked, ManyKeys, OldApp, OldSystem, RevokedCertificate, Rooted, Stale];

    /// Which requirements are not met because of it, and what that is called.
    fn breaks(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Debugged => &[("debugger", "debugger_attached")],
            Development => &[("no_development", "development_device")],
            Emulator => &[("emulator", "emulator")],
            Hooked => &[("hooked", "hooked")],
            ManyKeys => &[("risk_metric", "risk_metric_high")],
            NoEvidence => &[
                ("boot", "root_of_trust_missing"),
                ("bootloader_locked", "root_of_trust_missing"),
                ("patch_level", "patch_level_too_old"),
                ("security_level", "key_not_hardware"),
            ],
            NoVerdict => &[("integrity", "play_verdict_missing")],
            OldApp | OldAppAdmitted => &[("app_version", "app_version_too_old")],
            OldPatch => &[("patch_level", "patch_level_too_old")],
            OldSystem => &[("os_version", "os_version_too_old")],
            RevokedCertificate => &[("not_revoked", "certificate_revoked")],
            Rooted => &[("rooted", "rooted")],
            SoftwareKey => &[("security_level", "key_not_hardware")],
            Stale => &[("evidence_age", "evidence_stale")],
            Tampered => &[("tampered", "app_tampered")],
            Unlocked => &[("boot", "boot_not_verified"), ("bootloader_locked", "bootloader_unlocked")],
            WeakVerdict => &[("integrity", "play_device_integrity_missing")],
        }
    }

    /// Whether a phone can have only one of the two.
    fn excludes(self, other: Self) -> bool {
        let pairs = [[NoEvidence, Unlocked], [NoVerdict, WeakVerdict], [OldApp, OldAppAdmitted]];
        self == other || pairs.iter().any(|pair| pair.contains(&self) && pair.contains(&other))
    }

    fn spoil(self, posture: &mut Posture, revoked: SerialDigest) {
        match self {
            Debugged => admit(posture, AppFinding::Debugger),
            Development => (posture.by, posture.tier) = (Provenance::DevelopmentToken, EvidenceTier::SelfReported),
            Emulator => admit(posture, AppFinding::Emulator),
            Hooked => admit(posture, AppFinding::Hooked),
            ManyKeys => posture.risk_metric = Some(RiskMetric { count: 6, at: NOW }),
            NoEvidence => {
                (posture.tier, posture.security_level) = (EvidenceTier::None, SecurityLevel::Software);
                (posture.bootloader_locked, posture.boot_state, posture.patch_level) = (None, None, None);
            }
            NoVerdict => posture.verdict = None,
            OldApp if posture.platform == Platform::Ios => report(posture).app_version = Some(3_000_999),
            OldApp => posture.app_version = Some(309),
            OldAppAdmitted => report(posture).app_version = Some(200),
            OldPatch => posture.patch_level = PatchLevel::from_number(202_604),
            OldSystem if posture.platform == Platform::Ios => report(posture).os_version = Some(160_705),
            OldSystem => posture.os_version = Some(120_100),
            RevokedCertificate => posture.certificates.push(revoked),
            Rooted => admit(posture, AppFinding::Rooted),
            SoftwareKey => posture.security_level = SecurityLevel::Software,
            Stale => posture.established_at = NOW.minus(Seconds(30 * DAY + 1)),
            Tampered => admit(posture, AppFinding::Tampered),
            Unlocked => (posture.bootloader_locked, posture.boot_state) = (Some(false), Some(BootState::Unverified)),
            WeakVerdict => posture.verdict.iter_mut().for_each(|verdict| verdict.integrity = Integrity::Basic),
        }
    }
}

fn report(posture: &mut Posture) -> &mut AppReport {
    posture.report.get_or_insert(AppReport { at: NOW, findings: BTreeSet::new(), os_version: None, app_version: None, installer: None })
}

fn admit(posture: &mut Posture, finding: AppFinding) {
    report(posture).findings.insert(finding);
}

/// A phone, those who use it, and what is wrong with it.
pub struct Phone {
    pub device: Device,
    pub sessions: Vec<Session>,
    pub defects: Vec<Defect>,
}

/// What is to become of a phone.
pub struct Fate {
    pub reasons: BTreeMap<String, Stage>,
    pub enforced: Option<Stage>,
}

impl Fate {
    pub fn stage(&self) -> Option<Stage> {
        self.reasons.values().max().copied()
    }
}

impl Phone {
    /// Sessions that have not ended.
    pub fn open(&self) -> impl Iterator<Item = &Session> {
        self.sessions.iter().filter(|session| session.state != SessionState::Revoked && session.expires_at >= NOW)
    }

    fn broken(&self) -> Vec<(&'static str, &'static str)> {
        // Of a phone that a development token stands for nothing is known but what the app admits.
        let known = |rule: &str| {
            !self.defects.contains(&Development)
                || ["debugger", "emulator", "hooked", "no_development", "rooted", "tampered"].contains(&rule)
        };
        self.defects.iter().flat_map(|defect| defect.breaks()).copied().filter(|(rule, _)| known(rule)).collect()
    }

    /// What a set of requirements makes of its requests, known by how it was made.
    pub fn fate(&self, set: Set) -> Fate {
        let mut uses: Vec<_> = self.open().map(|session| (session.client.as_str(), Some(&session.user))).collect();
        if uses.is_empty() {
            uses.push((self.device.posture.app.as_ref().map_or(GONE, AppId::as_str), None));
        }
        let mut fate = Fate { reasons: BTreeMap::new(), enforced: None };
        for (client, user) in uses {
            if client == GONE {
                fate.reasons.insert("client_unknown".to_owned(), Stage::Enforce);
                fate.enforced = Some(Stage::Enforce);
                continue;
            }
            for (rule, reason) in self.broken() {
                let stage = set.stage(client, rule, user);
                let worst = fate.reasons.entry(reason.to_owned()).or_insert(stage);
                *worst = stage.max(*worst);
                fate.enforced = fate.enforced.max(Some(set.stage_enforced(rule)));
            }
        }
        fate
    }
}

/// Numbers that look random and are the same for the same seed (S. Vigna's splitmix64).
pub struct Dice(pub u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).expect("a number")).expect("a number")
    }

    fn id(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes.as_chunks_mut::<8>().0.iter_mut().for_each(|chunk| *chunk = self.next().to_be_bytes());
        bytes
    }
}

pub fn people(dice: &mut Dice, count: usize) -> Vec<(User, Passkey)> {
    let person = |number: usize| {
        let id = UserId::from_random(dice.id());
        let user = User { id: id.clone(), name: format!("person {number}"), roles: vec![], created_at: NOW, state: UserState::Active };
        (user, Passkey { credential: number.to_be_bytes().to_vec(), user: id, record: "{}".to_owned(), counter: 0, created_at: NOW })
    };
    (0..count).map(person).collect()
}

pub fn phone(dice: &mut Dice, people: &[(User, Passkey)], revoked: SerialDigest) -> Phone {
    let ios = dice.below(10) < 3;
    let client = match dice.below(100) {
        0 => GONE,
        1..30 => BANK,
        _ => SHOP,
    };
    let mut posture = if ios { iphone(dice, client) } else { android(dice, client) };
    let mut defects: Vec<Defect> = Vec::new();
    let all: &[Defect] = if ios { &Defect::IOS } else { &Defect::ANDROID };
    // Three of ten phones have nothing, and the others up to three things.
    for _ in 0..[0, 0, 0, 1, 1, 1, 1, 2, 2, 3][dice.below(10)] {
        let defect = all[dice.below(all.len())];
        if !defects.iter().any(|other| defect.excludes(*other)) {
            defect.spoil(&mut posture, revoked);
            defects.push(defect);
        }
    }
    let model = (dice.below(20) > 0).then(|| if ios { "iPhone16,1" } else { MODELS[dice.below(MODELS.len())] });
    let state = if dice.below(50) == 0 { DeviceState::Revoked } else { DeviceState::Active };
    let mut sessions = Vec::new();
    for _ in 0..[0, 1, 1, 1, 1, 1, 1, 1, 2, 3][dice.below(10)] {
        let (user, _) = &people[dice.below(people.len())];
        sessions.push(session(dice, &posture.device, user, client));
    }
    let device = Device {
        key_jwk: "{}".to_owned(),
        name: "phone".to_owned(),
        model: model.map(str::to_owned),
        vouching: None,
        enrolled_at: NOW.minus(Seconds(60 * DAY)),
        state,
        posture,
    };
    Phone { device, sessions, defects }
}

fn session(dice: &mut Dice, device: &DeviceId, user: &User, client: &str) -> Session {
    // Some have ended.
    let (state, expires_at) = match dice.below(20) {
        0 => (SessionState::Revoked, NOW.plus(Seconds(DAY))),
        1 => (SessionState::Active, NOW.minus(Seconds(1))),
        _ => (SessionState::Active, NOW.plus(Seconds(DAY))),
    };
    Session {
        id: SessionId::from_random(dice.id()),
        user: user.id.clone(),
        roles: vec![],
        device: device.clone(),
        client: ClientId::parse(client).expect("an id"),
        state,
        acr: Acr::PhishingResistant,
        amr: vec![Amr::HardwareKey],
        auth_time: NOW.minus(Seconds(60)),
        bound_at: NOW.minus(Seconds(DAY)),
        created_at: NOW.minus(Seconds(60)),
        expires_at,
    }
}

fn android(dice: &mut Dice, app: &str) -> Posture {
    let id = dice.id();
    Posture {
        device: DeviceId::from_random(id),
        key: Thumbprint::from_bytes([id, id].concat().try_into().expect("as long")),
        platform: Platform::Android,
        tier: EvidenceTier::Hardware,
        by: Provenance::AndroidKeyAttestation,
        established_at: NOW.minus(Seconds(30 * DAY)),
        security_level: SecurityLevel::TrustedEnvironment,
        bootloader_locked: Some(true),
        boot_state: Some(BootState::Verified),
        boot_key: None,
        os_version: Some(130_000 + 10_000 * (dice.next() % 4)),
        patch_level: PatchLevel::from_number(202_605 + dice.next() % 5),
        app: AppId::parse(app).ok(),
        app_version: Some(310 + dice.next() % 4),
        certificates: vec![SerialDigest(dice.id())],
        verdict: Some(VendorVerdict {
            at: NOW,
            integrity: Integrity::Device,
            recognition: None,
            licensing: None,
            play_protect: None,
            app_access: BTreeSet::new(),
            recent_activity: None,
            sdk_version: None,
            recall: None,
            testing: false,
        }),
        report: None,
        risk_metric: None,
    }
}

fn iphone(dice: &mut Dice, app: &str) -> Posture {
    let (os_version, app_version) = (Some(170_000 + 10_000 * (dice.next() % 3)), Some(3_001_000 + dice.next() % 3));
    Posture {
        platform: Platform::Ios,
        by: Provenance::AppAttest,
        bootloader_locked: None,
        boot_state: None,
        os_version: None,
        patch_level: None,
        app_version: None,
        verdict: None,
        report: Some(AppReport { at: NOW, findings: BTreeSet::new(), os_version, app_version, installer: None }),
        risk_metric: Some(RiskMetric { count: 5, at: NOW }),
        ..android(dice, app)
    }
}
