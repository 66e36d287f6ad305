//! What strangers can hold: places, memory and time, and what is left to others meanwhile.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use countersign_gateway::{
    BodyRules, Budget, Patience, Peer,
    body::{self, Body},
};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{Instant, timeout},
};
use tokio_rustls::client::TlsStream;

use crate::listener::{Running, read_all, start};

const SOON: Duration = Duration::from_secs(5);

async fn hello(_: Request<Body>, peer: Peer) -> Response<Body> {
    Response::new(body::full(format!("hello {}", peer.address.ip())))
}

/// A connection from one of this machine's own addresses.
async fn from(running: &Running, site: u8, protocol: &str) -> std::io::Result<TlsStream<TcpStream>> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 9, site, 1), 0)))?;
    let stream = socket.connect(running.address).await?;
    let connector = running.identity.connector(protocol, &[&rustls::version::TLS13]);
    connector.connect(ServerName::try_from("localhost").expect("a name"), stream).await
}

/// A client of HTTP/2 that asks nothing, answers pings, and says when its connection has ended.
async fn silent(running: &Running, site: u8) -> Option<(http2::SendRequest<Body>, tokio::task::JoinHandle<()>)> {
    let stream = timeout(SOON, from(running, site, "h2")).await.ok()?.ok()?;
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.ok()?;
    Some((
        sender,
        tokio::spawn(async move {
            let _ = connection.await;
        }),
    ))
}

async fn served(running: &Running, site: u8) -> String {
    let Ok(Ok(mut stream)) = timeout(SOON, from(running, site, "http/1.1")).await else { return "no connection".to_owned() };
    let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
    read_all(&mut stream).await
}

#[tokio::test]
async fn a_hundred_silent_connections_of_one_site_leave_room_for_others() {
    let running = start(|c| c.connections_max = 100, hello).await;
    let mut held = Vec::new();
    for _ in 0..100 {
        held.extend(silent(&running, 1).await);
    }
    let open = |held: &[(_, tokio::task::JoinHandle<()>)]| held.iter().filter(|(_, connection)| !connection.is_finished()).count();
    let answer = served(&running, 2).await;
    assert!(answer.ends_with("hello 127.9.2.1"), "{answer}");
    // Its own site is served as well, by whom its oldest gives way to.
    let answer = served(&running, 1).await;
    assert!(answer.ends_with("hello 127.9.1.1"), "{answer}");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(open(&held) <= 25, "one site holds a quarter at most, and here {}", open(&held));
}

#[tokio::test]
async fn at_the_limit_the_oldest_idle_one_of_the_most_crowded_site_goes() {
    let running = start(|c| c.connections_max = 8, hello).await;
    let mut crowd = Vec::new();
    for site in [1, 1, 2, 3, 4, 5, 6, 7] {
        crowd.push(silent(&running, site).await.expect("a place"));
    }
    let answer = served(&running, 9).await;
    assert!(answer.ends_with("hello 127.9.9.1"), "{answer}");
    timeout(SOON, &mut crowd[0].1).await.expect("the oldest of the first site is gone").expect("a task");
    assert!(crowd[1..].iter().all(|(_, connection)| !connection.is_finished()), "and nobody else");
}

#[tokio::test]
async fn who_asks_nothing_is_let_go_though_he_answers_pings() {
    let running = start(|c| c.idle_max = Duration::from_millis(300), hello).await;
    let (_sender, connection) = silent(&running, 1).await.expect("a place");
    let began = Instant::now();
    timeout(SOON, connection).await.expect("let go").expect("a task");
    assert!(began.elapsed() >= Duration::from_millis(200), "{:?}", began.elapsed());
    let mut http1 = from(&running, 1, "http/1.1").await.expect("a connection");
    timeout(SOON, http1.read(&mut [0; 1])).await.expect("let go").ok();
}

