//! The test of the tests: a small house in which everything is right, and violations planted into it, one at a time.

use crate::{
    checks::{Rules, all},
    tree::Tree,
    workspace::Workspace,
};

const RULES: Rules<'static> = Rules {
    rooms: &[("words", &[]), ("rules", &["words"]), ("server", &["words", "rules"])],
    floors: &[("0", &["words"]), ("1", &["rules"]), ("2", &["server"])],
    pure: &["words", "rules"],
};

/// A house of three rooms: words, rules about them, and a server that uses both.
fn house() -> Tree {
    [
        ("crates/words/Cargo.toml", "[package]\nname = \"countersign-words\"\n[dependencies]\n"),
        ("crates/words/src/lib.rs", "//! Words.\nmod word;\npub use word::Word;\n"),
        ("crates/words/src/word.rs", "/// A word that people agree on.\npub struct Word;\n"),
        ("crates/rules/Cargo.toml", "[dependencies]\ncountersign-words.workspace = true\n[dev-dependencies]\ncountersign-server.workspace = true\n"),
        ("crates/rules/src/lib.rs", "mod judge;\nmod refusal;\npub use judge::judge;\npub use refusal::WordRefusal;\n"),
        (
            "crates/rules/src/refusal.rs",
            "/// A reason against a word.\n#[derive(Debug)]\npub enum WordRefusal {\n    /// There is no word at all.\n    Missing,\n}\n",
        ),
        (
            "crates/rules/src/judge.rs",
            "use countersign_words::Word;\nuse crate::refusal::WordRefusal;\n\n/// Judges a word by all rules.\npub fn judge(word: Option<&Word>) -> Result<(), WordRefusal> {\n    \
             word.map(|_| ()).ok_or(WordRefusal::Missing)\n}\n\n#[cfg(test)]\nmod tests {\n    use super::*;\n    #[test]\n    fn nothing_is_refused() {\n        \
             assert!(matches!(judge(None), Err(WordRefusal::Missing)));\n        std::fs::read(\"allowed in tests\").ok();\n    }\n}\n",
        ),
        ("crates/server/Cargo.toml", "[dependencies]\ncountersign-rules.workspace = true\ncountersign-words.workspace = true\n"),
        ("crates/server/src/lib.rs", "mod answer;\nmod doors;\nmod state;\nmod way;\n"),
        ("crates/server/src/way.rs", "use crate::{answer, doors::Open, state::State};\nfn serve(state: &State) { answer::say(state, Open) }\n"),
        ("crates/server/src/answer.rs", "use crate::{doors::Open, state::State};\npub fn say(_: &State, _: Open) {}\n"),
        ("crates/server/src/state.rs", "use countersign_rules::{WordRefusal, judge};\nuse countersign_words::Word;\npub struct State(Word);\n"),
        ("crates/server/src/doors/mod.rs", "mod open;\nmod shut;\npub use open::Open;\npub use shut::Shut;\n"),
        ("crates/server/src/doors/open.rs", "pub struct Open;\n"),
        ("crates/server/src/doors/shut.rs", "pub struct Shut;\n"),
    ]
    .into_iter()
    .fold(Tree::default(), |tree, (path, text)| tree.with(path, text))
}

fn findings(tree: &Tree) -> Vec<String> {
    all(tree, &Workspace::read(tree), &RULES)
}

