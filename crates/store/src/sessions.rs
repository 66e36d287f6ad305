//! Promise: the state of a session, and so what it may do at this moment, is the same on every node.

use async_trait::async_trait;
use countersign_core::{ClientId, DeviceId, Reason, Session, SessionId, SessionState, UnixSeconds, UserId};

use crate::unavailable::Unavailable;

/// Session that may act: active or limited, and not at its end. Only a backend that keeps [`Sessions::live`] makes one.
#[derive(Debug)]
#[must_use]
pub struct LiveSession(Session);

impl LiveSession {
    /// Applies the rule, which is the same for every backend.
    ///
    /// # Errors
    /// The reason why the session may not act.
    pub(crate) fn of(found: Option<Session>, now: UnixSeconds) -> Result<Self, LiveError> {
        let session = found.ok_or(LiveError::Unknown)?;
        match session.state {
            // The states come before the end, so that a revoked session is reported as revoked also when its time is over.
            SessionState::Revoked => Err(LiveError::Revoked),
            SessionState::Challenged => Err(LiveError::Challenged),
            SessionState::Active | SessionState::Limited if session.expires_at < now => Err(LiveError::Expired),
            SessionState::Active | SessionState::Limited => Ok(Self(session)),
        }
    }

    /// The session, borrowed.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.0
    }

    /// Takes the session out, for the facts of a decision.
    #[must_use]
    pub fn into_session(self) -> Session {
        self.0
    }
}

/// Reason why a session may not act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LiveError {
    /// The session waits for its person to sign in again.
    Challenged,
    /// The session has reached its end.
    Expired,
    /// The session was revoked.
    Revoked,
    /// The backend failed, which is the fault of this node.
    Unavailable(Unavailable),
    /// There is no such session.
    Unknown,
}

impl LiveError {
    /// Stable code of the refusal.
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

/// Filter for sessions; a session must fit everything that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionFilter {
    /// Person whose sessions are listed; `None` for everybody.
    pub user: Option<UserId>,
    /// Device whose sessions are listed; `None` for all devices.
    pub device: Option<DeviceId>,
    /// Instant at which the sessions must not have ended, so that a person who signs in and out many times cannot hide a live session
    /// behind ended ones.
    pub live_at: Option<UnixSeconds>,
}

/// Presence of a person who is signed in on a device through an app. Ordered as written: by device first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Presence {
    /// Device on which the person is signed in.
    pub device: DeviceId,
    /// Person who is signed in.
    pub user: UserId,
    /// App through which the person signed in.
    pub client: ClientId,
}

/// State that a session may be given while it goes on. Only [`Sessions::end`] ends a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenState {
    /// The session may act.
    Active,
    /// The session waits for its person to sign in again.
    Challenged,
    /// The session may read and change nothing.
    Limited,
}

impl OpenState {
    /// State of a session that goes on; `None` for a session that ended.
    #[must_use]
    pub const fn of(state: SessionState) -> Option<Self> {
        match state {
            SessionState::Active => Some(Self::Active),
            SessionState::Challenged => Some(Self::Challenged),
            SessionState::Limited => Some(Self::Limited),
            SessionState::Revoked => None,
        }
    }

    /// The same state in the words of a session.
    #[must_use]
    pub const fn state(self) -> SessionState {
        match self {
            Self::Active => SessionState::Active,
            Self::Challenged => SessionState::Challenged,
            Self::Limited => SessionState::Limited,
        }
    }
}

/// Selection of the sessions that end. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// All sessions on this device.
    Device(DeviceId),
    /// All sessions of this person, on whatever device.
    Person(UserId),
    /// All sessions of this person on this device.
    PersonOnDevice(UserId, DeviceId),
    /// This session, even if its time is over.
    Session(SessionId),
}

impl Whose {
    /// Tells whether `session` is to end: it is selected, and has not ended by `now`. The rule is the same for every backend.
    #[must_use]
    pub fn takes(&self, session: &Session, now: UnixSeconds) -> bool {
        let in_time = session.expires_at >= now;
        let theirs = match self {
            Self::Device(device) => session.device == *device && in_time,
            Self::Person(user) => session.user == *user && in_time,
            Self::PersonOnDevice(user, device) => session.user == *user && session.device == *device && in_time,
            Self::Session(id) => session.id == *id,
        };
        theirs && session.state != SessionState::Revoked
    }
}

/// Sessions that were ended by one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Sessions that ended by this call, each as it was before. Of two callers who race, only one is told of a session.
    pub sessions: Vec<Session>,
}

/// Answer to a change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateChange {
    /// The session has the new state now.
    Changed {
        /// State before the change.
        from: SessionState,
    },
    /// The session was revoked before, which is final.
    Final,
    /// There is no such session.
    Unknown,
}

/// Sessions and their states.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Remembers a new session.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn open(&self, session: Session) -> Result<(), Unavailable>;

    /// Returns the session if it may act at `now`. Every request asks this, so it is served from memory where possible.
    ///
    /// # Errors
    /// The reason why the session may not act, or [`LiveError::Unavailable`] when the backend failed.
    async fn live(&self, id: &SessionId, now: UnixSeconds) -> Result<LiveSession, LiveError>;

    /// Finds a session in whatever state.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn find(&self, id: &SessionId) -> Result<Option<Session>, Unavailable>;

    /// Lists the newest sessions that fit the filter, at most `count_max`.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn list(&self, filter: &SessionFilter, count_max: u32) -> Result<Vec<Session>, Unavailable>;

    /// Lists the people who are signed in on devices, a page at a time: at most `count_max` of those that come after `after`, in order. A
    /// person is signed in while one of their sessions has not ended, be it limited or challenged; several sessions of one person on one
    /// device through one app count once.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn walk(&self, after: Option<&Presence>, count_max: u32, now: UnixSeconds) -> Result<Vec<Presence>, Unavailable>;

    /// Changes the state of a session that goes on. Atomic: once this returns, no `live` on this node answers by the old state.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn set_state(&self, id: &SessionId, state: OpenState) -> Result<StateChange, Unavailable>;

    /// Ends sessions for good, each together with its refresh families: both or neither. Once this returns, no `live` and no
    /// [`crate::Grants::find_refresh`] on this node answers otherwise, and none of their families comes to life by
    /// [`crate::Grants::redeem`]. All sessions end that were open when this was called, however many they are. Ending a session that has
    /// ended changes nothing.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed. Some of several sessions may have ended by then; asking again ends the rest.
    async fn end(&self, whose: &Whose, now: UnixSeconds) -> Result<Ended, Unavailable>;

    /// Puts off the end of a session that is in use, to `until`. The end never comes nearer by this, and a session that was revoked stays
    /// revoked.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn prolong(&self, id: &SessionId, until: UnixSeconds) -> Result<(), Unavailable>;

    /// Notes that the person was authenticated again. A `Limited` session becomes `Active` again, since its person vouched for it; a
    /// `Challenged` one stays as it is, since a sign-in opens a new session. Atomic, like a change of state.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    async fn authenticated(&self, id: &SessionId, at: UnixSeconds) -> Result<(), Unavailable>;
}
