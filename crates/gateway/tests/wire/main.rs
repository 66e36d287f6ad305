//! The listener, the strict layer and the relay over real sockets.

#![expect(clippy::expect_used, reason = "what fails outside of the test functions fails the test too")]

mod alpn;
mod crowded;
mod framed;
mod listener;
mod proxied;
#[path = "../support/upstream.rs"]
mod upstream;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use countersign_gateway::{
    Origin, PassThrough, Peer, PublicHost, Upstream, UpstreamConfig,
    body::{self, Body, Bounds},
    parse_request,
};
use http::{Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use listener::{bytes, start, text};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
};
use upstream::upstream;

fn public() -> Origin {
    Origin::parse("https://localhost:7443").expect("an origin")
}

/// Answers with the code of the refusal, or `taken`.
async fn strict(request: Request<Body>, peer: Peer) -> Response<Body> {
    let (head, _) = request.into_parts();
    let verdict = parse_request(&head, &peer, &PublicHost::of(&public())).map(|_| ()).map_err(|refusal| format!("{refusal:?}"));
    let mut answer = Response::new(body::full(verdict.clone().err().unwrap_or_else(|| "taken".to_owned())));
    if verdict.is_err() {
        *answer.status_mut() = StatusCode::BAD_REQUEST;
    }
    answer
}

