//! The verification of an attestation, from the chain to the evidence, in one function.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use countersign_core::UnixSeconds;

use crate::android::chain::{
    Chain, anchored, ends_here, in_force, issued_by, may_issue, not_extended, of_known_length, strength, understood,
};
use crate::android::evidence::Evidence;
use crate::android::key_description::KeyDescription;
use crate::android::refusal::AttestRefusal;
use crate::android::requirements::Requirements;
use crate::android::revocation::{none_revoked, serial_digest};
use crate::android::trust::Trust;
use crate::android::vouched::Vouched;

/// Verifies an attestation: the chain must be valid, answer `challenge`, and show a phone and key as required.
///
/// The order matters: statements of the phone are read only once their signature is checked.
///
/// # Errors
/// The first rule that is broken, in the order in which the rules stand below.
pub fn verify(
    chain: &Chain,
    trust: &Trust,
    requirements: &Requirements,
    challenge: &[u8],
    now: UnixSeconds,
) -> Result<Evidence, AttestRefusal> {
    // From the root down: nothing that a certificate says is used before its issuer is trusted.
    let anchor = anchored(chain, &trust.anchors)?;
    // SECURITY: one path, which ends at the first anchor. Nothing that the sender appends can choose another end.
    chain.below_last().try_for_each(|(index, certificate)| ends_here(index, certificate, &trust.anchors))?;
    let strength = strength(Some(anchor), requirements.security_level_min);
    chain.links().try_for_each(|(index, subject, issuer)| issued_by(index, subject, issuer, strength))?;
    let (attested, content) = chain.attestation()?;
    // SECURITY: the attestation must stand in the first certificate. Otherwise an attested key may have signed what comes before it.
    not_extended(attested)?;
    let provisioning = chain.provisioning();
    chain.iter().try_for_each(|(index, certificate)| may_issue(index, certificate, &provisioning))?;
    of_known_length(chain, &provisioning)?;
    chain.iter().try_for_each(|(index, certificate)| understood(index, certificate))?;
    chain.places().try_for_each(|(place, certificate)| in_force(place, certificate, &provisioning, now))?;
    none_revoked(chain, &trust.status, now)?;

    // Parsed only now, because everything above shows who signed it.
    let description = KeyDescription::parse(content).map_err(AttestRefusal::DescriptionMalformed)?;
    answers(&description, challenge)?;
    let key = chain.leaf().key();
    let vouched = Vouched::by(chain, anchor.source().purpose);
    requirements.answers(&description, &vouched, key, now).into_iter().collect::<Result<(), _>>()?;
    let package = requirements.app.accepted(description.application_id())?.cloned();
    let certificates = chain.iter().map(|(_, certificate)| serial_digest(certificate.serial())).collect();
    Ok(Evidence { description, key: key.clone(), anchor: anchor.clone(), provisioning, vouched, package, certificates })
}

/// Checks that the attestation was made for this challenge; compared in constant time.
pub(super) fn answers(description: &KeyDescription, challenge: &[u8]) -> Result<(), AttestRefusal> {
    // SECURITY: a key made without a challenge can be as old as its phone and proves nothing about now. An empty challenge therefore
    // never matches, not even an empty one.
    if challenge.is_empty() {
        return Err(AttestRefusal::ChallengeMismatch);
    }
    verify_slices_are_equal(&description.challenge, challenge).map_err(|_| AttestRefusal::ChallengeMismatch)
}
