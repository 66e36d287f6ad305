//! What an endpoint answers: the one place where reasons become bytes on the wire, coarse for whoever reads them (law 7).

use axum::{body::Body, response::Response};
use countersign_access::problem::{self, DECISION, DPOP_NONCE, PROBLEM_JSON, Problem, Wanted};
use countersign_codec::calendar::imf_fixdate;
use countersign_core::{Challenge, DecisionId, Limits, OAuthError, PublicReason, Reason, UnixSeconds};
use http::{
    HeaderValue, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, DATE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde::Serialize;

use crate::{endpoint::ErrorFormat, refusal::Refusal};

/// Reasons whose HTTP status says more than that of their class.
const STATUS: &[(Reason, StatusCode)] = &[
    (Reason::BodyTooLarge, StatusCode::PAYLOAD_TOO_LARGE),
    (Reason::ClientAuthenticationRefused, StatusCode::UNAUTHORIZED),
    (Reason::MediaTypeWrong, StatusCode::UNSUPPORTED_MEDIA_TYPE),
    (Reason::MethodUnknown, StatusCode::METHOD_NOT_ALLOWED),
    (Reason::UnknownOperation, StatusCode::NOT_FOUND),
];

/// Reasons whose OAuth error says more than that of their class.
const ERRORS: &[(Reason, OAuthError)] = &[
    (Reason::ClientAuthenticationRefused, OAuthError::InvalidClient),
    (Reason::ClientUnknown, OAuthError::InvalidClient),
    (Reason::GrantTypeUnknown, OAuthError::UnsupportedGrantType),
    (Reason::ScopeUnknown, OAuthError::InvalidScope),
    (Reason::TokenTypeUnsupported, OAuthError::UnsupportedTokenType),
];

/// An answer with a JSON body.
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    document(status, "application/json", serde_json::to_vec(body).unwrap_or_default())
}

