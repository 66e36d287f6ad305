//! The figures of the house, as HOUSE.md has them: to notice drift early, not limits to obey.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    checks::{begins_as_riddle, edges, lists},
    circles::{circles, floors, folder_circles},
    code::{Code, Function},
    workspace,
    workspace::Workspace,
};

#[test]
#[ignore = "prints figures, and judges nothing"]
fn figures() {
    for (name, figure) in all() {
        println!("| {name} | {figure} |");
    }
}

/// Name and value of each figure.
fn all() -> Vec<(&'static str, String)> {
    let (tree, code) = workspace();
    let rooms = tree.rooms();
    let files: Vec<&Code> = code.0.values().collect();
    let lines: usize = files.iter().map(|file| file.code_lines.len()).sum();
    let functions: Vec<&Function> = files.iter().flat_map(|file| &file.functions).collect();
    let docs: Vec<&String> = files.iter().flat_map(|file| &file.docs).collect();
    let graphs: BTreeMap<_, _> = rooms.iter().map(|room| (room, code.imports(room))).collect();
    let imports: usize = graphs.values().flat_map(BTreeMap::values).map(BTreeSet::len).sum();
    let of_rooms =
        |figure: &dyn Fn(&str) -> String| rooms.iter().map(|room| format!("{room} {}", figure(room))).collect::<Vec<_>>().join(", ");
    let own = |room: &str| code.room(room).map(|(_, code)| code.code_lines.len()).sum::<usize>();
    let public: usize = files.iter().flat_map(|file| &file.defined).filter(|item| item.public).count();
    let known = lists(tree, code);
    let listed = |name: &str| known.iter().find(|list| list.name == name).map_or(0, |list| list.found.len());
    let (pure_tests, waiting_tests) = tests();
    let mut in_files: BTreeMap<&str, usize> = BTreeMap::new();
    for file in &files {
        let types = file.defined.iter().filter(|item| matches!(item.kind, "enum" | "struct" | "trait" | "type"));
        for name in types.map(|item| item.name.as_str()).collect::<BTreeSet<_>>() {
            *in_files.entry(name).or_default() += 1;
        }
    }
    let files_with = |count: usize| share(in_files.values().filter(|files| **files >= count).count(), in_files.len());
    let function_lines = sorted(functions.iter().map(|function| function.lines));
    let file_lines = sorted(files.iter().map(|file| file.code_lines.len()));
    let doc_words = sorted(docs.iter().map(|doc| doc.split_whitespace().count()));
    let tuples: usize = functions.iter().map(|function| function.tuples.len()).sum();
    let circle_count = |list: Vec<usize>| format!("{} ({})", list.len(), list.iter().map(usize::to_string).collect::<Vec<_>>().join(", "));
    vec![
        ("code lines, without tests", lines.to_string()),
        ("code lines a file: median / p90 / max", format!("{} / {} / {}", at(&file_lines, 50), at(&file_lines, 90), at(&file_lines, 100))),
        (
            "function lines: p90 / p99 / share over 60",
            format!(
                "{} / {} / {} ({} of {})",
                at(&function_lines, 90),
                at(&function_lines, 99),
                share(function_lines.iter().filter(|lines| **lines > 60).count(), function_lines.len()),
                function_lines.iter().filter(|lines| **lines > 60).count(),
                function_lines.len()
            ),
        ),
        ("functions with more than five parameters", functions.iter().filter(|function| function.parameters > 5).count().to_string()),
        ("tuples as parameters, per 1,000 functions", format!("{} ({tuples})", tenths(tuples * 1000, functions.len()))),
        ("doc lines per 100 code", tenths(files.iter().map(|file| file.doc_lines).sum::<usize>() * 100, lines)),
        (
            "doc words, median; blocks of three or fewer",
            format!("{}; {}", at(&doc_words, 50), share(doc_words.iter().filter(|words| **words <= 3).count(), doc_words.len())),
        ),
        ("docs that begin with What/How/Its/...", share(docs.iter().filter(|doc| begins_as_riddle(doc)).count(), docs.len())),
        ("docs that cite RFC, section or URL", share(docs.iter().filter(|doc| cites(doc)).count(), docs.len())),
        ("comments that say why, per 100 code", tenths(files.iter().map(|file| file.comments).sum::<usize>() * 100, lines)),
        ("type names in two files or more (three or more)", format!("{} ({})", files_with(2), files_with(3))),
        ("crates on the longest path", longest_path().to_string()),
        ("file circles (files in them)", circle_count(graphs.values().flat_map(circles).map(|circle| circle.len()).collect())),
        (
            "folder circles (neighbours in them)",
            circle_count(graphs.values().flat_map(folder_circles).map(|(_, circle)| circle.len()).collect()),
        ),
        ("imports of own files a file", tenths(imports * 10, files.len() * 10)),
        ("imports of own files a file, by room", {
            of_rooms(&|room| {
                let graph = graphs.get(&room.to_owned());
                let (edges, files) = graph.map_or((0, 0), |graph| (graph.values().map(BTreeSet::len).sum(), graph.len()));
                tenths(edges, files)
            })
        }),
        ("floors in one crate", of_rooms(&|room| graphs.get(&room.to_owned()).map_or(0, floors).to_string())),
        (
            "tests that do not wait (without store or socket)",
            format!("{} ({pure_tests} of {})", share(pure_tests, pure_tests + waiting_tests), pure_tests + waiting_tests),
        ),
        ("public items unused outside their crate", format!("{} of {public}", listed("public"))),
        ("dead public items", dead().join(", ")),
        ("limits outside core/limit.rs", listed("limits").to_string()),
        ("lines of each crate", of_rooms(&|room| format!("{} ({})", own(room), share(own(room), lines)))),
    ]
}

