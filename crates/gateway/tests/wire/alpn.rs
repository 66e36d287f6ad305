//! Which HTTP an upstream is spoken to in.

use std::{convert::Infallible, sync::Arc, time::Duration};

use countersign_gateway::{
    Origin, PassThrough, Peer, Protocol, Upstream, UpstreamConfig, UpstreamError,
    body::{self, Bounds},
};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::{listener::Identity, public};

/// An upstream that tells which HTTP it was spoken to in, and by which host. It takes these protocols in the handshake.
async fn telling(identity: &Identity, protocols: Option<&[&str]>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let acceptor = protocols.map(|protocols| {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
        let mut config = builder.with_no_client_auth().with_single_cert(identity.chain.clone(), identity.key()).expect("a certificate");
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    });
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let service = service_fn(async |request: Request<Incoming>| {
                    let host = request.headers().get("host").map_or("no host", |_| "a host");
                    Ok::<_, Infallible>(Response::new(body::full(format!("{:?}, {host}, {}", request.version(), request.uri().path()))))
                });
                let server = auto::Builder::new(TokioExecutor::new());
                match acceptor {
                    None => drop(server.serve_connection(TokioIo::new(stream), service).await),
                    Some(acceptor) => {
                        let Ok(stream) = acceptor.accept(stream).await else { return };
                        drop(server.serve_connection(TokioIo::new(stream), service).await);
                    }
                }
            });
        }
    });
    port
}

fn config(identity: &Identity, url: &str, protocol: Protocol) -> UpstreamConfig {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in &identity.chain {
        roots.add(certificate.clone()).expect("a root");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let mut config = UpstreamConfig::new(Origin::parse(url).expect("an origin"));
    config.trust = Some(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()));
    config.protocol = protocol;
    config
}

#[tokio::test]
async fn an_upstream_is_spoken_to_as_it_is_said() {
    const BOTH: Option<&[&str]> = Some(&["h2", "http/1.1"]);
    let identity = Identity::new();
    let rows: &[(&str, Option<&[&str]>, Protocol, &str)] = &[
        ("in plain", None, Protocol::Http1, "HTTP/1.1, a host, /a"),
        ("in plain, with prior knowledge", None, Protocol::Http2, "HTTP/2.0, no host, /a"),
        ("through TLS", BOTH, Protocol::Http1, "HTTP/1.1, a host, /a"),
        ("by ALPN", BOTH, Protocol::Http2, "HTTP/2.0, no host, /a"),
        ("negotiated", BOTH, Protocol::Negotiated, "HTTP/2.0, a host, /a"),
        ("negotiated with one that has no HTTP/2", Some(&["http/1.1"]), Protocol::Negotiated, "HTTP/1.1, a host, /a"),
        ("negotiated with one that negotiates nothing", Some(&[]), Protocol::Negotiated, "HTTP/1.1, a host, /a"),
        ("HTTP/2 with one that has none", Some(&["http/1.1"]), Protocol::Http2, "502"),
        ("HTTP/2 with one that negotiates nothing", Some(&[]), Protocol::Http2, "502"),
    ];
    for (name, protocols, protocol, expected) in rows {
        let port = telling(&identity, *protocols).await;
        let scheme = if protocols.is_some() { "https" } else { "http" };
        let upstream = Upstream::new(config(&identity, &format!("{scheme}://localhost:{port}"), *protocol)).expect("an upstream");
        let relay = PassThrough::new(&public(), upstream, Bounds { bytes_max: 1000, idle_max: Duration::from_secs(5) });
        // The second time over a connection that is there.
        for time in 1..=2 {
            let request = Request::get("/a").header("host", "localhost:7443").body(Full::<bytes::Bytes>::default()).expect("a request");
            let answer = relay.forward(request, &Peer::new("192.0.2.7:4711".parse().expect("an address"))).await;
            let status = answer.status();
            let body = answer.into_body().collect().await.expect("whole").to_bytes();
            let got = if status.is_success() { String::from_utf8_lossy(&body).into_owned() } else { status.as_u16().to_string() };
            assert_eq!(got, *expected, "{name}, time {time}");
        }
    }
}

#[test]
fn nothing_is_negotiated_in_plain() {
    let config = config(&Identity::new(), "http://localhost:1", Protocol::Negotiated);
    assert_eq!(Upstream::new(config).map(drop), Err(UpstreamError::NothingNegotiates));
}
