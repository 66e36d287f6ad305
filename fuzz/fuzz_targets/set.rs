//! A security event of somebody else: as it arrives, its claims as if their signature had verified, and what stands in it.
#![no_main]
use countersign_core::UnixSeconds;
use countersign_monitor::ssf::{Event, PollAsk, Simple, SubjectId};
use countersign_proof::set::{self, ExpectedSet, SetKeys};
use libfuzzer_sys::fuzz_target;

/// A modulus of 2048 ones: nobody has its private key.
const JWKS: &str = r#"{"keys":[{"kty":"RSA","kid":"1","alg":"RS256","use":"sig","e":"AQAB","n":"_____________________________________________________________________________________________________________________________________________________________________________________________________________________________________________________________________________________________________________________________________________________w"}]}"#;
const EXPECTED: ExpectedSet<'_> = ExpectedSet { issuer: "https://idp.example.com/", audience: "https://api.example.com" };
const NOW: UnixSeconds = UnixSeconds(1_793_491_200);

fuzz_target!(|bytes: &[u8]| {
    if let Ok(set) = set::claims(bytes, &EXPECTED, NOW) {
        assert!(!set.id.is_empty() && set.issued_at.0 <= NOW.0 + 300);
        assert!(set.event.starts_with('{') && set.subject.starts_with('{'));
        if let Ok((event, _)) = Event::parse(&set.event_type, &set.event) {
            let _ = event.signal();
        }
        let _ = SubjectId::parse(&set.subject);
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = SetKeys::from_jwks(text);
    let keys = SetKeys::from_jwks(JWKS).expect("keys");
    assert!(set::read(text, &keys, &EXPECTED, NOW).is_err(), "nobody has the key");
    // What is one name alone is the same as a subject.
    if let Ok(simple) = Simple::parse(text) {
        assert_eq!(SubjectId::parse(text), Ok(SubjectId::Simple(simple)));
    }
    if let Ok(ask) = PollAsk::parse(text) {
        assert!(ask.refused <= ask.settled.len());
    }
});
