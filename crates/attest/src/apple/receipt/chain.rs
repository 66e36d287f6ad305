//! The certificates of a receipt: the signer's, and the check that it leads to a trust anchor (RFC 5280 section 6.1).

use const_oid::ObjectIdentifier;
use countersign_core::{Limits, UnixSeconds};
use der::Decode;
use x509_cert::ext::pkix::KeyUsage;

use crate::anchors::{Anchor, Anchors, Purpose};
use crate::apple::receipt::cms::Signer;
use crate::apple::receipt::refusal::ReceiptRefusal;
use crate::x509::{Certificate, Issuing};

const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");

/// Object identifier of the extension with which Apple marks the certificates for signing these receipts. Apple does not document it; the
/// signer's certificate of every known receipt has it.
const RECEIPT_SIGNING: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113635.100.12.15");

/// Parses the certificates of a receipt. A repeated one is refused.
pub fn parse(ders: &[&[u8]]) -> Result<Vec<Certificate>, ReceiptRefusal> {
    let mut out: Vec<Certificate> = Vec::with_capacity(ders.len());
    for (index, der) in ders.iter().enumerate() {
        if out.iter().any(|earlier| earlier.der() == *der) {
            return Err(ReceiptRefusal::CertificateRepeated { index });
        }
        out.push(Certificate::parse(der).map_err(|malformed| ReceiptRefusal::CertificateMalformed { index, malformed })?);
    }
    Ok(out)
}

/// Finds the signer's certificate by issuer and serial number, and follows its issuers to an anchor.
pub fn signer<'a>(
    certificates: &'a [Certificate],
    signer: &Signer<'_>,
    anchors: &Anchors,
    now: UnixSeconds,
) -> Result<&'a Certificate, ReceiptRefusal> {
    let serial = hex::encode(signer.serial.as_bytes());
    let named = |certificate: &Certificate| {
        *certificate.issuer() == signer.issuer && certificate.serial().trim_start_matches('0') == serial.trim_start_matches('0')
    };
    let mut found = certificates.iter().enumerate().filter(|(_, certificate)| named(certificate));
    let (Some((index, certificate)), None) = (found.next(), found.next()) else { return Err(ReceiptRefusal::SignerMissing) };
    anchored(certificates, Link { index, certificate }, anchors, now)?;
    signs_receipts(certificate)?;
    Ok(certificate)
}

/// Place at which a certificate's issuer was found.
enum Above<'a> {
    Anchor,
    Certificate(Link<'a>),
}

/// A certificate of the receipt, with the number of its place there for refusals.
#[derive(Clone, Copy)]
struct Link<'a> {
    index: usize,
    certificate: &'a Certificate,
}

fn anchored<'a>(certificates: &'a [Certificate], signer: Link<'a>, anchors: &Anchors, now: UnixSeconds) -> Result<(), ReceiptRefusal> {
    let mut link = signer;
    // Certificates already passed, so that two that name each other do not form a loop.
    let mut followed = Vec::with_capacity(Limits::RECEIPT_CHAIN_MAX);
    // INVARIANT: the number of steps is bounded, whatever the certificates say about each other.
    for below in 0..Limits::RECEIPT_CHAIN_MAX {
        let Link { index, certificate } = link;
        followed.push(index);
        may_issue(index, certificate, below)?;
        understood(index, certificate)?;
        in_force(index, certificate, now)?;
        match above(certificates, &followed, link, anchors)? {
            Above::Anchor => return Ok(()),
            Above::Certificate(next) => link = next,
        }
    }
    Err(ReceiptRefusal::ChainTooLong)
}

/// Finds the issuer of a certificate by name and signature: an anchor, or else a certificate of the receipt that was not followed yet.
fn above<'a>(certificates: &'a [Certificate], followed: &[usize], link: Link<'_>, anchors: &Anchors) -> Result<Above<'a>, ReceiptRefusal> {
    let Link { index, certificate } = link;
    let mut failure = ReceiptRefusal::AnchorUnknown { issuer: certificate.issuer().to_string() };
    let for_receipts = |anchor: &&Anchor| anchor.source().purpose == Purpose::AppAttestReceipt;
    for anchor in anchors.iter().filter(for_receipts).filter(|anchor| certificate.names_as_issuer(anchor.certificate())) {
        match certificate.verify_signature_of(anchor.key()) {
            Ok(()) => return Ok(Above::Anchor),
            Err(why) => failure = ReceiptRefusal::ChainSignatureInvalid { index, why },
        }
    }
    let candidates = certificates.iter().enumerate().filter(|(index, _)| !followed.contains(index));
    for (next, issuer) in candidates.filter(|(_, issuer)| certificate.names_as_issuer(issuer)) {
        match certificate.verify_signature_of(issuer.key()) {
            Ok(()) => return Ok(Above::Certificate(Link { index: next, certificate: issuer })),
            Err(why) => failure = ReceiptRefusal::ChainSignatureInvalid { index, why },
        }
    }
    Err(failure)
}

/// Checks that a certificate with others below it may issue them (RFC 5280 section 6.1.4 k to n). The signer's own issues nothing.
fn may_issue(index: usize, certificate: &Certificate, below: usize) -> Result<(), ReceiptRefusal> {
    let Some(intermediates_below) = below.checked_sub(1) else { return Ok(()) };
    match certificate.issuing() {
        Issuing::Allowed { path_length_max: Some(most) } if intermediates_below > usize::from(most) => {
            Err(ReceiptRefusal::PathTooLong { index })
        }
        Issuing::Allowed { .. } => Ok(()),
        Issuing::NotACa | Issuing::UsageRefused => Err(ReceiptRefusal::IssuerNotAllowed { index }),
    }
}

fn understood(index: usize, certificate: &Certificate) -> Result<(), ReceiptRefusal> {
    match certificate.unknown_critical_extension() {
        Some(oid) => Err(ReceiptRefusal::CriticalExtensionUnknown { index, oid: oid.to_string() }),
        None => Ok(()),
    }
}

fn in_force(index: usize, certificate: &Certificate, now: UnixSeconds) -> Result<(), ReceiptRefusal> {
    if now < certificate.not_before() {
        return Err(ReceiptRefusal::CertificateNotYetValid { index, not_before: certificate.not_before() });
    }
    if now > certificate.not_after() {
        return Err(ReceiptRefusal::CertificateExpired { index, not_after: certificate.not_after() });
    }
    Ok(())
}

/// Checks that the certificate is meant for signing receipts.
///
/// SECURITY: under the same root Apple also certifies keys of developers, who could otherwise sign receipts for themselves.
fn signs_receipts(certificate: &Certificate) -> Result<(), ReceiptRefusal> {
    let usage = certificate.extension(KEY_USAGE).and_then(|value| KeyUsage::from_der(value).ok());
    let marked = certificate.extension(RECEIPT_SIGNING).is_some();
    if marked && usage.is_some_and(|usage| usage.digital_signature()) { Ok(()) } else { Err(ReceiptRefusal::SignerNotForReceipts) }
}
