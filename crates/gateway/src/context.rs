//! What is known of a request so far, and the entry that it becomes: a refusal is recorded with all that led to it.

use std::net::{IpAddr, Ipv6Addr};

use countersign_audit::{ConnectionCut, DeviceName, Entry, Event, Identity, Recorded, RecordedFacts, RequestJudged, RulesDigest};
use countersign_core::{
    Action, Decision, DecisionId, DeviceId, Facts, Limits, PairwiseId, RiskView, Session, SessionId, Signal, SignalKind, Site, UnixMillis,
    UserId,
};
use countersign_proof::access_token::VerifiedToken;

use crate::{permit::Permit, refusal::Refusal};

/// As much of a path is recorded; no operation has a longer one, so only refused requests lose anything.
const PATH_CHARS_RECORDED: usize = 512;

/// Whose request the watcher has heard of.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    pub(crate) user: UserId,
    pub(crate) session: SessionId,
}

/// One request under judgement. The way writes into it as it learns.
pub(crate) struct RequestContext {
    id: DecisionId,
    at: UnixMillis,
    address: IpAddr,
    path: String,
    action: Option<Action>,
    resource: Option<String>,
    subject: Option<PairwiseId>,
    session: Option<SessionId>,
    user: Option<UserId>,
    device: Option<DeviceId>,
    decided: Option<Decided>,
    watched: Option<Watched>,
    standing: Standing,
}

/// Standing of the caller, by what was proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// A live session, at some moment of this request.
    InSession,
    /// The caller has proved no live session.
    Stranger,
}

/// What the decision function was asked and answered. What ends a request afterwards, a rate or a panic, does not undo it.
struct Decided {
    rules: RulesDigest,
    facts: RecordedFacts,
    decision: Decision,
}

impl RequestContext {
    /// Opens a case under a new number.
    pub(crate) fn open(id: DecisionId, path: &str, address: IpAddr, at: UnixMillis) -> Self {
        Self {
            id,
            at,
            address,
            path: path.chars().take(PATH_CHARS_RECORDED).collect(),
            action: None,
            resource: None,
            subject: None,
            session: None,
            user: None,
            device: None,
            decided: None,
            watched: None,
            standing: Standing::Stranger,
        }
    }

    /// Its number.
    pub(crate) const fn id(&self) -> &DecisionId {
        &self.id
    }

    /// When it was opened.
    pub(crate) const fn at(&self) -> UnixMillis {
        self.at
    }

    /// Whence it came.
    pub(crate) const fn address(&self) -> IpAddr {
        self.address
    }

    /// The watcher has heard of it.
    pub(crate) fn is_watched(&mut self, watched: Watched) {
        self.watched = Some(watched);
    }

    /// Of whose request the watcher has heard, if it has.
    pub(crate) const fn watched(&self) -> Option<&Watched> {
        self.watched.as_ref()
    }

    /// What is to be done, once that is known.
    pub(crate) const fn action(&self) -> Option<&Action> {
        self.action.as_ref()
    }

    /// The operation was found.
    pub(crate) fn is_about(&mut self, action: &Action) {
        self.action = Some(action.clone());
    }

    /// The token is ours.
    pub(crate) fn names(&mut self, token: &VerifiedToken) {
        self.subject = Some(token.subject().clone());
        self.session = Some(token.session().clone());
    }

    /// The caller proved a live session to be theirs.
    pub(crate) fn is_in_session(&mut self) {
        self.standing = Standing::InSession;
    }

    /// Site of a caller who proved no live session.
    pub(crate) fn stranger(&self) -> Option<Site> {
        match self.standing {
            Standing::InSession => None,
            Standing::Stranger => Some(Site::of(self.address)),
        }
    }

    /// The session that the token names.
    pub(crate) const fn session(&self) -> Option<&SessionId> {
        self.session.as_ref()
    }

    /// The session is alive.
    pub(crate) fn belongs_to(&mut self, session: &Session) {
        self.user = Some(session.user.clone());
        self.device = Some(session.device.clone());
    }

