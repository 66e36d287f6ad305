//! Files of another time: an older database, a log that was cut, files of another node. The node says which and does not start, goes on when
//! it is told, and then everything that was restricted is restricted still, and nothing that was given out before counts.
#![expect(clippy::expect_used, reason = "what fails in a helper fails the test")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use countersign_audit::{Activated, CheckpointVerifier, Recorded};
use countersign_core::Clock;
use countersign_demo::{
    Halted, Watching, World,
    phone::{Call, Handset, Phone},
};
use countersign_node::{OsEntropy, RestoreAt, Restored, SystemClock, layout, restore};
use countersign_store::segments;
use http::Method;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

const DATABASE: &str = "countersign.db";
const KEYS: &str = "subject-keys.db";

/// A node that was stopped, with an older copy of its data, and people.
struct Past {
    halted: Halted,
    older: tempfile::TempDir,
    /// Signed in before the copy was made.
    ana: Phone,
    /// Signed in before the copy was made; the account was closed after it.
    bob: Phone,
    /// Signed in before the copy was made; the device was revoked after it.
    cy: Phone,
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory").flatten() {
        let (path, into) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &into);
        } else if path.is_file() {
            fs::copy(&path, &into).expect("copied");
        }
    }
}

impl Past {
    async fn new() -> Self {
        let world = World::start(Watching::Observing).await.expect("a node");
        let customer = async |name: &str| world.customer(name, &Handset::genuine()).await.expect("a customer");
        let (ana, bob, cy) = (customer("ana@example.com").await, customer("bob@example.com").await, customer("cy@example.com").await);
        let halted = world.halt().await;
        let older = tempfile::tempdir().expect("a directory");
        copy(&halted.data(), older.path());
        let node = halted.start().await.expect("it starts");
        let world = halted.with(node);
        world
            .node
            .admin_service()
            .close_user("bob@example.com", &countersign_core::OperatorName::parse("alice").expect("a name"))
            .await
            .expect("closed");
        world.revoke_device_of(cy.tokens().await.expect("tokens").access.expose()).await.expect("revoked");
        world.customer("dee@example.com", &Handset::genuine()).await.expect("somebody new");
        Self { halted: world.halt().await, older, ana, bob, cy }
    }

    fn replace(&self, name: &str) {
        remove(&self.halted.data(), name);
        fs::copy(self.older.path().join(name), self.halted.data().join(name)).expect("copied");
    }
}

/// Removes a database with what stands beside it.
fn remove(data: &Path, name: &str) {
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(data.join(format!("{name}{end}")));
    }
}

fn segments_of(data: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(data.join(layout::LOG)).expect("a log").flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.extension().is_some_and(|end| end == "txt"));
    found.sort();
    found
}

async fn restored(data: &Path, accepted: &[&str]) -> Result<Restored, String> {
    let (clock, entropy) = (Arc::new(SystemClock) as Arc<dyn Clock>, Arc::new(OsEntropy) as _);
    let accepted: Vec<_> = accepted.iter().map(|word| (*word).to_owned()).collect();
    restore(&RestoreAt { data, origin: "localhost", clock, entropy }, &accepted).await.map_err(|why| why.to_string())
}

async fn is_served(phone: &Phone) -> bool {
    phone.call(&Call::new(Method::GET, "/v1/me")).await.is_ok_and(|answer| answer.status.is_success())
}

/// Whether the newest log holds the record of what was accepted.
fn is_recorded(world: &World, words: &[&str]) -> bool {
    let report = world.verify_log(world.node.log_directory()).expect("a log");
    assert_eq!(report.faults, [], "the log does not verify");
    let mut found = false;
    segments::walk_from(
        world.node.log_directory(),
        0,
        |_| true,
        |record| {
            if let Recorded::ConfigActivated(it) = &record.event.of
                && it.what == Activated::Restore
            {
                found = it.accepted == words;
            }
        },
    )
    .expect("a log");
    found
}

/// Who is there still, and who may do what.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    /// Nothing was lost: ana goes on as she was.
    GoesOn,
    /// Tokens are void, and ana signs in again; who was shut out stays out.
    SignsInAgain,
    /// The people are gone with the database.
    Nobody,
}

struct Row {
    name: &'static str,
    change: fn(&Past, &Past),
    words: &'static [&'static str],
    after: After,
}

