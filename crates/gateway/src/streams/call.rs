//! A call of gRPC: messages both ways while its decision stands, and a status of ours when it does not any more.
//!
//! The watch begins before the upstream has answered, since servers of gRPC may say nothing, not even a head, until they have
//! something to say. Only whole messages pass, so that the trailers of a cut never stand inside of one.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use countersign_core::Reason;
use countersign_policy::StreamRules;
use futures_util::{FutureExt, future::BoxFuture};
use http::{HeaderMap, Request, Response, header};
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    answer,
    body::{self, Body, BodyError},
    grpc::{self, Kind, MessageRefusal, Messages},
    observe,
    relay::clean_head,
    slots::Slot,
    state::Gateway,
    streams::{
        open::Open,
        recheck::{self, Cut},
        upward,
    },
    upstream::Patience,
};

/// What watches over a call.
struct Watched {
    open: Arc<Open>,
    slot: Slot,
    judged: BoxFuture<'static, Cut>,
    reports: mpsc::Receiver<Reason>,
    /// Stops the client's messages, whatever happens.
    stop: Stop,
}

/// Stops what passes, when it is dropped.
struct Stop(CancellationToken);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Asks the upstream, and passes messages on as long as the decision stands.
///
/// # Errors
/// Why there is no answer.
pub(crate) async fn open(gateway: &Arc<Gateway>, request: Request<Body>, open: Open) -> Result<Response<Body>, Reason> {
    let slot = gateway.slots.take(open.token.session())?;
    // Before the upstream is asked: what changes from here on is heard.
    let listener = gateway.stores.changes.listen();
    let open = Arc::new(open);
    let (report, reports) = mpsc::channel(2);
    let stop = CancellationToken::new();
    let request = request.map(|body| upward::messages(body, Arc::clone(&open), stop.clone(), report.clone()));
    let judged = {
        let (gateway, open) = (Arc::clone(gateway), Arc::clone(&open));
        async move { recheck::until_it_must_end(&gateway, &open, listener).await }.boxed()
    };
    let mut watched = Watched { open, slot, judged, reports, stop: Stop(stop) };
    let cut = tokio::select! {
        biased;
        cut = &mut watched.judged => cut,
        Some(reason) = watched.reports.recv() => Cut::because(gateway, &watched.open, reason.into()),
        answer = gateway.route.ask(request, Patience::Held) => return pass(gateway, answer?, watched, report),
    };
    drop(watched.stop);
    Ok(before_any_word(gateway, &watched.open, cut).await)
}

/// Cut before the upstream said anything: the answer is ours.
async fn before_any_word(gateway: &Gateway, open: &Open, mut cut: Cut) -> Response<Body> {
    cut.record(gateway, open).await;
    let id = cut.context.id();
    let problem = answer::refusal(&cut.refusal, id, &gateway.access.nonces, gateway.clock.now());
    grpc::refused(problem, &cut.refusal, id)
}

/// The upstream's answer under judgement.
fn pass<B>(gateway: &Arc<Gateway>, answer: Response<B>, watched: Watched, report: mpsc::Sender<Reason>) -> Result<Response<Body>, Reason>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (mut head, upstream) = clean_head(answer).into_parts();
    if Kind::of(&head.headers) != Kind::Grpc {
        tracing::warn!(opened = %watched.open.opened, status = %head.status, "the upstream's answer is not a gRPC response");
        return Err(Reason::UpstreamUnavailable);
    }
    head.headers.remove(header::CONTENT_LENGTH);
    if upstream.is_end_stream() {
        // The head is all there is, and the status stands in it.
        return Ok(Response::from_parts(head, body::empty()));
    }
    let (say, word) = oneshot::channel();
    let gone = CancellationToken::new();
    let down = Down {
        inner: body::bounded(upstream, grpc::CALL_BOUNDS),
        messages: Messages::new(0),
        open: Arc::clone(&watched.open),
        word,
        report,
        stopped: watched.stop.0.clone(),
        state: State::Passing,
        _gone: gone.clone().drop_guard(),
    };
    let tasks = Arc::clone(gateway);
    tasks.slots.run(until_it_ends(Arc::clone(gateway), watched, gone, say));
    Ok(Response::from_parts(head, down.boxed_unsync()))
}

async fn until_it_ends(gateway: Arc<Gateway>, watched: Watched, gone: CancellationToken, say: oneshot::Sender<HeaderMap>) {
    let Watched { open, slot, judged, mut reports, stop } = watched;
    let _counted = observe::opened(open.kind());
    let cut = tokio::select! {
        () = gone.cancelled() => None,
        cut = judged => Some(cut),
        Some(reason) = reports.recv() => Some(Cut::because(&gateway, &open, reason.into())),
    };
    // From here on nothing passes any more.
    drop(stop);
    if let Some(mut cut) = cut {
        cut.record(&gateway, &open).await;
        // Whether anybody still reads it or not.
        let _ = say.send(grpc::trailers(&cut.refusal, cut.context.id()));
    }
    drop(slot);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Over,
    Passing,
    /// Nothing of the upstream's passes any more; the last word is still to come.
    Waiting,
}

/// What the upstream says, under judgement.
struct Down {
    inner: Body,
    messages: Messages,
    open: Arc<Open>,
    /// The status, when the call is cut.
    word: oneshot::Receiver<HeaderMap>,
    /// Tells the watch what the upstream did wrong.
    report: mpsc::Sender<Reason>,
    /// Nothing passes any more: the cut is being recorded.
    stopped: CancellationToken,
    state: State,
    /// The watch ends with the body.
    _gone: DropGuard,
}

impl Down {
    /// All messages that are whole now.
    fn take(&mut self, bytes: &[u8]) -> Result<Bytes, Reason> {
        let Some(StreamRules::Grpc { message_bytes_max, .. }) = self.open.rules() else { return Err(Reason::StreamUndeclared) };
        self.messages.limit(message_bytes_max);
        self.messages.take(bytes).map(|whole| whole.bytes).map_err(|refusal| match refusal {
            MessageRefusal::FlagUnknown => Reason::UpstreamUnavailable,
            MessageRefusal::TooLarge => Reason::MessageTooLarge,
        })
    }

    /// What the upstream said next: a frame to pass on, nothing yet, or why the call cannot go on.
    fn next(&mut self, frame: Option<Result<Frame<Bytes>, BodyError>>) -> Result<Option<Frame<Bytes>>, Reason> {
        // A call ends with its status, and not in the middle of a message.
        let Some(Ok(frame)) = frame else { return Err(Reason::UpstreamUnavailable) };
        match frame.into_data() {
            Ok(data) => self.take(&data).map(|whole| (!whole.is_empty()).then(|| Frame::data(whole))),
            Err(trailers) if self.messages.is_between() => {
                self.state = State::Over;
                Ok(Some(trailers))
            }
            Err(_) => Err(Reason::UpstreamUnavailable),
        }
    }
}

impl http_body::Body for Down {
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
                return Poll::Ready(Some(word.map(Frame::trailers).map_err(|_| BodyError::Cut)));
            }
            if this.state == State::Waiting || this.stopped.is_cancelled() {
                // The word wakes it.
                return Poll::Pending;
            }
            let frame = ready!(Pin::new(&mut this.inner).poll_frame(cx));
            match this.next(frame) {
                Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                Ok(None) => {}
                Err(reason) => {
                    this.state = State::Waiting;
                    let _ = this.report.try_send(reason);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.state == State::Over
    }
}
