//! Types of a record whose values are single words: what happened, who acted, how.

use serde::{Deserialize, Serialize};

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
        /// A person was erased.
        PersonErased = "person_erased";
        /// A passkey was registered, or refused.
        PasskeyRegistered = "passkey_registered";
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
        /// Where networks are.
        Geography = "geography";
        /// Operations, policies and what is required of devices.
        Policies = "policies";
        /// Everything, when the node began.
        Start = "start";
        /// Trust anchors and revocation lists.
        Trust = "trust";
    }

    /// Who acted, where it is not the person that the entry is about. Alphabetical.
    Actor {
        /// The monitor, because of an incident.
        Monitor = "monitor";
        /// Whoever may open the admin socket; it knows no names.
        Operator = "operator";
        /// The person, by something else that they did: a new session takes the place of their oldest one.
        Person = "person";
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
