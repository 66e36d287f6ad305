//! The certificate chain of an Android attestation, and the rules that its certificates must meet. Each rule is one function on one
//! certificate or one pair of certificates.

use const_oid::ObjectIdentifier;
use countersign_core::{Limits, UnixSeconds};

use crate::anchors::{Anchor, Anchors};
use crate::android::provisioning::certificates_issued;
use crate::android::refusal::AttestRefusal;
use crate::x509::{Certificate, Issuing, PemRefusal, pem_blocks};

/// Object identifier of the extension that holds the key description.
pub const ATTESTATION_EXTENSION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.1.17");

/// Object identifier of the extension with which Google's servers mark attestation certificates that they issue remotely.
pub const PROVISIONING_EXTENSION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.1.30");

/// Attribute `serialNumber` of a name (RFC 4519 section 2.31), by which chains from the factory are recognised.
const SERIAL_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.5");

/// Least length of a chain: the attested key's certificate, that of the key which attests it, and the root.
const CERTIFICATES_MIN: usize = 3;

/// Certificates in DER, within the size limits and not yet parsed. The certificate of the attested key comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawChain {
    ders: Vec<Vec<u8>>,
}

impl RawChain {
    /// Reads the `CERTIFICATE` blocks of a PEM text.
    ///
    /// # Errors
    /// A refusal when a block is not PEM or there are too many.
    pub fn from_pem(text: &str) -> Result<Self, AttestRefusal> {
        let ders = pem_blocks(text, Limits::CHAIN_CERTIFICATES_MAX).map_err(|why| match why {
            PemRefusal::BlockMalformed { index } => AttestRefusal::PemMalformed { index },
            PemRefusal::TooManyBlocks => AttestRefusal::ChainTooLong,
        })?;
        Self::from_der_list(ders)
    }

    /// Takes a list of certificates in DER.
    ///
    /// # Errors
    /// A refusal when there are too many.
    pub fn from_der_list(ders: Vec<Vec<u8>>) -> Result<Self, AttestRefusal> {
        if ders.len() > Limits::CHAIN_CERTIFICATES_MAX { Err(AttestRefusal::ChainTooLong) } else { Ok(Self { ders }) }
    }

    /// The certificates in DER, the attested key's first.
    #[must_use]
    pub fn ders(&self) -> &[Vec<u8>] {
        &self.ders
    }
}

/// Parsed certificates, the attested key's first and the root last. There are at least three, and all differ. No signature has been checked
/// yet.
#[derive(Clone, Debug)]
pub struct Chain {
    leaf: Certificate,
    issuers: Vec<Certificate>,
    root: Certificate,
}

/// Parses the chain in a PEM text.
///
/// # Errors
/// The refusals of [`RawChain::from_pem`] and [`Chain::parse`].
pub fn chain_from_pem(text: &str) -> Result<Chain, AttestRefusal> {
    Chain::parse(&RawChain::from_pem(text)?)
}

/// Parses the chain in a list of certificates in DER.
///
/// # Errors
/// The refusals of [`RawChain::from_der_list`] and [`Chain::parse`].
pub fn chain_from_der_list(ders: Vec<Vec<u8>>) -> Result<Chain, AttestRefusal> {
    Chain::parse(&RawChain::from_der_list(ders)?)
}

/// Origin of the certificate with which the phone attests its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provisioning {
    /// Installed in the factory. Its key cannot be replaced, so its certificates are accepted after their expiry.
    Factory,
    /// Issued to the phone by Google's servers for some weeks. Expired certificates are refused.
    Remote {
        /// Content of the extension that marks remote provisioning.
        info: Vec<u8>,
        /// Number of certificates issued to the phone in the last thirty days, when the extension states it.
        certificates_issued: Option<u64>,
    },
    /// No statement, as on chains of software. Expired certificates are refused.
    Unknown,
}

impl Chain {
    /// Parses all certificates of a chain.
    ///
    /// # Errors
    /// A refusal when one does not parse, one stands there twice, or there are fewer than three.
    pub fn parse(raw: &RawChain) -> Result<Self, AttestRefusal> {
        let mut certificates = Vec::with_capacity(raw.ders.len());
        for (index, der) in raw.ders.iter().enumerate() {
            certificates.push(Certificate::parse(der).map_err(|malformed| AttestRefusal::CertificateMalformed { index, malformed })?);
        }
        Self::of(certificates)
    }

    pub(super) fn of(certificates: Vec<Certificate>) -> Result<Self, AttestRefusal> {
        if let Some(index) = repeated(&certificates) {
            return Err(AttestRefusal::CertificateRepeated { index });
        }
        let count = certificates.len();
        let mut issuers = certificates.into_iter();
        match (issuers.next(), issuers.next_back()) {
            (Some(leaf), Some(root)) if count >= CERTIFICATES_MIN => Ok(Self { leaf, issuers: issuers.collect(), root }),
            _ => Err(AttestRefusal::ChainTooShort { count }),
        }
    }

    /// The first certificate. It is that of the attested key, unless somebody appended certificates below; [`super::verify()`] checks that.
    #[must_use]
    pub const fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    /// The last certificate. Only its key matters, and only when that key is a trust anchor's.
    #[must_use]
    pub const fn root(&self) -> &Certificate {
        &self.root
    }

