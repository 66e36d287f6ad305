//! What happened: a struct for each kind of event, with nothing in it that identifies somebody.
//!
//! These structs are the log's own types and their names and members are its format: members are added, never renamed, and
//! what is absent is left out.

use countersign_core::{
    Acr, Action, Advice, ClientId, Decision, DecisionId, DevTokenId, IncidentId, Obligation, Outcome, Platform, PolicyName, Reason, Remedy,
    Role, Seconds, SessionState, SignalKind, UnixMillis, UnixSeconds,
};
use serde::{Deserialize, Serialize};

use crate::{
    choices::{AccountState, Activated, Actor, CutOff, EventKind, Evidence, FromNetworks, Judged, Purpose},
    earlier::Earlier,
    posture_seen::{LackSeen, PostureSeen},
    recorded_facts::OpenFacts,
    rules_digest::RulesDigest,
    spelling::{Word, number, number_if, word, word_if, words},
};

/// What happened, how it ended and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// How it ended.
    pub outcome: Outcome,
    /// Why: exact reasons.
    pub reasons: Vec<Reason>,
    /// What happened.
    pub of: Recorded,
}

/// What happened, a struct for each kind. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recorded {
    /// See [`EventKind::ConfigActivated`].
    ConfigActivated(ConfigActivated),
    /// See [`EventKind::ConnectionCut`].
    ConnectionCut(ConnectionCut),
    /// See [`EventKind::DevTokenCreated`].
    DevTokenCreated(DevTokenCreated),
    /// See [`EventKind::DevTokenRevoked`].
    DevTokenRevoked(DevTokenRevoked),
    /// See [`EventKind::DeviceAttested`].
    DeviceAttested(DeviceAttested),
    /// See [`EventKind::DeviceEnrolled`].
    DeviceEnrolled(DeviceEnrolled),
    /// See [`EventKind::DeviceRenamed`].
    DeviceRenamed(AtEndpoint),
    /// See [`EventKind::DeviceReported`].
    DeviceReported(DeviceReported),
    /// See [`EventKind::DeviceRevoked`].
    DeviceRevoked(DeviceRevoked),
    /// An entry of format 1, whose facts are words.
    #[serde(skip)]
    Earlier(Earlier),
    /// See [`EventKind::IncidentJudged`].
    IncidentJudged(IncidentJudged),
    /// Entry of [`EventKind::LogInterrupted`], the first after it.
    LogInterrupted(LogInterrupted),
    /// See [`EventKind::PersonErased`].
    PersonErased(PersonErased),
    /// See [`EventKind::PasskeyRegistered`].
    PasskeyRegistered(AtEndpoint),
    /// Entry of [`EventKind::RefusalsCounted`], a part of a summary.
    RefusalsCounted(RefusalsCounted),
    /// See [`EventKind::Request`].
    Request(Box<RequestJudged>),
    /// See [`EventKind::SessionChanged`].
    SessionChanged(SessionChanged),
    /// See [`EventKind::SignedIn`].
    SignedIn(SignedIn),
    /// See [`EventKind::TokensIssued`].
    TokensIssued(AtEndpoint),
    /// See [`EventKind::TokensRevoked`].
    TokensRevoked(AtEndpoint),
    /// See [`EventKind::UserChanged`].
    UserChanged(UserChanged),
    /// See [`EventKind::UserInvited`].
    UserInvited(UserInvited),
}

/// Something was taken into use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigActivated {
    /// Actor that saw to it.
    #[serde(with = "word")]
    pub by: Actor,
    /// What it is.
    pub what: Activated,
    /// SHA-256 of the files, in hexadecimal, where there are some.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sha256: Option<String>,
    /// The operations and policies that decide from here on, where these were taken into use.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rules: Option<RulesDigest>,
    /// Database beside the log, where a note tells of it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub database: Option<DatabaseSeen>,
    /// Words that an operator accepted, where something was restored: the words of `countersign restore --accept`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub accepted: Vec<String>,
}

/// The database beside the log, at the moment of a note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSeen {
    /// Name that the database was given when it was made.
    pub id: String,
    /// The number of its last note, which was on the disk before this entry was written.
    pub number: u64,
}

impl DatabaseSeen {
    /// Text that stands in every entry that tells of a database, and by which a reader finds these quickly.
    pub const MARK: &'static str = "\"database\":{\"id\":";
}

