//! The binary as people run it: exit statuses, messages, signals.
#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "what fails in a helper fails the test")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    time::Duration,
};

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tempfile::TempDir;

fn countersign(home: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_countersign")).args(args).current_dir(home).output().expect("a run")
}

/// Exit status, standard output and standard error as one text, with what differs between runs replaced.
fn told(home: &Path, args: &[&str]) -> String {
    let run = countersign(home, args);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&home.display().to_string(), "HOME");
    format!("$ countersign {}\n{}{}exit {}\n", args.join(" "), text(&run.stdout), text(&run.stderr), run.status.code().unwrap_or(-1))
}

#[test]
fn commands_say_what_is_wrong_and_what_to_do() {
    let home = tempfile::tempdir().expect("a directory");
    fs::write(home.path().join("bad.toml"), "public_ur = \"https://api.example.com\"\nupstream = \"http://127.0.0.1:8080\"\n[app.shop]\n")
        .expect("written");
    fs::write(home.path().join("not.pem"), "nothing").expect("written");
    let runs = [
        told(home.path(), &["init", "--upstream", "127.0.0.1:8080", "--app", "com.example.shop"]),
        told(home.path(), &["init", "--upstream", "http://127.0.0.1:8080", "--app", "com.example.shop"]),
        told(home.path(), &["init", "--upstream", "http://127.0.0.1:8080", "--app", "com.example.shop"]),
        told(home.path(), &["policy", "check"]),
        told(home.path(), &["policy", "check", "--json"]),
        told(home.path(), &["policy", "check", "--config", "bad.toml"]),
        told(home.path(), &["serve"]),
        told(home.path(), &["serve", "--config", "bad.toml"]),
        told(home.path(), &["serve", "--config", "none.toml"]),
        told(home.path(), &["user", "list"]),
        told(home.path(), &["user", "list", "--json"]),
        told(home.path(), &["why", "D-1"]),
        told(home.path(), &["audit", "verify"]),
        told(home.path(), &["audit", "check", "not.pem", "--key", "not.pem"]),
        told(home.path(), &["attest", "inspect", "not.pem"]),
        told(home.path(), &["attest", "check", "none.json", "--anchors", "."]),
    ];
    insta::assert_snapshot!(runs.join("\n"));
}

/// A node as a process of its own, with its log.
struct Node {
    child: Child,
    log: BufReader<std::process::ChildStderr>,
    home: TempDir,
    port: u16,
}

impl Node {
    fn start() -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let port = countersign_demo::free_port().expect("a port");
        let url = format!("https://localhost:{port}");
        let made =
            countersign(home.path(), &["init", "--upstream", "http://127.0.0.1:9", "--app", "com.example.shop", "--public-url", &url]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let config = home.path().join("csign.toml");
        let text = fs::read_to_string(&config).expect("a config") + "[metrics]\nlisten = \"127.0.0.1:0\"\n[limits]\ndrain = \"5s\"\n";
        fs::write(&config, text).expect("written");
        let mut child = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args(["serve", "--dev", "--log", "json"])
            .current_dir(home.path())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a process");
        let log = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut node = Self { child, log, home, port };
        node.wait_for("serving");
        node
    }

    /// Reads the log until a line says so.
    fn wait_for(&mut self, message: &str) -> serde_json::Value {
        for line in self.log.by_ref().lines() {
            let line = line.expect("a line");
            let line: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("a line of the log is no JSON: {line}"));
            if line["message"].as_str().is_some_and(|text| text.starts_with(message)) {
                return line;
            }
        }
        panic!("the log ended without `{message}`");
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status().expect("kill");
        assert!(sent.success());
    }

    fn connect(&self) -> StreamOwned<ClientConnection, TcpStream> {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_file(self.home.path().join("data/dev/tls-root.pem")).expect("the root");
        roots.add(root).expect("a root");
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
        let config = config.with_safe_default_protocol_versions().expect("versions").with_root_certificates(roots).with_no_client_auth();
        let tls = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").expect("a name")).expect("a client");
        let tcp = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        tcp.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out");
        StreamOwned::new(tls, tcp)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_open_request_is_finished_before_the_end() {
    let mut node = Node::start();
    let body = r#"{"client_id":"com.example.shop"}"#;
    let (first, second) = body.split_at(10);
    let mut stream = node.connect();
    let head = format!(
        "POST /countersign/v1/challenge HTTP/1.1\r\nhost: localhost:{}\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        node.port,
        body.len()
    );
    write!(stream, "{head}").and_then(|()| stream.flush()).expect("the head of a request");
    // Its body is asked for: the request is in the node's hands now.
    let mut go_on = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
    stream.read_exact(&mut go_on).expect("leave to go on");
    write!(stream, "{first}").and_then(|()| stream.flush()).expect("half a body");
    node.signal("TERM");
    node.wait_for("stopping");
    write!(stream, "{second}").and_then(|()| stream.flush()).expect("the other half");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("challenge"), "{answer}");
    node.wait_for("stopped");
    assert!(node.child.wait().expect("an end").success());
    assert!(TcpStream::connect(("127.0.0.1", node.port)).is_err(), "nobody listens any more");
}

