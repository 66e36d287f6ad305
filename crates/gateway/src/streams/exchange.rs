//! An ordinary exchange, of which no stream is declared: a request and its answer, watched from the moment on at which it counts as one
//! that lasts.
//!
//! Most are over before that, and cost a timer. One that goes on is judged again as a declared stream is, whenever something changes that
//! concerns it; when the answer is no longer yes, the request breaks off on its way to the upstream, and the answer on its way to the
//! client, so that neither is ever taken for a whole one. It has an end in any case.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use countersign_core::{DecisionId, Reason};
use futures_util::{FutureExt, future::BoxFuture};
use http::{Request, Response};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};

use crate::{
    answer,
    body::{Body, BodyError},
    observe,
    slots::Turn,
    state::Gateway,
    streams::{
        open::Open,
        recheck::{self, Cut},
        upward,
    },
};

/// Sends `request` by `ask`, and passes its answer on, as long as the decision stands.
///
/// # Errors
/// Why there is no answer.
pub(crate) async fn open<A, F>(gateway: &Arc<Gateway>, request: Request<Body>, open: Open, ask: A) -> Result<Response<Body>, Reason>
where
    A: FnOnce(Request<Body>) -> F,
    F: Future<Output = Result<Response<Body>, Reason>>,
{
    let began = Instant::now();
    let turn = Arc::new(gateway.slots.enter(&open.user)?);
    let open = Arc::new(open);
    let (stop, uploaded) = (CancellationToken::new(), CancellationToken::new());
    let request = request.map(|body| upload(body, &stop, &uploaded, &turn));
    let mut watch = {
        let (gateway, open) = (Arc::clone(gateway), Arc::clone(&open));
        async move { until_it_must_end(&gateway, &open, began).await }.boxed()
    };
    let answer = tokio::select! {
        biased;
        cut = &mut watch => {
            stop.cancel();
            return Ok(before_any_word(gateway, &open, cut).await);
        }
        answer = ask(request) => answer?,
    };
    let (gone, opened) = (CancellationToken::new(), open.opened.clone());
    let start =
        Start { gateway: Arc::clone(gateway), open, watch, stop: stop.clone(), gone: gone.clone(), uploaded: uploaded.clone(), turn };
    if uploaded.is_cancelled() {
        if answer.body().is_end_stream() {
            return Ok(answer);
        }
        return Ok(answer.map(|inner| passing(inner, opened, &stop, gone, Some(start))));
    }
    // The answer came before the end of the request; both go on.
    start.now();
    Ok(answer.map(|inner| passing(inner, opened, &stop, gone, None)))
}

/// Waits until an exchange must end: nothing of it is looked at again before it counts as one that lasts.
async fn until_it_must_end(gateway: &Gateway, open: &Open, began: Instant) -> Cut {
    let config = gateway.slots.config();
    let over = async {
        match began.checked_add(config.exchange_max) {
            Some(end) => tokio::time::sleep_until(end).await,
            None => std::future::pending().await,
        }
    };
    let judged = async {
        tokio::time::sleep(config.unwatched_max).await;
        // It is judged at once, after this has begun to listen: no change falls in between.
        recheck::until_it_must_end(gateway, open, gateway.stores.changes.listen()).await
    };
    tokio::select! {
        biased;
        cut = judged => cut,
        () = over => Cut::because(gateway, open, Reason::ExchangeTooLong.into()),
    }
}

/// Cut before the upstream said anything: the answer is ours.
pub(crate) async fn before_any_word(gateway: &Gateway, open: &Open, mut cut: Cut) -> Response<Body> {
    cut.record(gateway, open).await;
    answer::refusal(&cut.refusal, cut.context.id(), &gateway.access.nonces, gateway.clock.now())
}

/// Passes what the client sends, until `stop`; `over` is cancelled with it.
fn upload(inner: Body, stop: &CancellationToken, over: &CancellationToken, turn: &Arc<Turn>) -> Body {
    if inner.is_end_stream() {
        over.cancel();
        return inner;
    }
    Upload { inner: upward::bytes(inner, stop.clone()), _over: over.clone().drop_guard(), _turn: Arc::clone(turn) }.boxed_unsync()
}

struct Upload {
    inner: Body,
    _over: DropGuard,
    _turn: Arc<Turn>,
}

impl http_body::Body for Upload {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A watch that has not been given a task of its own yet.
struct Start {
    gateway: Arc<Gateway>,
    open: Arc<Open>,
    watch: BoxFuture<'static, Cut>,
    stop: CancellationToken,
    gone: CancellationToken,
    uploaded: CancellationToken,
    turn: Arc<Turn>,
}

impl Start {
    fn now(self) {
        let Self { gateway, open, watch, stop, gone, uploaded, turn } = self;
        tokio::spawn(async move {
            let over = async {
                gone.cancelled().await;
                uploaded.cancelled().await;
            };
            tokio::select! {
                () = over => {}
                mut cut = watch => {
                    // From here on nothing passes any more.
                    stop.cancel();
                    cut.record(&gateway, &open).await;
                }
            }
            drop(turn);
        });
    }
}

/// The answer, until `stop`. Most answers are there as soon as they are asked for, and need no task that watches over them.
fn passing(inner: Body, opened: DecisionId, stop: &CancellationToken, gone: CancellationToken, start: Option<Start>) -> Body {
    Passing { inner, stopped: Box::pin(stop.clone().cancelled_owned()), start, over: false, opened, _gone: gone.drop_guard() }
        .boxed_unsync()
}

struct Passing {
    inner: Body,
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
    start: Option<Start>,
    over: bool,
    opened: DecisionId,
    _gone: DropGuard,
}

impl Passing {
    fn goes_on(&mut self) {
        if let Some(start) = self.start.take() {
            start.now();
        }
    }
}

impl http_body::Body for Passing {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if this.over {
            return Poll::Ready(None);
        }
        // What was cut says nothing more, whatever the upstream still has to say.
        if this.stopped.as_mut().poll(cx).is_ready() {
            this.over = true;
            return Poll::Ready(Some(Err(BodyError::Cut)));
        }
        let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) else {
            this.goes_on();
            return Poll::Pending;
        };
        match &frame {
            Some(Ok(_)) if this.inner.is_end_stream() => {}
            Some(Ok(_)) => this.goes_on(),
            None => this.over = true,
            Some(Err(fault)) => {
                // The client sees that it breaks off, and only the log says why.
                observe::broken(&this.opened, fault);
                this.over = true;
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.over || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