/// An open connection was judged again and cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionCut {
    /// The decision that had opened it.
    #[serde(with = "word")]
    pub opened_by: DecisionId,
    /// How it was judged now.
    pub judged: Box<RequestJudged>,
}

/// A development token was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DevTokenCreated {
    /// Actor that made it.
    #[serde(with = "word")]
    pub by: Actor,
    /// Its name.
    #[serde(with = "word")]
    pub dev_token: DevTokenId,
    /// The app that it is for.
    #[serde(with = "word")]
    pub client: ClientId,
    /// The platform that it is for; `None` for both.
    #[serde(with = "word_if", skip_serializing_if = "Option::is_none", default)]
    pub platform: Option<Platform>,
    /// From where it may be used.
    pub networks: FromNetworks,
    /// When it ends.
    #[serde(with = "number")]
    pub expires_at: UnixSeconds,
    /// Phones that it may enrol.
    pub phones_max: u32,
}

/// A development token was revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DevTokenRevoked {
    /// Actor that revoked it.
    #[serde(with = "word")]
    pub by: Actor,
    /// Its name.
    #[serde(with = "word")]
    pub dev_token: DevTokenId,
    /// The app that it was for.
    #[serde(with = "word")]
    pub client: ClientId,
}

/// An answer of the issuer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AtEndpoint {
    /// The endpoint's path.
    pub endpoint: String,
    /// The app that asked, where that is known.
    #[serde(with = "word_if", skip_serializing_if = "Option::is_none", default)]
    pub client: Option<ClientId>,
    /// What was refused, more exactly than its reason says.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cause: Option<String>,
}

/// A device proved itself again, or was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceAttested {
    /// Where.
    pub at: AtEndpoint,
    /// By what; `None` for a refusal.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub evidence: Option<Evidence>,
}

/// A device was enrolled, or refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceEnrolled {
    /// Where.
    pub at: AtEndpoint,
    /// What became known of it; `None` for a refusal.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device: Option<DeviceSeen>,
    /// The development token that vouches for it, if one does.
    #[serde(with = "word_if", skip_serializing_if = "Option::is_none", default)]
    pub dev_token: Option<DevTokenId>,
}

/// An app said what it found on its phone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceReported {
    /// Where.
    pub at: AtEndpoint,
    /// What is known of the device now; `None` for a refusal.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device: Option<DeviceSeen>,
}

/// What is known of a device, and what it lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceSeen {
    /// Its posture.
    pub posture: PostureSeen,
    /// What it lacks of what is required.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub lacks: Vec<LackSeen>,
}

/// A device was cut off, or that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceRevoked {
    /// Where its person asked for it; `None` when somebody else did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub at: Option<AtEndpoint>,
    /// Actor that asked, where it is not the person of the session.
    #[serde(with = "word_if", skip_serializing_if = "Option::is_none", default)]
    pub by: Option<Actor>,
    /// How; `None` for a refusal.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub how: Option<CutOff>,
}

/// An operator said what an incident was, or that such incidents are not to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentJudged {
    /// Actor that judged the incident.
    #[serde(with = "word")]
    pub by: Actor,
    /// The incident, or the kind of incident.
    pub about: About,
    /// What was said.
    pub judged: Judged,
}

/// What an operator spoke of. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// One incident.
    Incident(#[serde(with = "word")] IncidentId),
    /// All incidents of one kind.
    Kind(#[serde(with = "word")] SignalKind),
}

/// The log could not be written for a while; this entry is the first after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogInterrupted {
    /// Instant since which that was so.
    #[serde(with = "number")]
    pub since: UnixMillis,
    /// Why, in the system's words.
    pub cause: String,
}

/// A person was erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonErased {
    /// Actor that saw to it.
    #[serde(with = "word")]
    pub by: Actor,
}

/// Refusals of callers without a live session that were counted instead of recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusalsCounted {
    /// Instant since which that was so.
    #[serde(with = "number")]
    pub since: UnixMillis,
    /// Number of sites (/24, /56) that they came from: 1 where the entry's sealed address names it; else at least so many.
    pub sites: u32,
    /// Refusals by reason, the most frequent first.
    pub counts: Vec<ReasonCount>,
    /// Number of refusals for all other reasons together.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub others: u64,
}

