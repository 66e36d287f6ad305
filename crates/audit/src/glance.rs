//! A look at the public beginning of an entry, for whoever goes through a long log for one kind of event: nothing is allocated, and only
//! what is wanted is read whole.

use std::fmt;

use countersign_core::UnixMillis;
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};

use crate::choices::EventKind;

/// When something happened, and what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glance {
    /// When it happened.
    pub at: UnixMillis,
    /// What happened.
    pub kind: EventKind,
}

/// The members that are looked at; the others are passed over.
#[derive(Deserialize)]
struct Members {
    at: u64,
    event: Kind,
}

/// The kind of an event: a word in format 1, the name of its only member in format 2.
struct Kind(EventKind);

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Kind, E> {
        let known = EventKind::ALL.iter().copied().find(|kind| kind.as_str() == word);
        known.map(Kind).ok_or_else(|| E::custom("an event that the log does not have"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Kind, A::Error> {
        let Some((EventKindWord(kind), IgnoredAny)) = members.next_entry()? else {
            return Err(A::Error::custom("an event without a kind"));
        };
        Ok(Kind(kind))
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct EventKindWord(EventKind);

impl Glance {
    /// Looks at an entry of whichever format; `None` when it is none.
    #[must_use]
    pub fn read(json: &str) -> Option<Self> {
        let Members { at, event: Kind(kind) } = serde_json::from_str(json).ok()?;
        Some(Self { at: UnixMillis(at), kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        record::Record,
        samples::{entry, person_key, seal_bytes},
        seal::seal,
    };

    #[test]
    fn a_glance_sees_what_a_reader_reads() {
        let second = seal(&entry(1), Some(&person_key(1)), &seal_bytes(9)).expect("sealed");
        let first = r#"{"at":5,"decision":"D-1","event":"device_enrolled","outcome":"deny","reasons":["chain_broken"]}"#;
        for json in [second.as_str(), first] {
            let read = Record::read(json).expect("an entry");
            assert_eq!(Glance::read(json), Some(Glance { at: read.at, kind: read.event.kind() }));
        }
        for bad in ["", "{}", r#"{"at":5,"event":{}}"#, r#"{"at":5,"event":"moon_landing"}"#, r#"{"at":5,"event":{"moon_landing":{}}}"#] {
            assert_eq!(Glance::read(bad), None, "{bad}");
        }
    }
}
