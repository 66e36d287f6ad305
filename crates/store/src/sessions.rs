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

/// A state that a session may be given while it goes on. Only [`Sessions::end`] ends one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenState {
    /// May act.
    Active,
    /// Waits for its person to sign in again.
    Challenged,
    /// May look and change nothing.
    Limited,
}

impl OpenState {
    /// The state of a session that goes on; `None` for one that ended.
    #[must_use]
    pub const fn of(state: SessionState) -> Option<Self> {
        match state {
            SessionState::Active => Some(Self::Active),
            SessionState::Challenged => Some(Self::Challenged),
            SessionState::Limited => Some(Self::Limited),
            SessionState::Revoked => None,
        }
    }

    /// The state as a session has it.
    #[must_use]
    pub const fn state(self) -> SessionState {
        match self {
            Self::Active => SessionState::Active,
            Self::Challenged => SessionState::Challenged,
            Self::Limited => SessionState::Limited,
        }
    }
}

/// Whose sessions end. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Everybody's on this device.
    Device(DeviceId),
    /// This person's, on whatever device.
    Person(UserId),
    /// This person's on this device.
    PersonOnDevice(UserId, DeviceId),
    /// This one, even if its time is over.
    Session(SessionId),
}

impl Whose {
    /// Whether `session` is to end: it is theirs, and has not ended by `now`. The rule itself, the same for every backend.
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

/// What an end ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// The sessions that ended by this call, each as it was before. Of two callers who race, one is told of a session.
    pub sessions: Vec<Session>,
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

    /// Changes the state of a session that goes on. Atomic; once this returns, no `live` on this node answers by the old state.
    ///
    /// # Errors
    /// Our fault only.
    async fn set_state(&self, id: &SessionId, state: OpenState) -> Result<StateChange, Unavailable>;

    /// Ends sessions for good, each with its refresh families: both or neither. Once this returns, no `live` and no
    /// [`crate::Grants::find_refresh`] on this node answers otherwise, and no family of theirs comes to life by
    /// [`crate::Grants::redeem`]. However many they are, all end that were open when this was called. Ending what has ended changes
    /// nothing.
    ///
    /// # Errors
    /// Our fault only. Of several sessions some may have ended then; asking again ends the rest.
    async fn end(&self, whose: &Whose, now: UnixSeconds) -> Result<Ended, Unavailable>;

    /// Notes that the person was authenticated again. A `Limited` session is `Active` again, since its person stood for it;
    /// `Challenged` ones stay as they are, since a sign-in opens a new one. Atomic, like a change of state.
    ///
    /// # Errors
    /// Our fault only.
    async fn authenticated(&self, id: &SessionId, at: UnixSeconds) -> Result<(), Unavailable>;
}
