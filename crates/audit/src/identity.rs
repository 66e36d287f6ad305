//! What identifies somebody in an entry: committed to in the log, readable with the person's key only.

use std::{collections::BTreeMap, fmt};

use countersign_core::{DeviceId, PairwiseId, Role, SessionId, Thumbprint, UnixSeconds, UserId};

use crate::{
    recorded_facts::{SealedFacts, Times},
    seal_refusal::SealRefusal,
};

/// What stands before the name of a body field.
const TEXT_PREFIX: &str = "request.";

/// What a personal field is called. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PersonalName {
    /// Network address, truncated to /24 or /48.
    Address,
    /// Device id, or the thumbprint of a key that is no device's.
    Device,
    /// The resource's owner, where it is not the subject.
    Owner,
    /// Path of the request.
    Path,
    /// Id of the resource.
    Resource,
    /// The groups of permissions that the person held.
    Roles,
    /// Session id.
    Session,
    /// Pairwise subject.
    Subject,
    /// A body field that is a text: `request.` and its name.
    Text(String),
    /// Moments that tell one session from another.
    Times,
    /// User id.
    User,
    /// What a score of zero was made of.
    Usual,
}

impl PersonalName {
    /// The names that every version knows, and that a record shows to whoever has no key. The others are facts of the decision.
    pub const IDENTIFYING: [Self; 7] = [Self::Address, Self::Device, Self::Path, Self::Resource, Self::Session, Self::Subject, Self::User];

    /// The word in the log.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Address => "address",
            Self::Device => "device",
            Self::Owner => "owner",
            Self::Path => "path",
            Self::Resource => "resource",
            Self::Roles => "roles",
            Self::Session => "session",
            Self::Subject => "subject",
            Self::Text(name) => name,
            Self::Times => "times",
            Self::User => "user",
            Self::Usual => "usual",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        const SINGLE: [PersonalName; 11] = [
            PersonalName::Address,
            PersonalName::Device,
            PersonalName::Owner,
            PersonalName::Path,
            PersonalName::Resource,
            PersonalName::Roles,
            PersonalName::Session,
            PersonalName::Subject,
            PersonalName::Times,
            PersonalName::User,
            PersonalName::Usual,
        ];
        let body_field = |name: &str| {
            let fits = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            fits.then(|| Self::Text(text.to_owned()))
        };
        match text.strip_prefix(TEXT_PREFIX) {
            Some(name) => body_field(name),
            None => SINGLE.into_iter().find(|name| name.as_str() == text),
        }
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

/// A device, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceName {
    /// One that is enrolled.
    Enrolled(DeviceId),
    /// A key that is no device's: all that is known of a thief's tool.
    Key(Thumbprint),
}

impl DeviceName {
    fn parse(text: &str) -> Option<Self> {
        match Thumbprint::parse(text) {
            Ok(key) => Some(Self::Key(key)),
            Err(_) => DeviceId::parse(text).ok().map(Self::Enrolled),
        }
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enrolled(id) => id.fmt(f),
            Self::Key(key) => key.fmt(f),
        }
    }
}

/// All that identifies somebody in one entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The network that the request came from: /24 of IPv4, /48 of IPv6.
    pub address: Option<String>,
    /// The device.
    pub device: Option<DeviceName>,
    /// The request's path.
    pub path: Option<String>,
    /// The id of what was acted on.
    pub resource: Option<String>,
    /// The session.
    pub session: Option<SessionId>,
    /// The person, under the name that apps and upstreams know.
    pub subject: Option<PairwiseId>,
    /// The person.
    pub user: Option<UserId>,
    /// What a decision looked at.
    pub facts: Option<SealedFacts>,
}

impl Identity {
    /// The fields that identify somebody, without the facts of a decision; in alphabetical order.
    #[must_use]
    pub fn identifying(&self) -> Vec<PersonalField> {
        let known = [
            (PersonalName::Address, self.address.clone()),
            (PersonalName::Device, self.device.as_ref().map(ToString::to_string)),
            (PersonalName::Path, self.path.clone()),
            (PersonalName::Resource, self.resource.clone()),
            (PersonalName::Session, self.session.as_ref().map(ToString::to_string)),
            (PersonalName::Subject, self.subject.as_ref().map(ToString::to_string)),
            (PersonalName::User, self.user.as_ref().map(ToString::to_string)),
        ];
        known.into_iter().filter_map(|(name, value)| value.map(|value| PersonalField { name, value })).collect()
    }

