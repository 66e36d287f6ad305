//! What is known of a request so far, and the entry that it becomes: a refusal is recorded with all that led to it.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv6Addr},
};

use countersign_audit::{Entry, Event, EventKind, PersonalField, PersonalName};
use countersign_core::{
    Action, Decision, DecisionId, DeviceId, Facts, FieldValue, PairwiseId, Posture, RiskView, Session, SessionId, Signal, SignalKind,
    UnixMillis, UserId,
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
pub(crate) struct Case {
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
    facts: BTreeMap<String, String>,
    watched: Option<Watched>,
}

impl Case {
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
            facts: BTreeMap::new(),
            watched: None,
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

    /// All facts are there. What identifies nobody is noted for `why`, in the words that policies use.
    pub(crate) fn weighs(&mut self, facts: &Facts) {
        self.resource = Some(facts.resource.id.clone());
        let mut note = |name: &str, value: String| {
            self.facts.insert(name.to_owned(), value);
        };
        note("auth.acr", facts.session.acr.as_str().to_owned());
        note("auth.age_s", facts.now.since(facts.session.auth_time).0.to_string());
        note("client", facts.session.client.as_str().to_owned());
        note("resource.kind", facts.resource.kind.clone());
        note("session.state", facts.session.state.as_str().to_owned());
        note_posture(&facts.posture, facts, &mut note);
        note_risk(&facts.risk.view, &mut note);
        for (name, value) in &facts.request.fields {
            // Texts may be names or notes of people; numbers and truth values are what policies compare.
            match value {
                FieldValue::Bool(value) => note(&format!("request.{name}"), value.to_string()),
                FieldValue::Long(value) => note(&format!("request.{name}"), value.to_string()),
                FieldValue::Text(_) => {}
            }
        }
    }

    /// The entry of an open connection that is cut: a decision of its own, and which one had opened it.
    pub(crate) fn cut_entry(&mut self, refusal: &Refusal, opened: &DecisionId) -> Entry {
        self.facts.insert("connection.opened_by".to_owned(), opened.to_string());
        let event = self.event(EventKind::ConnectionCut, refusal.decision());
        Entry { at: self.at, decision: self.id.clone(), event, person: self.user.clone(), personal: self.personal() }
    }

    /// The entry that the log gets, before anything else happens.
    pub(crate) fn entry(&mut self, verdict: &Result<Permit, Refusal>) -> Entry {
        let decision = match verdict {
            Ok(permit) => permit.decision(),
            Err(refusal) => refusal.decision(),
        };
        Entry {
            at: self.at,
            decision: self.id.clone(),
            event: self.event(EventKind::Request, decision),
            person: self.user.clone(),
            personal: self.personal(),
        }
    }

    fn event(&mut self, kind: EventKind, decision: &Decision) -> Event {
        Event {
            kind,
            action: self.action.clone(),
            outcome: decision.outcome,
            reasons: decision.reasons.clone(),
            policies: decision.policies.clone(),
            facts: std::mem::take(&mut self.facts),
            nearest: decision.advice.nearest.clone(),
            unmet: decision.advice.unmet.clone(),
            remedies: decision.advice.remedies.clone(),
        }
    }

    fn personal(&self) -> Vec<PersonalField> {
        // Without a person there is no key of theirs, and so no word about them.
        let of_person = |value: Option<String>| if self.user.is_some() { value } else { None };
        let known = [
            (PersonalName::Address, Some(coarse(self.address))),
            (PersonalName::Device, self.device.as_ref().map(ToString::to_string)),
            (PersonalName::Path, Some(self.path.clone())),
            (PersonalName::Resource, self.resource.clone()),
            (PersonalName::Session, of_person(self.session.as_ref().map(ToString::to_string))),
            (PersonalName::Subject, of_person(self.subject.as_ref().map(ToString::to_string))),
            (PersonalName::User, self.user.as_ref().map(ToString::to_string)),
        ];
        known.into_iter().filter_map(|(name, value)| value.map(|value| PersonalField { name, value })).collect()
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

fn note_posture(posture: &Posture, facts: &Facts, note: &mut impl FnMut(&str, String)) {
    note("device.trust", posture.trust().to_string());
    note("device.vouched_by", posture.by.as_str().to_owned());
    note("device.evidence_age_s", posture.evidence_age(facts.now).0.to_string());
    if let Some(level) = posture.patch_level {
        note("device.patch_level", level.number().to_string());
        note("device.patch_age_days", (level.age(facts.now).0 / 86_400).to_string());
    }
    if let Some(version) = posture.os_version_known() {
        note("device.os_version", format!("{} ({})", version.value, version.by.as_str()));
    }
    if let Some(version) = posture.app_version_known() {
        note("device.app_version", format!("{} ({})", version.value, version.by.as_str()));
    }
    if let Some(verdict) = &posture.verdict {
        note("device.integrity", verdict.integrity.as_str().to_owned());
        note("device.verdict_age_s", facts.now.since(verdict.at).0.to_string());
    }
    if let Some(report) = posture.report.as_ref().filter(|report| !report.findings.is_empty()) {
        note("device.findings", report.findings.iter().map(|finding| finding.as_str()).collect::<Vec<_>>().join(" "));
    }
    if !facts.lacks.is_empty() {
        let lacks = facts.lacks.iter().map(|lack| format!("{}={}", lack.reason, lack.stage.as_str()));
        note("device.lacks", lacks.collect::<Vec<_>>().join(" "));
    }
}

/// Nothing is noted of what looks as usual: it would say where and when people are.
fn note_risk(view: &RiskView, note: &mut impl FnMut(&str, String)) {
    if view.score > 0 {
        note("risk.score", view.score.to_string());
        let reasons = view.reasons.iter().map(|reason| format!("{}={}", reason.name, reason.in_nats()));
        note("risk.reasons", reasons.collect::<Vec<_>>().join(" "));
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
