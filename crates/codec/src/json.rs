//! JSON with one reading: one document in UTF-8, no name twice in any object, no nesting beyond a limit.
//!
//! RFC 8259 section 4 leaves the meaning of repeated names open, so two readers of one text could see two different amounts;
//! RFC 7493 section 2.3, RFC 7515 section 4, RFC 7517 section 4 and RFC 7519 section 4 forbid them. Three readings stand on one
//! walk over the whole text: a [`document`] whose values stay unread, a value of a known shape ([`parse`]), and an [`Object`]
//! whose members are asked for one by one.

use std::{borrow::Cow, cell::Cell, collections::HashSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

/// Upper bound on the members of one object that is read as an [`Object`]. Our objects have about a dozen; looking one up searches the list
/// from its beginning.
const MEMBERS_MAX: usize = 64;

/// Reason why bytes are not the JSON that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonRefusal {
    /// The bytes are not one JSON document in UTF-8.
    Malformed,
    /// An object has two members of one name.
    RepeatedName,
    /// A member is missing, unknown, or of another type.
    ShapeWrong,
    /// Objects and lists stand in each other deeper than the reader allows.
    TooDeep,
}

/// Refusal of a text that is not one JSON object with one reading, or of a member that has another type than is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotTheObject;

/// Takes bytes that are one JSON document with one reading, at most `depth_max` objects and lists in each other, and returns the text
/// unread.
///
/// # Errors
/// The first rule that the bytes break; never [`JsonRefusal::ShapeWrong`].
pub fn document(bytes: &[u8], depth_max: usize) -> Result<&RawValue, JsonRefusal> {
    walk(bytes, Bounds { depth_max, members_max: usize::MAX })?;
    serde_json::from_slice(bytes).map_err(|_| JsonRefusal::Malformed)
}

/// Reads bytes that are one JSON document with one reading, at most `depth_max` objects and lists in each other, as one `T`.
///
/// # Errors
/// The first rule that the bytes break; [`JsonRefusal::ShapeWrong`] for a document that is no `T`.
pub fn parse<T: DeserializeOwned>(bytes: &[u8], depth_max: usize) -> Result<T, JsonRefusal> {
    // SECURITY: serde alone notices repetition only among members that it knows, so the whole is walked first.
    walk(bytes, Bounds { depth_max, members_max: usize::MAX })?;
    serde_json::from_slice(bytes).map_err(|_| JsonRefusal::ShapeWrong)
}

/// One JSON object: its members in their order, their values unread.
#[derive(Debug)]
pub struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    /// Reads `text`, which must be exactly one object with one reading, at most `depth_max` objects and lists in each other, each object
    /// with at most 64 members.
    ///
    /// # Errors
    /// [`NotTheObject`] for any other text.
    pub fn parse(text: &'a str, depth_max: usize) -> Result<Self, NotTheObject> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let members = InOrder { members_max: MEMBERS_MAX }.deserialize(&mut reader).map_err(|_| NotTheObject)?;
        reader.end().map_err(|_| NotTheObject)?;
        // SECURITY: two readers may take different ones of two members of one name, here and in what stands inside.
        let repeated = |at: usize, name: &str| members.iter().take(at).any(|(before, _)| before == name);
        if members.iter().enumerate().any(|(at, (name, _))| repeated(at, name)) {
            return Err(NotTheObject);
        }
        // The object itself is the first level, so its values have one level less.
        let inside = Bounds { depth_max: depth_max.checked_sub(1).ok_or(NotTheObject)?, members_max: MEMBERS_MAX };
        members.iter().try_for_each(|(_, value)| walk(value.get().as_bytes(), inside)).map_err(|_| NotTheObject)?;
        Ok(Self(members))
    }

    /// Reads an object from bytes, which must be UTF-8, as [`Self::parse`] does.
    ///
    /// # Errors
    /// [`NotTheObject`] for bytes that are not UTF-8 and for every text that [`Self::parse`] refuses.
    pub fn from_bytes(bytes: &'a [u8], depth_max: usize) -> Result<Self, NotTheObject> {
        Self::parse(std::str::from_utf8(bytes).map_err(|_| NotTheObject)?, depth_max)
    }

    /// Tells whether the object has a member of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    /// Returns the value of a member as it is written; `None` when the object has no such member.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.get())
    }

    /// Returns all members in their order: names without escapes, values as they are written.
    pub fn into_members(self) -> impl Iterator<Item = (Cow<'a, str>, &'a str)> {
        self.0.into_iter().map(|(name, value)| (name, value.get()))
    }

    /// Reads a member that may be absent but not of another type; `null` is another type.
    ///
    /// # Errors
    /// [`NotTheObject`] when the value is of another type.
    pub fn optional<T: Deserialize<'a>>(&self, name: &str) -> Result<Option<T>, NotTheObject> {
        self.raw(name).map(serde_json::from_str).transpose().map_err(|_| NotTheObject)
    }

    /// Reads a member that must be there.
    ///
    /// # Errors
    /// [`NotTheObject`] when the member is absent, or its value is of another type.
    pub fn required<T: Deserialize<'a>>(&self, name: &str) -> Result<T, NotTheObject> {
        self.optional(name)?.ok_or(NotTheObject)
    }

    /// Reads a text that may be absent.
    ///
    /// # Errors
    /// [`NotTheObject`] when the value is no text.
    pub fn optional_text(&self, name: &str) -> Result<Option<Cow<'a, str>>, NotTheObject> {
        Ok(self.optional::<Text<'a>>(name)?.map(|text| text.0))
    }

    /// Reads a text that must be there.
    ///
    /// # Errors
    /// [`NotTheObject`] when the member is absent, or its value is no text.
    pub fn text(&self, name: &str) -> Result<Cow<'a, str>, NotTheObject> {
        self.optional_text(name)?.ok_or(NotTheObject)
    }
}

