//! The one place where a reason becomes an answer: status, challenge, problem (RFC 9457). What the caller learns is coarse.
//!
//! A nonce is offered only where one is asked for (`use_dpop_nonce`, `clock_far`): a phone with a good clock never needs one,
//! and one with a bad clock asks again once in the life of a nonce. Every answer made here is dated by our clock, so that a
//! phone can learn the time from it.

use countersign_codec::calendar::imf_fixdate;
use countersign_core::{Challenge, DecisionId, Outcome, Reason, Remedy, Retry, Told, UnixMillis};
use countersign_proof::nonce::NonceKeys;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use crate::{
    body::{self, Body},
    refusal::Refusal,
};

/// The header that names the decision, to clients and upstreams.
pub(crate) static DECISION: HeaderName = HeaderName::from_static("countersign-decision");
static DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// Where a client that got no better advice may come again, in seconds.
const RETRY_LATER_SECONDS: u64 = 5;

/// The algorithms that proofs may have (RFC 9449 section 7.1).
const ALGORITHMS: &str = r#"algs="ES256 EdDSA""#;

/// RFC 9457 section 3.1, with the members that the SDKs read.
#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    code: &'a str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    remedies: Vec<WireRemedy<'a>>,
    retry: &'a str,
}

#[derive(Serialize)]
struct WireRemedy<'a> {
    kind: &'static str,
    label: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
}

impl<'a> WireRemedy<'a> {
    fn of(remedy: Remedy, refusal: &'a Refusal) -> Self {
        let update = refusal.update().filter(|_| remedy == Remedy::UpdateApp);
        Self {
            kind: remedy.kind(),
            label: remedy.label(),
            min_version: update.map(|update| update.min_version.as_str()),
            url: update.and_then(|update| update.store.as_deref()),
        }
    }
}

/// The answer to a refused request.
pub(crate) fn refusal(refusal: &Refusal, id: &DecisionId, nonces: &NonceKeys, now: UnixMillis) -> Response<Body> {
    let told = class(refusal);
    let mut answer = problem(refusal, told, Some(id), now);
    let headers = answer.headers_mut();
    if let Some(challenge) = challenge(told, refusal) {
        insert(headers, header::WWW_AUTHENTICATE, &challenge);
    }
    if told.offers_nonce() {
        insert(headers, DPOP_NONCE.clone(), &nonces.issue(now.seconds()));
    }
    insert(headers, DECISION.clone(), id.as_str());
    answer
}

/// The answer in place of one that never came about.
pub(crate) fn fault(now: UnixMillis) -> Response<Body> {
    problem(&Refusal::because(Reason::Internal), Told::Unavailable, None, now)
}

/// The class that the client is told. A curable refusal is always `step_up`, whatever the policy's reason is called.
pub(crate) fn class(refusal: &Refusal) -> Told {
    match refusal.decision().outcome {
        Outcome::StepUp => Told::StepUp,
        Outcome::Allow | Outcome::Limit | Outcome::Deny => refusal.reason().told(),
    }
}

/// The problem alone, on one line: for open connections, which have no status any more.
pub(crate) fn document(refusal: &Refusal, id: &DecisionId) -> Vec<u8> {
    written(refusal, class(refusal), Some(id))
}

