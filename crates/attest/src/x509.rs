//! One X.509 certificate, parsed strictly, so that what is judged is exactly what was signed (RFC 5280 section 4.1).
//!
//! The rules of the web (host names, extended key usage, name constraints) do not apply to attestation chains and are not here.

use std::{collections::BTreeMap, fmt};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA384_ASN1, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA256_ASN1,
    ECDSA_P521_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use const_oid::ObjectIdentifier;
use countersign_codec::sha256;
use countersign_core::{Limits, UnixSeconds};
use der::{
    Decode, Encode, Reader, Sequence, SliceReader,
    asn1::{Any, BitString},
};
use x509_cert::{
    AlgorithmIdentifier, SubjectPublicKeyInfo, Version,
    ext::{
        Extensions,
        pkix::{BasicConstraints, KeyUsage},
    },
    name::Name,
    serial_number::SerialNumber,
};

use crate::instant::instant;

/// Reason why bytes are not an acceptable certificate. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Malformed {
    /// The signed part and the signature name different algorithms (RFC 5280 section 4.1.1.2).
    AlgorithmsDiffer,
    /// A `basicConstraints` or `keyUsage` extension does not parse.
    Extension,
    /// The same extension stands there twice (RFC 5280 section 4.2).
    ExtensionRepeated,
    /// The bytes are not the DER of one certificate, or something follows it.
    NotDer,
    /// The signature is not a whole number of bytes.
    SignatureBits,
    /// The certificate has more bytes than [`Limits::CERTIFICATE_BYTES_MAX`].
    TooLarge,
}

/// Text that completes a sentence with the certificate as its subject.
impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlgorithmsDiffer => "names two signature algorithms",
            Self::Extension => "has an extension that does not parse",
            Self::ExtensionRepeated => "has the same extension twice",
            Self::NotDer => "is not one certificate in DER",
            Self::SignatureBits => "has a signature that is no whole number of bytes",
            Self::TooLarge => "is larger than the limit",
        })
    }
}

/// Reason why a signature is refused. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignatureRefusal {
    /// The algorithm is not RSA (PKCS#1 v1.5, 2048 to 8192 bits) or ECDSA (P-256, P-384, P-521) with SHA-256, SHA-384 or SHA-512, or the
    /// issuer's key is of another kind or too short. SHA-1 is refused.
    AlgorithmRefused,
    /// The signature does not verify.
    Invalid,
}

/// Strength that a signature's key needs. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum KeyStrength {
    /// RSA keys of 1024 bits verify as well, with SHA-256. Only for chains that prove nothing about a phone: the older of Android's two
    /// software roots, whose private key is published anyway, has such a key.
    Legacy,
    /// Keys that nobody can break today (NIST SP 800-131A revision 2, table 2).
    Sound,
}

/// Kind of a certificate's public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// A key on the NIST curve P-256.
    P256,
    /// A key on the NIST curve P-384.
    P384,
    /// A key on the NIST curve P-521.
    P521,
    /// An RSA key whose modulus has this many bits.
    Rsa(usize),
    /// Any other algorithm, by its object identifier. Attested keys may be of kinds with which no chain is signed (ML-DSA, X25519).
    Other(ObjectIdentifier),
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::P256 => f.write_str("EC P-256"),
            Self::P384 => f.write_str("EC P-384"),
            Self::P521 => f.write_str("EC P-521"),
            Self::Rsa(bits) => write!(f, "RSA {bits}"),
            Self::Other(oid) => match *oid {
                ML_DSA_44 => f.write_str("ML-DSA-44"),
                ML_DSA_65 => f.write_str("ML-DSA-65"),
                ML_DSA_87 => f.write_str("ML-DSA-87"),
                ED25519 => f.write_str("Ed25519"),
                other => write!(f, "{other}"),
            },
        }
    }
}

/// Permission of a certificate to issue others (RFC 5280 sections 4.2.1.3 and 4.2.1.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issuing {
    /// The certificate may issue others.
    Allowed {
        /// Greatest number of intermediate certificates below it; `None` when it is not limited.
        path_length_max: Option<u8>,
    },
    /// The `basicConstraints` are missing or state that it is not a CA.
    NotACa,
    /// The `keyUsage` does not contain `keyCertSign`.
    UsageRefused,
}