/// An answer with a text that is JSON already.
pub fn document(status: StatusCode, kind: &'static str, text: impl Into<Body>) -> Response {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// An answer without a body.
pub fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// The answer to a request that is refused. Only the class of the reason leaves the house.
pub fn refusal(refusal: &Refusal, format: ErrorFormat, number: &DecisionId) -> Response {
    let told = refusal.reason.public();
    let status = match format {
        ErrorFormat::OAuth => oauth_status(&refusal.reason),
        ErrorFormat::Problem => problem_status(&refusal.reason),
    };
    let problem = Problem { update: refusal.update.as_ref(), ..Problem::of(told, status, Some(number)) };
    let mut response = match format {
        ErrorFormat::OAuth => document(status, "application/json", problem.oauth_document(oauth_error(&refusal.reason))),
        ErrorFormat::Problem => document(status, PROBLEM_JSON, problem.document()),
    };
    let headers = response.headers_mut();
    if refusal.reason == Reason::ClientAuthenticationRefused {
        // RFC 6749 section 5.2 asks for the scheme that was tried, and Basic is the one that clients try.
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(r#"Basic realm="clients here are public""#));
    } else if let Some(challenge) = challenge(told).filter(|_| status == StatusCode::UNAUTHORIZED) {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    if let Some(seconds) = problem::retry_after(told, refusal.retry_after) {
        headers.insert(RETRY_AFTER, seconds);
    }
    response
}

/// Says which methods the endpoint has (RFC 9110 section 15.5.6).
pub fn allow(response: &mut Response, methods: &[http::Method]) {
    let names: Vec<_> = methods.iter().map(http::Method::as_str).collect();
    if let Ok(value) = HeaderValue::from_str(&names.join(", ")) {
        response.headers_mut().insert(ALLOW, value);
    }
}

/// Adds what every answer of ours carries: no caching, our time, the number, and the nonce for the next proof of the key that asked.
pub fn dress(response: &mut Response, number: &DecisionId, nonce: Option<&str>, now: UnixSeconds) {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let date = imf_fixdate(now.0);
    for (name, value) in [(&DATE, date.as_str()), (&DECISION, number.as_str())].into_iter().chain(nonce.map(|nonce| (&DPOP_NONCE, nonce))) {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name.clone(), value);
        }
    }
}

fn oauth_error(reason: &Reason) -> OAuthError {
    ERRORS.iter().find(|(known, _)| known == reason).map_or(reason.public().oauth_error(), |(_, error)| *error)
}

/// RFC 6749 section 5.2 answers 400; only what is our fault or a matter of pace keeps its class's status.
fn oauth_status(reason: &Reason) -> StatusCode {
    if reason.public().says_when() { class_status(reason) } else { own_status(reason).unwrap_or(StatusCode::BAD_REQUEST) }
}

fn problem_status(reason: &Reason) -> StatusCode {
    own_status(reason).unwrap_or_else(|| class_status(reason))
}

fn own_status(reason: &Reason) -> Option<StatusCode> {
    STATUS.iter().find(|(known, _)| known == reason).map(|(_, status)| *status)
}

fn class_status(reason: &Reason) -> StatusCode {
    StatusCode::from_u16(reason.public().status()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
}

/// `WWW-Authenticate` of a 401. Keys are proved here, mostly without a token: what is wrong with a token, or with evidence, stands in
/// the body alone.
fn challenge(told: PublicReason) -> Option<HeaderValue> {
    let (asked, wanted) = match told.challenge() {
        Challenge::InsufficientUserAuthentication => {
            (told.challenge(), Wanted { acr: None, max_age: Some(Limits::FRESH_AUTHENTICATION_AGE_MAX) })
        }
        Challenge::Absent | Challenge::InvalidDpopProof | Challenge::UseDpopNonce => (told.challenge(), Wanted::default()),
        Challenge::InvalidToken | Challenge::SchemeOnly | Challenge::UseFreshAttestation => (Challenge::SchemeOnly, Wanted::default()),
    };
    problem::challenge(asked, wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_its_error_and_status() {
        let rows: &[(Reason, &str, u16, u16)] = &[
            (Reason::ProofTooOld, "use_dpop_nonce", 400, 401),
            (Reason::ProofNonceStale, "use_dpop_nonce", 400, 401),
            (Reason::BootloaderUnlocked, "invalid_grant", 400, 403),
            (Reason::ChallengeUnknown, "invalid_grant", 400, 400),
            (Reason::SessionRevoked, "invalid_grant", 400, 401),
            (Reason::RefreshUnknown, "invalid_grant", 400, 401),
            (Reason::NameTaken, "invalid_request", 400, 409),
            (Reason::BodyMalformed, "invalid_request", 400, 400),
            (Reason::BodyTooLarge, "invalid_request", 413, 413),
            (Reason::MediaTypeWrong, "invalid_request", 415, 415),
            (Reason::MethodUnknown, "invalid_request", 405, 405),
            (Reason::UnknownOperation, "unauthorized_client", 404, 404),
            (Reason::ClientUnknown, "invalid_client", 400, 400),
            (Reason::ClientAuthenticationRefused, "invalid_client", 401, 401),
            (Reason::GrantOfAnotherApp, "invalid_grant", 400, 401),
            (Reason::GrantTypeUnknown, "unsupported_grant_type", 400, 400),
            (Reason::ScopeUnknown, "invalid_scope", 400, 400),
            (Reason::TokenTypeUnsupported, "unsupported_token_type", 400, 400),
            (Reason::ProofCrowdedOut, "use_dpop_nonce", 400, 401),
            (Reason::ReplayShareUsed, "temporarily_unavailable", 429, 429),
            (Reason::SignUpClosed, "unauthorized_client", 400, 403),
            (Reason::ProofReplayed, "invalid_dpop_proof", 400, 401),
            (Reason::RateExceeded, "temporarily_unavailable", 429, 429),
            (Reason::StoreUnavailable, "temporarily_unavailable", 503, 503),
        ];
        for (reason, error, oauth, problem) in rows {
            assert_eq!(oauth_error(reason).code(), *error, "{reason}");
            assert_eq!(oauth_status(reason).as_u16(), *oauth, "{reason}");
            assert_eq!(problem_status(reason).as_u16(), *problem, "{reason}");
        }
    }

    /// RFC 6749 section 5.2: `error_description` has no quotation mark, backslash or byte beyond ASCII.
    #[test]
    fn descriptions_fit_the_grammar() {
        for told in PublicReason::ALL {
            let fits = told.for_person().bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'"' && b != b'\\');
            assert!(fits, "{}", told.code());
        }
    }
}
