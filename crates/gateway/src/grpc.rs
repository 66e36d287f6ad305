//! gRPC over HTTP/2 (the gRPC project's `PROTOCOL-HTTP2.md`), as far as somebody between client and server must know it. Pure.
//!
//! What stands inside of messages is not read. An error is a status in the trailers, and where nothing was said before, in a head
//! that is all there is ("Trailers-Only"). A status of ours is told from the upstream's by `countersign-reason`, which no upstream
//! can say.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use countersign_access::problem::{DECISION, REASON};
use countersign_core::{DecisionId, PublicReason, Reason};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

use crate::{
    answer,
    body::{self, Body, Bounds},
    refusal::Refusal,
};

static STATUS: HeaderName = HeaderName::from_static("grpc-status");
static MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// Bounds on each direction of a call. It ends with its token, long before this; until then either side may be silent: HTTP/2
/// itself asks whether it is there.
pub(crate) const CALL_BOUNDS: Bounds = Bounds { bytes_max: u64::MAX, idle_max: Duration::from_secs(3600) };

/// Whether a message is one of gRPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// gRPC over HTTP/2: `application/grpc`, or that and a `+`.
    Grpc,
    /// Of that family, and framed in another way: gRPC-Web.
    Like,
    /// Anything else.
    Other,
}

impl Kind {
    /// By `Content-Type`.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut types = headers.get_all(header::CONTENT_TYPE).iter();
        let (Some(value), None) = (types.next(), types.next()) else { return Self::Other };
        let essence = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
        match essence.strip_prefix(b"application/grpc".as_slice()) {
            Some([] | [b'+', ..]) => Self::Grpc,
            Some([b'-', ..]) => Self::Like,
            Some(_) | None => Self::Other,
        }
    }
}

/// The status code of a refusal (`statuscodes.md`): by the status that a request would have got. What gRPC has a code for keeps it.
fn status(reason: &Reason, told: PublicReason) -> u8 {
    match (reason, told.status()) {
        (Reason::MessageTooLarge, _) | (_, 429) => 8,
        (_, 400) => 3,
        (_, 401) => 16,
        (_, 403) => 7,
        (_, 409) => 9,
        (_, _) => 14,
    }
}

/// The end of a call that is refused: status, and the class as `code` in a problem; both as the SDK reads them.
pub(crate) fn trailers(refusal: &Refusal, id: &DecisionId) -> HeaderMap {
    let told = answer::class(refusal);
    let mut trailers = HeaderMap::with_capacity(4);
    trailers.insert(STATUS.clone(), HeaderValue::from(u16::from(status(refusal.reason(), told))));
    for (name, text) in [(&MESSAGE, told.code()), (&REASON, told.code()), (&DECISION, id.as_str())] {
        if let Ok(value) = HeaderValue::from_str(text) {
            trailers.insert(name.clone(), value);
        }
    }
    trailers
}

/// Makes the answer to a refused request one to a call. Challenge, nonce and the time to come again stay: they are metadata.
pub(crate) fn refused(answer: Response<Body>, refusal: &Refusal, id: &DecisionId) -> Response<Body> {
    let (mut head, _) = answer.into_parts();
    head.status = StatusCode::OK;
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    head.headers.extend(trailers(refusal, id));
    Response::from_parts(head, body::empty())
}

/// Why bytes are no messages. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageRefusal {
    /// A first byte that says neither that a message is compressed nor that it is not.
    FlagUnknown,
    /// A message of more bytes than the operation takes.
    TooLarge,
}

/// Bytes before a message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// Cuts a stream into whole messages, however its bytes are cut.
///
/// Only whole ones go on. A call can so be ended at any time by trailers of ours, and its reader never sees half a message.
#[derive(Debug)]
pub struct Messages {
    message_bytes_max: usize,
    held: BytesMut,
}

/// Whole messages, with their prefixes, and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    /// The bytes.
    pub bytes: Bytes,
    /// The number.
    pub count: usize,
}

impl Messages {
    /// A cutter of messages up to this size.
    #[must_use]
    pub fn new(message_bytes_max: usize) -> Self {
        Self { message_bytes_max, held: BytesMut::new() }
    }

    /// Messages may have this size from the next one on.
    pub const fn limit(&mut self, message_bytes_max: usize) {
        self.message_bytes_max = message_bytes_max;
    }

    /// Whether all that was taken was given.
    #[must_use]
    pub fn is_between(&self) -> bool {
        self.held.is_empty()
    }

