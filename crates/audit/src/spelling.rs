//! Words of `core` as they stand in the log, and back: one spelling each, and anything else is a refusal.
//!
//! Domain types do not derive `Serialize`. The types of a record say with these modules how each of their members is written.

use std::borrow::Cow;

use countersign_core::{
    Acr, Action, Amr, AppFinding, AppId, BootState, ClientId, DecisionId, DevTokenId, EvidenceTier, IncidentId, Integrity, Licensing,
    MaskPath, Obligation, Outcome, PatchLevel, Platform, PolicyName, PolicyReason, Provenance, RateLimit, Reason, Recognition, Remedy,
    Role, Seconds, SecurityLevel, SessionState, SignalKind, Stage, UnixMillis, UnixSeconds, WhenLimited,
};

/// A value that has one word in the log.
pub trait Word: Sized {
    /// The word.
    fn word(&self) -> Cow<'_, str>;

    /// Reads the word back; `None` for any other text.
    fn read(text: &str) -> Option<Self>;
}

/// A value that is one number in the log.
pub trait Number: Copy {
    /// The number.
    fn number(self) -> u64;

    /// Reads the number back; `None` when it stands for no such value.
    fn read(number: u64) -> Option<Self>;
}

macro_rules! ids {
    ($($name:ident),*) => {$(
        impl Word for $name {
            fn word(&self) -> Cow<'_, str> {
                Cow::Borrowed(self.as_str())
            }

            fn read(text: &str) -> Option<Self> {
                Self::parse(text).ok()
            }
        }
    )*};
}

ids!(Action, AppId, ClientId, DecisionId, DevTokenId, IncidentId, Role);

macro_rules! parsed {
    ($($name:ident),*) => {$(
        impl Word for $name {
            fn word(&self) -> Cow<'_, str> {
                Cow::Borrowed(self.as_str())
            }

            fn read(text: &str) -> Option<Self> {
                Self::parse(text)
            }
        }
    )*};
}

parsed!(Acr, Amr, AppFinding, Integrity, Licensing, Recognition, SessionState, SignalKind);

/// Types whose words are listed here or in `core` without a way back. The match of `word` is exhaustive, and a test reads every
/// word back, so that a variant that is added cannot be forgotten.
macro_rules! listed {
    ($($name:ident { $($variant:ident = $word:expr),* $(,)? })*) => {$(
        impl Word for $name {
            fn word(&self) -> Cow<'_, str> {
                Cow::Borrowed(match self { $(Self::$variant => $word),* })
            }

            fn read(text: &str) -> Option<Self> {
                $(if text == $word { return Some(Self::$variant); })*
                None
            }
        }
    )*};
}

listed! {
    BootState { Failed = "failed", SelfSigned = "self_signed", Unverified = "unverified", Verified = "verified" }
    EvidenceTier { None = "none", SelfReported = "self_reported", Platform = "platform", Hardware = "hardware" }
    Outcome {
        Allow = Self::Allow.as_str(),
        Limit = Self::Limit.as_str(),
        StepUp = Self::StepUp.as_str(),
        Deny = Self::Deny.as_str(),
    }
    Platform { Android = "android", Ios = "ios" }
    Provenance {
        AndroidKeyAttestation = Self::AndroidKeyAttestation.as_str(),
        AppAttest = Self::AppAttest.as_str(),
        AppReport = Self::AppReport.as_str(),
        DevelopmentToken = Self::DevelopmentToken.as_str(),
        PlayIntegrity = Self::PlayIntegrity.as_str(),
    }
    Remedy {
        AttestDevice = Self::AttestDevice.kind(),
        ConfirmItsYou = Self::ConfirmItsYou.kind(),
        ContactSupport = Self::ContactSupport.kind(),
        ReEnrol = Self::ReEnrol.kind(),
        RemoveDevice = Self::RemoveDevice.kind(),
        SetScreenLock = Self::SetScreenLock.kind(),
        SignInAgain = Self::SignInAgain.kind(),
        UpdateApp = Self::UpdateApp.kind(),
        UpdateSystem = Self::UpdateSystem.kind(),
    }
    SecurityLevel { Software = "software", TrustedEnvironment = "trusted_environment", StrongBox = "strong_box" }
    Stage { Observe = Self::Observe.as_str(), Limit = Self::Limit.as_str(), Enforce = Self::Enforce.as_str() }
    WhenLimited { Allow = "allow", Refuse = "refuse" }
}

impl Word for PolicyName {
    fn word(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.as_str())
    }

    fn read(text: &str) -> Option<Self> {
        Some(Self::new(text))
    }
}

impl Word for Reason {
    fn word(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.code())
    }

    /// A code that is none of ours is a policy's: reasons are never renamed, and one that was removed is still read.
    fn read(text: &str) -> Option<Self> {
        let built_in = Self::ALL.iter().find(|reason| reason.code() == text).cloned();
        built_in.or_else(|| PolicyReason::parse(text).map(Self::Policy))
    }
}

