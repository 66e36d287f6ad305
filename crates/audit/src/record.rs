//! The one reader of entries, of whichever format.

use std::collections::BTreeMap;

use countersign_core::{DecisionId, Facts, UnixMillis};
use serde_json::{Map, Value};

use crate::{
    event::Event,
    format1, format2,
    identity::{Identity, PersonalField, PersonalName},
    line::JSON_BYTES_MAX,
    person_key::{KeyHandle, PersonKey},
    restore::{self, FactsRefusal},
    seal_refusal::SealRefusal,
    shown,
    tree::{self, Place, Salt},
};

/// An entry as it stands in the log: what it says to everybody, and what only its person's key opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When it happened.
    pub at: UnixMillis,
    /// The number under which people ask for it.
    pub decision: DecisionId,
    /// What happened.
    pub event: Event,
    sealed: Sealed,
}

/// What is sealed, by format.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Sealed {
    Format1(format1::Sealed),
    Format2(Option<format2::Sealed>),
}

/// A personal field together with what proves it: whoever is given this, and nothing else, can check this one field of an
/// entry and learns nothing of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disclosure {
    /// The field.
    pub field: PersonalField,
    /// What its commitment was salted with.
    pub salt: Salt,
    /// Where it stands under the entry's commitment; `None` in format 1, where each field has a commitment of its own.
    pub place: Option<Place>,
}

impl Record {
    /// Reads an entry.
    ///
    /// # Errors
    /// When the text is no entry of a format that this version knows.
    pub fn read(json: &str) -> Result<Self, SealRefusal> {
        if json.len() > JSON_BYTES_MAX {
            return Err(SealRefusal::TooLong);
        }
        if format2::is(json) {
            let format2::Read { at, decision, event, sealed } = format2::read(json)?;
            return Ok(Self { at, decision, event, sealed: Sealed::Format2(sealed) });
        }
        let format1::Read { at, decision, event, sealed } = format1::read(json)?;
        Ok(Self { at, decision, event, sealed: Sealed::Format1(sealed) })
    }

    /// Whose key opens it. `None` for one without personal fields.
    #[must_use]
    pub fn handle(&self) -> Option<KeyHandle> {
        let key = match &self.sealed {
            Sealed::Format1(sealed) => sealed.sealed.as_ref().map(|(key, _)| key.clone()),
            Sealed::Format2(sealed) => sealed.as_ref().map(|sealed| sealed.key.clone()),
        };
        key.map(KeyHandle::read)
    }

    /// What the event looked at and identifies nobody, in words for eyes.
    #[must_use]
    pub fn words(&self) -> BTreeMap<String, String> {
        shown::words(&self.event, self.at)
    }

    /// The names of the fields under the seal that identify somebody, with what commits to each.
    #[must_use]
    pub fn commitments(&self) -> Vec<(&str, String)> {
        match &self.sealed {
            Sealed::Format1(sealed) => sealed.commitments.iter().map(|(name, hash)| (name.as_str(), hash.clone())).collect(),
            Sealed::Format2(sealed) => {
                let identifying = |name: &&PersonalName| PersonalName::IDENTIFYING.contains(name);
                let of = |sealed: &'_ format2::Sealed| sealed.commitment.to_string();
                let each =
                    sealed.iter().flat_map(|sealed| sealed.names.iter().filter(identifying).map(move |name| (name.as_str(), of(sealed))));
                each.collect()
            }
        }
    }

    /// The entry as a document for people and programs: the same members whatever its format.
    #[must_use]
    pub fn document(&self) -> Value {
        let mut out = Map::new();
        let mut say = |name: &str, value: Value| drop(out.insert(name.to_owned(), value));
        let list = |all: Vec<&str>| Value::from(all);
        let event = &self.event;
        say("at", self.at.0.into());
        say("decision", self.decision.as_str().into());
        say("event", event.kind().as_str().into());
        if let Some(action) = event.action() {
            say("action", action.as_str().into());
        }
        say("outcome", event.outcome.as_str().into());
        if !event.reasons.is_empty() {
            say("reasons", list(event.reasons.iter().map(|reason| reason.code()).collect()));
        }
        if !event.policies().is_empty() {
            say("policies", list(event.policies().iter().map(|policy| policy.as_str()).collect()));
        }
        let words = self.words();
        if !words.is_empty() {
            say("facts", words.into_iter().map(|(name, word)| (name, Value::from(word))).collect::<Map<_, _>>().into());
        }
        if let Some(nearest) = event.nearest() {
            say("nearest", nearest.as_str().into());
        }
        if !event.unmet().is_empty() {
            say("unmet", list(event.unmet().iter().map(String::as_str).collect()));
        }
        if !event.remedies().is_empty() {
            say("remedies", list(event.remedies().iter().map(|remedy| remedy.kind()).collect()));
        }
        let commitments = self.commitments();
        if !commitments.is_empty() {
            let each = commitments.into_iter().map(|(name, hash)| (name.to_owned(), Value::from(hash)));
            say("personal", each.collect::<Map<_, _>>().into());
        }
        let sealed = match &self.sealed {
            Sealed::Format1(sealed) => sealed.sealed.as_ref().map(|(key, data)| (key, data)),
            Sealed::Format2(sealed) => sealed.as_ref().map(|sealed| (&sealed.key, &sealed.data)),
        };
        if let Some((key, data)) = sealed {
            say("box", serde_json::json!({ "key": key, "data": data }));
        }
        Value::Object(out)
    }