/// What is planted: a file, and a text in place of what stands in it, or after it.
enum Plant {
    Instead(&'static str),
    After(&'static str),
}

#[test]
fn a_house_in_order_has_no_findings() {
    assert_eq!(findings(&house()), Vec::<String>::new());
}

#[test]
fn each_planted_violation_is_found_and_nothing_else() {
    use Plant::{After, Instead};
    let rows: &[(&str, &[(&str, Plant)], &str)] = &[
        (
            "a room uses one above it",
            &[("crates/words/Cargo.toml", After("countersign-rules.workspace = true\n"))],
            "crates/words/Cargo.toml: may not use `rules`; say it through a word of `core`, or move the code down",
        ),
        (
            "the same, as a table",
            &[("crates/words/Cargo.toml", After("[dependencies.countersign-rules]\nworkspace = true\n"))],
            "crates/words/Cargo.toml: may not use `rules`; say it through a word of `core`, or move the code down",
        ),
        (
            "the same, under another name",
            &[("crates/words/Cargo.toml", After("judges = { package = \"countersign-rules\", path = \"../rules\" }\n"))],
            "crates/words/Cargo.toml: may not use `rules`; say it through a word of `core`, or move the code down",
        ),
        (
            "the same, for one target only",
            &[("crates/words/Cargo.toml", After("[target.'cfg(unix)'.dependencies]\ncountersign-rules.workspace = true\n"))],
            "crates/words/Cargo.toml: may not use `rules`; say it through a word of `core`, or move the code down",
        ),
        (
            "a room that nobody decided on",
            &[("crates/attic/src/lib.rs", Instead("//! Nothing.\n"))],
            "crates/attic: is in no table of rooms; a new room is an architectural decision of its own commit",
        ),
        (
            "a parent calls its child, which imports the parent",
            &[
                ("crates/server/src/way.rs", After("mod step;\nstruct Held;\nfn go() { step::run() }\n")),
                ("crates/server/src/way/step.rs", Instead("use super::Held;\npub fn run() -> Held { Held }\n")),
            ],
            "circles: `server: files way.rs way/step.rs` is new; move what both need into a file below both, or what the parent lends into a \
             child",
        ),
        (
            "a circle through what another file re-exports",
            &[(
                "crates/server/src/doors/open.rs",
                Instead("use crate::answer;\npub struct Open;\nfn run() { answer::say(todo!(), Open) }\n"),
            )],
            "circles: `server: files answer.rs doors/open.rs` is new; move what both need into a file below both, or what the parent lends \
             into a child",
        ),
        (
            "a circle through a path in a macro",
            &[("crates/server/src/state.rs", After("fn show(state: &State) { println!(\"{}\", crate::answer::say) }\n"))],
            "circles: `server: files answer.rs state.rs` is new; move what both need into a file below both, or what the parent lends into \
             a child",
        ),
        (
            "a circle through all that a module has",
            &[("crates/server/src/state.rs", After("mod inside {\n    use super::super::answer::*;\n    fn f() { self::say() }\n}\n"))],
            "circles: `server: files answer.rs state.rs` is new; move what both need into a file below both, or what the parent lends into \
             a child",
        ),
        (
            "a folder and a file in a circle, and no two files",
            &[(
                "crates/server/src/doors/shut.rs",
                Instead("use crate::{answer::{self as told}, state::State};\npub struct Shut(State);\nfn run() { told::say() }\n"),
            )],
            "circles: `server: in src/ answer doors/` is new; move what both need into a file below both, or what the parent lends into a \
             child",
        ),
        (
            "a pure room reads a file",
            &[(
                "crates/rules/src/judge.rs",
                Instead(
                    "pub fn judge() { std::fs::read(\"a\").ok(); }\n#[cfg(test)]\nmod tests { use crate::refusal::WordRefusal::Missing; }\n",
                ),
            )],
            "crates/rules/src/judge.rs: `std::fs` in a pure room; take the text as an argument",
        ),
        (
            "a parameter that is a tuple",
            &[("crates/server/src/answer.rs", After("fn told((a, b): (u8, u8)) {}\n"))],
            "tuples: `told (a, b)` is new; give the parameter a struct with a name",
        ),
        (
            "the same of a method, by its type",
            &[("crates/server/src/state.rs", After("impl State { fn told(&self, both: &(u8, u8)) {} }\n"))],
            "tuples: `told both` is new; give the parameter a struct with a name",
        ),
        (
            "a public function that nobody uses",
            &[("crates/rules/src/refusal.rs", After("/// Explains a refusal to whoever asks.\npub fn explain() {}\n"))],
            "public: `rules fn explain` is new; make it `pub(crate)`, or private",
        ),
        (
            "a public method that nobody uses",
            &[(
                "crates/words/src/word.rs",
                After(
                    "impl Word {\n    /// Says the word out loud.\n    pub fn say(&self) {}\n    /// Says it twice, out loud.\n    pub fn repeat(&self) {}\n}\n",
                ),
            )],
            "public: `words fn Word::repeat` is new; make it `pub(crate)`, or private",
        ),
        (
            "a public struct that nobody uses",
            &[("crates/words/src/word.rs", After("/// A word that nobody says.\npub struct Silence;\n"))],
            "public: `words struct Silence` is new; make it `pub(crate)`, or private",
        ),
        (
            "a refusal that no test expects",
            &[(
                "crates/rules/src/refusal.rs",
                Instead(
                    "/// A reason against a word.\npub enum WordRefusal {\n    /// There is no word at all.\n    Missing,\n    /// A word with too many letters.\n    TooLong,\n}\n",
                ),
            )],
            "crates/rules/src/refusal.rs: no test expects `WordRefusal::TooLong`; add a row with the one thing that is wrong",
        ),
        (
            "a doc comment that is a riddle",
            &[("crates/server/src/way.rs", After("/// What it was asked for, if it was.\nfn asked() {}\n"))],
            "docs: `server: 1` is new; begin with a noun or a verb, and say meaning, unit and source",
        ),
        (
            "a doc comment that repeats the name",
            &[("crates/server/src/way.rs", After("struct Asked {\n    /// Its name.\n    name: u8,\n}\n"))],
            "docs: `server: 1` is new; begin with a noun or a verb, and say meaning, unit and source",
        ),
        (
            "a limit that stands elsewhere",
            &[("crates/server/src/way.rs", After("const BODY_BYTES_MAX: usize = 1;\n"))],
            "limits: `server BODY_BYTES_MAX` is new; put it into core/limit.rs, where all limits are",
        ),
        (
            "a list that names what is gone",
            &[("crates/countersign/tests/architecture/known/tuples.txt", Instead("told (a, b)\n"))],
            "crates/countersign/tests/architecture/known/tuples.txt: names `told (a, b)`, which is gone; take the line out",
        ),
    ];
    for (name, plants, expected) in rows {
        let tree = plants.iter().fold(house(), |tree, (path, plant)| {
            let text = match plant {
                Instead(text) => (*text).to_owned(),
                After(text) => tree.text(path).to_owned() + text,
            };
            tree.with(path, &text)
        });
        assert_eq!(findings(&tree), [*expected], "{name}");
    }
}

#[test]
fn rooms_on_one_floor_do_not_meet() {
    let rules = Rules { floors: &[("0", &["words"]), ("1", &["rules", "server"])], ..RULES };
    let found = all(&house(), &Workspace::read(&house()), &rules);
    assert_eq!(found, ["crates/server/Cargo.toml: floor 1 uses `rules` on floor 1; imports point strictly down"]);
}
