//! The checks. Each looks at a tree and answers with findings, a line each: where, what, and what to do instead.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    circles::{circles, folder_circles},
    tree::{Tree, product_text},
    workspace::Workspace,
};

/// What the house is held to.
pub struct Rules<'a> {
    /// Each room, and what it may use of ours.
    pub rooms: &'a [(&'a str, &'a [&'a str])],
    /// The floors from below, each with its rooms.
    pub floors: &'a [(&'a str, &'a [&'a str])],
    /// Rooms without async, I/O, clock or environment.
    pub pure: &'a [&'a str],
}

/// The folder of the lists of what is known, and may only become less.
pub const KNOWN: &str = "crates/countersign/tests/architecture/known";

/// What no pure room says, and what is done instead.
const IMPURE: &[(&str, &str)] = &[
    ("async fn", "let the server await, and pass the result in"),
    (".await", "let the server await, and pass the result in"),
    ("std::fs", "take the text as an argument"),
    ("std::net", "take the bytes as an argument"),
    ("std::env", "take the value as an argument"),
    ("static mut", "hold no state"),
    ("LazyLock", "hold no global state; build it in the constructor"),
    ("OnceLock", "hold no global state; build it in the constructor"),
    ("tracing::", "return a reason; the server logs it"),
    ("thread_local!", "hold no state"),
];

/// First words of doc comments that are riddles: they lean on a sentence that is not there.
const RIDDLES: &[&str] = &["How", "Its", "Of", "What", "When", "Whether", "Which", "Who", "Whom", "Whose"];

/// Everything that is wrong.
pub fn all(tree: &Tree, code: &Workspace, rules: &Rules<'_>) -> Vec<String> {
    let mut found = rooms(tree, rules);
    found.extend(imports_point_down(tree, rules));
    found.extend(pure_rooms(tree, rules));
    found.extend(refusals(tree, rules));
    for list in lists(tree, code) {
        found.extend(list.findings(tree));
    }
    found
}

/// Rooms without a place, and places without a room.
pub fn rooms(tree: &Tree, rules: &Rules<'_>) -> Vec<String> {
    let there: BTreeSet<_> = tree.rooms().into_iter().collect();
    let listed: BTreeSet<_> = rules.rooms.iter().map(|(room, _)| (*room).to_owned()).collect();
    let new = there.difference(&listed);
    let mut found: Vec<_> = new
        .map(|room| format!("crates/{room}: is in no table of rooms; a new room is an architectural decision of its own commit"))
        .collect();
    found.extend(listed.difference(&there).map(|room| format!("the table of rooms names `{room}`, which does not exist")));
    let homeless = there.intersection(&listed).filter(|room| floor(rules, room).is_none());
    found.extend(homeless.map(|room| format!("crates/{room}: stands on no floor; give it one in the table of floors")));
    found
}

/// How high a room stands.
fn floor(rules: &Rules<'_>, room: &str) -> Option<usize> {
    rules.floors.iter().position(|(_, rooms)| rooms.contains(&room))
}

/// Rooms of ours that a manifest depends on, however that is written.
pub fn edges(tree: &Tree, room: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut inside = false;
    for line in tree.text(&format!("crates/{room}/Cargo.toml")).lines() {
        let mut named = None;
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            let section = section.strip_prefix("target.").and_then(|rest| rest.split_once(")'.")).map_or(section, |(_, rest)| rest);
            inside = section == "dependencies" || section.starts_with("dependencies.");
            named = section.strip_prefix("dependencies.");
        } else if inside {
            // Under another name, or under its own.
            named = line.split_once("package = \"").map(|(_, package)| package).or(Some(line));
        }
        let ours = named.and_then(|name| name.strip_prefix("countersign-")).and_then(|name| name.split(['.', ' ', '=', '"']).next());
        found.extend(ours.map(String::from));
    }
    found
}

