//! Metadata of this authorization server and its public keys (RFC 8414, RFC 7517).

use axum::response::Response;
use countersign_core::Reason;
use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{answer, context::RequestContext, paths, receive::Call, refusal::Refusal, state::Issuer};

/// Metadata by RFC 8414 section 2. There is no authorization endpoint: a native app's person signs in at the login endpoint, which gives
/// the code, so no browser takes part. So neither a response type nor the code grant is listed, which a client would take to mean that there
/// is one; who knows our login endpoint knows that its code is redeemed at the token endpoint.
#[derive(Serialize)]
struct Metadata {
    issuer: String,
    token_endpoint: String,
    revocation_endpoint: String,
    jwks_uri: String,
    response_types_supported: [&'static str; 0],
    grant_types_supported: [&'static str; 1],
    token_endpoint_auth_methods_supported: [&'static str; 1],
    revocation_endpoint_auth_methods_supported: [&'static str; 1],
    code_challenge_methods_supported: [&'static str; 1],
    dpop_signing_alg_values_supported: [&'static str; 2],
    countersign_challenge_endpoint: String,
    countersign_device_endpoint: String,
    countersign_login_endpoint: String,
    countersign_registration_endpoint: String,
}

/// Answers with the metadata.
pub async fn metadata(issuer: &Issuer, _: &Call, _: &RequestContext) -> Result<Response, Refusal> {
    let origin = issuer.config.public_origin.as_str();
    let at = |path: &str| format!("{origin}{path}");
    let metadata = Metadata {
        issuer: origin.to_owned(),
        token_endpoint: at(paths::TOKEN),
        revocation_endpoint: at(paths::REVOKE),
        jwks_uri: at(paths::JWKS),
        response_types_supported: [],
        grant_types_supported: ["refresh_token"],
        token_endpoint_auth_methods_supported: ["none"],
        revocation_endpoint_auth_methods_supported: ["none"],
        code_challenge_methods_supported: ["S256"],
        dpop_signing_alg_values_supported: ["ES256", "EdDSA"],
        countersign_challenge_endpoint: at(paths::CHALLENGE),
        countersign_device_endpoint: at(paths::DEVICES),
        countersign_login_endpoint: at(paths::LOGIN_START),
        countersign_registration_endpoint: at(paths::REGISTRATION_START),
    };
    Ok(answer::json(StatusCode::OK, &metadata))
}

/// Answers with every public key that signs, will soon sign, or signed something that may still be in use: access tokens and statements.
pub async fn jwks(issuer: &Issuer, _: &Call, context: &RequestContext) -> Result<Response, Refusal> {
    let mut keys = Vec::new();
    for ring in [&issuer.keys.access, &issuer.keys.statements] {
        let mut set: Value = serde_json::from_str(&ring.load().published(context.second()).to_jwks())
            .map_err(|_| Refusal::because(Reason::Internal, "a key set is JSON".to_owned()))?;
        if let Some(Value::Array(found)) = set.get_mut("keys") {
            keys.append(found);
        }
    }
    Ok(answer::document(StatusCode::OK, "application/jwk-set+json", json!({ "keys": keys }).to_string()))
}