/// Number of refusals for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReasonCount {
    /// Reason of all of them.
    #[serde(with = "word")]
    pub reason: Reason,
    /// Number of the refusals.
    pub count: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A request was judged: allowed, or refused wherever on its way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestJudged {
    /// The operation's action, where one was found.
    #[serde(with = "word_if", skip_serializing_if = "Option::is_none", default)]
    pub action: Option<Action>,
    /// What the answer rests on.
    #[serde(skip_serializing_if = "Grounds::are_none", default)]
    pub grounds: Grounds,
    /// The operations and policies that decided; `None` when the request was refused before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rules: Option<RulesDigest>,
    /// What the decision looked at and identifies nobody; `None` when the request was refused before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub facts: Option<OpenFacts>,
    /// What was decided, where something else ended the request afterwards.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub decided: Option<Decided>,
}

/// What an answer rests on: the policies, what they oblige to or ask for, and what would have turned it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grounds {
    /// The policies that determined it.
    #[serde(with = "words", skip_serializing_if = "Vec::is_empty", default)]
    pub policies: Vec<PolicyName>,
    /// What has to be done when forwarding.
    #[serde(with = "words", skip_serializing_if = "Vec::is_empty", default)]
    pub obligations: Vec<Obligation>,
    /// What a step-up must reach.
    #[serde(with = "word_if", skip_serializing_if = "Option::is_none", default)]
    pub acr: Option<Acr>,
    /// How fresh a step-up must be.
    #[serde(with = "number_if", skip_serializing_if = "Option::is_none", default)]
    pub max_age: Option<Seconds>,
    /// The `permit` that came nearest, on a default deny.
    #[serde(with = "word_if", skip_serializing_if = "Option::is_none", default)]
    pub nearest: Option<PolicyName>,
    /// Its conditions that did not hold.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub unmet: Vec<String>,
    /// What would have turned the answer.
    #[serde(with = "words", skip_serializing_if = "Vec::is_empty", default)]
    pub remedies: Vec<Remedy>,
}

impl Grounds {
    fn are_none(&self) -> bool {
        *self == Self::default()
    }
}

impl From<&Decision> for Grounds {
    fn from(decision: &Decision) -> Self {
        Self {
            policies: decision.policies.clone(),
            obligations: decision.obligations.clone(),
            acr: decision.acr,
            max_age: decision.max_age,
            nearest: decision.advice.nearest.clone(),
            unmet: decision.advice.unmet.clone(),
            remedies: decision.advice.remedies.clone(),
        }
    }
}

/// What the decision function answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decided {
    /// Its outcome.
    #[serde(with = "word")]
    pub outcome: Outcome,
    /// Its reasons.
    #[serde(with = "words", skip_serializing_if = "Vec::is_empty", default)]
    pub reasons: Vec<Reason>,
    /// What it rests on.
    #[serde(skip_serializing_if = "Grounds::are_none", default)]
    pub grounds: Grounds,
}

impl From<&Decision> for Decided {
    fn from(decision: &Decision) -> Self {
        Self { outcome: decision.outcome, reasons: decision.reasons.clone(), grounds: decision.into() }
    }
}

impl Decided {
    /// The decision as the decision function gave it.
    pub fn decision(self) -> Decision {
        let Grounds { policies, obligations, acr, max_age, nearest, unmet, remedies } = self.grounds;
        let advice = Advice { nearest, unmet, remedies };
        Decision { outcome: self.outcome, reasons: self.reasons, obligations, policies, acr, max_age, advice }
    }
}

/// A session's state was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionChanged {
    /// Actor that changed it.
    #[serde(with = "word")]
    pub by: Actor,
    /// What it was, where that is known.
    #[serde(with = "word_if", skip_serializing_if = "Option::is_none", default)]
    pub from: Option<SessionState>,
    /// What it is.
    #[serde(with = "word")]
    pub to: SessionState,
    /// The incident that led to it, if one did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub incident: Option<IncidentSeen>,
}

/// An incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentSeen {
    /// Its name.
    #[serde(with = "word")]
    pub id: IncidentId,
    /// What was noticed.
    #[serde(with = "word")]
    pub kind: SignalKind,
}

/// A person signed in, or was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedIn {
    /// Where.
    pub at: AtEndpoint,
    /// What for; `None` for a refusal.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub purpose: Option<Purpose>,
}

