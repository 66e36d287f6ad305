//! Promise: what a session may do at this moment, the same on every node.

use async_trait::async_trait;
use countersign_core::{ClientId, DeviceId, Reason, Session, SessionId, SessionState, UnixSeconds, UserId};

use crate::unavailable::Unavailable;

/// A session that may act: active or limited, and not at its end. Only a backend that keeps [`Sessions::live`] makes one.
#[derive(Debug)]
#[must_use]
pub struct LiveSession(Session);

impl LiveSession {
    /// The rule itself, the same for every backend.
    ///
    /// # Errors
    /// When the session does not exist, has ended, was revoked, or waits for its person.
    pub(crate) fn of(found: Option<Session>, now: UnixSeconds) -> Result<Self, LiveError> {
        let session = found.ok_or(LiveError::Unknown)?;
        match session.state {
            SessionState::Revoked => Err(LiveError::Revoked),
            SessionState::Challenged => Err(LiveError::Challenged),
            SessionState::Active | SessionState::Limited if session.expires_at < now => Err(LiveError::Expired),
            SessionState::Active | SessionState::Limited => Ok(Self(session)),
        }
    }

    /// The session.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.0
    }

    /// The session itself, for the facts.
    #[must_use]
    pub fn into_session(self) -> Session {
        self.0
    }
}

/// Why a session may not act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LiveError {
    /// It waits for its person to sign in again.
    Challenged,
    /// It has reached its end.
    Expired,
    /// It was revoked.
    Revoked,
    /// Our fault.
    Unavailable(Unavailable),
    /// There is no such session.
    Unknown,
}

impl LiveError {
    /// The stable code.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Challenged => Reason::SessionChallenged,
            Self::Expired => Reason::SessionExpired,
            Self::Revoked => Reason::SessionRevoked,
            Self::Unavailable(_) => Reason::StoreUnavailable,
            Self::Unknown => Reason::SessionUnknown,
        }
    }
}

/// Which sessions to list; everything given must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// Only this person's.
    pub user: Option<UserId>,
    /// Only on this device.
    pub device: Option<DeviceId>,
    /// Only those that have not ended at this instant: whoever signs in and out many times hides no live one behind them.
    pub live_at: Option<UnixSeconds>,
}

/// Somebody who is signed in on a device through an app. Ordered as written: by device first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Presence {
    /// The device.
    pub device: DeviceId,
    /// Who.
    pub user: UserId,
    /// Through what.
    pub client: ClientId,
}

/// What a change of state did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateChange {
    /// The session has the new state now, and had this one before.
    Changed {
        /// The state before.
        from: SessionState,
    },
    /// The session was revoked before, which is final.
    Final,
    /// There is no such session.
    Unknown,
}

/// Sessions and their state.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Remembers a new session.
    ///
    /// # Errors
    /// Our fault only.
    async fn open(&self, session: Session) -> Result<(), Unavailable>;

    /// The session, if it may act now. On the way of every request: served from memory where it can be.
    ///
    /// # Errors
    /// When it may not act, or by our fault.
    async fn live(&self, id: &SessionId, now: UnixSeconds) -> Result<LiveSession, LiveError>;

    /// The session in whatever state.
    ///
    /// # Errors
    /// Our fault only.
    async fn find(&self, id: &SessionId) -> Result<Option<Session>, Unavailable>;

    /// The newest sessions that fit, at most `count_max`.
    ///
    /// # Errors
    /// Our fault only.
    async fn list(&self, filter: &SessionFilter, count_max: u32) -> Result<Vec<Session>, Unavailable>;

    /// Who is signed in on which devices, a page at a time: at most `count_max` of those that come after this one, in order. Somebody
    /// is signed in while a session of theirs has not ended, be it limited or challenged; several of one kind count once.
    ///
    /// # Errors
    /// Our fault only.
    async fn walk(&self, after: Option<&Presence>, count_max: u32, now: UnixSeconds) -> Result<Vec<Presence>, Unavailable>;

    /// Changes the state. Atomic; once this returns, no `live` on this node answers by the old state. `Revoked` is final.
    ///
    /// # Errors
    /// Our fault only.
    async fn set_state(&self, id: &SessionId, state: SessionState) -> Result<StateChange, Unavailable>;

    /// Notes that the person was authenticated again. A `Limited` session is `Active` again, since its person stood for it;
    /// `Challenged` ones stay as they are, since a sign-in opens a new one. Atomic, like a change of state.
    ///
    /// # Errors
    /// Our fault only.
    async fn authenticated(&self, id: &SessionId, at: UnixSeconds) -> Result<(), Unavailable>;
}
