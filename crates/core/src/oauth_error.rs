//! What a refusal is called at OAuth endpoints.

/// An error of RFC 6749 section 5.2, RFC 7009 section 2.2.1 or RFC 9449 sections 5 and 8. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OAuthError {
    /// The client is unknown.
    InvalidClient,
    /// The proof of possession does not verify.
    InvalidDpopProof,
    /// Code or refresh token open nothing, or not on this device.
    InvalidGrant,
    /// The request is not well-formed.
    InvalidRequest,
    /// A scope is asked for; no token here has one.
    InvalidScope,
    /// A fault of ours, or too many requests.
    TemporarilyUnavailable,
    /// The client may not do this.
    UnauthorizedClient,
    /// The grant type is not one of ours.
    UnsupportedGrantType,
    /// A token of this kind is not revoked here.
    UnsupportedTokenType,
    /// The next proof needs the nonce that the answer carries.
    UseDpopNonce,
}

impl OAuthError {
    /// Value of the member `error`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::InvalidClient => "invalid_client",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedTokenType => "unsupported_token_type",
            Self::UseDpopNonce => "use_dpop_nonce",
        }
    }
}