/// Tests of the whole workspace that are ordinary functions, and those that wait for something.
fn tests() -> (usize, usize) {
    let (tree, code) = workspace();
    let others = Workspace::others(tree);
    let all = code.0.values().chain(others.values());
    all.fold((0, 0), |(pure, waiting), code| (pure + code.tests.0, waiting + code.tests.1))
}

/// Public items whose name stands nowhere but where they are defined, tests included.
fn dead() -> Vec<String> {
    let (tree, code) = workspace();
    let others = Workspace::others(tree);
    let mut said: BTreeMap<&str, usize> = BTreeMap::new();
    for code in code.0.values().chain(others.values()) {
        for (word, count) in code.words.iter().chain(&code.test_words) {
            *said.entry(word).or_default() += count;
        }
    }
    let mut found = Vec::new();
    for (path, code) in &code.0 {
        for item in code.defined.iter().filter(|item| item.public) {
            let name = item.name.rsplit("::").next().unwrap_or_default();
            if said.get(name).is_none_or(|count| *count <= 1) && name != "main" {
                found.push(format!("{path} {}", item.name));
            }
        }
    }
    found
}

/// Rooms on the longest way down.
fn longest_path() -> usize {
    let (tree, _) = workspace();
    let graph = tree.rooms().into_iter().map(|room| {
        let below = edges(tree, &room);
        (room, below)
    });
    floors(&graph.collect())
}

fn cites(doc: &str) -> bool {
    doc.contains("RFC ") || doc.contains("section ") || doc.contains("http")
}

fn sorted(numbers: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut numbers: Vec<_> = numbers.collect();
    numbers.sort_unstable();
    numbers
}

/// The value below which so many per cent of them lie.
fn at(sorted: &[usize], percent: usize) -> usize {
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

fn share(part: usize, whole: usize) -> String {
    tenths(part * 100, whole) + " %"
}

/// A quotient with one digit behind the point.
fn tenths(part: usize, whole: usize) -> String {
    let tenths = part * 10 / whole.max(1);
    format!("{}.{}", tenths / 10, tenths % 10)
}
