//! Trust anchors: the public keys at which certificate chains must end. An anchor is data with an origin and an expiry date, never code;
//! the shipped files are embedded in the program.

use std::{collections::BTreeSet, fmt};

use countersign_codec::sha256;
use countersign_core::{Limits, UnixSeconds};

use crate::x509::{Certificate, Malformed, PemRefusal, SubjectKey, pem_blocks};

/// Owner of a root certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Vendor {
    /// Apple, for App Attest and its receipts.
    Apple,
    /// Google, for Android Key Attestation.
    Google,
    /// The operator of this installation, for anchors added in the configuration.
    Operator,
}

/// Meaning of a chain that ends at an anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// A chain proves a key in an Android phone's secure hardware.
    AndroidHardware,
    /// A chain proves only that Android's software holds a key. Whoever controls the phone can make such chains, so they say nothing about
    /// the phone.
    AndroidSoftware,
    /// A chain proves a key in an Apple device's Secure Enclave.
    AppAttest,
    /// A chain proves that Apple signed a receipt, as used for its fraud metric.
    AppAttestReceipt,
}

/// Origin and meaning of a set of anchors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// Owner of the anchors.
    pub vendor: Vendor,
    /// Meaning of a chain that ends at one of them.
    pub purpose: Purpose,
}

/// One trust anchor: a certificate with its origin.
#[derive(Clone, Debug)]
pub struct Anchor {
    source: Source,
    certificate: Certificate,
}

impl Anchor {
    /// Origin and meaning of the anchor.
    #[must_use]
    pub const fn source(&self) -> Source {
        self.source
    }

    /// SHA-256 of the anchor's certificate in DER.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        self.certificate.fingerprint()
    }

    /// Expiry of the anchor's certificate, by which the operator needs a new one. Verification ignores it: phones keep the chains that they
    /// got in the factory, and an anchor that is not trusted any more is removed instead.
    #[must_use]
    pub const fn not_after(&self) -> UnixSeconds {
        self.certificate.not_after()
    }

    /// Public key of the anchor, the only part of it that is trusted.
    #[must_use]
    pub const fn key(&self) -> &SubjectKey {
        self.certificate.key()
    }

    /// Certificate of the anchor, by which people recognise it.
    #[must_use]
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }
}

/// Reason why a text is not a set of anchors. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnchorsRefusal {
    /// A certificate does not parse.
    Certificate {
        /// Position of the certificate in the text, from 0.
        index: usize,
        /// Rule that the certificate breaks.
        malformed: Malformed,
    },
    /// The text holds no certificate.
    Empty,
    /// A PEM block is not base64 or has no end.
    Pem {
        /// Position of the block in the text, from 0.
        index: usize,
    },
    /// Two certificates have the same key.
    Repeated {
        /// Position of the second certificate, from 0.
        index: usize,
    },
    /// The text holds more than [`Limits::ANCHORS_MAX`] certificates.
    TooMany,
}

impl fmt::Display for AnchorsRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate { index, .. } => {
                write!(f, "certificate {index} of the trust anchors does not parse; copy it again from its vendor's page")
            }
            Self::Empty => f.write_str("no trust anchor in the file; it holds certificates as PEM blocks"),
            Self::Pem { index } => write!(f, "block {index} of the trust anchors is not PEM; copy it again from its vendor's page"),
            Self::Repeated { index } => write!(f, "trust anchor {index} has the same key as one before it; remove one of them"),
            Self::TooMany => f.write_str("more trust anchors than are read; keep those that you trust"),
        }
    }
}

impl std::error::Error for AnchorsRefusal {}

/// The trust anchors in force. An empty set trusts nobody, so every chain is refused.
#[derive(Clone, Debug, Default)]
pub struct Anchors {
    all: Vec<Anchor>,
}

impl Anchors {
    /// An empty set, which refuses every chain.
    #[must_use]
    pub const fn none() -> Self {
        Self { all: Vec::new() }
    }

    /// Parses the certificates of a PEM text.
    ///
    /// # Errors
    /// The first certificate that does not parse or repeats a key, and a text without any certificate.
    pub fn parse(source: Source, pem: &str) -> Result<Self, AnchorsRefusal> {
        let blocks = pem_blocks(pem, Limits::ANCHORS_MAX).map_err(|why| match why {
            PemRefusal::BlockMalformed { index } => AnchorsRefusal::Pem { index },
            PemRefusal::TooManyBlocks => AnchorsRefusal::TooMany,
        })?;
        let (mut all, mut keys) = (Vec::new(), BTreeSet::new());
        for (index, der) in blocks.iter().enumerate() {
            let certificate = Certificate::parse(der).map_err(|malformed| AnchorsRefusal::Certificate { index, malformed })?;
            // By key, because only the key is trusted: two certificates of one key would be one anchor listed twice.
            if !keys.insert(certificate.key().spki().to_vec()) {
                return Err(AnchorsRefusal::Repeated { index });
            }
            all.push(Anchor { source: Source { purpose: purpose(source.purpose, &certificate), ..source }, certificate });
        }
        if all.is_empty() { Err(AnchorsRefusal::Empty) } else { Ok(Self { all }) }
    }

