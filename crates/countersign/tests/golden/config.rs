//! The keys of the configuration file, found by asking the reader: whoever writes a key that does not exist is told which ones do, and
//! whoever writes a date where none belongs is told what does belong there.

use std::{collections::BTreeMap, fs, path::Path};

use crate::{countersign, golden};

/// A key that no section has and that is near to none.
const NO_KEY: &str = "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz";

/// Names for tables whose keys are the operator's own words.
const NAMED: &[(&str, &str)] = &[("app", "com.example.shop"), ("monitor.rule", "scraping")];

/// What is known of a key.
#[derive(Clone, PartialEq, Eq)]
enum Kind {
    /// Nothing yet.
    Unasked,
    /// Its value is no table; what it is, in the reader's words.
    Value(String),
    /// `[key]`.
    Table,
    /// `[[key]]`.
    Tables,
    /// `[key.NAME]`.
    Named,
}

type Keys = BTreeMap<Vec<String>, Kind>;

/// What a line of the file asks about.
enum Asked {
    /// Which keys there are in this table.
    Keys(Vec<String>),
    /// What the value of this key is.
    Value(Vec<String>),
}

#[test]
fn the_configuration_is_as_it_was() {
    let home = tempfile::tempdir().expect("a directory");
    let mut keys = Keys::from([(Vec::new(), Kind::Table)]);
    // Each round goes a table deeper.
    for round in 0.. {
        assert!(round < 20, "what is learned of a key changes from round to round");
        let before = keys.clone();
        learn(home.path(), &mut keys);
        if keys == before {
            break;
        }
    }
    let words = words(home.path(), &keys);
    let mut lines = Vec::new();
    for (path, kind) in &keys {
        let shown = shown(path, &keys);
        match kind {
            Kind::Table if path.is_empty() => {}
            Kind::Table => lines.push(format!("[{shown}]")),
            Kind::Tables => lines.push(format!("[[{shown}]]")),
            // Its tables are listed by themselves.
            Kind::Named => {}
            Kind::Unasked => panic!("nothing is known of {shown}"),
            Kind::Value(what) => {
                let words = words.get(path).map(|words| format!(": {words}")).unwrap_or_default();
                lines.push(format!("{shown} = {}{words}", short(what)));
            }
        }
    }
    golden("config.txt", &(lines.join("\n") + "\n"));
}

/// One round: a file that asks everything that is not yet known.
fn learn(home: &Path, keys: &mut Keys) {
    // What is known to be a text is given one, so that the reader goes on to what it asks for after it.
    let value = |_: &[String], kind: &Kind| match kind {
        Kind::Value(what) if is_text(what) => "\"http://127.0.0.1:8080\"".to_owned(),
        Kind::Value(what) if what.starts_with("a table") => "{ }".to_owned(),
        Kind::Value(_) | Kind::Unasked | Kind::Table | Kind::Tables | Kind::Named => "1979-05-27".to_owned(),
    };
    let (text, asked) = file(keys, &value);
    for (line, said) in faults(home, &text) {
        match asked.get(&line) {
            Some(Asked::Keys(path)) => {
                if said.contains("unknown key") {
                    let remedy = said.split_once("; ").map(|(_, remedy)| remedy).unwrap_or_default();
                    for key in quoted(remedy) {
                        let below = path.iter().cloned().chain([key]).collect::<Vec<_>>();
                        keys.entry(below).or_insert(Kind::Unasked);
                    }
                } else if said.ends_with("; write it as a table") {
                    let name = NAMED.iter().find(|(table, _)| *table == path.join(".")).expect("a name for each such table").1;
                    keys.insert(path.clone(), Kind::Named);
                    keys.insert(path.iter().cloned().chain([name.to_owned()]).collect(), Kind::Table);
                } else if said.contains("; write it as a string") {
                    keys.insert(path.clone(), Kind::Value("a table of texts".to_owned()));
                }
            }
            Some(Asked::Value(path)) => {
                let Some((_, kind)) = said.split_once("; write it as ") else { continue };
                let kind = match kind {
                    "a table" => Kind::Table,
                    list if list.starts_with("a list of tables") => Kind::Tables,
                    other => Kind::Value(other.to_owned()),
                };
                keys.insert(path.clone(), kind);
            }
            None => {}
        }
    }
}

