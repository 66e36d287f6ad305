//! The certificates that came, and the rules by which they hang together. Each rule is one function on one certificate or link.

use const_oid::ObjectIdentifier;
use countersign_core::{Limits, UnixSeconds};

use crate::anchors::{Anchor, Anchors};
use crate::android::provisioning::certificates_issued;
use crate::android::refusal::AttestRefusal;
use crate::x509::{Certificate, Issuing, PemRefusal, pem_blocks};

/// The extension that holds a key description.
pub const ATTESTATION_EXTENSION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.1.17");

/// The extension by which Google's servers mark the attestation certificates that they issue remotely.
pub const PROVISIONING_EXTENSION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.1.30");

/// The attribute `serialNumber` of a name (RFC 4519 section 2.31), by which factory-made chains are known.
const SERIAL_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.5");

/// A key's own certificate, the one that attests it, and the root.
const CERTIFICATES_MIN: usize = 3;

/// Certificates as bytes, within the limits and not yet parsed; the attested key's own comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawChain {
    ders: Vec<Vec<u8>>,
}

impl RawChain {
    /// Takes the `CERTIFICATE` blocks of a PEM text.
    ///
    /// # Errors
    /// A block that is no PEM; too many of them.
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
    /// When there are too many.
    pub fn from_der_list(ders: Vec<Vec<u8>>) -> Result<Self, AttestRefusal> {
        if ders.len() > Limits::CHAIN_CERTIFICATES_MAX { Err(AttestRefusal::ChainTooLong) } else { Ok(Self { ders }) }
    }

    /// The certificates, the attested key's own first.
    #[must_use]
    pub fn ders(&self) -> &[Vec<u8>] {
        &self.ders
    }
}

/// Parsed certificates, the attested key's own first and the root last. At least three, and all of them different; nothing else
/// is known of them yet.
#[derive(Clone, Debug)]
pub struct Chain {
    leaf: Certificate,
    issuers: Vec<Certificate>,
    root: Certificate,
}

/// Parses the chain in a PEM text.
///
/// # Errors
/// What [`RawChain::from_pem`] and [`Chain::parse`] refuse.
pub fn chain_from_pem(text: &str) -> Result<Chain, AttestRefusal> {
    Chain::parse(&RawChain::from_pem(text)?)
}

/// Parses the chain in a list of certificates in DER.
///
/// # Errors
/// What [`RawChain::from_der_list`] and [`Chain::parse`] refuse.
pub fn chain_from_der_list(ders: Vec<Vec<u8>>) -> Result<Chain, AttestRefusal> {
    Chain::parse(&RawChain::from_der_list(ders)?)
}

/// How the phone came by the certificate that attests its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Provisioning {
    /// Put into it in the factory. Its key cannot be replaced, so its certificates count beyond their expiry.
    Factory,
    /// Issued to it by Google's servers for some weeks. Expiry counts.
    Remote {
        /// The content of the extension that says so.
        info: Vec<u8>,
        /// How many certificates the phone was issued in the last thirty days, when the information says so.
        certificates_issued: Option<u64>,
    },
    /// Nothing says how, as on chains of software. Expiry counts.
    Unknown,
}

impl Chain {
    /// Parses all certificates.
    ///
    /// # Errors
    /// One that does not parse, one that stands there twice, fewer than three.
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

    /// The certificate of the attested key, if nothing was appended.
    #[must_use]
    pub const fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    /// The last certificate. Only its key matters, and only if that is a trust anchor's.
    #[must_use]
    pub const fn root(&self) -> &Certificate {
        &self.root
    }

