//! The commands that read the log show a log of format 1 as they did before there was another.

#![expect(clippy::expect_used, reason = "what fails outside of the test functions fails the test too")]

use std::{fs, path::PathBuf, process::Command};

fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../audit/tests/fixtures/format1")
}

fn said(args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    let output = command.args(args).arg("--data").arg(fixture()).output().expect("the command runs");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn golden(name: &str) -> String {
    fs::read_to_string(fixture().join("golden").join(name)).expect("a file of the fixture")
}

#[test]
fn why_and_logs_say_what_they_said() {
    let decisions =
        ["D-040G-2081-040G", "D-0810-40G2-0810", "D-0C1G-60R3-0C1G", "D-0G20-8104-0G20", "D-0M2G-A185-0M2G", "D-0R30-C1G6-0R30"];
    for (number, decision) in (1..).zip(decisions) {
        assert_eq!(said(&["why", decision]), golden(&format!("why-{number}.txt")), "{decision}");
        assert_eq!(said(&["why", decision, "--json"]), golden(&format!("why-{number}.json")), "{decision}");
    }
    assert_eq!(said(&["logs", "tail"]), golden("logs.txt"));
    assert_eq!(said(&["logs", "tail", "--json"]), golden("logs.json"));
    assert!(said(&["audit", "verify"]).starts_with("6 records covered by signed checkpoints"));
}
