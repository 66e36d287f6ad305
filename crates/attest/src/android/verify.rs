//! The verification of an attestation, from chain to evidence, in one function.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use countersign_core::UnixSeconds;

use crate::android::chain::{Chain, anchored, in_force, issued_by, may_issue, not_extended, understood};
use crate::android::evidence::Evidence;
use crate::android::key_description::KeyDescription;
use crate::android::refusal::AttestRefusal;
use crate::android::requirements::Requirements;
use crate::android::revocation::{none_revoked, serial_digest};
use crate::android::trust::Trust;

/// Judges an attestation: whether the chain holds, whether it answers `challenge`, and whether phone and key are as required.
///
/// What the phone says is read only once it is known who signed it.
///
/// # Errors
/// The first rule that is broken, in the order in which they stand below.
pub fn verify(
    chain: &Chain,
    trust: &Trust,
    requirements: &Requirements,
    challenge: &[u8],
    now: UnixSeconds,
) -> Result<Evidence, AttestRefusal> {
    let anchor = anchored(chain, &trust.anchors)?;
    chain.links().try_for_each(|(index, subject, issuer)| issued_by(index, subject, issuer))?;
    let (attested, content) = chain.attestation()?;
    not_extended(attested)?;
    chain.iter().try_for_each(|(index, certificate)| may_issue(index, certificate))?;
    chain.iter().try_for_each(|(index, certificate)| understood(index, certificate))?;
    let provisioning = chain.provisioning();
    chain.iter().try_for_each(|(index, certificate)| in_force(index, certificate, &provisioning, now))?;
    none_revoked(chain, &trust.status, now)?;

    let description = KeyDescription::parse(content).map_err(AttestRefusal::DescriptionMalformed)?;
    answers(&description, challenge)?;
    let key = chain.leaf().key();
    requirements.answers(&description, key).into_iter().collect::<Result<(), _>>()?;
    let package = requirements.app.accepted(description.application_id())?.cloned();
    let certificates = chain.iter().map(|(_, certificate)| serial_digest(certificate.serial())).collect();
    Ok(Evidence { description, key: key.clone(), anchor: anchor.clone(), provisioning, package, certificates })
}

/// The attestation was made for this challenge; compared in constant time.
pub(super) fn answers(description: &KeyDescription, challenge: &[u8]) -> Result<(), AttestRefusal> {
    // SECURITY: a key that was made without a challenge can be as old as its phone. It answers nothing, not even no question.
    if challenge.is_empty() {
        return Err(AttestRefusal::ChallengeMismatch);
    }
    verify_slices_are_equal(&description.challenge, challenge).map_err(|_| AttestRefusal::ChallengeMismatch)
}
