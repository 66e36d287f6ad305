//! Proxies of the operator's before the listener: who is believed, and who is not.

use std::net::{Ipv4Addr, SocketAddr};

use countersign_gateway::{ForwardedBy, ListenConfig, Network, Peer, Proxies, Wire, body, body::Body};
use http::{Request, Response};
use rustls_pki_types::ServerName;
use tokio::{io::AsyncWriteExt, net::TcpSocket};

use crate::listener::{Running, read_all, start};

async fn who(_: Request<Body>, peer: Peer) -> Response<Body> {
    let told = if peer.wire() == Wire::Clear { peer.address.to_string() } else { "unreadable".to_owned() };
    Response::new(body::full(told))
}

fn ours(config: &mut ListenConfig, forwarded_by: ForwardedBy) {
    config.proxies = Proxies { networks: vec![Network::parse("127.7.0.0/16").expect("a network")], forwarded_by };
}

/// Connects from `127.7.0.1`, a proxy, or `127.8.0.1`, a stranger; says `before` in plain, and asks within TLS.
async fn asks(running: &Running, net: u8, before: &[u8], headers: &str) -> String {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, net, 0, 1), 0))).expect("an address");
    let mut stream = socket.connect(running.address).await.expect("connected");
    stream.write_all(before).await.expect("sent");
    let connector = running.identity.connector("http/1.1", &[&rustls::version::TLS13]);
    let Ok(mut stream) = connector.connect(ServerName::try_from("localhost").expect("a name"), stream).await else {
        return "no handshake".to_owned();
    };
    let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{headers}Connection: close\r\n\r\n");
    let _ = stream.write_all(request.as_bytes()).await;
    read_all(&mut stream).await
}

/// A header of the PROXY protocol for `198.51.100.7:4711`.
fn header(version_and_command: u8) -> Vec<u8> {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    bytes.extend([version_and_command, 0x11, 0, 12, 198, 51, 100, 7, 10, 0, 0, 1, 0x12, 0x67, 0x01, 0xbb]);
    bytes
}

#[tokio::test]
async fn a_proxy_names_the_client_and_a_stranger_does_not() {
    let running = start(|c| ours(c, ForwardedBy::XForwardedFor), who).await;
    let forwarded = "X-Forwarded-For: 203.0.113.9, 198.51.100.8\r\n";
    let rows: &[(&str, u8, Vec<u8>, &str, &str)] = &[
        ("a proxy that says nothing", 7, vec![], "", "127.7.0.1:"),
        ("a proxy with a header before TLS", 7, header(0x21), "", "198.51.100.7:4711"),
        ("a proxy that looks whether we are there", 7, header(0x20), "", "127.7.0.1:"),
        ("a proxy with a header in HTTP", 7, vec![], forwarded, "198.51.100.8:0"),
        ("the client's own header behind one before TLS", 7, header(0x21), forwarded, "198.51.100.7:4711"),
        ("a proxy that writes nonsense", 7, vec![], "X-Forwarded-For: nonsense\r\n", "unreadable"),
        ("a proxy with the text of version 1", 7, b"PROXY TCP4 198.51.100.7 10.0.0.1 1 2\r\n".to_vec(), "", "no handshake"),
        ("a proxy with another command", 7, header(0x2f), "", "no handshake"),
        ("a stranger with a header before TLS", 8, header(0x21), "", "no handshake"),
        ("a stranger with a header in HTTP", 8, vec![], forwarded, "127.8.0.1:"),
    ];
    for (name, net, before, headers, expected) in rows {
        let got = asks(&running, *net, before, headers).await;
        let told = got.split("\r\n\r\n").nth(1).unwrap_or(&got);
        assert!(told.starts_with(expected), "{name}: {got}");
    }
    let none = start(|_| {}, who).await;
    assert_eq!(asks(&none, 7, &header(0x21), "").await, "no handshake", "without proxies nobody is believed");
}