/// A certificate that parses. No signature has been checked yet.
#[derive(Clone)]
pub struct Certificate {
    der: Vec<u8>,
    signed: Vec<u8>,
    signature: Vec<u8>,
    signature_algorithm: ObjectIdentifier,
    subject: Name,
    issuer: Name,
    serial: String,
    not_before: UnixSeconds,
    not_after: UnixSeconds,
    key: SubjectKey,
    issuing: Issuing,
    extensions: BTreeMap<ObjectIdentifier, Extension>,
}

#[derive(Clone)]
struct Extension {
    criticality: Criticality,
    value: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Criticality {
    Critical,
    NonCritical,
}

/// Public key of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectKey {
    spki: Vec<u8>,
    bits: Vec<u8>,
    kind: KeyKind,
}

impl SubjectKey {
    /// `SubjectPublicKeyInfo` in DER (RFC 5280 section 4.1.2.7). Two keys are equal when these bytes are.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The bits of the key alone; for EC the encoded point (SEC 1 section 2.3.3).
    #[must_use]
    pub fn bits(&self) -> &[u8] {
        &self.bits
    }

    /// Kind of the key.
    #[must_use]
    pub const fn kind(&self) -> &KeyKind {
        &self.kind
    }

    /// Verifies that the owner of this key signed `message`, with the signature algorithm's identifier (RFC 5754 section 3).
    ///
    /// # Errors
    /// A refusal when the algorithm is not accepted or the signature does not verify.
    pub fn verify(&self, algorithm: ObjectIdentifier, message: &[u8], signature: &[u8]) -> Result<(), SignatureRefusal> {
        self.verify_at(KeyStrength::Sound, algorithm, message, signature)
    }

    fn verify_at(
        &self,
        strength: KeyStrength,
        algorithm: ObjectIdentifier,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureRefusal> {
        let algorithm = match strength {
            KeyStrength::Sound => verification(algorithm, &self.kind),
            KeyStrength::Legacy => legacy(algorithm, &self.kind).or_else(|| verification(algorithm, &self.kind)),
        };
        let algorithm = algorithm.ok_or(SignatureRefusal::AlgorithmRefused)?;
        UnparsedPublicKey::new(algorithm, &self.bits).verify(message, signature).map_err(|_| SignatureRefusal::Invalid)
    }
}

impl Certificate {
    /// Parses the DER of one certificate.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(der: &[u8]) -> Result<Self, Malformed> {
        if der.len() > Limits::CERTIFICATE_BYTES_MAX {
            return Err(Malformed::TooLarge);
        }
        let Wire { signed: tbs, signature_algorithm, signature } = Wire::from_der(der).map_err(|_| Malformed::NotDer)?;
        // SECURITY: the outer algorithm is not signed, so a verifier that relied on it alone could be led to another one.
        if tbs.signature != signature_algorithm {
            return Err(Malformed::AlgorithmsDiffer);
        }
        let extensions = extensions_of(tbs.extensions.as_deref().unwrap_or_default())?;
        Ok(Self {
            // SECURITY: the signature is checked over the received bytes, never over bytes that an encoder made again.
            signed: signed_part(der).map_err(|_| Malformed::NotDer)?,
            der: der.to_vec(),
            signature: signature.as_bytes().ok_or(Malformed::SignatureBits)?.to_vec(),
            signature_algorithm: signature_algorithm.oid,
            serial: serial_text(tbs.serial_number.as_bytes()),
            not_before: instant(&tbs.validity.not_before).ok_or(Malformed::NotDer)?,
            not_after: instant(&tbs.validity.not_after).ok_or(Malformed::NotDer)?,
            key: subject_key(&tbs.subject_public_key_info)?,
            subject: tbs.subject,
            issuer: tbs.issuer,
            issuing: issuing(&extensions)?,
            extensions,
        })
    }

