//! A request head, written as on the wire: its framing, the one normal path, and the credentials.
#![no_main]
use countersign_gateway::{Origin, Peer, PublicHost, Scanner, Wire, normal_path, parse_request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    assert_eq!(framing(bytes, 7), framing(bytes, bytes.len().max(1)), "how bytes are cut decides nothing");
    let mut lines = bytes.split(|byte| *byte == b'\n').map(|line| line.trim_ascii_end());
    let mut words = lines.next().unwrap_or_default().splitn(3, |byte| *byte == b' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if let Ok(normal) = std::str::from_utf8(target).map_err(drop).and_then(|target| normal_path(target).map_err(drop)) {
        assert!(!normal.contains("//") && !normal.split('/').any(|segment| matches!(segment, "." | "..")), "{normal}");
    }
    let mut request = http::Request::builder().method(method).uri(target);
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_at(line.iter().position(|byte| *byte == b':').unwrap_or(line.len()));
        request = request.header(name, value.get(1..).unwrap_or_default().trim_ascii());
    }
    let (Ok(request), Ok(origin)) = (request.body(()), Origin::parse("https://api.example.com")) else { return };
    let (head, ()) = request.into_parts();
    let peer = Peer::new(std::net::SocketAddr::from(([127, 0, 0, 1], 1)));
    if let Ok(received) = parse_request(&head, &peer, &PublicHost::of(&origin)) {
        assert_eq!(normal_path(received.path()), Ok(received.path()));
        let credentials = received.credentials();
        let _ = (credentials.token(), credentials.proof());
    }
});

/// What a connection's bytes are when they come in pieces of `size`, and how many messages are whole.
fn framing(bytes: &[u8], size: usize) -> (Wire, u64) {
    let mut scanner = Scanner::default();
    let verdict = bytes.chunks(size).map(|part| scanner.scan(part)).find(|wire| *wire != Wire::Clear).unwrap_or(Wire::Clear);
    (verdict, scanner.count())
}
