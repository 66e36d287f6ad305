//! A subject on a device through a client, and what it may do at this moment.

use crate::{
    decision::Acr,
    id::{ClientId, DeviceId, Role, SessionId, UserId},
    time::UnixSeconds,
};

/// How the person proved who they are (RFC 8176).
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
    /// The registered value (RFC 8176 section 2).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HardwareKey => "hwk",
            Self::MultiFactor => "mfa",
            Self::SoftwareKey => "swk",
            Self::UserVerified => "user",
        }
    }

    /// Reads a registered value; `None` for one that we do not issue.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::HardwareKey, Self::MultiFactor, Self::SoftwareKey, Self::UserVerified].into_iter().find(|amr| amr.as_str() == text)
    }
}

/// What a session may do. Ordered by severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SessionState {
    /// What its policies allow.
    Active,
    /// Less than its policies allow; policies see it as `context.session.limited`.
    Limited,
    /// Nothing until the person signs in again.
    Challenged,
    /// Nothing, ever again.
    Revoked,
}

impl SessionState {
    /// The word in API, log and policy.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Limited => "limited",
            Self::Challenged => "challenged",
            Self::Revoked => "revoked",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Limited, Self::Challenged, Self::Revoked].into_iter().find(|state| state.as_str() == text)
    }
}

/// A subject on a device through a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its name; the token's `sid`.
    pub id: SessionId,
    /// Who acts.
    pub user: UserId,
    /// The groups of permissions that the user holds.
    pub roles: Vec<Role>,
    /// On which device.
    pub device: DeviceId,
    /// Through which app.
    pub client: ClientId,
    /// What it may do now.
    pub state: SessionState,
    /// How strongly the person was authenticated (RFC 9470).
    pub acr: Acr,
    /// By which methods.
    pub amr: Vec<Amr>,
    /// When the person was last authenticated.
    pub auth_time: UnixSeconds,
    /// When the person first signed in on the device: how new they are to each other.
    pub bound_at: UnixSeconds,
    /// When the session began.
    pub created_at: UnixSeconds,
    /// When it ends whatever happens.
    pub expires_at: UnixSeconds,
}
