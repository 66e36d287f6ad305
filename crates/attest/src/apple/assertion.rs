//! App Attest assertions: signatures of an attested key over requests.

use countersign_codec::sha256;
use countersign_core::Limits;
use countersign_proof::jwk::PublicKey;
use der::{Decode, Reader as _, SliceReader, asn1::UintRef};

use crate::apple::app::AppleApp;
use crate::apple::authenticator_data::{Asserting, Launch};
use crate::apple::cbor::{Reader, once, required};
use crate::apple::refusal::{AppleRefusal, FormatRefusal};

/// Proof that a key signed this request. Whether the assertion is used for the first time, only a [`countersign_core::CounterWindow`]
/// knows.
#[derive(Debug)]
#[must_use]
pub struct Asserted {
    counter: u32,
    launch: Launch,
}

impl Asserted {
    /// Number of assertions that the key has made, with this one.
    #[must_use]
    pub const fn counter(&self) -> u32 {
        self.counter
    }

    /// Statement of the operating system about the app's launch.
    #[must_use]
    pub const fn launch(&self) -> &Launch {
        &self.launch
    }
}

/// Verifies an assertion, as `generateAssertion` gave it to the app: a CBOR map of `signature` and `authenticatorData`, made by `key`, for
/// `app`, over the client data with the hash `client_data_hash`.
///
/// The key signs, by ECDSA with SHA-256, the SHA-256 of the authenticator data and the hash. That is one hash more than in WebAuthn.
///
/// # Errors
/// The first rule that is broken, in the order in which the rules stand below.
pub fn verify_assertion(bytes: &[u8], key: &PublicKey, app: &AppleApp, client_data_hash: &[u8; 32]) -> Result<Asserted, AppleRefusal> {
    let wire = Wire::parse(bytes).map_err(AppleRefusal::AssertionMalformed)?;
    let data = Asserting::parse(wire.authenticator_data).map_err(AppleRefusal::AssertionMalformed)?;
    let signature = fixed(wire.signature).ok_or(AppleRefusal::AssertionMalformed(FormatRefusal::SignatureMalformed))?;
    // The signature covers this hash, not the two parts (Apple, "Validating apps that connect to your server").
    let nonce = sha256(&[wire.authenticator_data, client_data_hash]);
    key.verify(&nonce, &signature).map_err(|_| AppleRefusal::AssertionSignatureInvalid)?;
    // Checked after the signature, so that the refusal names an app only when the key really signed for it.
    if data.rp_id_hash != app.rp_id_hash() {
        return Err(AppleRefusal::AppUnknown { rp_id_hash: data.rp_id_hash });
    }
    Ok(Asserted { counter: data.counter, launch: data.launch })
}

/// Content of an assertion that nobody verified. No function takes it for evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssertionFacts {
    /// SHA-256 of the app's App ID.
    pub rp_id_hash: [u8; 32],
    /// Number of assertions that the key has made, with this one.
    pub counter: u32,
    /// Statement of the operating system about the app's launch.
    pub launch: Launch,
}

/// Reads an assertion without checking its signature, for a person who inspects one.
///
/// # Errors
/// The first rule of the format that it breaks.
pub fn assertion_facts(bytes: &[u8]) -> Result<AssertionFacts, AppleRefusal> {
    let wire = Wire::parse(bytes).map_err(AppleRefusal::AssertionMalformed)?;
    let Asserting { rp_id_hash, counter, launch } = Asserting::parse(wire.authenticator_data).map_err(AppleRefusal::AssertionMalformed)?;
    Ok(AssertionFacts { rp_id_hash, counter, launch })
}

struct Wire<'a> {
    signature: &'a [u8],
    authenticator_data: &'a [u8],
}

impl<'a> Wire<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, FormatRefusal> {
        if bytes.len() > Limits::APP_ATTEST_ASSERTION_BYTES_MAX {
            return Err(FormatRefusal::TooLarge);
        }
        let mut reader = Reader::new(bytes);
        let (mut signature, mut authenticator_data) = (None, None);
        for _ in 0..reader.map()? {
            match reader.text()? {
                "signature" => once(&mut signature, reader.bytes()?)?,
                "authenticatorData" => once(&mut authenticator_data, reader.bytes()?)?,
                _ => return Err(FormatRefusal::FieldUnknown),
            }
        }
        reader.finish()?;
        Ok(Self { signature: required(signature, "signature")?, authenticator_data: required(authenticator_data, "authenticatorData")? })
    }
}

/// `r || s`, 32 bytes each, from a signature in DER: `SEQUENCE { r INTEGER, s INTEGER }` (RFC 3279 section 2.2.3). `None` when a number is
/// longer or something follows.
fn fixed(der: &[u8]) -> Option<[u8; 64]> {
    let mut reader = SliceReader::new(der).ok()?;
    let (r, s) = reader.sequence(|reader| -> der::Result<_> { Ok((UintRef::decode(reader)?, UintRef::decode(reader)?)) }).ok()?;
    // A signature has one encoding here; bytes after it would make another.
    if !reader.is_finished() {
        return None;
    }
    let mut out = [0; 64];
    for (half, number) in out.chunks_exact_mut(32).zip([r.as_bytes(), s.as_bytes()]) {
        // Short numbers are padded with zeros at the front.
        let start = half.len().checked_sub(number.len())?;
        half.get_mut(start..)?.copy_from_slice(number);
    }
    Some(out)
}
