//! The rules about an attestation beyond its chain, each a function, so that one judges and the other tells by the same.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use countersign_codec::sha256;
use countersign_proof::jwk::PublicKey;

use crate::apple::app::AppleApp;
use crate::apple::authenticator_data::Attesting;
use crate::apple::leaf::nonce;
use crate::apple::refusal::AppleRefusal;
use crate::apple::requirements::Environment;
use crate::x509::{Certificate, KeyKind, SubjectKey};

/// Apple issued the certificate for these authenticator data and this hash of client data.
pub(super) fn answers(leaf: &Certificate, signed_data: &[u8], client_data_hash: &[u8; 32]) -> Result<(), AppleRefusal> {
    // SECURITY: nothing but this comparison ties challenge and authenticator data to what Apple signed.
    let expected = sha256(&[signed_data, client_data_hash]);
    verify_slices_are_equal(&nonce(leaf)?, &expected).map_err(|_| AppleRefusal::NonceMismatch)
}

/// The key is of the one kind that a Secure Enclave makes.
pub(super) fn p256(key: &SubjectKey) -> Result<PublicKey, AppleRefusal> {
    let unsupported = || AppleRefusal::KeyUnsupported { kind: key.kind().to_string() };
    if *key.kind() != KeyKind::P256 {
        return Err(unsupported());
    }
    PublicKey::from_p256_sec1(key.bits()).map_err(|_| unsupported())
}

/// The name that is claimed is that of the key in the certificate.
pub(super) fn key_id(key: &SubjectKey, claimed: &[u8]) -> Result<[u8; 32], AppleRefusal> {
    let derived = sha256(&[key.bits()]);
    if derived == claimed { Ok(derived) } else { Err(AppleRefusal::KeyIdMismatch) }
}

/// The app is one of these.
pub(super) fn app<'a>(data: &Attesting, apps: &'a [AppleApp]) -> Result<&'a AppleApp, AppleRefusal> {
    let app = apps.iter().find(|app| app.rp_id_hash() == data.rp_id_hash);
    app.ok_or(AppleRefusal::AppUnknown { rp_id_hash: data.rp_id_hash })
}

/// The key had signed nothing before.
pub(super) const fn unused(data: &Attesting) -> Result<(), AppleRefusal> {
    if data.counter == 0 { Ok(()) } else { Err(AppleRefusal::CounterNotZero { counter: data.counter }) }
}

/// One of these servers vouched.
pub(super) fn environment(data: &Attesting, accepted: &[Environment]) -> Result<Environment, AppleRefusal> {
    let environment = Environment::from_aaguid(data.aaguid).ok_or(AppleRefusal::EnvironmentUnknown { aaguid: data.aaguid })?;
    if accepted.contains(&environment) { Ok(environment) } else { Err(AppleRefusal::EnvironmentMismatch { environment }) }
}

/// The authenticator data name the key that is claimed.
pub(super) fn credential_id(data: &Attesting, claimed: &[u8]) -> Result<(), AppleRefusal> {
    if data.credential_id == claimed { Ok(()) } else { Err(AppleRefusal::CredentialIdMismatch) }
}

/// The authenticator data hold the key of the certificate.
pub(super) fn credential_key(data: &Attesting, key: &SubjectKey) -> Result<(), AppleRefusal> {
    if data.credential_point == key.bits() { Ok(()) } else { Err(AppleRefusal::CredentialKeyMismatch) }
}