    /// All certificates with their positions, the attested key's first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (usize, &Certificate)> + ExactSizeIterator {
        let all: Vec<_> = std::iter::once(&self.leaf).chain(&self.issuers).chain(std::iter::once(&self.root)).collect();
        all.into_iter().enumerate()
    }

    /// Each certificate with its issuer, from the root down; the root is paired with itself.
    pub(super) fn links(&self) -> impl Iterator<Item = (usize, &Certificate, &Certificate)> {
        let issuers = self.iter().skip(1).map(|(_, issuer)| issuer).chain(std::iter::once(&self.root));
        let mut links: Vec<_> = self.iter().zip(issuers).map(|((index, subject), issuer)| (index, subject, issuer)).collect();
        links.reverse();
        links.into_iter()
    }

    /// Content and position of the attestation nearest to the root, the only one that the phone's secure hardware vouches for.
    pub(super) fn attestation(&self) -> Result<(usize, &[u8]), AttestRefusal> {
        // SECURITY: counted from the root, because the holder of an attested key can append certificates with attestations of his own.
        let mut from_root = self.iter().rev();
        from_root
            .find_map(|(index, certificate)| certificate.extension(ATTESTATION_EXTENSION).map(|content| (index, content)))
            .ok_or(AttestRefusal::AttestationMissing)
    }

    /// Origin of the certificate with which the phone attests its keys.
    #[must_use]
    pub fn provisioning(&self) -> Provisioning {
        if let Some(info) = self.issuers.first().and_then(|attesting| attesting.extension(PROVISIONING_EXTENSION)) {
            return Provisioning::Remote { info: info.to_vec(), certificates_issued: certificates_issued(info) };
        }
        // No extension marks chains from the factory; the certificate below their root is named by a serial number.
        let factory = |below_root: &Certificate| below_root.subject().iter().any(|attribute| attribute.oid == SERIAL_NUMBER);
        if self.issuers.last().is_some_and(factory) { Provisioning::Factory } else { Provisioning::Unknown }
    }
}

fn repeated(certificates: &[Certificate]) -> Option<usize> {
    // Quadratic, but a chain has at most a few certificates.
    let earlier = |index: usize, certificate: &Certificate| certificates.iter().take(index).any(|other| other.der() == certificate.der());
    certificates.iter().enumerate().find(|(index, certificate)| earlier(*index, certificate)).map(|(index, _)| index)
}

/// Checks that the chain ends at the key of a trust anchor. Only the key is compared; the certificate around it is the phone's copy and may
/// differ.
pub(super) fn anchored<'a>(chain: &Chain, anchors: &'a Anchors) -> Result<&'a Anchor, AttestRefusal> {
    anchors.find(chain.root.key()).ok_or_else(|| AttestRefusal::AnchorUnknown { issuer: chain.root.issuer().to_string() })
}

/// Checks that `subject` was issued by `issuer`: by name (RFC 5280 section 6.1.3 a 4) and by signature (a 1).
pub(super) fn issued_by(index: usize, subject: &Certificate, issuer: &Certificate) -> Result<(), AttestRefusal> {
    if !subject.names_as_issuer(issuer) {
        return Err(AttestRefusal::IssuerMismatch { index });
    }
    subject.verify_signature_of(issuer.key()).map_err(|why| AttestRefusal::SignatureInvalid { index, why })
}

/// Checks that the attested certificate is the first one.
///
/// The holder of an attested key can sign certificates with it. A certificate below the attested one would pass for attested with a reader
/// that takes the first attestation it meets.
pub(super) fn not_extended(attested: usize) -> Result<(), AttestRefusal> {
    if attested == 0 { Ok(()) } else { Err(AttestRefusal::ChainExtended { attested }) }
}

/// Checks that the certificate at `index` may issue the one before it (RFC 5280 section 6.1.4 k to n). The first certificate issues
/// nothing, so it always passes.
pub(super) fn may_issue(index: usize, certificate: &Certificate) -> Result<(), AttestRefusal> {
    let Some(intermediates_below) = index.checked_sub(1) else { return Ok(()) };
    match certificate.issuing() {
        Issuing::Allowed { path_length_max: Some(most) } if intermediates_below > usize::from(most) => {
            Err(AttestRefusal::PathTooLong { index })
        }
        Issuing::Allowed { .. } => Ok(()),
        Issuing::NotACa | Issuing::UsageRefused => Err(AttestRefusal::IssuerNotAllowed { index }),
    }
}

/// Checks that every critical extension of the certificate is understood (RFC 5280 section 6.1.4 o).
pub(super) fn understood(index: usize, certificate: &Certificate) -> Result<(), AttestRefusal> {
    match certificate.unknown_critical_extension() {
        Some(oid) => Err(AttestRefusal::CriticalExtensionUnknown { index, oid: oid.to_string() }),
        None => Ok(()),
    }
}

/// Checks that the certificate is valid at `now`. The dates of the first certificate are not checked, since the phone itself sets them.
/// Certificates from the factory pass after their expiry, because the keys in the phones cannot be replaced.
pub(super) fn in_force(
    index: usize,
    certificate: &Certificate,
    provisioning: &Provisioning,
    now: UnixSeconds,
) -> Result<(), AttestRefusal> {
    if index == 0 {
        return Ok(());
    }
    // For chains from the factory, too: only the end of their validity is ignored.
    if now < certificate.not_before() {
        return Err(AttestRefusal::CertificateNotYetValid { index, not_before: certificate.not_before() });
    }
    match provisioning {
        Provisioning::Factory => Ok(()),
        Provisioning::Remote { .. } | Provisioning::Unknown if now > certificate.not_after() => {
            Err(AttestRefusal::CertificateExpired { index, not_after: certificate.not_after() })
        }
        Provisioning::Remote { .. } | Provisioning::Unknown => Ok(()),
    }
}
