//! Open connections over real sockets, by a client that is not ours: they open, pass what is said, and are cut.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use countersign_audit::EventKind;
use countersign_core::{Outcome, Reason, SessionState};
use countersign_gateway::{HeldConfig, ListenConfig, Transport, listen, serve};
use countersign_store::DeviceState;
use futures_util::{SinkExt, StreamExt};
use http::Request;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async, client_async,
    tungstenite::{
        Error, Message,
        handshake::server,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};
use tokio_util::sync::CancellationToken;

use crate::{
    fixture::{Fixture, NOW, World},
    rules,
};

/// The bound that we state; tests run beside others, so that they allow themselves some more.
pub const SOON: Duration = Duration::from_secs(2);

/// What the upstream saw.
#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn note(&self, text: String) {
        self.0.lock().expect("a lock").push(text);
    }

    pub fn all(&self) -> Vec<String> {
        self.0.lock().expect("a lock").clone()
    }
}

/// An upstream that greets, repeats what it hears, and does as it is told.
pub async fn echo(seen: Seen) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let seen = seen.clone();
            tokio::spawn(async move {
                let noted = seen.clone();
                #[expect(clippy::result_large_err, reason = "the library's signature")]
                let look = move |request: &server::Request, answer: server::Response| {
                    for name in ["authorization", "dpop", "cookie", "countersign-user", "sec-websocket-extensions"] {
                        let value = request.headers().get(name).map(|value| value.to_str().expect("text").to_owned());
                        noted.note(format!("{name}: {}", value.unwrap_or_else(|| "-".to_owned())));
                    }
                    Ok(answer)
                };
                let mut socket = accept_hdr_async(stream, look).await.expect("a handshake");
                while let Some(Ok(message)) = socket.next().await {
                    match &message {
                        Message::Text(text) if text.as_str() == "forge" => {
                            let frame = CloseFrame { code: CloseCode::from(4401), reason: "revoked".into() };
                            let _ = socket.close(Some(frame)).await;
                        }
                        Message::Text(text) if text.as_str() == "flood" => {
                            let _ = socket.send(Message::text("x".repeat(5000))).await;
                        }
                        Message::Text(text) if text.as_str() == "pour" => {
                            while socket.send(Message::text("x".repeat(1000))).await.is_ok() {}
                        }
                        Message::Close(frame) => seen.note(format!("close: {:?}", frame.as_ref().map(|frame| u16::from(frame.code)))),
                        Message::Text(_) | Message::Binary(_) => {
                            let _ = socket.send(message).await;
                        }
                        Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
                    }
                }
            });
        }
    });
    address
}

/// The gateway in front of `fixture`, over a socket.
pub async fn front(fixture: &Fixture) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let gateway = Arc::clone(&fixture.gateway);
    let handler = move |request, peer| {
        let gateway = Arc::clone(&gateway);
        async move { serve(&gateway, request, peer).await }
    };
    let clock = Arc::clone(&fixture.world);
    tokio::spawn(listen(listener, ListenConfig::new(Transport::Plain), clock, CancellationToken::new(), handler));
    address
}

type Socket = WebSocketStream<TcpStream>;

/// The request of a handshake, with token and proof.
fn handshake(fixture: &Fixture, path: &str) -> Request<()> {
    let (mut head, _) = fixture.request("GET", path, "").into_parts();
    head.uri = format!("ws://api.example.com{path}").parse().expect("a URL");
    for (name, value) in [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-extensions", "permessage-deflate"),
    ] {
        head.headers.insert(name, value.parse().expect("a value"));
    }
    Request::from_parts(head, ())
}

async fn connect(fixture: &Fixture, address: SocketAddr) -> Socket {
    let stream = TcpStream::connect(address).await.expect("connected");
    let (socket, answer) = client_async(handshake(fixture, "/v1/live"), stream).await.expect("a handshake");
    assert!(answer.headers().contains_key("countersign-decision"));
    assert!(!answer.headers().contains_key("sec-websocket-extensions"));
    socket
}

async fn bench() -> (Fixture, SocketAddr, Seen) {
    patient(HeldConfig::USUAL).await
}

async fn patient(held: HeldConfig) -> (Fixture, SocketAddr, Seen) {
    let seen = Seen::default();
    let fixture = Fixture::with_patience(World::usual(), echo(seen.clone()).await, held).await;
    let address = front(&fixture).await;
    (fixture, address, seen)
}

async fn says(socket: &mut Socket, text: &str) {
    socket.send(Message::text(text)).await.expect("sent");
    let heard = timeout(SOON, socket.next()).await.expect("in time").expect("a message").expect("sound");
    assert_eq!(heard, Message::text(text));
}

