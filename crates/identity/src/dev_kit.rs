//! Development kits: everything that a phone needs to start, in one line of text: a development token with the server's address and the
//! certificate to expect there.
//!
//! The text is `csdev1.` and base64url (without padding, RFC 4648 section 5) of a JSON object with the members `u` (address), `p` (pin),
//! `s` (secret), `a` (app), `t` (platform), `e` (last second), `n` (number of phones) and `w` (networks). Only the secret is sent to the
//! server, and only the server decides. The limits in the text are for people, and for an early and exact message.

use countersign_codec::base64url;
use countersign_core::{ClientId, Limits, Platform, Secret, UnixSeconds};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::dev_token::{DevTokenText, Networks};

/// Prefix of every kit. The secret alone begins with `csdev1_`.
const PREFIX: &str = "csdev1.";

/// A development token with everything that a phone needs to use it.
pub struct DevKit {
    /// Origin of the server, as the phone reaches it.
    pub server: Url,
    /// SHA-256 of the root certificate (DER) that the server presents; `None` when the phone's own roots vouch for it.
    pub pin: Option<[u8; 32]>,
    /// The secret that the server accepts.
    pub token: DevTokenText,
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
}

/// Reason why a text is not a kit. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DevKitRefusal {
    /// The text has another format or was cut short.
    Malformed,
    /// A member, named here, has an impossible value.
    MemberInvalid(&'static str),
    /// The text does not begin with the prefix of a kit.
    NoKit,
    /// The text is longer than any kit.
    TooLong,
}

impl core::fmt::Display for DevKitRefusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Malformed => f.write_str("the development token is incomplete or was changed; copy the whole token"),
            Self::MemberInvalid(name) => write!(f, "`{name}` of the development token is invalid; make a new token"),
            Self::NoKit => write!(f, "a development token must begin with `{PREFIX}`"),
            Self::TooLong => write!(f, "a development token has at most {} bytes", Limits::DEV_KIT_BYTES_MAX),
        }
    }
}

impl core::error::Error for DevKitRefusal {}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct WireKit {
    u: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    p: Option<String>,
    s: String,
    a: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    t: Option<String>,
    e: u64,
    n: u32,
    w: String,
}

impl DevKit {
    /// The kit as text, to be shown to the developer once.
    #[must_use]
    pub fn write(&self) -> Secret<String> {
        let wire = WireKit {
            u: self.server.as_str().trim_end_matches('/').to_owned(),
            p: self.pin.map(base64url::encode),
            s: self.token.secret().expose().clone(),
            a: self.client.to_string(),
            t: self.platform.map(|platform| platform_word(platform).to_owned()),
            e: self.expires_at.0,
            n: self.phones_max,
            w: networks_word(self.networks).to_owned(),
        };
        // Texts and numbers always serialise. An empty kit would be refused by `parse`.
        let json = serde_json::to_vec(&wire).unwrap_or_default();
        Secret::new(format!("{PREFIX}{}", base64url::encode(json)))
    }

    /// Parses the text of a kit.
    ///
    /// # Errors
    /// The first fault that is found.
    pub fn parse(text: &str) -> Result<Self, DevKitRefusal> {
        if text.len() > Limits::DEV_KIT_BYTES_MAX {
            return Err(DevKitRefusal::TooLong);
        }
        let digits = text.strip_prefix(PREFIX).ok_or(DevKitRefusal::NoKit)?;
        let json = base64url::decode(digits).map_err(|_| DevKitRefusal::Malformed)?;
        let wire: WireKit = serde_json::from_slice(&json).map_err(|_| DevKitRefusal::Malformed)?;
        let invalid = DevKitRefusal::MemberInvalid;
        Ok(Self {
            server: origin(&wire.u).ok_or(invalid("u"))?,
            pin: wire.p.map(|pin| sha256(&pin).ok_or(invalid("p"))).transpose()?,
            token: DevTokenText::parse(&wire.s).ok_or(invalid("s"))?,
            client: ClientId::parse(&wire.a).map_err(|_| invalid("a"))?,
            platform: wire.t.map(|word| platform(&word).ok_or(invalid("t"))).transpose()?,
            expires_at: UnixSeconds(wire.e),
            phones_max: wire.n,
            networks: networks(&wire.w).ok_or(invalid("w"))?,
        })
    }
}

/// The origin of an `https` URL without path, query, fragment and user name; `None` for anything else. The phone sends a secret there, so
/// nothing in the text may redirect it.
fn origin(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let anonymous = url.username().is_empty() && url.password().is_none();
    (url.scheme() == "https" && url.has_host() && bare && anonymous).then_some(url)
}

