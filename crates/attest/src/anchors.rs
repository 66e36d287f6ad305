//! Trust anchors: the keys at which chains must end. Data with an origin and an expiry, never code.

use std::{collections::BTreeSet, fmt};

use countersign_core::UnixSeconds;

use crate::x509::{Certificate, Malformed, PemRefusal, SubjectKey, pem_blocks};

/// Whose root it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Vendor {
    /// Apple.
    Apple,
    /// Google.
    Google,
    /// Whoever runs this installation.
    Operator,
}

/// What a chain that ends at it proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// A key in an Android phone's secure hardware.
    AndroidHardware,
    /// A key that Android's software holds. Whoever controls the phone can make such chains; they prove nothing about it.
    AndroidSoftware,
    /// A key in an Apple device's Secure Enclave.
    AppAttest,
    /// Apple's fraud metrics.
    AppAttestReceipt,
}

/// Where a set of anchors comes from and what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// Whose they are.
    pub vendor: Vendor,
    /// What they prove.
    pub purpose: Purpose,
}

/// One trust anchor.
#[derive(Clone, Debug)]
pub struct Anchor {
    source: Source,
    certificate: Certificate,
}

impl Anchor {
    /// Where it comes from and what it is for.
    #[must_use]
    pub const fn source(&self) -> Source {
        self.source
    }

    /// SHA-256 of its certificate.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        self.certificate.fingerprint()
    }

    /// When its certificate expires: the time by which the operator needs another one. Verification does not look at it,
    /// because what the vendor vouched for in a factory stays vouched for; whom not to trust any more is removed.
    #[must_use]
    pub const fn not_after(&self) -> UnixSeconds {
        self.certificate.not_after()
    }

    /// Its key: the only thing that is trusted.
    #[must_use]
    pub const fn key(&self) -> &SubjectKey {
        self.certificate.key()
    }

    /// Its certificate, for people to recognise it by.
    #[must_use]
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }
}

/// Why a text is not a set of anchors. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnchorsRefusal {
    /// A certificate that does not parse.
    Certificate {
        /// Its position in the text, from 0.
        index: usize,
        /// What is wrong with it.
        malformed: Malformed,
    },
    /// No certificate at all.
    Empty,
    /// A block that is no base64 or does not end.
    Pem {
        /// Its position in the text, from 0.
        index: usize,
    },
    /// Two certificates with the same key.
    Repeated {
        /// Position of the second, from 0.
        index: usize,
    },
    /// More than [`Anchors::COUNT_MAX`].
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

/// The trust anchors in force. Empty trusts nobody.
#[derive(Clone, Debug, Default)]
pub struct Anchors {
    all: Vec<Anchor>,
}

impl Anchors {
    /// Anchors in one text.
    pub const COUNT_MAX: usize = 64;

    /// Trusts nobody.
    #[must_use]
    pub const fn none() -> Self {
        Self { all: Vec::new() }
    }

    /// Reads the certificates of a PEM text.
    ///
    /// # Errors
    /// The first certificate that does not parse or is a second one for its key; no certificate at all.
    pub fn parse(source: Source, pem: &str) -> Result<Self, AnchorsRefusal> {
        let blocks = pem_blocks(pem, Self::COUNT_MAX).map_err(|why| match why {
            PemRefusal::BlockMalformed { index } => AnchorsRefusal::Pem { index },
            PemRefusal::TooManyBlocks => AnchorsRefusal::TooMany,
        })?;
        let (mut all, mut keys) = (Vec::new(), BTreeSet::new());
        for (index, der) in blocks.iter().enumerate() {
            let certificate = Certificate::parse(der).map_err(|malformed| AnchorsRefusal::Certificate { index, malformed })?;
            if !keys.insert(certificate.key().spki().to_vec()) {
                return Err(AnchorsRefusal::Repeated { index });
            }
            all.push(Anchor { source, certificate });
        }
        if all.is_empty() { Err(AnchorsRefusal::Empty) } else { Ok(Self { all }) }
    }

    /// Google's roots for keys in secure hardware, as shipped: the RSA root and the EC P-384 root of 2025. See
    /// <https://developer.android.com/privacy-and-security/security-key-attestation>.
    ///
    /// # Errors
    /// None that a release can have; a test pins the file.
    pub fn google() -> Result<Self, AnchorsRefusal> {
        Self::parse(Source { vendor: Vendor::Google, purpose: Purpose::AndroidHardware }, include_str!("../data/anchors/google.pem"))
    }

    /// Android's published software roots, as shipped. Their private keys are public: for inspection only.
    ///
    /// # Errors
    /// None that a release can have; a test pins the file.
    pub fn android_software() -> Result<Self, AnchorsRefusal> {
        Self::parse(
            Source { vendor: Vendor::Google, purpose: Purpose::AndroidSoftware },
            include_str!("../data/anchors/android_software.pem"),
        )
    }

    /// Apple's root for App Attest, as shipped. See <https://www.apple.com/certificateauthority/private/>.
    ///
    /// # Errors
    /// None that a release can have; a test pins the file.
    pub fn apple_app_attest() -> Result<Self, AnchorsRefusal> {
        Self::parse(
            Source { vendor: Vendor::Apple, purpose: Purpose::AppAttest },
            include_str!("../data/anchors/apple_app_attest_root.pem"),
        )
    }

    /// Apple's root for App Attest receipts, as shipped. See <https://www.apple.com/certificateauthority/>.
    ///
    /// # Errors
    /// None that a release can have; a test pins the file.
    pub fn apple_receipt() -> Result<Self, AnchorsRefusal> {
        Self::parse(
            Source { vendor: Vendor::Apple, purpose: Purpose::AppAttestReceipt },
            include_str!("../data/anchors/apple_receipt_root.pem"),
        )
    }

    /// These and `others` together; of two for the same key the first stays.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        for anchor in others.all {
            if self.find(anchor.key()).is_none() {
                self.all.push(anchor);
            }
        }
        self
    }

    /// The anchor that has this key. Names, dates and serial numbers play no part.
    #[must_use]
    pub fn find(&self, key: &SubjectKey) -> Option<&Anchor> {
        self.all.iter().find(|anchor| anchor.key().spki() == key.spki())
    }

    /// All of them, in the order they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Anchor> {
        self.all.iter()
    }
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

    /// The older of the software roots has a key that is too short for us to verify with, which is as well.
    fn self_signed(hex: &str) -> Result<(), crate::x509::SignatureRefusal> {
        if hex.starts_with("4e42730e") { Err(crate::x509::SignatureRefusal::Invalid) } else { Ok(()) }
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
