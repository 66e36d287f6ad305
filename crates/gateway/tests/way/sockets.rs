//! WebSockets over HTTP/2 (RFC 8441), by a client and to an upstream that are not ours.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use countersign_core::{Outcome, Reason, SessionState};
use countersign_gateway::{HeldConfig, Protocol, body};
use futures_util::{SinkExt, StreamExt};
use http::{Method, Request, Response};
use hyper::{body::Incoming, client::conn::http2, upgrade::Upgraded};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{CloseFrame, Role, frame::coding::CloseCode},
    },
};

use crate::{
    calls::{Front, front, over_http2},
    fixture::{Fixture, World},
    held::{SOON, Seen, cuts, echo},
    upstream::upstream,
};

type Socket = WebSocketStream<TokioIo<Upgraded>>;

struct Bench {
    fixture: Fixture,
    front: Front,
    client: http2::SendRequest<body::Body>,
}

async fn bench(address: SocketAddr, protocol: Protocol) -> Bench {
    let fixture = Fixture::with_protocol(World::usual(), address, HeldConfig::USUAL, protocol).await;
    let front = front(&fixture).await;
    let mut client = front.client().await;
    // Whether a server takes extended CONNECT stands in its settings, which the first answer comes after.
    let request = Request::get("https://api.example.com/").body(body::empty()).expect("a request");
    client.send_request(request).await.expect("an answer");
    Bench { fixture, front, client }
}

impl Bench {
    /// The handshake, with token and proof for a `GET`.
    async fn ask(&mut self, path: &str, protocol: &'static str, change: impl FnOnce(&mut Request<body::Body>)) -> Response<Incoming> {
        let (mut head, _) = self.fixture.request("GET", path, "").into_parts();
        over_http2(&mut head);
        head.method = Method::CONNECT;
        head.headers.insert("sec-websocket-version", "13".parse().expect("a version"));
        head.headers.insert("sec-websocket-extensions", "permessage-deflate".parse().expect("an extension"));
        head.extensions.insert(hyper::ext::Protocol::from_static(protocol));
        let mut request = Request::from_parts(head, body::empty());
        change(&mut request);
        timeout(SOON, self.client.send_request(request)).await.expect("in time").expect("an answer")
    }

    async fn connect(&mut self) -> Socket {
        let mut answer = self.ask("/v1/live", "websocket", |_| {}).await;
        assert_eq!(answer.status(), 200);
        assert!(answer.headers().contains_key("countersign-decision"));
        for gone in ["sec-websocket-accept", "sec-websocket-extensions", "upgrade", "connection"] {
            assert!(!answer.headers().contains_key(gone), "{gone}");
        }
        let stream = TokioIo::new(hyper::upgrade::on(&mut answer).await.expect("a stream"));
        WebSocketStream::from_raw_socket(stream, Role::Client, None).await
    }
}

async fn says(socket: &mut Socket, text: &str) {
    socket.send(Message::text(text)).await.expect("sent");
    let heard = timeout(SOON, socket.next()).await.expect("in time").expect("a message").expect("sound");
    assert_eq!(heard, Message::text(text));
}

async fn closed(socket: &mut Socket) -> (u16, String) {
    loop {
        match timeout(SOON, socket.next()).await.expect("in time") {
            Some(Ok(Message::Close(Some(frame)))) => return (frame.code.into(), frame.reason.to_string()),
            Some(message) => drop(message.expect("a close frame before the end")),
            None => return (1006, String::new()),
        }
    }
}

