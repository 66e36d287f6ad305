//! Metrics: names and labels. They are literals where they are counted, so these are read from the sources of all crates.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use crate::golden;

#[test]
fn metrics_are_as_they_were() {
    let lines = names_and_labels().into_iter().map(|(name, (kind, labels))| {
        let labels = labels.into_iter().collect::<Vec<_>>().join(" ");
        format!("{kind} {name} {labels}").trim_end().to_owned() + "\n"
    });
    golden("metrics.txt", &lines.collect::<String>());
}

/// Kind and labels by name.
pub fn names_and_labels() -> BTreeMap<String, (&'static str, BTreeSet<String>)> {
    let mut sources = Vec::new();
    for room in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).expect("crates/").flatten() {
        collect(&room.path().join("src"), &mut sources);
    }
    let texts: Vec<_> = sources.iter().map(|path| fs::read_to_string(path).expect("a source")).collect();
    let mut constants = BTreeMap::new();
    for text in &texts {
        for line in text.lines().filter(|line| line.contains("const ") && line.contains("\"countersign_")) {
            let name = line.split("const ").nth(1).and_then(|rest| rest.split(':').next()).unwrap_or_default();
            constants.insert(name.trim().to_owned(), literals(line).into_iter().next().unwrap_or_default());
        }
    }
    let mut found = BTreeMap::new();
    for text in &texts {
        for kind in ["counter", "gauge", "histogram"] {
            for (at, word) in text.match_indices(&format!("{kind}!(")) {
                let (before, args) = text.split_at(at);
                if before.ends_with("describe_") {
                    continue;
                }
                let args = args.get(word.len()..).unwrap_or_default();
                let args = args.get(..end(args)).unwrap_or_default();
                let first = args.split(',').next().unwrap_or_default().trim();
                let name = constants.get(first).cloned().or_else(|| literals(first).into_iter().next());
                let name = name.unwrap_or_else(|| panic!("the name of a {kind} is neither a literal nor a constant: {args}"));
                let labels = args.split("=>").map(|part| literals(part).pop().unwrap_or_default());
                let count = args.matches("=>").count();
                let entry: &mut (&'static str, BTreeSet<String>) = found.entry(name).or_insert((kind, BTreeSet::new()));
                entry.1.extend(labels.take(count));
            }
        }
    }
    found
}

/// The texts in quotes.
fn literals(text: &str) -> Vec<String> {
    text.split('"').skip(1).step_by(2).map(String::from).collect()
}

/// Where the arguments end.
fn end(args: &str) -> usize {
    let mut depth = 1;
    args.char_indices()
        .find(|(_, c)| {
            depth += match c {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            depth == 0
        })
        .map_or(args.len(), |(at, _)| at)
}

fn collect(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}
