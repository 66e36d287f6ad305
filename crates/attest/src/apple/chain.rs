//! The rules for Apple's certificate chain. Each rule is one function on one certificate or one pair of certificates.
//!
//! Unlike for Android, these are the rules of RFC 5280 section 6.1 without exception: every certificate is Apple's own and valid for a
//! known time.

use countersign_core::UnixSeconds;

use crate::anchors::{Anchor, Anchors, Purpose};
use crate::apple::refusal::AppleRefusal;
use crate::x509::{Certificate, Issuing, SignatureRefusal};

/// Checks a chain, the attested key's certificate first, and returns the anchor at which it ends. The anchor itself is not part of the
/// chain.
pub(super) fn anchored<'a>(chain: &[Certificate], anchors: &'a Anchors, now: UnixSeconds) -> Result<&'a Anchor, AppleRefusal> {
    not_repeated(chain)?;
    let anchor = anchor_of(chain, anchors)?;
    // From the anchor down, so that a refusal names the fault nearest to the trusted end.
    for (index, (subject, issuer)) in chain.iter().zip(chain.iter().skip(1)).enumerate().rev() {
        issued_by(index, subject, issuer)?;
    }
    chain.iter().enumerate().try_for_each(|(index, certificate)| may_issue(index, certificate))?;
    chain.iter().enumerate().try_for_each(|(index, certificate)| understood(index, certificate))?;
    chain.iter().enumerate().try_for_each(|(index, certificate)| in_force(index, certificate, now))?;
    Ok(anchor)
}

fn not_repeated(chain: &[Certificate]) -> Result<(), AppleRefusal> {
    let earlier = |index: usize, certificate: &Certificate| chain.iter().take(index).any(|other| other.der() == certificate.der());
    match chain.iter().enumerate().find(|(index, certificate)| earlier(*index, certificate)) {
        Some((index, _)) => Err(AppleRefusal::CertificateRepeated { index }),
        None => Ok(()),
    }
}

/// Finds the trust anchor that signed the last certificate and has the name of its issuer. Anchors for another purpose, such as the root
/// under which Apple signs receipts, do not count.
fn anchor_of<'a>(chain: &[Certificate], anchors: &'a Anchors) -> Result<&'a Anchor, AppleRefusal> {
    let (index, last) = chain.iter().enumerate().next_back().ok_or(AppleRefusal::ChainTooShort { count: 0 })?;
    // Several anchors may share one name (a renewed root), so a failed signature is kept as the refusal and the next one is tried.
    let mut refusal = AppleRefusal::AnchorUnknown { issuer: last.issuer().to_string() };
    let eligible = |anchor: &&Anchor| anchor.source().purpose == Purpose::AppAttest && last.names_as_issuer(anchor.certificate());
    for anchor in anchors.iter().filter(eligible) {
        match last.verify_signature_of(anchor.key()) {
            Ok(()) => return Ok(anchor),
            Err(why) => refusal = signature_invalid(index, why),
        }
    }
    Err(refusal)
}

fn signature_invalid(index: usize, why: SignatureRefusal) -> AppleRefusal {
    AppleRefusal::SignatureInvalid { index, why }
}

/// Checks that `subject` was issued by `issuer`: by name (RFC 5280 section 6.1.3 a 4) and by signature (a 1).
fn issued_by(index: usize, subject: &Certificate, issuer: &Certificate) -> Result<(), AppleRefusal> {
    if !subject.names_as_issuer(issuer) {
        return Err(AppleRefusal::IssuerMismatch { index });
    }
    subject.verify_signature_of(issuer.key()).map_err(|why| signature_invalid(index, why))
}

/// Checks that the certificate at `index` may issue the one before it (RFC 5280 section 6.1.4 k to n). The first one, the attested key's,
/// must not be able to issue any, or the holder of the key could attest others with it.
fn may_issue(index: usize, certificate: &Certificate) -> Result<(), AppleRefusal> {
    let Some(intermediates_below) = index.checked_sub(1) else {
        return match certificate.issuing() {
            Issuing::NotACa => Ok(()),
            Issuing::Allowed { .. } | Issuing::UsageRefused => Err(AppleRefusal::LeafMayIssue),
        };
    };
    match certificate.issuing() {
        Issuing::Allowed { path_length_max: Some(most) } if intermediates_below > usize::from(most) => {
            Err(AppleRefusal::PathTooLong { index })
        }
        Issuing::Allowed { .. } => Ok(()),
        Issuing::NotACa | Issuing::UsageRefused => Err(AppleRefusal::IssuerNotAllowed { index }),
    }
}

/// Checks that every critical extension of the certificate is understood (RFC 5280 section 6.1.4 o).
fn understood(index: usize, certificate: &Certificate) -> Result<(), AppleRefusal> {
    match certificate.unknown_critical_extension() {
        Some(oid) => Err(AppleRefusal::CriticalExtensionUnknown { index, oid: oid.to_string() }),
        None => Ok(()),
    }
}

/// Checks that the certificate is valid at `now` (RFC 5280 section 6.1.3 a 2).
fn in_force(index: usize, certificate: &Certificate, now: UnixSeconds) -> Result<(), AppleRefusal> {
    if now < certificate.not_before() {
        return Err(AppleRefusal::CertificateNotYetValid { index, not_before: certificate.not_before() });
    }
    if now > certificate.not_after() {
        return Err(AppleRefusal::CertificateExpired { index, not_after: certificate.not_after() });
    }
    Ok(())
}