#[test]
fn a_second_process_is_refused() {
    let node = Node::start();
    let second = countersign(node.home.path(), &["serve", "--dev"]);
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1));
    assert!(said.contains(&format!("`data` is in use by process {}; stop that process", node.child.id())), "{said}");
}

#[test]
fn a_hang_up_reads_again_and_keeps_what_was_right() {
    let mut node = Node::start();
    fs::write(node.home.path().join("policies/app.cedar"), "permit (").expect("written");
    node.signal("HUP");
    let refused = node.wait_for("reload refused; the previous version stays in use");
    assert!(refused["fault"].as_str().is_some_and(|fault| fault.contains("app.cedar:1")), "{refused}");
    assert_eq!(refused["level"], "ERROR");
}

#[test]
fn a_checkpoint_and_a_proof_hold_offline() {
    let node = Node::start();
    let home = node.home.path();
    let print = |args: &[&str], file: &str| fs::write(home.join(file), countersign(home, args).stdout).expect("written");
    print(&["audit", "key"], "key");
    print(&["audit", "checkpoint"], "checkpoint");
    print(&["audit", "prove", "0"], "proof");
    let checked = countersign(home, &["audit", "check", "proof", "--key", "key", "--json"]);
    let checked: serde_json::Value = serde_json::from_slice(&checked.stdout).expect("JSON");
    assert_eq!((&checked["holds"], &checked["seq"]), (&serde_json::json!(true), &serde_json::json!(0)));
    let verified = countersign(home, &["audit", "verify", "--key", "key", "--checkpoint", "checkpoint"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    let segment = fs::read_dir(home.join("data/log"))
        .expect("a log")
        .flatten()
        .map(|e| e.path())
        .find(|p| p.extension().is_some_and(|e| e == "txt"))
        .expect("a segment");
    let changed = fs::read_to_string(&segment).expect("a segment").replacen("\"allow\"", "\"deny\"", 1);
    fs::write(&segment, changed).expect("written");
    let verified = countersign(home, &["audit", "verify"]);
    let said = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(verified.status.code() == Some(1) && said.contains("FAULT  record 0: "), "{said}");
}

/// Whatever a node makes is its user's alone, though the shell that started it would let others read.
#[test]
fn what_a_node_makes_is_its_users_alone() {
    use std::os::unix::fs::{FileTypeExt, PermissionsExt};
    let mut node = Node::start();
    let mut left = vec![node.home.path().join("data")];
    let mut seen = 0;
    while let Some(path) = left.pop() {
        let meta = fs::symlink_metadata(&path).expect("a file");
        let mode = meta.permissions().mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:04o}", path.display());
        seen += 1;
        if meta.is_dir() {
            left.extend(fs::read_dir(&path).expect("a directory").map(|entry| entry.expect("an entry").path()));
        }
    }
    assert!(seen > 8, "{seen} files and directories");
    let socket = fs::metadata(node.home.path().join("data/admin.sock")).expect("a socket");
    assert!(socket.file_type().is_socket());
    let status = fs::read_to_string(format!("/proc/{}/status", node.child.id())).expect("a process");
    assert!(status.lines().any(|line| line.split_whitespace().eq(["Umask:", "0077"])), "{status}");
    let _ = node.child.kill();
    let _ = node.child.wait();
}
