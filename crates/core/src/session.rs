//! Sessions: a person on a device through a client, and what the session may do at this moment.

use crate::{
    decision::Acr,
    id::{ClientId, DeviceId, Role, SessionId, UserId},
    time::UnixSeconds,
};

/// Authentication method (RFC 8176).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Amr {
    /// Proof of possession of a hardware-secured key (`hwk`).
    HardwareKey,
    /// More than one factor (`mfa`).
    MultiFactor,
    /// Proof of possession of a software-secured key (`swk`).
    SoftwareKey,
    /// The person was present and verified on the authenticator (`user`).
    UserVerified,
}

impl Amr {
    /// Registered value of the method (RFC 8176 section 2).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HardwareKey => "hwk",
            Self::MultiFactor => "mfa",
            Self::SoftwareKey => "swk",
            Self::UserVerified => "user",
        }
    }

    /// The method with this registered value; `None` for one that is not issued here.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::HardwareKey, Self::MultiFactor, Self::SoftwareKey, Self::UserVerified].into_iter().find(|amr| amr.as_str() == text)
    }
}

/// State of a session. Ordered by severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SessionState {
    /// The session may do what its policies allow.
    Active,
    /// The session may do less than its policies allow; policies see it as `context.session.limited`.
    Limited,
    /// The session may do nothing until the person signs in again.
    Challenged,
    /// The session may do nothing, ever again.
    Revoked,
}

impl SessionState {
    /// Stable word of the state in API, log and policy.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Limited => "limited",
            Self::Challenged => "challenged",
            Self::Revoked => "revoked",
        }
    }

    /// The state with this word; `None` for any other.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Limited, Self::Challenged, Self::Revoked].into_iter().find(|state| state.as_str() == text)
    }
}

/// The session of a person on a device through a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Identifier of the session, the token's `sid`.
    pub id: SessionId,
    /// The person who is signed in.
    pub user: UserId,
    /// Groups of permissions that the person holds.
    pub roles: Vec<Role>,
    /// Device on which the person is signed in.
    pub device: DeviceId,
    /// App through which the person is signed in.
    pub client: ClientId,
    /// State of the session now.
    pub state: SessionState,
    /// Strength of the authentication (RFC 9470).
    pub acr: Acr,
    /// Methods of the authentication.
    pub amr: Vec<Amr>,
    /// Time at which the person was last authenticated.
    pub auth_time: UnixSeconds,
    /// Time at which the person first signed in on the device, which tells how new the two are to each other.
    pub bound_at: UnixSeconds,
    /// Time at which the session began.
    pub created_at: UnixSeconds,
    /// Time at which the session ends, however it is used.
    pub expires_at: UnixSeconds,
}
