//! Exchanges of which no stream is declared, and that last: watched both ways, and with an end.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use countersign_core::{Outcome, Reason, SessionState};
use countersign_gateway::{HeldConfig, Rules};
use countersign_policy::Operations;
use countersign_store::DeviceState;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};

use crate::{
    fixture::{Fixture, NOW, World},
    held::{SOON, cuts, front},
    rules,
    upstream::upstream,
};

/// Watched almost at once, so that no test waits.
fn watching() -> HeldConfig {
    HeldConfig { unwatched_max: Duration::from_millis(60), ..HeldConfig::USUAL }
}

/// What became of a request at the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It broke off.
    Broken,
    /// Its last chunk came.
    Whole,
}

/// An upstream that reads one request, however long it takes, and says how it ended.
async fn patient() -> (SocketAddr, mpsc::UnboundedReceiver<End>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (ended, ends) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let ended = ended.clone();
            tokio::spawn(async move {
                let (mut all, mut part) = (Vec::new(), [0; 4096]);
                while let Ok(count @ 1..) = stream.read(&mut part).await {
                    all.extend_from_slice(part.get(..count).unwrap_or_default());
                    if all.ends_with(b"\r\n0\r\n\r\n") {
                        let _ = ended.send(End::Whole);
                        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
                        return;
                    }
                }
                let _ = ended.send(End::Broken);
            });
        }
    });
    (address, ends)
}

type Frames = mpsc::UnboundedSender<Result<Frame<Bytes>, std::io::Error>>;

/// Begins an upload that goes on as the test says; the task yields status and body of the answer.
async fn begins(fixture: &Fixture, address: SocketAddr) -> (Frames, tokio::task::JoinHandle<(u16, String)>) {
    let (frames, come) = mpsc::unbounded_channel();
    let stream = futures_util::stream::unfold(come, async |mut come: mpsc::UnboundedReceiver<_>| Some((come.recv().await?, come)));
    let (head, _) = fixture.request("POST", "/bank.v1.Unary/Pay", "").into_parts();
    let stream_body = StreamBody::new(Box::pin(stream));
    let (mut client, connection) =
        http1::handshake(TokioIo::new(TcpStream::connect(address).await.expect("connected"))).await.expect("a connection");
    tokio::spawn(connection);
    let answered = tokio::spawn(async move {
        let answer = client.send_request(Request::from_parts(head, stream_body)).await.expect("an answer");
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        (status, String::from_utf8_lossy(&body).into_owned())
    });
    (frames, answered)
}

fn say(frames: &Frames, text: &'static str) {
    let _ = frames.send(Ok(Frame::data(Bytes::from_static(text.as_bytes()))));
}

