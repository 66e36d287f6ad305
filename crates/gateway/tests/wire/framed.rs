//! Two readers, one reading: whatever the scanner takes, hyper frames in the same way. Pipelines are generated, with and without faults,
//! and given to both.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use countersign_gateway::{Scanner, Wire};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{listener::start, strict};

/// What hyper made of `bytes`: each message that was whole, by method, target and body.
async fn by_hyper(bytes: &[u8]) -> Vec<(String, String, Vec<u8>)> {
    let seen: Arc<Mutex<Vec<_>>> = Arc::default();
    let (mut client, server) = tokio::io::duplex(1 << 20);
    let noted = Arc::clone(&seen);
    let service = service_fn(move |request: Request<Incoming>| {
        let noted = Arc::clone(&noted);
        async move {
            let (head, body) = request.into_parts();
            if let Ok(body) = body.collect().await {
                noted.lock().expect("a lock").push((head.method.to_string(), head.uri.to_string(), body.to_bytes().to_vec()));
            }
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
        }
    });
    let connection = tokio::spawn(async move {
        let _ = http1::Builder::new().half_close(true).serve_connection(TokioIo::new(server), service).await;
    });
    client.write_all(bytes).await.expect("sent");
    client.shutdown().await.expect("the end");
    let drained = async {
        let mut part = [0; 4096];
        while matches!(client.read(&mut part).await, Ok(1..)) {}
    };
    let _ = tokio::time::timeout(Duration::from_secs(2), drained).await;
    connection.abort();
    seen.lock().expect("a lock").clone()
}

