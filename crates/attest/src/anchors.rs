//! Trust anchors: the keys at which chains must end. Data with an origin and an expiry, never code.

use std::{collections::BTreeSet, fmt};

use countersign_core::UnixSeconds;

use crate::x509::{Certificate, Malformed, SubjectKey, pem_blocks};

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
    /// A block that is no base64, does not end, or is one too many.
    Pem {
        /// Its position in the text, from 0.
        index: usize,
    },
    /// Two certificates with the same key.
    Repeated {
        /// Position of the second, from 0.
        index: usize,
    },
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
        let blocks = pem_blocks(pem, Self::COUNT_MAX).map_err(|index| AnchorsRefusal::Pem { index })?;
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
