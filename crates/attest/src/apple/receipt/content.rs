//! Content of a verified receipt.

use countersign_core::{Secret, UnixMillis};

/// Event for which a receipt was made. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReceiptKind {
    /// An attestation; the receipt arrived with it through the phone.
    Attest,
    /// A request to Apple with an earlier receipt; the receipt arrived from Apple.
    Receipt,
}

/// Environment of Apple's server that made a receipt. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReceiptEnvironment {
    /// A name that this version does not know; never taken for production.
    Other,
    /// The production environment, for apps in use.
    Production,
    /// The sandbox environment, for apps in development.
    Sandbox,
}

/// A receipt that was verified. Only [`super::verify_receipt`] makes one.
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
    /// Event for which the receipt was made.
    #[must_use]
    pub const fn kind(&self) -> ReceiptKind {
        self.kind
    }

    /// Environment of the server that made the receipt, when it is stated.
    #[must_use]
    pub const fn environment(&self) -> Option<ReceiptEnvironment> {
        self.environment
    }

    /// Apple's fraud metric: the approximate number of keys that this device had attested for this app in the last thirty days. A high
    /// number suggests one device that acts for many. Apple leaves it out of the receipt of an attestation.
    #[must_use]
    pub const fn risk_metric(&self) -> Option<u32> {
        self.risk_metric
    }

    /// Time at which Apple made the receipt.
    #[must_use]
    pub const fn created_at(&self) -> UnixMillis {
        self.created_at
    }

    /// Time before which Apple gives no newer receipt for this one. The receipt itself is valid at once.
    #[must_use]
    pub const fn not_before(&self) -> Option<UnixMillis> {
        self.not_before
    }

    /// Time at which the receipt expires; after it, no newer receipt can be requested with it.
    #[must_use]
    pub const fn expires_at(&self) -> UnixMillis {
        self.expires_at
    }

    /// Client data hash that the app passed when it asked for the attestation. It is useful for [`ReceiptKind::Attest`] only: in later
    /// receipts Apple writes it as if it were text, which garbles it.
    #[must_use]
    pub fn client_hash(&self) -> Option<&[u8]> {
        self.client_hash.as_deref()
    }

    /// Token by which Apple recognises the key; a secret.
    #[must_use]
    pub const fn token(&self) -> Option<&Secret<Vec<u8>>> {
        self.token.as_ref()
    }

    /// Number of fields that this version does not read.
    #[must_use]
    pub const fn fields_unknown(&self) -> usize {
        self.fields_unknown
    }
}
