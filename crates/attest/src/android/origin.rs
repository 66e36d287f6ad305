//! The way in which a key came into its keystore.

/// Keymaster's `KeyOrigin`. Ordered by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Generated in the place where it is kept; never outside of it.
    Generated,
    /// Derived from another key in the place where it is kept.
    Derived,
    /// Made elsewhere and imported.
    Imported,
    /// The implementation does not know.
    Unknown,
    /// Made elsewhere and imported in encrypted form.
    SecurelyImported,
    /// A number that no version defines.
    Other(u64),
}

impl Origin {
    /// The origin with this number.
    #[must_use]
    pub const fn from_number(number: u64) -> Self {
        match number {
            0 => Self::Generated,
            1 => Self::Derived,
            2 => Self::Imported,
            3 => Self::Unknown,
            4 => Self::SecurelyImported,
            other => Self::Other(other),
        }
    }

    /// Number of the origin.
    #[must_use]
    pub const fn number(self) -> u64 {
        match self {
            Self::Generated => 0,
            Self::Derived => 1,
            Self::Imported => 2,
            Self::Unknown => 3,
            Self::SecurelyImported => 4,
            Self::Other(number) => number,
        }
    }

    /// Name of the origin in Google's verifier.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generated => "GENERATED",
            Self::Derived => "DERIVED",
            Self::Imported => "IMPORTED",
            Self::Unknown => "RESERVED",
            Self::SecurelyImported => "SECURELY_IMPORTED",
            Self::Other(_) => "UNRECOGNISED",
        }
    }
}