    /// The certificate in DER, as it was received.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// SHA-256 of the certificate as it was received, its usual fingerprint.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        sha256(&[&self.der])
    }

    /// Name of the subject.
    #[must_use]
    pub const fn subject(&self) -> &Name {
        &self.subject
    }

    /// Name of the issuer, as the certificate states it.
    #[must_use]
    pub const fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// Serial number in lower-case hexadecimal without leading zeros, as Google's revocation list writes it.
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.serial
    }

    /// First second of its validity. A time before 1970 counts as the beginning of 1970.
    #[must_use]
    pub const fn not_before(&self) -> UnixSeconds {
        self.not_before
    }

    /// Last second of its validity. A time before 1970 counts as the beginning of 1970.
    #[must_use]
    pub const fn not_after(&self) -> UnixSeconds {
        self.not_after
    }

    /// Public key of the certificate.
    #[must_use]
    pub const fn key(&self) -> &SubjectKey {
        &self.key
    }

    /// Permission of the certificate to issue others.
    #[must_use]
    pub const fn issuing(&self) -> Issuing {
        self.issuing
    }

    /// Content of an extension, when the certificate has it.
    #[must_use]
    pub fn extension(&self, oid: ObjectIdentifier) -> Option<&[u8]> {
        self.extensions.get(&oid).map(|extension| extension.value.as_slice())
    }

    /// A critical extension outside of those that attestation chains use, when there is one. The certificate must then be refused (RFC 5280
    /// section 4.2).
    #[must_use]
    pub fn unknown_critical_extension(&self) -> Option<ObjectIdentifier> {
        let unknown = |(oid, extension): &(&ObjectIdentifier, &Extension)| {
            extension.criticality == Criticality::Critical && !EXTENSIONS_KNOWN.contains(oid)
        };
        self.extensions.iter().find(unknown).map(|(oid, _)| *oid)
    }

    /// True when the issuer that this certificate names is the subject of `issuer`.
    ///
    /// Names are compared attribute by attribute. The ASN.1 string type does not matter, because phone makers mix them. Security does not
    /// depend on names but on [`Self::verify_signature_of`].
    #[must_use]
    pub fn names_as_issuer(&self, issuer: &Self) -> bool {
        let parts = |name: &Name| -> Vec<(ObjectIdentifier, Vec<u8>)> {
            name.iter().map(|attribute| (attribute.oid, attribute.value.value().to_vec())).collect()
        };
        parts(&self.issuer) == parts(&issuer.subject)
    }

    /// Verifies that the owner of the key `issuer` signed this certificate.
    ///
    /// # Errors
    /// A refusal when the algorithm is not accepted or the signature does not verify.
    pub fn verify_signature_of(&self, issuer: &SubjectKey) -> Result<(), SignatureRefusal> {
        self.verify_signature_at(KeyStrength::Sound, issuer)
    }

    /// Verifies the same, where the issuer's key may be as weak as `strength` says.
    ///
    /// # Errors
    /// A refusal when the algorithm is not accepted or the signature does not verify.
    pub(crate) fn verify_signature_at(&self, strength: KeyStrength, issuer: &SubjectKey) -> Result<(), SignatureRefusal> {
        issuer.verify_at(strength, self.signature_algorithm, &self.signed, &self.signature)
    }
}

/// A certificate as it is encoded (RFC 5280 section 4.1). The library's own type refuses every date before 1970, which genuine phones write
/// into the certificates of their keys; here the dates are read by [`instant`].
#[derive(Sequence)]
struct Wire {
    signed: WireSigned,
    signature_algorithm: AlgorithmIdentifier,
    signature: BitString,
}

#[derive(Sequence)]
struct WireSigned {
    #[asn1(context_specific = "0", default = "Default::default")]
    version: Version,
    serial_number: SerialNumber,
    signature: AlgorithmIdentifier,
    issuer: Name,
    validity: WireValidity,
    subject: Name,
    subject_public_key_info: SubjectPublicKeyInfo,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    issuer_unique_id: Option<BitString>,
    #[asn1(context_specific = "2", tag_mode = "IMPLICIT", optional = "true")]
    subject_unique_id: Option<BitString>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Extensions>,
}

