//! Calls of gRPC over real sockets, from an HTTP/2 client to an HTTP/2 upstream, neither of which is ours.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use countersign_core::{Outcome, Reason, SessionState};
use countersign_gateway::{
    Certificates, HeldConfig, ListenConfig, Protocol, Transport,
    body::{self, Body, BodyError},
    listen, serve,
};
use http::{HeaderMap, Request, Response, Uri};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::{body::Incoming, client::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;

use crate::{
    fixture::{Attack, Fixture, NOW, World},
    held::{SOON, cuts},
    rules,
};

/// Where we are, and by which certificate we are known.
pub struct Front {
    pub address: SocketAddr,
    pub chain: Vec<CertificateDer<'static>>,
    pem: String,
}

/// The gateway in front of `fixture`, over TLS, as phones meet it.
pub async fn front(fixture: &Fixture) -> Front {
    let made = rcgen::generate_simple_self_signed(vec!["api.example.com".to_owned()]).expect("a certificate");
    let (chain, key) = (vec![made.cert.der().clone()], PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key"));
    let certificates = Certificates::new(chain.clone(), key).expect("a certificate");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let gateway = Arc::clone(&fixture.gateway);
    let handler = move |request, peer| {
        let gateway = Arc::clone(&gateway);
        async move { serve(&gateway, request, peer).await }
    };
    let (config, clock) = (ListenConfig::new(Transport::Tls(Arc::new(certificates))), Arc::clone(&fixture.world));
    tokio::spawn(listen(listener, config, clock, CancellationToken::new(), handler));
    Front { address, chain, pem: made.cert.pem() }
}

impl Front {
    /// The certificate in a file, for programs.
    pub fn certificate(&self) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), &self.pem).expect("written");
        file
    }

    pub async fn tls(&self) -> TlsStream<TcpStream> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.chain.first().expect("a certificate").clone()).expect("a root");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = TcpStream::connect(self.address).await.expect("connected");
        let name = ServerName::try_from("api.example.com").expect("a name");
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("a handshake")
    }

    pub async fn client(&self) -> http2::SendRequest<Body> {
        let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(self.tls().await)).await;
        let (client, connection) = handshake.expect("a connection");
        tokio::spawn(connection);
        client
    }
}

/// Over HTTP/2 the host stands in the URL.
pub fn over_http2(head: &mut http::request::Parts) {
    head.headers.remove("host");
    let path = head.uri.path_and_query().expect("a path").clone();
    head.uri = Uri::builder().scheme("https").authority("api.example.com").path_and_query(path).build().expect("a URL");
    head.version = http::Version::HTTP_2;
}

type Seen = Arc<Mutex<Vec<String>>>;
type Chunks = mpsc::UnboundedSender<Result<Frame<Bytes>, BodyError>>;

fn message(text: &str) -> Bytes {
    let length = u32::try_from(text.len()).expect("a short one").to_be_bytes();
    [&[0], length.as_slice(), text.as_bytes()].concat().into()
}

fn frames(come: mpsc::UnboundedReceiver<Result<Frame<Bytes>, BodyError>>) -> Body {
    let frames = futures_util::stream::unfold(come, async |mut come| Some((come.recv().await?, come)));
    StreamBody::new(frames).boxed_unsync()
}

fn trailers(pairs: &[(&'static str, &'static str)]) -> Frame<Bytes> {
    Frame::trailers(pairs.iter().map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value"))).collect())
}

/// What the upstream answers, by the last part of the path.
async fn answers(seen: Seen, request: Request<Incoming>) -> Response<Body> {
    let (head, mut body) = request.into_parts();
    let note = |text: String| seen.lock().expect("a lock").push(text);
    for name in ["te", "host", "authorization", "dpop", "countersign-user", "x-meta"] {
        note(format!("{name}: {}", head.headers.get(name).map_or("-", |value| value.to_str().expect("text"))));
    }
    note(format!("{:?}", head.version));
    let call = head.uri.path().rsplit('/').next().expect("a part").to_owned();
    let (say, come) = mpsc::unbounded_channel();
    let answer = Response::builder().header("content-type", "application/grpc").header("x-head", "h");
    match call.as_str() {
        "Quiet" => std::future::pending().await,
        "Page" => return Response::builder().header("content-type", "text/html").body(body::full("<p>")).expect("an answer"),
        "Refuse" => return answer.header("grpc-status", "5").body(body::empty()).expect("an answer"),
        _ => {}
    }
    tokio::spawn(async move {
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return seen.lock().expect("a lock").push("reset".to_owned()) };
            match frame.into_data() {
                Ok(data) if call == "Half" => drop(say.send(Ok(Frame::data(data.slice(..data.len() - 1))))),
                Ok(data) => drop(say.send(Ok(Frame::data(data)))),
                Err(_) => seen.lock().expect("a lock").push("trailers".to_owned()),
            }
        }
        seen.lock().expect("a lock").push("end".to_owned());
        let last = trailers(&[("grpc-status", "0"), ("x-last", "l"), ("countersign-reason", "forged")]);
        let _ = say.send(Ok(last));
    });
    answer.body(frames(come)).expect("an answer")
}

