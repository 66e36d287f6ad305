//! A request head: the bytes on the wire, the one normal path, and the credentials.
#![no_main]
use countersign_gateway::{Origin, Peer, PublicHost, Scanner, normal_path, parse_request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&[u8], &str, Vec<(String, Vec<u8>)>)| {
    let (wire, target, headers) = input;
    let mut scanner = Scanner::default();
    for part in wire.chunks(7) {
        let _ = scanner.scan(part);
    }
    if let Ok(normal) = normal_path(target) {
        assert!(!normal.contains("//") && !normal.contains("/../"), "{normal}");
    }
    let Ok(origin) = Origin::parse("https://api.example.com") else { return };
    let mut request = http::Request::builder().method("GET").uri(target).header("host", "api.example.com");
    for (name, value) in &headers {
        request = request.header(name, value.as_slice());
    }
    let Ok(request) = request.body(()) else { return };
    let (head, ()) = request.into_parts();
    let peer = Peer::new(std::net::SocketAddr::from(([127, 0, 0, 1], 1)));
    if let Ok(received) = parse_request(&head, &peer, &PublicHost::of(&origin)) {
        let _ = (received.token(), received.proof());
    }
});
