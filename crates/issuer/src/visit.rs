//! One request on its way through one endpoint, and what has become known of whoever sent it.

use std::{
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use countersign_core::{
    ClientId, DecisionId, DeviceId, Reason, RiskView, SessionId, Signal, SignalKind, Thumbprint, UnixMillis, UnixSeconds, UserId,
};
use countersign_store::ChangeError;

use crate::{endpoint::Endpoint, house::Issuer};

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

/// One request.
#[derive(Debug)]
pub struct Visit {
    /// To which endpoint.
    pub endpoint: &'static Endpoint,
    /// The number under which support finds it.
    pub number: DecisionId,
    /// When it came.
    pub now: UnixMillis,
    /// Whence it came; the unspecified address when nobody says.
    pub address: IpAddr,
    known: Mutex<Known>,
}

impl Visit {
    /// A request that has just come to an endpoint.
    pub fn new(endpoint: &'static Endpoint, number: DecisionId, now: UnixMillis, address: IpAddr) -> Self {
        Self { endpoint, number, now, address, known: Mutex::default() }
    }

    /// The present second, for rules.
    pub const fn second(&self) -> UnixSeconds {
        self.now.seconds()
    }

    /// What is known by now.
    pub fn known(&self) -> Known {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes what a check has established.
    pub fn learn(&self, note: impl FnOnce(&mut Known)) {
        note(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Reports a change of a device that no honest phone asks for.
    pub fn signal_of_change(&self, issuer: &Issuer, error: &ChangeError) {
        match error {
            ChangeError::Counter(_) => self.signal(issuer, SignalKind::AssertionReused, error.reason()),
            ChangeError::Unavailable(_) | ChangeError::Unknown => {}
        }
    }

    /// Reports `kind` with what is known of the visitor.
    pub fn signal(&self, issuer: &Issuer, kind: SignalKind, reason: Reason) {
        let Known { session, device, user, .. } = self.known();
        issuer.world.signals.emit(Signal { kind, reason, session, device, user, view: RiskView::default(), at: self.now });
    }
}
