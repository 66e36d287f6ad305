//! Receiver of others' events. An event is verified, understood, and acted on before it is acknowledged.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use countersign_core::{DeviceId, Limits, Reason, RiskView, Secret, SessionId, Signal, SignalKind, UnixMillis, UserId};
use countersign_proof::set::{self, ExpectedSet, SetKeys, VerifiedSet};
use countersign_store::{Sessions, Subjects, Unavailable};

use crate::{
    react::Reactor,
    ssf::{
        event::{Event, EventRefusal},
        subject::{Simple, SubjectId},
    },
};

/// A stream that another party sends to this server.
pub struct InStream {
    /// Identifier of the transmitter.
    pub issuer: String,
    /// Identifier of this server in the stream (`aud`).
    pub audience: String,
    /// Keys with which the transmitter signs.
    pub keys: SetKeys,
    /// Bearer token that the transmitter sends with each request (SSF 1.0 section 6.1.1: `authorization_header`).
    pub bearer: Secret<String>,
}

/// Answer to a transmitter (RFC 8935 sections 2.2 to 2.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Status 202: the event was accepted and has had its effect.
    Accepted,
    /// Status 400, with an error code and a description.
    Refused {
        /// Error code of RFC 8935 section 2.4.
        err: &'static str,
        /// Description of the fault, in words.
        description: String,
    },
    /// Status 503: the fault is ours, and the transmitter has to send the event again.
    Unavailable,
    /// Status 401: no stream has this token.
    Unknown,
}

/// The receiver of all incoming streams.
pub struct Receiver {
    streams: Vec<InStream>,
    /// Issuer identifier of this server. Subjects with this issuer are our own and are found by their ids.
    own: String,
    people: Arc<dyn Subjects>,
    sessions: Arc<dyn Sessions>,
    reactor: Arc<Reactor>,
    seen: Mutex<Seen>,
}

/// Name of a SET: identifiers are unique within one stream only (RFC 8417 section 2.2).
#[derive(Clone, PartialEq, Eq, Hash)]
struct SetName {
    /// The number of the stream among ours.
    stream: usize,
    id: String,
}

/// Names of SETs that were accepted, oldest first.
#[derive(Default)]
struct Seen {
    names: HashSet<SetName>,
    order: VecDeque<SetName>,
}

impl Seen {
    fn note(&mut self, name: SetName) {
        if self.names.insert(name.clone()) {
            self.order.push_back(name);
        }
        if self.order.len() > Limits::SETS_REMEMBERED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.names.remove(&oldest);
        }
    }
}

impl Receiver {
    /// A receiver for these streams.
    #[must_use]
    pub fn new(
        streams: Vec<InStream>,
        own: String,
        (people, sessions): (Arc<dyn Subjects>, Arc<dyn Sessions>),
        reactor: Arc<Reactor>,
    ) -> Self {
        Self { streams, own, people, sessions, reactor, seen: Mutex::default() }
    }

    /// Handles one pushed SET (RFC 8935).
    pub async fn push(&self, authorization: Option<&str>, body: &str, now: UnixMillis) -> Answer {
        let bearer = authorization.and_then(|text| text.strip_prefix("Bearer ")).unwrap_or_default();
        // In constant time, because the token is a secret.
        let same = |stream: &InStream| verify_slices_are_equal(stream.bearer.expose().as_bytes(), bearer.as_bytes()).is_ok();
        let Some((number, stream)) = self.streams.iter().enumerate().find(|(_, stream)| same(stream)) else { return Answer::Unknown };
        let expected = ExpectedSet { issuer: &stream.issuer, audience: &stream.audience };
        let set = match set::read(body.trim(), &stream.keys, &expected, now.seconds()) {
            Ok(set) => set,
            Err(refusal) => return Answer::Refused { err: refusal.err(), description: format!("{refusal:?}") },
        };
        let name = SetName { stream: number, id: set.id.clone() };
        if self.seen.lock().unwrap_or_else(PoisonError::into_inner).names.contains(&name) {
            return Answer::Accepted;
        }
        match self.act(&set, now).await {
            // Only an accepted SET is remembered, so that one that failed takes effect when it is sent again.
            Ok(answer) => {
                if answer == Answer::Accepted {
                    self.seen.lock().unwrap_or_else(PoisonError::into_inner).note(name);
                }
                answer
            }
            Err(_) => Answer::Unavailable,
        }
    }

