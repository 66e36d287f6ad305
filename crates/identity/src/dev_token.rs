//! Development tokens: the way to enrol an emulator or a test machine, which no hardware can vouch for.
//!
//! A token is a bearer secret: whoever holds it counts as a developer, and nothing proves that a build which sends it is a debug build. A
//! device enrolled with it therefore gets the lowest trust (1), is marked wherever it is listed, and the token is limited in every way: one
//! app, a time, a number of phones, and private networks unless its maker chose otherwise.

// `core::net` instead of `std::net`: addresses are only values here, and nothing in this crate opens a connection.
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use countersign_codec::base64url;
use countersign_core::{ClientId, DevTokenId, Platform, Reason, Secret, UnixSeconds};

use crate::hash::TokenHash;

/// Prefix of every development token, by which scanners for leaked secrets find one.
const PREFIX: &str = "csdev1_";

/// A token as text: `csdev1_` and 256 unpredictable bits in base64url. Only its holder knows it; the store keeps the hash.
pub struct DevTokenText(Secret<String>);

impl DevTokenText {
    /// A new token made of 256 unpredictable bits.
    #[must_use]
    pub fn from_random(bytes: &Secret<[u8; 32]>) -> Self {
        Self(Secret::new(format!("{PREFIX}{}", base64url::encode(bytes.expose()))))
    }

    /// Parses a token; `None` unless it is written exactly as [`Self::from_random`] writes one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX).filter(|digits| digits.len() == 43)?;
        let bytes = base64url::decode(digits).ok()?;
        (bytes.len() == 32).then(|| Self(Secret::new(text.to_owned())))
    }

    /// Hash under which the store keeps the token.
    #[must_use]
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }

    /// The text, to be shown once.
    #[must_use]
    pub const fn secret(&self) -> &Secret<String> {
        &self.0
    }
}

/// Networks from which a token may be used. Ordered from narrow to wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Networks {
    /// Loopback, private and link-local addresses: a desk, an office, a test machine near the server.
    Private,
    /// Every address, public ones included.
    Any,
}

impl Networks {
    /// True when `address` belongs to these networks.
    ///
    /// Private are loopback, RFC 1918, RFC 3927, RFC 4193 and the link-local addresses of RFC 4291, but not the addresses that carriers
    /// share among customers (RFC 6598). The address is that of the connection; behind a proxy it is the proxy's.
    fn take_in(self, address: IpAddr) -> bool {
        // SECURITY: an IPv4 address in IPv6 form (`::ffff:8.8.8.8`) is judged by the rules for IPv4.
        match (self, address.to_canonical()) {
            (Self::Any, _) => true,
            (Self::Private, IpAddr::V4(address)) => is_private_v4(address),
            (Self::Private, IpAddr::V6(address)) => is_private_v6(address),
        }
    }
}

const fn is_private_v4(address: Ipv4Addr) -> bool {
    address.is_loopback() || address.is_private() || address.is_link_local()
}

const fn is_private_v6(address: Ipv6Addr) -> bool {
    address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
}

/// A development token as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevToken {
    /// Identifier of the token in listings and in the log; not a secret.
    pub id: DevTokenId,
    /// Hash of the token's text.
    pub hash: TokenHash,
    /// App that the token enrols.
    pub client: ClientId,
    /// Platform that the token enrols; `None` for both.
    pub platform: Option<Platform>,
    /// Last second in which the token enrols phones.
    pub expires_at: UnixSeconds,
    /// Greatest number of phones that the token enrols.
    pub phones_max: u32,
    /// Networks from which the token may be used.
    pub networks: Networks,
    /// Note of the token's maker, for people.
    pub label: String,
    /// Time at which the token was made.
    pub created_at: UnixSeconds,
    /// Time at which the token was revoked; `None` while it is valid.
    pub revoked_at: Option<UnixSeconds>,
}