impl Word for Obligation {
    fn word(&self) -> Cow<'_, str> {
        Cow::Owned(match self {
            Self::Mask(path) => format!("mask {}", path.as_str()),
            Self::Rate(limit) => format!("rate {}/{}s", limit.count, limit.window.0),
        })
    }

    fn read(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("mask ") {
            return MaskPath::parse(path).map(Self::Mask);
        }
        let (count, window) = text.strip_prefix("rate ")?.strip_suffix('s')?.split_once('/')?;
        Some(Self::Rate(RateLimit { count: count.parse().ok()?, window: Seconds(window.parse().ok()?) }))
    }
}

macro_rules! instants {
    ($($name:ident),*) => {$(
        impl Number for $name {
            fn number(self) -> u64 {
                self.0
            }

            fn read(number: u64) -> Option<Self> {
                Some(Self(number))
            }
        }
    )*};
}

instants!(Seconds, UnixMillis, UnixSeconds);

impl Number for PatchLevel {
    fn number(self) -> u64 {
        Self::number(self)
    }

    fn read(number: u64) -> Option<Self> {
        Self::from_number(number)
    }
}

/// One word.
pub mod word {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::Word;

    pub fn serialize<T: Word, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&value.word())
    }

    pub fn deserialize<'de, T: Word, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
        T::read(&String::deserialize(from)?).ok_or_else(|| D::Error::custom("a word that the log does not have there"))
    }
}

/// One word, or none.
pub mod word_if {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::Word;

    pub fn serialize<T: Word, S: Serializer>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => to.serialize_str(&value.word()),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, T: Word, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
        // A member that is there has a value: absence has one spelling, which is to be absent.
        let text = String::deserialize(from)?;
        T::read(&text).map(Some).ok_or_else(|| D::Error::custom("a word that the log does not have there"))
    }
}

/// A list of words.
pub mod words {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::Word;

    pub fn serialize<'a, T: Word + 'a, L, S: Serializer>(values: &'a L, to: S) -> Result<S::Ok, S::Error>
    where
        &'a L: IntoIterator<Item = &'a T>,
    {
        to.collect_seq(values.into_iter().map(Word::word))
    }

    pub fn deserialize<'de, T: Word, L: FromIterator<T>, D: Deserializer<'de>>(from: D) -> Result<L, D::Error> {
        let read = |text: String| T::read(&text).ok_or_else(|| D::Error::custom("a word that the log does not have there"));
        Vec::<String>::deserialize(from)?.into_iter().map(read).collect()
    }
}

/// One number.
pub mod number {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::Number;

    pub fn serialize<T: Number, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(value.number())
    }

    pub fn deserialize<'de, T: Number, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
        T::read(u64::deserialize(from)?).ok_or_else(|| D::Error::custom("a number that the log does not have there"))
    }
}

/// One number, or none.
pub mod number_if {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::Number;

    pub fn serialize<T: Number, S: Serializer>(value: &Option<T>, to: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => to.serialize_u64(value.number()),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, T: Number, D: Deserializer<'de>>(from: D) -> Result<Option<T>, D::Error> {
        T::read(u64::deserialize(from)?).map(Some).ok_or_else(|| D::Error::custom("a number that the log does not have there"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all<T: Word + PartialEq + std::fmt::Debug>(values: &[T]) {
        for value in values {
            assert_eq!(T::read(&value.word()).as_ref(), Some(value));
        }
        assert!(T::read("\u{0}").is_none(), "nothing is called so");
    }

    #[test]
    fn every_word_is_read_back() {
        all(&[BootState::Failed, BootState::SelfSigned, BootState::Unverified, BootState::Verified]);
        all(&[EvidenceTier::None, EvidenceTier::SelfReported, EvidenceTier::Platform, EvidenceTier::Hardware]);
        all(&[Outcome::Allow, Outcome::Limit, Outcome::StepUp, Outcome::Deny]);
        all(&[Platform::Android, Platform::Ios]);
        all(&[
            Provenance::AndroidKeyAttestation,
            Provenance::AppAttest,
            Provenance::AppReport,
            Provenance::DevelopmentToken,
            Provenance::PlayIntegrity,
        ]);
        all(&[SecurityLevel::Software, SecurityLevel::TrustedEnvironment, SecurityLevel::StrongBox]);
        all(&[Stage::Observe, Stage::Limit, Stage::Enforce]);
        all(&[WhenLimited::Allow, WhenLimited::Refuse]);
        all(Reason::ALL);
        all(&[PolicyReason::parse("large_transfer").map(Reason::Policy).expect("a code")]);
        all(&[Obligation::Mask(MaskPath::parse("/iban").expect("a path")), Obligation::Rate(RateLimit { count: 30, window: Seconds(60) })]);
    }
}
