//! The data of those who upgrade: a node of today goes on from what commit fed7942 left.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc, time::Duration};

use countersign_core::{Clock, UnixMillis};
use http::Method;
use serde_json::Value;

use crate::{
    countersign,
    place::ask,
    product::{free_port, start},
    routes::plain,
};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/data_before_house");

/// A minute after the last entry, for ever: nothing in the data has expired.
struct Then;

impl Clock for Then {
    fn now(&self) -> UnixMillis {
        UnixMillis(1_796_130_557_000)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_today_goes_on_from_the_data_of_before() {
    let home = tempfile::tempdir().expect("a directory");
    copy(Path::new(FIXTURE), home.path());
    let port = free_port().expect("a port");
    let file = home.path().join("csign.toml");
    let text = fs::read_to_string(&file).expect("a config").replace("27443", &port.to_string());
    fs::write(&file, text).expect("written");
    let entries = fs::read_to_string(home.path().join("entries.txt")).expect("entries");
    let before = verified(home.path());
    assert_eq!(before, entries.lines().count() as u64, "the log verifies before anything is written to it");

    let node = start(&file, Arc::new(Then)).await;
    let socket = home.path().join("data/admin.sock");
    for (path, saved) in [
        ("/v1/users", "users.json"),
        ("/v1/devices", "devices.json"),
        ("/v1/sessions", "sessions.json"),
        ("/v1/incidents", "incidents.json"),
        ("/v1/dev-tokens", "dev-tokens.json"),
    ] {
        let saved: Value = serde_json::from_str(&fs::read_to_string(home.path().join(saved)).expect("a list")).expect("JSON");
        assert_eq!(ask(&socket, "GET", path, "").await, (200, saved), "{path}");
    }
    let (_, records) = ask(&socket, "GET", "/v1/decisions?from=0&count=1000", "").await;
    let records: Vec<_> = records.as_array().expect("records").iter().map(line).collect();
    assert_eq!(records.iter().take(entries.lines().count()).cloned().collect::<Vec<_>>(), entries.lines().collect::<Vec<_>>());
    let request = entries.lines().find(|line| line.contains(" request allow")).and_then(|line| line.split(' ').nth(1)).expect("one");
    let (why, said) = countersign(home.path(), &["why", request]);
    assert!(why.contains(request), "{why}{said}");
    let (_, metrics) = plain(node.addresses().side, &Method::GET, "/metrics").await;
    assert!(!metrics.contains("countersign_watch_state_refused_total"), "the monitor continues with its saved state: {metrics}");

    let (status, answer) = ask(&socket, "POST", "/v1/invitations", r#"{"name":"new","roles":[],"hours":1}"#).await;
    assert_eq!(status, 200, "{answer}");
    node.shutdown(Duration::from_secs(5)).await;
    let after = verified(home.path());
    assert!(after >= before + 2, "the start and the invitation stand after what was there: {before}, {after}");
    let again = start(&file, Arc::new(Then)).await;
    again.shutdown(Duration::from_secs(5)).await;
    assert!(verified(home.path()) > after);
}

/// Entries of a log without faults, as `audit verify` says.
fn verified(home: &Path) -> u64 {
    let (said, wrong) = countersign(home, &["audit", "verify", "--json"]);
    let report: Value = serde_json::from_str(&said).unwrap_or_else(|why| panic!("{why}: {said}{wrong}"));
    assert_eq!(report["faults"], serde_json::json!([]), "{report}");
    report["committed"].as_u64().expect("a number")
}

/// A record as `entries.txt` has it.
fn line(record: &Value) -> String {
    let word = |member: &str| record["entry"][member].as_str().unwrap_or_default().to_owned();
    format!("{} {} {} {}", record["seq"], word("decision"), word("event"), word("outcome"))
}

/// A copy that only its owner can read: git keeps no such modes.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).expect("a mode");
    for entry in fs::read_dir(from).expect("a directory").flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).expect("a copy");
            fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).expect("a mode");
        }
    }
}