/// The close frame that the client gets, and then nothing more.
async fn closed(socket: &mut Socket) -> (u16, String) {
    loop {
        match timeout(SOON, socket.next()).await.expect("in time") {
            Some(Ok(Message::Close(Some(frame)))) => return (frame.code.into(), frame.reason.to_string()),
            Some(message) => drop(message.expect("a close frame before the end")),
            None => return (1006, String::new()),
        }
    }
}

pub fn cuts(fixture: &Fixture) -> Vec<(Outcome, Vec<Reason>)> {
    let recorded = fixture.world.recorded.lock().expect("a lock");
    let cuts = recorded.iter().filter(|entry| entry.event.kind() == EventKind::ConnectionCut);
    cuts.map(|entry| {
        assert!(entry.words().contains_key("connection.opened_by"));
        assert_eq!(entry.person.as_ref().map(ToString::to_string).as_deref(), Some("u_alice"));
        (entry.event.outcome, entry.event.reasons.clone())
    })
    .collect()
}

#[tokio::test]
async fn messages_flow_both_ways_and_credentials_stay_here() {
    let (fixture, address, seen) = bench().await;
    let mut socket = connect(&fixture, address).await;
    says(&mut socket, "hello").await;
    socket.send(Message::binary(vec![7; 1024])).await.expect("sent");
    assert_eq!(socket.next().await.expect("a message").expect("sound"), Message::binary(vec![7; 1024]));
    socket.send(Message::Ping(Bytes::from_static(b"p"))).await.expect("sent");
    assert_eq!(socket.next().await.expect("a message").expect("sound"), Message::Pong(Bytes::from_static(b"p")));
    socket.close(Some(CloseFrame { code: CloseCode::Normal, reason: "bye".into() })).await.expect("closed");
    assert_eq!(closed(&mut socket).await, (1000, "bye".to_owned()));
    assert_eq!(
        seen.all(),
        ["authorization: -", "dpop: -", "cookie: -", "countersign-user: p_alice", "sec-websocket-extensions: -", "close: Some(1000)"]
    );
    assert_eq!(cuts(&fixture), []);
}

#[tokio::test]
async fn what_changes_the_answer_cuts_the_connection() {
    type Change = fn(&Fixture);
    let rows: &[(&str, Change, u16, &str, Reason)] = &[
        ("revoked", |f| f.set_session(|s| s.state = SessionState::Revoked), 4401, "revoked", Reason::SessionRevoked),
        ("challenged", |f| f.set_session(|s| s.state = SessionState::Challenged), 4401, "reauth", Reason::SessionChallenged),
        ("limited", |f| f.set_session(|s| s.state = SessionState::Limited), 4408, "step_up", Reason::SessionSuspect),
        ("a lost phone", |f| f.set_device(|d| d.state = DeviceState::Revoked), 4401, "revoked", Reason::DeviceRevoked),
        (
            "other rules",
            |f| {
                let rules = rules::rules();
                let operations = countersign_policy::Operations::new(&[]).expect("sound");
                f.gateway.replace_rules(countersign_gateway::Rules { operations, ..rules });
            },
            4403,
            "policy",
            Reason::UnknownOperation,
        ),
    ];
    for (name, change, code, told, reason) in rows {
        let (fixture, address, seen) = bench().await;
        let mut socket = connect(&fixture, address).await;
        says(&mut socket, "hello").await;
        let began = Instant::now();
        change(&fixture);
        let (got, text) = closed(&mut socket).await;
        let took = began.elapsed();
        let (word, decision) = text.split_once(' ').expect("a class and a decision");
        assert_eq!((got, word), (*code, *told), "{name}");
        assert!(decision.starts_with("D-"), "{name}: {decision}");
        let outcome = if *code == 4408 { Outcome::StepUp } else { Outcome::Deny };
        assert_eq!(cuts(&fixture), [(outcome, vec![reason.clone()])], "{name}");
        assert!(took < SOON, "{name}: {took:?}");
        let told_upstream = async {
            while !seen.all().contains(&"close: Some(1001)".to_owned()) {
                tokio::task::yield_now().await;
            }
        };
        timeout(SOON, told_upstream).await.expect("the upstream hears of it");
    }
}