    /// An open connection's, where its session could not be asked.
    pub(crate) fn is_of(&mut self, user: &UserId, device: &DeviceId) {
        self.user.get_or_insert_with(|| user.clone());
        self.device.get_or_insert_with(|| device.clone());
    }

    /// The session that the token names, while nobody has said whose it is.
    pub(crate) fn of_nobody_yet(&self) -> Option<SessionId> {
        if self.user.is_none() { self.session.clone() } else { None }
    }

    /// The decision is made: by which rules, of what, and how.
    pub(crate) fn is_decided(&mut self, rules: RulesDigest, facts: &Facts, decision: &Decision) {
        self.resource = Some(facts.resource.id.clone());
        self.decided = Some(Decided { rules, facts: RecordedFacts::of(facts, self.at), decision: decision.clone() });
    }

    /// The entry of an open connection that is cut: a decision of its own, and which one had opened it.
    pub(crate) fn cut_entry(&mut self, refusal: &Refusal, opened: &DecisionId) -> Entry {
        let opened_by = opened.clone();
        self.entry_of(refusal.decision(), |judged| Recorded::ConnectionCut(ConnectionCut { opened_by, judged }))
    }

    /// The entry that the log gets, before anything else happens.
    pub(crate) fn entry(&mut self, verdict: &Result<Permit, Refusal>) -> Entry {
        let decision = match verdict {
            Ok(permit) => permit.decision(),
            Err(refusal) => refusal.decision(),
        };
        self.entry_of(decision, Recorded::Request)
    }

    fn entry_of(&mut self, end: &Decision, of: impl FnOnce(Box<RequestJudged>) -> Recorded) -> Entry {
        let mut identity = self.identity();
        let mut judged = RequestJudged { action: self.action.clone(), grounds: end.into(), ..RequestJudged::default() };
        if let Some(Decided { rules, facts, decision }) = self.decided.take() {
            judged.rules = Some(rules);
            judged.facts = Some(facts.open);
            judged.decided = (decision != *end).then(|| (&decision).into());
            identity.facts = Some(facts.sealed);
        }
        Entry {
            at: self.at,
            decision: self.id.clone(),
            event: Event { outcome: end.outcome, reasons: end.reasons.clone(), of: of(Box::new(judged)) },
            person: self.user.clone(),
            identity,
        }
    }

    fn identity(&self) -> Identity {
        // Without a person there is no key of theirs, and so no word about them.
        let known = self.user.is_some();
        Identity {
            address: Some(coarse(self.address)),
            device: self.device.clone().map(DeviceName::Enrolled),
            path: Some(self.recorded_path()),
            resource: self.resource.clone(),
            session: self.session.clone().filter(|_| known),
            subject: self.subject.clone().filter(|_| known),
            user: self.user.clone(),
            facts: None,
        }
    }

    /// Strangers choose their paths, and have less room for them.
    fn recorded_path(&self) -> String {
        match self.standing {
            Standing::InSession => self.path.clone(),
            Standing::Stranger => self.path.chars().take(Limits::STRANGER_PATH_CHARACTERS_MAX).collect(),
        }
    }

    /// What the monitor hears of it.
    pub(crate) fn signal(&self, kind: SignalKind, refusal: &Refusal) -> Signal {
        Signal {
            kind,
            reason: refusal.reason().clone(),
            session: self.session.clone(),
            device: self.device.clone(),
            user: self.user.clone(),
            view: RiskView::default(),
            at: self.at,
        }
    }
}

/// Addresses are kept as networks: /24 of IPv4, /48 of IPv6.
fn coarse(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(ip) => {
            let [a, b, c, ..] = ip.segments();
            format!("{}/48", Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_kept_as_networks() {
        let rows = [
            ("192.0.2.77", "192.0.2.0/24"),
            ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
            ("::1", "::/48"),
            ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ];
        for (address, expected) in rows {
            assert_eq!(coarse(address.parse().expect("an address")), expected);
        }
    }
}