#[tokio::test]
async fn messages_flow_both_ways_and_credentials_stay_here() {
    // Whatever is spoken for requests, a handshake to an upstream is HTTP/1.1.
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let seen = Seen::default();
        let mut bench = bench(echo(seen.clone()).await, protocol).await;
        let mut socket = bench.connect().await;
        says(&mut socket, "hello").await;
        let mut second = bench.connect().await;
        says(&mut second, "beside it").await;
        socket.send(Message::binary(vec![7; 1024])).await.expect("sent");
        assert_eq!(socket.next().await.expect("a message").expect("sound"), Message::binary(vec![7; 1024]));
        socket.send(Message::Ping(Bytes::from_static(b"p"))).await.expect("sent");
        assert_eq!(socket.next().await.expect("a message").expect("sound"), Message::Pong(Bytes::from_static(b"p")));
        socket.close(Some(CloseFrame { code: CloseCode::Normal, reason: "bye".into() })).await.expect("closed");
        assert_eq!(closed(&mut socket).await, (1000, "bye".to_owned()));
        says(&mut second, "still here").await;
        let expected = ["authorization: -", "dpop: -", "cookie: -", "countersign-user: p_alice", "sec-websocket-extensions: -"];
        assert_eq!(seen.all().into_iter().take(5).collect::<Vec<_>>(), expected);
        assert_eq!(cuts(&bench.fixture), []);
        drop(bench.front);
    }
}

#[tokio::test]
async fn what_changes_the_answer_cuts_the_connection() {
    let mut bench = bench(echo(Seen::default()).await, Protocol::Http1).await;
    let mut socket = bench.connect().await;
    says(&mut socket, "hello").await;
    let began = Instant::now();
    bench.fixture.set_session(|s| s.state = SessionState::Revoked);
    let (code, text) = closed(&mut socket).await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!((code, text.split_once(' ').expect("a class and a decision").0), (4401, "revoked"));
    assert_eq!(cuts(&bench.fixture), [(Outcome::Deny, vec![Reason::SessionRevoked])]);
    drop(socket);
    timeout(SOON, bench.fixture.gateway.end_open_connections()).await.expect("nothing is open");
}

#[tokio::test]
async fn what_is_no_handshake_opens_nothing() {
    let mut bench = bench(echo(Seen::default()).await, Protocol::Http1).await;
    let version = |value: &'static str| {
        move |r: &mut Request<body::Body>| drop(r.headers_mut().insert("sec-websocket-version", value.parse().expect("a value")))
    };
    assert_eq!(bench.ask("/v1/live", "websocket", version("8")).await.status(), 400);
    assert_eq!(bench.ask("/v1/live", "connect-udp", |_| {}).await.status(), 400);
    assert_eq!(bench.ask("/v1/card", "websocket", |_| {}).await.status(), 400, "where none is declared");
    let foreign = |r: &mut Request<body::Body>| drop(r.headers_mut().insert("origin", "https://evil.example".parse().expect("a value")));
    assert_eq!(bench.ask("/v1/live", "websocket", foreign).await.status(), 403);
    let bare = |r: &mut Request<body::Body>| drop(r.headers_mut().remove("dpop"));
    assert_eq!(bench.ask("/v1/live", "websocket", bare).await.status(), 401);
}

#[tokio::test]
async fn an_upstream_that_opens_nothing_is_no_success() {
    let page = upstream(|_: Request<Incoming>| async { Response::new(body::full("hello")) }).await;
    assert_eq!(bench(page, Protocol::Http1).await.ask("/v1/live", "websocket", |_| {}).await.status(), 503);
    let gone = upstream(|_: Request<Incoming>| async { Response::builder().status(410).body(body::empty()).expect("an answer") }).await;
    assert_eq!(bench(gone, Protocol::Http1).await.ask("/v1/live", "websocket", |_| {}).await.status(), 410);
    let careless = upstream(|_: Request<Incoming>| async {
        let answer = Response::builder().status(101).header("upgrade", "websocket").header("connection", "upgrade");
        answer.header("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=").body(body::empty()).expect("an answer")
    })
    .await;
    assert_eq!(
        bench(careless, Protocol::Http1).await.ask("/v1/live", "websocket", |_| {}).await.status(),
        503,
        "another handshake's answer"
    );
}
