//! The certificate chain of an Android attestation, and the rules that its certificates must meet. Each rule is one function on one
//! certificate or one pair of certificates.

use const_oid::ObjectIdentifier;
use countersign_core::{Limits, SecurityLevel, UnixSeconds};

use crate::anchors::{Anchor, Anchors, Purpose};
use crate::android::provisioning::certificates_issued;
use crate::android::refusal::AttestRefusal;
use crate::x509::{Certificate, Issuing, KeyStrength, PemRefusal, pem_blocks};

/// Object identifier of the extension that holds the key description.
pub const ATTESTATION_EXTENSION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.1.17");

/// Object identifier of the extension with which Google's servers mark attestation certificates that they issue remotely.
pub(crate) const PROVISIONING_EXTENSION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.1.30");

/// Attribute `serialNumber` of a name (RFC 4519 section 2.31), by which chains from the factory are recognised.
const SERIAL_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.5");

/// Attribute `commonName` of a name (RFC 4519 section 2.3).
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// Attribute `organizationName` of a name (RFC 4519 section 2.19).
const ORGANIZATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");

/// Name of the authority below Google's roots that issues certificates to phones remotely.
const REMOTE_COMMON_NAME: &str = "Droid CA2";
/// Organization in the name of that authority.
const REMOTE_ORGANIZATION: &str = "Google LLC";

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

/// Place of a certificate in its path, from the attested key upwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The attested key's certificate.
    First,
    /// A certificate between the two ends, with its position.
    Between(usize),
    /// The phone's copy of a root.
    Last,
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
        /// Content of the extension with which the servers describe the phone's provisioning; empty when the chain has none.
        info: Vec<u8>,
        /// Number of certificates issued to the phone in the last thirty days, when the extension states it.
        certificates_issued: Option<u64>,
    },
    /// No statement, as on chains of software. Expired certificates are refused.
    Unknown,
}

impl Provisioning {
    /// Numbers of certificates that a chain of this origin may have, the root included, as Google's verifier counts them.
    const fn lengths(&self) -> &'static [usize] {
        match self {
            // Key, attesting key, intermediate, root.
            Self::Factory => &[4],
            // Between the attesting key and the intermediate stands the server's certificate.
            Self::Remote { .. } => &[5],
            // Software has no intermediate.
            Self::Unknown => &[3, 4],
        }
    }
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
            (Some(leaf), Some(root)) if count >= Limits::KEY_ATTESTATION_CERTIFICATES_MIN => {
                Ok(Self { leaf, issuers: issuers.collect(), root })
            }
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

    /// All certificates but the last, with their positions.
    pub(super) fn below_last(&self) -> impl Iterator<Item = (usize, &Certificate)> {
        self.iter().take(self.iter().len().saturating_sub(1))
    }

    /// All certificates with their places in the path.
    pub(super) fn places(&self) -> impl Iterator<Item = (Place, &Certificate)> {
        let last = self.iter().len().saturating_sub(1);
        self.iter().map(move |(index, certificate)| {
            let place = match index {
                0 => Place::First,
                index if index == last => Place::Last,
                index => Place::Between(index),
            };
            (place, certificate)
        })
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

    /// Origin of the certificate with which the phone attests its keys, by the rules of Google's verifier.
    ///
    /// SECURITY: the certificate below the root decides, because Google's root signed it, and never an extension or a number of
    /// certificates alone, which whoever sends the chain could add to. It is a property of the whole path only together with
    /// [`of_known_length`] and [`anchored`].
    #[must_use]
    pub fn provisioning(&self) -> Provisioning {
        let info = self.iter().find_map(|(_, certificate)| certificate.extension(PROVISIONING_EXTENSION));
        let top = self.below_root();
        if named(top, COMMON_NAME, REMOTE_COMMON_NAME) && named(top, ORGANIZATION, REMOTE_ORGANIZATION) {
            let certificates_issued = info.and_then(certificates_issued);
            return Provisioning::Remote { info: info.unwrap_or_default().to_vec(), certificates_issued };
        }
        let numbered = top.subject().iter().any(|attribute| attribute.oid == SERIAL_NUMBER);
        // Nobody is provisioned in both ways: with the extension of the servers, the factory's name does not switch expiry off.
        if numbered && info.is_none() { Provisioning::Factory } else { Provisioning::Unknown }
    }

    /// Security level that the certificates above the attested key claim for the place that made the attestation, as far as they claim
    /// one: certificates of Google's servers always, those of factories only for a StrongBox (Android's CTS asks for the name there).
    pub(super) fn claimed_level(&self) -> Option<SecurityLevel> {
        let attesting = self.issuers.first()?;
        match self.provisioning() {
            Provisioning::Remote { .. } if named(attesting, ORGANIZATION, "StrongBox") => Some(SecurityLevel::StrongBox),
            Provisioning::Remote { .. } if named(attesting, ORGANIZATION, "TEE") => Some(SecurityLevel::TrustedEnvironment),
            Provisioning::Factory if [attesting, self.below_root()].iter().any(|certificate| names_a_strong_box(certificate)) => {
                Some(SecurityLevel::StrongBox)
            }
            Provisioning::Factory | Provisioning::Remote { .. } | Provisioning::Unknown => None,
        }
    }

    fn below_root(&self) -> &Certificate {
        // A chain has at least three certificates, so that one is always there.
        self.issuers.last().unwrap_or(&self.root)
    }
}