/// Kind of build, as the app states it. The statement can only count against the app (law 2 of the design). Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// A build for developers.
    Debug,
    /// A build for customers.
    Release,
}

/// A request to enrol a phone with a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevUse {
    /// App that asks to be enrolled.
    pub client: ClientId,
    /// Platform that the phone states.
    pub platform: Platform,
    /// Kind of build that the app states.
    pub build: Build,
    /// Address of the connection.
    pub address: IpAddr,
    /// Number of phones that the token has enrolled.
    pub phones_used: u32,
    /// True when this phone is one of them.
    pub known_phone: bool,
}

/// Reason why a token does not enrol a phone. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DevTokenRefusal {
    /// The token has expired.
    Expired,
    /// The token may not be used from this address.
    PublicNetwork,
    /// A release build sent the token.
    ReleaseBuild,
    /// The token was revoked.
    Revoked,
    /// The token enrolled its greatest number of phones.
    TooManyPhones,
    /// There is no such token.
    Unknown,
    /// The token is for another app.
    WrongApp,
    /// The token is for the other platform.
    WrongPlatform,
}

impl DevTokenRefusal {
    /// Stable reason code of the refusal, for logs and metrics.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Expired => Reason::DevTokenExpired,
            Self::PublicNetwork => Reason::DevTokenPublicNetwork,
            Self::ReleaseBuild => Reason::DevTokenReleaseBuild,
            Self::Revoked => Reason::DevTokenRevoked,
            Self::TooManyPhones => Reason::DevTokenPhonesFull,
            Self::Unknown => Reason::DevTokenUnknown,
            Self::WrongApp => Reason::DevTokenWrongApp,
            Self::WrongPlatform => Reason::DevTokenWrongPlatform,
        }
    }
}

