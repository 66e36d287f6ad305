//! Masking of response fields. Everything that is not masked is passed on byte for byte, numbers included.

use countersign_codec::json::{elements, members};
use countersign_core::MaskPath;
use serde_json::value::RawValue;

use crate::json::{steps, strict};

/// Refusal of a response that cannot be masked. The caller must withhold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaskRefusal;

/// The body with the value at each of `paths` replaced by `null`. A path that names nothing changes nothing; `*` stands for every member or
/// element.
///
/// # Errors
/// [`MaskRefusal`] when the body is not JSON with exactly one reading. Another reader could then find a masked field somewhere else.
pub fn mask(body: &[u8], paths: &[MaskPath]) -> Result<Vec<u8>, MaskRefusal> {
    let document = strict(body).map_err(|_| MaskRefusal)?;
    let paths: Vec<_> = paths.iter().map(|path| steps(path.as_str())).collect();
    let paths: Vec<_> = paths.iter().map(Vec::as_slice).collect();
    let mut out = String::with_capacity(body.len());
    write(document, &paths, &mut out).ok_or(MaskRefusal)?;
    Ok(out.into_bytes())
}

fn write(value: &RawValue, paths: &[&[String]], out: &mut String) -> Option<()> {
    // A part of the document that no path enters is copied as it is.
    if paths.is_empty() {
        out.push_str(value.get());
        return Some(());
    }
    if paths.iter().any(|path| path.is_empty()) {
        out.push_str("null");
        return Some(());
    }
    match value.get().bytes().next() {
        Some(b'{') => {
            out.push('{');
            for (n, (name, value)) in members(value)?.into_iter().enumerate() {
                separate(n, out);
                out.push_str(&serde_json::to_string(&name).ok()?);
                out.push(':');
                write(value, &below(paths, &name), out)?;
            }
            out.push('}');
        }
        Some(b'[') => {
            out.push('[');
            for (n, value) in elements(value)?.into_iter().enumerate() {
                separate(n, out);
                write(value, &below(paths, &n.to_string()), out)?;
            }
            out.push(']');
        }
        Some(_) | None => out.push_str(value.get()),
    }
    Some(())
}

fn separate(n: usize, out: &mut String) {
    if n > 0 {
        out.push(',');
    }
}

/// Rest of the paths that go through `step`.
fn below<'a>(paths: &[&'a [String]], step: &str) -> Vec<&'a [String]> {
    let through = |path: &&'a [String]| path.split_first().filter(|(first, _)| *first == step || *first == "*").map(|(_, rest)| rest);
    paths.iter().filter_map(through).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn masked(body: &str, paths: &[&str]) -> Result<String, MaskRefusal> {
        let paths: Vec<_> = paths.iter().map(|path| MaskPath::parse(path).expect("a path")).collect();
        mask(body.as_bytes(), &paths).map(|bytes| String::from_utf8(bytes).expect("text"))
    }

    #[test]
    fn the_named_fields_are_hidden_and_nothing_else_changes() {
        let rows: &[(&str, &str, &[&str], Result<&str, MaskRefusal>)] = &[
            ("a field", r#"{"iban":"DE1","n":1.10}"#, &["/iban"], Ok(r#"{"iban":null,"n":1.10}"#)),
            (
                "a number beyond any machine's",
                r#"{"a":1,"n":12345678901234567890123}"#,
                &["/a"],
                Ok(r#"{"a":null,"n":12345678901234567890123}"#),
            ),
            ("in every element", r#"{"x":[{"a":1,"b":2},{"a":3}]}"#, &["/x/*/a"], Ok(r#"{"x":[{"a":null,"b":2},{"a":null}]}"#)),
            ("in one element", r#"[{"a":1},{"a":2}]"#, &["/1/a"], Ok(r#"[{"a":1},{"a":null}]"#)),
            ("in every member", r#"{"x":{"a":1},"y":{"a":2}}"#, &["/*/a"], Ok(r#"{"x":{"a":null},"y":{"a":null}}"#)),
            ("two paths", r#"{"a":{"b":1,"c":2}}"#, &["/a/b", "/a/c"], Ok(r#"{"a":{"b":null,"c":null}}"#)),
            ("a whole object", r#"{"a":{"b":1}}"#, &["/a", "/a/b"], Ok(r#"{"a":null}"#)),
            ("an escaped name", r#"{"a/b":1}"#, &["/a~1b"], Ok(r#"{"a/b":null}"#)),
            ("a name in disguise", r#"{"\u0069ban":1}"#, &["/iban"], Ok(r#"{"iban":null}"#)),
            ("a path that names nothing", r#"{"a":1}"#, &["/b/c"], Ok(r#"{"a":1}"#)),
            ("a name twice", r#"{"iban":1,"iban":2}"#, &["/iban"], Err(MaskRefusal)),
            ("no JSON", "<iban>", &["/iban"], Err(MaskRefusal)),
            ("cut off", r#"{"iban":1"#, &["/iban"], Err(MaskRefusal)),
        ];
        for (name, body, paths, expected) in rows {
            assert_eq!(masked(body, paths).as_deref().map_err(|e| *e), *expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = mask(&bytes, &[MaskPath::parse("/a/*/b").expect("a path")]);
        }

        #[test]
        fn a_hidden_value_is_gone_wherever_it_stands(prefix in "[a-z]{1,5}", secret in "[A-Z]{12}") {
            let body = serde_json::json!({ &prefix: [{ "iban": &secret, "other": 1 }], "iban": &secret }).to_string();
            let out = masked(&body, &["/iban", "/*/*/iban"]).expect("masked");
            prop_assert!(!out.contains(&secret));
            prop_assert!(out.contains("\"other\":1"));
        }
    }
}
