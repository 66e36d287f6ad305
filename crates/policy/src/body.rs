//! Body of an operation: the members that it may have, and the fields of it that policies look at.
//!
//! A body with two readings is refused: members that some reader takes for one field ([`folded`]), spellings other than the declared one,
//! and, unless the operation says `open`, members that nobody declared. What a policy did not see is then nothing that the API sees.

use std::{
    cell::Cell,
    collections::{BTreeMap, HashSet},
    fmt,
};

use countersign_codec::json::members;
use countersign_core::{FieldValue, Limits, Reason};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::{
    folding::folded,
    json,
    source::{FieldKind, FieldSpec, Presence},
};

/// Greatest whole number that every reader of JSON holds exactly: 2^53 - 1 (RFC 7493 section 2.2, RFC 8259 section 6).
const EXACT: i64 = 9_007_199_254_740_991;

/// Statement whether a body may have members that the operation does not declare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OtherMembers {
    /// Undeclared members are refused.
    #[default]
    Closed,
    /// Undeclared members pass, unless a reader could take one for a declared member.
    Open,
}

/// Body that an operation does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyRefusal {
    /// The rule that it breaks.
    pub reason: Reason,
    /// JSON pointer to the member that breaks it; empty for the document as a whole.
    pub at: String,
}

impl BodyRefusal {
    const fn whole(reason: Reason) -> Self {
        Self { reason, at: String::new() }
    }

    fn at(reason: Reason, parent: &str, name: &str) -> Self {
        Self { reason, at: below(parent, name) }
    }
}

/// Fault in the declared fields of a body. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShapeProblem {
    /// Two fields stand at one place, or one inside the other, or a reader could take one for the other.
    Collision,
    /// A step of the pointer is the place of an element in a list; policies see members of objects only.
    InList,
}

/// Declared members of a body.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    root: Object,
    others: OtherMembers,
}

/// Members of one object, by their exact names.
#[derive(Clone, Debug, Default)]
struct Object(BTreeMap<String, Member>);

#[derive(Clone, Debug)]
enum Member {
    /// A field, with its name in policies.
    Field(String, FieldSpec),
    /// An object on the way to fields.
    Inside(Object),
}

impl Shape {
    /// Puts the declared fields together.
    ///
    /// # Errors
    /// The name of the first field that has no place of its own.
    pub(crate) fn new(fields: &BTreeMap<String, FieldSpec>, others: OtherMembers) -> Result<Self, (String, ShapeProblem)> {
        let mut root = Object::default();
        for (name, spec) in fields {
            root.insert(name, spec, &json::steps(&spec.pointer)).map_err(|problem| (name.clone(), problem))?;
        }
        Ok(Self { root, others })
    }

    /// Reads the fields that policies look at.
    ///
    /// # Errors
    /// The first rule that the body breaks, and where.
    pub(crate) fn read(&self, body: &[u8]) -> Result<BTreeMap<String, FieldValue>, BodyRefusal> {
        // Before parsing, whose cost grows with the size.
        if body.len() > Limits::PARSED_BODY_BYTES_MAX {
            return Err(BodyRefusal::whole(Reason::BodyTooLarge));
        }
        let document = json::strict(body).map_err(|_| BodyRefusal::whole(Reason::BodyMalformed))?;
        if self.others == OtherMembers::Closed {
            // What no policy looks at has one reading too: its members may be of use to the API only.
            distinct(document)?;
        }
        let mut fields = BTreeMap::new();
        self.object(&self.root, document, "", &mut fields)?;
        Ok(fields)
    }

