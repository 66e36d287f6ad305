//! Step 7 of the way: the watcher hears of a request before it is decided, and of what became of it.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use countersign_core::{AnswerSeen, Clock, Observer, Reason, RequestSeen, ResourceFacts, RiskView, Session};
use countersign_risk::fingerprint::{Field, Salt};
use http::Response;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;

use crate::{
    body::{Body, BodyError},
    context::{RequestContext, Watched},
    state::Gateway,
};

/// Tells the watcher of a request and asks how it looks. What is touched leaves as a fingerprint.
pub(crate) fn observe(
    gateway: &Gateway,
    context: &mut RequestContext,
    session: &Session,
    method: &str,
    resource: &ResourceFacts,
) -> RiskView {
    context.is_watched(Watched { user: session.user.clone(), session: session.id.clone() });
    let Some(action) = context.action() else { return RiskView::default() };
    gateway.observer.request(&RequestSeen {
        user: &session.user,
        session: &session.id,
        device: &session.device,
        client: &session.client,
        action,
        object: Some(object(gateway.objects, resource)),
        method,
        address: context.address(),
        refused: None,
        at: context.at(),
    })
}

fn object(salt: Salt, resource: &ResourceFacts) -> u64 {
    let mut name = Vec::with_capacity(resource.kind.len().saturating_add(resource.id.len()).saturating_add(1));
    name.extend_from_slice(resource.kind.as_bytes());
    name.push(0);
    name.extend_from_slice(resource.id.as_bytes());
    salt.long(Field::Object, &name)
}

/// Tells the watcher that a request which it heard of was refused.
pub(crate) fn refused(gateway: &Gateway, context: &RequestContext, reason: &Reason) {
    if let Some(Watched { user, session }) = context.watched() {
        gateway.observer.answered(&AnswerSeen { user, session, bytes_out: 0, refused: Some(reason), at: gateway.clock.now() });
    }
}

/// Lets the watcher hear how much of an answer left, once it has.
pub(crate) fn counted(gateway: &Gateway, context: &RequestContext, answer: Response<Body>) -> Response<Body> {
    let Some(watched) = context.watched().cloned() else { return answer };
    let (observer, clock) = (Arc::clone(&gateway.observer), Arc::clone(&gateway.clock));
    answer.map(|inner| Counted { inner, bytes: 0, told: AnswerListener { observer, clock, watched } }.boxed_unsync())
}

struct AnswerListener {
    observer: Arc<dyn Observer>,
    clock: Arc<dyn Clock>,
    watched: Watched,
}

/// Counts what passes, and says so when it is dropped: at its end or when the client hung up.
struct Counted {
    inner: Body,
    bytes: u64,
    told: AnswerListener,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.inner).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            let length = frame.data_ref().map_or(0, Buf::remaining);
            this.bytes = this.bytes.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Watched { user, session } = &self.told.watched;
        let at = self.told.clock.now();
        self.told.observer.answered(&AnswerSeen { user, session, bytes_out: self.bytes, refused: None, at });
    }
}
