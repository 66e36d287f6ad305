//! Members of JSON: where each document comes from, the path of each member in it, and what it is.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What was seen so far: kinds by path, by source.
#[derive(Default)]
pub struct Members(BTreeMap<String, BTreeMap<String, BTreeSet<&'static str>>>);

impl Members {
    /// Notes all members of a document.
    pub fn see(&mut self, source: &str, document: &Value) {
        assert!(!document.is_null(), "{source}: there is no document");
        walk("", document, self.0.entry(source.to_owned()).or_default());
    }

    /// A line a member, in order.
    pub fn lines(&self) -> String {
        let mut out = String::new();
        for (source, members) in &self.0 {
            for (path, kinds) in members {
                // A member that may be absent is `null` in some documents; what it is else is what counts.
                let kinds: Vec<_> = kinds.iter().copied().filter(|kind| kinds.len() == 1 || *kind != "null").collect();
                out += &format!("{source}: {path} {}\n", kinds.join(" or "));
            }
        }
        out
    }
}

fn walk(path: &str, value: &Value, found: &mut BTreeMap<String, BTreeSet<&'static str>>) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    };
    found.entry(if path.is_empty() { ".".to_owned() } else { path.to_owned() }).or_default().insert(kind);
    match value {
        Value::Array(items) => items.iter().for_each(|item| walk(&format!("{path}[]"), item, found)),
        Value::Object(members) => {
            for (name, member) in members {
                // A name that is an id or an address of a kind, and no word.
                let drawn = name.len() >= 16 && name.chars().any(|c| c.is_ascii_digit() || c.is_ascii_uppercase());
                let name = if drawn { "<name>" } else { name };
                walk(&format!("{path}.{name}"), member, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
