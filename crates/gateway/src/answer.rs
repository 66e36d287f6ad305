//! The one place where a reason becomes an answer: status, challenge, problem (RFC 9457). What the caller learns is coarse.
//!
//! A nonce is offered only where one is asked for (`use_dpop_nonce`, `clock_far`): a phone with a good clock never needs one,
//! and one with a bad clock asks again once in the life of a nonce. Every answer made here is dated by our clock, so that a
//! phone can learn the time from it.

use countersign_access::problem::{self, DECISION, DPOP_NONCE, PROBLEM_JSON, Problem, Wanted};
use countersign_codec::calendar::imf_fixdate;
use countersign_core::{Challenge, DecisionId, Outcome, PublicReason, Reason, Retry, UnixMillis};
use countersign_proof::nonce::NonceKeys;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};

use crate::{
    body::{self, Body},
    refusal::Refusal,
};

/// Reasons whose HTTP status says more than that of their class.
const STATUS: [(Reason, StatusCode); 2] =
    [(Reason::BodyTooLarge, StatusCode::PAYLOAD_TOO_LARGE), (Reason::Internal, StatusCode::INTERNAL_SERVER_ERROR)];

/// The answer to a refused request.
pub(crate) fn refusal(refusal: &Refusal, id: &DecisionId, nonces: &NonceKeys, now: UnixMillis) -> Response<Body> {
    let told = class(refusal);
    let mut answer = problem(refusal, told, Some(id), now);
    let headers = answer.headers_mut();
    if let Some(challenge) = problem::challenge(told.challenge(), wanted(told.challenge(), refusal)) {
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    if let Some(key) = refusal.speaker().filter(|_| told.offers_nonce()) {
        insert(headers, DPOP_NONCE.clone(), &nonces.issue(key, now.seconds()));
    }
    insert(headers, DECISION.clone(), id.as_str());
    answer
}

/// The answer in place of one that never came about.
pub(crate) fn fault(now: UnixMillis) -> Response<Body> {
    problem(&Refusal::because(Reason::Internal), PublicReason::Unavailable, None, now)
}

/// The class that the client is told. A curable refusal is always `step_up`, whatever the policy's reason is called.
pub(crate) fn class(refusal: &Refusal) -> PublicReason {
    match refusal.decision().outcome {
        Outcome::StepUp => PublicReason::StepUp,
        Outcome::Allow | Outcome::Limit | Outcome::Deny => refusal.reason().public(),
    }
}

/// The problem alone, on one line: for open connections, which have no status any more.
pub(crate) fn document(refusal: &Refusal, id: &DecisionId) -> Vec<u8> {
    written(refusal, class(refusal), Some(id))
}

fn problem(refusal: &Refusal, told: PublicReason, id: Option<&DecisionId>, now: UnixMillis) -> Response<Body> {
    let mut answer = Response::new(body::full(written(refusal, told, id)));
    *answer.status_mut() = status_of(refusal, told);
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    insert(headers, header::DATE, &imf_fixdate(now.seconds().0));
    if let Some(seconds) = problem::retry_after(told, refusal.retry_after()) {
        headers.insert(header::RETRY_AFTER, seconds);
    }
    answer
}

fn written(refusal: &Refusal, told: PublicReason, id: Option<&DecisionId>) -> Vec<u8> {
    let of_class = Problem { update: refusal.update(), field: refusal.field(), ..Problem::of(told, status_of(refusal, told), id) };
    // What policy found out beats what the class says in general.
    let advised = &refusal.decision().advice.remedies;
    let problem = if advised.is_empty() { of_class } else { Problem { remedies: advised, retry: Retry::AfterRemedy, ..of_class } };
    problem.document()
}

/// A fault of ours that nobody foresaw is a 500; all that was foreseen has the status of its class, or one that says more.
fn status_of(refusal: &Refusal, told: PublicReason) -> StatusCode {
    if let Some((_, own)) = STATUS.iter().find(|(reason, _)| reason == refusal.reason()) {
        return *own;
    }
    StatusCode::from_u16(told.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Cure of the refusal: an authentication as the policies ask for, or evidence that is younger.
fn wanted(challenge: Challenge, refusal: &Refusal) -> Wanted {
    let decision = refusal.decision();
    match challenge {
        Challenge::InsufficientUserAuthentication => Wanted { acr: decision.acr, max_age: decision.max_age },
        Challenge::UseFreshAttestation => Wanted { acr: None, max_age: refusal.evidence_age_max() },
        Challenge::Absent | Challenge::InvalidDpopProof | Challenge::InvalidToken | Challenge::SchemeOnly | Challenge::UseDpopNonce => {
            Wanted::default()
        }
    }
}

/// Inserts a text of ours, which has no byte that a header cannot have.
fn insert(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::{Acr, Matched, Obligation, Permitted, PolicyName, PolicyReason, RateLimit, Remedy, Seconds, Secret, Thumbprint};
    use countersign_store::TakeError;
    use http_body_util::BodyExt;
    use std::fmt::Write as _;

    const NOW: UnixMillis = UnixMillis(1_789_302_400_000);

    async fn written(name: &str, refused: Refusal) -> String {
        let refused = refused.spoken_by(Some(Thumbprint::from_bytes([9; 32])));
        let nonces = NonceKeys::new(&Secret::new([7; 32]), None);
        let answer = refusal(&refused, &DecisionId::from_random([1; 8]), &nonces, NOW);
        let (head, body) = answer.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let mut out = format!("=== {name}\n{}\n", head.status);
        for (name, value) in &head.headers {
            let _ = writeln!(out, "{name}: {}", value.to_str().expect("text"));
        }
        let _ = writeln!(out, "\n{}\n", String::from_utf8_lossy(&body));
        out
    }

    fn policy(outcome: Outcome, acr: Option<Acr>, max_age: Option<Seconds>) -> Refusal {
        let matched = Matched {
            policy: PolicyName::new("large_transfers"),
            outcome,
            reason: Reason::Policy(PolicyReason::parse("large_transfer").expect("a code")),
            obligations: vec![Obligation::Rate(RateLimit { count: 1, window: Seconds(1) })],
            acr,
            max_age,
        };
        let permitted = Permitted::By(vec![PolicyName::new("own")]);
        Refusal::by(countersign_core::Decision::fold(permitted, [matched]))
    }

    /// One message for every class that a client can be told, and every shape that it can take.
    #[tokio::test]
    async fn each_class_has_one_answer() {
        let mut page = String::new();
        for told in PublicReason::ALL {
            let reason = Reason::ALL.iter().find(|reason| reason.public() == *told && **reason != Reason::Internal);
            // `step_up` comes from policies only; see below.
            if let Some(reason) = reason {
                page += &written(told.code(), Refusal::because(reason.clone())).await;
            }
        }
        page += &written("a step-up, by assurance", policy(Outcome::StepUp, Some(Acr::PhishingResistant), None)).await;
        page += &written("a step-up, by freshness too", policy(Outcome::StepUp, Some(Acr::Presence), Some(Seconds(120)))).await;
        page += &written("a policy's refusal", policy(Outcome::Deny, None, None)).await;
        page += &written("a rate", Refusal::from(TakeError::Exceeded(Seconds(17)))).await;
        let mut advised = countersign_core::Decision::deny(Reason::NoPermit);
        advised.advice.remedies = vec![Remedy::UpdateSystem];
        page += &written("a default deny that the person can cure", Refusal::by(advised)).await;
        page += &written("a fault that nobody foresaw", Refusal::because(Reason::Internal)).await;
        insta::assert_snapshot!("answers", page);
    }

    #[tokio::test]
    async fn all_faults_behind_one_class_look_the_same() {
        let strip = |text: String| text.split_once('\n').map(|(_, rest)| rest.to_owned());
        for told in PublicReason::ALL {
            let mut answers = std::collections::BTreeSet::new();
            let own_status = |reason: &Reason| STATUS.iter().any(|(own, _)| own == reason);
            for reason in Reason::ALL.iter().filter(|r| r.public() == *told && !own_status(r)) {
                answers.insert(strip(written("", Refusal::because(reason.clone())).await));
            }
            assert!(answers.len() <= 1, "{told:?}: {answers:?}");
        }
    }
}