/// An account was changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserChanged {
    /// Actor that changed it.
    #[serde(with = "word")]
    pub by: Actor,
    /// What it may do now.
    pub state: AccountState,
}

/// An invitation was issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserInvited {
    /// Actor that issued it.
    #[serde(with = "word")]
    pub by: Actor,
    /// The roles that come with it.
    #[serde(with = "words", skip_serializing_if = "Vec::is_empty", default)]
    pub roles: Vec<Role>,
}

impl Recorded {
    /// The kind, as one word.
    #[must_use]
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::ConfigActivated(_) => EventKind::ConfigActivated,
            Self::ConnectionCut(_) => EventKind::ConnectionCut,
            Self::DevTokenCreated(_) => EventKind::DevTokenCreated,
            Self::DevTokenRevoked(_) => EventKind::DevTokenRevoked,
            Self::DeviceAttested(_) => EventKind::DeviceAttested,
            Self::DeviceEnrolled(_) => EventKind::DeviceEnrolled,
            Self::DeviceRenamed(_) => EventKind::DeviceRenamed,
            Self::DeviceReported(_) => EventKind::DeviceReported,
            Self::DeviceRevoked(_) => EventKind::DeviceRevoked,
            Self::Earlier(earlier) => earlier.kind,
            Self::IncidentJudged(_) => EventKind::IncidentJudged,
            Self::LogInterrupted(_) => EventKind::LogInterrupted,
            Self::PersonErased(_) => EventKind::PersonErased,
            Self::PasskeyRegistered(_) => EventKind::PasskeyRegistered,
            Self::RefusalsCounted(_) => EventKind::RefusalsCounted,
            Self::Request(_) => EventKind::Request,
            Self::SessionChanged(_) => EventKind::SessionChanged,
            Self::SignedIn(_) => EventKind::SignedIn,
            Self::TokensIssued(_) => EventKind::TokensIssued,
            Self::TokensRevoked(_) => EventKind::TokensRevoked,
            Self::UserChanged(_) => EventKind::UserChanged,
            Self::UserInvited(_) => EventKind::UserInvited,
        }
    }
}

impl Event {
    /// An event that ended well, with nothing to explain.
    #[must_use]
    pub const fn allowed(of: Recorded) -> Self {
        Self { outcome: Outcome::Allow, reasons: Vec::new(), of }
    }

    /// The kind, as one word.
    #[must_use]
    pub const fn kind(&self) -> EventKind {
        self.of.kind()
    }

    /// How a request or an open connection was judged. `None` for other events and for entries of format 1.
    #[must_use]
    pub fn judged(&self) -> Option<&RequestJudged> {
        match &self.of {
            Recorded::ConnectionCut(cut) => Some(&cut.judged),
            Recorded::Request(judged) => Some(judged),
            Recorded::ConfigActivated(_)
            | Recorded::DevTokenCreated(_)
            | Recorded::DevTokenRevoked(_)
            | Recorded::DeviceAttested(_)
            | Recorded::DeviceEnrolled(_)
            | Recorded::DeviceRenamed(_)
            | Recorded::DeviceReported(_)
            | Recorded::DeviceRevoked(_)
            | Recorded::Earlier(_)
            | Recorded::IncidentJudged(_)
            | Recorded::LogInterrupted(_)
            | Recorded::PersonErased(_)
            | Recorded::PasskeyRegistered(_)
            | Recorded::RefusalsCounted(_)
            | Recorded::SessionChanged(_)
            | Recorded::SignedIn(_)
            | Recorded::TokensIssued(_)
            | Recorded::TokensRevoked(_)
            | Recorded::UserChanged(_)
            | Recorded::UserInvited(_) => None,
        }
    }

    /// What the decision function answered. `None` where nothing was decided: a refusal before the decision, another event, or an
    /// entry of format 1.
    #[must_use]
    pub fn decision(&self) -> Option<Decision> {
        let judged = self.judged().filter(|judged| judged.facts.is_some())?;
        let as_it_ended = || Decided { outcome: self.outcome, reasons: self.reasons.clone(), grounds: judged.grounds.clone() };
        Some(judged.decided.clone().unwrap_or_else(as_it_ended).decision())
    }