/// A trickle that goes on while something changes. It never reaches its end at the upstream, and the client is told why.
#[tokio::test]
async fn a_trickled_request_does_not_outlive_its_decision() {
    type Change = fn(&Fixture);
    let rows: &[(&str, Change, u16, Outcome, Reason)] = &[
        ("revoked", |f| f.set_session(|s| s.state = SessionState::Revoked), 401, Outcome::Deny, Reason::SessionRevoked),
        ("limited", |f| f.set_session(|s| s.state = SessionState::Limited), 401, Outcome::StepUp, Reason::SessionSuspect),
        ("a lost phone", |f| f.set_device(|d| d.state = DeviceState::Revoked), 401, Outcome::Deny, Reason::DeviceRevoked),
        (
            "other rules",
            |f| f.gateway.replace_rules(Rules { operations: Operations::new(&[]).expect("sound"), ..rules::rules() }),
            403,
            Outcome::Deny,
            Reason::UnknownOperation,
        ),
    ];
    for (name, change, status, outcome, reason) in rows {
        let (address, mut ends) = patient().await;
        let fixture = Fixture::with_patience(World::usual(), address, watching()).await;
        let (frames, answered) = begins(&fixture, front(&fixture).await).await;
        for _ in 0..4 {
            say(&frames, "x");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        change(&fixture);
        let (got, problem) = timeout(SOON, answered).await.expect("in time").expect("a task");
        assert_eq!((got, problem.contains("\"code\"")), (*status, true), "{name}: {problem}");
        // What is sent after that goes nowhere.
        say(&frames, "y");
        drop(frames);
        assert_eq!(timeout(SOON, ends.recv()).await.expect("in time"), Some(End::Broken), "{name}");
        assert_eq!(cuts(&fixture), [(*outcome, vec![reason.clone()])], "{name}");
    }
}

/// A declared stream is watched before the upstream has answered, too.
#[tokio::test]
async fn a_declared_stream_is_watched_from_its_request_on() {
    let (address, mut ends) = patient().await;
    let fixture = Fixture::with_patience(World::usual(), address, watching()).await;
    let (head, _) = fixture.request("POST", "/bank.v1.Raw/Pay", "").into_parts();
    let (frames, come) = mpsc::unbounded_channel::<Result<Frame<Bytes>, std::io::Error>>();
    let stream = futures_util::stream::unfold(come, async |mut come: mpsc::UnboundedReceiver<_>| Some((come.recv().await?, come)));
    let stream = TcpStream::connect(front(&fixture).await).await.map(|tcp| (tcp, StreamBody::new(Box::pin(stream)))).expect("connected");
    let (mut client, connection) = http1::handshake(TokioIo::new(stream.0)).await.expect("a connection");
    tokio::spawn(connection);
    let answered = tokio::spawn(async move { client.send_request(Request::from_parts(head, stream.1)).await.map(|a| a.status().as_u16()) });
    for _ in 0..4 {
        say(&frames, "x");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    fixture.set_session(|s| s.state = SessionState::Revoked);
    assert_eq!(timeout(SOON, answered).await.expect("in time").expect("a task").expect("an answer"), 401);
    drop(frames);
    assert_eq!(timeout(SOON, ends.recv()).await.expect("in time"), Some(End::Broken));
}

#[tokio::test]
async fn a_token_ends_its_exchange() {
    let (address, mut ends) = patient().await;
    let held = HeldConfig { interval: Duration::from_millis(50), ..watching() };
    let fixture = Fixture::with_patience(World::usual(), address, held).await;
    let (frames, answered) = begins(&fixture, front(&fixture).await).await;
    for _ in 0..5 {
        say(&frames, "x");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    fixture.world.clock.store(NOW + 295, Ordering::SeqCst);
    let trickle = async {
        loop {
            say(&frames, "x");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        answered = answered => assert_eq!(answered.expect("a task").0, 401),
        () = trickle => {}
    }
    drop(frames);
    assert_eq!(timeout(SOON, ends.recv()).await.expect("in time"), Some(End::Broken));
    assert_eq!(cuts(&fixture), [(Outcome::Deny, vec![Reason::TokenExpired])]);
}

#[tokio::test]
async fn no_exchange_goes_on_for_ever() {
    let (address, mut ends) = patient().await;
    let held = HeldConfig { exchange_max: Duration::from_millis(200), ..watching() };
    let fixture = Fixture::with_patience(World::usual(), address, held).await;
    let (frames, answered) = begins(&fixture, front(&fixture).await).await;
    let trickle = async {
        loop {
            say(&frames, "x");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        answered = answered => assert_eq!(answered.expect("a task").0, 400),
        () = trickle => {}
    }
    drop(frames);
    assert_eq!(timeout(SOON, ends.recv()).await.expect("in time"), Some(End::Broken));
    assert_eq!(cuts(&fixture), [(Outcome::Deny, vec![Reason::ExchangeTooLong])]);
}

#[tokio::test]
async fn what_changes_nothing_lets_a_trickle_through() {
    let (address, mut ends) = patient().await;
    let fixture = Fixture::with_patience(World::usual(), address, watching()).await;
    let (frames, answered) = begins(&fixture, front(&fixture).await).await;
    for _ in 0..6 {
        say(&frames, "x");
        tokio::time::sleep(Duration::from_millis(30)).await;
        fixture.gateway.judge_again();
    }
    drop(frames);
    assert_eq!(timeout(SOON, answered).await.expect("in time").expect("a task"), (200, "ok".to_owned()));
    assert_eq!(ends.recv().await, Some(End::Whole));
    assert_eq!(cuts(&fixture), []);
}

type Chunks = mpsc::UnboundedSender<Result<Frame<Bytes>, countersign_gateway::body::BodyError>>;

/// An upstream whose answer goes on, as the test says.
async fn talking(kind: &'static str) -> (Fixture, SocketAddr, Chunks) {
    let (chunks, come) = mpsc::unbounded_channel();
    let come = Arc::new(Mutex::new(Some(come)));
    let address = upstream(move |_: Request<hyper::body::Incoming>| {
        let come = come.lock().expect("a lock").take().expect("asked once");
        let stream = futures_util::stream::unfold(come, async |mut come: mpsc::UnboundedReceiver<_>| Some((come.recv().await?, come)));
        let body: countersign_gateway::body::Body = StreamBody::new(stream).boxed_unsync();
        async move { Response::builder().header("content-type", kind).body(body).expect("an answer") }
    })
    .await;
    let fixture = Fixture::with_patience(World::usual(), address, watching()).await;
    let address = front(&fixture).await;
    (fixture, address, chunks)
}

async fn ask(fixture: &Fixture, address: SocketAddr) -> Response<hyper::body::Incoming> {
    let stream = TcpStream::connect(address).await.expect("connected");
    let (mut client, connection) = http1::handshake(TokioIo::new(stream)).await.expect("a connection");
    tokio::spawn(connection);
    client.send_request(fixture.request("GET", "/v1/accounts/a1", "")).await.expect("an answer")
}

#[tokio::test]
async fn an_answer_that_goes_on_is_watched() {
    let (fixture, address, chunks) = talking("application/octet-stream").await;
    let mut body = ask(&fixture, address).await.into_body();
    for _ in 0..5 {
        chunks.send(Ok(Frame::data(Bytes::from_static(b"x")))).expect("somebody listens");
        body.frame().await.expect("a frame").expect("sound");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(cuts(&fixture), []);
    fixture.set_session(|s| s.state = SessionState::Revoked);
    let end = timeout(SOON, body.frame()).await.expect("in time");
    assert!(matches!(end, Some(Err(_))), "it breaks off, and never looks whole");
    assert_eq!(cuts(&fixture), [(Outcome::Deny, vec![Reason::SessionRevoked])]);
}

#[tokio::test]
async fn no_answer_is_a_stream_that_is_not_declared() {
    for kind in ["text/event-stream", "Text/Event-Stream; charset=utf-8", "application/grpc", "application/grpc-web+proto"] {
        let (fixture, address, _chunks) = talking(kind).await;
        let answer = ask(&fixture, address).await;
        assert_eq!(answer.status(), 400, "{kind}");
        let told = fixture.world.watched.lock().expect("a lock").last().cloned();
        assert_eq!(told.as_deref(), Some("0 bytes, stream_undeclared"), "{kind}");
    }
}
