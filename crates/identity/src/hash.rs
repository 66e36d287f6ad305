//! One-way hashes of secrets: the form in which the store keeps codes and refresh tokens, and the challenge of PKCE.

use countersign_codec::{base64url, sha256};
use countersign_core::Secret;
use std::fmt;

/// SHA-256 of a code, refresh token or invitation; the only form in which one is stored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Hashes `token`. A token has at least 128 unpredictable bits, so a plain hash without salt cannot be reversed by guessing.
    #[must_use]
    pub fn of(token: &Secret<String>) -> Self {
        Self(sha256(&[token.expose().as_bytes()]))
    }

    /// Takes a hash that was stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of the hash.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

/// PKCE code challenge with the method S256 (RFC 7636 section 4.2), the only accepted one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeChallenge([u8; 32]);

/// Reason why a text is not a PKCE code verifier or challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifierRefusal {
    /// A byte is outside of `[A-Za-z0-9-._~]`, or the text is not canonical base64url.
    IllegalByte,
    /// A verifier does not have 43 to 128 characters, or a challenge does not have 43.
    WrongLength,
}

impl CodeChallenge {
    /// Parses the `code_challenge` parameter: 43 characters of base64url.
    ///
    /// # Errors
    /// A refusal when the text is not the canonical encoding of 32 bytes.
    pub fn parse(text: &str) -> Result<Self, VerifierRefusal> {
        // The length of 32 bytes in base64url (RFC 7636 section 4.2).
        if text.len() != 43 {
            return Err(VerifierRefusal::WrongLength);
        }
        base64url::decode_array(text).map(Self).map_err(|_| VerifierRefusal::IllegalByte)
    }

    /// The challenge that belongs to a `code_verifier` (RFC 7636 sections 4.1 and 4.2).
    ///
    /// # Errors
    /// A refusal when the verifier has another length or alphabet.
    pub fn of_verifier(verifier: &Secret<String>) -> Result<Self, VerifierRefusal> {
        let text = verifier.expose();
        if !(43..=128).contains(&text.len()) {
            return Err(VerifierRefusal::WrongLength);
        }
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b)) {
            return Err(VerifierRefusal::IllegalByte);
        }
        Ok(Self(sha256(&[text.as_bytes()])))
    }

    /// The 32 bytes that are stored.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Takes the 32 bytes that were stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc() {
        // RFC 7636 appendix B.
        let verifier = Secret::new(String::from("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        let challenge = CodeChallenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").expect("the RFC's challenge");
        assert_eq!(CodeChallenge::of_verifier(&verifier), Ok(challenge));
    }

    #[test]
    fn verifiers_are_taken_strictly() {
        let (shortest, longest) = ("a".repeat(43), "a".repeat(128));
        let (too_short, too_long, odd) = ("a".repeat(42), "a".repeat(129), format!("{}!", "a".repeat(43)));
        let rows: &[(&str, &str, Result<(), VerifierRefusal>)] = &[
            ("the shortest", &shortest, Ok(())),
            ("the longest", &longest, Ok(())),
            ("one too short", &too_short, Err(VerifierRefusal::WrongLength)),
            ("one too long", &too_long, Err(VerifierRefusal::WrongLength)),
            ("another alphabet", &odd, Err(VerifierRefusal::IllegalByte)),
        ];
        for (name, text, expected) in rows {
            assert_eq!(CodeChallenge::of_verifier(&Secret::new((*text).to_owned())).map(|_| ()), *expected, "{name}");
        }
        assert_eq!(CodeChallenge::parse(&"=".repeat(43)).map(|_| ()), Err(VerifierRefusal::IllegalByte));
        assert_eq!(CodeChallenge::parse("abc").map(|_| ()), Err(VerifierRefusal::WrongLength));
    }
}
