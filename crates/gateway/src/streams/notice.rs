//! What the client of an open connection is told when it ends: the one place where a reason becomes a close code or a last event.

use bytes::Bytes;
use countersign_core::{DecisionId, PublicReason, Reason};

use crate::{answer, refusal::Refusal, streams::frame::Frame};

/// The close code. Those from 4000 on are ours: 4408 asks for a fresh proof of person or device, all others are 4000 and the status
/// that a request would have got. What RFC 6455 section 7.4.1 has a code for keeps it.
pub(crate) fn close_code(refusal: &Refusal) -> u16 {
    if let Some(code) = of_the_protocol(refusal.reason()) {
        return code;
    }
    let told = answer::class(refusal);
    if matches!(told, PublicReason::Reattest | PublicReason::StepUp) { 4408 } else { told.status().saturating_add(4000) }
}

fn of_the_protocol(reason: &Reason) -> Option<u16> {
    let known =
        [(Reason::ConnectionIdle, 1001), (Reason::GatewayEnding, 1001), (Reason::MessageInvalid, 1002), (Reason::MessageTooLarge, 1009)];
    known.into_iter().find(|(known, _)| known == reason).map(|(_, code)| code)
}

/// The last frame: `revoked D-...`, the class as `code` in a problem, and the decision.
pub(crate) fn frame(refusal: &Refusal, id: &DecisionId) -> Frame {
    Frame::close(close_code(refusal), &format!("{} {id}", answer::class(refusal).code()))
}

/// The last event. Its data is the problem that a request would have got (RFC 9457).
pub(crate) fn event(refusal: &Refusal, id: &DecisionId) -> Bytes {
    let problem = answer::document(refusal, id);
    [b"event: countersign\ndata: ", problem.as_slice(), b"\n\n"].concat().into()
}

/// A code of an upstream, where it is not one of those that only we give.
pub(crate) fn of_upstream(frame: Frame) -> Frame {
    match frame.close_code() {
        Some(4400..=4599) => Frame::close(1008, ""),
        Some(_) | None => frame,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_one_code() {
        let rows = [
            (Reason::SessionRevoked, 4401),
            (Reason::SessionChallenged, 4401),
            (Reason::TokenExpired, 4401),
            (Reason::NoPermit, 4403),
            (Reason::SessionLimited, 4403),
            (Reason::DeviceRevoked, 4401),
            (Reason::EvidenceStale, 4408),
            (Reason::MessagesTooMany, 4429),
            (Reason::StoreUnavailable, 4503),
            (Reason::UpstreamUnavailable, 4503),
            (Reason::GatewayEnding, 1001),
            (Reason::MessageInvalid, 1002),
            (Reason::MessageTooLarge, 1009),
        ];
        for (reason, code) in rows {
            assert_eq!(close_code(&Refusal::because(reason.clone())), code, "{reason:?}");
        }
    }

    #[test]
    fn upstreams_do_not_speak_in_our_name() {
        for (code, expected) in [(1000, 1000), (4399, 4399), (4401, 1008), (4599, 1008), (4600, 4600)] {
            assert_eq!(of_upstream(Frame::close(code, "revoked")).close_code(), Some(expected));
        }
    }

    #[test]
    fn a_last_event_is_one_line_of_data() {
        let id = DecisionId::from_random([1; 8]);
        let text = String::from_utf8(event(&Refusal::because(Reason::SessionRevoked), &id).to_vec()).expect("text");
        assert!(text.starts_with("event: countersign\ndata: {") && text.ends_with("}\n\n"), "{text}");
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.contains(r#""code":"revoked""#) && text.contains(id.as_str()), "{text}");
    }
}
