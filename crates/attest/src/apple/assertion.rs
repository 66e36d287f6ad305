//! An assertion: a signature of an attested key over a request.

use countersign_codec::sha256;
use countersign_core::Limits;
use countersign_proof::jwk::PublicKey;
use der::{Decode, Reader as _, SliceReader, asn1::UintRef};

use crate::apple::app::AppleApp;
use crate::apple::authenticator_data::{Asserting, Launch};
use crate::apple::cbor::{Reader, once, required};
use crate::apple::refusal::{AppleRefusal, FormatRefusal};

/// The key signed this request. Whether it did so for the first time, only a [`countersign_core::CounterWindow`] knows.
#[derive(Debug)]
#[must_use]
pub struct Asserted {
    counter: u32,
    launch: Launch,
}

impl Asserted {
    /// How many assertions the key has made, with this one.
    #[must_use]
    pub const fn counter(&self) -> u32 {
        self.counter
    }

    /// What the operating system said about the app's launch.
    #[must_use]
    pub const fn launch(&self) -> &Launch {
        &self.launch
    }
}

/// Judges what `generateAssertion` gave the app: a CBOR map of `signature` and `authenticatorData`, whether `key` made it, for
/// `app` and for the client data of which `client_data_hash` is the hash.
///
/// The key signs, by ECDSA with SHA-256, the SHA-256 of the authenticator data and the hash; so there is one hash more than in
/// WebAuthn.
///
/// # Errors
/// The first rule that is broken, in the order in which they stand below.
pub fn verify_assertion(bytes: &[u8], key: &PublicKey, app: &AppleApp, client_data_hash: &[u8; 32]) -> Result<Asserted, AppleRefusal> {
    let wire = Wire::parse(bytes).map_err(AppleRefusal::AssertionMalformed)?;
    let data = Asserting::parse(wire.authenticator_data).map_err(AppleRefusal::AssertionMalformed)?;
    let signature = fixed(wire.signature).ok_or(AppleRefusal::AssertionMalformed(FormatRefusal::SignatureMalformed))?;
    let nonce = sha256(&[wire.authenticator_data, client_data_hash]);
    key.verify(&nonce, &signature).map_err(|_| AppleRefusal::AssertionSignatureInvalid)?;
    if data.rp_id_hash != app.rp_id_hash() {
        return Err(AppleRefusal::AppUnknown { rp_id_hash: data.rp_id_hash });
    }
    Ok(Asserted { counter: data.counter, launch: data.launch })
}

/// What an assertion says, whoever made it. Nothing takes this for evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssertionFacts {
    /// SHA-256 of the app's App ID.
    pub rp_id_hash: [u8; 32],
    /// How many assertions the key has made, with this one.
    pub counter: u32,
    /// What the operating system said about the app's launch.
    pub launch: Launch,
}

/// Reads an assertion without asking who made it: for a person who looks at one.
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

/// `r || s`, each in 32 bytes, of a signature in DER: `SEQUENCE { r INTEGER, s INTEGER }` (RFC 3279 section 2.2.3).
fn fixed(der: &[u8]) -> Option<[u8; 64]> {
    let mut reader = SliceReader::new(der).ok()?;
    let (r, s) = reader.sequence(|reader| -> der::Result<_> { Ok((UintRef::decode(reader)?, UintRef::decode(reader)?)) }).ok()?;
    if !reader.is_finished() {
        return None;
    }
    let mut out = [0; 64];
    for (half, number) in out.chunks_exact_mut(32).zip([r.as_bytes(), s.as_bytes()]) {
        let start = half.len().checked_sub(number.len())?;
        half.get_mut(start..)?.copy_from_slice(number);
    }
    Some(out)
}
