//! What a refusal looks like on the wire, whoever refuses: a problem (RFC 9457), an OAuth error (RFC 6749 section 5.2), a challenge
//! (RFC 9110 section 11.6.1). Only the class of a reason gets here, so that no server can say more by mistake.

use countersign_core::{Acr, Challenge, DecisionId, OAuthError, PublicReason, Remedy, Retry, Seconds, Update};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

/// Header that names the decision, to clients and upstreams: by it people and support find an answer.
pub static DECISION: HeaderName = HeaderName::from_static("countersign-decision");
/// Header with the class of a refusal, where an answer has no problem for a body.
pub static REASON: HeaderName = HeaderName::from_static("countersign-reason");
/// Header with the nonce for the next proof (RFC 9449 section 8.1).
pub static DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");
/// Media type of a problem (RFC 9457 section 3).
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Wait for a client that got no better advice.
const RETRY_LATER: Seconds = Seconds(5);

/// The algorithms that proofs may have (RFC 9449 section 7.1).
const ALGORITHMS: &str = r#"algs="ES256 EdDSA""#;

/// All that a client is told of a refusal in the body of an answer.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a> {
    /// The class of the reason.
    pub told: PublicReason,
    /// Status of the answer.
    pub status: StatusCode,
    /// Number of the decision; absent where none was made.
    pub decision: Option<&'a DecisionId>,
    /// Remedies of the person, shown as buttons.
    pub remedies: &'a [Remedy],
    /// Advice on whether and when to come again.
    pub retry: Retry,
    /// The version of the app that is asked for, where that is the cure.
    pub update: Option<&'a Update>,
    /// The member of the request's body that is wrong, as a JSON pointer (RFC 6901); for whoever builds the app.
    pub field: Option<&'a str>,
}

/// RFC 9457 section 3.1, with the members that the SDKs read.
#[derive(Serialize)]
struct ProblemWire<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    remedies: Vec<RemedyWire<'a>>,
    retry: &'static str,
}

/// RFC 6749 section 5.2, with our members.
#[derive(Serialize)]
struct OAuthWire<'a> {
    error: &'static str,
    error_description: &'static str,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    remedies: Vec<RemedyWire<'a>>,
    retry: &'static str,
}

/// A remedy as a button.
#[derive(Serialize)]
struct RemedyWire<'a> {
    kind: &'static str,
    label: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
}

impl<'a> Problem<'a> {
    /// Problem of a class with the remedies of the class, where nobody knows better.
    #[must_use]
    pub const fn of(told: PublicReason, status: StatusCode, decision: Option<&'a DecisionId>) -> Self {
        Self { told, status, decision, remedies: told.remedies(), retry: told.retry(), update: None, field: None }
    }

    /// The document of type [`PROBLEM_JSON`], on one line.
    #[must_use]
    pub fn document(&self) -> Vec<u8> {
        written(&ProblemWire {
            r#type: format!("https://docs.countersign.dev/p/{}", self.told.code()),
            title: self.told.title(),
            status: self.status.as_u16(),
            code: self.told.code(),
            detail: self.told.for_person(),
            field: self.field,
            instance: self.instance(),
            remedies: self.buttons(),
            retry: self.retry.as_str(),
        })
    }

    /// The same in OAuth's words, of type `application/json`.
    #[must_use]
    pub fn oauth_document(&self, error: OAuthError) -> Vec<u8> {
        written(&OAuthWire {
            error: error.code(),
            error_description: self.told.for_person(),
            reason: self.told.code(),
            instance: self.instance(),
            remedies: self.buttons(),
            retry: self.retry.as_str(),
        })
    }

    fn instance(&self) -> Option<String> {
        self.decision.map(|id| format!("urn:csign:decision:{id}"))
    }

    fn buttons(&self) -> Vec<RemedyWire<'a>> {
        let button = |remedy: &Remedy| {
            let update = self.update.filter(|_| *remedy == Remedy::UpdateApp);
            RemedyWire {
                kind: remedy.kind(),
                label: remedy.label(),
                min_version: update.map(|update| update.min_version.as_str()),
                url: update.and_then(|update| update.store.as_deref()),
            }
        };
        self.remedies.iter().map(button).collect()
    }
}

fn written(wire: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(wire).unwrap_or_default()
}

