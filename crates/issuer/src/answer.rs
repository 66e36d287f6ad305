//! What a door says: the one place where reasons become bytes on the wire, coarse for whoever reads them (law 7).

use axum::{body::Body, response::Response};
use countersign_codec::calendar::imf_fixdate;
use countersign_core::{DecisionId, Reason, Remedy, Retry, Told, UnixSeconds, Update};
use http::{
    HeaderName, HeaderValue, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, DATE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde::Serialize;

use crate::{door::Voice, refusal::Refusal};

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

/// An error of RFC 6749 section 5.2, RFC 7009 section 2.2.1 or RFC 9449 sections 5 and 8. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OAuthError {
    InvalidClient,
    InvalidDpopProof,
    InvalidGrant,
    InvalidRequest,
    TemporarilyUnavailable,
    UnauthorizedClient,
    UnsupportedGrantType,
    UseDpopNonce,
}

impl OAuthError {
    const fn code(self) -> &'static str {
        match self {
            Self::InvalidClient => "invalid_client",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidRequest => "invalid_request",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UseDpopNonce => "use_dpop_nonce",
        }
    }

    fn of(reason: &Reason) -> Self {
        if *reason == Reason::ClientUnknown {
            return Self::InvalidClient;
        }
        if *reason == Reason::GrantTypeUnknown {
            return Self::UnsupportedGrantType;
        }
        match reason.told() {
            Told::ClockFar | Told::UseNonce => Self::UseDpopNonce,
            Told::AppOutdated
            | Told::DevTokenExpired
            | Told::DevTokenRefused
            | Told::DevTokenReleaseBuild
            | Told::DevTokenWrongApp
            | Told::DevTokenWrongPlatform
            | Told::DeviceInHand
            | Told::DeviceUnproven
            | Told::DevicesTooMany
            | Told::KeyLost
            | Told::Limited
            | Told::Reattest
            | Told::Retry
            | Told::Revoked
            | Told::ScreenLockMissing
            | Told::SignInAgain
            | Told::StepUp
            | Told::SystemOutdated => Self::InvalidGrant,
            Told::NameTaken | Told::RequestInvalid | Told::TokenExpired | Told::TokenInvalid | Told::TokenMissing => Self::InvalidRequest,
            Told::NotPermitted => Self::UnauthorizedClient,
            Told::ProofInvalid => Self::InvalidDpopProof,
            Told::TooMany | Told::Unavailable => Self::TemporarilyUnavailable,
        }
    }
}

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
pub fn refusal(refusal: &Refusal, voice: Voice, number: &DecisionId) -> Response {
    let told = refusal.reason.told();
    let instance = format!("urn:csign:decision:{number}");
    let mut response = match voice {
        Voice::OAuth => {
            let error = OAuthError::of(&refusal.reason);
            let body = OAuthAnswer {
                error: error.code(),
                error_description: told.for_person(),
                reason: told.code(),
                instance,
                remedies: RemedyWire::all(told.remedies(), refusal.update.as_ref()),
                retry: told.retry().as_str(),
            };
            json(oauth_status(&refusal.reason), &body)
        }
        Voice::Problem => {
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
    if unauthorized {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(dpop_challenge(told)));
    }
    if told.retry() == Retry::Later && matches!(told, Told::TooMany | Told::Unavailable) {
        headers.insert(RETRY_AFTER, HeaderValue::from(refusal.retry_after.map_or(RETRY_AFTER_SECONDS, |wait| wait.0)));
    }
    response
}

/// Says which methods the door has (RFC 9110 section 15.5.6).
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

/// RFC 6749 section 5.2 answers 400; only what is our fault or a matter of pace keeps its class's status.
fn oauth_status(reason: &Reason) -> StatusCode {
    match reason.told() {
        Told::TooMany | Told::Unavailable => class_status(reason),
        Told::AppOutdated
        | Told::ClockFar
        | Told::DevTokenExpired
        | Told::DevTokenRefused
        | Told::DevTokenReleaseBuild
        | Told::DevTokenWrongApp
        | Told::DevTokenWrongPlatform
        | Told::DeviceInHand
        | Told::DeviceUnproven
        | Told::DevicesTooMany
        | Told::KeyLost
        | Told::Limited
        | Told::NameTaken
        | Told::NotPermitted
        | Told::ProofInvalid
        | Told::Reattest
        | Told::RequestInvalid
        | Told::Retry
        | Told::Revoked
        | Told::ScreenLockMissing
        | Told::SignInAgain
        | Told::StepUp
        | Told::SystemOutdated
        | Told::TokenExpired
        | Told::TokenInvalid
        | Told::TokenMissing
        | Told::UseNonce => own_status(reason).unwrap_or(StatusCode::BAD_REQUEST),
    }
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

/// RFC 9449 section 7.1.
const fn dpop_challenge(told: Told) -> &'static str {
    match told {
        Told::ClockFar | Told::UseNonce => r#"DPoP error="use_dpop_nonce", algs="ES256 EdDSA""#,
        Told::ProofInvalid => r#"DPoP error="invalid_dpop_proof", algs="ES256 EdDSA""#,
        // RFC 9470 section 3; `max_age` is `Limits::FRESH_AUTHENTICATION_AGE_MAX`.
        Told::StepUp => r#"DPoP error="insufficient_user_authentication", max_age="300", algs="ES256 EdDSA""#,
        Told::AppOutdated
        | Told::DevTokenExpired
        | Told::DevTokenRefused
        | Told::DevTokenReleaseBuild
        | Told::DevTokenWrongApp
        | Told::DevTokenWrongPlatform
        | Told::DeviceInHand
        | Told::DeviceUnproven
        | Told::DevicesTooMany
        | Told::KeyLost
        | Told::Limited
        | Told::NameTaken
        | Told::NotPermitted
        | Told::Reattest
        | Told::RequestInvalid
        | Told::Retry
        | Told::Revoked
        | Told::ScreenLockMissing
        | Told::SignInAgain
        | Told::SystemOutdated
        | Told::TokenExpired
        | Told::TokenInvalid
        | Told::TokenMissing
        | Told::TooMany
        | Told::Unavailable => r#"DPoP algs="ES256 EdDSA""#,
    }
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
            assert_eq!(OAuthError::of(reason).code(), *error, "{reason}");
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
