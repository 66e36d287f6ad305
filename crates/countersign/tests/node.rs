//! A node in this process: what it serves on which port, what operators do to it, and what it refuses to start on.
#![expect(clippy::expect_used, reason = "what fails in a helper fails the test")]

use std::{fs, path::Path, sync::Arc, time::Duration};

use countersign_demo::phone::{Call, Http};
use countersign_node::{
    Options, OsEntropy, RunningNode, StartError, SystemClock,
    config::{self, Dev},
};
use countersign_store::segments::{self, Record};
use http::Method;
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream, UnixStream};

const POLICY: &str = "@id(\"all\") permit (principal, action, resource);";

/// A directory with config and policies, and the port in its `public_url`.
fn laid_out() -> (TempDir, u16) {
    let home = tempfile::tempdir().expect("a directory");
    let port = countersign_demo::free_port().expect("a port");
    let text = format!(
        "public_url = \"https://localhost:{port}\"\nupstream = \"http://127.0.0.1:9\"\n[app.\"com.example.shop\"]\n[metrics]\nlisten = \"127.0.0.1:0\"\n"
    );
    fs::create_dir(home.path().join("policies")).expect("a directory");
    fs::write(home.path().join("policies/app.cedar"), POLICY).expect("written");
    fs::write(home.path().join("csign.toml"), text).expect("written");
    (home, port)
}

async fn start(home: &Path) -> Result<RunningNode, StartError> {
    let config = config::load(&home.join("csign.toml")).map_err(StartError::Config)?;
    countersign_node::start(config, options(Dev::On)).await
}

fn options(dev: Dev) -> Options {
    Options { clock: Arc::new(SystemClock), entropy: Arc::new(OsEntropy), dev, simulated_signers: Vec::new() }
}

