//! JSON objects whose member names are unique (RFC 7515 section 4, RFC 7517 section 4, RFC 7519 section 4).

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// Members in one object; ours have about a dozen, and the search for duplicates is quadratic.
const MEMBERS_MAX: usize = 64;

/// The text is not one JSON object with unique members, or a member has another type than is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotTheObject;

/// One JSON object: its members in their order, their values unread.
#[derive(Debug)]
pub struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    /// Reads `text`, which must be exactly one object.
    ///
    /// # Errors
    /// When it is anything else, has two members of one name, or more members than are read.
    pub fn parse(text: &'a str) -> Result<Self, NotTheObject> {
        serde_json::from_str(text).map_err(|_| NotTheObject)
    }

    /// The same from bytes, which must be UTF-8.
    ///
    /// # Errors
    /// When they are not, and as [`Self::parse`].
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self, NotTheObject> {
        Self::parse(std::str::from_utf8(bytes).map_err(|_| NotTheObject)?)
    }

    /// Whether a member of this name is there.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }

    /// A member's value as it is written.
    #[must_use]
    pub fn raw(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.get())
    }

    /// All members in their order: names without escapes, values as they are written.
    pub fn into_members(self) -> impl Iterator<Item = (Cow<'a, str>, &'a str)> {
        self.0.into_iter().map(|(name, value)| (name, value.get()))
    }

    /// A member that may be absent but not of another type; `null` is another type.
    ///
    /// # Errors
    /// When it is of another type.
    pub fn optional<T: Deserialize<'a>>(&self, name: &str) -> Result<Option<T>, NotTheObject> {
        self.raw(name).map(serde_json::from_str).transpose().map_err(|_| NotTheObject)
    }

    /// A member that must be there.
    ///
    /// # Errors
    /// When it is not, or is of another type.
    pub fn required<T: Deserialize<'a>>(&self, name: &str) -> Result<T, NotTheObject> {
        self.optional(name)?.ok_or(NotTheObject)
    }

    /// A text that may be absent.
    ///
    /// # Errors
    /// When it is of another type.
    pub fn optional_text(&self, name: &str) -> Result<Option<Cow<'a, str>>, NotTheObject> {
        Ok(self.optional::<Text<'a>>(name)?.map(|text| text.0))
    }

    /// A text that must be there.
    ///
    /// # Errors
    /// When it is not, or is of another type.
    pub fn text(&self, name: &str) -> Result<Cow<'a, str>, NotTheObject> {
        self.optional_text(name)?.ok_or(NotTheObject)
    }
}

/// Borrows where the text has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Self::Value = Vec::with_capacity(8);
                while let Some((Text(name), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    // SECURITY: two readers may take different ones of two members of one name.
                    if members.len() >= MEMBERS_MAX || members.iter().any(|(known, _)| *known == name) {
                        return Err(A::Error::custom("too many members, or two of one name"));
                    }
                    members.push((name, value));
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Members).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_read_strictly() {
        let many = |n: usize| format!("{{{}}}", (0..n).map(|i| format!("\"m{i}\":1")).collect::<Vec<_>>().join(","));
        let (most, too_many) = (many(MEMBERS_MAX), many(MEMBERS_MAX + 1));
        let rows: &[(&str, &str, Result<(), NotTheObject>)] = &[
            ("no members", "{}", Ok(())),
            ("space around", " \n{ \"a\" : 1 }\t", Ok(())),
            ("as many members as are read", &most, Ok(())),
            ("one member more", &too_many, Err(NotTheObject)),
            ("two of one name", r#"{"a":1,"a":1}"#, Err(NotTheObject)),
            ("two of one name, one escaped", r#"{"a":1,"\u0061":1}"#, Err(NotTheObject)),
            ("more after the end", "{}{}", Err(NotTheObject)),
            ("a comma at the end", r#"{"a":1,}"#, Err(NotTheObject)),
            ("an array", "[]", Err(NotTheObject)),
            ("a text", "\"{}\"", Err(NotTheObject)),
            ("nothing", "", Err(NotTheObject)),
            ("cut off", r#"{"a":"#, Err(NotTheObject)),
            ("a byte order mark", "\u{feff}{}", Err(NotTheObject)),
        ];
        for (name, text, expected) in rows {
            assert_eq!(Object::parse(text).map(|_| ()), *expected, "{name}");
        }
        assert_eq!(Object::from_bytes(b"{\"a\":\"\xff\"}").map(|_| ()), Err(NotTheObject), "not UTF-8");
    }

    #[test]
    fn members_have_their_types() {
        let object = Object::parse(r#"{"text":"a\u0062","null":null,"whole":7,"fraction":7.5,"less":-1,"huge":18446744073709551616}"#)
            .expect("an object");
        assert_eq!(object.text("text").as_deref(), Ok("ab"));
        assert_eq!(object.optional_text("absent"), Ok(None));
        assert_eq!(object.text("absent"), Err(NotTheObject));
        assert_eq!(object.optional_text("null"), Err(NotTheObject));
        assert_eq!(object.required::<u64>("whole"), Ok(7));
        assert_eq!(
            Object::parse(r#"{"\u0061": [1] ,"b":"c"}"#).expect("an object").into_members().collect::<Vec<_>>(),
            [("a".into(), "[1]"), ("b".into(), "\"c\""),]
        );
        for name in ["fraction", "less", "huge", "text", "null"] {
            assert_eq!(object.required::<u64>(name), Err(NotTheObject), "{name}");
        }
    }

    /// JSONTestSuite, beside the checkout: each text as the value of a member, which is read only as far as JSON goes.
    #[test]
    fn values_are_json_and_nothing_else() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/json/test_parsing");
        let Ok(files) = std::fs::read_dir(folder) else {
            println!("skipped: shared/ is not beside the checkout");
            return;
        };
        let mut judged = 0;
        for file in files.flatten() {
            let name = file.file_name().to_string_lossy().into_owned();
            let value = std::fs::read(file.path()).expect("a file of the suite");
            let text = [b"{\"a\":", &value[..], b"}"].concat();
            let taken = Object::from_bytes(&text).is_ok();
            // What the suite leaves open (`i_`) must not panic; a text that is not UTF-8 is refused by rule.
            match name.split('_').next() {
                Some("y") => assert!(taken, "{name} was refused"),
                Some("n") => assert!(!taken, "{name} was taken"),
                Some(_) | None => assert!(!taken || std::str::from_utf8(&value).is_ok(), "{name} was taken"),
            }
            judged += 1;
        }
        assert!(judged > 300, "the suite is not whole: {judged}");
    }
}