    fn object(&self, declared: &Object, value: &RawValue, at: &str, fields: &mut BTreeMap<String, FieldValue>) -> Result<(), BodyRefusal> {
        // SECURITY: some readers take the only element of a list for the object itself, so that anything but an object is refused.
        let found = members(value).ok_or_else(|| BodyRefusal { reason: Reason::BodyFieldInvalid, at: at.to_owned() })?;
        let (mut forms, mut present) = (HashSet::new(), HashSet::new());
        for (name, value) in &found {
            let form = folded(name);
            let known = declared.0.get(&**name);
            if known.is_none() && declared.0.keys().any(|declared| folded(declared) == form) || !forms.insert(form) {
                return Err(BodyRefusal::at(Reason::BodyMemberAmbiguous, at, name));
            }
            match known {
                None if self.others == OtherMembers::Closed => return Err(BodyRefusal::at(Reason::BodyMemberUndeclared, at, name)),
                None => {}
                // A member that is `null` counts as absent: whether it may be is asked below.
                Some(Member::Inside(_)) if value.get() == "null" => {}
                Some(Member::Inside(inside)) => {
                    present.insert(name.to_string());
                    self.object(inside, value, &below(at, name), fields)?;
                }
                Some(Member::Field(_, spec)) if value.get() == "null" && spec.kind != FieldKind::Any => {}
                Some(Member::Field(field, spec)) => {
                    present.insert(name.to_string());
                    let read = read(value.get(), spec.kind).ok_or_else(|| BodyRefusal::at(Reason::BodyFieldInvalid, at, name))?;
                    fields.extend(read.map(|value| (field.clone(), value)));
                }
            }
        }
        let missing = declared.0.iter().find_map(|(name, member)| if present.contains(name) { None } else { member.required(name) });
        missing.map_or(Ok(()), |path| Err(BodyRefusal { reason: Reason::BodyFieldInvalid, at: format!("{at}{path}") }))
    }
}

impl Object {
    fn insert(&mut self, name: &str, spec: &FieldSpec, steps: &[String]) -> Result<(), ShapeProblem> {
        let Some((step, rest)) = steps.split_first() else { return Err(ShapeProblem::Collision) };
        // RFC 6901 section 4: digits, or `-`, name an element of a list, and a list's elements have no names that policies could give.
        if step == "-" || (!step.is_empty() && step.bytes().all(|b| b.is_ascii_digit())) {
            return Err(ShapeProblem::InList);
        }
        let form = folded(step);
        if form.is_empty() || self.0.keys().any(|known| known != step && folded(known) == form) {
            return Err(ShapeProblem::Collision);
        }
        match (self.0.get_mut(step), rest.is_empty()) {
            (None, true) => drop(self.0.insert(step.clone(), Member::Field(name.to_owned(), spec.clone()))),
            (None, false) => {
                let mut inside = Self::default();
                inside.insert(name, spec, rest)?;
                self.0.insert(step.clone(), Member::Inside(inside));
            }
            (Some(Member::Inside(inside)), false) => inside.insert(name, spec, rest)?,
            (Some(Member::Field(..)), _) | (Some(Member::Inside(_)), true) => return Err(ShapeProblem::Collision),
        }
        Ok(())
    }
}

impl Member {
    /// Path of the first field that must be present, if there is one here or below.
    fn required(&self, name: &str) -> Option<String> {
        match self {
            Self::Field(_, spec) => (spec.presence == Presence::Required).then(|| below("", name)),
            Self::Inside(Object(members)) => {
                members.iter().find_map(|(inside, member)| member.required(inside)).map(|path| format!("{}{path}", below("", name)))
            }
        }
    }
}

/// JSON pointer to a member (RFC 6901 section 3). No longer than a refusal needs: the name is whatever a client sent.
fn below(parent: &str, name: &str) -> String {
    let name: String = name.chars().take(Limits::NAMED_MEMBER_CHARS_MAX).collect();
    format!("{parent}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// The value of a field, `Some(None)` for one that policies do not see, `None` for one of another type.
fn read(text: &str, kind: FieldKind) -> Option<Option<FieldValue>> {
    match kind {
        FieldKind::Any => Some(None),
        FieldKind::Bool => serde_json::from_str(text).ok().map(|value| Some(FieldValue::Bool(value))),
        FieldKind::Long => whole(text).map(|value| Some(FieldValue::Long(value))),
        FieldKind::Text => {
            // A reader written in C ends a text at its first NUL.
            let fits = |text: &String| text.len() <= Limits::TEXT_FIELD_BYTES_MAX && !text.contains('\0');
            serde_json::from_str::<String>(text).ok().filter(fits).map(|value| Some(FieldValue::Text(value)))
        }
    }
}

/// A whole number that every reader reads alike: `1.0` and `1e2` are other spellings of whole numbers, `-0` is another number than `0` to
/// some, and beyond 2^53 many readers round.
fn whole(text: &str) -> Option<i64> {
    if text == "-0" || !text.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
        return None;
    }
    text.parse().ok().filter(|number| (-EXACT..=EXACT).contains(number))
}

/// Walks the whole document, whose objects must each have members of distinct normal forms.
fn distinct(document: &RawValue) -> Result<(), BodyRefusal> {
    let at = Cell::new(None);
    let mut reader = serde_json::Deserializer::from_str(document.get());
    match Distinct(&at).deserialize(&mut reader) {
        Ok(()) => Ok(()),
        // Nothing else can be wrong with a document that was read before.
        Err(_) => Err(BodyRefusal { reason: Reason::BodyMemberAmbiguous, at: at.take().unwrap_or_default() }),
    }
}

/// Visitor of every object.
#[derive(Clone, Copy)]
struct Distinct<'a>(&'a Cell<Option<String>>);