#[tokio::test]
async fn who_asks_is_kept() {
    let running = start(|c| c.idle_max = Duration::from_millis(400), hello).await;
    let (mut sender, connection) = silent(&running, 1).await.expect("a place");
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_millis(150)).await;
        let request = Request::get("https://localhost/").body(body::empty()).expect("a request");
        assert_eq!(sender.send_request(request).await.expect("an answer").status(), 200);
    }
    assert!(!connection.is_finished());
}

/// Four connections that ask for a hundred endless answers each, and read none: what waits for them in memory has an end, and so have
/// they. Measured is what was taken from the handler's bodies and not dropped.
#[tokio::test]
async fn who_does_not_read_holds_little_and_is_cut() {
    static GIVEN: AtomicUsize = AtomicUsize::new(0);
    static LIVING: AtomicUsize = AtomicUsize::new(0);
    struct Lives;
    impl Drop for Lives {
        fn drop(&mut self) {
            LIVING.fetch_sub(1, Ordering::SeqCst);
        }
    }
    let endless = async |_: Request<Body>, _: Peer| {
        LIVING.fetch_add(1, Ordering::SeqCst);
        let frames = futures_util::stream::unfold(Lives, async |lives| {
            GIVEN.fetch_add(16 * 1024, Ordering::SeqCst);
            Some((Ok(Frame::data(Bytes::from(vec![0; 16 * 1024]))), lives))
        });
        Response::new(StreamBody::new(Box::pin(frames)).boxed_unsync())
    };
    let patience = Patience { reader_max: Duration::from_millis(600), answer_max: Duration::from_secs(60) };
    let running = start(|c| c.patience = patience, endless).await;
    let mut held = Vec::new();
    for _ in 0..4 {
        let stream = from(&running, 1, "h2").await.expect("a connection");
        let mut builder = http2::Builder::new(TokioExecutor::new());
        // The windows that clients have, of which they take nothing.
        builder.initial_stream_window_size(65_535).initial_connection_window_size(65_535);
        let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.expect("a connection");
        let connection = tokio::spawn(async move {
            let _ = connection.await;
        });
        for _ in 0..100 {
            let request = Request::get("https://localhost/").body(body::empty()).expect("a request");
            let answer = sender.send_request(request);
            held.push(tokio::spawn(async move {
                let _unread = answer.await;
                std::future::pending::<()>().await;
            }));
        }
        held.push(connection);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let given = GIVEN.load(Ordering::SeqCst);
    assert!(given <= 4 * 100 * 96 * 1024, "{given} bytes wait");
    let gone = async {
        while LIVING.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(SOON, gone).await.expect("all of them are cut");
}

#[tokio::test]
async fn a_reader_that_pauses_is_waited_for() {
    let long = async |_: Request<Body>, _: Peer| {
        let frames = futures_util::stream::iter((0..400).map(|_| Ok(Frame::data(Bytes::from(vec![0; 64 * 1024])))));
        Response::new(StreamBody::new(frames).boxed_unsync())
    };
    let patience = Patience { reader_max: Duration::from_millis(900), answer_max: Duration::from_secs(60) };
    let running = start(|c| c.patience = patience, long).await;
    let mut stream = from(&running, 1, "http/1.1").await.expect("a connection");
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.expect("sent");
    let (mut all, mut part) = (0, vec![0; 64 * 1024]);
    for turn in 0.. {
        match stream.read(&mut part).await {
            Ok(0) | Err(_) => break,
            Ok(count) => all += count,
        }
        if turn % 200 == 0 {
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }
    assert!(all > 400 * 64 * 1024, "{all} bytes came");
}

/// Reads a body as a door does.
async fn door(request: Request<Body>, _: Peer) -> Response<Body> {
    let told = match body::collect(request.into_body(), 1 << 20).await {
        Ok(bytes) => format!("{} bytes", bytes.len()),
        Err(fault) => fault.to_string(),
    };
    Response::new(body::full(told))
}

#[tokio::test]
async fn a_trickled_body_has_its_time() {
    let bodies = BodyRules { door_idle_max: Duration::from_millis(300), door_time_max: Duration::from_millis(600), ..BodyRules::USUAL };
    let running = start(|c| c.bodies = bodies, door).await;
    for pause in [100, 5000] {
        let mut stream = from(&running, 1, "http/1.1").await.expect("a connection");
        stream.write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n").await.expect("sent");
        let began = Instant::now();
        let (mut reader, mut writer) = tokio::io::split(stream);
        let trickle = tokio::spawn(async move {
            while writer.write_all(b"x").await.is_ok() && writer.flush().await.is_ok() {
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
        });
        let mut part = [0; 1024];
        let count = timeout(SOON, reader.read(&mut part)).await.expect("answered in time").expect("an answer");
        let answer = String::from_utf8_lossy(&part[..count]).into_owned();
        assert!(answer.contains("longer to arrive than is accepted"), "{answer}");
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        trickle.abort();
    }
}

/// Bodies that nobody has finished: what is kept of them has a bound for a connection, a site and all, and others have their share.
#[tokio::test]
async fn nobody_takes_the_memory_of_others() {
    let budget = Budget { all: 100_000, of_a_site: 50_000, of_a_connection: 30_000 };
    let running = Arc::new(start(|c| c.budget = budget, door).await);
    let post = async |site: u8, bytes: usize, whole: bool| {
        let mut stream = from(&running, site, "http/1.1").await.expect("a connection");
        let length = if whole { bytes } else { bytes + 1 };
        stream.write_all(format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n").as_bytes()).await.expect("sent");
        stream.write_all(&vec![b'x'; bytes]).await.expect("sent");
        stream.flush().await.expect("sent");
        stream
    };
    let mut over = post(1, 40_000, true).await;
    assert!(read_all(&mut over).await.contains("no room"), "one connection");
    let held = [post(1, 24_000, false).await, post(1, 24_000, false).await];
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut over = post(1, 10_000, true).await;
    assert!(read_all(&mut over).await.contains("no room"), "one site");
    let mut other = post(2, 20_000, true).await;
    assert!(read_all(&mut other).await.contains("20000 bytes"), "another site");
    drop(held);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut again = post(1, 10_000, true).await;
    assert!(read_all(&mut again).await.contains("10000 bytes"), "what was kept was given back");
}

/// A refusal in the middle of an upload reaches whoever writes first and reads then.
#[tokio::test]
async fn a_refusal_reaches_who_is_still_sending() {
    let refuse = async |_: Request<Body>, _: Peer| Response::builder().status(413).body(body::full("too large")).expect("an answer");
    let running = start(|_| {}, refuse).await;
    for chunked in [false, true] {
        let mut stream = from(&running, 1, "http/1.1").await.expect("a connection");
        let framing = if chunked { "Transfer-Encoding: chunked" } else { "Content-Length: 8388608" };
        stream.write_all(format!("POST / HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n").as_bytes()).await.expect("sent");
        for _ in 0..128 {
            if chunked {
                stream.write_all(b"10000\r\n").await.expect("taken");
            }
            stream.write_all(&[b'x'; 65_536]).await.expect("taken");
            if chunked {
                stream.write_all(b"\r\n").await.expect("taken");
            }
        }
        let answer = read_all(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    }
}

/// More connections of one site than may shake hands at a time, and none of them says a word.
#[tokio::test]
async fn handshakes_that_never_begin_leave_others_theirs() {
    let running = start(|_| {}, hello).await;
    let mut silent = Vec::new();
    for _ in 0..300 {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::from((Ipv4Addr::new(127, 9, 1, 1), 0))).expect("an address");
        silent.push(socket.connect(running.address).await.expect("connected"));
    }
    for site in [2, 1] {
        let answer = served(&running, site).await;
        assert!(answer.contains("hello 127.9"), "{answer}");
    }
    drop(silent);
}
