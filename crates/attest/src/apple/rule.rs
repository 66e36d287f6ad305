//! The rules for an attestation beyond its chain. Each is a function of its own, so that verification and inspection apply the same ones.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use countersign_codec::sha256;
use countersign_proof::jwk::PublicKey;

use crate::apple::app::AppleApp;
use crate::apple::authenticator_data::Attesting;
use crate::apple::leaf::nonce;
use crate::apple::refusal::AppleRefusal;
use crate::apple::requirements::Environment;
use crate::x509::{Certificate, KeyKind, SubjectKey};

/// Checks that Apple issued the certificate for these authenticator data and this hash of the client data.
pub(super) fn answers(leaf: &Certificate, signed_data: &[u8], client_data_hash: &[u8; 32]) -> Result<(), AppleRefusal> {
    // SECURITY: only this comparison ties the challenge and the authenticator data to what Apple signed.
    let expected = sha256(&[signed_data, client_data_hash]);
    verify_slices_are_equal(&nonce(leaf)?, &expected).map_err(|_| AppleRefusal::NonceMismatch)
}

/// Checks that the key is on P-256, the only curve of a Secure Enclave's keys.
pub(super) fn p256(key: &SubjectKey) -> Result<PublicKey, AppleRefusal> {
    let unsupported = || AppleRefusal::KeyUnsupported { kind: key.kind().to_string() };
    if *key.kind() != KeyKind::P256 {
        return Err(unsupported());
    }
    PublicKey::from_p256_sec1(key.bits()).map_err(|_| unsupported())
}

/// Checks that the claimed key id is the hash of the key in the certificate, and returns it.
pub(super) fn key_id(key: &SubjectKey, claimed: &[u8]) -> Result<[u8; 32], AppleRefusal> {
    // The key id is the hash of the uncompressed point, which is what the certificate holds as the key's bits.
    let derived = sha256(&[key.bits()]);
    if derived == claimed { Ok(derived) } else { Err(AppleRefusal::KeyIdMismatch) }
}

/// Checks that the app is one of these, and returns it.
pub(super) fn app<'a>(data: &Attesting, apps: &'a [AppleApp]) -> Result<&'a AppleApp, AppleRefusal> {
    let app = apps.iter().find(|app| app.rp_id_hash() == data.rp_id_hash);
    app.ok_or(AppleRefusal::AppUnknown { rp_id_hash: data.rp_id_hash })
}

/// Checks that the key had signed nothing before its attestation.
pub(super) const fn unused(data: &Attesting) -> Result<(), AppleRefusal> {
    if data.counter == 0 { Ok(()) } else { Err(AppleRefusal::CounterNotZero { counter: data.counter }) }
}

/// Checks that one of the accepted environments vouched for the key, and returns it.
pub(super) fn environment(data: &Attesting, accepted: &[Environment]) -> Result<Environment, AppleRefusal> {
    let environment = Environment::from_aaguid(data.aaguid).ok_or(AppleRefusal::EnvironmentUnknown { aaguid: data.aaguid })?;
    if accepted.contains(&environment) { Ok(environment) } else { Err(AppleRefusal::EnvironmentMismatch { environment }) }
}

/// Checks that the authenticator data name the claimed key.
pub(super) fn credential_id(data: &Attesting, claimed: &[u8]) -> Result<(), AppleRefusal> {
    if data.credential_id == claimed { Ok(()) } else { Err(AppleRefusal::CredentialIdMismatch) }
}

/// Checks that the authenticator data hold the key of the certificate.
pub(super) fn credential_key(data: &Attesting, key: &SubjectKey) -> Result<(), AppleRefusal> {
    if data.credential_point == key.bits() { Ok(()) } else { Err(AppleRefusal::CredentialKeyMismatch) }
}