    /// All certificates with their positions.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (usize, &Certificate)> + ExactSizeIterator {
        let all: Vec<_> = std::iter::once(&self.leaf).chain(&self.issuers).chain(std::iter::once(&self.root)).collect();
        all.into_iter().enumerate()
    }

    /// Each certificate with its issuer (the root with itself), from the root down.
    pub(super) fn links(&self) -> impl Iterator<Item = (usize, &Certificate, &Certificate)> {
        let issuers = self.iter().skip(1).map(|(_, issuer)| issuer).chain(std::iter::once(&self.root));
        let mut links: Vec<_> = self.iter().zip(issuers).map(|((index, subject), issuer)| (index, subject, issuer)).collect();
        links.reverse();
        links.into_iter()
    }

    /// The attestation nearest to the root, and where it stands: the only one that the phone's secure hardware vouches for.
    pub(super) fn attestation(&self) -> Result<(usize, &[u8]), AttestRefusal> {
        let mut from_root = self.iter().rev();
        from_root
            .find_map(|(index, certificate)| certificate.extension(ATTESTATION_EXTENSION).map(|content| (index, content)))
            .ok_or(AttestRefusal::AttestationMissing)
    }

    /// How the phone came by its attestation certificate.
    #[must_use]
    pub fn provisioning(&self) -> Provisioning {
        if let Some(info) = self.issuers.first().and_then(|attesting| attesting.extension(PROVISIONING_EXTENSION)) {
            return Provisioning::Remote { info: info.to_vec(), certificates_issued: certificates_issued(info) };
        }
        let factory = |below_root: &Certificate| below_root.subject().iter().any(|attribute| attribute.oid == SERIAL_NUMBER);
        if self.issuers.last().is_some_and(factory) { Provisioning::Factory } else { Provisioning::Unknown }
    }
}

fn repeated(certificates: &[Certificate]) -> Option<usize> {
    let earlier = |index: usize, certificate: &Certificate| certificates.iter().take(index).any(|other| other.der() == certificate.der());
    certificates.iter().enumerate().find(|(index, certificate)| earlier(*index, certificate)).map(|(index, _)| index)
}

/// The chain ends at a trust anchor. Its key is what is trusted; the certificate around it is the phone's copy and may differ.
pub(super) fn anchored<'a>(chain: &Chain, anchors: &'a Anchors) -> Result<&'a Anchor, AttestRefusal> {
    anchors.find(chain.root.key()).ok_or_else(|| AttestRefusal::AnchorUnknown { issuer: chain.root.issuer().to_string() })
}

/// `subject` is issued by `issuer`: by name (RFC 5280 section 6.1.3 a 4) and by signature (a 1).
pub(super) fn issued_by(index: usize, subject: &Certificate, issuer: &Certificate) -> Result<(), AttestRefusal> {
    if !subject.names_as_issuer(issuer) {
        return Err(AttestRefusal::IssuerMismatch { index });
    }
    subject.verify_signature_of(issuer.key()).map_err(|why| AttestRefusal::SignatureInvalid { index, why })
}

/// The attested certificate is the first. An attested key can sign certificates of its owner's making, and one below it would
/// pass for attested with a reader that takes the first attestation it meets.
pub(super) fn not_extended(attested: usize) -> Result<(), AttestRefusal> {
    if attested == 0 { Ok(()) } else { Err(AttestRefusal::ChainExtended { attested }) }
}

/// The certificate at `index` may issue the one before it (RFC 5280 section 6.1.4 k to n). The attested key's own issues nothing.
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

/// Nothing critical in the certificate is passed over (RFC 5280 section 6.1.4 o).
pub(super) fn understood(index: usize, certificate: &Certificate) -> Result<(), AttestRefusal> {
    match certificate.unknown_critical_extension() {
        Some(oid) => Err(AttestRefusal::CriticalExtensionUnknown { index, oid: oid.to_string() }),
        None => Ok(()),
    }
}

/// The certificate is in force. The phone itself dates the attested key's own, so those dates say nothing; factory-made
/// certificates count beyond their expiry, because the keys in the phones cannot be replaced.
pub(super) fn in_force(
    index: usize,
    certificate: &Certificate,
    provisioning: &Provisioning,
    now: UnixSeconds,
) -> Result<(), AttestRefusal> {
    if index == 0 {
        return Ok(());
    }
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
