//! Receiver of others' events. An event is verified, understood, and acted on before it is acknowledged.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use countersign_codec::sha256;
use countersign_core::{DeviceId, Limits, Reason, RiskView, Secret, SessionId, Signal, SignalKind, UnixMillis, UnixSeconds, UserId};
use countersign_proof::set::{self, ExpectedSet, SetKeys, VerifiedSet};
use countersign_store::{SeenSet, Sessions, SharedSignals, Subjects, Unavailable};

use crate::{
    react::Reactor,
    ssf::{
        bearer,
        event::{Beside, Event, EventRefusal},
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
    kept: Arc<dyn SharedSignals>,
}

/// Digest of the name of a SET: identifiers are unique within one stream only (RFC 8417 section 2.2).
fn name_of(stream: &InStream, id: &str) -> [u8; 32] {
    let part = |text: &str| [&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes()[..], text.as_bytes()].concat();
    sha256(&[&part(&stream.issuer), &part(&stream.audience), id.as_bytes()])
}

/// The stores that a receiver leans on.
pub struct ReceiverStores {
    /// People, to find whom an event is about.
    pub people: Arc<dyn Subjects>,
    /// Sessions, for the same.
    pub sessions: Arc<dyn Sessions>,
    /// Memory of the events that had their effect.
    pub kept: Arc<dyn SharedSignals>,
}

impl Receiver {
    /// A receiver for these streams.
    #[must_use]
    pub fn new(streams: Vec<InStream>, own: String, stores: ReceiverStores, reactor: Arc<Reactor>) -> Self {
        let ReceiverStores { people, sessions, kept } = stores;
        Self { streams, own, people, sessions, reactor, kept }
    }

    /// Handles one pushed SET (RFC 8935).
    pub async fn push(&self, authorization: Option<&str>, body: &str, now: UnixMillis) -> Answer {
        let bearer = authorization.and_then(bearer::token).unwrap_or_default();
        // In constant time, because the token is a secret.
        let same = |stream: &InStream| verify_slices_are_equal(stream.bearer.expose().as_bytes(), bearer.as_bytes()).is_ok();
        let Some(stream) = self.streams.iter().find(|stream| same(stream)) else { return Answer::Unknown };
        let expected = ExpectedSet { issuer: &stream.issuer, audience: &stream.audience };
        let set = match set::read(body.trim(), &stream.keys, &expected, now.seconds()) {
            Ok(set) => set,
            Err(refusal) => return Answer::Refused { err: refusal.err(), description: format!("{refusal:?}") },
        };
        self.once(name_of(stream, &set.id), &set, now).await.unwrap_or(Answer::Unavailable)
    }

    /// Acts on a SET that had no effect before, in this process or an earlier one. Only an accepted SET is remembered, so that one that
    /// failed takes effect when it is sent again.
    async fn once(&self, name: [u8; 32], set: &VerifiedSet, now: UnixMillis) -> Result<Answer, Unavailable> {
        if self.kept.seen(&name).await? == SeenSet::Before {
            return Ok(Answer::Accepted);
        }
        let answer = self.act(set, now).await?;
        if answer == Answer::Accepted {
            self.kept.note_seen(name).await?;
        }
        Ok(answer)
    }

    async fn act(&self, set: &VerifiedSet, now: UnixMillis) -> Result<Answer, Unavailable> {
        let refused = |description: String| Answer::Refused { err: "invalid_request", description };
        let Ok(subject) = SubjectId::parse(&set.subject) else { return Ok(refused("`sub_id` is no subject identifier".to_owned())) };
        let (event, beside) = match Event::parse(&set.event_type, &set.event) {
            Ok(read) => read,
            Err(EventRefusal::Malformed) => return Ok(refused(format!("the event is not what `{}` is", set.event_type))),
            Err(EventRefusal::TypeUnknown) => return Ok(refused(format!("events of the type `{}` are not taken", set.event_type))),
        };
        if let Some(kind) = event.signal()
            && let Some(whose) = self.resolve_subject(&subject).await?
        {
            self.reactor.take_as_of(&whose.signal(kind, now), happened(set, &beside, now)).await?;
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

/// Last second in which what the event is about was there: its own time (CAEP 1.0 section 2), or that of its issue. A time that is ahead of
/// ours (or is given in milliseconds, as older drafts had it) says nothing, and then the issue counts.
fn happened(set: &VerifiedSet, beside: &Beside, now: UnixMillis) -> UnixSeconds {
    let ahead_max = now.seconds().plus(Limits::SET_CLOCK_AHEAD_MAX);
    // The clocks of the two sides differ a little.
    beside.at.filter(|at| *at <= ahead_max).unwrap_or(set.issued_at).plus(Limits::PROOF_SKEW_MAX)
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
