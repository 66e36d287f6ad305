//! What a verified receipt says.

use countersign_core::{Secret, UnixMillis};

/// What occasioned a receipt. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReceiptKind {
    /// An attestation; it came with it, through the phone.
    Attest,
    /// A request to Apple with an earlier receipt; it came from Apple.
    Receipt,
}

/// Which of Apple's servers made a receipt. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReceiptEnvironment {
    /// One that Apple names in a way that we do not know; not production.
    Other,
    /// The one for apps in use.
    Production,
    /// The one for apps in development.
    Sandbox,
}

/// A receipt that verified. Only [`super::verify_receipt`] makes one.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub(super) kind: ReceiptKind,
    pub(super) environment: Option<ReceiptEnvironment>,
    pub(super) risk_metric: Option<u32>,
    pub(super) created_at: UnixMillis,
    pub(super) not_before: Option<UnixMillis>,
    pub(super) expires_at: UnixMillis,
    pub(super) client_hash: Option<Vec<u8>>,
    pub(super) token: Option<Secret<Vec<u8>>>,
    pub(super) fields_unknown: usize,
}

impl Receipt {
    /// What occasioned it.
    #[must_use]
    pub const fn kind(&self) -> ReceiptKind {
        self.kind
    }

    /// Which of Apple's servers made it, when it says so.
    #[must_use]
    pub const fn environment(&self) -> Option<ReceiptEnvironment> {
        self.environment
    }

    /// Apple's approximate number of keys that this device had attested for this app in the last thirty days. A high number
    /// suggests one device that stands in for many. Apple leaves it out of the receipt of an attestation.
    #[must_use]
    pub const fn risk_metric(&self) -> Option<u32> {
        self.risk_metric
    }

    /// When Apple made it.
    #[must_use]
    pub const fn created_at(&self) -> UnixMillis {
        self.created_at
    }

    /// Before when Apple gives no newer one for it. The receipt itself is valid at once.
    #[must_use]
    pub const fn not_before(&self) -> Option<UnixMillis> {
        self.not_before
    }

    /// When it ends, and with it the possibility to get a newer one for it.
    #[must_use]
    pub const fn expires_at(&self) -> UnixMillis {
        self.expires_at
    }

    /// What the app had signed when it asked for the attestation. Of use on a [`ReceiptKind::Attest`] only: in later ones Apple
    /// writes it as if it were text, which garbles it.
    #[must_use]
    pub fn client_hash(&self) -> Option<&[u8]> {
        self.client_hash.as_deref()
    }

    /// What Apple recognises the key by.
    #[must_use]
    pub const fn token(&self) -> Option<&Secret<Vec<u8>>> {
        self.token.as_ref()
    }

    /// How many fields it has that are not read.
    #[must_use]
    pub const fn fields_unknown(&self) -> usize {
        self.fields_unknown
    }
}
