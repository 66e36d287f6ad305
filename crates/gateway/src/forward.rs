//! Step 11 of the way, for what was let through: the request to the upstream, as obliged, and the answer back.

use std::sync::Arc;

use bytes::Bytes;
use countersign_access::problem::DECISION;
use countersign_core::{DecisionId, MaskPath, Reason};
use countersign_policy::StreamRules;
use countersign_store::Receipt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::upgrade::OnUpgrade;

use crate::{
    body::{self, Body, BodyError},
    exchange::Stage,
    grpc::Kind,
    introduce::{introduce, name_decision},
    media::Media,
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
    receipt: Receipt,
    id: &DecisionId,
) -> Result<Response<Body>, Reason> {
    tracing::trace!(decision = %id, seq = receipt.seq(), "recorded");
    let masks = permit.masks();
    let (facts, basis) = permit.spend();
    let basis = basis.ok_or(Reason::Internal)?;
    raw.peer.reaches(basis.rules.map_or(Stage::Admitted, |_| Stage::Declared));
    let body = raw.body.judged()?;
    let method = raw.head.method.clone();
    let upgrade = raw.head.extensions.remove::<OnUpgrade>();
    let mut head = gateway.route.readdress(raw.head, &raw.peer).ok_or(Reason::Internal)?;
    introduce(&mut head.headers, gateway, &facts, id)?;
    if !masks.is_empty() {
        ask_in_plain(&mut head.headers);
    }
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
    if masks.is_empty() { Ok(answer) } else { masked(answer, masks, method, peer).await }
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

/// What must be read must not be compressed, and must be whole.
fn ask_in_plain(headers: &mut HeaderMap) {
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.remove(header::RANGE);
    headers.remove(header::IF_RANGE);
}

/// The answer without the fields that must be hidden, or none at all.
async fn masked(answer: Response<Body>, masks: &[MaskPath], method: &Method, peer: &Peer) -> Result<Response<Body>, Reason> {
    let (mut head, body) = answer.into_parts();
    // Validators and digests are of the whole representation, and nobody else may see this one.
    for name in [header::ETAG, header::ACCEPT_RANGES, HeaderName::from_static("content-digest"), HeaderName::from_static("repr-digest")] {
        head.headers.remove(name);
    }
    head.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let bodiless = *method == Method::HEAD || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if bodiless {
        head.headers.remove(header::CONTENT_LENGTH);
        return Ok(Response::from_parts(head, body::empty()));
    }
    let media = Media::of(&head.headers);
    if head.status == StatusCode::PARTIAL_CONTENT {
        return Err(Reason::ResponseNotMaskable);
    }
    let kept = body::kept(body, peer.clone());
    let bytes = body::collect(kept, countersign_core::Limits::PARSED_BODY_BYTES_MAX).await.map_err(|fault| match fault {
        BodyError::NoRoom => Reason::BuffersFull,
        BodyError::Broken(_) | BodyError::Cut | BodyError::TooLarge | BodyError::TooSlow => Reason::ResponseNotMaskable,
    })?;
    let hidden = match media {
        Media::Other if bytes.is_empty() => bytes,
        Media::Other => return Err(Reason::ResponseNotMaskable),
        Media::Json => countersign_policy::mask(&bytes, masks).map(Bytes::from).map_err(|_| Reason::ResponseNotMaskable)?,
    };
    head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(hidden.len()));
    Ok(Response::from_parts(head, body::full(hidden)))
}
