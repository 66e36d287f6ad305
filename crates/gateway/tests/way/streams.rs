//! Answers that go on, over real sockets: events and other streams, while their decision stands.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use countersign_core::{Outcome, Reason, SessionState};
use countersign_gateway::body::{Body, BodyError};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, sync::mpsc, time::timeout};

use crate::{
    fixture::{Fixture, World},
    held::{SOON, cuts, front},
    upstream::upstream,
};

type Chunks = mpsc::UnboundedSender<Result<Frame<Bytes>, BodyError>>;

/// An upstream whose answers go on, as the test says.
async fn talking(kind: &'static str) -> (Fixture, SocketAddr, Chunks) {
    let (chunks, come) = mpsc::unbounded_channel();
    let come = Arc::new(Mutex::new(Some(come)));
    let address = upstream(move |_: Request<hyper::body::Incoming>| {
        let come = come.lock().expect("a lock").take().expect("asked once");
        let stream = futures_util::stream::unfold(come, async |mut come: mpsc::UnboundedReceiver<_>| Some((come.recv().await?, come)));
        let body: Body = StreamBody::new(stream).boxed_unsync();
        async move { Response::builder().header("content-type", kind).body(body).expect("an answer") }
    })
    .await;
    let fixture = Fixture::with_upstream(World::usual(), address).await;
    let address = front(&fixture).await;
    (fixture, address, chunks)
}

async fn ask(fixture: &Fixture, address: SocketAddr, path: &str) -> hyper::body::Incoming {
    let stream = TcpStream::connect(address).await.expect("connected");
    let (mut client, connection) = http1::handshake(TokioIo::new(stream)).await.expect("a connection");
    tokio::spawn(connection);
    let answer = client.send_request(fixture.request("GET", path, "")).await.expect("an answer");
    assert_eq!(answer.status(), 200);
    answer.into_body()
}

async fn next(body: &mut hyper::body::Incoming) -> Option<Result<String, hyper::Error>> {
    let frame = timeout(SOON, body.frame()).await.expect("in time")?;
    Some(frame.map(|frame| String::from_utf8(frame.into_data().expect("data").to_vec()).expect("text")))
}

fn say(chunks: &Chunks, text: &'static str) {
    chunks.send(Ok(Frame::data(Bytes::from_static(text.as_bytes())))).expect("somebody listens");
}

#[tokio::test]
async fn events_end_with_a_word_of_ours() {
    let (fixture, address, chunks) = talking("text/event-stream; charset=utf-8").await;
    let mut body = ask(&fixture, address, "/v1/events").await;
    say(&chunks, "data: 1\n\ndata: ha");
    assert_eq!(next(&mut body).await.expect("a chunk").expect("sound"), "data: 1\n\n");
    say(&chunks, "lf\n\n");
    assert_eq!(next(&mut body).await.expect("a chunk").expect("sound"), "data: half\n\n");
    say(&chunks, "data: cut o");
    fixture.set_session(|s| s.state = SessionState::Revoked);
    let last = next(&mut body).await.expect("a chunk").expect("sound");
    assert!(last.starts_with("event: countersign\ndata: {") && last.ends_with("\n\n"), "{last}");
    assert!(last.contains(r#""code":"revoked""#), "{last}");
    assert!(next(&mut body).await.is_none(), "a whole answer");
    assert_eq!(cuts(&fixture), [(Outcome::Deny, vec![Reason::SessionRevoked])]);
}

#[tokio::test]
async fn other_streams_break_off() {
    let (fixture, address, chunks) = talking("application/x-ndjson").await;
    let mut body = ask(&fixture, address, "/v1/download").await;
    say(&chunks, "{\"n\":1}\n");
    assert_eq!(next(&mut body).await.expect("a chunk").expect("sound"), "{\"n\":1}\n");
    fixture.set_session(|s| s.state = SessionState::Revoked);
    assert!(next(&mut body).await.expect("not the end").is_err(), "visibly not whole");
}

#[tokio::test]
async fn events_have_a_size() {
    let (fixture, address, chunks) = talking("text/event-stream").await;
    let mut body = ask(&fixture, address, "/v1/events").await;
    chunks.send(Ok(Frame::data(Bytes::from(vec![b'x'; 2000])))).expect("somebody listens");
    assert!(next(&mut body).await.expect("not the end").is_err());
}

#[tokio::test]
async fn a_stream_that_ends_is_whole() {
    let (fixture, address, chunks) = talking("text/event-stream").await;
    let mut body = ask(&fixture, address, "/v1/events").await;
    say(&chunks, "data: 1\n\n");
    assert_eq!(next(&mut body).await.expect("a chunk").expect("sound"), "data: 1\n\n");
    drop(chunks);
    assert!(next(&mut body).await.is_none());
    assert_eq!(cuts(&fixture), []);
    timeout(SOON, fixture.gateway.end_open_connections()).await.expect("nothing is open");
}