    /// Takes the next bytes, and gives all messages that are whole now.
    ///
    /// # Errors
    /// The first rule that a message breaks, as soon as its prefix is there; whole ones before it are lost with it.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Whole, MessageRefusal> {
        self.held.extend_from_slice(bytes);
        let (mut rest, mut count) = (self.held.as_ref(), 0_usize);
        while let Some(length) = self.length(rest)? {
            let Some((_, after)) = rest.split_at_checked(length) else { break };
            (rest, count) = (after, count.saturating_add(1));
        }
        let whole = self.held.len().saturating_sub(rest.remaining());
        Ok(Whole { bytes: self.held.split_to(whole).freeze(), count })
    }

    /// The length of the first message with its prefix, once it is known.
    fn length(&self, bytes: &[u8]) -> Result<Option<usize>, MessageRefusal> {
        match bytes {
            [] => Ok(None),
            [0 | 1, a, b, c, d, ..] => {
                let length = usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).map_err(|_| MessageRefusal::TooLarge)?;
                if length > self.message_bytes_max { Err(MessageRefusal::TooLarge) } else { Ok(length.checked_add(PREFIX_BYTES)) }
            }
            [0 | 1, ..] => Ok(None),
            [_, ..] => Err(MessageRefusal::FlagUnknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body::Body as _;
    use proptest::prelude::*;

    #[test]
    fn a_call_says_that_it_is_one() {
        let rows = [
            ("application/grpc", Kind::Grpc),
            ("Application/gRPC; charset=utf-8", Kind::Grpc),
            ("application/grpc+proto", Kind::Grpc),
            ("application/grpc-web+proto", Kind::Like),
            ("application/grpc-web-text", Kind::Like),
            ("application/grpcish", Kind::Other),
            ("application/json", Kind::Other),
        ];
        for (text, expected) in rows {
            let headers = [(header::CONTENT_TYPE, HeaderValue::from_static(text))].into_iter().collect();
            assert_eq!(Kind::of(&headers), expected, "{text}");
        }
        assert_eq!(Kind::of(&HeaderMap::new()), Kind::Other);
    }

    #[test]
    fn a_reason_has_one_status() {
        let rows = [
            (Reason::TokenMissing, "16", "token_missing"),
            (Reason::SessionRevoked, "16", "revoked"),
            (Reason::EvidenceStale, "16", "reattest"),
            (Reason::NoPermit, "7", "policy"),
            (Reason::SessionLimited, "7", "limited"),
            (Reason::RateExceeded, "8", "too_many"),
            (Reason::MessagesTooMany, "8", "too_many"),
            (Reason::MessageTooLarge, "8", "request_invalid"),
            (Reason::StoreUnavailable, "14", "unavailable"),
            (Reason::UpstreamUnavailable, "14", "unavailable"),
            (Reason::GatewayEnding, "14", "unavailable"),
            (Reason::Internal, "14", "unavailable"),
            (Reason::RequestMalformed, "3", "request_invalid"),
        ];
        let id = DecisionId::from_random([1; 8]);
        for (reason, status, code) in rows {
            let refusal = Refusal::because(reason.clone());
            let trailers = trailers(&refusal, &id);
            let read = |name: &HeaderName| trailers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
            assert_eq!((read(&STATUS).as_str(), read(&MESSAGE).as_str()), (status, code), "{reason:?}");
            assert_eq!((read(&REASON).as_str(), read(&DECISION).as_str()), (code, id.as_str()), "{reason:?}");
        }
    }

    #[test]
    fn a_refusal_is_a_head_and_nothing_else() {
        let id = DecisionId::from_random([1; 8]);
        let problem = Response::builder().status(401).header("content-length", "2").header("dpop-nonce", "n").body(body::full("{}"));
        let answer = refused(problem.expect("an answer"), &Refusal::because(Reason::ProofMissing), &id);
        assert_eq!((answer.status(), answer.body().is_end_stream()), (StatusCode::OK, true));
        assert!(answer.headers().contains_key("dpop-nonce") && !answer.headers().contains_key("content-length"));
        assert_eq!(answer.headers().get("grpc-status").map(HeaderValue::as_bytes), Some(b"16".as_slice()));
    }

    fn message(flag: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).expect("a short one").to_be_bytes();
        [&[flag], length.as_slice(), payload].concat()
    }

    fn all(bytes: &[u8], cut: usize) -> Result<(Vec<u8>, usize, usize), MessageRefusal> {
        let mut messages = Messages::new(8);
        let (mut out, mut count) = (Vec::new(), 0);
        for part in bytes.chunks(cut) {
            let whole = messages.take(part)?;
            out.extend_from_slice(&whole.bytes);
            count += whole.count;
        }
        assert_eq!(messages.is_between(), messages.held.is_empty());
        Ok((out, count, messages.held.len()))
    }

    #[test]
    fn only_whole_messages_go_on() {
        let two = [message(0, b"one"), message(1, b"")].concat();
        let rows: &[(&str, Vec<u8>, Result<(usize, usize), MessageRefusal>)] = &[
            ("two", two.clone(), Ok((two.len(), 2))),
            ("one and a half", [message(0, b"one"), vec![0, 0, 0]].concat(), Ok((8, 1))),
            ("exactly the bound", message(0, b"12345678"), Ok((13, 1))),
            ("a byte beyond it", message(0, b"123456789"), Err(MessageRefusal::TooLarge)),
            ("far beyond it", vec![0, 255, 255, 255, 255], Err(MessageRefusal::TooLarge)),
            ("an unknown flag", vec![2], Err(MessageRefusal::FlagUnknown)),
        ];
        for (name, bytes, expected) in rows {
            for cut in 1..=bytes.len() {
                let got = all(bytes, cut).map(|(out, count, _)| (out.len(), count));
                assert_eq!(got, *expected, "{name}, in pieces of {cut}");
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_or_made_up(bytes in prop::collection::vec(0_u8..3, 0..60), cut in 1_usize..60) {
            if let Ok((out, count, held)) = all(&bytes, cut) {
                prop_assert_eq!(out.len() + held, bytes.len());
                prop_assert!(bytes.starts_with(&out));
                prop_assert_eq!(all(&bytes, 1), Ok((out, count, held)));
            }
        }
    }
}