/// Parameters of a challenge beside its error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Strength of the authentication that is asked for (RFC 9470 section 3).
    pub acr: Option<Acr>,
    /// Greatest age of that authentication, or of evidence about the device.
    pub max_age: Option<Seconds>,
}

/// `WWW-Authenticate` of a 401 (RFC 9449 sections 7.1 and 9, RFC 9470 section 3). `None` where nothing is asked for.
#[must_use]
pub fn challenge(challenge: Challenge, wanted: Wanted) -> Option<HeaderValue> {
    let details = match challenge {
        Challenge::Absent => return None,
        Challenge::InsufficientUserAuthentication | Challenge::UseFreshAttestation => details(wanted),
        Challenge::InvalidDpopProof | Challenge::InvalidToken | Challenge::SchemeOnly | Challenge::UseDpopNonce => String::new(),
    };
    let error = challenge.error().map(|error| format!(r#"error="{error}"{details}, "#)).unwrap_or_default();
    HeaderValue::try_from(format!("DPoP {error}{ALGORITHMS}")).ok()
}

fn details(wanted: Wanted) -> String {
    let acr = wanted.acr.map(|acr| format!(r#", acr_values="{}""#, acr.as_str())).unwrap_or_default();
    let age = wanted.max_age.map(|age| format!(r#", max_age="{}""#, age.0)).unwrap_or_default();
    acr + &age
}

/// `Retry-After` (RFC 9110 section 10.2.3) of an answer that says when to come again; `known` where somebody knows.
#[must_use]
pub fn retry_after(told: PublicReason, known: Option<Seconds>) -> Option<HeaderValue> {
    told.says_when().then(|| HeaderValue::from(known.unwrap_or(RETRY_LATER).0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_says_what_is_wanted_where_something_is() {
        let all = Wanted { acr: Some(Acr::PhishingResistant), max_age: Some(Seconds(60)) };
        let rows: &[(Challenge, Wanted, Option<&str>)] = &[
            (Challenge::Absent, all, None),
            (Challenge::SchemeOnly, all, Some(r#"DPoP algs="ES256 EdDSA""#)),
            (Challenge::InvalidToken, all, Some(r#"DPoP error="invalid_token", algs="ES256 EdDSA""#)),
            (Challenge::InvalidDpopProof, all, Some(r#"DPoP error="invalid_dpop_proof", algs="ES256 EdDSA""#)),
            (Challenge::UseDpopNonce, all, Some(r#"DPoP error="use_dpop_nonce", algs="ES256 EdDSA""#)),
            (
                Challenge::UseFreshAttestation,
                Wanted { acr: None, ..all },
                Some(r#"DPoP error="use_fresh_attestation", max_age="60", algs="ES256 EdDSA""#),
            ),
            (
                Challenge::InsufficientUserAuthentication,
                all,
                Some(r#"DPoP error="insufficient_user_authentication", acr_values="phishing_resistant", max_age="60", algs="ES256 EdDSA""#),
            ),
            (
                Challenge::InsufficientUserAuthentication,
                Wanted::default(),
                Some(r#"DPoP error="insufficient_user_authentication", algs="ES256 EdDSA""#),
            ),
        ];
        for (asked, wanted, expected) in rows {
            let got = challenge(*asked, *wanted);
            assert_eq!(got.as_ref().map(|value| value.to_str().expect("text")), *expected, "{asked:?}");
        }
    }

    #[test]
    fn a_store_is_named_beside_the_remedy_that_needs_it() {
        let update = Update { min_version: "7.1".to_owned(), store: Some("https://store.example".to_owned()) };
        for told in PublicReason::ALL {
            let problem = Problem { update: Some(&update), ..Problem::of(*told, StatusCode::FORBIDDEN, None) };
            let named = String::from_utf8(problem.document()).expect("text").contains("https://store.example");
            assert_eq!(named, told.remedies().contains(&Remedy::UpdateApp), "{told:?}");
        }
    }

    #[test]
    fn when_to_come_again_is_said_where_there_is_a_time() {
        let header = |told, known| retry_after(told, known).map(|value| value.to_str().expect("text").to_owned());
        assert_eq!(header(PublicReason::Unavailable, None).as_deref(), Some("5"));
        assert_eq!(header(PublicReason::TooMany, Some(Seconds(17))).as_deref(), Some("17"));
        assert_eq!(header(PublicReason::TokenMissing, Some(Seconds(17))), None);
    }
}
