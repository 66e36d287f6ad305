//! Reader of a verdict's JSON, member by member: unknown members are noted, repeated members and wrong types are refused.

use std::borrow::Cow;

use countersign_codec::json::{NotTheObject, Object};
use countersign_core::Limits;
use serde::de::DeserializeOwned;

use crate::play::refusal::VerdictRefusal;

/// Paths of unknown members. Bounded in number and length, because the sender chooses the names.
#[derive(Debug, Default)]
pub(super) struct Unknown(Vec<String>);

impl Unknown {
    fn note(&mut self, path: &str, name: &str) {
        if self.0.len() < Limits::VERDICT_UNKNOWN_MEMBERS_MAX {
            self.0.push(format!("{path}{name}").chars().scan(0_usize, fitting).collect());
        }
    }

    pub(super) fn into_names(self) -> Vec<String> {
        self.0
    }
}

fn fitting(bytes: &mut usize, next: char) -> Option<char> {
    *bytes = bytes.saturating_add(next.len_utf8());
    (*bytes <= Limits::VERDICT_UNKNOWN_MEMBER_BYTES_MAX).then_some(next)
}

/// An object from which members are taken one by one; what is left at the end is unknown.
pub(super) struct Group<'a> {
    /// Path of the object with a `.` at the end; empty for the outermost.
    path: String,
    left: Vec<(Cow<'a, str>, &'a str)>,
}

impl<'a> Group<'a> {
    /// Parses the outermost object. Everything in it must have one reading, also members that nobody reads, so that a text that another
    /// reader could understand differently is refused.
    pub(super) fn outermost(text: &'a str) -> Result<Self, VerdictRefusal> {
        Self::open(String::new(), text).map_err(|NotTheObject| VerdictRefusal::NotTheObject)
    }

    fn open(path: String, text: &'a str) -> Result<Self, NotTheObject> {
        Ok(Self { path, left: Object::parse(text, Limits::VERDICT_DEPTH_MAX)?.into_members().collect() })
    }

    /// The same group with paths that begin here, so that a payload gives the same paths alone and inside Google's answer.
    pub(super) fn rebased(self) -> Self {
        Self { path: String::new(), ..self }
    }

    /// Takes a member that is an object.
    pub(super) fn group(&mut self, name: &'static str) -> Result<Option<Self>, VerdictRefusal> {
        let path = format!("{}{name}.", self.path);
        let open = |text| Self::open(path, text).map_err(|NotTheObject| VerdictRefusal::FieldMalformed { field: name });
        self.take(name).map(open).transpose()
    }

    /// Takes a member that is a text.
    pub(super) fn text(&mut self, name: &'static str) -> Result<Option<String>, VerdictRefusal> {
        self.value(name)
    }

    /// Takes a member that is `true` or `false`.
    pub(super) fn flag(&mut self, name: &'static str) -> Result<Option<bool>, VerdictRefusal> {
        self.value(name)
    }

    /// Takes a member that is a list of texts, at most 32 of them.
    pub(super) fn texts(&mut self, name: &'static str) -> Result<Option<Vec<String>>, VerdictRefusal> {
        let texts: Option<Vec<String>> = self.value(name)?;
        if texts.as_ref().is_some_and(|texts| texts.len() > Limits::VERDICT_VALUES_MAX) {
            return Err(VerdictRefusal::TooMany { field: name });
        }
        Ok(texts)
    }

    /// Takes a member that is a whole number, written as a number or as a text of digits, as 64-bit numbers in JSON mostly are.
    pub(super) fn number(&mut self, name: &'static str) -> Result<Option<u64>, VerdictRefusal> {
        let malformed = VerdictRefusal::FieldMalformed { field: name };
        let Some(raw) = self.take(name) else { return Ok(None) };
        if !raw.starts_with('"') {
            return serde_json::from_str(raw).map(Some).map_err(|_| malformed);
        }
        let digits: String = serde_json::from_str(raw).map_err(|_| malformed)?;
        // Rust's parser would accept `+1` and `007`; Google writes neither.
        let canonical = digits == "0" || !digits.starts_with(['0', '+']);
        if !canonical {
            return Err(malformed);
        }
        digits.parse().map(Some).map_err(|_| malformed)
    }

    /// Notes the members that are left as unknown.
    pub(super) fn close(self, unknown: &mut Unknown) {
        self.left.iter().for_each(|(name, _)| unknown.note(&self.path, name));
    }

    fn value<T: DeserializeOwned>(&mut self, name: &'static str) -> Result<Option<T>, VerdictRefusal> {
        self.take(name).map(serde_json::from_str).transpose().map_err(|_| VerdictRefusal::FieldMalformed { field: name })
    }

    fn take(&mut self, name: &str) -> Option<&'a str> {
        let at = self.left.iter().position(|(known, _)| known == name)?;
        Some(self.left.remove(at).1)
    }
}