/// Checks that a token enrols a phone now.
///
/// The order: the token itself (unknown, revoked), its purpose (app, platform), its time, and the caller (a release build, one phone too
/// many, a public address). A developer therefore reads first about a fault that no change of the phone would cure. The store counts phones
/// again when it records the use, because two phones may ask at once.
///
/// # Errors
/// The first check that fails, in this order.
pub fn admit(token: Option<&DevToken>, asked: &DevUse, now: UnixSeconds) -> Result<(), DevTokenRefusal> {
    let token = token.ok_or(DevTokenRefusal::Unknown)?;
    // Before all facts about the phone, so that a revoked token tells nothing else to whoever holds it.
    if token.revoked_at.is_some() {
        return Err(DevTokenRefusal::Revoked);
    }
    if token.client != asked.client {
        return Err(DevTokenRefusal::WrongApp);
    }
    if token.platform.is_some_and(|platform| platform != asked.platform) {
        return Err(DevTokenRefusal::WrongPlatform);
    }
    if token.expires_at < now {
        return Err(DevTokenRefusal::Expired);
    }
    match asked.build {
        Build::Debug => {}
        Build::Release => return Err(DevTokenRefusal::ReleaseBuild),
    }
    // A phone that enrolled before may enrol again when the token is full.
    if !asked.known_phone && asked.phones_used >= token.phones_max {
        return Err(DevTokenRefusal::TooManyPhones);
    }
    if !token.networks.take_in(asked.address) {
        return Err(DevTokenRefusal::PublicNetwork);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(name: &str) -> ClientId {
        ClientId::parse(name).expect("a client")
    }

    fn token() -> DevToken {
        DevToken {
            id: DevTokenId::from_random([1; 16]),
            hash: TokenHash::from_bytes([2; 32]),
            client: client("shop"),
            platform: Some(Platform::Android),
            expires_at: UnixSeconds(2_000),
            phones_max: 2,
            networks: Networks::Private,
            label: "ci".to_owned(),
            created_at: UnixSeconds(900),
            revoked_at: None,
        }
    }

    fn asked() -> DevUse {
        DevUse {
            client: client("shop"),
            platform: Platform::Android,
            build: Build::Debug,
            address: Ipv4Addr::LOCALHOST.into(),
            phones_used: 1,
            known_phone: false,
        }
    }

    #[test]
    fn a_token_enrols_for_one_app_a_time_and_a_few_phones() {
        type Bend = fn(&mut DevToken, &mut DevUse);
        let late = |t: &mut DevToken, _: &mut DevUse| t.expires_at = UnixSeconds(999);
        let rows: &[(&str, Bend, Result<(), DevTokenRefusal>)] = &[
            ("all fits", |_, _| {}, Ok(())),
            ("revoked", |t, _| t.revoked_at = Some(UnixSeconds(950)), Err(DevTokenRefusal::Revoked)),
            ("revoked in a time to come", |t, _| t.revoked_at = Some(UnixSeconds(u64::MAX)), Err(DevTokenRefusal::Revoked)),
            ("another app", |_, u| u.client = client("bank"), Err(DevTokenRefusal::WrongApp)),
            ("another platform", |_, u| u.platform = Platform::Ios, Err(DevTokenRefusal::WrongPlatform)),
            (
                "for both platforms",
                |t, u| {
                    t.platform = None;
                    u.platform = Platform::Ios;
                },
                Ok(()),
            ),
            ("the last second", |t, _| t.expires_at = UnixSeconds(1_000), Ok(())),
            ("a second too late", late, Err(DevTokenRefusal::Expired)),
            ("a release build", |_, u| u.build = Build::Release, Err(DevTokenRefusal::ReleaseBuild)),
            ("the last phone", |_, u| u.phones_used = 1, Ok(())),
            ("one phone too many", |_, u| u.phones_used = 2, Err(DevTokenRefusal::TooManyPhones)),
            ("many phones too many", |_, u| u.phones_used = u32::MAX, Err(DevTokenRefusal::TooManyPhones)),
            (
                "a phone that it knows",
                |_, u| {
                    u.phones_used = 2;
                    u.known_phone = true;
                },
                Ok(()),
            ),
            ("for no phone", |t, u| (t.phones_max, u.phones_used) = (0, 0), Err(DevTokenRefusal::TooManyPhones)),
            ("from a public network", |_, u| u.address = Ipv4Addr::new(203, 0, 113, 1).into(), Err(DevTokenRefusal::PublicNetwork)),
            (
                "from a public network, with leave",
                |t, u| {
                    t.networks = Networks::Any;
                    u.address = Ipv4Addr::new(203, 0, 113, 1).into();
                },
                Ok(()),
            ),
        ];
        for (name, bend, expected) in rows {
            let (mut token, mut asked) = (token(), asked());
            bend(&mut token, &mut asked);
            assert_eq!(admit(Some(&token), &asked, UnixSeconds(1_000)), *expected, "{name}");
        }
        assert_eq!(admit(None, &asked(), UnixSeconds(1_000)), Err(DevTokenRefusal::Unknown), "no such token");
    }

    /// Everything is wrong; then one thing after the other is put right, from the first check to the last.
    #[test]
    fn the_first_fault_is_told() {
        let mut token = DevToken { revoked_at: Some(UnixSeconds(1)), expires_at: UnixSeconds(999), ..token() };
        let mut asked = DevUse {
            client: client("bank"),
            platform: Platform::Ios,
            build: Build::Release,
            address: Ipv4Addr::new(203, 0, 113, 1).into(),
            phones_used: 2,
            known_phone: false,
        };
        type Cure = fn(&mut DevToken, &mut DevUse);
        let steps: &[(Cure, DevTokenRefusal)] = &[
            (|_, _| {}, DevTokenRefusal::Revoked),
            (|t, _| t.revoked_at = None, DevTokenRefusal::WrongApp),
            (|_, u| u.client = client("shop"), DevTokenRefusal::WrongPlatform),
            (|_, u| u.platform = Platform::Android, DevTokenRefusal::Expired),
            (|t, _| t.expires_at = UnixSeconds(1_000), DevTokenRefusal::ReleaseBuild),
            (|_, u| u.build = Build::Debug, DevTokenRefusal::TooManyPhones),
            (|_, u| u.known_phone = true, DevTokenRefusal::PublicNetwork),
        ];
        for (cure, expected) in steps {
            cure(&mut token, &mut asked);
            assert_eq!(admit(Some(&token), &asked, UnixSeconds(1_000)), Err(*expected));
        }
    }

    #[test]
    fn private_networks_are_those_of_the_rfcs() {
        let rows: &[(&str, bool)] = &[
            ("127.0.0.1", true),
            ("127.255.255.255", true),
            ("128.0.0.0", false),
            ("10.0.2.2", true),
            ("11.0.0.0", false),
            ("172.15.255.255", false),
            ("172.16.0.0", true),
            ("172.31.255.255", true),
            ("172.32.0.0", false),
            ("192.168.1.20", true),
            ("192.169.0.0", false),
            ("169.254.1.1", true),
            ("100.64.0.1", false),
            ("0.0.0.0", false),
            ("255.255.255.255", false),
            ("::1", true),
            ("::2", false),
            ("fc00::1", true),
            ("fdff::1", true),
            ("fe00::1", false),
            ("fe80::1", true),
            ("febf::1", true),
            ("fec0::1", false),
            ("2001:db8::1", false),
            ("::ffff:10.0.0.1", true),
            ("::ffff:203.0.113.1", false),
        ];
        for (address, expected) in rows {
            let address: IpAddr = address.parse().expect("an address");
            assert_eq!(Networks::Private.take_in(address), *expected, "{address}");
            assert!(Networks::Any.take_in(address), "{address}");
        }
    }

    #[test]
    fn a_text_has_one_form() {
        let made = DevTokenText::from_random(&Secret::new([7; 32]));
        let text = made.secret().expose().clone();
        assert_eq!((text.len(), text.starts_with("csdev1_")), (50, true));
        assert!(DevTokenText::parse(&text).is_some_and(|read| read.hash() == made.hash()));
        let cut = text.split_at(49).0.to_owned();
        // The last of 43 digits stands for two bits beyond the 32 bytes, which must be nought.
        let (longer, odd) = (format!("{text}A"), format!("{cut}d"));
        for (name, bad) in [
            ("nothing", ""),
            ("the prefix alone", "csdev1_"),
            ("cut short", &cut),
            ("too long", &longer),
            ("another prefix", &text.replace("csdev1_", "csdev2_")),
            ("a space behind it", &format!("{text} ")),
            ("not canonical", &odd),
            ("padded", &format!("{cut}=")),
        ] {
            assert!(DevTokenText::parse(bad).is_none(), "{name}");
        }
    }

    #[test]
    fn every_refusal_has_a_code() {
        let rows: &[(DevTokenRefusal, &str, &str)] = &[
            (DevTokenRefusal::Expired, "dev_token_expired", "dev_token_expired"),
            (DevTokenRefusal::PublicNetwork, "dev_token_public_network", "dev_token_refused"),
            (DevTokenRefusal::ReleaseBuild, "dev_token_release_build", "dev_token_release_build"),
            (DevTokenRefusal::Revoked, "dev_token_revoked", "dev_token_refused"),
            (DevTokenRefusal::TooManyPhones, "dev_token_phones_full", "dev_token_refused"),
            (DevTokenRefusal::Unknown, "dev_token_unknown", "dev_token_refused"),
            (DevTokenRefusal::WrongApp, "dev_token_wrong_app", "dev_token_wrong_app"),
            (DevTokenRefusal::WrongPlatform, "dev_token_wrong_platform", "dev_token_wrong_platform"),
        ];
        for (refusal, code, told) in rows {
            assert_eq!((refusal.reason().code(), refusal.reason().public().code()), (*code, *told));
        }
    }
}