/// As many as one session may have, each told by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_change_cuts_them_all() {
    let (fixture, address, _) = bench().await;
    let mut sockets = Vec::new();
    for _ in 0..32 {
        sockets.push(connect(&fixture, address).await);
    }
    for socket in &mut sockets {
        says(socket, "hello").await;
    }
    let one_more = client_async(handshake(&fixture, "/v1/live"), TcpStream::connect(address).await.expect("connected")).await;
    assert!(matches!(one_more, Err(Error::Http(answer)) if answer.status() == 503));
    let began = Instant::now();
    fixture.set_session(|s| s.state = SessionState::Revoked);
    let codes = futures_util::future::join_all(sockets.iter_mut().map(async |socket| closed(socket).await.0)).await;
    assert_eq!(codes, [4401; 32]);
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    assert_eq!(cuts(&fixture).len(), 32);
}

/// Waits until something was cut.
async fn cut(fixture: &Fixture) -> Vec<(Outcome, Vec<Reason>)> {
    let some = async {
        while cuts(fixture).is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON * 5, some).await.expect("a cut");
    cuts(fixture)
}

#[tokio::test]
async fn who_is_silent_is_asked_and_then_let_go() {
    let held = HeldConfig { ping_every: Duration::from_millis(50), idle_max: Duration::from_millis(200), ..HeldConfig::USUAL };
    let (fixture, address, _) = patient(held).await;
    let mut socket = connect(&fixture, address).await;
    // Whoever reads answers pings, and is kept.
    assert!(timeout(Duration::from_millis(600), closed(&mut socket)).await.is_err());
    assert_eq!(cuts(&fixture), []);
    // Whoever does not is gone.
    assert_eq!(cut(&fixture).await, [(Outcome::Deny, vec![Reason::ConnectionIdle])]);
}

#[tokio::test]
async fn who_takes_nothing_is_let_go() {
    let held = HeldConfig { write_max: Duration::from_millis(100), ..HeldConfig::USUAL };
    let (fixture, address, _) = patient(held).await;
    let mut socket = connect(&fixture, address).await;
    socket.send(Message::text("pour")).await.expect("sent");
    assert_eq!(cut(&fixture).await, [(Outcome::Deny, vec![Reason::ReaderTooSlow])]);
}