#[derive(Sequence)]
struct WireValidity {
    not_before: Any,
    not_after: Any,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({} by {}, serial {})", self.subject, self.issuer, self.serial)
    }
}

/// Reason why a text is not a list of certificates. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PemRefusal {
    /// A block is not base64, has no end, or is larger than any acceptable certificate.
    BlockMalformed {
        /// Position of the block in the text, from 0.
        index: usize,
    },
    /// The text has more blocks than the caller allows.
    TooManyBlocks,
}

/// The DER of every `CERTIFICATE` block of a PEM text (RFC 7468 section 5). Text between the blocks is ignored, as the RFC asks.
///
/// # Errors
/// The first block that cannot be read, or a refusal when there are more than `blocks_max`.
pub fn pem_blocks(text: &str, blocks_max: usize) -> Result<Vec<Vec<u8>>, PemRefusal> {
    let mut out = Vec::new();
    for (index, rest) in text.split("-----BEGIN CERTIFICATE-----").skip(1).enumerate() {
        if index >= blocks_max {
            return Err(PemRefusal::TooManyBlocks);
        }
        let malformed = PemRefusal::BlockMalformed { index };
        let (body, _) = rest.split_once("-----END CERTIFICATE-----").ok_or(malformed)?;
        // Base64 is a third longer than its bytes, and each line adds one or two more; twice the limit is a safe bound.
        if body.len() > Limits::CERTIFICATE_BYTES_MAX.saturating_mul(2) {
            return Err(malformed);
        }
        let dense: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        out.push(STANDARD.decode(dense).map_err(|_| malformed)?);
    }
    Ok(out)
}

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const ML_DSA_44: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.17");
const ML_DSA_65: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.18");
const ML_DSA_87: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.19");
const RSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const RSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const RSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const ECDSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");

/// Extensions that may be critical: constraints and key usage, which are enforced; key identifiers, revocation points and policies, which
/// restrict nothing here; and Android's own two.
const EXTENSIONS_KNOWN: [ObjectIdentifier; 8] = [
    BASIC_CONSTRAINTS,
    KEY_USAGE,
    ObjectIdentifier::new_unwrap("2.5.29.14"),
    ObjectIdentifier::new_unwrap("2.5.29.35"),
    ObjectIdentifier::new_unwrap("2.5.29.31"),
    ObjectIdentifier::new_unwrap("2.5.29.32"),
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.1.17"),
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.1.30"),
];

fn signed_part(der: &[u8]) -> der::Result<Vec<u8>> {
    SliceReader::new(der)?.sequence(|reader| {
        let signed = reader.tlv_bytes()?.to_vec();
        reader.tlv_bytes()?;
        reader.tlv_bytes()?;
        Ok(signed)
    })
}

fn extensions_of(list: &[x509_cert::ext::Extension]) -> Result<BTreeMap<ObjectIdentifier, Extension>, Malformed> {
    let mut out = BTreeMap::new();
    for extension in list {
        let criticality = if extension.critical { Criticality::Critical } else { Criticality::NonCritical };
        let kept = Extension { criticality, value: extension.extn_value.as_bytes().to_vec() };
        // SECURITY: of two extensions of one kind, another parser might enforce the other one.
        if out.insert(extension.extn_id, kept).is_some() {
            return Err(Malformed::ExtensionRepeated);
        }
    }
    Ok(out)
}

fn subject_key(info: &x509_cert::SubjectPublicKeyInfo) -> Result<SubjectKey, Malformed> {
    let bits = info.subject_public_key.as_bytes().ok_or(Malformed::NotDer)?.to_vec();
    let curve = || info.algorithm.parameters.as_ref().and_then(|parameters| parameters.decode_as::<ObjectIdentifier>().ok());
    let kind = match info.algorithm.oid {
        RSA_ENCRYPTION => KeyKind::Rsa(modulus_bits(&bits).ok_or(Malformed::NotDer)?),
        EC_PUBLIC_KEY => match curve() {
            Some(P256) => KeyKind::P256,
            Some(P384) => KeyKind::P384,
            Some(P521) => KeyKind::P521,
            // The identifier of an unknown curve tells an operator more than that of EC keys in general.
            Some(other) => KeyKind::Other(other),
            None => KeyKind::Other(EC_PUBLIC_KEY),
        },
        other => KeyKind::Other(other),
    };
    Ok(SubjectKey { spki: info.to_der().map_err(|_| Malformed::NotDer)?, bits, kind })
}