/// What the strict layer is shown is what a client really put on the wire.
#[tokio::test]
async fn one_request_or_none() {
    let running = start(|_| {}, strict).await;
    let many: String = (0..99).map(|n| format!("X-{n}: 1\r\n")).collect();
    let one_too_many = format!("{many}Y: 1\r\n");
    let large = format!("X: {}\r\n", "a".repeat(32 * 1024));
    let host = "Host: localhost:7443\r\n";
    let rows: &[(&str, String, &str)] = &[
        ("an ordinary request", format!("GET /a HTTP/1.1\r\n{host}\r\n"), "taken"),
        ("the host in upper case", "GET /a HTTP/1.1\r\nHost: LOCALHOST:7443\r\n\r\n".into(), "taken"),
        ("a query", format!("GET /a?b=c&d[]=%20e HTTP/1.1\r\n{host}\r\n"), "taken"),
        ("as many headers as are taken", format!("GET /a HTTP/1.1\r\n{host}{many}\r\n"), "taken"),
        ("a body with a length", format!("POST /a HTTP/1.1\r\n{host}Content-Length: 3\r\n\r\nabc"), "taken"),
        ("a chunked body", format!("POST /a HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"), "taken"),
        ("no host", "GET /a HTTP/1.1\r\n\r\n".into(), "HostMissing"),
        ("two hosts", format!("GET /a HTTP/1.1\r\n{host}{host}\r\n"), "HostRepeated"),
        ("another host", "GET /a HTTP/1.1\r\nHost: evil.example\r\n\r\n".into(), "HostForeign"),
        ("another port", "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n".into(), "HostForeign"),
        ("a host with a user name", "GET /a HTTP/1.1\r\nHost: a@localhost:7443\r\n\r\n".into(), "HostForeign"),
        (
            "length and encoding",
            format!("POST /a HTTP/1.1\r\n{host}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            "WireAmbiguous",
        ),
        (
            "encoding and length",
            format!("POST /a HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
            "WireAmbiguous",
        ),
        ("two equal lengths", format!("POST /a HTTP/1.1\r\n{host}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc"), "WireAmbiguous"),
        ("two different lengths", format!("POST /a HTTP/1.1\r\n{host}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc"), "400"),
        ("a length that is none", format!("POST /a HTTP/1.1\r\n{host}Content-Length: x\r\n\r\n"), "400"),
        ("an encoding that is none", format!("POST /a HTTP/1.1\r\n{host}Transfer-Encoding: xchunked\r\n\r\n"), "400"),
        (
            "an encoding before chunked",
            format!("POST /a HTTP/1.1\r\n{host}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
            "TransferEncoding",
        ),
        ("a space before the colon", format!("POST /a HTTP/1.1\r\n{host}Content-Length : 3\r\n\r\nabc"), "400"),
        ("a folded line", format!("GET /a HTTP/1.1\r\n{host}X: a\r\n b\r\n\r\n"), "400"),
        ("bare line feeds", "GET /a HTTP/1.1\nHost: localhost:7443\n\n".into(), "WireAmbiguous"),
        ("absolute form", format!("GET https://localhost:7443/a HTTP/1.1\r\n{host}\r\n"), "TargetForm"),
        ("asterisk form", format!("OPTIONS * HTTP/1.1\r\n{host}\r\n"), "TargetForm"),
        ("a tunnel", format!("CONNECT localhost:7443 HTTP/1.1\r\n{host}\r\n"), "MethodUnknown"),
        ("a trace", format!("TRACE /a HTTP/1.1\r\n{host}\r\n"), "MethodUnknown"),
        ("a made-up method", format!("BREW /a HTTP/1.1\r\n{host}\r\n"), "MethodUnknown"),
        ("a method in lower case", format!("get /a HTTP/1.1\r\n{host}\r\n"), "MethodUnknown"),
        ("another protocol", format!("GET /a HTTP/1.1\r\n{host}Connection: upgrade\r\nUpgrade: h2c\r\n\r\n"), "Upgrade"),
        ("half a handshake", format!("GET /a HTTP/1.1\r\n{host}Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"), "Handshake"),
        (
            "an unknown expectation",
            format!("POST /a HTTP/1.1\r\n{host}Expect: miracles\r\nContent-Length: 0\r\n\r\n"),
            "ExpectationUnknown",
        ),
        ("HTTP/1.0", format!("GET /a HTTP/1.0\r\n{host}\r\n"), "VersionUnknown"),
        ("one header too many", format!("GET /a HTTP/1.1\r\n{host}{one_too_many}\r\n"), "431"),
        ("large headers", format!("GET /a HTTP/1.1\r\n{host}{large}\r\n"), "HeadTooLarge"),
        ("a query as OkHttp sends it", format!("GET /a?b={{c|d}}^`\\ HTTP/1.1\r\n{host}\r\n"), "taken"),
        // The HTTP library answers by itself, before there is a request that could have a number.
        ("an illegal query", format!("GET /a?b=\"c\" HTTP/1.1\r\n{host}\r\n"), "400 Bad Request"),
        // RFC 9112 section 3.2: a target is ASCII. What reads the framing of a connection goes no further.
        ("a query beyond ASCII", format!("GET /a?b=\u{e9} HTTP/1.1\r\n{host}\r\n"), "WireAmbiguous"),
        ("another method in the query", format!("POST /a?_method=PUT HTTP/1.1\r\n{host}\r\n"), "MethodOverridden"),
        ("a connection that names the type", format!("GET /a HTTP/1.1\r\n{host}Connection: content-type\r\n\r\n"), "ConnectionNames"),
        ("an ambiguous path", format!("GET /a/../b HTTP/1.1\r\n{host}\r\n"), "Path(DotSegment)"),
    ];
    // At once, since an open connection is waited on.
    let answers = futures_util::future::join_all(rows.iter().map(|(_, sent, _)| running.raw(sent.as_bytes()))).await;
    for ((name, _, expected), got) in rows.iter().zip(answers) {
        assert!(got.contains(expected), "{name}: expected {expected}, got {got}");
        assert_eq!(got.starts_with("HTTP/1.1 200"), *expected == "taken", "{name}: {got}");
    }
}

#[tokio::test]
async fn an_ambiguous_connection_is_closed() {
    let running = start(|_| {}, strict).await;
    let smuggled = "POST /a HTTP/1.1\r\nHost: localhost:7443\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: localhost:7443\r\n\r\n";
    let got = running.raw(smuggled.as_bytes()).await;
    assert_eq!(got.matches("HTTP/1.1").count(), 1, "{got}");
    assert!(got.contains("connection: close"), "{got}");
}

#[tokio::test]
async fn http2_has_one_host() {
    let running = start(|_| {}, strict).await;
    let mut client = running.http2().await;
    let rows: &[(&str, &str, Option<&str>, &str)] = &[
        ("the authority alone", "https://localhost:7443/a", None, "taken"),
        ("the same host beside it", "https://localhost:7443/a", Some("localhost:7443"), "taken"),
        ("another host beside it", "https://localhost:7443/a", Some("evil.example"), "HostDisagrees"),
        ("another authority", "https://evil.example/a", None, "HostForeign"),
        ("two slashes", "https://localhost:7443//a", None, "Path(EmptySegment)"),
    ];
    for (name, url, host, expected) in rows {
        let mut request = Request::get(*url);
        if let Some(host) = host {
            request = request.header("host", *host);
        }
        let got = client.send_request(request.body(body::empty()).expect("a request")).await.expect("an answer");
        assert_eq!(text(got).await, *expected, "{name}");
    }
}

#[tokio::test]
async fn only_the_newest_tls_is_spoken() {
    let running = start(|_| {}, strict).await;
    // A client that knows TLS 1.2 only: a ClientHello without `supported_versions` (RFC 8446 section 4.2.1).
    let mut hello = vec![0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 3];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x2f, 1, 0]);
    let mut stream = tokio::net::TcpStream::connect(running.address).await.expect("connected");
    stream.write_all(&hello).await.expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an end");
    // Alert, fatal.
    assert_eq!((answer.first(), answer.get(5)), (Some(&0x15), Some(&2)), "{answer:?}");
    let protocol = running.tls("h2").await;
    assert_eq!(protocol.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
}

#[tokio::test]
async fn another_certificate_is_shown_from_the_next_handshake_on() {
    let running = start(|_| {}, strict).await;
    let other = listener::Identity::new();
    let new_client = || other.connector("http/1.1", &[&rustls::version::TLS13]);
    assert!(running.tls_with(new_client()).await.is_err());
    running.certificates.replace(other.chain.clone(), other.key()).expect("a certificate");
    assert!(running.tls_with(new_client()).await.is_ok());
    assert!(running.certificates.replace(vec![], other.key()).is_err());
    assert!(running.certificates.replace(other.chain.clone(), running.identity.key()).is_err(), "another certificate's key");
}

#[tokio::test]
async fn a_slow_head_is_cut_off() {
    let running = start(|c| c.head_max = Duration::from_millis(300), strict).await;
    let mut stream = running.tls("http/1.1").await;
    stream.write_all(b"GET /a HTTP/1.1\r\nHost: loc").await.expect("sent");
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await.expect("closed in time").ok();
    assert!(rest.is_empty());
}

#[tokio::test]
async fn a_silent_handshake_is_cut_off() {
    let running = start(|c| c.handshake_max = Duration::from_millis(300), strict).await;
    let mut stream = tokio::net::TcpStream::connect(running.address).await.expect("connected");
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await.expect("closed in time").ok();
}

#[tokio::test]
async fn a_panic_costs_one_answer() {
    let running = start(
        |_| {},
        |request: Request<Body>, peer| async move {
            assert!(request.uri().path() != "/panic", "as the test wants it");
            strict(request, peer).await
        },
    )
    .await;
    let got = running.raw(b"GET /panic HTTP/1.1\r\nHost: localhost:7443\r\n\r\n").await;
    insta::assert_snapshot!(got.replace('\r', ""), @r#"
    HTTP/1.1 500 Internal Server Error
    content-type: application/problem+json
    cache-control: no-store
    date: Sun, 13 Sep 2026 12:26:40 GMT
    retry-after: 5
    content-length: 213

    {"type":"https://docs.countersign.dev/p/unavailable","title":"Not available right now","status":500,"code":"unavailable","detail":"This is not available right now. Nothing was lost.","remedies":[],"retry":"later"}
    "#);
    assert!(running.raw(b"GET /a HTTP/1.1\r\nHost: localhost:7443\r\n\r\n").await.contains("taken"));
}

#[tokio::test]
async fn open_requests_finish_and_new_ones_are_turned_away() {
    let (begun, mut began) = mpsc::channel::<()>(1);
    let release = Arc::new(tokio::sync::Notify::new());
    let gate = Arc::clone(&release);
    let running = start(
        |_| {},
        move |_, _| {
            let (begun, gate) = (begun.clone(), Arc::clone(&gate));
            async move {
                begun.send(()).await.expect("the test listens");
                gate.notified().await;
                Response::new(body::full("finished"))
            }
        },
    )
    .await;
    let mut client = running.http1().await;
    let answer = tokio::spawn(client.send_request(Request::get("/").header("host", "a").body(body::empty()).expect("a request")));
    began.recv().await.expect("the request began");
    running.shutdown.cancel();
    let mut refused = false;
    for _ in 0..100 {
        refused = tokio::net::TcpStream::connect(running.address).await.is_err();
        if refused {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert!(refused, "the port is closed");
    release.notify_one();
    assert_eq!(text(answer.await.expect("a task").expect("an answer")).await, "finished");
    running.task.await.expect("a task").expect("an orderly end");
}

#[tokio::test]
async fn what_does_not_finish_is_cut_off() {
    let (begun, mut began) = mpsc::channel::<()>(1);
    let running = start(
        |c| c.drain_max = Duration::from_millis(200),
        move |_, _| {
            let begun = begun.clone();
            async move {
                begun.send(()).await.expect("the test listens");
                std::future::pending().await
            }
        },
    )
    .await;
    let mut client = running.http1().await;
    let answer = tokio::spawn(client.send_request(Request::get("/").header("host", "a").body(body::empty()).expect("a request")));
    began.recv().await.expect("the request began");
    running.shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(5), running.task).await.expect("in time").expect("a task").expect("an end");
    assert!(answer.await.expect("a task").is_err());
}

async fn relay(address: std::net::SocketAddr, adjust: impl FnOnce(&mut UpstreamConfig)) -> listener::Running {
    let mut config = UpstreamConfig::new(Origin::parse(&format!("http://{address}")).expect("an origin"));
    adjust(&mut config);
    let streams = Bounds { bytes_max: 64 * 1024 * 1024, idle_max: Duration::from_secs(2) };
    let pass = Arc::new(PassThrough::new(&public(), Upstream::new(config).expect("an upstream"), streams));
    start(
        |_| {},
        move |request: Request<Body>, peer: Peer| {
            let pass = Arc::clone(&pass);
            async move { pass.forward(request, &peer).await }
        },
    )
    .await
}

/// Each piece of the body must have come back before the next is sent: nothing waits for the whole.
#[tokio::test]
async fn bodies_stream_both_ways() {
    let address = upstream(|request: Request<Incoming>| async move {
        Response::new(body::bounded(request.into_body(), Bounds { bytes_max: u64::MAX, idle_max: Duration::from_secs(9) }))
    })
    .await;
    let running = relay(address, |_| {}).await;
    let piece = Bytes::from(vec![b'a'; 256 * 1024]);
    for version in [1, 2] {
        let (send, receive) = mpsc::channel::<Result<Frame<Bytes>, std::io::Error>>(1);
        let frames = futures_util::stream::unfold(receive, |mut receive| async { receive.recv().await.map(|frame| (frame, receive)) });
        let body = StreamBody::new(Box::pin(frames)).boxed_unsync();
        send.send(Ok(Frame::data(piece.clone()))).await.expect("taken");
        let answer = if version == 1 {
            running.http1().await.send_request(Request::post("/").header("host", "localhost:7443").body(body).expect("a request")).await
        } else {
            running.http2().await.send_request(Request::post("https://localhost:7443/").body(body).expect("a request")).await
        };
        let mut answer = answer.expect("an answer").into_body();
        let (mut sent, mut got) = (piece.len(), 0);
        while sent < 20 * 1024 * 1024 {
            while got < sent {
                got += answer.frame().await.expect("a frame").expect("in order").into_data().expect("data").len();
            }
            send.send(Ok(Frame::data(piece.clone()))).await.expect("taken");
            sent += piece.len();
        }
        drop(send);
        got += answer.collect().await.expect("the rest").to_bytes().len();
        assert_eq!(got, sent, "HTTP/{version}");
    }
}

#[tokio::test]
async fn the_upstream_learns_who_forwards() {
    let address = upstream(|request: Request<Incoming>| async move {
        let mut lines: Vec<_> = request.headers().iter().map(|(n, v)| format!("{n}: {}", v.to_str().expect("text"))).collect();
        lines.sort();
        Response::new(body::full(format!("{} {}\n{}", request.method(), request.uri(), lines.join("\n"))))
    })
    .await;
    let running = relay(address, |_| {}).await;
    let got = running
        .raw(b"GET /a/b?c=%20d HTTP/1.1\r\nHost: localhost:7443\r\nX-Forwarded-For: 6.6.6.6\r\nConnection: close, x-hop\r\nX-Hop: 1\r\nAccept: */*\r\n\r\n")
        .await;
    let got = got.split("\r\n\r\n").nth(1).expect("a body").replace(&address.port().to_string(), "PORT");
    insta::assert_snapshot!(got, @r#"
    GET /a/b?c=%20d
    accept: */*
    forwarded: for=127.0.0.1;host="localhost:7443";proto=https
    host: 127.0.0.1:PORT
    x-forwarded-for: 127.0.0.1
    x-forwarded-host: localhost:7443
    x-forwarded-proto: https
    "#);
}

/// An upstream that answers the first request of each connection and drops the connection at the second.
async fn forgetful(served: Arc<AtomicU32>) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let served = Arc::clone(&served);
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer).await;
                served.fetch_add(1, Ordering::SeqCst);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
                let _ = stream.read(&mut buffer).await;
            });
        }
    });
    address
}

#[tokio::test]
async fn a_request_that_raced_a_close_is_sent_again_only_if_that_is_safe() {
    let rows: &[(&str, &str, u16)] =
        &[("a GET", "GET", 200), ("a DELETE without a body", "DELETE", 200), ("a POST", "POST", 502), ("a PUT with a body", "PUT", 502)];
    for (name, method, expected) in rows {
        let running = relay(forgetful(Arc::default()).await, |_| {}).await;
        let mut client = running.http1().await;
        let request = |method: &str| {
            let body = if method == "PUT" { bytes("abc") } else { bytes("") };
            Request::builder().method(method).uri("/").header("host", "localhost:7443").body(body).expect("a request")
        };
        let first = client.send_request(request("GET")).await.expect("an answer");
        assert_eq!(text(first).await, "ok");
        let second = client.send_request(request(method)).await.expect("an answer");
        assert_eq!(second.status().as_u16(), *expected, "{name}");
    }
}

#[tokio::test]
async fn an_upstream_that_fails_is_an_answer_too() {
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let silent = upstream(|_| std::future::pending()).await;
    for (name, address) in [("down", closed), ("silent", silent)] {
        let running = relay(address, |config| config.head_max = Duration::from_millis(200)).await;
        let got = running.raw(b"GET / HTTP/1.1\r\nHost: localhost:7443\r\n\r\n").await;
        assert!(got.starts_with("HTTP/1.1 502"), "{name}: {got}");
    }
}

#[tokio::test]
async fn an_answer_that_stalls_is_cut_and_never_looks_whole() {
    let address = upstream(|_| async {
        let frames = futures_util::stream::iter([Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(b"half")))]);
        let stalls = futures_util::StreamExt::chain(frames, futures_util::stream::pending());
        Response::new(body::bounded(StreamBody::new(Box::pin(stalls)), Bounds { bytes_max: 100, idle_max: Duration::from_secs(60) }))
    })
    .await;
    let running = relay(address, |_| {}).await;
    let mut client = running.http1().await;
    let answer = client
        .send_request(Request::get("/").header("host", "localhost:7443").body(body::empty()).expect("a request"))
        .await
        .expect("a head");
    assert!(answer.into_body().collect().await.is_err());
}

/// An upstream that reads a head and answers with these bytes, whatever else comes.
async fn says(answer: Vec<u8>) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer).await;
                let _ = stream.write_all(&answer).await;
            });
        }
    });
    address
}

#[tokio::test]
async fn answers_are_repaired_as_a_proxy_must() {
    let many: String = (0..101).map(|n| format!("X-{n}: 1\r\n")).collect();
    let large = format!("X: {}\r\n", "a".repeat(70_000));
    let rows: &[(&str, String, &str, &[&str], &[&str])] = &[
        (
            "both lengths: chunked alone counts",
            "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".into(),
            "HTTP/1.1 200",
            &["hello"],
            &["content-length"],
        ),
        ("a folded line", "X-A: one\r\n two\r\nContent-Length: 2\r\n\r\nok".into(), "HTTP/1.1 200", &["one", "two", "ok"], &["one\r\n"]),
        ("a blank before the colon", "X-A : one\r\nContent-Length: 2\r\n\r\nok".into(), "HTTP/1.1 200", &["x-a: one", "ok"], &[]),
        ("more headers than are passed on", format!("{many}Content-Length: 2\r\n\r\nok"), "HTTP/1.1 502", &[], &["ok"]),
        ("a head that is too large", format!("{large}Content-Length: 2\r\n\r\nok"), "HTTP/1.1 502", &[], &["ok"]),
        ("a body that is too large", "Content-Length: 99999999999\r\n\r\nok".into(), "HTTP/1.1 502", &[], &["ok"]),
    ];
    for (name, rest, status, has, has_not) in rows {
        let running = relay(says(format!("HTTP/1.1 200 OK\r\n{rest}").into_bytes()).await, |_| {}).await;
        let got = running.raw(b"GET / HTTP/1.1\r\nHost: localhost:7443\r\nConnection: close\r\n\r\n").await;
        assert!(got.starts_with(status), "{name}: {got}");
        assert!(has.iter().all(|part| got.contains(part)) && !has_not.iter().any(|part| got.contains(part)), "{name}: {got}");
    }
}

/// An upstream that refuses an upload and closes, before it has read it.
#[tokio::test]
async fn an_answer_before_the_end_of_the_upload_arrives() {
    let refusal = b"HTTP/1.1 413 Payload Too Large\r\nConnection: close\r\nContent-Length: 4\r\n\r\nfull".to_vec();
    for _ in 0..10 {
        let running = relay(says(refusal.clone()).await, |_| {}).await;
        let mut stream = running.tls("http/1.1").await;
        stream.write_all(b"POST / HTTP/1.1\r\nHost: localhost:7443\r\nContent-Length: 4194304\r\n\r\n").await.expect("sent");
        for _ in 0..64 {
            stream.write_all(&[b'x'; 65_536]).await.expect("taken");
        }
        let got = listener::read_all(&mut stream).await;
        assert!(got.starts_with("HTTP/1.1 413") && got.ends_with("full"), "{got}");
    }
}

/// An upstream that closes each connection behind its first answer, without a word.
async fn closes(asked: mpsc::UnboundedSender<String>) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut all = Vec::new();
            let mut part = [0; 4096];
            while !all.ends_with(b"\r\n\r\n") && !all.ends_with(b"abc") {
                match stream.read(&mut part).await {
                    Ok(count @ 1..) => all.extend_from_slice(part.get(..count).unwrap_or_default()),
                    _ => break,
                }
            }
            let _ = asked.send(String::from_utf8_lossy(&all).split(' ').next().unwrap_or_default().to_owned());
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        }
    });
    address
}

#[tokio::test]
async fn what_was_not_sent_over_a_stale_connection_is_sent_over_another() {
    for method in ["PUT", "POST", "GET"] {
        let (asked, mut asks) = mpsc::unbounded_channel();
        let running = relay(closes(asked).await, |_| {}).await;
        let mut client = running.http1().await;
        for turn in 0..20 {
            let body = if method == "GET" { bytes("") } else { bytes("abc") };
            let request = Request::builder().method(method).uri("/").header("host", "localhost:7443").body(body).expect("a request");
            let answer = client.send_request(request).await.expect("an answer");
            assert_eq!(answer.status(), 200, "{method}, {turn}");
            assert_eq!(text(answer).await, "ok");
            assert_eq!(asks.recv().await.as_deref(), Some(method), "and each of them once");
            // The close is here before the next request is.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(asks.try_recv().is_err());
    }
}