    /// Opens what identifies somebody and checks it against what the entry commits to.
    ///
    /// # Errors
    /// When the key does not fit or the entry was changed.
    pub fn open(&self, key: &PersonKey) -> Result<Identity, SealRefusal> {
        Identity::read(self.disclosures(key, |_| true)?.into_iter().map(|disclosure| disclosure.field).collect())
    }

    /// The facts of the decision that the entry records, from what was opened of it.
    ///
    /// # Errors
    /// When nothing was decided, or not all was opened.
    pub fn facts(&self, identity: &Identity) -> Result<Facts, FactsRefusal> {
        restore::facts(&self.event, identity, self.at)
    }

    fn disclosures(&self, key: &PersonKey, wanted: impl Fn(&PersonalName) -> bool) -> Result<Vec<Disclosure>, SealRefusal> {
        match &self.sealed {
            Sealed::Format1(sealed) => {
                let opened = sealed.open(key)?.into_iter().filter(|(field, _)| wanted(&field.name));
                Ok(opened.map(|(field, salt)| Disclosure { field, salt, place: None }).collect())
            }
            Sealed::Format2(None) => Ok(Vec::new()),
            Sealed::Format2(Some(sealed)) => {
                let opened = sealed.open(key, wanted)?.into_iter();
                Ok(opened.map(|(field, salt, place)| Disclosure { field, salt, place: Some(place) }).collect())
            }
        }
    }

    fn holds(&self, disclosure: &Disclosure) -> Result<(), SealRefusal> {
        match (&self.sealed, &disclosure.place) {
            (Sealed::Format1(sealed), None) => sealed.holds(&disclosure.field, &disclosure.salt),
            (Sealed::Format2(Some(sealed)), Some(place)) => tree::holds(&disclosure.field, &disclosure.salt, place, sealed.commitment),
            (Sealed::Format1(_), Some(_)) | (Sealed::Format2(Some(_)), None) | (Sealed::Format2(None), _) => {
                Err(SealRefusal::CommitmentMismatch)
            }
        }
    }
}

/// Whose key opens a stored entry. `None` for one without personal fields.
///
/// # Errors
/// When the text is no entry.
pub fn handle(json: &str) -> Result<Option<KeyHandle>, SealRefusal> {
    Ok(Record::read(json)?.handle())
}

/// Opens the personal fields of a stored entry and checks them against what the entry commits to.
///
/// # Errors
/// When the key does not fit or the entry was changed.
pub fn open(json: &str, key: &PersonKey) -> Result<Vec<PersonalField>, SealRefusal> {
    Ok(Record::read(json)?.disclosures(key, |_| true)?.into_iter().map(|disclosure| disclosure.field).collect())
}

/// Opens those personal fields of a stored entry that are among `names`, each with what proves it to somebody without the
/// key.
///
/// # Errors
/// When the key does not fit or the entry was changed.
pub fn disclose(json: &str, key: &PersonKey, names: &[PersonalName]) -> Result<Vec<Disclosure>, SealRefusal> {
    Record::read(json)?.disclosures(key, |name| names.contains(name))
}

/// Checks that a stored entry commits to a disclosed field; the answer is that field.
///
/// # Errors
/// When it commits to another value, or to no field of that name.
pub fn check_disclosure(json: &str, disclosure: &Disclosure) -> Result<PersonalField, SealRefusal> {
    Record::read(json)?.holds(disclosure)?;
    Ok(disclosure.field.clone())
}