fn problem(refusal: &Refusal, told: Told, id: Option<&DecisionId>, now: UnixMillis) -> Response<Body> {
    let mut answer = Response::new(body::full(written(refusal, told, id)));
    *answer.status_mut() = status_of(refusal, told);
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    insert(headers, header::DATE, &imf_fixdate(now.seconds().0));
    if let Some(seconds) = retry_after(told, refusal) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

fn written(refusal: &Refusal, told: Told, id: Option<&DecisionId>) -> Vec<u8> {
    let (remedies, retry) = remedies(refusal, told);
    let problem = Problem {
        kind: format!("https://docs.countersign.dev/p/{}", told.code()),
        title: told.title(),
        status: status_of(refusal, told).as_u16(),
        code: told.code(),
        detail: told.for_person(),
        instance: id.map(|id| format!("urn:csign:decision:{id}")),
        remedies: remedies.iter().map(|remedy| WireRemedy::of(*remedy, refusal)).collect(),
        retry: retry.as_str(),
    };
    serde_json::to_vec(&problem).unwrap_or_default()
}

/// A fault of ours that nobody foresaw is a 500; all that was foreseen has the status of its class.
fn status_of(refusal: &Refusal, told: Told) -> StatusCode {
    if *refusal.reason() == Reason::Internal {
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    StatusCode::from_u16(told.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// What policy found out beats what the class says in general.
fn remedies(refusal: &Refusal, told: Told) -> (&[Remedy], Retry) {
    let advised = &refusal.decision().advice.remedies;
    if advised.is_empty() { (told.remedies(), told.retry()) } else { (advised, Retry::AfterRemedy) }
}

fn retry_after(told: Told, refusal: &Refusal) -> Option<u64> {
    told.says_when().then(|| refusal.retry_after().map_or(RETRY_LATER_SECONDS, |wait| wait.0))
}

/// `WWW-Authenticate` of a 401 (RFC 9449 sections 7.1 and 9, RFC 9470 section 3).
fn challenge(told: Told, refusal: &Refusal) -> Option<String> {
    let challenge = told.challenge();
    let details = match challenge {
        Challenge::Absent => return None,
        Challenge::InsufficientUserAuthentication => authentication_wanted(refusal),
        Challenge::UseFreshAttestation => evidence_age(refusal),
        Challenge::InvalidDpopProof | Challenge::InvalidToken | Challenge::SchemeOnly | Challenge::UseDpopNonce => String::new(),
    };
    let error = challenge.error().map(|error| format!(r#"error="{error}"{details}, "#)).unwrap_or_default();
    Some(format!("DPoP {error}{ALGORITHMS}"))
}

/// RFC 9470's `max_age` for how old evidence may be: the client makes new evidence and asks again, and the person notices nothing.
fn evidence_age(refusal: &Refusal) -> String {
    refusal.evidence_age_max().map(|age| format!(r#", max_age="{}""#, age.0)).unwrap_or_default()
}

fn authentication_wanted(refusal: &Refusal) -> String {
    let decision = refusal.decision();
    let acr = decision.acr.map(|acr| format!(r#", acr_values="{}""#, acr.as_str())).unwrap_or_default();
    let age = decision.max_age.map(|age| format!(r#", max_age="{}""#, age.0)).unwrap_or_default();
    acr + &age
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
    use countersign_core::{Acr, Matched, Obligation, Permitted, PolicyName, PolicyReason, RateLimit, Seconds, Secret};
    use countersign_store::TakeError;
    use http_body_util::BodyExt;
    use std::fmt::Write as _;

    const NOW: UnixMillis = UnixMillis(1_789_302_400_000);

    async fn written(name: &str, refused: &Refusal) -> String {
        let nonces = NonceKeys::new(&Secret::new([7; 32]), None);
        let answer = refusal(refused, &DecisionId::from_random([1; 8]), &nonces, NOW);
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
        for told in Told::ALL {
            let reason = Reason::ALL.iter().find(|reason| reason.told() == *told && **reason != Reason::Internal);
            // `step_up` comes from policies only; see below.
            if let Some(reason) = reason {
                page += &written(told.code(), &Refusal::because(reason.clone())).await;
            }
        }
        page += &written("a step-up, by assurance", &policy(Outcome::StepUp, Some(Acr::PhishingResistant), None)).await;
        page += &written("a step-up, by freshness too", &policy(Outcome::StepUp, Some(Acr::Presence), Some(Seconds(120)))).await;
        page += &written("a policy's refusal", &policy(Outcome::Deny, None, None)).await;
        page += &written("a rate", &Refusal::from(TakeError::Exceeded(Seconds(17)))).await;
        let mut advised = countersign_core::Decision::deny(Reason::NoPermit);
        advised.advice.remedies = vec![Remedy::UpdateSystem];
        page += &written("a default deny that the person can cure", &Refusal::by(advised)).await;
        page += &written("a fault that nobody foresaw", &Refusal::because(Reason::Internal)).await;
        insta::assert_snapshot!("answers", page);
    }

    #[tokio::test]
    async fn all_faults_behind_one_class_look_the_same() {
        let strip = |text: String| text.split_once('\n').map(|(_, rest)| rest.to_owned());
        for told in Told::ALL {
            let mut answers = std::collections::BTreeSet::new();
            for reason in Reason::ALL.iter().filter(|r| r.told() == *told && **r != Reason::Internal) {
                answers.insert(strip(written("", &Refusal::because(reason.clone())).await));
            }
            assert!(answers.len() <= 1, "{told:?}: {answers:?}");
        }
    }
}