/// A message of a pipeline, mostly sound.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let line_end = prop_oneof![30 => Just("\r\n"), 1 => Just("\n"), 1 => Just("\r")];
    let target = prop_oneof![10 => Just("/a"), 2 => Just("/a?b=c"), 1 => Just("/a#b"), 1 => Just("*"), 1 => Just("/a b")];
    let method = prop_oneof![5 => Just("POST"), 5 => Just("GET"), 1 => Just("get"), 1 => Just("P(ST")];
    let header = prop_oneof![
        10 => Just("X: y".to_owned()),
        2 => Just("X:".to_owned()),
        1 => Just("X : y".to_owned()),
        1 => Just(" folded".to_owned()),
        1 => Just("nothing".to_owned()),
        1 => "[!-~][ -~]{0,29}",
        1 => Just("Content-Length: 0".to_owned()),
        1 => Just("Connection: keep-alive".to_owned()),
        1 => Just("Expect: 100-continue".to_owned()),
    ];
    let body = prop_oneof![
        6 => Just((String::new(), Vec::new())),
        6 => proptest::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| (format!("Content-Length: {}", bytes.len()), bytes)),
        2 => (proptest::collection::vec(any::<u8>(), 0..40), "(\\+|0|0{60}| |)(, 3|;|x|)").prop_map(|(bytes, odd)| {
            (format!("Content-Length: {odd}{}", bytes.len()), bytes)
        }),
        6 => proptest::collection::vec((proptest::collection::vec(any::<u8>(), 1..20), prop_oneof![
            12 => Just(""), 1 => Just(";a=b"), 1 => Just(" "), 1 => Just("0")
        ]), 0..4).prop_map(|chunks| {
            let mut bytes = Vec::new();
            for (chunk, odd) in chunks {
                bytes.extend_from_slice(format!("{:x}{odd}\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(&chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\n");
            ("Transfer-Encoding: chunked".to_owned(), bytes)
        }),
        1 => Just(("Transfer-Encoding: gzip, chunked".to_owned(), b"0\r\n\r\n".to_vec())),
        1 => Just(("Content-Length: 3\r\nTransfer-Encoding: chunked".to_owned(), b"0\r\n\r\n".to_vec())),
    ];
    (proptest::collection::vec(header, 0..3), method, target, line_end, body).prop_map(
        |(headers, method, target, line_end, (framing, body))| {
            let mut text = format!("{method} {target} HTTP/1.1\r\nHost: a{line_end}");
            for header in headers {
                text.push_str(&format!("{header}\r\n"));
            }
            if !framing.is_empty() {
                text.push_str(&format!("{framing}\r\n"));
            }
            let mut bytes = text.into_bytes();
            bytes.extend_from_slice(b"\r\n");
            bytes.extend_from_slice(&body);
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_the_scanner_takes_hyper_frames_identically(messages in proptest::collection::vec(message(), 1..5), cut in 0_usize..10) {
        let bytes = messages.concat();
        let bytes = &bytes[..bytes.len().saturating_sub(cut)];
        let mut scanner = Scanner::default();
        if scanner.scan(bytes) == Wire::Clear {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let seen = runtime.block_on(by_hyper(bytes));
            // The same number of whole messages; where the connection goes on, both stand at the same byte.
            prop_assert_eq!(seen.len() as u64, scanner.count(), "{:?}", String::from_utf8_lossy(bytes));
            // And the same bodies: each message alone says what it says in the pipeline.
            if cut == 0 {
                for (message, in_pipeline) in messages.iter().zip(&seen) {
                    let alone = runtime.block_on(by_hyper(message));
                    prop_assert_eq!(alone.first(), Some(in_pipeline));
                }
            }
        }
    }
}

/// Faults in the framing of a body are found while it is read: nothing behind them is believed, and the connection ends.
#[tokio::test]
async fn what_is_smuggled_behind_a_body_is_not_served() {
    let running = start(|_| {}, strict).await;
    let host = "Host: localhost:7443\r\n";
    let zeros = "0".repeat(60);
    let second = format!("GET /second HTTP/1.1\r\n{host}\r\n");
    let rows = [
        ("sixty zeros and a number", format!("POST /a HTTP/1.1\r\n{host}Content-Length: {zeros}3\r\n\r\nabc{second}")),
        (
            "a long line, and a second length",
            format!("POST /a HTTP/1.1\r\n{host}X: {}\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc{second}", "a".repeat(9000)),
        ),
        ("a chunk extension", format!("POST /a HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\n3;a\r\nabc\r\n0\r\n\r\n{second}")),
        (
            "a blank behind a chunk's size",
            format!("POST /a HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n0\r\n\r\n{second}"),
        ),
        (
            "a bare line feed behind a chunk",
            format!("POST /a HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\n0\r\n\r\n{second}"),
        ),
        (
            "a length behind the body",
            format!("POST /a HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 30\r\n\r\n{second}"),
        ),
        ("a fragment", format!("GET /a#b HTTP/1.1\r\n{host}\r\n{second}")),
        ("a tunnel that is refused", format!("GET /a HTTP/1.1\r\n{host}Connection: upgrade\r\nUpgrade: h2c\r\n\r\n{second}")),
    ];
    for (name, sent) in rows {
        let got = running.raw(sent.as_bytes()).await;
        assert!(got.matches("HTTP/1.1 ").count() <= 1, "{name}: {got}");
        assert!(!got.starts_with("HTTP/1.1 200"), "{name}: {got}");
    }
    // A sound chunked upload leaves its connection to the next request.
    let sound = format!("POST /a HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n{second}");
    let running = start(
        |_| {},
        |request: Request<countersign_gateway::body::Body>, peer| async move {
            let (head, body) = request.into_parts();
            let _ = countersign_gateway::body::collect(body, 100).await;
            strict(Request::from_parts(head, countersign_gateway::body::empty()), peer).await
        },
    )
    .await;
    let got = running.raw(sound.as_bytes()).await;
    assert_eq!(got.matches("taken").count(), 2, "{got}");
}

#[tokio::test]
async fn http2_is_asked_for_in_https() {
    let running = start(|_| {}, strict).await;
    let mut client = running.http2().await;
    for (url, expected) in [("https://localhost:7443/a", "taken"), ("http://localhost:7443/a", "SchemeForeign")] {
        let request = Request::get(url).body(countersign_gateway::body::empty()).expect("a request");
        let got = client.send_request(request).await.expect("an answer");
        assert_eq!(crate::listener::text(got).await, expected, "{url}");
    }
}
