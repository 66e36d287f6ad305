//! Answers that go on: passed through while their decision stands.
//!
//! Events end with an event of ours; other streams break off, so that a shortened answer is never taken for a whole one.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use countersign_core::Reason;
use countersign_policy::StreamRules;
use futures_util::FutureExt;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    body::{self, Body, BodyError, Bounds},
    observe,
    relay::clean_head,
    state::Gateway,
    streams::{
        events::Events,
        exchange::before_any_word,
        notice,
        open::Open,
        recheck::{self, Cut},
        upward,
    },
    upstream::Patience,
};

/// Asks the upstream, and passes its answer on as long as the decision stands.
///
/// # Errors
/// Why there is no answer.
pub(crate) async fn open(gateway: &Arc<Gateway>, request: Request<Body>, open: Open) -> Result<Response<Body>, Reason> {
    let slot = gateway.slots.take(open.token.session())?;
    let open = Arc::new(open);
    let listener = gateway.stores.changes.listen();
    let (gone, stop) = (CancellationToken::new(), CancellationToken::new());
    let request = request.map(|body| upward::bytes(body, stop.clone()));
    let mut judged = {
        let (gateway, open) = (Arc::clone(gateway), Arc::clone(&open));
        async move { recheck::until_it_must_end(&gateway, &open, listener).await }.boxed()
    };
    let answer = tokio::select! {
        biased;
        cut = &mut judged => {
            stop.cancel();
            return Ok(before_any_word(gateway, &open, cut).await);
        }
        answer = gateway.route.ask(request, Patience::Usual) => answer?,
    };
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Reason::UpstreamUnavailable);
    }
    let (mut head, upstream) = clean_head(answer).into_parts();
    let events = match open.rules() {
        Some(StreamRules::Events { event_bytes_max }) if are_events(&head.headers) => Some(Events::new(event_bytes_max)),
        Some(StreamRules::Events { .. } | StreamRules::Grpc { .. } | StreamRules::Stream | StreamRules::WebSocket { .. }) | None => None,
    };
    if events.is_some() {
        // The last event is ours, and nobody counted on it.
        head.headers.remove(header::CONTENT_LENGTH);
    }
    let bounds = Bounds { bytes_max: u64::MAX, idle_max: gateway.slots.config().idle_max };
    let (say, word) = oneshot::channel();
    let (report, reported) = oneshot::channel();
    let held = Held {
        inner: body::bounded(upstream, bounds),
        events,
        word,
        stopped: stop.clone(),
        report: Some(report),
        state: State::Passing,
        _gone: gone.clone().drop_guard(),
    };
    let tasks = Arc::clone(gateway);
    let gateway = Arc::clone(gateway);
    tasks.slots.run(async move {
        let _counted = observe::opened(open.kind());
        tokio::select! {
            () = gone.cancelled() => {}
            cut = judged => {
                stop.cancel();
                end(&gateway, &open, cut, say).await;
            }
            Ok(reason) = reported => Cut::because(&gateway, &open, reason.into()).record(&gateway, &open).await,
        }
        drop(slot);
    });
    Ok(Response::from_parts(head, held.boxed_unsync()))
}

/// The log first, and then the client: meanwhile nothing passes.
async fn end(gateway: &Gateway, open: &Open, mut cut: Cut, say: oneshot::Sender<Bytes>) {
    cut.record(gateway, open).await;
    // Whether anybody still reads it or not.
    let _ = say.send(notice::event(&cut.refusal, cut.context.id()));
}

pub(crate) fn are_events(headers: &HeaderMap) -> bool {
    let plain = headers.get(header::CONTENT_ENCODING).is_none_or(|coding| coding == "identity");
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    plain && kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Passing,
    Over,
}

/// A body under judgement.
struct Held {
    inner: Body,
    /// Cuts the stream into events, where it is one.
    events: Option<Events>,
    /// The last event, when the connection is cut.
    word: oneshot::Receiver<Bytes>,
    /// Nothing passes any more, and the last event is still to come: the cut is being recorded.
    stopped: CancellationToken,
    /// Tells the watch that an event was too large.
    report: Option<oneshot::Sender<Reason>>,
    state: State,
    /// The watch ends with the body.
    _gone: DropGuard,
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        loop {
            if this.state == State::Over {
                return Poll::Ready(None);
            }
            // What was cut says nothing more, whatever the upstream still has to say.
            if let Poll::Ready(word) = this.word.poll_unpin(cx) {
                this.state = State::Over;
                return Poll::Ready(match (word, &this.events) {
                    (Ok(last), Some(_)) => Some(Ok(Frame::data(last))),
                    (Ok(_) | Err(_), _) => Some(Err(BodyError::Cut)),
                });
            }
            if this.stopped.is_cancelled() {
                // The word wakes it.
                return Poll::Pending;
            }
            let frame = std::task::ready!(Pin::new(&mut this.inner).poll_frame(cx));
            match (frame, &mut this.events) {
                (Some(Ok(frame)), Some(events)) => {
                    // Trailers mean nothing to a reader of events.
                    let Ok(data) = frame.into_data() else { continue };
                    match events.take(&data) {
                        Ok(whole) if whole.is_empty() => {}
                        Ok(whole) => return Poll::Ready(Some(Ok(Frame::data(whole)))),
                        Err(_) => {
                            this.state = State::Over;
                            if let Some(report) = this.report.take() {
                                let _ = report.send(Reason::MessageTooLarge);
                            }
                            return Poll::Ready(Some(Err(BodyError::TooLarge)));
                        }
                    }
                }
                (frame, _) => {
                    if !matches!(frame, Some(Ok(_))) {
                        this.state = State::Over;
                    }
                    return Poll::Ready(frame);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.state == State::Over
    }
}
