//! The fields of a receipt that are read, by Apple's numbers.

/// A field of a receipt. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReceiptField {
    /// 2: the app, as `TEAM.bundle`.
    AppId,
    /// 3: the attested key, as the certificate that Apple issued for it.
    AttestedKey,
    /// 4: what the app had signed when it asked for the attestation.
    ClientHash,
    /// 12: when Apple made the receipt.
    CreatedAt,
    /// 7: which of Apple's two servers made it. Apple's page does not list it; every receipt has it.
    ReceiptEnvironment,
    /// 21: when it ends.
    ExpiresAt,
    /// 6: what occasioned it.
    Kind,
    /// 19: before when Apple gives no newer one.
    NotBefore,
    /// 17: how many keys of this app the device had attested in the last thirty days.
    RiskMetric,
    /// 5: what Apple recognises the key by.
    Token,
}

impl ReceiptField {
    /// The field of a number; `None` when it is not read.
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

    /// For operators.
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