/// Lists the members of an object that stands in a [`document`], in their order, values unread. `None` when the value is no object.
#[must_use]
pub fn members(value: &RawValue) -> Option<Vec<(Cow<'_, str>, &RawValue)>> {
    InOrder { members_max: usize::MAX }.deserialize(&mut serde_json::Deserializer::from_str(value.get())).ok()
}

/// Lists the elements of a list that stands in a [`document`], unread. `None` when the value is no list.
#[must_use]
pub fn elements(value: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(value.get()).ok()
}

/// Text that is borrowed from the document where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Bounds on what is read of one document.
#[derive(Clone, Copy)]
struct Bounds {
    depth_max: usize,
    members_max: usize,
}

/// Reads all of `bytes` by the bounds and keeps nothing.
fn walk(bytes: &[u8], bounds: Bounds) -> Result<(), JsonRefusal> {
    let broken = Cell::new(JsonRefusal::Malformed);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    Walk { depth_left: bounds.depth_max, members_max: bounds.members_max, broken: &broken }
        .deserialize(&mut reader)
        .map_err(|_| broken.get())?;
    reader.end().map_err(|_| JsonRefusal::Malformed)
}

/// Visitor of every value, which keeps none.
#[derive(Clone, Copy)]
struct Walk<'a> {
    depth_left: usize,
    members_max: usize,
    /// Rule of ours that the document broke; stays [`JsonRefusal::Malformed`] when it broke a rule of JSON itself.
    broken: &'a Cell<JsonRefusal>,
}

impl Walk<'_> {
    fn inside<E: Error>(self) -> Result<Self, E> {
        let Some(depth_left) = self.depth_left.checked_sub(1) else {
            self.broken.set(JsonRefusal::TooDeep);
            return Err(E::custom("too deep"));
        };
        Ok(Self { depth_left, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON with one reading")
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
        let inside = self.inside()?;
        while items.next_element_seed(inside)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let inside = self.inside()?;
        let mut names = HashSet::new();
        while let Some(Text(name)) = members.next_key::<Text<'de>>()? {
            if names.len() >= self.members_max {
                return Err(A::Error::custom("too many members"));
            }
            if !names.insert(name) {
                self.broken.set(JsonRefusal::RepeatedName);
                return Err(A::Error::custom("a name stands twice"));
            }
            members.next_value_seed(inside)?;
        }
        Ok(())
    }
}

/// Visitor that reads one object as its members in their order, values unread.
struct InOrder {
    members_max: usize,
}

