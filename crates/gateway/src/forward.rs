//! Step 11 of the way, for what was let through: the request to the upstream, as obliged, and the answer back.

use std::sync::Arc;

use countersign_access::problem::DECISION;
use countersign_core::{DecisionId, MaskPath, Reason};
use countersign_policy::StreamRules;
use countersign_store::Written;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use hyper::upgrade::OnUpgrade;

use crate::{
    body::Body,
    exchange::Stage,
    grpc::Kind,
    hidden,
    introduce::{BoundTo, introduce, name_decision},
    peer::Peer,
    permit::Permit,
    raw::RawRequest,
    state::Gateway,
    streams::{call, exchange, open::Open, socket, stream},
};

/// Forwards one request. It takes the permit and the receipt of its record, so nothing passes that was not decided and recorded.
///
/// # Errors
/// Why the upstream's answer cannot be given. The decision stays what it was; nothing of the upstream's answer passes.
pub(crate) async fn send(
    gateway: &Arc<Gateway>,
    mut raw: RawRequest,
    permit: Permit,
    receipt: Written,
    id: &DecisionId,
) -> Result<Response<Body>, Reason> {
    tracing::trace!(decision = %id, seq = receipt.seq(), "recorded");
    let masks = permit.masks();
    let (facts, basis) = permit.spend();
    let basis = basis.ok_or(Reason::Internal)?;
    raw.peer.reaches(basis.rules.map_or(Stage::Admitted, |_| Stage::Declared));
    let bound_to = BoundTo::of(gateway, &raw);
    let body = raw.body.judged()?;
    let method = raw.head.method.clone();
    let upgrade = raw.head.extensions.remove::<OnUpgrade>();
    let mut head = gateway.route.readdress(raw.head, &raw.peer).ok_or(Reason::Internal)?;
    introduce(&mut head.headers, gateway, &facts, id, &bound_to)?;
    let peer = raw.peer.clone();
    let (rules, open) = (basis.rules, Open::new(basis, facts, id.clone(), masks.clone(), raw.peer));
    let request = Request::from_parts(head, body);
    let mut answer = match rules {
        Some(rules) => hold(gateway, request, upgrade, rules, open).await?,
        None => exchange::open(gateway, request, open, |request| plain(gateway, request, &masks, &method, &peer)).await?,
    };
    // What was cut before any word of the upstream's names the decision that cut it.
    if !answer.headers().contains_key(&DECISION) {
        name_decision(answer.headers_mut(), id)?;
    }
    Ok(answer)
}

/// An answer of which no stream is declared, and so none may be one.
async fn plain(
    gateway: &Gateway,
    request: Request<Body>,
    masks: &[MaskPath],
    method: &Method,
    peer: &Peer,
) -> Result<Response<Body>, Reason> {
    let asked = Kind::of(request.headers());
    let answer = gateway.route.send(request).await?;
    // A unary call is a request and its answer like any other; nobody else is answered with messages.
    let is_call = Kind::of(answer.headers()) != Kind::Other && asked == Kind::Other;
    if stream::are_events(answer.headers()) || is_call {
        return Err(Reason::StreamUndeclared);
    }
    if masks.is_empty() { Ok(answer) } else { hidden::masked(answer, masks, method, peer).await }
}

/// Opens what stays open, by its kind.
async fn hold(
    gateway: &Arc<Gateway>,
    request: Request<Body>,
    upgrade: Option<OnUpgrade>,
    rules: StreamRules,
    open: Open,
) -> Result<Response<Body>, Reason> {
    let (mut head, body) = request.into_parts();
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