    /// Google's roots for keys in secure hardware, as shipped: the RSA root and the EC P-384 root of 2025. See
    /// <https://developer.android.com/privacy-and-security/security-key-attestation>.
    ///
    /// # Errors
    /// None in a release, since a test pins the file.
    pub fn google() -> Result<Self, AnchorsRefusal> {
        Self::parse(Source { vendor: Vendor::Google, purpose: Purpose::AndroidHardware }, include_str!("../data/anchors/google.pem"))
    }

    /// Android's published software roots, as shipped. Their private keys are public, so these anchors are for inspection only.
    ///
    /// # Errors
    /// None in a release, since a test pins the file.
    pub fn android_software() -> Result<Self, AnchorsRefusal> {
        Self::parse(
            Source { vendor: Vendor::Google, purpose: Purpose::AndroidSoftware },
            include_str!("../data/anchors/android_software.pem"),
        )
    }

    /// Apple's root for App Attest, as shipped. See <https://www.apple.com/certificateauthority/private/>.
    ///
    /// # Errors
    /// None in a release, since a test pins the file.
    pub fn apple_app_attest() -> Result<Self, AnchorsRefusal> {
        Self::parse(
            Source { vendor: Vendor::Apple, purpose: Purpose::AppAttest },
            include_str!("../data/anchors/apple_app_attest_root.pem"),
        )
    }

    /// Apple's root for App Attest receipts, as shipped. See <https://www.apple.com/certificateauthority/>.
    ///
    /// # Errors
    /// None in a release, since a test pins the file.
    pub fn apple_receipt() -> Result<Self, AnchorsRefusal> {
        Self::parse(
            Source { vendor: Vendor::Apple, purpose: Purpose::AppAttestReceipt },
            include_str!("../data/anchors/apple_receipt_root.pem"),
        )
    }

    /// The union of this set and `others`. When both have an anchor for one key, the one of this set is kept.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        for anchor in others.all {
            // SECURITY: the first one wins, so that an anchor added later cannot give a key another meaning.
            if self.find(anchor.key()).is_none() {
                self.all.push(anchor);
            }
        }
        self
    }

    /// The anchor with this key. Names, dates and serial numbers are not compared.
    #[must_use]
    pub fn find(&self, key: &SubjectKey) -> Option<&Anchor> {
        self.all.iter().find(|anchor| anchor.key().spki() == key.spki())
    }

    /// All anchors, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Anchor> {
        self.all.iter()
    }
}

/// SHA-256 of the keys (`SubjectPublicKeyInfo`) of Android's two software roots. Their private halves stand in Android's source code, so
/// that everybody can make any chain below them.
const PUBLISHED_KEYS: [&str; 2] = [
    "d5100c7942ef2e8310dc30ef82729680cf48d690735c3f68179a33c7c370f286",
    "f2c4746f545946c100e72297f8f946344d7052f03a2f694221f9c893b0e6f711",
];

/// Meaning of a chain below this anchor. SECURITY: a published key proves nothing about a phone, whoever adds it and as whatever.
fn purpose(stated: Purpose, certificate: &Certificate) -> Purpose {
    let key = hex::encode(sha256(&[certificate.key().spki()]));
    if PUBLISHED_KEYS.contains(&key.as_str()) { Purpose::AndroidSoftware } else { stated }
}

#[cfg(test)]
mod tests {
    use super::*;

    const README: &str = include_str!("../data/anchors/README.md");

    fn hex_of(anchor: &Anchor) -> String {
        hex::encode(anchor.fingerprint())
    }