impl<'de> DeserializeSeed<'de> for Distinct<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Distinct<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut forms = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            if !forms.insert(folded(&name)) {
                self.0.set(Some(below("", &name)));
                return Err(A::Error::custom("two members that a reader could take for one"));
            }
            members
                .next_value_seed(self)
                .inspect_err(|_| self.0.set(self.0.take().map(|inside| format!("{}{inside}", below("", &name)))))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shape(others: OtherMembers) -> Shape {
        let spec = |(name, text): (&str, &str)| (name.to_owned(), FieldSpec::parse(text).expect("a field"));
        let fields = [
            ("amount", "long /amount"),
            ("note", "text? /note"),
            ("urgent", "bool? /urgent"),
            ("to", "any? /to"),
            ("token", "text? /order/push_token"),
        ];
        Shape::new(&fields.into_iter().map(spec).collect(), others).expect("sound")
    }

    fn read(others: OtherMembers, body: &str) -> Result<Vec<String>, (&'static str, String)> {
        let told = |refusal: BodyRefusal| {
            let code = Reason::ALL.iter().find(|reason| **reason == refusal.reason).map_or("", |reason| reason.code());
            (code, refusal.at)
        };
        shape(others).read(body.as_bytes()).map(|fields| fields.into_keys().collect()).map_err(told)
    }

    /// One row for each way in which another reader could see another body than policies did.
    #[test]
    fn a_body_has_one_reading_or_none() {
        use OtherMembers::{Closed, Open};
        const AMBIGUOUS: &str = "body_member_ambiguous";
        const FIELD: &str = "body_field_invalid";
        const MALFORMED: &str = "body_malformed";
        const UNDECLARED: &str = "body_member_undeclared";
        let amount = || Ok(vec!["amount"]);
        let no = |code, at| Err((code, at));
        let rows: Vec<(&str, OtherMembers, &str, Result<Vec<&str>, (&str, &str)>)> = vec![
            (
                "all that is declared",
                Closed,
                r#"{"amount":5,"note":"x","urgent":true,"to":[1.5],"order":{"push_token":"t"}}"#,
                Ok(vec!["amount", "note", "token", "urgent"]),
            ),
            ("what must be there", Closed, r#"{"amount":5}"#, amount()),
            ("an object without what may be absent", Closed, r#"{"amount":5,"order":{}}"#, amount()),
            // Members that some binder takes for a declared one.
            ("both spellings", Closed, r#"{"amount":5,"Amount":5000}"#, no(AMBIGUOUS, "/Amount")),
            ("both spellings, the other first", Closed, r#"{"Amount":5000,"amount":5}"#, no(AMBIGUOUS, "/amount")),
            ("both spellings of an open body", Open, r#"{"amount":5,"AMOUNT":5000}"#, no(AMBIGUOUS, "/AMOUNT")),
            ("another spelling alone", Closed, r#"{"Amount":5000}"#, no(AMBIGUOUS, "/Amount")),
            ("another spelling of an optional field alone", Closed, r#"{"amount":5,"Note":"x"}"#, no(AMBIGUOUS, "/Note")),
            ("the same, open", Open, r#"{"amount":5,"no_te":"x"}"#, no(AMBIGUOUS, "/no_te")),
            ("a hyphen", Open, r#"{"amount":5,"a-mount":5000}"#, no(AMBIGUOUS, "/a-mount")),
            ("an escape in the other spelling", Open, r#"{"amount":5,"\u0041mount":5000}"#, no(AMBIGUOUS, "/Amount")),
            ("a NUL behind the name", Open, r#"{"amount":5,"amount\u0000":5000}"#, no(AMBIGUOUS, "/amount\0")),
            ("a blank before the name", Open, r#"{"amount":5," amount":5000}"#, no(AMBIGUOUS, "/ amount")),
            ("the Kelvin sign", Open, "{\"amount\":5,\"order\":{\"push_to\u{212a}en\":\"t\"}}", no(AMBIGUOUS, "/order/push_to\u{212a}en")),
            ("the object's own name", Open, r#"{"amount":5,"Order":{"push_token":"t"}}"#, no(AMBIGUOUS, "/Order")),
            ("camel case below", Open, r#"{"amount":5,"order":{"pushToken":"t"}}"#, no(AMBIGUOUS, "/order/pushToken")),
            ("a name twice", Open, r#"{"amount":5,"amount":5000}"#, no(MALFORMED, "")),
            // Members that nobody declared.
            ("an undeclared member", Closed, r#"{"amount":5,"other":true}"#, no(UNDECLARED, "/other")),
            ("an undeclared member below", Closed, r#"{"amount":5,"order":{"x":1}}"#, no(UNDECLARED, "/order/x")),
            ("an undeclared member of an open body", Open, r#"{"amount":5,"other":true,"order":{"x":1}}"#, amount()),
            ("two of them that collide on the way", Open, r#"{"amount":5,"x":1,"X":2}"#, no(AMBIGUOUS, "/X")),
            ("two of them that collide on the way, below", Open, r#"{"amount":5,"order":{"x":1,"_x":2}}"#, no(AMBIGUOUS, "/order/_x")),
            ("two that collide elsewhere, open", Open, r#"{"amount":5,"other":{"x":1,"X":2}}"#, amount()),
            (
                "two that collide in what policies do not see",
                Closed,
                r#"{"amount":5,"to":[{"iban":1,"IBAN":2}]}"#,
                no(AMBIGUOUS, "/to/IBAN"),
            ),
            ("any members in what policies do not see", Closed, r#"{"amount":5,"to":{"Amount":1,"x":{"amount":2}}}"#, amount()),
            // Values in the place of an object.
            ("the document in a list", Closed, r#"[{"amount":5}]"#, no(FIELD, "")),
            ("an object in a list", Open, r#"{"amount":5,"order":[{"push_token":"t"}]}"#, no(FIELD, "/order")),
            ("a text in the place of an object", Open, r#"{"amount":5,"order":"{}"}"#, no(FIELD, "/order")),
            // Absent, and `null`.
            ("no amount", Closed, "{}", no(FIELD, "/amount")),
            ("an amount that is null", Closed, r#"{"amount":null}"#, no(FIELD, "/amount")),
            ("a note that is null", Closed, r#"{"amount":5,"note":null}"#, amount()),
            ("a flag that is null", Closed, r#"{"amount":5,"urgent":null}"#, amount()),
            ("an object that is null", Closed, r#"{"amount":5,"order":null}"#, amount()),
            ("what policies do not see is null", Closed, r#"{"amount":5,"to":null}"#, amount()),
            // Whole numbers: RFC 8259 section 6, RFC 7493 section 2.2.
            ("the largest that all read alike", Closed, r#"{"amount":9007199254740991}"#, amount()),
            ("one beyond it", Closed, r#"{"amount":9007199254740992}"#, no(FIELD, "/amount")),
            ("the smallest", Closed, r#"{"amount":-9007199254740991}"#, amount()),
            ("one below it", Closed, r#"{"amount":-9007199254740992}"#, no(FIELD, "/amount")),
            ("beyond 64 bits", Closed, r#"{"amount":18446744073709551621}"#, no(FIELD, "/amount")),
            ("no amount at all", Closed, r#"{"amount":0}"#, amount()),
            ("minus zero", Closed, r#"{"amount":-0}"#, no(FIELD, "/amount")),
            ("a fraction", Closed, r#"{"amount":5.0}"#, no(FIELD, "/amount")),
            ("an exponent", Closed, r#"{"amount":5e3}"#, no(FIELD, "/amount")),
            ("a capital exponent", Closed, r#"{"amount":5E0}"#, no(FIELD, "/amount")),
            ("zeros in front", Closed, r#"{"amount":05}"#, no(MALFORMED, "")),
            ("a plus", Closed, r#"{"amount":+5}"#, no(MALFORMED, "")),
            ("not a number", Closed, r#"{"amount":NaN}"#, no(MALFORMED, "")),
            // Other types.
            ("a number as a text", Closed, r#"{"amount":"5"}"#, no(FIELD, "/amount")),
            ("a number in a list", Closed, r#"{"amount":[5]}"#, no(FIELD, "/amount")),
            ("a text that is a number", Closed, r#"{"amount":5,"note":1}"#, no(FIELD, "/note")),
            ("a flag that is a number", Closed, r#"{"amount":5,"urgent":1}"#, no(FIELD, "/urgent")),
            ("a flag that is a text", Closed, r#"{"amount":5,"urgent":"true"}"#, no(FIELD, "/urgent")),
            ("a text with a NUL", Closed, r#"{"amount":5,"note":"a\u0000b"}"#, no(FIELD, "/note")),
            ("half a surrogate pair", Closed, r#"{"amount":5,"note":"\ud800"}"#, no(MALFORMED, "")),
            // Other documents.
            ("no JSON", Closed, "amount=5", no(MALFORMED, "")),
            ("a byte order mark", Closed, "\u{feff}{\"amount\":5}", no(MALFORMED, "")),
            ("comments", Closed, r#"{"amount":5/*,"amount":6*/}"#, no(MALFORMED, "")),
            ("a comma at the end", Closed, r#"{"amount":5,}"#, no(MALFORMED, "")),
            ("single quotes", Closed, "{'amount':5}", no(MALFORMED, "")),
            ("two documents", Closed, r#"{"amount":5}{"amount":6}"#, no(MALFORMED, "")),
            ("nothing", Closed, "", no(MALFORMED, "")),
        ];
        for (name, others, body, expected) in rows {
            let expected = expected.map(|names| names.into_iter().map(String::from).collect()).map_err(|(code, at)| (code, at.to_owned()));
            assert_eq!(read(others, body), expected, "{name}");
        }
    }

    #[test]
    fn only_utf8_is_read() {
        let utf16 = |to: fn(u16) -> [u8; 2]| r#"{"amount":5}"#.encode_utf16().flat_map(to).collect::<Vec<_>>();
        for bytes in [utf16(u16::to_be_bytes), utf16(u16::to_le_bytes), b"{\"amount\":5,\"note\":\"\xff\"}".to_vec()] {
            assert_eq!(shape(OtherMembers::Open).read(&bytes).map_err(|refusal| refusal.reason), Err(Reason::BodyMalformed));
        }
        let long = vec![b' '; Limits::PARSED_BODY_BYTES_MAX + 1];
        assert_eq!(shape(OtherMembers::Open).read(&long).map_err(|refusal| refusal.reason), Err(Reason::BodyTooLarge));
    }

    #[test]
    fn what_a_refusal_repeats_is_short() {
        let (_, at) = read(OtherMembers::Closed, &format!(r#"{{"amount":5,"{}":1}}"#, "x/".repeat(5000))).expect_err("undeclared");
        assert!(at.len() < 2 * Limits::NAMED_MEMBER_CHARS_MAX, "{at}");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "[\\[\\]{}\",:0-9a-cA_. -]{0,100}") {
            for others in [OtherMembers::Closed, OtherMembers::Open] {
                let _ = shape(others).read(&bytes);
                let _ = shape(others).read(text.as_bytes());
            }
        }

        /// Whatever another reader takes for the amount, policies have seen, or the body is refused.
        #[test]
        fn no_second_amount_passes(name in "[aA][mM][oO_-]{1,3}[uU][nN][tT]", open: bool) {
            let others = if open { OtherMembers::Open } else { OtherMembers::Closed };
            let body = format!(r#"{{"amount":5,"{name}":5000}}"#);
            let expected = folded(&name) == "amount";
            prop_assert_eq!(read(others, &body).is_ok(), !expected && open, "{}", body);
        }
    }
}
