//! What a refusal asks of the client by `WWW-Authenticate` (RFC 9110 section 11.6.1).

/// Challenge of a refusal. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Challenge {
    /// No challenge: to authenticate otherwise would change nothing.
    Absent,
    /// A stronger or fresher authentication of the person is needed (RFC 9470 section 3).
    InsufficientUserAuthentication,
    /// The proof of possession does not verify (RFC 9449 section 7.1).
    InvalidDpopProof,
    /// The access token opens nothing, or nothing any more (RFC 6750 section 3.1).
    InvalidToken,
    /// The scheme without an error: where no token came there is nothing to find wrong (RFC 6750 section 3.1).
    SchemeOnly,
    /// The next proof needs the nonce that the answer carries (RFC 9449 sections 8 and 9).
    UseDpopNonce,
    /// Fresh evidence about the device is needed (OAuth 2.0 Attestation-Based Client Authentication).
    UseFreshAttestation,
}

impl Challenge {
    /// Value of the challenge's `error` parameter, where it has one.
    #[must_use]
    pub const fn error(self) -> Option<&'static str> {
        match self {
            Self::Absent | Self::SchemeOnly => None,
            Self::InsufficientUserAuthentication => Some("insufficient_user_authentication"),
            Self::InvalidDpopProof => Some("invalid_dpop_proof"),
            Self::InvalidToken => Some("invalid_token"),
            Self::UseDpopNonce => Some("use_dpop_nonce"),
            Self::UseFreshAttestation => Some("use_fresh_attestation"),
        }
    }
}
