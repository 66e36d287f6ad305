//! Step 11 of the way, for what was let through: the request to the upstream, as obliged, and the answer back.

use std::sync::Arc;

use countersign_core::{DecisionId, Reason};
use countersign_policy::StreamRules;
use countersign_store::Receipt;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use hyper::upgrade::OnUpgrade;

use crate::{
    body::Body,
    hidden,
    introduce::{BoundTo, introduce, name_decision},
    permit::Permit,
    raw::RawRequest,
    state::Gateway,
    streams::{call, open::Open, socket, stream},
};

/// Forwards one request. It takes the permit and the receipt of its record, so nothing passes that was not decided and recorded.
///
/// # Errors
/// Why the upstream's answer cannot be given. The decision stays what it was; nothing of the upstream's answer passes.
pub(crate) async fn send(
    gateway: &Arc<Gateway>,
    mut raw: RawRequest,
    permit: Permit,
    receipt: Receipt,
    id: &DecisionId,
) -> Result<Response<Body>, Reason> {
    tracing::trace!(decision = %id, seq = receipt.seq(), "recorded");
    let masks = permit.masks();
    let (facts, basis) = permit.spend();
    let bound_to = BoundTo::of(gateway, &raw);
    let body = raw.body.judged()?;
    let method = raw.head.method.clone();
    let upgrade = raw.head.extensions.remove::<OnUpgrade>();
    let mut head = gateway.route.readdress(raw.head, &raw.peer).ok_or(Reason::Internal)?;
    introduce(&mut head.headers, gateway, &facts, id, &bound_to)?;
    if let Some(basis) = basis {
        let open = Open::new(basis, facts, id.clone(), raw.peer.address.ip());
        let mut answer = hold(gateway, Request::from_parts(head, body), upgrade, open).await?;
        name_decision(answer.headers_mut(), id)?;
        return Ok(answer);
    }
    let answer = gateway.route.send(Request::from_parts(head, body)).await?;
    let mut answer = if masks.is_empty() { answer } else { hidden::masked(answer, &masks, &method).await? };
    name_decision(answer.headers_mut(), id)?;
    Ok(answer)
}

/// Opens what stays open, by its kind.
async fn hold(gateway: &Arc<Gateway>, request: Request<Body>, upgrade: Option<OnUpgrade>, open: Open) -> Result<Response<Body>, Reason> {
    let (mut head, body) = request.into_parts();
    let rules = **open.rules.load();
    match rules {
        StreamRules::WebSocket { .. } => socket::open(gateway, head, upgrade.ok_or(Reason::Internal)?, open).await,
        StreamRules::Events { .. } => {
            ask_in_plain(&mut head.headers);
            stream::open(gateway, Request::from_parts(head, body), open).await
        }
        StreamRules::Grpc { .. } => call::open(gateway, Request::from_parts(head, body), open).await,
        StreamRules::Stream => stream::open(gateway, Request::from_parts(head, body), open).await,
    }
}

/// Asks for an answer that can be read event by event: whole, and not compressed.
fn ask_in_plain(headers: &mut HeaderMap) {
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.remove(header::RANGE);
    headers.remove(header::IF_RANGE);
}
