//! The fields of a receipt that this version reads, by Apple's numbers.

/// A field of a receipt. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReceiptField {
    /// Field 2: the app, as `TEAM.bundle`.
    AppId,
    /// Field 3: the attested key, as the certificate that Apple issued for it.
    AttestedKey,
    /// Field 4: the client data hash that the app passed when it asked for the attestation.
    ClientHash,
    /// Field 12: the time at which Apple made the receipt.
    CreatedAt,
    /// Field 7: the environment of the server. Apple's page does not list it; every known receipt has it.
    ReceiptEnvironment,
    /// Field 21: the time at which the receipt expires.
    ExpiresAt,
    /// Field 6: the event for which the receipt was made.
    Kind,
    /// Field 19: the time before which Apple gives no newer receipt.
    NotBefore,
    /// Field 17: the number of keys of this app that the device had attested in the last thirty days.
    RiskMetric,
    /// Field 5: the token by which Apple recognises the key.
    Token,
}

impl ReceiptField {
    /// The field with this number; `None` when it is not read.
    pub(super) const fn of(number: u32) -> Option<Self> {
        Some(match number {
            2 => Self::AppId,
            3 => Self::AttestedKey,
            4 => Self::ClientHash,
            5 => Self::Token,
            6 => Self::Kind,
            7 => Self::ReceiptEnvironment,
            12 => Self::CreatedAt,
            17 => Self::RiskMetric,
            19 => Self::NotBefore,
            21 => Self::ExpiresAt,
            _ => return None,
        })
    }

    /// Name of the field in messages for operators.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::AppId => "app",
            Self::AttestedKey => "attested key",
            Self::ClientHash => "client hash",
            Self::CreatedAt => "creation time",
            Self::ReceiptEnvironment => "environment",
            Self::ExpiresAt => "expiration time",
            Self::Kind => "type",
            Self::NotBefore => "earliest renewal",
            Self::RiskMetric => "risk metric",
            Self::Token => "token",
        }
    }
}
