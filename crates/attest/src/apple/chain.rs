//! The rules by which Apple's certificates hang together. Each is one function on one certificate or link.
//!
//! Unlike Android's, these are those of RFC 5280 section 6.1 without exception: every certificate is Apple's own, for a known time.

use countersign_core::UnixSeconds;

use crate::anchors::{Anchor, Anchors, Purpose};
use crate::apple::refusal::AppleRefusal;
use crate::x509::{Certificate, Issuing, SignatureRefusal};

/// Judges a chain, the attested key's certificate first; the anchor is not part of it.
pub(super) fn anchored<'a>(chain: &[Certificate], anchors: &'a Anchors, now: UnixSeconds) -> Result<&'a Anchor, AppleRefusal> {
    not_repeated(chain)?;
    let anchor = anchor_of(chain, anchors)?;
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

/// The last certificate is signed by a trust anchor of the name that it gives as its issuer's. An anchor for another purpose,
/// such as the root that Apple signs receipts under, is none here.
fn anchor_of<'a>(chain: &[Certificate], anchors: &'a Anchors) -> Result<&'a Anchor, AppleRefusal> {
    let (index, last) = chain.iter().enumerate().next_back().ok_or(AppleRefusal::ChainTooShort { count: 0 })?;
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

/// `subject` is issued by `issuer`: by name (RFC 5280 section 6.1.3 a 4) and by signature (a 1).
fn issued_by(index: usize, subject: &Certificate, issuer: &Certificate) -> Result<(), AppleRefusal> {
    if !subject.names_as_issuer(issuer) {
        return Err(AppleRefusal::IssuerMismatch { index });
    }
    subject.verify_signature_of(issuer.key()).map_err(|why| signature_invalid(index, why))
}

/// The certificate at `index` may issue the one before it (RFC 5280 section 6.1.4 k to n); the attested key's own, which is the
/// first, may not issue any, or whoever holds the key could attest others with it.
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

/// Nothing critical in the certificate is passed over (RFC 5280 section 6.1.4 o).
fn understood(index: usize, certificate: &Certificate) -> Result<(), AppleRefusal> {
    match certificate.unknown_critical_extension() {
        Some(oid) => Err(AppleRefusal::CriticalExtensionUnknown { index, oid: oid.to_string() }),
        None => Ok(()),
    }
}

/// The certificate is in force (RFC 5280 section 6.1.3 a 2).
fn in_force(index: usize, certificate: &Certificate, now: UnixSeconds) -> Result<(), AppleRefusal> {
    if now < certificate.not_before() {
        return Err(AppleRefusal::CertificateNotYetValid { index, not_before: certificate.not_before() });
    }
    if now > certificate.not_after() {
        return Err(AppleRefusal::CertificateExpired { index, not_after: certificate.not_after() });
    }
    Ok(())
}
