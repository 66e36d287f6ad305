//! What whoever serves an admitted request is told of who was let in, whichever door lets in.

use bytes::Bytes;
use countersign_access::problem::DECISION;
use countersign_core::{DecisionId, Facts, Reason, UnixSeconds};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{state::Gateway, statement::Admitted};

static IDENTITY: HeaderName = HeaderName::from_static("countersign-identity");
static USER: HeaderName = HeaderName::from_static("countersign-user");

/// Says who was let in, and by which decision.
///
/// # Errors
/// A fault of ours: the statement cannot be signed or written.
pub(crate) fn introduce(headers: &mut HeaderMap, gateway: &Gateway, facts: &Facts, id: &DecisionId) -> Result<(), Reason> {
    let session = &facts.session;
    let admitted = Admitted {
        subject: &facts.subject,
        device: &session.device,
        client: &session.client,
        acr: session.acr,
        auth_time: session.auth_time,
        decision: id,
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