const ROWS: &[Row] = &[
    Row { name: "an older database", change: |past, _| past.replace(DATABASE), words: &["database-older"], after: After::SignsInAgain },
    Row {
        name: "older database and keys",
        change: |past, _| {
            past.replace(DATABASE);
            past.replace(KEYS);
        },
        words: &["database-older"],
        after: After::SignsInAgain,
    },
    Row { name: "older keys", change: |past, _| past.replace(KEYS), words: &["keys-older"], after: After::GoesOn },
    Row { name: "no keys", change: |past, _| remove(&past.halted.data(), KEYS), words: &["keys-missing"], after: After::GoesOn },
    Row {
        name: "another node's keys",
        change: |past, other| {
            remove(&past.halted.data(), KEYS);
            fs::copy(other.halted.data().join(KEYS), past.halted.data().join(KEYS)).expect("copied");
        },
        words: &["keys-foreign"],
        after: After::GoesOn,
    },
    Row {
        name: "a log that was halved",
        change: |past, _| {
            let path = segments_of(&past.halted.data()).pop().expect("a segment");
            let file = fs::OpenOptions::new().write(true).open(path).expect("a segment");
            file.set_len(file.metadata().expect("a size").len() / 2).expect("cut");
        },
        words: &["log-shorter"],
        after: After::GoesOn,
    },
    Row {
        name: "a log whose last segment is gone",
        change: |past, _| fs::remove_file(segments_of(&past.halted.data()).pop().expect("a segment")).expect("removed"),
        words: &["log-missing"],
        after: After::GoesOn,
    },
    Row {
        name: "no log",
        change: |past, _| fs::remove_dir_all(past.halted.data().join(layout::LOG)).expect("removed"),
        words: &["log-missing"],
        after: After::GoesOn,
    },
    Row {
        name: "an older log",
        change: |past, _| {
            fs::remove_dir_all(past.halted.data().join(layout::LOG)).expect("removed");
            copy(&past.older.path().join(layout::LOG), &past.halted.data().join(layout::LOG));
        },
        words: &["log-shorter"],
        after: After::GoesOn,
    },
    Row {
        name: "another node's log",
        change: |past, other| {
            fs::remove_dir_all(past.halted.data().join(layout::LOG)).expect("removed");
            copy(&other.halted.data().join(layout::LOG), &past.halted.data().join(layout::LOG));
        },
        words: &["log-foreign"],
        after: After::GoesOn,
    },
    Row {
        name: "no database",
        change: |past, _| remove(&past.halted.data(), DATABASE),
        words: &["database-missing"],
        after: After::Nobody,
    },
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_another_time_are_told_and_go_on_when_that_is_accepted() {
    let other = Past::new().await;
    for Row { name, change, words, after } in ROWS {
        let past = Past::new().await;
        change(&past, &other);
        let data = past.halted.data();
        let refused = past.halted.start().await.err().unwrap_or_else(|| panic!("{name}: it starts without a word")).to_string();
        let first = words.first().expect("a word");
        assert!(refused.contains(&format!("countersign restore --accept {first}")), "{name}: {refused}");
        let told = restored(&data, &[]).await.expect_err("not accepted");
        assert!(told.contains(&format!("--accept {first}")), "{name}: {told}");
        let done = restored(&data, words).await.unwrap_or_else(|why| panic!("{name}: {why}"));
        let accepted: Vec<_> = done.accepted.keys().copied().collect();
        assert!(accepted.iter().all(|word| words.contains(word)) && accepted.contains(first), "{name}: {accepted:?}");
        assert_eq!(done.voided, *after != After::GoesOn, "{name}");
        assert_eq!(done.restrictions_unreadable, 0, "{name}");
        let again = restored(&data, &[]).await.unwrap_or_else(|why| panic!("{name}, a second time: {why}"));
        assert!(again.accepted.is_empty(), "{name}: {:?}", again.accepted);
        let node = past.halted.start().await.unwrap_or_else(|why| panic!("{name}: {why:#}"));
        let Past { halted, ana, bob, cy, .. } = past;
        let world = halted.with(node);
        assert!(is_recorded(&world, &accepted), "{name}: not recorded");
        match after {
            After::GoesOn => assert!(is_served(&ana).await, "{name}: ana"),
            After::SignsInAgain => {
                assert!(!is_served(&ana).await, "{name}: what ana was given before counts");
                ana.sign_in().await.unwrap_or_else(|why| panic!("{name}: ana: {why:#}"));
                assert!(is_served(&ana).await, "{name}: ana, again");
            }
            After::Nobody => {
                ana.enrol(&world.ca, &Handset::genuine()).await.unwrap_or_else(|why| panic!("{name}: {why:#}"));
                ana.register("ana@example.com", None).await.unwrap_or_else(|why| panic!("{name}: {why:#}"));
            }
        }
        for (who, phone) in [("bob, whose account is closed", &bob), ("cy, whose device is revoked", &cy)] {
            assert!(!is_served(phone).await, "{name}: {who}, is served");
            assert!(phone.sign_in().await.is_err(), "{name}: {who}, signs in");
        }
        // It is a node like any other from then on.
        let world = world.restart().await.unwrap_or_else(|why| panic!("{name}, at the next start: {why:#}"));
        world.stop().await;
    }
}

async fn ask(node: &World, path: &str, body: String) -> u16 {
    let stream = UnixStream::connect(&node.node.addresses().admin).await.expect("a socket");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("a connection");
    tokio::spawn(connection);
    let request = http::Request::post(path).header("host", "admin").header("content-type", "application/json");
    let answer = sender.send_request(request.body(Full::new(bytes::Bytes::from(body))).expect("a request")).await.expect("an answer");
    let status = answer.status().as_u16();
    drop(answer.into_body().collect().await);
    status
}

fn check_modes(directory: &Path) -> usize {
    let mut files = 0;
    let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode(directory), 0o700, "{}", directory.display());
    for path in fs::read_dir(directory).expect("a directory").flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            files += check_modes(&path);
        } else {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
            files += 1;
        }
    }
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_made_while_the_node_runs_and_is_restored() {
    for with_newer_log in [false, true] {
        let world = World::start(Watching::Observing).await.expect("a node");
        let customer = async |name: &str| world.customer(name, &Handset::genuine()).await.expect("a customer");
        let (ana, bob) = (customer("ana@example.com").await, customer("bob@example.com").await);
        let elsewhere = tempfile::tempdir().expect("a directory");
        let directory = elsewhere.path().join("backup");
        let body = |directory: &Path| format!("{{\"directory\":\"{}\"}}", directory.display());
        assert_eq!(ask(&world, "/v1/backup", body(&directory)).await, 200);
        assert_eq!(ask(&world, "/v1/backup", body(&directory)).await, 400, "it is not empty");
        assert_eq!(ask(&world, "/v1/backup", body(&world.data().join("b"))).await, 400, "in the data directory");
        assert!(is_served(&ana).await, "the node goes on");
        assert!(check_modes(&directory) >= 5, "database, keys, log, its key, rules");
        world
            .node
            .admin_service()
            .close_user("bob@example.com", &countersign_core::OperatorName::parse("alice").expect("a name"))
            .await
            .expect("closed");
        let halted = world.halt().await;
        // The disk of the node is lost, and what is left is the backup, and perhaps the log.
        let log = elsewhere.path().join("log");
        copy(&halted.data().join(layout::LOG), &log);
        fs::remove_dir_all(halted.data()).expect("removed");
        copy(&directory, &halted.data());
        let mut words = vec!["backup"];
        if with_newer_log {
            fs::remove_dir_all(halted.data().join(layout::LOG)).expect("removed");
            copy(&log, &halted.data().join(layout::LOG));
            words.insert(0, "database-older");
        }
        let refused = halted.start().await.err().expect("it asks").to_string();
        assert!(refused.contains("--accept backup"), "{refused}");
        let done = restored(&halted.data(), &words).await.expect("restored");
        assert!(done.voided);
        let node = halted.start().await.expect("it starts");
        let world = halted.with(node);
        assert!(is_recorded(&world, &words));
        assert!(!is_served(&ana).await, "what was given out before is void");
        ana.sign_in().await.expect("signed in");
        assert!(is_served(&ana).await);
        assert_eq!(bob.sign_in().await.is_err(), with_newer_log, "an account that was closed after the backup, by the log that says so");
        world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shortened_log_is_found_by_what_the_database_knows() {
    let past = Past::new().await;
    let data = past.halted.data();
    let key = fs::read_to_string(data.join(layout::LOG_KEY)).expect("a key");
    let key = CheckpointVerifier::parse(&key).expect("a key");
    let verify = || {
        std::process::Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args(["audit", "verify", "--data"])
            .arg(&data)
            .output()
            .expect("a run")
    };
    let whole = verify();
    let said = String::from_utf8_lossy(&whole.stdout).into_owned();
    assert!(whole.status.success() && said.contains("compared with the database"), "{said}");
    // Cut behind an earlier commit: every line that is left is genuine.
    let path = segments_of(&data).pop().expect("a segment");
    let text = fs::read_to_string(&path).expect("a segment");
    let half: usize = text.lines().take(text.lines().count() / 2).map(|line| line.len() + 1).sum();
    let end = text.get(..half).and_then(|text| text.rfind("\nc ")).expect("a commit");
    let end = end + 1 + text.get(end + 1..).and_then(|rest| rest.find('\n')).expect("a line") + 1;
    fs::write(&path, text.get(..end).expect("a part")).expect("written");
    assert_eq!(segments::verify(&data.join(layout::LOG), &key, None).expect("a log").faults, [], "by itself it looks whole");
    let cut = verify();
    let said = String::from_utf8_lossy(&cut.stdout).into_owned();
    assert!(!cut.status.success() && said.contains("FAULT") && said.contains("missing"), "{said}");
    tokio::time::sleep(Duration::ZERO).await;
}
