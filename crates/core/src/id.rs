//! Identifiers, each a type of its own, so that a device can never be taken for a user.

use std::{fmt, sync::Arc};

/// Reason why a text is not an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdError {
    /// The text is empty.
    Empty,
    /// The text has a byte outside of the identifier's alphabet.
    IllegalByte,
    /// The text has more bytes than [`crate::Limits::ID_BYTES_MAX`].
    TooLong,
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "an identifier cannot be empty",
            Self::IllegalByte => "an identifier can contain only letters, digits and `-_.:~`",
            Self::TooLong => "an identifier can have at most 128 bytes",
        })
    }
}

impl std::error::Error for IdError {}

/// A broken promise of our own code. It is returned as an error instead of a panic, and the request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContractViolation(pub &'static str);

impl fmt::Display for ContractViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "internal contract violated: {}", self.0)
    }
}

impl std::error::Error for ContractViolation {}

fn parse(text: &str) -> Result<Arc<str>, IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > crate::limit::Limits::ID_BYTES_MAX {
        return Err(IdError::TooLong);
    }
    // These bytes need no escape in a URL, a log line, a header or Cedar, so an identifier reads the same everywhere.
    if text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:~".contains(&b)) { Ok(Arc::from(text)) } else { Err(IdError::IllegalByte) }
}

macro_rules! text_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Parses an identifier of this kind.
            ///
            /// # Errors
            /// A refusal when the text is empty, too long or has a byte outside of `[A-Za-z0-9._:~-]`.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                parse(text).map(Self)
            }

            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

macro_rules! random_id {
    ($($name:ident = $prefix:literal;)*) => {$(
        impl $name {
            /// A new identifier made of 128 unpredictable bits.
            #[must_use]
            pub fn from_random(bytes: [u8; 16]) -> Self {
                Self(Arc::from(format!(concat!($prefix, "{}"), crockford(&bytes)).as_str()))
            }
        }
    )*};
}

text_id! {
    /// The action of an operation, as policies name it: `transfers.create`.
    Action;
    /// An app by its name in the store: an Android package or an iOS bundle.
    AppId;
    /// An OAuth client (RFC 6749 section 2.2); native apps use the name of their app.
    ClientId;
    /// One decision about one request, safe to read aloud to support: `D-7Q4K-2M9X-0C3V`.
    DecisionId;
    /// A development token, by a name that is not secret.
    DevTokenId;
    /// One installation of an app on one phone.
    DeviceId;
    /// One authorization code, or one family of refresh tokens.
    GrantId;
    /// One incident that the monitor noticed, however often it repeats.
    IncidentId;
    /// A signing key of ours, by the name in JOSE's `kid`.
    KeyId;
    /// An operator, as the configuration names the user who opens the admin socket: `alice`; `uid:1000` where it names nobody.
    OperatorName;
    /// A person as one upstream or app knows them; another name in each sector (OpenID Connect Core section 8.1).
    PairwiseId;
    /// The `jti` of a proof (RFC 9449 section 4.2).
    ProofId;
    /// A group of permissions that a user holds, such as `admin`.
    Role;
    /// The session of one person on one device through one client.
    SessionId;
    /// A person, by a name that only this server uses.
    UserId;
}

random_id! {
    DevTokenId = "dt_";
    DeviceId = "d_";
    GrantId = "g_";
    IncidentId = "i_";
    SessionId = "s_";
    UserId = "u_";
}

impl DecisionId {
    /// A new identifier made of 60 unpredictable bits, in groups of four characters that are easy to read aloud.
    #[must_use]
    pub fn from_random(bytes: [u8; 8]) -> Self {
        let text = crockford(&bytes);
        let mut out = String::from("D");
        // Twelve characters of five bits: 60 of the 64 bits.
        for (i, c) in text.chars().take(12).enumerate() {
            if i % 4 == 0 {
                out.push('-');
            }
            out.push(c);
        }
        Self(Arc::from(out.as_str()))
    }
}

/// Crockford's base 32: without I, L, O and U, so that nothing is misread or misheard.
fn crockford(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut out = String::with_capacity(bytes.len().saturating_mul(8).div_ceil(5));
    let (mut held, mut bits) = (0_u32, 0_u32);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits = bits.saturating_add(8);
        while bits >= 5 {
            bits = bits.saturating_sub(5);
            push_digit(&mut out, ALPHABET, held >> bits);
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        push_digit(&mut out, ALPHABET, held << 5_u32.saturating_sub(bits));
    }
    out
}