fn modulus_bits(key: &[u8]) -> Option<usize> {
    let (modulus, _exponent) = SliceReader::new(key)
        .ok()?
        .sequence(|reader| -> der::Result<_> { Ok((der::asn1::UintRef::decode(reader)?, der::asn1::UintRef::decode(reader)?)) })
        .ok()?;
    let bytes = modulus.as_bytes();
    let unused = usize::try_from(bytes.first()?.leading_zeros()).ok()?;
    bytes.len().checked_mul(8)?.checked_sub(unused)
}

fn issuing(extensions: &BTreeMap<ObjectIdentifier, Extension>) -> Result<Issuing, Malformed> {
    let constraints = match extensions.get(&BASIC_CONSTRAINTS) {
        Some(extension) => Some(BasicConstraints::from_der(&extension.value).map_err(|_| Malformed::Extension)?),
        None => None,
    };
    let usage = match extensions.get(&KEY_USAGE) {
        Some(extension) => Some(KeyUsage::from_der(&extension.value).map_err(|_| Malformed::Extension)?),
        None => None,
    };
    Ok(match (constraints, usage) {
        (Some(constraints), usage) if constraints.ca => match usage {
            Some(usage) if !usage.key_cert_sign() => Issuing::UsageRefused,
            // An absent key usage restricts nothing (RFC 5280 section 6.1.4 n).
            Some(_) | None => Issuing::Allowed { path_length_max: constraints.path_len_constraint },
        },
        // Without `basicConstraints` a certificate is no CA (RFC 5280 section 6.1.4 k).
        _ => Issuing::NotACa,
    })
}

fn serial_text(bytes: &[u8]) -> String {
    let text = hex::encode(bytes);
    match text.trim_start_matches('0') {
        "" => String::from("0"),
        trimmed => trimmed.to_owned(),
    }
}

/// Fewest and most bits of an RSA key that is strong enough and not too slow.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// The algorithm for an RSA key that is too short to be sound but not too short for software.
fn legacy(algorithm: ObjectIdentifier, key: &KeyKind) -> Option<&'static dyn VerificationAlgorithm> {
    match (key, algorithm) {
        (KeyKind::Rsa(1024..2048), RSA_SHA256) => Some(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY),
        _ => None,
    }
}

