//! What a client says while its connection is held open, on its way to the upstream: as long as the decision stands.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use countersign_core::Reason;
use countersign_policy::StreamRules;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use crate::{
    body::{Body, BodyError},
    grpc::{MessageRefusal, Messages},
    streams::{open::Open, pace::Pace},
};

/// Bytes without structure, until `stop`.
pub(crate) fn bytes(inner: Body, stop: CancellationToken) -> Body {
    Upward { inner, stopped: Box::pin(stop.cancelled_owned()), call: None, state: State::Passing }.boxed_unsync()
}

/// The messages of a call, until `stop` or the first that may not pass, which is reported.
pub(crate) fn messages(inner: Body, open: Arc<Open>, stop: CancellationToken, report: mpsc::Sender<Reason>) -> Body {
    let call = Call { messages: Messages::new(0), pace: None, open, report };
    Upward { inner, stopped: Box::pin(stop.cancelled_owned()), call: Some(call), state: State::Passing }.boxed_unsync()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Over,
    Passing,
}

struct Upward {
    inner: Body,
    stopped: Pin<Box<WaitForCancellationFutureOwned>>,
    call: Option<Call>,
    state: State,
}

/// What a call's messages are held to.
struct Call {
    messages: Messages,
    pace: Option<(u32, Pace)>,
    open: Arc<Open>,
    report: mpsc::Sender<Reason>,
}

impl Call {
    /// All messages that are whole now, if they may pass.
    fn take(&mut self, bytes: &[u8]) -> Result<Bytes, Reason> {
        let Some(StreamRules::Grpc { message_bytes_max, messages_per_second }) = self.open.rules() else {
            return Err(Reason::StreamUndeclared);
        };
        self.messages.limit(message_bytes_max);
        let whole = self.messages.take(bytes).map_err(|refusal| match refusal {
            MessageRefusal::FlagUnknown => Reason::MessageInvalid,
            MessageRefusal::TooLarge => Reason::MessageTooLarge,
        })?;
        if let Some(per_second) = messages_per_second {
            let now = Instant::now();
            let pace = match self.pace.take() {
                Some((declared, pace)) if declared == per_second => pace,
                Some(_) | None => Pace::new(per_second, now),
            };
            let (_, pace) = self.pace.insert((per_second, pace));
            for _ in 0..whole.count {
                pace.take(now).map_err(|_| Reason::MessagesTooMany)?;
            }
        }
        Ok(whole.bytes)
    }
}

impl Upward {
    fn refuse(&mut self, reason: Reason) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.state = State::Over;
        if let Some(call) = &self.call {
            // Where no place is left a report is there already.
            let _ = call.report.try_send(reason);
        }
        Poll::Ready(Some(Err(BodyError::Cut)))
    }
}

impl http_body::Body for Upward {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        loop {
            if this.state == State::Over {
                return Poll::Ready(None);
            }
            if this.stopped.as_mut().poll(cx).is_ready() {
                this.state = State::Over;
                return Poll::Ready(Some(Err(BodyError::Cut)));
            }
            let frame = ready!(Pin::new(&mut this.inner).poll_frame(cx));
            let Some(call) = &mut this.call else { return Poll::Ready(frame) };
            let data = match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => data,
                    // Trailers of a request mean nothing.
                    Err(_) => continue,
                },
                Some(Err(fault)) => {
                    this.state = State::Over;
                    return Poll::Ready(Some(Err(fault)));
                }
                None if call.messages.is_between() => {
                    this.state = State::Over;
                    return Poll::Ready(None);
                }
                None => return this.refuse(Reason::MessageInvalid),
            };
            match call.take(&data) {
                Ok(whole) if whole.is_empty() => {}
                Ok(whole) => return Poll::Ready(Some(Ok(Frame::data(whole)))),
                Err(reason) => return this.refuse(reason),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let between = self.call.as_ref().is_none_or(|call| call.messages.is_between());
        self.state == State::Over || (self.inner.is_end_stream() && between)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.call {
            None => self.inner.size_hint(),
            Some(_) => SizeHint::default(),
        }
    }
}