#[tokio::test]
async fn what_only_time_changes_is_noticed_after_the_interval() {
    let held = HeldConfig { interval: Duration::from_millis(50), ..HeldConfig::USUAL };
    let (fixture, address, _) = patient(held).await;
    let mut socket = connect(&fixture, address).await;
    says(&mut socket, "hello").await;
    fixture.world.clock.store(NOW + 290, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(closed(&mut socket).await.0, 4401);
}

#[tokio::test]
async fn what_changes_nothing_cuts_nothing() {
    let (fixture, address, _) = bench().await;
    let mut socket = connect(&fixture, address).await;
    says(&mut socket, "hello").await;
    fixture.set_session(|_| {});
    fixture.set_device(|_| {});
    fixture.gateway.replace_rules(rules::rules());
    fixture.gateway.judge_again();
    says(&mut socket, "still here").await;
    assert_eq!(cuts(&fixture), []);
}

#[tokio::test]
async fn a_store_that_fails_cuts() {
    let (fixture, address, _) = bench().await;
    let mut socket = connect(&fixture, address).await;
    says(&mut socket, "hello").await;
    let calls = fixture.world.calls.load(std::sync::atomic::Ordering::SeqCst);
    fixture.world.fails_at.store(calls + 1, std::sync::atomic::Ordering::SeqCst);
    fixture.gateway.judge_again();
    assert_eq!(closed(&mut socket).await.0, 4503);
}

#[tokio::test]
async fn a_token_ends_its_connection() {
    let (fixture, address, _) = bench().await;
    let mut socket = connect(&fixture, address).await;
    says(&mut socket, "hello").await;
    fixture.world.clock.store(NOW + 290, std::sync::atomic::Ordering::SeqCst);
    fixture.gateway.judge_again();
    let (code, text) = closed(&mut socket).await;
    assert_eq!((code, text.split(' ').next()), (4401, Some("token_expired")));
}

#[tokio::test]
async fn the_end_of_the_gateway_is_announced() {
    let (fixture, address, _) = bench().await;
    let mut socket = connect(&fixture, address).await;
    says(&mut socket, "hello").await;
    let (ended, (code, _)) = tokio::join!(timeout(SOON * 3, fixture.gateway.end_open_connections()), async {
        let frame = closed(&mut socket).await;
        drop(socket);
        frame
    });
    assert_eq!((ended.is_ok(), code), (true, 1001));
}

#[tokio::test]
async fn messages_keep_to_the_bounds_of_their_operation() {
    let rows: &[(&str, &[Message], u16, Reason)] = &[
        ("too large", &[Message::text("x".repeat(1025))], 1009, Reason::MessageTooLarge),
        ("too fast", &std::array::from_fn::<_, 7, _>(|_| Message::text("x")), 4429, Reason::MessagesTooMany),
        ("pings too fast", &std::array::from_fn::<_, 7, _>(|_| Message::Ping(Bytes::new())), 4429, Reason::MessagesTooMany),
        ("too large an answer", &[Message::text("flood")], 4503, Reason::UpstreamUnavailable),
    ];
    for (name, messages, code, reason) in rows {
        let (fixture, address, _) = bench().await;
        let mut socket = connect(&fixture, address).await;
        for message in *messages {
            socket.send(message.clone()).await.expect("sent");
        }
        assert_eq!(closed(&mut socket).await.0, *code, "{name}");
        assert_eq!(cuts(&fixture), [(Outcome::Deny, vec![reason.clone()])], "{name}");
    }
}

#[tokio::test]
async fn upstreams_do_not_close_in_our_name() {
    let (fixture, address, _) = bench().await;
    let mut socket = connect(&fixture, address).await;
    socket.send(Message::text("forge")).await.expect("sent");
    assert_eq!(closed(&mut socket).await.0, 1008);
}

#[tokio::test]
async fn a_handshake_that_is_not_one_opens_nothing() {
    type Change = fn(&mut Request<()>);
    let rows: &[(&str, &str, Change, u16, Reason)] = &[
        ("an undeclared operation", "/v1/accounts/a1", |_| {}, 400, Reason::StreamUndeclared),
        (
            "another protocol",
            "/v1/live",
            |r| drop(r.headers_mut().insert("upgrade", "h2c".parse().expect("a value"))),
            400,
            Reason::RequestMalformed,
        ),
        (
            "an old version",
            "/v1/live",
            |r| drop(r.headers_mut().insert("sec-websocket-version", "8".parse().expect("a value"))),
            400,
            Reason::HandshakeInvalid,
        ),
        (
            "another page",
            "/v1/live",
            |r| drop(r.headers_mut().insert("origin", "https://evil.example".parse().expect("a value"))),
            403,
            Reason::OriginForeign,
        ),
        ("no token", "/v1/live", |r| drop(r.headers_mut().remove("authorization")), 401, Reason::TokenMissing),
        ("no proof", "/v1/live", |r| drop(r.headers_mut().remove("dpop")), 401, Reason::ProofMissing),
    ];
    let (fixture, address, seen) = bench().await;
    for (name, path, change, status, reason) in rows {
        let mut request = handshake(&fixture, path);
        change(&mut request);
        // The client of the library would not send most of these.
        let (mut head, ()) = request.into_parts();
        head.uri = path.parse().expect("a path");
        let stream = TcpStream::connect(address).await.expect("connected");
        let (mut client, connection) = http1::handshake(TokioIo::new(stream)).await.expect("a connection");
        tokio::spawn(connection.with_upgrades());
        let answer = client.send_request(Request::from_parts(head, Full::<Bytes>::default())).await.expect("an answer");
        assert_eq!(answer.status(), *status, "{name}");
        let recorded = fixture.world.recorded.lock().expect("a lock").pop().expect("an entry");
        assert_eq!(recorded.event.reasons, std::slice::from_ref(reason), "{name}");
    }
    // One that asks for a plain answer gets none either.
    let answer = fixture.serve(fixture.request("GET", "/v1/live", "")).await;
    assert_eq!(answer.status(), 400);
    assert_eq!(seen.all(), Vec::<String>::new());
}

#[tokio::test]
async fn a_proof_opens_one_connection() {
    let (fixture, address, _) = bench().await;
    let request = handshake(&fixture, "/v1/live");
    let open = async || client_async(request.clone(), TcpStream::connect(address).await.expect("connected")).await;
    assert!(open().await.is_ok());
    match open().await {
        Err(Error::Http(answer)) => assert_eq!(answer.status(), 401),
        other => panic!("{other:?}"),
    }
}

/// Raw bytes on an open socket: no mask, as no client may send them.
#[tokio::test]
async fn a_client_that_breaks_the_framing_is_cut() {
    use tokio::io::AsyncWriteExt as _;
    let (fixture, address, _) = bench().await;
    let mut socket = connect(&fixture, address).await;
    socket.get_mut().write_all(&[0x81, 0x00]).await.expect("written");
    assert_eq!(closed(&mut socket).await.0, 1002);
    assert_eq!(cuts(&fixture), [(Outcome::Deny, vec![Reason::MessageInvalid])]);
}
