//! What is written down: one entry per decision, and one per change to who may do what.

use std::collections::BTreeMap;

use countersign_core::{Action, DecisionId, Outcome, PolicyName, Reason, Remedy, UnixMillis, UserId};

/// One entry of the log, before it is sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: UnixMillis,
    /// The number under which people ask for it.
    pub decision: DecisionId,
    /// What, without anything that identifies somebody.
    pub event: Event,
    /// Whose key seals the personal fields; `None` when nobody is known.
    pub person: Option<UserId>,
    /// What identifies somebody: committed to in the log, readable with the person's key only. At most one of a name.
    pub personal: Vec<PersonalField>,
}

/// What happened. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// Config, policies or trust anchors were taken into use.
    ConfigActivated,
    /// An open connection was cut.
    ConnectionCut,
    /// A development token was made.
    DevTokenCreated,
    /// A development token was revoked.
    DevTokenRevoked,
    /// A device proved itself again.
    DeviceAttested,
    /// A device was enrolled, or refused.
    DeviceEnrolled,
    /// A person gave a device another name.
    DeviceRenamed,
    /// An app said what it found on its phone.
    DeviceReported,
    /// A device was cut off.
    DeviceRevoked,
    /// A person was erased.
    PersonErased,
    /// A passkey was registered, or refused.
    PasskeyRegistered,
    /// A request was judged.
    Request,
    /// A session's state was changed.
    SessionChanged,
    /// A person signed in, or was refused.
    SignedIn,
    /// Tokens were issued, or refused.
    TokensIssued,
    /// Tokens were revoked.
    TokensRevoked,
    /// An account was changed.
    UserChanged,
    /// An invitation was issued.
    UserInvited,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 18] = [
        Self::ConfigActivated,
        Self::ConnectionCut,
        Self::DevTokenCreated,
        Self::DevTokenRevoked,
        Self::DeviceAttested,
        Self::DeviceEnrolled,
        Self::DeviceRenamed,
        Self::DeviceReported,
        Self::DeviceRevoked,
        Self::PersonErased,
        Self::PasskeyRegistered,
        Self::Request,
        Self::SessionChanged,
        Self::SignedIn,
        Self::TokensIssued,
        Self::TokensRevoked,
        Self::UserChanged,
        Self::UserInvited,
    ];

    /// The word in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConfigActivated => "config_activated",
            Self::ConnectionCut => "connection_cut",
            Self::DevTokenCreated => "dev_token_created",
            Self::DevTokenRevoked => "dev_token_revoked",
            Self::DeviceAttested => "device_attested",
            Self::DeviceEnrolled => "device_enrolled",
            Self::DeviceRenamed => "device_renamed",
            Self::DeviceReported => "device_reported",
            Self::DeviceRevoked => "device_revoked",
            Self::PersonErased => "person_erased",
            Self::PasskeyRegistered => "passkey_registered",
            Self::Request => "request",
            Self::SessionChanged => "session_changed",
            Self::SignedIn => "signed_in",
            Self::TokensIssued => "tokens_issued",
            Self::TokensRevoked => "tokens_revoked",
            Self::UserChanged => "user_changed",
            Self::UserInvited => "user_invited",
        }
    }
}

/// What happened, how it ended and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// The operation's action, where one was found.
    pub action: Option<Action>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why: exact reasons.
    pub reasons: Vec<Reason>,
    /// The policies that determined it.
    pub policies: Vec<PolicyName>,
    /// What the decision looked at and identifies nobody: `device.trust`, `auth.acr`, ...
    pub facts: BTreeMap<String, String>,
    /// The `permit` that came nearest, on a default deny.
    pub nearest: Option<PolicyName>,
    /// Its conditions that did not hold.
    pub unmet: Vec<String>,
    /// What would have turned the answer.
    pub remedies: Vec<Remedy>,
}

impl Event {
    /// An event that ended so, with nothing else to say.
    #[must_use]
    pub const fn new(kind: EventKind, outcome: Outcome) -> Self {
        Self {
            kind,
            action: None,
            outcome,
            reasons: Vec::new(),
            policies: Vec::new(),
            facts: BTreeMap::new(),
            nearest: None,
            unmet: Vec::new(),
            remedies: Vec::new(),
        }
    }
}

/// What a personal field is called. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PersonalName {
    /// Network address, truncated to /24 or /48.
    Address,
    /// Device id.
    Device,
    /// Path of the request.
    Path,
    /// Id of the resource.
    Resource,
    /// Session id.
    Session,
    /// Pairwise subject.
    Subject,
    /// User id.
    User,
}

impl PersonalName {
    /// Every name.
    pub const ALL: [Self; 7] = [Self::Address, Self::Device, Self::Path, Self::Resource, Self::Session, Self::Subject, Self::User];

    /// The word in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Device => "device",
            Self::Path => "path",
            Self::Resource => "resource",
            Self::Session => "session",
            Self::Subject => "subject",
            Self::User => "user",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.as_str() == text)
    }
}

/// Something that identifies somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonalField {
    /// What it is.
    pub name: PersonalName,
    /// Its value.
    pub value: String,
}
