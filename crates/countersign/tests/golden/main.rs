//! What others rely on, as golden files: reason codes, configuration keys, flags of the command line, routes, metrics and members of
//! JSON. Each list is taken from the product as it runs, not from its source (metrics excepted), so that files may move between crates.
//!
//! A difference is either a mistake or a change of the interface: the first is mended, the second is a commit of its own that says so
//! in the CHANGELOG. `log.txt` lists the members of the audit log's entries; a new format of the log changes it, and nothing else.
#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "what fails in a helper fails the test")]

mod cli;
mod config;
mod data_before_house;
mod members;
mod metrics;
mod place;
mod product;
mod routes;
mod scenario;

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use countersign_core::{PublicReason, Reason};

/// Compares a list with the committed one.
///
/// # Panics
/// When they differ; the message names the lines, and where the new list lies.
fn golden(name: &str, found: &str) {
    if let Some(difference) = difference(name, found) {
        panic!("{difference}");
    }
}

/// Lines that are gone and lines that are new, if there are any.
fn difference(name: &str, found: &str) -> Option<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let committed = fs::read_to_string(&path).unwrap_or_default();
    if committed == found {
        return None;
    }
    let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("golden-{name}"));
    fs::write(&fresh, found).expect("the new list is written");
    let lines = |text: &str| text.lines().map(String::from).collect::<BTreeSet<_>>();
    let (before, now) = (lines(&committed), lines(found));
    let gone: Vec<_> = before.difference(&now).map(|line| format!("- {line}")).collect();
    let new: Vec<_> = now.difference(&before).map(|line| format!("+ {line}")).collect();
    let (gone, new, fresh) = (gone.join("\n"), new.join("\n"), fresh.display());
    Some(format!("the interface is not what tests/golden/{name} says\n{gone}\n{new}\nif that is meant: cp {fresh} tests/golden/{name}"))
}

/// Standard output and standard error of a run in `home`.
fn countersign(home: &Path, args: &[&str]) -> (String, String) {
    let run = Command::new(env!("CARGO_BIN_EXE_countersign")).args(args).current_dir(home).output().expect("a run");
    (String::from_utf8_lossy(&run.stdout).into_owned(), String::from_utf8_lossy(&run.stderr).into_owned())
}

#[test]
fn reasons_are_as_they_were() {
    let mut lines: Vec<_> =
        Reason::ALL.iter().map(|reason| format!("reason {} told as {}", reason.code(), reason.public().code())).collect();
    lines.extend(
        PublicReason::ALL.iter().map(|told| format!("told {} status {} retry {}", told.code(), told.status(), told.retry().as_str())),
    );
    golden("reasons.txt", &(lines.join("\n") + "\n"));
}
