//! The same rules as [`super::verify_attestation`], told to a person: what an attestation says, and every rule that it breaks.
//!
//! Nothing here decides: it is made of what anybody may send, and nothing takes it for evidence.

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

/// What an attestation says, whoever made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttestationFacts {
    /// SHA-256 of the app's App ID.
    pub rp_id_hash: [u8; 32],
    /// How many assertions the key had made.
    pub counter: u32,
    /// Which authenticator it is, in WebAuthn's terms: which of Apple's servers, see [`Environment::from_aaguid`].
    pub aaguid: [u8; 16],
    /// The key's name.
    pub credential_id: Vec<u8>,
    /// What the certificate was issued for, when it says so: the hash of authenticator data and client data's hash.
    pub nonce: Option<[u8; 32]>,
    /// The version of the operating system, when the certificate names one.
    pub system_version: Option<String>,
    /// What the operating system said about the app's launch.
    pub launch: Launch,
}

impl Attestation {
    /// What it says.
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

/// What is asked of an attestation that somebody looks at. What is `None` is not compared.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The hash of the client data that it should answer.
    pub client_data_hash: Option<&'a [u8; 32]>,
    /// The app.
    pub app: Option<&'a AppleApp>,
    /// The environments that are accepted.
    pub environments: &'a [Environment],
}

/// All rules that an attestation breaks, in the order in which [`super::verify_attestation`] asks them; of the chain's own, the
/// first. The name that it gives its key is taken for the one that is claimed.
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