    /// Whether nobody is identified.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Every field, in alphabetical order of names.
    #[must_use]
    pub fn fields(&self) -> Vec<PersonalField> {
        let mut fields = self.identifying();
        if let Some(facts) = &self.facts {
            let mut add = |name, value| fields.push(PersonalField { name, value });
            let Times { bound_at, created_at, expires_at, report_at } = facts.times;
            add(PersonalName::Times, format!("{bound_at} {created_at} {expires_at} {report_at}"));
            if let Some(owner) = &facts.owner {
                add(PersonalName::Owner, owner.clone());
            }
            if !facts.roles.is_empty() {
                add(PersonalName::Roles, facts.roles.iter().map(Role::as_str).collect::<Vec<_>>().join(" "));
            }
            if !facts.usual.is_empty() {
                let parts: Vec<_> = facts.usual.iter().map(|(name, weight)| format!("{name}={weight}")).collect();
                add(PersonalName::Usual, parts.join(" "));
            }
            for (name, value) in &facts.texts {
                add(PersonalName::Text(format!("{TEXT_PREFIX}{name}")), value.clone());
            }
            fields.sort_by(|a, b| a.name.cmp(&b.name));
        }
        fields
    }

    /// Reads the fields back.
    ///
    /// # Errors
    /// When a value is not what its name stands for.
    pub fn read(fields: Vec<PersonalField>) -> Result<Self, SealRefusal> {
        let (mut identity, mut facts) = (Self::default(), None);
        let (mut owner, mut roles, mut usual, mut texts) = (None, Vec::new(), Vec::new(), BTreeMap::new());
        for PersonalField { name, value } in fields {
            match name {
                PersonalName::Address => identity.address = Some(value),
                PersonalName::Device => identity.device = Some(DeviceName::parse(&value).ok_or(SealRefusal::Malformed)?),
                PersonalName::Owner => owner = Some(value),
                PersonalName::Path => identity.path = Some(value),
                PersonalName::Resource => identity.resource = Some(value),
                PersonalName::Roles => roles = read_roles(&value)?,
                PersonalName::Session => identity.session = Some(SessionId::parse(&value).map_err(|_| SealRefusal::Malformed)?),
                PersonalName::Subject => identity.subject = Some(PairwiseId::parse(&value).map_err(|_| SealRefusal::Malformed)?),
                PersonalName::Text(name) => drop(texts.insert(name.strip_prefix(TEXT_PREFIX).unwrap_or(&name).to_owned(), value)),
                PersonalName::Times => facts = Some(read_times(&value)?),
                PersonalName::User => identity.user = Some(UserId::parse(&value).map_err(|_| SealRefusal::Malformed)?),
                PersonalName::Usual => usual = read_parts(&value)?,
            }
        }
        identity.facts = facts.map(|times| SealedFacts { roles, times, owner, texts, usual });
        Ok(identity)
    }
}

fn read_roles(text: &str) -> Result<Vec<Role>, SealRefusal> {
    text.split(' ').map(|role| Role::parse(role).map_err(|_| SealRefusal::Malformed)).collect()
}

fn read_times(text: &str) -> Result<Times, SealRefusal> {
    let times: Vec<_> =
        text.split(' ').map(|time| time.parse().map(UnixSeconds)).collect::<Result<_, _>>().map_err(|_| SealRefusal::Malformed)?;
    let [bound_at, created_at, expires_at, report_at] = times[..] else { return Err(SealRefusal::Malformed) };
    Ok(Times { bound_at, created_at, expires_at, report_at })
}

fn read_parts(text: &str) -> Result<Vec<(String, i32)>, SealRefusal> {
    let part = |part: &str| {
        let (name, weight) = part.split_once('=')?;
        Some((name.to_owned(), weight.parse().ok()?))
    };
    text.split(' ').map(|text| part(text).ok_or(SealRefusal::Malformed)).collect()
}
