//! The one reader and writer of signed texts: JWS in compact serialisation (RFC 7515 sections 3.1, 4, 5 and 7.1).

use countersign_core::KeyId;

use crate::jwk::{Algorithm, CryptoFailure, PublicKey, SigningKey};

/// Why a JWS is refused. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwsRefusal {
    /// The header's `alg` belongs to another kind of key than the one that must have signed.
    AlgorithmMismatch,
    /// The header's `alg` is not taken; `none` is one of these.
    AlgorithmRefused,
    /// The header asks for an extension that must be understood (`crit`); none is.
    CriticalHeader,
    /// A part is not canonical unpadded base64url.
    EncodingInvalid,
    /// The header is not a JSON object with unique members of the right types.
    HeaderMalformed,
    /// The header would change how the text is read or have a key fetched (`b64`, `zip`, `jku`, `x5u`).
    HeaderRefused,
    /// No key of the set has the header's `kid`, or there is none.
    KeyUnknown,
    /// Not three parts with a `.` between them.
    NotThreeParts,
    /// The signature does not verify.
    SignatureInvalid,
    /// More bytes than are read.
    TooLarge,
    /// The header's `typ` is not the one that this place asks for.
    TypeWrong,
}

/// What `typ` a place asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type<'a> {
    /// None in particular: only for texts of foreign makers that say by other means what they are.
    Any,
    /// Exactly this, without regard to case and to an `application/` before it (RFC 7515 section 4.1.9).
    Is(&'a str),
}

/// A JWS that was taken apart. Nothing in it is verified.
#[derive(Debug)]
pub struct Jws<'a> {
    signing_input: &'a str,
    algorithm: Algorithm,
    key_id: Option<String>,
    jwk: Option<String>,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

/// The payload of a JWS whose signature verified. Only [`Jws::verify`] makes one.
#[derive(Debug)]
#[must_use]
pub struct VerifiedPayload(Vec<u8>);

impl VerifiedPayload {
    /// The bytes that were signed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl<'a> Jws<'a> {
    /// Takes `text` apart.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn read(text: &'a str, wanted: Type<'_>) -> Result<Self, JwsRefusal> {
        let _ = (text, wanted);
        Err(JwsRefusal::TooLarge)
    }

    /// The header's `alg`.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The header's `kid`, as anybody may have written it.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The header's `jwk` as it is written; unread.
    #[must_use]
    pub fn jwk(&self) -> Option<&str> {
        self.jwk.as_deref()
    }

    /// Verifies the signature by `key`, which must be one for the header's `alg`.
    ///
    /// # Errors
    /// `AlgorithmMismatch` or `SignatureInvalid`.
    pub fn verify(self, key: &PublicKey) -> Result<VerifiedPayload, JwsRefusal> {
        if key.algorithm() != self.algorithm {
            return Err(JwsRefusal::AlgorithmMismatch);
        }
        key.verify(self.signing_input.as_bytes(), &self.signature).map_err(|_| JwsRefusal::SignatureInvalid)?;
        Ok(VerifiedPayload(self.payload))
    }
}

/// How a JWS says which key signed it.
#[derive(Clone, Copy, Debug)]
pub enum NamedBy<'a> {
    /// By the public key itself (`jwk`).
    Embedded,
    /// By its name in a key set (`kid`).
    Kid(&'a KeyId),
    /// Not at all.
    Nothing,
}

/// What a JWS that is to be signed says of itself.
#[derive(Clone, Copy, Debug)]
pub struct HeaderToSign<'a> {
    /// Its `typ`, without `application/`.
    pub typ: &'a str,
    /// How it names its key.
    pub key: NamedBy<'a>,
}

/// Signs `payload`.
///
/// # Errors
/// When the library fails.
pub fn sign(key: &SigningKey, header: HeaderToSign<'_>, payload: &[u8]) -> Result<String, CryptoFailure> {
    let _ = (key, header, payload);
    Err(CryptoFailure)
}