/// Edges that no table allows, and those that do not point strictly down.
pub fn imports_point_down(tree: &Tree, rules: &Rules<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for (room, allowed) in rules.rooms {
        for used in edges(tree, room) {
            let manifest = format!("crates/{room}/Cargo.toml");
            if !allowed.contains(&used.as_str()) {
                found.push(format!("{manifest}: may not use `{used}`; say it through a word of `core`, or move the code down"));
            } else if let (Some(upper), Some(lower)) = (floor(rules, room), floor(rules, &used))
                && upper <= lower
            {
                let name = |at: usize| rules.floors.get(at).map_or("", |(name, _)| *name);
                let (upper, lower) = (name(upper), name(lower));
                found.push(format!("{manifest}: floor {upper} uses `{used}` on floor {lower}; imports point strictly down"));
            }
        }
    }
    found
}

/// Words of async, I/O, clock, environment or global state in pure rooms.
pub fn pure_rooms(tree: &Tree, rules: &Rules<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for room in rules.pure {
        for (path, text) in tree.sources(room) {
            let code = product_text(text);
            let said = IMPURE.iter().filter(|(word, _)| code.contains(word));
            found.extend(said.map(|(word, instead)| format!("{path}: `{word}` in a pure room; {instead}")));
        }
    }
    found
}

/// Variants of refusals that no test of their room expects.
pub fn refusals(tree: &Tree, rules: &Rules<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for room in rules.pure {
        let folder = format!("crates/{room}/");
        let mut tests = String::new();
        for (path, text) in tree.files().filter(|(path, _)| path.starts_with(&folder) && path.ends_with(".rs")) {
            if path.contains("/tests/") || path.ends_with("/tests.rs") {
                tests += text;
            } else if let Some((_, rest)) = text.split_once("#[cfg(test)]\nmod ") {
                tests += rest;
            }
        }
        for (path, text) in tree.sources(room) {
            for (name, variant) in variants(&product_text(text), &["Refusal", "Problem", "Fault"]) {
                if !tests.contains(&format!("::{variant}")) && !tests.contains(&format!("\n            {variant}")) {
                    found.push(format!("{path}: no test expects `{name}::{variant}`; add a row with the one thing that is wrong"));
                }
            }
        }
    }
    found
}

/// Variants of the enums in `code` whose name ends in one of `suffixes`.
fn variants(code: &str, suffixes: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for part in code.split("pub enum ").skip(1) {
        let name: String = part.chars().take_while(|c| c.is_alphanumeric()).collect();
        if !suffixes.iter().any(|s| name.ends_with(s)) {
            continue;
        }
        let Some(body) = part.split_once('{').map(|(_, body)| body) else { continue };
        let mut depth = 1_i32;
        let mut line_start = true;
        let mut word = String::new();
        for c in body.chars() {
            match c {
                '{' | '(' => depth += 1,
                '}' | ')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            if c == '\n' {
                line_start = true;
                continue;
            }
            if depth == 1 && line_start && (c.is_alphanumeric() || c == '_') {
                word.push(c);
            } else if !c.is_whitespace() || !word.is_empty() {
                if word.chars().next().is_some_and(char::is_uppercase) {
                    found.push((name.clone(), word.clone()));
                }
                word.clear();
                line_start = false;
            }
        }
    }
    found
}

/// Something that is not as it should be, counted, beside the committed list of it.
pub struct List {
    /// The file in [`KNOWN`], without `.txt`.
    pub name: &'static str,
    /// What was found, sorted.
    pub found: Vec<String>,
    /// What to do instead of adding a line.
    instead: &'static str,
}

impl List {
    /// The committed list.
    pub fn path(&self) -> String {
        format!("{KNOWN}/{}.txt", self.name)
    }

    /// What is new, and what is listed and gone.
    pub fn findings(&self, tree: &Tree) -> Vec<String> {
        let path = self.path();
        let known: BTreeSet<_> = tree.text(&path).lines().map(String::from).collect();
        let found: BTreeSet<_> = self.found.iter().cloned().collect();
        let new = found.difference(&known).map(|item| format!("{}: `{item}` is new; {}", self.name, self.instead));
        let gone = known.difference(&found).map(|item| format!("{path}: names `{item}`, which is gone; take the line out"));
        new.chain(gone).collect()
    }
}