/// What the admin socket answers.
async fn ask(node: &RunningNode, method: &str, path: &str, body: &str) -> (u16, Value) {
    let stream = UnixStream::connect(&node.addresses().admin).await.expect("a socket");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("a connection");
    tokio::spawn(connection);
    let request = http::Request::builder().method(method).uri(path).header("host", "admin").header("content-type", "application/json");
    let request = request.body(Full::new(bytes::Bytes::copy_from_slice(body.as_bytes()))).expect("a request");
    let answer = sender.send_request(request).await.expect("an answer");
    let status = answer.status().as_u16();
    let bytes = answer.into_body().collect().await.expect("a body").to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

/// What the side port answers.
async fn side(node: &RunningNode, path: &str) -> (u16, String) {
    let stream = TcpStream::connect(node.addresses().side).await.expect("a port");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("a connection");
    tokio::spawn(connection);
    let request = http::Request::get(path).header("host", "side").body(Empty::<bytes::Bytes>::new()).expect("a request");
    let answer = sender.send_request(request).await.expect("an answer");
    let status = answer.status().as_u16();
    let bytes = answer.into_body().collect().await.expect("a body").to_bytes();
    (status, String::from_utf8_lossy(&bytes).into_owned())
}

#[tokio::test]
async fn a_node_serves_on_three_doors() {
    let (home, port) = laid_out();
    let node = start(home.path()).await.expect("a node");
    let http = Http::new(&format!("https://localhost:{port}").parse().expect("a URL"), node.tls_root_pem()).expect("a client");
    let rows: &[(&str, &str, u16, &str)] = &[
        ("discovery is the issuer's", "/.well-known/oauth-authorization-server", 200, "/issuer"),
        ("keys are the issuer's", "/.well-known/jwks.json", 200, "/keys/0/kid"),
        ("everything else is the API's", "/v1/anything", 401, "/code"),
        ("and so is what only looks like the issuer's", "/countersign/v1x", 401, "/code"),
    ];
    for (name, path, status, pointer) in rows {
        let answer = http.send(&Call::new(Method::GET, path)).await.expect("an answer");
        assert_eq!(answer.status.as_u16(), *status, "{name}");
        assert!(answer.json().pointer(pointer).is_some(), "{name}: {}", answer.json());
    }
    assert_eq!(side(&node, "/healthz").await, (200, "ok\n".to_owned()));
    assert_eq!(side(&node, "/readyz").await, (200, "ready\n".to_owned()));
    let (_, metrics) = side(&node, "/metrics").await;
    assert!(metrics.contains("countersign_requests_total"), "{metrics}");
    let (status, body) = ask(&node, "GET", "/v1/status", "").await;
    assert_eq!((status, body.get("dev"), body.get("process")), (200, Some(&json!(true)), Some(&json!(std::process::id()))));
    node.shutdown(Duration::from_secs(5)).await;
    assert!(!home.path().join("data/admin.sock").exists(), "the socket is gone");
}

/// Issue 11, sections 7 and 9: the files about apps, the well-known names that are not ours, and what every answer says of TLS.
#[tokio::test]
async fn well_known_names_are_ours_the_apps_or_the_apis() {
    let (home, port) = laid_out();
    let config = home.path().join("csign.toml");
    let apps = format!(
        "android = {{ cert_sha256 = [\"{}\"] }}\nios = {{ team = \"9CYHJNG644\", bundle = \"com.example.shop\" }}\n[metrics]",
        "ab".repeat(32)
    );
    let more = "[[operation]]\nmatch = \"GET /.well-known/security.txt\"\naction = \"read\"\n";
    let text = fs::read_to_string(&config).expect("a config").replace("[metrics]", &apps) + more;
    fs::write(&config, text).expect("written");
    let node = start(home.path()).await.expect("a node");
    let http = Http::new(&format!("https://localhost:{port}").parse().expect("a URL"), node.tls_root_pem()).expect("a client");
    let rows: &[(&str, Method, &str, u16, &str)] = &[
        ("Google's file", Method::GET, "/.well-known/assetlinks.json", 200, "com.example.shop"),
        ("Apple's file", Method::GET, "/.well-known/apple-app-site-association", 200, "9CYHJNG644.com.example.shop"),
        ("its head", Method::HEAD, "/.well-known/assetlinks.json", 200, ""),
        ("written by nobody", Method::POST, "/.well-known/assetlinks.json", 405, ""),
        ("discovery", Method::GET, "/.well-known/oauth-authorization-server", 200, "issuer"),
        ("an operation asks for a token", Method::GET, "/.well-known/security.txt", 401, "code"),
        ("no operation", Method::GET, "/.well-known/change-password", 403, "code"),
        ("nobody is told of signals", Method::GET, "/.well-known/ssf-configuration", 403, "code"),
        ("another spelling is not ours", Method::GET, "/.well-known/assetlinks.json/", 403, "code"),
    ];
    for (name, method, path, status, part) in rows {
        let answer = http.send(&Call::new(method.clone(), path)).await.expect("an answer");
        let said = String::from_utf8_lossy(&answer.body);
        assert!(answer.status.as_u16() == *status && said.contains(part), "{name}: {} {said}", answer.status);
        assert_eq!(answer.headers.get("strict-transport-security").map(|value| value.as_bytes()), Some(&b"max-age=0"[..]), "{name}");
        if *status == 200 {
            assert_eq!(answer.headers.get("content-type").map(|value| value.as_bytes()), Some(&b"application/json"[..]), "{name}");
        }
    }
    node.shutdown(Duration::from_secs(5)).await;
}

/// Issue 11, section 9: who is no operator is not answered, and what an operator does stands in the log under the name.
#[tokio::test]
async fn operators_have_names() {
    use std::os::unix::fs::MetadataExt;
    let (home, _) = laid_out();
    let config = home.path().join("csign.toml");
    let written = fs::read_to_string(&config).expect("a config");
    let us = fs::metadata(&config).expect("a file").uid();
    let rows = [
        (String::new(), Some(format!("uid:{us}"))),
        (format!("[admin]\noperators = {{ alice = {us}, bob = {} }}\n", us + 1), Some("alice".to_owned())),
        (format!("[admin]\noperators = {{ bob = {} }}\n", us + 1), None),
    ];
    for (admin, expected) in rows {
        fs::write(&config, format!("{written}{admin}")).expect("written");
        let node = start(home.path()).await.expect("a node");
        let (read, _) = ask(&node, "GET", "/v1/users", "").await;
        let (status, answer) = ask(&node, "POST", "/v1/invitations", r#"{"name":"ana","roles":[],"hours":1}"#).await;
        let records = node.admin_service().records(0, 100).await.expect("records");
        let invited =
            records.iter().rev().find(|record| record.json.contains("user_invited")).map(|record| record.read().expect("an entry"));
        match expected {
            None => assert!((read, status) == (403, 403) && answer.to_string().contains("not an operator"), "{answer}"),
            Some(name) => {
                let words = invited.expect("an entry").words();
                assert_eq!((read, status), (200, 200), "{answer}");
                assert_eq!((words.get("by").map(String::as_str), words.get("operator")), (Some("operator"), Some(&name)));
            }
        }
        node.shutdown(Duration::from_secs(5)).await;
    }
}

/// Tells whether the entry notes how far the database beside the log has come.
fn of_the_database(record: &Record) -> bool {
    record.json.contains(r#""what":"database""#)
}

#[tokio::test]
async fn operators_act_and_the_log_has_it() {
    let (home, _) = laid_out();
    let node = start(home.path()).await.expect("a node");
    let rows: &[(&str, &str, &str, &str, u16, &str)] = &[
        ("an invitation", "POST", "/v1/invitations", r#"{"name":"ana","roles":["admin"],"hours":1}"#, 200, "/code"),
        ("for nobody", "POST", "/v1/invitations", r#"{"name":"","roles":[],"hours":1}"#, 400, "/error"),
        ("for no time", "POST", "/v1/invitations", r#"{"name":"bo","roles":[],"hours":0}"#, 400, "/error"),
        ("for ever", "POST", "/v1/invitations", r#"{"name":"bo","roles":[],"hours":721}"#, 400, "/error"),
        ("with a role that is none", "POST", "/v1/invitations", r#"{"name":"bo","roles":["a b"],"hours":1}"#, 400, "/error"),
        ("a report", "POST", "/v1/devices/report", r#"{"app":"com.example.shop","top":1,"what_if":null}"#, 200, "/today/refused"),
        ("a report of no lines", "POST", "/v1/devices/report", r#"{"app":null,"top":0,"what_if":null}"#, 400, "/error"),
        ("of more than there are", "POST", "/v1/devices/report", r#"{"app":null,"top":51,"what_if":null}"#, 400, "/error"),
        ("of an unknown app", "POST", "/v1/devices/report", r#"{"app":"a","top":1,"what_if":null}"#, 404, "/error"),
        ("by no config", "POST", "/v1/devices/report", r#"{"app":null,"top":1,"what_if":{"file":"a.toml","text":"a"}}"#, 400, "/error"),
        ("an unknown user", "GET", "/v1/users/ana", "", 404, "/error"),
        ("an unknown device", "POST", "/v1/devices/d_1/revoke", "{}", 404, "/error"),
        ("an unknown session", "POST", "/v1/sessions/s_1/revoke", "{}", 404, "/error"),
        ("an unknown account", "POST", "/v1/users/u_1/close", "{}", 404, "/error"),
        ("an unknown decision", "GET", "/v1/decisions/D-1", "", 404, "/error"),
        ("what cannot be one", "GET", "/v1/decisions/%20", "", 400, "/error"),
        ("a checkpoint", "GET", "/v1/audit/checkpoint", "", 200, "/note"),
        ("what is in the log", "GET", "/v1/decisions?from=1&count=10", "", 200, "/0/entry/decision"),
        ("reading again", "POST", "/v1/reload", "{}", 200, "/version"),
    ];
    for (name, method, path, body, status, pointer) in rows {
        let (got, answer) = ask(&node, method, path, body).await;
        assert_eq!(got, *status, "{name}: {answer}");
        assert!(answer.pointer(pointer).is_some(), "{name}: {answer}");
    }
    let records = node.admin_service().records(0, 100).await.expect("records");
    let (notes, rest): (Vec<_>, Vec<_>) = records.iter().partition(|record| of_the_database(record));
    let events: Vec<_> = rest.iter().map(|record| record.read().expect("an entry").event.kind().as_str()).collect();
    assert_eq!(events, ["config_activated", "user_invited", "config_activated", "config_activated"]);
    assert!(!notes.is_empty(), "the log says how far the database beside it has come");
    let report = segments::verify(node.log_directory(), &node.admin_service().log_key, None).expect("a log");
    assert!(report.committed >= u64::try_from(records.len()).expect("a number") && report.faults.is_empty(), "{report:?}");
    node.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn what_is_wrong_is_not_taken_into_use() {
    let (home, _) = laid_out();
    let node = start(home.path()).await.expect("a node");
    fs::write(home.path().join("policies/app.cedar"), "permit (principal, action == Action::\"fly\", resource);").expect("written");
    let (status, answer) = ask(&node, "POST", "/v1/reload", "{}").await;
    let error = answer["error"].as_str().unwrap_or_default();
    assert!(status == 400 && error.contains("app.cedar:1: ") && error.contains("fly"), "{status} {error}");
    node.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_second_start_is_refused_and_a_later_one_is_not() {
    let (home, port) = laid_out();
    let node = start(home.path()).await.expect("a node");
    let refused = start(home.path()).await.map(|_| ()).expect_err("taken").to_string();
    assert!(refused.contains("is in use by process"), "{refused}");
    let root = node.tls_root_pem().to_owned();
    node.shutdown(Duration::from_secs(5)).await;
    let again = start(home.path()).await.expect("free again");
    assert_eq!(again.tls_root_pem(), root, "clients that trusted the root still do");
    let taken = TcpListener::bind(("127.0.0.1", port)).await.expect_err("taken");
    assert_eq!(taken.kind(), std::io::ErrorKind::AddrInUse);
    again.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn a_node_refuses_to_start_on_what_it_does_not_understand() {
    // What is written into which file, and what the refusal says.
    let rows: &[(&str, &str, &str)] = &[
        ("csign.toml", "public_ur = 1", "csign.toml:1: unknown key `public_ur`; did you mean `public_url`?"),
        ("policies/app.cedar", "permit (principal, action, resource) when { context.device.trus > 1 };", "policies/app.cedar:1: "),
        ("policies/app.cedar", "permit (principal", "policies/app.cedar:1: "),
    ];
    for (file, text, expected) in rows {
        let (home, _) = laid_out();
        fs::write(home.path().join(file), text).expect("written");
        let refused = start(home.path()).await.map(|_| ()).expect_err(expected);
        assert!(matches!(refused, StartError::Config(_)), "{refused}");
        assert!(refused.to_string().contains(expected), "{refused}");
        assert!(!home.path().join("data").exists(), "nothing was made");
    }
}

/// Writes a certificate for localhost, its own root, and returns it in PEM.
fn certify(home: &Path) -> String {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    fs::write(home.join("chain.pem"), made.cert.pem()).expect("written");
    fs::write(home.join("key.pem"), made.signing_key.serialize_pem()).expect("written");
    fs::set_permissions(home.join("key.pem"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("a mode");
    made.cert.pem()
}

#[tokio::test]
async fn a_certificate_of_the_operator_is_shown_and_exchanged() {
    let (home, port) = laid_out();
    let config = home.path().join("csign.toml");
    let text = fs::read_to_string(&config).expect("a config").replace(
        "[metrics]",
        &format!("android = {{ cert_sha256 = [\"{}\"] }}\n[device]\nstatus_list = \"none\"\n[tls]\ncert = \"chain.pem\"\nkey = \"key.pem\"\n[metrics]", "ab".repeat(32)),
    );
    fs::write(&config, text.replacen("public_url", &format!("listen = \"127.0.0.1:{port}\"\npublic_url"), 1)).expect("written");
    let load = || config::load(&config).expect("a config");

    let refused = countersign_node::start(load(), options(Dev::Off)).await.map(|_| ()).expect_err("no files").to_string();
    assert!(refused.contains("chain.pem` cannot be used; give a readable certificate chain in PEM"), "{refused}");
    let first = certify(home.path());
    let node = countersign_node::start(load(), options(Dev::Off)).await.expect("a node");
    let url = format!("https://localhost:{port}").parse().expect("a URL");
    let reached =
        async |root: &str| Http::new(&url, root).expect("a client").send(&Call::new(Method::GET, "/.well-known/jwks.json")).await.is_ok();
    assert!(reached(&first).await);

    let second = certify(home.path());
    assert!(!reached(&second).await, "not before it is read again");
    node.reload().await;
    assert!(reached(&second).await && !reached(&first).await, "the new one is shown");
    fs::write(home.path().join("chain.pem"), &first).expect("written");
    let (status, answer) = ask(&node, "POST", "/v1/reload", "{}").await;
    assert!(status == 400 && answer.to_string().contains("cannot be used together"), "{answer}");
    assert!(reached(&second).await, "what was in use stays");
    assert_eq!(node.tls_root_pem(), "");
    node.shutdown(Duration::from_secs(5)).await;
}

#[test]
fn the_banks_policies_say_what_their_tests_say() {
    let home = tempfile::tempdir().expect("a directory");
    fs::create_dir(home.path().join("policies")).expect("a directory");
    for (name, text) in countersign_example_bank::POLICIES {
        fs::write(home.path().join("policies").join(name), text).expect("written");
    }
    let text =
        format!("public_url = \"https://localhost:7443\"\nupstream = \"http://127.0.0.1:8080\"\n{}", countersign_example_bank::CONFIG);
    fs::write(home.path().join("csign.toml"), text.replace("{SIGNER}", &"ab".repeat(32))).expect("written");
    let checked = std::process::Command::new(env!("CARGO_BIN_EXE_countersign"))
        .args(["policy", "check", "--config"])
        .arg(home.path().join("csign.toml"))
        .output()
        .expect("a run");
    assert_eq!(String::from_utf8_lossy(&checked.stdout), "8 policies are valid; 22 of 22 tests as expected\n");
    assert!(checked.status.success());
}

#[tokio::test]
async fn feeds_are_fetched_and_rolled_back() {
    let (home, _) = laid_out();
    let vendor = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let url = format!("http://{}/status", vendor.local_addr().expect("an address"));
    let page = r#"{"entries":{"8f":{"status":"REVOKED"}}}"#;
    let routes = axum::Router::new().route("/status", axum::routing::get(async move || page));
    tokio::spawn(async move { axum::serve(vendor, routes).await });
    let config = home.path().join("csign.toml");
    let text = fs::read_to_string(&config).expect("read") + &format!("[feeds.status_list]\nurl = \"{url}\"\n");
    fs::write(&config, text).expect("written");
    let node = start(home.path()).await.expect("a node");
    let row = loop {
        let (status, rows) = ask(&node, "GET", "/v1/feeds", "").await;
        assert_eq!(status, 200, "{rows}");
        if rows[0]["last"] == "taken" {
            break rows[0].clone();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!((row["name"].as_str(), row["entries"].as_u64(), row["previous"].as_str()), (Some("status_list"), Some(1), None));
    let (_, metrics) = side(&node, "/metrics").await;
    assert!(metrics.contains("countersign_feed_taken_total{feed=\"status_list\"} 1"), "{metrics}");
    assert!(metrics.contains("countersign_feed_age_seconds{feed=\"status_list\"}"), "{metrics}");
    let rows = [("status_list", 200), ("status_list", 400), ("boot_keys", 404), ("weather", 404)];
    for (name, expected) in rows {
        let (status, answer) = ask(&node, "POST", &format!("/v1/feeds/{name}/roll-back"), "{}").await;
        assert_eq!(status, expected, "{name}: {answer}");
    }
    let records = node.admin_service().records(0, 100).await.expect("records");
    let activated = records.iter().filter(|record| record.json.contains("config_activated") && !of_the_database(record)).count();
    assert_eq!(activated, 3, "the start, the list, the way back");
    node.shutdown(Duration::from_secs(5)).await;
}
