//! The same rules as [`super::verify`], told to a person: every certificate, everything it says, every rule that it breaks.
//!
//! A report decides nothing: it is made of what anybody may send, and nothing takes one for evidence.

use countersign_core::UnixSeconds;

use super::{
    chain::{ATTESTATION_EXTENSION, Chain, Provisioning, RawChain, anchored, in_force, issued_by, may_issue, not_extended, understood},
    fields::{Field, description_fields},
    key_description::KeyDescription,
    refusal::AttestRefusal,
    requirements::Requirements,
    revocation::not_revoked,
    text,
    trust::Trust,
    verify::answers,
};
use crate::{
    anchors::{Anchor, Anchors, Source},
    x509::{Certificate, KeyKind, Malformed},
};

/// What a certificate is in its chain. From below upwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateRole {
    /// Below the attested one, where nothing belongs.
    Appended,
    /// That of the key which is attested.
    AttestedKey,
    /// That of the key which the phone attests others with.
    AttestingKey,
    /// Between the attesting key and the root.
    Intermediate,
    /// The end of the chain.
    Root,
}

/// What was found of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// It does not parse.
    Malformed(Malformed),
    /// It does.
    Parsed(Box<CertificateFacts>),
}

/// What a certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Whom it is about (RFC 4514).
    pub subject: String,
    /// Who signed it, as it says (RFC 4514).
    pub issuer: String,
    /// Serial number in lower-case hexadecimal.
    pub serial: String,
    /// First second of its validity.
    pub not_before: UnixSeconds,
    /// Last second of its validity.
    pub not_after: UnixSeconds,
    /// The kind of its key.
    pub key: KeyKind,
    /// SHA-256 of the certificate.
    pub fingerprint: [u8; 32],
    /// Where the trust anchor with its key comes from, when there is one.
    pub anchor: Option<Source>,
    /// What its attestation extension says, when it has one that parses.
    pub attestation: Option<Field>,
}

/// One certificate of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateReport {
    /// Its position, from the attested key's own, which should be 0.
    pub index: usize,
    /// What it is.
    pub role: CertificateRole,
    /// What was found.
    pub content: Content,
}

/// What a verification would say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is accepted.
    Accepted,
    /// It would be, with the challenge that it answers; none was given to compare.
    AcceptedButForChallenge,
    /// It is refused: everything that was found, the reason that a verification would give first.
    Refused(Vec<AttestRefusal>),
}

/// A chain, explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    certificates: Vec<CertificateReport>,
    provisioning: Option<Provisioning>,
    verdict: Verdict,
    at: UnixSeconds,
}

impl Report {
    /// The certificates, in the order in which they came.
    #[must_use]
    pub fn certificates(&self) -> &[CertificateReport] {
        &self.certificates
    }

    /// How the phone came by its attestation certificate, when there is a chain.
    #[must_use]
    pub const fn provisioning(&self) -> Option<&Provisioning> {
        self.provisioning.as_ref()
    }

    /// What the attestation nearest to the root says, with the names of Google's verifier.
    #[must_use]
    pub fn description_fields(&self) -> Option<&Field> {
        self.certificates.iter().rev().find_map(|certificate| match &certificate.content {
            Content::Parsed(facts) => facts.attestation.as_ref(),
            Content::Malformed(_) => None,
        })
    }

    /// What a verification would say.
    #[must_use]
    pub const fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// For which time it was looked at.
    #[must_use]
    pub const fn at(&self) -> UnixSeconds {
        self.at
    }

    /// The report as a drawing for a terminal of any width from 80 columns.
    #[must_use]
    pub fn text(&self) -> String {
        text::drawn(self)
    }
}

/// Looks at a chain as a verification would, and goes on where that would stop. Without a challenge none is compared.
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
            refusals.extend(chain_refusals(&chain, trust, now));
            refusals.extend(description_refusals(&chain, requirements, challenge));
        }
        Ok(Err(refusal)) => refusals.push(refusal),
        // Each of them is on the list already.
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

/// What the rules on the chain say, in the order in which [`super::verify`] asks them.
fn chain_refusals(chain: &Chain, trust: &Trust, now: UnixSeconds) -> Vec<AttestRefusal> {
    let provisioning = chain.provisioning();
    let mut out: Vec<AttestRefusal> = anchored(chain, &trust.anchors).err().into_iter().collect();
    out.extend(chain.links().filter_map(|(index, subject, issuer)| issued_by(index, subject, issuer).err()));
    out.extend(chain.attestation().and_then(|(attested, _)| not_extended(attested)).err());
    out.extend(chain.iter().filter_map(|(index, certificate)| may_issue(index, certificate).err()));
    out.extend(chain.iter().filter_map(|(index, certificate)| understood(index, certificate).err()));
    out.extend(chain.iter().filter_map(|(index, certificate)| in_force(index, certificate, &provisioning, now).err()));
    match trust.status.list(now) {
        Ok(Some(list)) => out.extend(chain.iter().filter_map(|(index, certificate)| not_revoked(index, certificate, list).err())),
        Ok(None) => {}
        Err(refusal) => out.push(refusal),
    }
    out
}

/// What the rules on the key description say, in the order in which [`super::verify`] asks them.
fn description_refusals(chain: &Chain, requirements: &Requirements, challenge: Option<&[u8]>) -> Vec<AttestRefusal> {
    // That there is no attestation is a rule on the chain.
    let Ok((_, content)) = chain.attestation() else { return Vec::new() };
    let description = match KeyDescription::parse(content) {
        Ok(description) => description,
        Err(why) => return vec![AttestRefusal::DescriptionMalformed(why)],
    };
    let mut out: Vec<_> = challenge.and_then(|challenge| answers(&description, challenge).err()).into_iter().collect();
    for answer in requirements.answers(&description, chain.leaf().key()) {
        // Two rules may find the same lack.
        out.extend(answer.err().filter(|refusal| !out.contains(refusal)));
    }
    out
}
