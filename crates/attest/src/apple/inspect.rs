//! Inspection of an attestation for a person: its content, and every rule of [`super::verify_attestation`] that it breaks.
//!
//! Nothing here decides. The report is made from what anybody may send, and no function takes it for evidence.

use countersign_core::UnixSeconds;

use crate::anchors::Anchors;
use crate::apple::app::AppleApp;
use crate::apple::attestation::Attestation;
use crate::apple::authenticator_data::Launch;
use crate::apple::chain::anchored;
use crate::apple::leaf::{nonce, system_version};
use crate::apple::refusal::AppleRefusal;
use crate::apple::requirements::Environment;
use crate::apple::rule;

/// Content of an attestation that nobody verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttestationFacts {
    /// SHA-256 of the app's App ID.
    pub rp_id_hash: [u8; 32],
    /// Number of assertions that the key had made before the attestation; 0 when the key is new.
    pub counter: u32,
    /// Identifier of the authenticator in WebAuthn's terms. With App Attest it stands for the environment, see
    /// [`Environment::from_aaguid`].
    pub aaguid: [u8; 16],
    /// Credential id: the name of the key.
    pub credential_id: Vec<u8>,
    /// Nonce in the certificate, when it parses: the SHA-256 of the authenticator data and the client data's hash.
    pub nonce: Option<[u8; 32]>,
    /// Version of the operating system, when the certificate names one.
    pub system_version: Option<String>,
    /// Statement of the operating system about the app's launch.
    pub launch: Launch,
}

impl Attestation {
    /// The content of the attestation, without any check of who made it.
    #[must_use]
    pub fn facts(&self) -> AttestationFacts {
        AttestationFacts {
            rp_id_hash: self.data.rp_id_hash,
            counter: self.data.counter,
            aaguid: self.data.aaguid,
            credential_id: self.data.credential_id.clone(),
            nonce: nonce(&self.leaf).ok(),
            system_version: system_version(&self.leaf),
            launch: self.data.launch.clone(),
        }
    }
}

/// Expectations on an attestation that somebody inspects. A field that is `None` is not compared.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// SHA-256 of the client data that the attestation should answer.
    pub client_data_hash: Option<&'a [u8; 32]>,
    /// App that should have made the key.
    pub app: Option<&'a AppleApp>,
    /// Environments that are accepted.
    pub environments: &'a [Environment],
}

/// All rules that an attestation breaks, in the order of [`super::verify_attestation`]; of the rules on the chain, only the first. The
/// credential id in the attestation is taken for the claimed key id, since no claim is there.
#[must_use]
pub fn attestation_refusals(attestation: &Attestation, asked: &Asked<'_>, anchors: &Anchors, now: UnixSeconds) -> Vec<AppleRefusal> {
    let Attestation { leaf, chain, signed_data, data, .. } = attestation;
    let claimed = data.credential_id.as_slice();
    let answers = |hash| rule::answers(leaf, signed_data, hash);
    let all = [
        anchored(chain, anchors, now).map(drop),
        asked.client_data_hash.map_or_else(|| nonce(leaf).map(drop), answers),
        rule::p256(leaf.key()).map(drop),
        rule::key_id(leaf.key(), claimed).map(drop),
        asked.app.map_or(Ok(()), |app| rule::app(data, std::slice::from_ref(app)).map(drop)),
        rule::unused(data),
        rule::environment(data, asked.environments).map(drop),
        rule::credential_key(data, leaf.key()),
    ];
    all.into_iter().filter_map(Result::err).collect()
}