    /// Whoever changes a shipped anchor changes this list, and the table that operators read, in the same commit.
    #[test]
    fn shipped_anchors_are_pinned() {
        let rows: &[(&str, Result<Anchors, AnchorsRefusal>, &[(&str, u64)])] = &[
            (
                "google.pem",
                Anchors::google(),
                &[
                    ("cedb1cb6dc896ae5ec797348bce9286753c2b38ee71ce0fbe34a9a1248800dfc", 2_278_519_668),
                    ("6d9db4ce6c5c0b293166d08986e05774a8776ceb525d9e4329520de12ba4bcc0", 2_068_151_538),
                ],
            ),
            (
                "android_software.pem",
                Anchors::android_software(),
                &[
                    ("51d496ad4664190fbdaf1ad987278efa35d6fbf52e50a9c34ded8395477ede5c", 2_083_193_030),
                    ("4e42730efd521b21d77b109b7532a0b664ddfefc73e129111936200c5e58cce0", 2_082_630_668),
                ],
            ),
            (
                "apple_app_attest_root.pem",
                Anchors::apple_app_attest(),
                &[("1cb9823ba28ba6ad2d33a006941de2ae4f513ef1d4e831b9f7e0fa7b6242c932", 2_373_148_800)],
            ),
            (
                "apple_receipt_root.pem",
                Anchors::apple_receipt(),
                &[("63343abfb89a6a03ebb57e9b3f5fa7be7c4f5c756f3017b3a8c488c3653e9179", 2_187_800_346)],
            ),
        ];
        for (file, anchors, expected) in rows {
            let anchors = anchors.as_ref().expect("shipped anchors parse");
            let found: Vec<_> = anchors.iter().map(|anchor| (hex_of(anchor), anchor.not_after().0)).collect();
            let expected: Vec<_> = expected.iter().map(|(hex, at)| ((*hex).to_owned(), *at)).collect();
            assert_eq!(found, expected, "{file}");
            for anchor in anchors.iter() {
                let day = crate::calendar::written(anchor.not_after());
                let vendor = format!("{:?}", anchor.source().vendor);
                let row = README.lines().find(|line| line.contains(&hex_of(anchor))).expect("a row of the table");
                assert!(
                    row.contains(file) && row.contains(&vendor) && day.starts_with(row.split('|').nth(5).expect("an expiry").trim()),
                    "{row}"
                );
                // A root of theirs signs itself, or the file was garbled.
                assert_eq!(anchor.certificate().verify_signature_of(anchor.key()), self_signed(&hex_of(anchor)), "{file}");
            }
        }
    }

    /// The older of the software roots has a key that is too short to be sound; that is told, and where software is accepted it verifies.
    fn self_signed(hex: &str) -> Result<(), crate::x509::SignatureRefusal> {
        if hex.starts_with("4e42730e") { Err(crate::x509::SignatureRefusal::AlgorithmRefused) } else { Ok(()) }
    }

    #[test]
    fn published_keys_prove_nothing_about_a_phone() {
        let software = include_str!("../data/anchors/android_software.pem");
        let source = |purpose| Source { vendor: Vendor::Operator, purpose };
        for purpose in [Purpose::AndroidHardware, Purpose::AppAttest, Purpose::AppAttestReceipt, Purpose::AndroidSoftware] {
            let anchors = Anchors::parse(source(purpose), software).expect("anchors");
            for anchor in anchors.iter() {
                assert_eq!(anchor.source(), source(Purpose::AndroidSoftware), "added as {purpose:?}");
                let legacy = anchor.certificate().verify_signature_at(crate::x509::KeyStrength::Legacy, anchor.key());
                assert_eq!(legacy, Ok(()), "where software is accepted, it verifies");
            }
            assert_eq!(anchors.iter().count(), PUBLISHED_KEYS.len());
        }
        let google = Anchors::google().expect("anchors");
        assert!(google.iter().all(|anchor| anchor.source().purpose == Purpose::AndroidHardware));
    }

    #[test]
    fn sets_of_anchors_are_read_strictly() {
        let google = include_str!("../data/anchors/google.pem");
        let source = Source { vendor: Vendor::Google, purpose: Purpose::AndroidHardware };
        let rows: &[(&str, String, Result<(), AnchorsRefusal>)] = &[
            ("the shipped ones", google.to_owned(), Ok(())),
            ("nothing", String::new(), Err(AnchorsRefusal::Empty)),
            ("the same twice", google.repeat(2), Err(AnchorsRefusal::Repeated { index: 2 })),
            ("a block that does not end", google.replace("-----END", "-----"), Err(AnchorsRefusal::Pem { index: 0 })),
            (
                "a block with too few bytes",
                google.replacen("MII", "AAA", 1),
                Err(AnchorsRefusal::Certificate { index: 0, malformed: Malformed::NotDer }),
            ),
            ("too many", google.repeat(33), Err(AnchorsRefusal::TooMany)),
        ];
        for (name, pem, expected) in rows {
            assert_eq!(Anchors::parse(source, pem).map(|_| ()), *expected, "{name}");
        }
    }

    #[test]
    fn of_two_sets_the_first_speaks_for_a_key() {
        let google = Anchors::google().expect("anchors");
        let again = google.clone().and(google.clone()).and(Anchors::apple_receipt().expect("anchors"));
        assert_eq!(again.iter().count(), 3);
        assert!(Anchors::none().find(google.iter().next().expect("an anchor").key()).is_none());
    }
}