    async fn act(&self, set: &VerifiedSet, now: UnixMillis) -> Result<Answer, Unavailable> {
        let refused = |description: String| Answer::Refused { err: "invalid_request", description };
        let Ok(subject) = SubjectId::parse(&set.subject) else { return Ok(refused("`sub_id` is no subject identifier".to_owned())) };
        let event = match Event::parse(&set.event_type, &set.event) {
            Ok((event, _)) => event,
            Err(EventRefusal::Malformed) => return Ok(refused(format!("the event is not what `{}` is", set.event_type))),
            Err(EventRefusal::TypeUnknown) => return Ok(refused(format!("events of the type `{}` are not taken", set.event_type))),
        };
        if let Some(kind) = event.signal()
            && let Some(whose) = self.resolve_subject(&subject).await?
        {
            self.reactor.take(&whose.signal(kind, now)).await?;
        }
        Ok(Answer::Accepted)
    }

    /// The person, device and session with this subject here; `None` is not an error, since transmitters know people that we do not.
    async fn resolve_subject(&self, subject: &SubjectId) -> Result<Option<Whose>, Unavailable> {
        let mut whose = Whose::default();
        match subject {
            SubjectId::Aliases(names) => {
                for name in names {
                    whose.user = whose.user.or(self.person(name).await?);
                }
            }
            SubjectId::Complex { user, device, session, .. } => {
                if let Some(user) = user {
                    whose.user = self.person(user).await?;
                }
                whose.device = device.as_ref().and_then(|device| self.own_name(device)).and_then(|text| DeviceId::parse(text).ok());
                whose.session = self.session(session.as_ref()).await?;
                // The event is about one session or device of somebody whom we do not know. It must not count for everything of theirs
                // here.
                let narrowed = (device.is_some() && whose.device.is_none()) || (session.is_some() && whose.session.is_none());
                if narrowed && whose.user.is_none() {
                    return Ok(None);
                }
            }
            SubjectId::Simple(name) => {
                whose.user = self.person(name).await?;
                if whose.user.is_none() {
                    whose.session = self.session(Some(name)).await?;
                }
            }
        }
        Ok((whose != Whose::default()).then_some(whose))
    }

    async fn person(&self, name: &Simple) -> Result<Option<UserId>, Unavailable> {
        let account = match name {
            Simple::Email(email) => email.as_str(),
            Simple::Account(uri) => uri.strip_prefix("acct:").unwrap_or(uri),
            Simple::IssuerSubject { issuer, subject } if *issuer == self.own => {
                let Ok(id) = UserId::parse(subject) else { return Ok(None) };
                return Ok(self.people.find(&id).await?.map(|user| user.id));
            }
            Simple::Did(_)
            | Simple::IpAddresses(_)
            | Simple::IssuerSubject { .. }
            | Simple::JwtId { .. }
            | Simple::Opaque(_)
            | Simple::Other(_)
            | Simple::PhoneNumber(_)
            | Simple::SamlAssertion { .. }
            | Simple::Uri(_) => return Ok(None),
        };
        Ok(self.people.find_by_name(account).await?.map(|user| user.id))
    }

    async fn session(&self, name: Option<&Simple>) -> Result<Option<SessionId>, Unavailable> {
        let Some(id) = name.and_then(|name| self.own_name(name)).and_then(|text| SessionId::parse(text).ok()) else { return Ok(None) };
        Ok(self.sessions.find(&id).await?.map(|session| session.id))
    }

    /// An identifier that this server gave out: an opaque one, or one with this server as issuer.
    fn own_name<'a>(&self, name: &'a Simple) -> Option<&'a str> {
        match name {
            Simple::Opaque(id) => Some(id),
            Simple::IssuerSubject { issuer, subject } if *issuer == self.own => Some(subject),
            Simple::Account(_)
            | Simple::Did(_)
            | Simple::Email(_)
            | Simple::IpAddresses(_)
            | Simple::IssuerSubject { .. }
            | Simple::JwtId { .. }
            | Simple::Other(_)
            | Simple::PhoneNumber(_)
            | Simple::SamlAssertion { .. }
            | Simple::Uri(_) => None,
        }
    }
}

/// Subject of an event in our own identifiers.
#[derive(Default, PartialEq, Eq)]
struct Whose {
    user: Option<UserId>,
    device: Option<DeviceId>,
    session: Option<SessionId>,
}

impl Whose {
    fn signal(self, kind: SignalKind, at: UnixMillis) -> Signal {
        Signal {
            kind,
            reason: Reason::SessionSuspect,
            session: self.session,
            device: self.device,
            user: self.user,
            view: RiskView::default(),
            at,
        }
    }
}