/// The words that a key can be, for those that have a list of them.
fn words(home: &Path, keys: &Keys) -> BTreeMap<Vec<String>, String> {
    let value = |_: &[String], kind: &Kind| match kind {
        Kind::Value(what) if what.starts_with("a list") => format!("[\"{NO_KEY}\"]"),
        Kind::Value(what) if what.starts_with("a table") => "{ }".to_owned(),
        Kind::Value(what) if is_text(what) => format!("\"{NO_KEY}\""),
        Kind::Value(_) | Kind::Unasked | Kind::Table | Kind::Tables | Kind::Named => "1979-05-27".to_owned(),
    };
    let (text, asked) = file(keys, &value);
    let mut found = BTreeMap::new();
    for (line, said) in faults(home, &text) {
        let Some(Asked::Value(path)) = asked.get(&line) else { continue };
        let begin = ["; it can be ", "; it can hold "].iter().find_map(|begin| said.split_once(begin));
        if let Some((_, words)) = begin {
            found.insert(path.clone(), quoted(words).join(" | "));
        }
    }
    found
}

/// A file with every key that is known, and in every table one that does not exist; by line what it asks about.
fn file(keys: &Keys, value: &dyn Fn(&[String], &Kind) -> String) -> (String, BTreeMap<usize, Asked>) {
    let (mut lines, mut asked) = (Vec::new(), BTreeMap::new());
    // The order of paths puts a table directly before what is below it; its own keys have to come before its tables.
    for (table, kind) in keys.iter().filter(|(_, kind)| matches!(kind, Kind::Table | Kind::Tables | Kind::Named)) {
        if !table.is_empty() {
            let name = table.iter().map(|key| format!("\"{key}\"")).collect::<Vec<_>>().join(".");
            lines.push(if *kind == Kind::Tables { format!("[[{name}]]") } else { format!("[{name}]") });
        }
        if *kind == Kind::Named {
            continue;
        }
        lines.push(format!("{NO_KEY} = 1"));
        asked.insert(lines.len(), Asked::Keys(table.clone()));
        let own = keys.iter().filter(|(path, kind)| {
            path.len() == table.len() + 1 && path.starts_with(table) && matches!(kind, Kind::Unasked | Kind::Value(_))
        });
        for (path, kind) in own {
            lines.push(format!("{} = {}", path.last().expect("a key"), value(path, kind)));
            asked.insert(lines.len(), Asked::Value(path.clone()));
        }
    }
    (lines.join("\n") + "\n", asked)
}

/// What the reader says, by line.
fn faults(home: &Path, text: &str) -> Vec<(usize, String)> {
    fs::write(home.join("csign.toml"), text).expect("written");
    let (out, err) = countersign(home, &["policy", "check"]);
    let said = out + "\n" + &err;
    let fault = |line: &str| {
        let (_, rest) = line.split_once("csign.toml:")?;
        let (number, said) = rest.split_once(": ")?;
        Some((number.parse().ok()?, said.to_owned()))
    };
    said.lines().filter_map(fault).collect()
}

/// What a value is, without the reader's prose.
fn short(what: &str) -> String {
    let range = what.split(' ').filter(|word| word.parse::<u64>().is_ok()).collect::<Vec<_>>().join("..=");
    match what {
        number if number.contains("number") => format!("number {range}"),
        list if list.contains("list") => "texts".to_owned(),
        flag if flag.contains("`true`") => "flag".to_owned(),
        table if table.contains("table") => "texts by name".to_owned(),
        text if is_text(text) => "text".to_owned(),
        other => panic!("a value of an unknown kind: {other}"),
    }
}

/// Whether a value is written in quotes.
fn is_text(what: &str) -> bool {
    what.starts_with("a string") || what.starts_with("a duration")
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(String::from).collect()
}

/// A path as people write it, the operator's own words as `NAME`.
fn shown(path: &[String], keys: &Keys) -> String {
    let one = |(at, key): (usize, &String)| {
        let named = path.get(..at).and_then(|above| keys.get(above)) == Some(&Kind::Named);
        if named { "NAME".to_owned() } else { key.clone() }
    };
    path.iter().enumerate().map(one).collect::<Vec<_>>().join(".")
}