async fn upstream2(seen: Seen) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let seen = Arc::clone(&seen);
            let service = service_fn(move |request| {
                let answer = answers(Arc::clone(&seen), request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

struct Bench {
    fixture: Fixture,
    client: http2::SendRequest<Body>,
    seen: Seen,
}

async fn bench() -> Bench {
    bench_with(Duration::from_millis(300)).await
}

async fn bench_with(head_max: Duration) -> Bench {
    let (seen, protocol) = (Seen::default(), (Protocol::Http2, head_max));
    let fixture = Fixture::with_head_max(World::usual(), upstream2(Arc::clone(&seen)).await, HeldConfig::USUAL, protocol).await;
    let client = front(&fixture).await.client().await;
    Bench { fixture, client, seen }
}

/// A call, and what the client says meanwhile.
struct Call {
    say: Option<Chunks>,
    answer: Response<Incoming>,
}

impl Bench {
    fn request(&self, path: &str, attack: Attack<'_>, body: Body) -> Request<Body> {
        let (mut head, _) = self.fixture.request_with("POST", path, "", attack).into_parts();
        over_http2(&mut head);
        for (name, value) in [("content-type", "application/grpc+proto"), ("te", "trailers"), ("x-meta", "m")] {
            head.headers.insert(name, value.parse().expect("a value"));
        }
        Request::from_parts(head, body)
    }

    async fn call(&mut self, path: &str) -> Call {
        let (say, come) = mpsc::unbounded_channel();
        let request = self.request(path, Attack::default(), frames(come));
        let answer = timeout(SOON, self.client.send_request(request)).await.expect("in time").expect("an answer");
        Call { say: Some(say), answer }
    }

    fn saw(&self, what: &str) -> bool {
        self.seen.lock().expect("a lock").iter().any(|line| line == what)
    }
}

impl Call {
    fn say(&self, bytes: impl Into<Bytes>) {
        self.say.as_ref().expect("not ended").send(Ok(Frame::data(bytes.into()))).expect("somebody listens");
    }

    async fn hear(&mut self) -> Bytes {
        let frame = timeout(SOON, self.answer.body_mut().frame()).await.expect("in time").expect("a frame").expect("sound");
        frame.into_data().expect("data")
    }

    async fn end(&mut self) -> HeaderMap {
        let frame = timeout(SOON, self.answer.body_mut().frame()).await.expect("in time").expect("a frame").expect("sound");
        frame.into_trailers().expect("trailers")
    }
}

fn read<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("-", |value| value.to_str().expect("text"))
}

#[tokio::test]
async fn a_unary_call_passes_with_its_trailers() {
    let mut bench = bench().await;
    let mut call = bench.call("/bank.v1.Unary/Get").await;
    assert_eq!((call.answer.status().as_u16(), read(call.answer.headers(), "x-head")), (200, "h"));
    call.say(message("hello"));
    assert_eq!(call.hear().await, message("hello"));
    call.say.as_ref().expect("not ended").send(Ok(trailers(&[("countersign-user", "p_forged")]))).expect("somebody listens");
    call.say = None;
    let end = call.end().await;
    assert_eq!((read(&end, "grpc-status"), read(&end, "x-last"), read(&end, "countersign-reason")), ("0", "l", "-"));
    let seen = bench.seen.lock().expect("a lock").clone();
    let expected = ["te: trailers", "host: -", "authorization: -", "dpop: -", "countersign-user: p_alice", "x-meta: m", "HTTP/2.0", "end"];
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_call_goes_on_both_ways_until_it_ends() {
    let mut bench = bench().await;
    let mut call = bench.call("/bank.v1.Calls/Talk").await;
    for text in ["one", "two"] {
        let bytes = message(text);
        call.say(bytes.slice(..3));
        call.say(bytes.slice(3..));
        assert_eq!(call.hear().await, bytes);
    }
    call.say = None;
    assert_eq!(read(&call.end().await, "grpc-status"), "0");
    assert_eq!(cuts(&bench.fixture), []);
    timeout(SOON, bench.fixture.gateway.end_open_connections()).await.expect("nothing is open");
}

#[tokio::test]
async fn what_changes_the_answer_cuts_the_call() {
    type Change = fn(&Fixture);
    let rows: &[(&str, Change, &str, &str, Reason)] = &[
        ("revoked", |f| f.set_session(|s| s.state = SessionState::Revoked), "16", "revoked", Reason::SessionRevoked),
        (
            "other rules",
            |f| {
                let operations = countersign_policy::Operations::new(&[]).expect("sound");
                f.gateway.replace_rules(countersign_gateway::Rules { operations, ..rules::rules() });
            },
            "7",
            "policy",
            Reason::UnknownOperation,
        ),
    ];
    for (name, change, status, code, reason) in rows {
        let mut bench = bench().await;
        let mut call = bench.call("/bank.v1.Calls/Talk").await;
        call.say(message("one"));
        assert_eq!(call.hear().await, message("one"));
        change(&bench.fixture);
        let end = call.end().await;
        assert_eq!((read(&end, "grpc-status"), read(&end, "grpc-message")), (*status, *code), "{name}");
        assert_eq!(read(&end, "countersign-reason"), *code, "{name}");
        assert!(read(&end, "countersign-decision").starts_with("D-"), "{name}");
        assert_eq!(cuts(&bench.fixture), [(Outcome::Deny, vec![reason.clone()])], "{name}");
        let reset = async {
            while !bench.saw("reset") {
                tokio::task::yield_now().await
            }
        };
        timeout(SOON, reset).await.expect("the upstream hears of it");
    }
}

#[tokio::test]
async fn a_call_is_cut_before_the_upstream_said_anything() {
    let bench = bench().await;
    let (_say, come) = mpsc::unbounded_channel();
    let request = bench.request("/bank.v1.Calls/Quiet", Attack::default(), frames(come));
    let mut client = bench.client.clone();
    let answer = tokio::spawn(async move { client.send_request(request).await });
    let asked = async {
        while !bench.saw("HTTP/2.0") {
            tokio::task::yield_now().await
        }
    };
    timeout(SOON, asked).await.expect("asked");
    bench.fixture.set_session(|s| s.state = SessionState::Revoked);
    let answer = timeout(SOON, answer).await.expect("in time").expect("no panic").expect("an answer");
    assert_eq!((read(answer.headers(), "grpc-status"), read(answer.headers(), "grpc-message")), ("16", "revoked"));
    assert_eq!(cuts(&bench.fixture), [(Outcome::Deny, vec![Reason::SessionRevoked])]);
}

#[tokio::test]
async fn what_has_no_messages_is_reset_on_both_sides() {
    let mut bench = bench().await;
    let mut call = bench.call("/bank.v1.Raw/Talk").await;
    call.say("half a mess");
    assert_eq!(call.hear().await, "half a mess");
    bench.fixture.set_session(|s| s.state = SessionState::Revoked);
    let last = timeout(SOON, call.answer.body_mut().frame()).await.expect("in time");
    assert!(last.expect("not the end").is_err(), "visibly not whole");
    let reset = async {
        while !bench.saw("reset") {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, reset).await.expect("the upstream hears of it");
}

/// HTTP/2 sends a body beside its request, and tells of both as of one reset.
#[tokio::test]
async fn a_body_that_is_too_large_is_told_from_an_upstream_that_is_gone() {
    let bench = bench().await;
    let (say, come) = mpsc::unbounded_channel();
    let request = bench.request("/bank.v1.Unary/Quiet", Attack::default(), frames(come));
    for _ in 0..5 {
        say.send(Ok(Frame::data(Bytes::from(vec![0; 1024])))).expect("somebody listens");
    }
    let answer = timeout(SOON, bench.client.clone().send_request(request)).await.expect("in time").expect("an answer");
    assert_eq!((read(answer.headers(), "grpc-status"), read(answer.headers(), "grpc-message")), ("3", "request_invalid"));
}

#[tokio::test]
async fn messages_have_a_size_and_a_pace() {
    let rows: &[(&str, Vec<Bytes>, &str, Reason)] = &[
        ("too large", vec![message(&"x".repeat(1025))], "8", Reason::MessageTooLarge),
        ("no message", vec![Bytes::from_static(&[7])], "3", Reason::MessageInvalid),
        ("too many", vec![message("x"); 6], "8", Reason::MessagesTooMany),
    ];
    for (name, said, status, reason) in rows {
        let mut bench = bench().await;
        let mut call = bench.call("/bank.v1.Calls/Talk").await;
        said.iter().for_each(|bytes| call.say(bytes.clone()));
        let end = loop {
            let frame = timeout(SOON, call.answer.body_mut().frame()).await.expect("in time").expect("a frame").expect("sound");
            if let Ok(end) = frame.into_trailers() {
                break end;
            }
        };
        assert_eq!(read(&end, "grpc-status"), *status, "{name}");
        assert_eq!(cuts(&bench.fixture), [(Outcome::Deny, vec![reason.clone()])], "{name}");
    }
}

#[tokio::test]
async fn an_upstream_that_breaks_the_rules_is_unavailable() {
    let mut bench = bench().await;
    let mut call = bench.call("/bank.v1.Calls/Half").await;
    call.say(message("one"));
    call.say = None;
    assert_eq!(read(&call.end().await, "grpc-status"), "14");
    let page = bench.call("/bank.v1.Calls/Page").await;
    assert_eq!(read(page.answer.headers(), "grpc-status"), "14");
    let refused = bench.call("/bank.v1.Calls/Refuse").await;
    assert_eq!((read(refused.answer.headers(), "grpc-status"), read(refused.answer.headers(), "countersign-reason")), ("5", "-"));
}

#[tokio::test]
async fn a_refusal_is_a_status() {
    let bench = bench().await;
    let old = Attack { proof_time: Some(NOW - 3600), ..Attack::default() };
    let rows = [
        (
            "another path's proof",
            "/bank.v1.Calls/Talk",
            Attack { proof_path: Some("/v1/card"), ..Attack::default() },
            "16",
            "proof_invalid",
        ),
        ("a clock that is far off", "/bank.v1.Calls/Talk", old, "16", "clock_far"),
        ("an unknown operation", "/bank.v1.Nothing/Get", Attack::default(), "7", "policy"),
    ];
    for (name, path, attack, status, code) in rows {
        let request = bench.request(path, attack, body::full(message("x")));
        let answer = bench.client.clone().send_request(request).await.expect("an answer");
        let headers = answer.headers();
        assert_eq!((answer.status().as_u16(), read(headers, "grpc-status"), read(headers, "grpc-message")), (200, status, code), "{name}");
        assert_eq!(read(headers, "content-type"), "application/grpc", "{name}");
        assert!(code != "clock_far" || headers.contains_key("dpop-nonce"), "{name}");
        assert!(http_body::Body::is_end_stream(answer.body()), "{name}: a head and nothing else");
    }
    let mut request = bench.request("/bank.v1.Calls/Talk", Attack::default(), body::full("{}"));
    request.headers_mut().insert("content-type", "application/json".parse().expect("a type"));
    let answer = bench.client.clone().send_request(request).await.expect("an answer");
    assert_eq!(answer.status(), 400, "a declared call is nothing else");
}

#[tokio::test]
async fn more_calls_than_a_connection_has_seats() {
    // Calls that wait for a seat wait for those before them, which takes a while on a machine with much to do.
    let bench = bench_with(SOON * 5).await;
    let gets = (0..150).map(|_| {
        let request = bench.request("/bank.v1.Unary/Get", Attack::default(), body::full(message("x")));
        let mut client = bench.client.clone();
        async move {
            let answer = client.send_request(request).await.expect("an answer");
            let whole = answer.into_body().collect().await.expect("whole");
            read(whole.trailers().expect("trailers"), "grpc-status").to_owned()
        }
    });
    let all = timeout(SOON * 5, futures_util::future::join_all(gets)).await.expect("in time");
    assert!(all.iter().all(|status| status == "0"), "{all:?}");
}