fn sha256(text: &str) -> Option<[u8; 32]> {
    base64url::decode(text).ok()?.try_into().ok()
}

fn platform(word: &str) -> Option<Platform> {
    [Platform::Android, Platform::Ios].into_iter().find(|platform| platform_word(*platform) == word)
}

fn networks(word: &str) -> Option<Networks> {
    [Networks::Any, Networks::Private].into_iter().find(|networks| networks_word(*networks) == word)
}

const fn platform_word(platform: Platform) -> &'static str {
    match platform {
        Platform::Android => "android",
        Platform::Ios => "ios",
    }
}

const fn networks_word(networks: Networks) -> &'static str {
    match networks {
        Networks::Any => "any",
        Networks::Private => "private",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kit() -> DevKit {
        DevKit {
            server: Url::parse("https://10.0.2.2:7443").expect("a URL"),
            pin: Some([9; 32]),
            token: DevTokenText::from_random(&Secret::new([7; 32])),
            client: ClientId::parse("com.example.shop").expect("an app"),
            platform: Some(Platform::Android),
            expires_at: UnixSeconds(2_000),
            phones_max: 5,
            networks: Networks::Private,
        }
    }

    fn refusal(text: &str) -> Option<DevKitRefusal> {
        DevKit::parse(text).err()
    }

    #[test]
    fn a_kit_is_read_strictly() {
        let secret = kit().token.secret().expose().clone();
        let honest = format!(r#"{{"u":"https://10.0.2.2:7443","s":"{secret}","a":"shop","e":1,"n":1,"w":"any"}}"#);
        let with = |from: &str, to: &str| format!("{PREFIX}{}", base64url::encode(honest.replace(from, to)));
        let invalid = |name| Some(DevKitRefusal::MemberInvalid(name));
        let rows: Vec<(&str, String, Option<DevKitRefusal>)> = vec![
            ("as it is written", with("", ""), None),
            ("the secret alone", secret.clone(), Some(DevKitRefusal::NoKit)),
            ("nothing", String::new(), Some(DevKitRefusal::NoKit)),
            ("no JSON", format!("{PREFIX}AAAA"), Some(DevKitRefusal::Malformed)),
            ("no base64", format!("{PREFIX}*"), Some(DevKitRefusal::Malformed)),
            ("a member more", with(r#""n":1"#, r#""n":1,"x":1"#), Some(DevKitRefusal::Malformed)),
            ("a member twice", with(r#""n":1"#, r#""n":1,"n":1"#), Some(DevKitRefusal::Malformed)),
            ("without encryption", with("https", "http"), invalid("u")),
            ("with a path", with(":7443", ":7443/x"), invalid("u")),
            ("with a name before the host", with("10.0", "user@10.0"), invalid("u")),
            ("a pin of another length", with(r#""n":1"#, r#""n":1,"p":"AAAA""#), invalid("p")),
            ("another secret", with("csdev1_", "csdev2_"), invalid("s")),
            ("no app", with("shop", ""), invalid("a")),
            ("a third platform", with(r#""n":1"#, r#""n":1,"t":"palm""#), invalid("t")),
            ("a third network", with("any", "some"), invalid("w")),
            ("too long", "x".repeat(Limits::DEV_KIT_BYTES_MAX + 1), Some(DevKitRefusal::TooLong)),
        ];
        for (name, text, expected) in rows {
            assert_eq!(refusal(&text), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(pin in any::<Option<[u8; 32]>>(), secret in any::<[u8; 32]>(), e in any::<u64>(), n in any::<u32>()) {
            let token = DevTokenText::from_random(&Secret::new(secret));
            let made = DevKit { pin, token, expires_at: UnixSeconds(e), phones_max: n, platform: None, ..kit() };
            let text = made.write().expose().clone();
            let read = DevKit::parse(&text).expect("a kit");
            let again = read.write();
            prop_assert_eq!(again.expose(), &text);
            prop_assert_eq!((read.pin, read.token.hash(), read.expires_at.0, read.phones_max), (pin, made.token.hash(), e, n));
            for end in 0..text.len() {
                prop_assert!(DevKit::parse(text.get(..end).unwrap_or_default()).is_err());
            }
        }

        #[test]
        fn no_text_panics(text in "(csdev1\\.)?[ -~]{0,200}") {
            let _ = DevKit::parse(&text);
        }
    }
}
