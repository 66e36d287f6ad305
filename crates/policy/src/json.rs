//! JSON with one reading: one document, no name twice in an object, no depth without end (RFC 8259 section 4 leaves the
//! meaning of repeated names open, so two readers of one body could see two different amounts).

use std::{borrow::Cow, collections::HashSet, fmt};

use countersign_core::Limits;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

/// A document that is not JSON with one reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonRefusal;

/// Takes a document that is one strict JSON text in UTF-8.
///
/// # Errors
/// When it is not, repeats a name, or nests deeper than [`Limits::JSON_DEPTH_MAX`].
pub fn strict(bytes: &[u8]) -> Result<&RawValue, JsonRefusal> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    Strict { depth_left: Limits::JSON_DEPTH_MAX }.deserialize(&mut reader).map_err(|_| JsonRefusal)?;
    reader.end().map_err(|_| JsonRefusal)?;
    serde_json::from_slice(bytes).map_err(|_| JsonRefusal)
}

/// Walks a document without keeping it.
struct Strict {
    depth_left: usize,
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON with one reading")
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

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let depth_left = self.depth_left.checked_sub(1).ok_or_else(|| A::Error::custom("too deep"))?;
        while elements.next_element_seed(Self { depth_left })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let depth_left = self.depth_left.checked_sub(1).ok_or_else(|| A::Error::custom("too deep"))?;
        let mut names = HashSet::new();
        while let Some(name) = members.next_key::<Cow<'de, str>>()? {
            if !names.insert(name) {
                return Err(A::Error::custom("a name stands twice"));
            }
            members.next_value_seed(Self { depth_left })?;
        }
        Ok(())
    }
}

/// The members of an object in their order, values unread. `None` when the value is no object.
pub(crate) fn members(value: &RawValue) -> Option<Vec<(Cow<'_, str>, &RawValue)>> {
    struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

    impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct InOrder;

            impl<'de> Visitor<'de> for InOrder {
                type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("an object")
                }

                fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                    let mut found = Vec::new();
                    while let Some(member) = members.next_entry()? {
                        found.push(member);
                    }
                    Ok(found)
                }
            }
            deserializer.deserialize_map(InOrder).map(Members)
        }
    }
    serde_json::from_str::<Members<'_>>(value.get()).ok().map(|members| members.0)
}

/// The elements of an array, unread. `None` when the value is none.
pub(crate) fn elements(value: &RawValue) -> Option<Vec<&RawValue>> {
    serde_json::from_str(value.get()).ok()
}

/// The steps of a JSON pointer (RFC 6901 section 4), unescaped.
pub(crate) fn steps(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect()
}

/// The value that a pointer names. Arrays are not entered: what policy looks at has a name.
pub(crate) fn at<'a>(document: &'a RawValue, pointer: &str) -> Option<&'a RawValue> {
    let mut value = document;
    for step in steps(pointer) {
        value = members(value)?.into_iter().find(|(name, _)| *name == step).map(|(_, value)| value)?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_reading_or_none() {
        let deepest = format!("{}{}", "[".repeat(Limits::JSON_DEPTH_MAX), "]".repeat(Limits::JSON_DEPTH_MAX));
        let deeper = format!("[{deepest}]");
        let rows: &[(&str, &str, Result<(), JsonRefusal>)] = &[
            ("an object", r#"{"a":1,"b":[true,null,"x",1.5]}"#, Ok(())),
            ("a name twice", r#"{"a":1,"a":2}"#, Err(JsonRefusal)),
            ("a name twice, escaped", r#"{"a":1,"\u0061":2}"#, Err(JsonRefusal)),
            ("a name twice, deeper", r#"{"x":[{"a":1,"a":2}]}"#, Err(JsonRefusal)),
            ("one name at two depths", r#"{"a":{"a":1}}"#, Ok(())),
            ("the deepest", &deepest, Ok(())),
            ("one too deep", &deeper, Err(JsonRefusal)),
            ("two documents", "{} {}", Err(JsonRefusal)),
            ("nothing", "", Err(JsonRefusal)),
        ];
        for (name, text, expected) in rows {
            assert_eq!(strict(text.as_bytes()).map(|_| ()), *expected, "{name}");
        }
        assert_eq!(strict(b"\"\xff\"").map(|_| ()), Err(JsonRefusal));
    }

    #[test]
    fn pointers_reach_names() {
        let document = strict(br#"{"a/b":{"~":1},"c":[{"d":2}]}"#).expect("strict");
        assert_eq!(at(document, "/a~1b/~0").map(RawValue::get), Some("1"));
        assert!(at(document, "/c/0/d").is_none());
        assert!(at(document, "/x").is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = strict(&bytes);
        }
    }
}
