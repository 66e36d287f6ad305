//! Samples by number of people, devices, sessions and grants: the same number gives the same sample, another number another one.

use countersign_core::{
    Acr, Amr, AppId, BootState, ClientId, DevTokenId, DeviceId, EvidenceTier, GrantId, PatchLevel, Platform, Posture, Provenance, Role,
    Seconds, Secret, SecurityLevel, Session, SessionId, SessionState, Thumbprint, UnixSeconds, UserId,
};
use countersign_identity::{CodeChallenge, CodeGrant, DevToken, DeviceBinding, Networks, OpenedBy, PasskeyPlace, RefreshFamily, TokenHash};

use crate::{
    devices::{Device, DeviceState},
    subjects::{Passkey, User, UserState},
};

/// Instant at which the tests take place.
pub const NOW: UnixSeconds = UnixSeconds(1_789_302_400);

/// Bytes that differ from number to number.
pub fn bytes<const N: usize>(number: u16) -> [u8; N] {
    let mut bytes = [7; N];
    bytes.iter_mut().zip(number.to_be_bytes()).for_each(|(to, from)| *to = from);
    bytes
}

/// Hash of a secret that is made from a number.
pub fn hash(number: u16) -> TokenHash {
    TokenHash::of(&Secret::new(format!("secret {number}")))
}

/// Instant at which the sample of that number is made: the greater the number, the newer.
fn made_at(number: u16) -> UnixSeconds {
    NOW.minus(Seconds(100_000)).plus(Seconds(number.into()))
}

/// Person of that number.
#[must_use]
pub fn user(number: u16) -> User {
    User {
        id: UserId::from_random(bytes(number)),
        name: format!("person {number}"),
        roles: vec![Role::parse("customer").expect("an id")],
        created_at: made_at(number),
        state: UserState::Active,
    }
}

/// The passkey of the person of that number.
#[must_use]
pub fn passkey(number: u16) -> Passkey {
    Passkey {
        credential: bytes::<20>(number).to_vec(),
        user: user(number).id,
        record: format!("{{\"number\":{number}}}"),
        counter: 0,
        created_at: made_at(number),
    }
}

/// Healthy device of that number.
#[must_use]
pub fn device(number: u16) -> Device {
    Device {
        posture: Posture {
            device: DeviceId::from_random(bytes(number)),
            key: Thumbprint::from_bytes(bytes(number)),
            platform: Platform::Android,
            tier: EvidenceTier::Hardware,
            by: Provenance::AndroidKeyAttestation,
            established_at: made_at(number),
            security_level: SecurityLevel::StrongBox,
            bootloader_locked: Some(true),
            boot_state: Some(BootState::Verified),
            boot_key: None,
            os_version: Some(160_000),
            patch_level: PatchLevel::from_number(202_608),
            app: Some(AppId::parse("com.example.bank").expect("an id")),
            app_version: Some(42),
            certificates: Vec::new(),
            verdict: None,
            report: None,
            risk_metric: None,
        },
        key_jwk: format!("{{\"number\":{number}}}"),
        name: "Pixel 11".to_owned(),
        model: None,
        vouching: None,
        enrolled_at: made_at(number),
        state: DeviceState::Active,
    }
}

/// A development token for three phones, in its last second. Every second one is for one platform, every third for every network.
#[must_use]
pub fn dev_token(number: u16) -> DevToken {
    DevToken {
        id: DevTokenId::from_random(bytes(number)),
        hash: hash(number),
        client: session(number).client,
        platform: number.is_multiple_of(2).then_some(Platform::Ios),
        expires_at: NOW,
        phones_max: 3,
        networks: if number.is_multiple_of(3) { Networks::Any } else { Networks::Private },
        label: format!("token {number}"),
        created_at: made_at(number),
        revoked_at: None,
    }
}

/// A session of the person on the device of that number.
#[must_use]
pub fn session(number: u16) -> Session {
    Session {
        id: SessionId::from_random(bytes(number)),
        user: user(number).id,
        roles: user(number).roles,
        device: device(number).posture.device,
        client: ClientId::parse("com.example.bank").expect("an id"),
        state: SessionState::Active,
        acr: Acr::PhishingResistant,
        amr: vec![Amr::HardwareKey, Amr::UserVerified],
        auth_time: made_at(number),
        bound_at: made_at(number),
        created_at: made_at(number),
        expires_at: NOW.plus(Seconds(3600)),
    }
}

/// A code's hash, and what the code stands for.
#[must_use]
pub fn code(number: u16) -> (TokenHash, CodeGrant) {
    let grant = CodeGrant {
        user: user(number).id,
        client: session(number).client,
        binding: binding(number),
        challenge: CodeChallenge::from_bytes(bytes(number)),
        opened_by: Some(OpenedBy { credential: bytes(number), place: PasskeyPlace::OnePlace }),
        auth_time: NOW,
        expires_at: NOW.plus(Seconds(60)),
    };
    (hash(number), grant)
}

/// The refresh family of the session of that number.
#[must_use]
pub fn family(number: u16) -> RefreshFamily {
    RefreshFamily {
        id: GrantId::from_random(bytes(number)),
        token: TokenHash::of(&Secret::new(format!("refresh {number}"))),
        session: session(number).id,
        client: session(number).client,
        binding: binding(number),
        expires_at: NOW.plus(Seconds(3600)),
    }
}

fn binding(number: u16) -> DeviceBinding {
    DeviceBinding { device: device(number).posture.device, key: device(number).posture.key }
}
