//! Strict JSON: one document, no name twice in any object, no nesting beyond the limit (RFC 8259 section 4, RFC 7493).

use std::{cell::Cell, collections::HashSet, fmt};

use countersign_core::{Limits, Reason};
use serde::{
    Deserializer,
    de::{DeserializeOwned, DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};

/// Why a body is not the JSON document that a door asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonRefusal {
    /// Not one JSON document.
    Malformed,
    /// An object has two members of one name.
    RepeatedName,
    /// A member is missing, unknown, or of another type.
    ShapeWrong,
    /// Nested deeper than is read.
    TooDeep,
}

impl JsonRefusal {
    /// The stable code.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Malformed | Self::RepeatedName | Self::TooDeep => Reason::BodyMalformed,
            Self::ShapeWrong => Reason::BodyFieldInvalid,
        }
    }
}

/// Reads `bytes` as one `T`.
///
/// # Errors
/// The first rule that it breaks.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonRefusal> {
    // SECURITY: two readers of one document must not see two values under one name, so the whole of it is walked first;
    // serde alone notices repetition only among members that it knows.
    let broken = Cell::new(JsonRefusal::Malformed);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    Walk { depth: 0, broken: &broken }.deserialize(&mut reader).map_err(|_| broken.get())?;
    reader.end().map_err(|_| JsonRefusal::Malformed)?;
    serde_json::from_slice(bytes).map_err(|_| JsonRefusal::ShapeWrong)
}

/// Visits every value and keeps none.
#[derive(Clone, Copy)]
struct Walk<'a> {
    depth: usize,
    broken: &'a Cell<JsonRefusal>,
}

impl Walk<'_> {
    fn inside<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth.saturating_add(1);
        if depth > Limits::JSON_DEPTH_MAX {
            self.broken.set(JsonRefusal::TooDeep);
            return Err(E::custom("too deep"));
        }
        Ok(Self { depth, ..self })
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
        f.write_str("a JSON value")
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
        while let Some(name) = members.next_key::<String>()? {
            if !names.insert(name) {
                self.broken.set(JsonRefusal::RepeatedName);
                return Err(A::Error::custom("repeated name"));
            }
            members.next_value_seed(inside)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;
    use serde_json::value::RawValue;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Shape {
        name: String,
        #[serde(default)]
        inner: Option<Box<RawValue>>,
    }

    #[test]
    fn documents_are_read_strictly() {
        let nested = |depth: usize| format!(r#"{{"name":"a","inner":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        let (deepest, too_deep) = (nested(Limits::JSON_DEPTH_MAX - 1), nested(Limits::JSON_DEPTH_MAX));
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
            assert_eq!(parse::<Shape>(bytes).map(|_| ()), *expected, "{name}");
        }
        assert_eq!(parse::<Shape>(br#"{"name":"a","inner":[1]}"#).expect("read").inner.expect("inner").get(), "[1]");
        assert_eq!(parse::<Shape>(br#"{"name":"a"}"#).expect("read").name, "a");
    }

    #[test]
    fn every_refusal_has_a_code() {
        let rows = [
            (JsonRefusal::Malformed, "body_malformed"),
            (JsonRefusal::RepeatedName, "body_malformed"),
            (JsonRefusal::ShapeWrong, "body_field_invalid"),
            (JsonRefusal::TooDeep, "body_malformed"),
        ];
        for (refusal, code) in rows {
            assert_eq!(refusal.reason().code(), code);
        }
    }

    #[test]
    fn the_json_test_suite_gets_its_answers() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/json");
        let Ok(found) = std::fs::read_dir(folder).and_then(|_| every_file(folder.as_ref())) else {
            println!("skipped: shared/ is not beside the checkout");
            return;
        };
        // Stricter than the suite, on purpose: RFC 7493 section 2.3 wants names to be unique.
        let stricter = ["y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"];
        let mut read = 0;
        for path in found {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            let result = parse::<serde_json::Value>(&std::fs::read(&path).expect("a file"));
            match name.get(..2) {
                Some("y_") => assert_eq!(result.is_ok(), !stricter.contains(&name.as_str()), "{name}"),
                Some("n_") => assert!(result.is_err(), "{name}"),
                Some(_) | None => continue,
            }
            read += 1;
        }
        assert!(read >= 283, "only {read} cases were found");
    }

    fn every_file(folder: &std::path::Path) -> std::io::Result<Vec<std::path::PathBuf>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() { found.extend(every_file(&path)?) } else { found.push(path) }
        }
        Ok(found)
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "[\\[\\]{}\",:0-9a-c ]{0,200}") {
            let _ = parse::<Shape>(&bytes);
            let _ = parse::<Shape>(text.as_bytes());
        }

        #[test]
        fn what_is_read_was_written(name in ".{0,40}") {
            let text = serde_json::json!({ "name": name }).to_string();
            prop_assert_eq!(parse::<Shape>(text.as_bytes()).expect("read").name, name);
        }
    }
}
