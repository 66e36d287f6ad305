//! A chain, explained: the data of a report, for a drawing or for JSON.
//!
//! A report decides nothing: it is made of what anybody may send, and nothing takes one for evidence.

use countersign_core::UnixSeconds;

use crate::anchors::Source;
use crate::android::chain::Provisioning;
use crate::android::fields::Field;
use crate::android::refusal::AttestRefusal;
use crate::x509::{KeyKind, Malformed};

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
    pub(super) certificates: Vec<CertificateReport>,
    pub(super) provisioning: Option<Provisioning>,
    pub(super) verdict: Verdict,
    pub(super) at: UnixSeconds,
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
}
