//! The report about an inspected chain: data for a drawing or for JSON.
//!
//! A report decides nothing. It is made from what anybody may send, and no function takes it for evidence.

use countersign_core::UnixSeconds;

use crate::anchors::Source;
use crate::android::chain::Provisioning;
use crate::android::fields::Field;
use crate::android::refusal::AttestRefusal;
use crate::x509::{KeyKind, Malformed};

/// Role of a certificate in its chain, from the first certificate upwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateRole {
    /// A certificate below the attested one, where none belongs.
    Appended,
    /// Certificate of the attested key.
    AttestedKey,
    /// Certificate of the key with which the phone attests others.
    AttestingKey,
    /// A certificate between the attesting key and the root.
    Intermediate,
    /// The last certificate of the chain.
    Root,
}

/// Result of parsing a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// The certificate does not parse.
    Malformed(Malformed),
    /// The certificate parses and says this.
    Parsed(Box<CertificateFacts>),
}

/// Content of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Name of the subject (RFC 4514).
    pub subject: String,
    /// Name of the issuer, as the certificate states it (RFC 4514).
    pub issuer: String,
    /// Serial number in lower-case hexadecimal.
    pub serial: String,
    /// First second of its validity.
    pub not_before: UnixSeconds,
    /// Last second of its validity.
    pub not_after: UnixSeconds,
    /// Kind of its public key.
    pub key: KeyKind,
    /// SHA-256 of the certificate in DER.
    pub fingerprint: [u8; 32],
    /// Origin of the trust anchor with the same key, when there is one.
    pub anchor: Option<Source>,
    /// Content of its attestation extension as a tree, when it has one that parses.
    pub attestation: Option<Field>,
}

/// One certificate of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateReport {
    /// Position from the attested key's certificate, which should be 0.
    pub index: usize,
    /// Role of the certificate in the chain.
    pub role: CertificateRole,
    /// Result of parsing it.
    pub content: Content,
}

/// Result that a verification would give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The attestation is accepted.
    Accepted,
    /// The attestation is accepted apart from its challenge, since none was given to compare.
    AcceptedButForChallenge,
    /// The attestation is refused, with everything that was found. The first entry is the refusal that a verification would give.
    Refused(Vec<AttestRefusal>),
}

/// Explanation of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub(super) certificates: Vec<CertificateReport>,
    pub(super) provisioning: Option<Provisioning>,
    pub(super) verdict: Verdict,
    pub(super) at: UnixSeconds,
}

impl Report {
    /// All certificates, in the order in which they came.
    #[must_use]
    pub fn certificates(&self) -> &[CertificateReport] {
        &self.certificates
    }

    /// Origin of the phone's attestation certificate, when the certificates form a chain.
    #[must_use]
    pub const fn provisioning(&self) -> Option<&Provisioning> {
        self.provisioning.as_ref()
    }

    /// Content of the attestation nearest to the root, with the names of Google's verifier.
    #[must_use]
    pub fn description_fields(&self) -> Option<&Field> {
        self.certificates.iter().rev().find_map(|certificate| match &certificate.content {
            Content::Parsed(facts) => facts.attestation.as_ref(),
            Content::Malformed(_) => None,
        })
    }

    /// Result that a verification would give.
    #[must_use]
    pub const fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// Time for which the chain was inspected.
    #[must_use]
    pub const fn at(&self) -> UnixSeconds {
        self.at
    }
}
