//! Clients and servers of other makers: gRPC for Python, and Node's HTTP/2. They are not on every machine; `make foreign`
//! fetches what is missing and runs them.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use countersign_core::SessionState;
use countersign_gateway::{HeldConfig, Protocol};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    calls::front,
    fixture::{Attack, Fixture, World},
    held::{Seen, cuts, echo},
};

/// A program that speaks in lines of JSON.
struct Program {
    child: Child,
    to: ChildStdin,
    from: mpsc::Receiver<Value>,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    fn start(program: &str, script: &str, arguments: &[&str]) -> Self {
        let script = format!("{}/tests/foreign/{script}", env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(program);
        command.arg(script).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the program");
        let (to, lines) = (child.stdin.take().expect("an input"), BufReader::new(child.stdout.take().expect("an output")).lines());
        let (say, from) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = say.send(serde_json::from_str(&line).expect("JSON"));
            }
        });
        Self { child, to, from }
    }

    fn tell(&mut self, line: &Value) {
        writeln!(self.to, "{line}").expect("told");
    }

    async fn hear(&self) -> Value {
        for _ in 0..2000 {
            match self.from.try_recv() {
                Ok(line) => return line,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
        Value::Null
    }
}

fn metadata(fixture: &Fixture, path: &str, attack: Attack<'_>) -> Vec<(String, String)> {
    let (head, _) = fixture.request_with("POST", path, "", attack).into_parts();
    let pair = |name: &str| (name.to_owned(), head.headers.get(name).expect("a header").to_str().expect("text").to_owned());
    vec![pair("authorization"), pair("dpop")]
}

#[tokio::test]
#[ignore = "needs Python with grpcio"]
async fn calls_of_grpc_for_python() {
    let server = Program::start("python3", "calls.py", &["server"]);
    let port = server.hear().await["port"].as_u64().expect("a port");
    let address = format!("127.0.0.1:{port}").parse().expect("an address");
    let fixture = Fixture::with_protocol(World::usual(), address, HeldConfig::USUAL, Protocol::Http2).await;
    let front = front(&fixture).await;
    let certificate = front.certificate();
    let mut client =
        Program::start("python3", "calls.py", &["client", &front.address.port().to_string(), &certificate.path().to_string_lossy()]);

    let ask = |path: &str, attack: Attack<'_>| json!({"path": path, "metadata": metadata(&fixture, path, attack), "say": "hello"});
    client.tell(&ask("/bank.v1.Unary/Get", Attack::default()));
    assert_eq!(client.hear().await, json!({"reply": "hello"}));
    let end = client.hear().await;
    assert_eq!((&end["code"], &end["trailing"]["x-user"]), (&json!(0), &json!("p_alice")));

    client.tell(&ask("/bank.v1.Unary/Get", Attack { proof_path: Some("/v1/card"), ..Attack::default() }));
    let end = client.hear().await;
    let of_us = |code: &str, end: &Value| (end["code"] == 16, end["details"] == code, end["trailing"]["countersign-reason"] == code);
    assert_eq!(of_us("proof_invalid", &end), (true, true, true), "{end}");

    for path in ["/bank.v1.Calls/Talk", "/bank.v1.Calls/Quiet"] {
        client.tell(&ask(path, Attack::default()));
        if path.ends_with("Talk") {
            assert_eq!(client.hear().await, json!({"reply": "hello"}));
        } else {
            // Nothing tells when the server of a quiet call was asked.
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let began = Instant::now();
        fixture.set_session(|s| s.state = SessionState::Revoked);
        let end = client.hear().await;
        assert!(began.elapsed() < Duration::from_millis(100), "{:?}", began.elapsed());
        assert_eq!(of_us("revoked", &end), (true, true, true), "{end}");
        fixture.set_session(|_| {});
    }
    assert_eq!(cuts(&fixture).len(), 2);
}

#[tokio::test]
#[ignore = "needs Node"]
async fn a_websocket_over_the_http2_of_node() {
    let fixture = Fixture::with_protocol(World::usual(), echo(Seen::default()).await, HeldConfig::USUAL, Protocol::Http1).await;
    let front = front(&fixture).await;
    let certificate = front.certificate();
    let mut node = Program::start("node", "socket.mjs", &[&front.address.port().to_string(), &certificate.path().to_string_lossy()]);
    let (head, _) = fixture.request("GET", "/v1/live", "").into_parts();
    let text = |name: &str| head.headers.get(name).expect("a header").to_str().expect("text").to_owned();
    node.tell(&json!({":path": "/v1/live", "authorization": text("authorization"), "dpop": text("dpop")}));
    assert_eq!(node.hear().await, json!({"status": 200}));
    assert_eq!(node.hear().await, json!({"text": "hello"}));
    let began = Instant::now();
    fixture.set_session(|s| s.state = SessionState::Revoked);
    let end = node.hear().await;
    assert!(began.elapsed() < Duration::from_millis(100), "{:?}", began.elapsed());
    assert_eq!(end["close"], json!(4401));
    assert!(end["reason"].as_str().expect("a reason").starts_with("revoked D-"), "{end}");
    assert_eq!(node.hear().await, json!({"ended": true}));
}
