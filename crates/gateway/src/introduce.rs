//! What whoever serves an admitted request is told of who was let in, whichever door lets in.

use bytes::Bytes;
use countersign_access::problem::DECISION;
use countersign_codec::{base64url, sha256};
use countersign_core::{DecisionId, Facts, Reason, UnixSeconds};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::{
    raw::{ContentDigest, RawRequest},
    state::Gateway,
    statement::Admitted,
};

static IDENTITY: HeaderName = HeaderName::from_static("countersign-identity");
static USER: HeaderName = HeaderName::from_static("countersign-user");

/// The request that a statement is made for, as the client sent it.
pub(crate) struct BoundTo {
    method: Method,
    url: String,
    query: Option<String>,
    content: Option<ContentDigest>,
}

impl BoundTo {
    /// Reads what a request is known by. The handshake of a WebSocket is a `GET`, in whichever version of HTTP.
    pub(crate) fn of(gateway: &Gateway, raw: &RawRequest) -> Self {
        let method = if raw.head.method == Method::CONNECT { Method::GET } else { raw.head.method.clone() };
        Self {
            method,
            url: format!("{}{}", gateway.origin.as_str(), raw.head.uri.path()),
            query: raw.head.uri.query().map(|query| base64url::encode(sha256(&[query.as_bytes()]))),
            content: raw.content.clone(),
        }
    }
}

/// Says who was let in, by which decision, and with which request.
///
/// # Errors
/// A fault of ours: the statement cannot be signed or written.
pub(crate) fn introduce(
    headers: &mut HeaderMap,
    gateway: &Gateway,
    facts: &Facts,
    id: &DecisionId,
    bound_to: &BoundTo,
) -> Result<(), Reason> {
    let session = &facts.session;
    let admitted = Admitted {
        subject: &facts.subject,
        device: &session.device,
        client: &session.client,
        acr: session.acr,
        auth_time: session.auth_time,
        decision: id,
        method: bound_to.method.as_str(),
        url: &bound_to.url,
        query: bound_to.query.as_deref(),
        content: bound_to.content.as_ref().map(ContentDigest::as_str),
    };
    let now: UnixSeconds = facts.now;
    let statement = gateway.statements.sign(&admitted, now).map_err(|_| Reason::Internal)?;
    insert(headers, &IDENTITY, statement)?;
    insert(headers, &USER, facts.subject.as_str().to_owned())?;
    name_decision(headers, id)
}

/// Says by which decision.
///
/// # Errors
/// A fault of ours: the number cannot be written.
pub(crate) fn name_decision(headers: &mut HeaderMap, id: &DecisionId) -> Result<(), Reason> {
    insert(headers, &DECISION, id.as_str().to_owned())
}

fn insert(headers: &mut HeaderMap, name: &HeaderName, text: String) -> Result<(), Reason> {
    let value = HeaderValue::from_maybe_shared(Bytes::from(text)).map_err(|_| Reason::Internal)?;
    headers.insert(name.clone(), value);
    Ok(())
}