impl<'de> DeserializeSeed<'de> for InOrder {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for InOrder {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Self::Value = Vec::with_capacity(8);
        while let Some((Text(name), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
            if members.len() >= self.members_max {
                return Err(A::Error::custom("too many members"));
            }
            members.push((name, value));
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DEPTH_MAX: usize = 64;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Shape {
        name: String,
        #[serde(default)]
        inner: Option<Box<RawValue>>,
    }

    #[test]
    fn one_reading_or_none() {
        let deepest = format!("{}{}", "[".repeat(DEPTH_MAX), "]".repeat(DEPTH_MAX));
        let deeper = format!("[{deepest}]");
        let rows: &[(&str, &str, Result<(), JsonRefusal>)] = &[
            ("an object", r#"{"a":1,"b":[true,null,"x",1.5]}"#, Ok(())),
            ("a name twice", r#"{"a":1,"a":2}"#, Err(JsonRefusal::RepeatedName)),
            ("a name twice, escaped", r#"{"a":1,"\u0061":2}"#, Err(JsonRefusal::RepeatedName)),
            ("a name twice, deeper", r#"{"x":[{"a":1,"a":2}]}"#, Err(JsonRefusal::RepeatedName)),
            ("one name at two depths", r#"{"a":{"a":1}}"#, Ok(())),
            ("the deepest", &deepest, Ok(())),
            ("one too deep", &deeper, Err(JsonRefusal::TooDeep)),
            ("two documents", "{} {}", Err(JsonRefusal::Malformed)),
            ("nothing", "", Err(JsonRefusal::Malformed)),
        ];
        for (name, text, expected) in rows {
            assert_eq!(document(text.as_bytes(), DEPTH_MAX).map(|_| ()), *expected, "{name}");
        }
        assert_eq!(document(b"\"\xff\"", DEPTH_MAX).map(|_| ()), Err(JsonRefusal::Malformed), "not UTF-8");
    }

    #[test]
    fn documents_are_read_strictly() {
        let nested = |depth: usize| format!(r#"{{"name":"a","inner":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        let (deepest, too_deep) = (nested(DEPTH_MAX - 1), nested(DEPTH_MAX));
        let rows: &[(&str, &[u8], Result<(), JsonRefusal>)] = &[
            ("all fits", br#"{"name":"a"}"#, Ok(())),
            ("space around", b" {\"name\":\"a\"}\r\n", Ok(())),
            ("the deepest", deepest.as_bytes(), Ok(())),
            ("one deeper", too_deep.as_bytes(), Err(JsonRefusal::TooDeep)),
            ("nothing", b"", Err(JsonRefusal::Malformed)),
            ("cut short", br#"{"name":"a""#, Err(JsonRefusal::Malformed)),
            ("two documents", br#"{"name":"a"}{}"#, Err(JsonRefusal::Malformed)),
            ("a byte order mark", b"\xef\xbb\xbf{\"name\":\"a\"}", Err(JsonRefusal::Malformed)),
            ("no UTF-8", b"{\"name\":\"\xff\"}", Err(JsonRefusal::Malformed)),
            ("a lone surrogate", br#"{"name":"\ud800"}"#, Err(JsonRefusal::Malformed)),
            ("a name twice", br#"{"name":"a","name":"a"}"#, Err(JsonRefusal::RepeatedName)),
            ("a name twice in other words", br#"{"name":"a","n\u0061me":"a"}"#, Err(JsonRefusal::RepeatedName)),
            ("a name twice inside", br#"{"name":"a","inner":{"x":1,"x":2}}"#, Err(JsonRefusal::RepeatedName)),
            ("an unknown member", br#"{"name":"a","more":1}"#, Err(JsonRefusal::ShapeWrong)),
            ("a missing member", b"{}", Err(JsonRefusal::ShapeWrong)),
            ("another type", br#"{"name":1}"#, Err(JsonRefusal::ShapeWrong)),
            ("an array", b"[]", Err(JsonRefusal::ShapeWrong)),
        ];
        for (name, bytes, expected) in rows {
            assert_eq!(parse::<Shape>(bytes, DEPTH_MAX).map(|_| ()), *expected, "{name}");
        }
        let read = |text: &[u8]| parse::<Shape>(text, DEPTH_MAX).expect("read");
        assert_eq!(read(br#"{"name":"a","inner":[1]}"#).inner.expect("inner").get(), "[1]");
        assert_eq!(read(br#"{"name":"a"}"#).name, "a");
    }

    #[test]
    fn an_object_is_read_strictly() {
        let many = |n: usize| format!("{{{}}}", (0..n).map(|i| format!("\"m{i}\":1")).collect::<Vec<_>>().join(","));
        let (most, too_many) = (many(MEMBERS_MAX), many(MEMBERS_MAX + 1));
        let too_many_inside = format!("{{\"a\":[{too_many}]}}");
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        let (deepest, too_deep) = (nested(DEPTH_MAX - 1), nested(DEPTH_MAX));
        let rows: &[(&str, &str, Result<(), NotTheObject>)] = &[
            ("no members", "{}", Ok(())),
            ("space around", " \n{ \"a\" : 1 }\t", Ok(())),
            ("as many members as are read", &most, Ok(())),
            ("one member more", &too_many, Err(NotTheObject)),
            ("one member more, inside", &too_many_inside, Err(NotTheObject)),
            ("the deepest", &deepest, Ok(())),
            ("one deeper", &too_deep, Err(NotTheObject)),
            ("two of one name", r#"{"a":1,"a":1}"#, Err(NotTheObject)),
            ("two of one name, apart", r#"{"a":1,"b":1,"a":1}"#, Err(NotTheObject)),
            ("two of one name, one escaped", r#"{"a":1,"\u0061":1}"#, Err(NotTheObject)),
            ("two of one name, inside", r#"{"x":[{"a":1,"a":1}]}"#, Err(NotTheObject)),
            ("one name at two depths", r#"{"a":{"a":1}}"#, Ok(())),
            ("a lone surrogate in what nobody asks for", r#"{"a":"\ud800"}"#, Err(NotTheObject)),
            ("more after the end", "{}{}", Err(NotTheObject)),
            ("a comma at the end", r#"{"a":1,}"#, Err(NotTheObject)),
            ("an array", "[]", Err(NotTheObject)),
            ("a text", "\"{}\"", Err(NotTheObject)),
            ("nothing", "", Err(NotTheObject)),
            ("cut off", r#"{"a":"#, Err(NotTheObject)),
            ("a byte order mark", "\u{feff}{}", Err(NotTheObject)),
        ];
        for (name, text, expected) in rows {
            assert_eq!(Object::parse(text, DEPTH_MAX).map(|_| ()), *expected, "{name}");
        }
        assert_eq!(Object::from_bytes(b"{\"a\":\"\xff\"}", DEPTH_MAX).map(|_| ()), Err(NotTheObject), "not UTF-8");
        assert_eq!(Object::parse("{}", 0).map(|_| ()), Err(NotTheObject), "no depth at all");
    }

    #[test]
    fn members_have_their_types() {
        let text = r#"{"text":"a\u0062","null":null,"whole":7,"fraction":7.5,"less":-1,"huge":18446744073709551616}"#;
        let object = Object::parse(text, DEPTH_MAX).expect("an object");
        assert_eq!(object.text("text").as_deref(), Ok("ab"));
        assert_eq!(object.optional_text("absent"), Ok(None));
        assert_eq!(object.text("absent"), Err(NotTheObject));
        assert_eq!(object.optional_text("null"), Err(NotTheObject));
        assert_eq!(object.required::<u64>("whole"), Ok(7));
        assert_eq!(
            Object::parse(r#"{"\u0061": [1] ,"b":"c"}"#, DEPTH_MAX).expect("an object").into_members().collect::<Vec<_>>(),
            [("a".into(), "[1]"), ("b".into(), "\"c\""),]
        );
        for name in ["fraction", "less", "huge", "text", "null"] {
            assert_eq!(object.required::<u64>(name), Err(NotTheObject), "{name}");
        }
    }

    #[test]
    fn what_is_unread_keeps_its_spelling() {
        let read = document(br#"{"b": 1.0 ,"a":[2,"x"]}"#, DEPTH_MAX).expect("a document");
        let found = members(read).expect("an object");
        assert_eq!(found.iter().map(|(name, value)| (&**name, value.get())).collect::<Vec<_>>(), [("b", "1.0"), ("a", r#"[2,"x"]"#)]);
        assert!(elements(read).is_none());
        let (_, list) = found.last().expect("a member");
        assert_eq!(elements(list).expect("a list").iter().map(|value| value.get()).collect::<Vec<_>>(), ["2", "\"x\""]);
        assert!(members(list).is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "[\\[\\]{}\",:0-9a-c ]{0,200}") {
            for bytes in [&bytes[..], text.as_bytes()] {
                let _ = document(bytes, DEPTH_MAX);
                let _ = parse::<Shape>(bytes, DEPTH_MAX);
                let _ = Object::from_bytes(bytes, DEPTH_MAX);
            }
        }

        #[test]
        fn what_is_read_was_written(name in ".{0,40}") {
            let text = serde_json::json!({ "name": name }).to_string();
            prop_assert_eq!(parse::<Shape>(text.as_bytes(), DEPTH_MAX).expect("read").name, name);
        }
    }
}