    /// Actor of the entry, where it is not the person that the entry is about.
    #[must_use]
    pub const fn actor(&self) -> Option<&Actor> {
        match &self.of {
            Recorded::ConfigActivated(ConfigActivated { by, .. })
            | Recorded::DevTokenCreated(DevTokenCreated { by, .. })
            | Recorded::DevTokenRevoked(DevTokenRevoked { by, .. })
            | Recorded::IncidentJudged(IncidentJudged { by, .. })
            | Recorded::PersonErased(PersonErased { by })
            | Recorded::SessionChanged(SessionChanged { by, .. })
            | Recorded::UserChanged(UserChanged { by, .. })
            | Recorded::UserInvited(UserInvited { by, .. }) => Some(by),
            Recorded::DeviceRevoked(revoked) => revoked.by.as_ref(),
            Recorded::ConnectionCut(_)
            | Recorded::DeviceAttested(_)
            | Recorded::DeviceEnrolled(_)
            | Recorded::DeviceRenamed(_)
            | Recorded::DeviceReported(_)
            | Recorded::Earlier(_)
            | Recorded::LogInterrupted(_)
            | Recorded::PasskeyRegistered(_)
            | Recorded::RefusalsCounted(_)
            | Recorded::Request(_)
            | Recorded::SignedIn(_)
            | Recorded::TokensIssued(_)
            | Recorded::TokensRevoked(_) => None,
        }
    }

    /// The operation's action, where one was found.
    #[must_use]
    pub fn action(&self) -> Option<&Action> {
        if let Recorded::Earlier(earlier) = &self.of {
            return earlier.action.as_ref();
        }
        self.judged().and_then(|judged| judged.action.as_ref())
    }

    /// The policies that determined the answer.
    #[must_use]
    pub fn policies(&self) -> &[PolicyName] {
        if let Recorded::Earlier(earlier) = &self.of {
            return &earlier.policies;
        }
        self.judged().map_or(&[], |judged| &judged.grounds.policies)
    }

    /// The `permit` that came nearest, on a default deny.
    #[must_use]
    pub fn nearest(&self) -> Option<&PolicyName> {
        if let Recorded::Earlier(earlier) = &self.of {
            return earlier.nearest.as_ref();
        }
        self.judged().and_then(|judged| judged.grounds.nearest.as_ref())
    }

    /// Its conditions that did not hold.
    #[must_use]
    pub fn unmet(&self) -> &[String] {
        if let Recorded::Earlier(earlier) = &self.of {
            return &earlier.unmet;
        }
        self.judged().map_or(&[], |judged| &judged.grounds.unmet)
    }

    /// What would have turned the answer.
    #[must_use]
    pub fn remedies(&self) -> &[Remedy] {
        if let Recorded::Earlier(earlier) = &self.of {
            return &earlier.remedies;
        }
        self.judged().map_or(&[], |judged| &judged.grounds.remedies)
    }

    /// The app that a device is enrolled or proved for, where that is known.
    #[must_use]
    pub fn client(&self) -> Option<ClientId> {
        match &self.of {
            Recorded::DeviceAttested(DeviceAttested { at, .. })
            | Recorded::DeviceEnrolled(DeviceEnrolled { at, .. })
            | Recorded::DeviceReported(DeviceReported { at, .. })
            | Recorded::SignedIn(SignedIn { at, .. })
            | Recorded::DeviceRenamed(at)
            | Recorded::PasskeyRegistered(at)
            | Recorded::TokensIssued(at)
            | Recorded::TokensRevoked(at) => at.client.clone(),
            Recorded::DeviceRevoked(revoked) => revoked.at.as_ref().and_then(|at| at.client.clone()),
            Recorded::ConnectionCut(_) | Recorded::Request(_) => {
                self.judged().and_then(|judged| judged.facts.as_ref()).map(|facts| facts.client.clone())
            }
            Recorded::DevTokenCreated(DevTokenCreated { client, .. }) | Recorded::DevTokenRevoked(DevTokenRevoked { client, .. }) => {
                Some(client.clone())
            }
            Recorded::Earlier(earlier) => earlier.words.get("client").and_then(|client| ClientId::read(client)),
            Recorded::ConfigActivated(_)
            | Recorded::IncidentJudged(_)
            | Recorded::LogInterrupted(_)
            | Recorded::PersonErased(_)
            | Recorded::RefusalsCounted(_)
            | Recorded::SessionChanged(_)
            | Recorded::UserChanged(_)
            | Recorded::UserInvited(_) => None,
        }
    }
}
