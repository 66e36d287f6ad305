//! Types of a record whose values are single words: what happened, who acted, how.

use std::borrow::Cow;

use countersign_core::OperatorName;
use serde::{Deserialize, Serialize};

use crate::spelling::Word;

/// Names a type whose variants are single words of the log.
macro_rules! choice {
    ($($(#[$top:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal;)* })*) => {$(
        $(#[$top])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word in the log.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    )*};
}

choice! {
    /// What happened, as one word. Alphabetical.
    EventKind {
        /// Config, policies or trust anchors were taken into use.
        ConfigActivated = "config_activated";
        /// An open connection was cut.
        ConnectionCut = "connection_cut";
        /// A development token was made.
        DevTokenCreated = "dev_token_created";
        /// A development token was revoked.
        DevTokenRevoked = "dev_token_revoked";
        /// A device proved itself again.
        DeviceAttested = "device_attested";
        /// A device was enrolled, or refused.
        DeviceEnrolled = "device_enrolled";
        /// A person gave a device another name.
        DeviceRenamed = "device_renamed";
        /// An app said what it found on its phone.
        DeviceReported = "device_reported";
        /// A device was cut off.
        DeviceRevoked = "device_revoked";
        /// An operator said what an incident was.
        IncidentJudged = "incident_judged";
        /// The log could not be written for a while, and nothing that needs a record was done.
        LogInterrupted = "log_interrupted";
        /// A person was erased.
        PersonErased = "person_erased";
        /// A passkey was registered, or refused.
        PasskeyRegistered = "passkey_registered";
        /// Refusals of callers without a live session were counted instead of recorded.
        RefusalsCounted = "refusals_counted";
        /// A request was judged.
        Request = "request";
        /// A session's state was changed.
        SessionChanged = "session_changed";
        /// A person signed in, or was refused.
        SignedIn = "signed_in";
        /// Tokens were issued, or refused.
        TokensIssued = "tokens_issued";
        /// Tokens were revoked.
        TokensRevoked = "tokens_revoked";
        /// An account was changed.
        UserChanged = "user_changed";
        /// An invitation was issued.
        UserInvited = "user_invited";
    }

    /// What an account may do.
    AccountState {
        /// Nothing, ever again.
        Closed = "closed";
    }

    /// What was taken into use. Alphabetical.
    Activated {
        /// Nothing new: how far the database has come was noted.
        Database = "database";
        /// Where networks are.
        Geography = "geography";
        /// Operations, policies and what is required of devices.
        Policies = "policies";
        /// Files of another time, because an operator said so.
        Restore = "restore";
        /// Everything, when the node began.
        Start = "start";
        /// Trust anchors and revocation lists.
        Trust = "trust";
    }

    /// How a device was cut off. Alphabetical.
    CutOff {
        /// Its person said that a sign-in on it was not theirs.
        Disowned = "disowned";
        /// Its person uses it no more.
        Removed = "removed";
        /// An operator revoked it, for everybody.
        Revoked = "revoked";
    }

    /// What a device proved itself by. Alphabetical.
    Evidence {
        /// Its hardware.
        Hardware = "evidence";
        /// Its app's name for it changed.
        Name = "name";
        /// The app's own word.
        Report = "report";
        /// Apple's count of keys.
        RiskMetric = "risk_metric";
        /// The vendor's verdict.
        Verdict = "verdict";
    }

    /// From where a development token may be used. Alphabetical.
    FromNetworks {
        /// From everywhere.
        Any = "any";
        /// From private networks.
        Private = "private";
    }

    /// What an operator said of an incident. Alphabetical.
    Judged {
        /// It was nothing, and what it led to is undone.
        Fine = "fine";
        /// Such incidents are not to be told for a while.
        Suppressed = "suppressed";
    }

    /// What a sign-in was for. Alphabetical.
    Purpose {
        /// A new session.
        SignIn = "sign_in";
        /// A fresh authentication in a session.
        StepUp = "step_up";
    }
}

/// Party that acted, where it is not the person that the entry is about. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// The monitor, because of an incident.
    Monitor,
    /// Whoever opened the admin socket, by name.
    Operator(OperatorName),
    /// Whoever opened the admin socket, in entries from before operators had names.
    OperatorUnnamed,
    /// The person, by something else that they did: a new session takes the place of their oldest one.
    Person,
    /// The node itself: by its schedule, or told so by a signal of the system.
    System,
}

impl Actor {
    /// Kind of the actor, as one word.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Monitor => MONITOR,
            Self::Operator(_) | Self::OperatorUnnamed => OPERATOR,
            Self::Person => PERSON,
            Self::System => SYSTEM,
        }
    }

    /// The operator's name, where it was one.
    #[must_use]
    pub const fn operator(&self) -> Option<&OperatorName> {
        match self {
            Self::Operator(name) => Some(name),
            Self::Monitor | Self::OperatorUnnamed | Self::Person | Self::System => None,
        }
    }
}

const MONITOR: &str = "monitor";
const OPERATOR: &str = "operator";
const PERSON: &str = "person";
const SYSTEM: &str = "system";

impl Word for Actor {
    fn word(&self) -> Cow<'_, str> {
        match self {
            Self::Monitor | Self::OperatorUnnamed | Self::Person | Self::System => Cow::Borrowed(self.as_str()),
            Self::Operator(name) => Cow::Owned(format!("{OPERATOR}:{name}")),
        }
    }

    fn read(text: &str) -> Option<Self> {
        match text {
            MONITOR => Some(Self::Monitor),
            OPERATOR => Some(Self::OperatorUnnamed),
            PERSON => Some(Self::Person),
            SYSTEM => Some(Self::System),
            named => OperatorName::parse(named.strip_prefix(OPERATOR)?.strip_prefix(':')?).ok().map(Self::Operator),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_has_a_name() {
        let named = |name: &str| Some(Actor::Operator(OperatorName::parse(name).expect("a name")));
        let rows: &[(&str, Option<Actor>)] = &[
            ("monitor", Some(Actor::Monitor)),
            ("system", Some(Actor::System)),
            ("operator", Some(Actor::OperatorUnnamed)),
            ("operator:alice", named("alice")),
            ("operator:uid:1000", named("uid:1000")),
            ("operator:", None),
            ("operator: alice", None),
            ("alice", None),
            ("monitor:alice", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(Actor::read(text), *expected, "{text}");
            if let Some(actor) = expected {
                assert_eq!(actor.word(), *text);
            }
        }
    }
}
