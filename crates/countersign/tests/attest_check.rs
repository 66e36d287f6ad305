//! `countersign attest check` as people run it, over our own vectors and over those of genuine phones.
#![expect(clippy::expect_used, clippy::print_stdout, reason = "what fails in a helper fails the test, and a skipped test says why")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

const OWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../attest/tests/vectors");
const SHIPPED_ANCHORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../attest/data/anchors");

/// Exit status, the document on standard output, and standard error.
fn check(path: &Path, anchors: &Path) -> (Option<i32>, Value, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    let run = command.args(["attest", "check", "--json", "--anchors"]).arg(anchors).arg(path).output().expect("a run");
    let document = serde_json::from_slice(&run.stdout).unwrap_or(Value::Null);
    (run.status.code(), document, String::from_utf8_lossy(&run.stderr).into_owned())
}

/// The folder of the shared vectors, when it is there.
fn shared() -> Option<PathBuf> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vectors"));
    if folder.is_dir() {
        return Some(folder.to_owned());
    }
    println!("skipped: shared/ is not beside the checkout");
    None
}

#[test]
fn our_own_chains_are_as_expected() {
    let own = Path::new(OWN);
    let all = json!({ "cases": 52, "passed": 52, "failed": [] });
    for path in [own.join("cases.json"), own.to_owned()] {
        assert_eq!(check(&path, &own.join("anchors")), (Some(0), all.clone(), String::new()), "{}", path.display());
    }
}

#[test]
fn genuine_phones_are_as_expected() {
    let Some(shared) = shared() else { return };
    for (path, count_min) in [("appattest", 16), ("android", 176), ("android/cases.json", 176)] {
        let (exit, document, errors) = check(&shared.join(path), &shared.join("anchors"));
        assert_eq!((exit, errors), (Some(0), String::new()), "{path}: {document}");
        let count = document.get("cases").and_then(Value::as_u64).expect("a count");
        assert!(count >= count_min && document.get("passed").and_then(Value::as_u64) == Some(count), "{path}: {document}");
    }
}

#[test]
fn genuine_iphones_are_as_expected_in_both_forms() {
    let Some(shared) = shared() else { return };
    let run = |form: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(["attest", "check"]).args(form).arg(shared.join("appattest")).arg("--anchors").arg(shared.join("anchors"));
        let run = command.output().expect("a run");
        (run.status.code(), String::from_utf8_lossy(&run.stdout).into_owned(), String::from_utf8_lossy(&run.stderr).into_owned())
    };
    assert_eq!(run(&[]), (Some(0), "16 of 16 cases as expected\n".to_owned(), String::new()));
    let (exit, document, errors) = run(&["--json"]);
    let document: Value = serde_json::from_str(&document).expect("a document");
    assert_eq!((exit, document, errors), (Some(0), json!({ "cases": 16, "passed": 16, "failed": [] }), String::new()));
}

#[test]
fn of_several_files_each_case_has_a_name_of_its_own() {
    let folder = tempfile::tempdir().expect("a directory");
    let chain = fs::canonicalize(Path::new(OWN).join("chains/factory.pem")).expect("a chain");
    let case = json!({
        "id": "first", "chain": chain, "at": 1_751_328_000, "challenge_b64": "", "anchors": [],
        "requirements": { "security_level_min": "SOFTWARE", "boot_state": [], "require_locked": false, "require_root_of_trust": false },
        "expect": { "verdict": "accepted" },
    });
    let receipt = json!({ "type": "assertion", "id": "first", "assertionBase64": "", "bundleIdentifier": "com.example.bank",
        "challengeBase64": "", "clientDataBase64": "", "clientDataHashSha256Base64": "", "counter": 1, "environment": "production",
        "keyIdBase64": "", "publicKey": "", "teamIdentifier": "TEAM123456", "timestamp": "" });
    fs::write(folder.path().join("b.json"), json!({ "samples": [receipt] }).to_string()).expect("written");
    fs::write(folder.path().join("a.json"), json!([case]).to_string()).expect("written");
    fs::write(folder.path().join("notes.txt"), "not looked at").expect("written");
    let (exit, document, errors) = check(folder.path(), Path::new(SHIPPED_ANCHORS));
    assert_eq!((exit, errors.as_str()), (Some(1), ""));
    let failed = document.get("failed").and_then(Value::as_array).expect("failures");
    let ids: Vec<_> = failed.iter().filter_map(|failed| failed.get("id").and_then(Value::as_str)).collect();
    assert_eq!(ids, ["a: first", "b: first"], "{document}");
    let (_, document, _) = check(&folder.path().join("a.json"), Path::new(SHIPPED_ANCHORS));
    assert_eq!(document.pointer("/failed/0/id"), Some(&json!("first")), "one file needs no prefix");
}

#[test]
fn files_of_neither_kind_are_named() {
    let folder = tempfile::tempdir().expect("a directory");
    let rows: &[(&str, &str, &str)] = &[
        ("an object without samples", r#"{"cases":[]}"#, "unknown field `cases`, expected `source` or `samples`"),
        ("a text", r#""cases""#, "the file does not hold cases: invalid type"),
        ("no JSON", "cases", "the file does not hold cases"),
        ("a list of something else", r#"[{"id":"x"}]"#, "the file does not hold cases: missing field"),
        ("a misspelt sample", r#"{"samples":[{"type":"assertion","identifier":"x"}]}"#, "unknown field `identifier`"),
    ];
    for (name, text, expected) in rows {
        let file = folder.path().join("odd.json");
        fs::write(&file, text).expect("written");
        let (exit, _, errors) = check(folder.path(), Path::new(SHIPPED_ANCHORS));
        assert_eq!(exit, Some(1), "{name}");
        assert!(errors.contains("odd.json") && errors.contains(expected), "{name}: {errors}");
    }
    let empty = tempfile::tempdir().expect("a directory");
    assert!(check(empty.path(), Path::new(SHIPPED_ANCHORS)).2.contains("holds no JSON file"));
    let other = tempfile::tempdir().expect("a directory");
    fs::write(other.path().join("a.json"), r#"{"samples":[]}"#).expect("written");
    assert!(check(other.path(), empty.path()).2.contains("apple_app_attest_root.pem"), "a missing root is named");
}
