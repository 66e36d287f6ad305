//! A second implementation of the rules by which Google's verifier judges a chain, for comparison only.
//!
//! Written from `KeyAttestationCertPath`, `KeyAttestationCertPathValidator` and `Verifier` of android/keyattestation (commit 47f970d), on
//! another parser than ours, and without a look at ours. It knows chains alone: no revocation, no challenge, no statements of the phone.

use std::collections::BTreeSet;

use x509_parser::prelude::{FromDer, X509Certificate, X509Name};

/// Way in which the phone got its certificates.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Factory,
    Remote,
    Unknown,
}

/// Role of a certificate, from the root downwards.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    FactoryIntermediate,
    RemoteIntermediate,
    RemoteServer,
    Attestation,
    Target,
}

const KEY_DESCRIPTION: &str = "1.3.6.1.4.1.11129.2.1.17";
const SERIAL_NUMBER: &str = "2.5.4.5";
const COMMON_NAME: &str = "2.5.4.3";
const ORGANIZATION: &str = "2.5.4.10";

/// Judges the certificates of a chain, the attested key's first, at a time in Unix seconds.
///
/// # Errors
/// The rule that is broken; with several anchors of one name, by the last of them.
pub fn judge(chain: &[Vec<u8>], anchors: &[Vec<u8>], now: u64) -> Result<(), String> {
    let certificates = chain.iter().map(|der| certificate(der)).collect::<Result<Vec<_>, _>>()?;
    if certificates.len() < 3 {
        return Err("at least 3 certificates are required".into());
    }
    let (last, path) = certificates.split_last().ok_or("no certificate")?;
    if canonical(last.issuer()) != canonical(last.subject()) {
        return Err("root certificate not found".into());
    }
    let top = path.last().ok_or("no certificate below the root")?;
    let mut verdict = Err("no matching trust anchor found".to_owned());
    for anchor in anchors {
        let anchor = certificate(anchor)?;
        if canonical(anchor.subject()) != canonical(top.issuer()) {
            continue;
        }
        verdict = walk(path, &anchor, now);
        if verdict.is_ok() {
            break;
        }
    }
    verdict?;
    // The leaf's description is parsed afterwards; that there is one was a rule of the last step.
    let leaf = certificates.first().ok_or("no leaf")?;
    if has_attestation(leaf) { Ok(()) } else { Err("key attestation extension not found".into()) }
}

fn certificate(der: &[u8]) -> Result<X509Certificate<'_>, String> {
    // `CertificateFactory.generateCertificate` takes one certificate from its stream and leaves the rest.
    let (_rest, parsed) = X509Certificate::from_der(der).map_err(|why| why.to_string())?;
    if parsed.signature_algorithm != parsed.tbs_certificate.signature {
        return Err("two signature algorithms".into());
    }
    Ok(parsed)
}

fn method(top: &X509Certificate<'_>) -> Method {
    let has = |oid: &str, text: Option<&str>| {
        let mut attributes = top.subject().iter_attributes().filter(|attribute| attribute.attr_type().to_id_string() == oid);
        attributes.any(|attribute| text.is_none() || attribute.as_str().ok() == text)
    };
    if has(SERIAL_NUMBER, None) {
        Method::Factory
    } else if has(COMMON_NAME, Some("Droid CA2")) && has(ORGANIZATION, Some("Google LLC")) {
        Method::Remote
    } else {
        Method::Unknown
    }
}

fn walk(path: &[X509Certificate<'_>], anchor: &X509Certificate<'_>, now: u64) -> Result<(), String> {
    let method = method(path.last().ok_or("no path")?);
    let (mut issuer, mut step, mut remaining) = (anchor, None, path.len());
    for cert in path.iter().rev() {
        let next = match step {
            None if method == Method::Remote => Step::RemoteIntermediate,
            // With the root, a chain of four is taken for one from a factory also when nothing says so.
            None if method == Method::Factory || path.len() + 1 == 4 => Step::FactoryIntermediate,
            None => Step::Attestation,
            Some(Step::RemoteIntermediate) => Step::RemoteServer,
            Some(Step::RemoteServer | Step::FactoryIntermediate) => Step::Attestation,
            Some(Step::Attestation) => Step::Target,
            Some(Step::Target) => return Err("unexpected certificate after the target certificate".into()),
        };
        step = Some(next);
        remaining -= 1;
        if canonical(cert.issuer()) != canonical(issuer.subject()) {
            return Err("subject/issuer name chaining check failed".into());
        }
        cert.verify_signature(Some(issuer.public_key())).map_err(|why| format!("signature check failed: {why}"))?;
        if remaining > 0 {
            in_force(cert, method, now)?;
        }
        match (next, has_attestation(cert)) {
            (Step::Target, false) => return Err("target certificate does not contain an attestation extension".into()),
            (Step::Target, true) => {}
            (_, true) => return Err("only the target certificate should contain an attestation extension".into()),
            (_, false) => {}
        }
        issuer = cert;
    }
    Ok(())
}

fn in_force(cert: &X509Certificate<'_>, method: Method, now: u64) -> Result<(), String> {
    let now = i64::try_from(now).map_err(|why| why.to_string())?;
    if now < cert.validity().not_before.timestamp() {
        return Err("not yet valid".into());
    }
    if now > cert.validity().not_after.timestamp() && method != Method::Factory {
        return Err("expired".into());
    }
    Ok(())
}

/// Only an extension that is not critical counts.
fn has_attestation(cert: &X509Certificate<'_>) -> bool {
    cert.extensions().iter().any(|extension| !extension.critical && extension.oid.to_id_string() == KEY_DESCRIPTION)
}

/// A name as `X500Principal` compares it: relative names in order, each a set, without regard to case and runs of blanks.
fn canonical(name: &X509Name<'_>) -> Vec<BTreeSet<(String, String)>> {
    let text = |value: &str| value.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    let part = |attribute: &x509_parser::x509::AttributeTypeAndValue<'_>| {
        let value = attribute.as_str().map_or_else(|_| format!("#{:?}", attribute.as_slice()), text);
        (attribute.attr_type().to_id_string(), value)
    };
    name.iter_rdn().map(|rdn| rdn.iter().map(part).collect()).collect()
}