fn push_digit(out: &mut String, alphabet: &[u8; 32], value: u32) {
    let digit = usize::try_from(value & 31).ok().and_then(|i| alphabet.get(i));
    out.extend(digit.map(|d| char::from(*d)));
}

/// SHA-256 JWK thumbprint, the name of a public key (RFC 7638), written as 43 characters of base64url.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thumbprint([u8; 32]);

impl Thumbprint {
    /// Takes the 32 bytes of the hash. Only `proof::jwk` computes them from a key.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of the hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Parses the 43 characters of unpadded base64url that stand for a thumbprint.
    ///
    /// # Errors
    /// A refusal when the text is not exactly the canonical encoding of 32 bytes.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        if text.len() > 43 {
            return Err(IdError::TooLong);
        }
        let mut out = Vec::with_capacity(33);
        let (mut held, mut bits) = (0_u32, 0_u32);
        for byte in text.bytes() {
            held = (held << 6) | u32::from(base64url_value(byte).ok_or(IdError::IllegalByte)?);
            bits = bits.saturating_add(6);
            if bits >= 8 {
                bits = bits.saturating_sub(8);
                out.push(u8::try_from((held >> bits) & 0xff).unwrap_or_default());
                held &= (1 << bits) - 1;
            }
        }
        // SECURITY: left-over bits must be zero, or one key would have several names.
        if held != 0 {
            return Err(IdError::IllegalByte);
        }
        out.try_into().map(Self).map_err(|_| IdError::IllegalByte)
    }
}

const BASE64URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn base64url_value(byte: u8) -> Option<u8> {
    BASE64URL.iter().position(|b| *b == byte).and_then(|i| u8::try_from(i).ok())
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut held, mut bits) = (0_u32, 0_u32);
        let mut out = String::with_capacity(43);
        let digit = |value: u32| usize::try_from(value & 63).ok().and_then(|i| BASE64URL.get(i)).map(|d| char::from(*d));
        for byte in &self.0 {
            held = (held << 8) | u32::from(*byte);
            bits = bits.saturating_add(8);
            while bits >= 6 {
                bits = bits.saturating_sub(6);
                out.extend(digit(held >> bits));
            }
            held &= (1 << bits) - 1;
        }
        if bits > 0 {
            out.extend(digit(held << 6_u32.saturating_sub(bits)));
        }
        f.write_str(&out)
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thumbprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_refuse_what_could_be_misread() {
        let long = "a".repeat(129);
        let longest = "a".repeat(128);
        let rows: &[(&str, &str, Result<(), IdError>)] = &[
            ("an ordinary id", "u_7Q4K", Ok(())),
            ("nothing", "", Err(IdError::Empty)),
            ("a space", "a b", Err(IdError::IllegalByte)),
            ("a control byte", "a\n", Err(IdError::IllegalByte)),
            ("beyond ASCII", "ä", Err(IdError::IllegalByte)),
            ("the longest", &longest, Ok(())),
            ("one byte too long", &long, Err(IdError::TooLong)),
        ];
        for (name, text, expected) in rows {
            assert_eq!(UserId::parse(text).map(|_| ()), *expected, "{name}");
        }
    }

    #[test]
    fn random_ids_say_what_they_are() {
        assert_eq!(UserId::from_random([0; 16]).as_str(), "u_00000000000000000000000000");
        assert_eq!(DeviceId::from_random([255; 16]).as_str(), "d_ZZZZZZZZZZZZZZZZZZZZZZZZZW");
        assert_eq!(DecisionId::from_random([0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0]).as_str(), "D-28T5-CY4T-QKFF");
    }

    #[test]
    fn thumbprints_have_one_spelling() {
        // RFC 7638 section 3.1.
        let text = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
        let parsed = Thumbprint::parse(text).expect("the RFC's example");
        assert_eq!(parsed.to_string(), text);
        assert_eq!(parsed.as_bytes().first(), Some(&0x37));
        let rows: &[(&str, &str, IdError)] = &[
            ("nothing", "", IdError::Empty),
            ("left-over bits", "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xt", IdError::IllegalByte),
            ("padding", "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9X=", IdError::IllegalByte),
            ("too short", "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9w", IdError::IllegalByte),
            ("too long", "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9XsA", IdError::TooLong),
        ];
        for (name, text, expected) in rows {
            assert_eq!(Thumbprint::parse(text).map(|_| ()), Err(*expected), "{name}");
        }
    }
}