fn verification(algorithm: ObjectIdentifier, key: &KeyKind) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match (key, algorithm) {
        // Said here, because the library would call a key of another length an invalid signature.
        (KeyKind::Rsa(bits), _) if !RSA_BITS.contains(bits) => return None,
        (KeyKind::Rsa(_), RSA_SHA256) => &RSA_PKCS1_2048_8192_SHA256,
        (KeyKind::Rsa(_), RSA_SHA384) => &RSA_PKCS1_2048_8192_SHA384,
        (KeyKind::Rsa(_), RSA_SHA512) => &RSA_PKCS1_2048_8192_SHA512,
        (KeyKind::P256, ECDSA_SHA256) => &ECDSA_P256_SHA256_ASN1,
        (KeyKind::P256, ECDSA_SHA384) => &ECDSA_P256_SHA384_ASN1,
        (KeyKind::P384, ECDSA_SHA256) => &ECDSA_P384_SHA256_ASN1,
        (KeyKind::P384, ECDSA_SHA384) => &ECDSA_P384_SHA384_ASN1,
        (KeyKind::P521, ECDSA_SHA256) => &ECDSA_P521_SHA256_ASN1,
        (KeyKind::P521, ECDSA_SHA384) => &ECDSA_P521_SHA384_ASN1,
        (KeyKind::P521, ECDSA_SHA512) => &ECDSA_P521_SHA512_ASN1,
        // Other kinds of keys, SHA-1, and pairs that the library does not offer.
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";

    #[test]
    fn pem_is_read_block_by_block() {
        let block = |body: &str| format!("{BEGIN}{body}{END}\n");
        let malformed = |index| Err(PemRefusal::BlockMalformed { index });
        let longest = " ".repeat(Limits::CERTIFICATE_BYTES_MAX * 2);
        let rows: &[(&str, String, Result<Vec<Vec<u8>>, PemRefusal>)] = &[
            ("no block", String::from("remark"), Ok(vec![])),
            ("an empty block", block(""), Ok(vec![vec![]])),
            ("lines of any kind", block("\r\nAA\n E\t=\r\n"), Ok(vec![vec![0, 1]])),
            ("remarks between blocks", format!("a{}b{}c", block("AAE="), block("AAI=")), Ok(vec![vec![0, 1], vec![0, 2]])),
            ("another kind of block", block("AAE=").replace("CERTIFICATE", "PRIVATE KEY"), Ok(vec![])),
            ("as many blocks as are read", block("").repeat(3), Ok(vec![vec![]; 3])),
            ("one more", block("").repeat(4), Err(PemRefusal::TooManyBlocks)),
            ("a block that does not end", format!("{}{BEGIN}AAE=", block("")), malformed(1)),
            ("an end for another block", format!("{BEGIN}AAE={}", END.replace("CERTIFICATE", "KEY")), malformed(0)),
            ("no base64", block("%"), malformed(0)),
            ("bits that are left over", block("AAF="), malformed(0)),
            ("the largest block", block(&longest), Ok(vec![vec![]])),
            ("a larger block", block(&format!("{longest} ")), malformed(0)),
        ];
        for (name, text, expected) in rows {
            assert_eq!(pem_blocks(text, 3), *expected, "{name}");
        }
    }

    #[test]
    fn serial_numbers_are_written_as_in_the_status_list() {
        let rows: &[(&str, &[u8], &str)] = &[
            ("small", &[1], "1"),
            ("with a sign byte", &[0, 0xf1], "f1"),
            ("zero", &[0], "0"),
            ("with zeros inside", &[1, 0, 2], "10002"),
        ];
        for (name, bytes, expected) in rows {
            assert_eq!(serial_text(bytes), *expected, "{name}");
        }
    }

    /// Wycheproof's signatures in the encodings that certificates use. `acceptable` is refused: nothing in a chain of ours
    /// needs a PKCS #1 encoding without its NULL.
    #[test]
    fn published_signatures_verify_and_forged_ones_do_not() {
        let files = [
            ("ecdsa_secp256r1_sha256_test.json", KeyKind::P256, ECDSA_SHA256, "/publicKey/uncompressed"),
            ("rsa_signature_2048_sha256_test.json", KeyKind::Rsa(2048), RSA_SHA256, "/publicKeyAsn"),
        ];
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/jose/wycheproof/");
        let hex = |text: &str| -> Vec<u8> {
            let value = |digit: u8| u8::try_from(char::from(digit).to_digit(16).expect("hexadecimal")).expect("a digit");
            text.as_bytes().chunks_exact(2).map(|pair| value(pair[0]) << 4 | value(pair[1])).collect()
        };
        for (file, kind, algorithm, key) in files {
            let Ok(text) = std::fs::read_to_string(format!("{folder}{file}")) else {
                println!("skipped: shared/ is not beside the checkout");
                return;
            };
            let suite: serde_json::Value = serde_json::from_str(&text).expect("a suite");
            let mut judged = 0;
            for group in suite["testGroups"].as_array().expect("groups") {
                let key = hex(group.pointer(key).and_then(|v| v.as_str()).expect("a key"));
                for case in group["tests"].as_array().expect("cases") {
                    let text = |name: &str| hex(case[name].as_str().expect("a text"));
                    let algorithm = verification(algorithm, &kind).expect("an algorithm of ours");
                    let verified = UnparsedPublicKey::new(algorithm, &key).verify(&text("msg"), &text("sig")).is_ok();
                    assert_eq!(verified, case["result"] == "valid", "{file} {}", case["tcId"]);
                    judged += 1;
                }
            }
            assert_eq!(suite["numberOfTests"], judged, "{file}");
        }
    }
}