/// True when the subject has this attribute with this text.
fn named(certificate: &Certificate, attribute: ObjectIdentifier, text: &str) -> bool {
    certificate.subject().iter().any(|part| part.oid == attribute && part.value.value() == text.as_bytes())
}

fn names_a_strong_box(certificate: &Certificate) -> bool {
    certificate.subject().iter().any(|part| part.value.value().to_ascii_lowercase().windows(9).any(|window| window == b"strongbox"))
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

/// Checks that no certificate but the last holds the key of a trust anchor, so that there is one path to an anchor and no choice of ends.
///
/// Google's roots have several public certificates each, and may sign each other. Whoever appends one would choose which certificate stands
/// below the last.
pub(super) fn ends_here(index: usize, certificate: &Certificate, anchors: &Anchors) -> Result<(), AttestRefusal> {
    match anchors.find(certificate.key()) {
        Some(_) => Err(AttestRefusal::AnchorInside { index }),
        None => Ok(()),
    }
}

/// Checks that the chain has as many certificates as its way of provisioning makes.
pub(super) fn of_known_length(chain: &Chain, provisioning: &Provisioning) -> Result<(), AttestRefusal> {
    let count = chain.iter().len();
    if provisioning.lengths().contains(&count) {
        Ok(())
    } else {
        Err(AttestRefusal::LengthWrong { count, allowed: provisioning.lengths() })
    }
}

/// Checks that `subject` was issued by `issuer`: by name (RFC 5280 section 6.1.3 a 4) and by signature (a 1), with keys of this strength.
pub(super) fn issued_by(index: usize, subject: &Certificate, issuer: &Certificate, strength: KeyStrength) -> Result<(), AttestRefusal> {
    if !subject.names_as_issuer(issuer) {
        return Err(AttestRefusal::IssuerMismatch { index });
    }
    subject.verify_signature_at(strength, issuer.key()).map_err(|why| AttestRefusal::SignatureInvalid { index, why })
}

/// Strength that the keys of a chain need: short ones count only where software is accepted, and only below an anchor for software, which
/// proves nothing about a phone.
pub(super) fn strength(anchor: Option<&Anchor>, security_level_min: SecurityLevel) -> KeyStrength {
    match (anchor.map(|anchor| anchor.source().purpose), security_level_min) {
        (Some(Purpose::AndroidSoftware), SecurityLevel::Software) => KeyStrength::Legacy,
        (Some(Purpose::AndroidSoftware), SecurityLevel::TrustedEnvironment | SecurityLevel::StrongBox)
        | (Some(Purpose::AndroidHardware | Purpose::AppAttest | Purpose::AppAttestReceipt) | None, _) => KeyStrength::Sound,
    }
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
///
/// In a chain from the factory, the certificate directly above the attested key may say that it is no authority: some makers wrote
/// `CA:FALSE`, no constraints, or no `keyCertSign` into it, their phones are genuine, and Google's verifier takes them. It must not be
/// attested itself: an attested key issues nothing.
pub(super) fn may_issue(index: usize, certificate: &Certificate, provisioning: &Provisioning) -> Result<(), AttestRefusal> {
    let Some(intermediates_below) = index.checked_sub(1) else { return Ok(()) };
    let attests = certificate.extension(ATTESTATION_EXTENSION).is_some();
    match (certificate.issuing(), provisioning) {
        (Issuing::Allowed { path_length_max: Some(most) }, _) if intermediates_below > usize::from(most) => {
            Err(AttestRefusal::PathTooLong { index })
        }
        (Issuing::Allowed { .. }, _) => Ok(()),
        (Issuing::NotACa | Issuing::UsageRefused, Provisioning::Factory) if intermediates_below == 0 && !attests => Ok(()),
        (Issuing::NotACa | Issuing::UsageRefused, Provisioning::Factory | Provisioning::Remote { .. } | Provisioning::Unknown) => {
            Err(AttestRefusal::IssuerNotAllowed { index })
        }
    }
}

/// Checks that every critical extension of the certificate is understood (RFC 5280 section 6.1.4 o).
pub(super) fn understood(index: usize, certificate: &Certificate) -> Result<(), AttestRefusal> {
    match certificate.unknown_critical_extension() {
        Some(oid) => Err(AttestRefusal::CriticalExtensionUnknown { index, oid: oid.to_string() }),
        None => Ok(()),
    }
}

/// Checks that the certificate is valid at `now`.
///
/// The dates of the first certificate are not checked, since the phone itself sets them; nor are those of the last, since only its key is
/// trusted and the certificate around it is the phone's copy (RFC 5280 section 6.1.1 d). Certificates from the factory pass after their
/// expiry, because the keys in the phones cannot be replaced.
pub(super) fn in_force(
    place: Place,
    certificate: &Certificate,
    provisioning: &Provisioning,
    now: UnixSeconds,
) -> Result<(), AttestRefusal> {
    let Place::Between(index) = place else { return Ok(()) };
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
