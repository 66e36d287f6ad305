//! Opening a WebSocket: the handshake to the upstream, its answer to the client, and then the relay.

use std::{sync::Arc, time::Duration};

use countersign_core::Reason;
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use crate::{
    body::{self, Body},
    handshake::{self, Key},
    observe,
    state::Gateway,
    streams::{open::Open, relay},
    upstream::Patience,
};

/// Longest time until the client's connection has become a socket: its `101` must have been written.
const UPGRADE_MAX: Duration = Duration::from_secs(10);

/// Asks the upstream, and relays if it agrees; its refusal is an answer like any other.
///
/// # Errors
/// Why there is no answer.
pub(crate) async fn open(
    gateway: &Arc<Gateway>,
    mut head: request::Parts,
    client: OnUpgrade,
    open: Open,
) -> Result<Response<Body>, Reason> {
    let slot = gateway.slots.take(open.token.session())?;
    // Before the upstream is asked: what changes from here on is heard.
    let listener = gateway.stores.changes.listen();
    let key = bridged(gateway, &mut head);
    handshake::ask(&mut head.headers);
    let asked = head.headers.clone();
    let mut answer = gateway.route.ask(Request::from_parts(head, body::empty()), Patience::Usual).await?;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        // Over HTTP/2 every success would open a socket to nobody.
        let opens = key.is_some() && answer.status().is_success();
        return if opens { Err(Reason::UpstreamUnavailable) } else { Ok(gateway.route.clean(answer)) };
    }
    let accepted = handshake::accepted(&asked, answer.headers());
    let accepted = accepted.and_then(|()| key.as_ref().map_or(Ok(()), |key| key.answered(answer.headers())));
    accepted.map_err(|_| {
        tracing::warn!(opened = %open.opened, "the upstream did not accept the WebSocket handshake");
        Reason::UpstreamUnavailable
    })?;
    let upstream = hyper::upgrade::on(&mut answer);
    let mut welcome = gateway.route.clean(answer).map(|_| body::empty());
    let headers = welcome.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    match key {
        None => {
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            *welcome.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        }
        Some(_) => {
            headers.remove(header::SEC_WEBSOCKET_ACCEPT);
            *welcome.status_mut() = StatusCode::OK;
        }
    }
    let tasks = Arc::clone(gateway);
    let gateway = Arc::clone(gateway);
    tasks.slots.run(async move {
        let both = async { tokio::try_join!(client, upstream) };
        let Ok(Ok((client, upstream))) = tokio::time::timeout(UPGRADE_MAX, both).await else {
            return tracing::debug!(opened = %open.opened, "a connection did not become a WebSocket");
        };
        let _counted = observe::opened(open.kind());
        relay::held(&gateway, &open, listener, TokioIo::new(client), TokioIo::new(upstream)).await;
        drop(slot);
    });
    Ok(welcome)
}

/// A handshake that came over HTTP/2 becomes one of HTTP/1.1, with a key of ours.
fn bridged(gateway: &Gateway, head: &mut request::Parts) -> Option<Key> {
    if head.method != Method::CONNECT {
        return None;
    }
    let mut bytes = [0; 16];
    gateway.entropy.fill(&mut bytes);
    let key = Key::from_random(bytes);
    key.put(head);
    Some(key)
}
