//! What an endpoint answers: the one place where reasons become bytes on the wire, coarse for whoever reads them (law 7).

use axum::{body::Body, response::Response};
use countersign_codec::calendar::imf_fixdate;
use countersign_core::{Challenge, DecisionId, Limits, OAuthError, Reason, Remedy, Told, UnixSeconds, Update};
use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, DATE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde::Serialize;

use crate::{endpoint::ErrorFormat, refusal::Refusal};

/// Header by which people and support name an answer.
const DECISION: HeaderName = HeaderName::from_static("countersign-decision");
/// Header with the nonce for the next proof (RFC 9449 section 8.1).
const NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// Seconds after which a fault of ours may be over.
const RETRY_AFTER_SECONDS: u64 = 5;

/// Reasons whose HTTP status says more than that of their class.
const STATUS: &[(Reason, StatusCode)] = &[
    (Reason::BodyTooLarge, StatusCode::PAYLOAD_TOO_LARGE),
    (Reason::MediaTypeWrong, StatusCode::UNSUPPORTED_MEDIA_TYPE),
    (Reason::MethodUnknown, StatusCode::METHOD_NOT_ALLOWED),
    (Reason::UnknownOperation, StatusCode::NOT_FOUND),
];

/// Reasons whose OAuth error says more than that of their class.
const ERRORS: &[(Reason, OAuthError)] =
    &[(Reason::ClientUnknown, OAuthError::InvalidClient), (Reason::GrantTypeUnknown, OAuthError::UnsupportedGrantType)];

/// The algorithms that proofs may have (RFC 9449 section 7.1).
const ALGORITHMS: &str = r#"algs="ES256 EdDSA""#;

/// What to do about a refusal, as a button.
#[derive(Serialize)]
struct RemedyWire<'a> {
    kind: &'static str,
    label: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
}

impl<'a> RemedyWire<'a> {
    fn all(remedies: &'static [Remedy], update: Option<&'a Update>) -> Vec<Self> {
        let one = |remedy: &Remedy| {
            let update = update.filter(|_| *remedy == Remedy::UpdateApp);
            Self {
                kind: remedy.kind(),
                label: remedy.label(),
                min_version: update.map(|update| update.min_version.as_str()),
                url: update.and_then(|update| update.store.as_deref()),
            }
        };
        remedies.iter().map(one).collect()
    }
}

/// RFC 9457, with our members.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'static str,
    instance: String,
    remedies: Vec<RemedyWire<'a>>,
    retry: &'static str,
}

/// RFC 6749 section 5.2, with our members.
#[derive(Serialize)]
struct OAuthAnswer<'a> {
    error: &'static str,
    error_description: &'static str,
    reason: &'static str,
    instance: String,
    remedies: Vec<RemedyWire<'a>>,
    retry: &'static str,
}

/// An answer with a JSON body.
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    document(status, "application/json", serde_json::to_string(body).unwrap_or_default())
}

/// An answer with a text that is JSON already.
pub fn document(status: StatusCode, kind: &'static str, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
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
    let told = refusal.reason.told();
    let instance = format!("urn:csign:decision:{number}");
    let mut response = match format {
        ErrorFormat::OAuth => {
            let body = OAuthAnswer {
                error: oauth_error(&refusal.reason).code(),
                error_description: told.for_person(),
                reason: told.code(),
                instance,
                remedies: RemedyWire::all(told.remedies(), refusal.update.as_ref()),
                retry: told.retry().as_str(),
            };
            json(oauth_status(&refusal.reason), &body)
        }
        ErrorFormat::Problem => {
            let status = problem_status(&refusal.reason);
            let body = Problem {
                r#type: format!("https://docs.countersign.dev/p/{}", told.code()),
                title: told.title(),
                status: status.as_u16(),
                code: told.code(),
                detail: told.for_person(),
                instance,
                remedies: RemedyWire::all(told.remedies(), refusal.update.as_ref()),
                retry: told.retry().as_str(),
            };
            let text = serde_json::to_string(&body).unwrap_or_default();
            document(status, "application/problem+json", text)
        }
    };
    let unauthorized = response.status() == StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    if let Some(challenge) = challenge(told).filter(|_| unauthorized) {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    if told.says_when() {
        headers.insert(RETRY_AFTER, HeaderValue::from(refusal.retry_after.map_or(RETRY_AFTER_SECONDS, |wait| wait.0)));
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

/// Adds what every answer of ours carries: no caching, our time, the number, the nonce for the next proof.
pub fn dress(response: &mut Response, number: &DecisionId, nonce: &str, now: UnixSeconds) {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, value) in [(DATE, imf_fixdate(now.0).as_str()), (DECISION, number.as_str()), (NONCE, nonce)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
}

fn oauth_error(reason: &Reason) -> OAuthError {
    ERRORS.iter().find(|(known, _)| known == reason).map_or(reason.told().oauth_error(), |(_, error)| *error)
}

/// RFC 6749 section 5.2 answers 400; only what is our fault or a matter of pace keeps its class's status.
fn oauth_status(reason: &Reason) -> StatusCode {
    if reason.told().says_when() { class_status(reason) } else { own_status(reason).unwrap_or(StatusCode::BAD_REQUEST) }
}

fn problem_status(reason: &Reason) -> StatusCode {
    own_status(reason).unwrap_or_else(|| class_status(reason))
}

fn own_status(reason: &Reason) -> Option<StatusCode> {
    STATUS.iter().find(|(known, _)| known == reason).map(|(_, status)| *status)
}

fn class_status(reason: &Reason) -> StatusCode {
    StatusCode::from_u16(reason.told().status()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
}

/// `WWW-Authenticate` of a 401 (RFC 9449 section 7.1).
fn challenge(told: Told) -> Option<HeaderValue> {
    let challenge = told.challenge();
    let (error, details) = match challenge {
        Challenge::Absent => return None,
        Challenge::InsufficientUserAuthentication => {
            // RFC 9470 section 3.
            (challenge.error(), format!(r#", max_age="{}""#, Limits::FRESH_AUTHENTICATION_AGE_MAX.0))
        }
        Challenge::InvalidDpopProof | Challenge::UseDpopNonce => (challenge.error(), String::new()),
        // Keys are proved here, mostly without a token: what is wrong with a token, or with evidence, stands in the body.
        Challenge::InvalidToken | Challenge::SchemeOnly | Challenge::UseFreshAttestation => (None, String::new()),
    };
    let error = error.map(|error| format!(r#"error="{error}"{details}, "#)).unwrap_or_default();
    HeaderValue::try_from(format!("DPoP {error}{ALGORITHMS}")).ok()
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
            (Reason::GrantTypeUnknown, "unsupported_grant_type", 400, 400),
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
        for told in Told::ALL {
            let fits = told.for_person().bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'"' && b != b'\\');
            assert!(fits, "{}", told.code());
        }
    }
}