/// All lists that may only become shorter.
pub fn lists(tree: &Tree, code: &Workspace) -> Vec<List> {
    let rooms = tree.rooms();
    let each = |list: &dyn Fn(&str) -> Vec<String>| counted(rooms.iter().flat_map(|room| list(room)));
    vec![
        List {
            name: "circles",
            found: each(&|room| circles_of(code, room)),
            instead: "move what both need into a file below both, or what the parent lends into a child",
        },
        List {
            name: "docs",
            found: each(&|room| riddles(code, room)),
            instead: "begin with a noun or a verb, and say meaning, unit and source",
        },
        List { name: "limits", found: each(&|room| limits(code, room)), instead: "put it into core/limit.rs, where all limits are" },
        List { name: "public", found: each(&|room| unused(tree, code, room)), instead: "make it `pub(crate)`, or private" },
        List { name: "tuples", found: each(&|room| tuples(code, room)), instead: "give the parameter a struct with a name" },
    ]
}

/// Lines in order, those that stand there twice with their number.
fn counted(all: impl Iterator<Item = String>) -> Vec<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for line in all {
        *counts.entry(line).or_default() += 1;
    }
    counts.into_iter().map(|(line, count)| if count == 1 { line } else { format!("{line} x{count}") }).collect()
}

fn circles_of(code: &Workspace, room: &str) -> Vec<String> {
    let graph = code.imports(room);
    let names = |circle: BTreeSet<String>| circle.into_iter().collect::<Vec<_>>().join(" ");
    let files = circles(&graph).into_iter().map(|circle| format!("{room}: files {}", names(circle)));
    let folders = folder_circles(&graph).into_iter().map(|(folder, circle)| format!("{room}: in src/{folder} {}", names(circle)));
    files.chain(folders).collect()
}

/// Whether a doc comment is a riddle, or too short to say more than the name.
pub fn is_riddle(doc: &str) -> bool {
    doc.split_whitespace().count() <= 3 || begins_as_riddle(doc)
}

/// Whether it begins with a word that leans on a sentence before it.
pub fn begins_as_riddle(doc: &str) -> bool {
    doc.split(|c: char| !c.is_alphabetic()).next().is_some_and(|first| RIDDLES.contains(&first))
}

/// The number of doc comments that are riddles: a ceiling.
fn riddles(code: &Workspace, room: &str) -> Vec<String> {
    let count = code.room(room).flat_map(|(_, code)| &code.docs).filter(|doc| is_riddle(doc)).count();
    if count == 0 { Vec::new() } else { vec![format!("{room}: {count}")] }
}

fn limits(code: &Workspace, room: &str) -> Vec<String> {
    let elsewhere = code.room(room).filter(|(path, _)| (room, *path) != ("core", "limit.rs"));
    let names = elsewhere.flat_map(|(_, code)| &code.constants);
    names.filter(|name| name.split('_').any(|word| matches!(word, "LIMIT" | "MAX" | "MIN"))).map(|name| format!("{room} {name}")).collect()
}

/// Public items whose name no room above says in its product. The rooms on top, which nobody imports, are left out.
fn unused(tree: &Tree, code: &Workspace, room: &str) -> Vec<String> {
    let above: Vec<_> = tree.rooms().into_iter().filter(|other| edges(tree, other).contains(room)).collect();
    if above.is_empty() {
        return Vec::new();
    }
    let said: BTreeSet<_> = above.iter().flat_map(|other| code.room(other)).flat_map(|(_, code)| code.words.keys()).collect();
    let items = code.room(room).flat_map(|(_, code)| &code.defined).filter(|item| item.public);
    let unused = items.filter(|item| !said.contains(&item.name.rsplit("::").next().unwrap_or_default().to_owned()));
    unused.map(|item| format!("{room} {} {}", item.kind, item.name)).collect()
}

fn tuples(code: &Workspace, room: &str) -> Vec<String> {
    let functions = code.room(room).flat_map(|(_, code)| &code.functions);
    functions.flat_map(|function| function.tuples.iter().map(move |tuple| format!("{} {tuple}", function.name))).collect()
}
