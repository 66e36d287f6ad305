//! Inspection of a chain: the rules of [`super::verify()`], but every certificate is shown and every broken rule is listed.

use countersign_core::UnixSeconds;

use crate::anchors::{Anchor, Anchors, Purpose};
use crate::android::chain::{
    ATTESTATION_EXTENSION, Chain, RawChain, anchored, ends_here, in_force, issued_by, may_issue, not_extended, of_known_length, strength,
    understood,
};
use crate::android::fields::description_fields;
use crate::android::key_description::KeyDescription;
use crate::android::refusal::AttestRefusal;
use crate::android::report::{CertificateFacts, CertificateReport, CertificateRole, Content, Report, Verdict};
use crate::android::requirements::Requirements;
use crate::android::revocation::not_revoked;
use crate::android::trust::Trust;
use crate::android::verify::answers;
use crate::android::vouched::Vouched;
use crate::x509::{Certificate, Malformed};

/// Inspects a chain as a verification would, and goes on where that would stop. Without a challenge, none is compared. The report is not
/// evidence: only [`super::verify()`] makes that.
#[must_use]
pub fn inspect(raw: &RawChain, trust: &Trust, requirements: &Requirements, challenge: Option<&[u8]>, now: UnixSeconds) -> Report {
    let parsed: Vec<_> = raw.ders().iter().map(|der| Certificate::parse(der)).collect();
    let certificates = reports(&parsed, &trust.anchors);
    let mut refusals: Vec<_> = parsed
        .iter()
        .enumerate()
        .filter_map(|(index, parsed)| {
            parsed.as_ref().err().map(|malformed| AttestRefusal::CertificateMalformed { index, malformed: *malformed })
        })
        .collect();
    let mut provisioning = None;
    match parsed.into_iter().collect::<Result<Vec<_>, _>>().map(Chain::of) {
        Ok(Ok(chain)) => {
            provisioning = Some(chain.provisioning());
            refusals.extend(chain_refusals(&chain, trust, requirements, now));
            refusals.extend(description_refusals(&chain, trust, requirements, challenge, now));
        }
        Ok(Err(refusal)) => refusals.push(refusal),
        // Each certificate that does not parse is on the list already.
        Err(_) => {}
    }
    let verdict = match (refusals.is_empty(), challenge) {
        (true, Some(_)) => Verdict::Accepted,
        (true, None) => Verdict::AcceptedButForChallenge,
        (false, _) => Verdict::Refused(refusals),
    };
    Report { certificates, provisioning, verdict, at: now }
}

fn reports(parsed: &[Result<Certificate, Malformed>], anchors: &Anchors) -> Vec<CertificateReport> {
    let has_attestation = |certificate: &Result<Certificate, Malformed>| {
        certificate.as_ref().is_ok_and(|certificate| certificate.extension(ATTESTATION_EXTENSION).is_some())
    };
    let attested = parsed.iter().rposition(has_attestation).unwrap_or_default();
    let report = |(index, certificate): (usize, &Result<Certificate, Malformed>)| CertificateReport {
        index,
        role: role(index, attested, parsed.len()),
        content: match certificate {
            Ok(certificate) => Content::Parsed(Box::new(facts(certificate, anchors))),
            Err(malformed) => Content::Malformed(*malformed),
        },
    };
    parsed.iter().enumerate().map(report).collect()
}

fn role(index: usize, attested: usize, count: usize) -> CertificateRole {
    let above = index.checked_sub(attested);
    match above {
        None => CertificateRole::Appended,
        Some(0) => CertificateRole::AttestedKey,
        Some(_) if index.saturating_add(1) == count => CertificateRole::Root,
        Some(1) => CertificateRole::AttestingKey,
        Some(_) => CertificateRole::Intermediate,
    }
}

fn facts(certificate: &Certificate, anchors: &Anchors) -> CertificateFacts {
    let description = certificate.extension(ATTESTATION_EXTENSION).and_then(|content| KeyDescription::parse(content).ok());
    CertificateFacts {
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        serial: certificate.serial().to_owned(),
        not_before: certificate.not_before(),
        not_after: certificate.not_after(),
        key: certificate.key().kind().clone(),
        fingerprint: certificate.fingerprint(),
        anchor: anchors.find(certificate.key()).map(Anchor::source),
        attestation: description.as_ref().map(description_fields),
    }
}

/// Refusals of the rules on the chain, in the order in which [`super::verify()`] applies them.
fn chain_refusals(chain: &Chain, trust: &Trust, requirements: &Requirements, now: UnixSeconds) -> Vec<AttestRefusal> {
    let provisioning = chain.provisioning();
    let anchor = anchored(chain, &trust.anchors);
    let strength = strength(anchor.as_ref().ok().copied(), requirements.security_level_min);
    let mut out: Vec<AttestRefusal> = anchor.err().into_iter().collect();
    out.extend(chain.below_last().filter_map(|(index, certificate)| ends_here(index, certificate, &trust.anchors).err()));
    out.extend(chain.links().filter_map(|(index, subject, issuer)| issued_by(index, subject, issuer, strength).err()));
    out.extend(chain.attestation().and_then(|(attested, _)| not_extended(attested)).err());
    out.extend(chain.iter().filter_map(|(index, certificate)| may_issue(index, certificate, &provisioning).err()));
    out.extend(of_known_length(chain, &provisioning).err());
    out.extend(chain.iter().filter_map(|(index, certificate)| understood(index, certificate).err()));
    out.extend(chain.places().filter_map(|(place, certificate)| in_force(place, certificate, &provisioning, now).err()));
    match trust.status.list(now) {
        Ok(Some(list)) => out.extend(chain.iter().filter_map(|(index, certificate)| not_revoked(index, certificate, list).err())),
        Ok(None) => {}
        Err(refusal) => out.push(refusal),
    }
    out
}

/// Refusals of the rules on the key description, in the order in which [`super::verify()`] applies them.
fn description_refusals(
    chain: &Chain,
    trust: &Trust,
    requirements: &Requirements,
    challenge: Option<&[u8]>,
    now: UnixSeconds,
) -> Vec<AttestRefusal> {
    // A missing attestation is reported by the rules on the chain.
    let Ok((_, content)) = chain.attestation() else { return Vec::new() };
    let description = match KeyDescription::parse(content) {
        Ok(description) => description,
        Err(why) => return vec![AttestRefusal::DescriptionMalformed(why)],
    };
    let mut out: Vec<_> = challenge.and_then(|challenge| answers(&description, challenge).err()).into_iter().collect();
    // Where no anchor is known, the chain is judged as one of hardware: that it is not anchored is on the list already.
    let purpose = anchored(chain, &trust.anchors).map_or(Purpose::AndroidHardware, |anchor| anchor.source().purpose);
    for answer in requirements.answers(&description, &Vouched::by(chain, purpose), chain.leaf().key(), now) {
        // Two rules may give the same refusal (a missing root of trust, for example); it is listed once.
        out.extend(answer.err().filter(|refusal| !out.contains(refusal)));
    }
    out
}
