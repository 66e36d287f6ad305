//! Context of one request: the endpoint, the time, and what has become known of whoever sent it.

use std::{
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use countersign_core::{
    ClientId, DecisionId, DeviceId, Reason, RiskView, SessionId, Signal, SignalKind, Thumbprint, UnixMillis, UnixSeconds, UserId,
};
use countersign_store::ChangeError;

use crate::{endpoint::Endpoint, world::World};

/// Who is known to act; grows as checks pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The key that proved the request.
    pub key: Option<Thumbprint>,
    /// The device.
    pub device: Option<DeviceId>,
    /// The app.
    pub client: Option<ClientId>,
    /// The person.
    pub user: Option<UserId>,
    /// The session.
    pub session: Option<SessionId>,
}

/// Context of one request.
#[derive(Debug)]
pub struct RequestContext {
    /// Endpoint that it came to.
    pub endpoint: &'static Endpoint,
    /// Number under which support finds it.
    pub number: DecisionId,
    /// Time at which it came.
    pub now: UnixMillis,
    /// Address from which it came; the unspecified one when nobody says.
    pub address: IpAddr,
    known: Mutex<Known>,
    theft: Mutex<Theft>,
    /// Key for which the answer carries a nonce.
    speaker: Mutex<Option<Thumbprint>>,
}

/// Theft that the monitor heard of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Theft {
    /// A theft from a session that was live.
    FromLiveSession(SignalKind),
    /// The monitor heard of nothing.
    #[default]
    None,
    /// Something that no honest client does.
    Noticed(SignalKind),
}

impl RequestContext {
    /// A request that has just come to an endpoint.
    pub fn new(endpoint: &'static Endpoint, number: DecisionId, now: UnixMillis, address: IpAddr) -> Self {
        Self { endpoint, number, now, address, known: Mutex::default(), theft: Mutex::default(), speaker: Mutex::default() }
    }

    /// The present second, for rules.
    pub const fn second(&self) -> UnixSeconds {
        self.now.seconds()
    }

    /// What is known by now.
    pub fn known(&self) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Theft that the monitor heard of, with this request.
    pub(crate) fn theft(&self) -> Theft {
        *self.theft.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a theft from a session that is live, before anything is done about it.
    pub(crate) fn is_theft_from_live_session(&self, kind: SignalKind) {
        *self.theft.lock().unwrap_or_else(PoisonError::into_inner) = Theft::FromLiveSession(kind);
    }

    /// Notes what a check has established.
    pub(crate) fn learn(&self, note: impl FnOnce(&mut Known)) {
        note(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Notes the key whose next proof or delegation the answer's nonce is for (RFC 9449 section 8.2).
    pub(crate) fn speaks_for(&self, key: Thumbprint) {
        *self.speaker.lock().unwrap_or_else(PoisonError::into_inner) = Some(key);
    }

    /// Key whose next proof the answer's nonce is for; `None` as long as the request has named none.
    pub(crate) fn speaker(&self) -> Option<Thumbprint> {
        *self.speaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports a change of a device that no honest phone asks for.
    pub(crate) fn signal_of_change(&self, world: &World, error: &ChangeError) {
        match error {
            ChangeError::Counter(_) => self.signal(world, SignalKind::AssertionReused, error.reason()),
            ChangeError::Unavailable(_) | ChangeError::Unknown => {}
        }
    }

    /// Reports `kind` with what is known of the visitor.
    pub fn signal(&self, world: &World, kind: SignalKind, reason: Reason) {
        let Known { session, device, user, .. } = self.known();
        {
            let mut theft = self.theft.lock().unwrap_or_else(PoisonError::into_inner);
            if *theft == Theft::None {
                *theft = Theft::Noticed(kind);
            }
        }
        world.signals.emit(Signal { kind, reason, session, device, user, view: RiskView::default(), at: self.now });
    }
}
