//! Sealing: what identifies somebody becomes one commitment, its values open only to the person's key.

use crate::{
    entry::Entry,
    format2::{self, SealBytes},
    line::JSON_BYTES_MAX,
    person_key::PersonKey,
    seal_refusal::SealRefusal,
};

/// Renders `entry` as the one line of JSON that is hashed and stored. Without a key (the person is erased) what identifies somebody
/// is left out altogether.
///
/// # Errors
/// When the line would be too long, or the entry is one of an earlier format.
pub fn seal(entry: &Entry, key: Option<&PersonKey>, bytes: &SealBytes) -> Result<String, SealRefusal> {
    let json = format2::seal(entry, key, bytes)?;
    if json.len() <= JSON_BYTES_MAX { Ok(json) } else { Err(SealRefusal::TooLong) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::Recorded,
        identity::{PersonalField, PersonalName},
        person_key::KeyHandle,
        record::{Disclosure, check_disclosure, disclose, handle, open},
        samples::{entry, person_key, seal_bytes},
    };
    use countersign_core::Secret;
    use proptest::prelude::*;

    #[test]
    fn a_sealed_entry_shows_nothing_and_opens_to_its_person() {
        let json = seal(&entry(1), Some(&person_key(1)), &seal_bytes(9)).expect("sealed");
        assert!(!json.contains("u_1") && !json.contains("203.0.113"), "{json}");
        assert_eq!(open(&json, &person_key(1)), Ok(entry(1).identity.fields()));
        // The commitment changes with the seed, so equal values do not look equal.
        assert_ne!(json, seal(&entry(1), Some(&person_key(1)), &seal_bytes(8)).expect("sealed"));
    }

    #[test]
    fn an_erased_person_leaves_nothing() {
        let json = seal(&entry(1), None, &seal_bytes(9)).expect("sealed");
        assert_eq!(open(&json, &person_key(1)), Ok(vec![]));
        assert!(!json.contains("sealed") && !json.contains("box"));
    }

    fn sealed(entry: &Entry) -> String {
        seal(entry, Some(&person_key(1)), &seal_bytes(9)).expect("sealed")
    }

    #[test]
    fn what_does_not_fit_does_not_open() {
        let json = sealed(&entry(1));
        let other: serde_json::Value = serde_json::from_str(&sealed(&entry(2))).expect("json");
        let with = |change: &dyn Fn(&mut serde_json::Value)| {
            let mut value: serde_json::Value = serde_json::from_str(&json).expect("json");
            change(&mut value);
            // The version stands first, as it is written.
            let version = value.as_object_mut().expect("an object").remove("v").expect("a version");
            value.to_string().replacen('{', &format!("{{\"v\":{version},"), 1)
        };
        let broken = with(&|v| {
            let data = v["sealed"]["box"].as_str().expect("a text").to_owned();
            v["sealed"]["box"] = (data.split_at(data.len() - 4).0.to_owned() + "AAAA").into();
        });
        let rows: &[(&str, String, u8, SealRefusal)] = &[
            ("another person's key", json.clone(), 2, SealRefusal::KeyMismatch),
            ("another entry's box", with(&|v| v["sealed"]["box"] = other["sealed"]["box"].clone()), 1, SealRefusal::SealBroken),
            (
                "all that is sealed of another entry, but its key",
                with(&|v| {
                    v["sealed"] = other["sealed"].clone();
                    v["sealed"]["key"] = "another".into();
                }),
                1,
                SealRefusal::KeyMismatch,
            ),
            (
                "another commitment",
                with(&|v| v["sealed"]["commitment"] = other["sealed"]["commitment"].clone()),
                1,
                SealRefusal::SealBroken,
            ),
            ("no commitment", with(&|v| v["sealed"]["commitment"] = "".into()), 1, SealRefusal::Malformed),
            (
                "a name more",
                with(&|v| v["sealed"]["names"] = serde_json::json!(["address", "path", "user"])),
                1,
                SealRefusal::CommitmentMismatch,
            ),
            ("a name less", with(&|v| v["sealed"]["names"] = serde_json::json!(["address"])), 1, SealRefusal::CommitmentMismatch),
            ("an unknown name", with(&|v| v["sealed"]["names"] = serde_json::json!(["address", "shoe_size"])), 1, SealRefusal::Malformed),
            ("another end of the box", broken, 1, SealRefusal::SealBroken),
            ("a box without a nonce", with(&|v| v["sealed"]["box"] = "AAAA".into()), 1, SealRefusal::Malformed),
            ("an unknown member", with(&|v| v["more"] = 1.into()), 1, SealRefusal::Malformed),
            ("an unknown event", with(&|v| v["event"] = serde_json::json!({ "moon_landing": {} })), 1, SealRefusal::Malformed),
            ("an unknown member of an event", with(&|v| v["event"]["request"]["more"] = 1.into()), 1, SealRefusal::Malformed),
            ("an unknown outcome", with(&|v| v["outcome"] = "alloW".into()), 1, SealRefusal::Malformed),
            ("another version", json.replacen("{\"v\":2,", "{\"v\":3,", 1), 1, SealRefusal::Malformed),
            ("no JSON", "{".to_owned(), 1, SealRefusal::Malformed),
            ("no end", " ".repeat(JSON_BYTES_MAX + 1), 1, SealRefusal::TooLong),
        ];
        for (name, json, key, expected) in rows {
            assert_eq!(open(json, &person_key(*key)), Err(*expected), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_read_again_is_not_sealed() {
        let unmet = |length: usize| {
            let mut entry = entry(1);
            let Recorded::Request(judged) = &mut entry.event.of else { panic!("a request") };
            judged.grounds.unmet = vec!["x".repeat(length)];
            entry
        };
        let path = |length: usize| {
            let mut entry = entry(1);
            entry.identity.path = Some("x".repeat(length));
            entry
        };
        let room = JSON_BYTES_MAX - sealed(&unmet(1)).len() + 1;
        let rows: &[(&str, Entry, Option<SealRefusal>)] = &[
            ("as long as a line may be", unmet(room), None),
            ("one byte longer", unmet(room + 1), Some(SealRefusal::TooLong)),
            ("a field that no box takes", path(70_000), Some(SealRefusal::TooLong)),
        ];
        for (name, entry, expected) in rows {
            assert_eq!(seal(entry, Some(&person_key(1)), &seal_bytes(9)).err(), *expected, "{name}");
        }
        let (line, _) = crate::line::record_line(u64::MAX, &sealed(&unmet(room)));
        assert!(crate::line::Line::parse(line.trim_end()).is_ok(), "the longest entry fits into a line");
    }

    /// One field is shown and proved; the others stay as they are (EXPERIENCE PR-10).
    #[test]
    fn one_field_is_disclosed_and_others_not() {
        let json = sealed(&entry(1));
        let shown = disclose(&json, &person_key(1), &[PersonalName::User]).expect("opens");
        let [user] = shown.as_slice() else { panic!("one field") };
        assert_eq!(check_disclosure(&json, user).map(|field| field.value), Ok("u_1".to_owned()));
        let with = |change: fn(&mut Disclosure)| {
            let mut disclosure = user.clone();
            change(&mut disclosure);
            disclosure
        };
        let rows: &[(&str, Disclosure)] = &[
            ("another value", with(|shown| shown.field.value = "u_2".to_owned())),
            ("another salt", with(|shown| shown.salt = [0; 16])),
            ("another field's name", with(|shown| shown.field.name = PersonalName::Address)),
            ("a field that is not there", with(|shown| shown.field.name = PersonalName::Path)),
            ("no place", with(|shown| shown.place = None)),
        ];
        for (name, disclosure) in rows {
            assert_eq!(check_disclosure(&json, disclosure).err(), Some(SealRefusal::CommitmentMismatch), "{name}");
        }
        assert_ne!(user.salt, seal_bytes(9).seed, "the seed is never shown");
    }

    #[test]
    fn a_box_names_its_key_and_not_its_person() {
        let json = sealed(&entry(1));
        assert_eq!(handle(&json), Ok(Some(KeyHandle::of(&Secret::new([1; 32])))));
        assert_ne!(KeyHandle::of(&Secret::new([1; 32])), KeyHandle::of(&Secret::new([2; 32])));
        assert_eq!(handle(&seal(&entry(1), None, &seal_bytes(9)).expect("sealed")), Ok(None));
        assert_eq!(handle("{").err(), Some(SealRefusal::Malformed));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = open(&text, &person_key(1));
            let _ = open(&format!("{{\"v\":2,{text}"), &person_key(1));
            let _ = handle(&text);
        }

        #[test]
        fn no_box_panics(data in "[A-Za-z0-9_-]{0,200}", commitment in "\\PC{0,50}") {
            let first = serde_json::json!({
                "at": 1, "decision": "D", "event": "request", "outcome": "allow",
                "personal": { "user": commitment }, "box": { "key": person_key(1).handle().as_str(), "data": data },
            });
            prop_assert!(open(&first.to_string(), &person_key(1)).is_err());
            let sealed = serde_json::json!({
                "names": ["user"], "commitment": commitment, "key": person_key(1).handle().as_str(), "box": data,
            });
            let second = format!(r#"{{"v":2,"at":1,"decision":"D","event":{{"request":{{}}}},"outcome":"allow","sealed":{sealed}}}"#);
            prop_assert!(open(&second, &person_key(1)).is_err());
        }

        #[test]
        fn whatever_is_sealed_opens(value in "\\PC*", seed: u8) {
            let mut written = entry(1);
            written.identity.path = Some(value.clone());
            let json = seal(&written, Some(&person_key(seed)), &seal_bytes(seed)).expect("sealed");
            prop_assert!(!json.contains('\n'));
            let fields = open(&json, &person_key(seed)).expect("opens");
            let path = PersonalField { name: PersonalName::Path, value };
            prop_assert!(fields.contains(&path));
        }
    }
}
