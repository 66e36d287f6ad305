//! Bodies as they pass the listener, with one rule for all doors: how many bytes a request may bring, how long the next may take and how
//! long all of them, and what of it may be kept in memory. What is admitted is held to other times, and a declared stream to its own.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use countersign_core::Limits;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use tokio::time::{Instant, Sleep};

use crate::{
    body::{self, Body, BodyError},
    exchange::{Exchange, Stage},
};

/// Rules that the bodies of requests are held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyRules {
    /// Bytes in all, where no stream is declared.
    pub bytes_max: u64,
    /// Longest wait for the next bytes before the request is admitted.
    pub door_idle_max: Duration,
    /// Longest time for all bytes before the request is admitted.
    pub door_time_max: Duration,
    /// Longest wait for the next bytes of an admitted request.
    pub idle_max: Duration,
    /// Longest time for all bytes of an admitted request.
    pub time_max: Duration,
}

impl BodyRules {
    /// Rules that [`Limits`] names.
    pub const USUAL: Self = Self {
        bytes_max: Limits::STREAMED_BODY_BYTES_MAX,
        door_idle_max: Duration::from_secs(Limits::DOOR_BODY_IDLE_MAX.0),
        door_time_max: Duration::from_secs(Limits::DOOR_BODY_TIME_MAX.0),
        idle_max: Duration::from_secs(30),
        time_max: Duration::from_secs(Limits::EXCHANGE_TIME_MAX.0),
    };

    /// Latest moment for the next bytes; `None` where a stream's own rules count.
    fn latest(self, stage: Stage, began: Instant, waiting_since: Instant) -> Option<Instant> {
        let (idle_max, time_max) = match stage {
            Stage::Arriving => (self.door_idle_max, self.door_time_max),
            Stage::Proven => (self.idle_max, self.door_time_max),
            Stage::Admitted => (self.idle_max, self.time_max),
            Stage::Declared => return None,
        };
        Some(waiting_since.checked_add(idle_max)?.min(began.checked_add(time_max)?))
    }
}

/// The body of a request at a door that is not the public listener's, within `rules`: its bytes and times are bounded all the same.
pub fn at_door<B>(inner: B, rules: BodyRules) -> Body
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    bounded(inner, Course { exchange: None, began: Instant::now() }, rules)
}

/// The body of a request, within `rules`. `exchange` says how far it has come, and is charged for what is kept.
pub(crate) fn arriving<B>(inner: B, exchange: Arc<Exchange>, rules: BodyRules) -> Body
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let began = exchange.began();
    bounded(inner, Course { exchange: Some(exchange), began }, rules)
}

/// Exchange that a body belongs to, if there is one.
struct Course {
    exchange: Option<Arc<Exchange>>,
    began: Instant,
}

impl Course {
    fn stage(&self) -> Stage {
        self.exchange.as_ref().map_or(Stage::Arriving, |exchange| exchange.stage())
    }

    fn keep(&self, bytes: usize) -> Result<(), BodyError> {
        self.exchange.as_ref().map_or(Ok(()), |exchange| exchange.keep(bytes).map_err(|_| BodyError::NoRoom))
    }
}

fn bounded<B>(inner: B, course: Course, rules: BodyRules) -> Body
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if inner.is_end_stream() {
        return body::empty();
    }
    Arriving { inner, course, rules, bytes: 0, waiting_since: None, alarm: None, ended: false }.boxed_unsync()
}

struct Arriving<B> {
    inner: B,
    course: Course,
    rules: BodyRules,
    bytes: u64,
    /// Since when bytes are waited for.
    waiting_since: Option<Instant>,
    alarm: Option<Pin<Box<Sleep>>>,
    ended: bool,
}

impl<B> Arriving<B> {
    /// Ready when the next bytes are too late.
    fn too_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let waiting_since = *self.waiting_since.get_or_insert_with(Instant::now);
        loop {
            let stage = self.course.stage();
            let Some(latest) = self.rules.latest(stage, self.course.began, waiting_since) else {
                self.alarm = None;
                return Poll::Pending;
            };
            if Instant::now() >= latest {
                return Poll::Ready(());
            }
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(latest)));
            if alarm.deadline() != latest {
                alarm.as_mut().reset(latest);
            }
            // When it rings, the exchange may have come further, and the latest moment with it.
            ready!(alarm.as_mut().poll(cx));
        }
    }

    fn take(&mut self, data: &Bytes) -> Result<(), BodyError> {
        let stage = self.course.stage();
        let length = data.remaining();
        self.bytes = self.bytes.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        if stage != Stage::Declared && self.bytes > self.rules.bytes_max {
            return Err(BodyError::TooLarge);
        }
        let now = Instant::now();
        if self.rules.latest(stage, self.course.began, now).is_some_and(|latest| now >= latest) {
            return Err(BodyError::TooSlow);
        }
        match stage {
            Stage::Arriving | Stage::Proven => self.course.keep(length),
            Stage::Admitted | Stage::Declared => Ok(()),
        }
    }
}

impl<B> http_body::Body for Arriving<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        let fault = match Pin::new(&mut this.inner).poll_frame(cx) {
            Poll::Pending => {
                ready!(this.too_late(cx));
                BodyError::TooSlow
            }
            Poll::Ready(None) => {
                this.ended = true;
                return Poll::Ready(None);
            }
            Poll::Ready(Some(Err(cause))) => BodyError::Broken(cause.into()),
            Poll::Ready(Some(Ok(frame))) => {
                this.waiting_since = None;
                match frame.data_ref().map_or(Ok(()), |data| this.take(data)) {
                    Ok(()) => return Poll::Ready(Some(Ok(frame))),
                    Err(fault) => fault,
                }
            }
        };
        this.ended = true;
        Poll::Ready(Some(Err(fault)))
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The body of an answer, of which it is known whether the client reads it. The exchange ends with it.
pub(crate) fn leaving(inner: Body, exchange: Arc<Exchange>) -> Body {
    if !http_body::Body::is_end_stream(&inner) {
        exchange.waits(Instant::now());
    }
    Leaving { inner, exchange }.boxed_unsync()
}

struct Leaving {
    inner: Body,
    exchange: Arc<Exchange>,
}

impl http_body::Body for Leaving {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        // hyper asks for more where there is room for it: what was given before has gone to the client.
        this.exchange.is_read(Instant::now());
        let frame = ready!(Pin::new(&mut this.inner).poll_frame(cx));
        if matches!(frame, Some(Ok(_))) && !this.inner.is_end_stream() {
            this.exchange.waits(Instant::now());
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

impl Drop for Leaving {
    fn drop(&mut self) {
        self.exchange.is_over();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{buffers::Budget, exchange::tests::connection};
    use http_body_util::StreamBody;

    const SECOND: Duration = Duration::from_secs(1);
    const RULES: BodyRules = BodyRules {
        bytes_max: 100,
        door_idle_max: Duration::from_secs(10),
        door_time_max: Duration::from_secs(60),
        idle_max: Duration::from_secs(30),
        time_max: Duration::from_secs(600),
    };

    /// A byte each `pause`, so many times.
    fn trickle(pause: Duration, count: usize) -> impl http_body::Body<Data = Bytes, Error = std::io::Error> + Send + Unpin + 'static {
        StreamBody::new(Box::pin(futures_util::stream::unfold(0, move |sent| async move {
            if sent == count {
                return None;
            }
            tokio::time::sleep(pause).await;
            Some((Ok(Frame::data(Bytes::from_static(b"x"))), sent + 1))
        })))
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_keep_to_their_times_and_their_room() {
        let slow = Err("the body took longer to arrive than is accepted");
        let rows: &[(&str, Stage, Duration, usize, Result<usize, &str>)] = &[
            ("at a door", Stage::Arriving, SECOND, 20, Ok(20)),
            ("a pause at a door", Stage::Arriving, 11 * SECOND, 1, slow),
            ("a trickle at a door", Stage::Arriving, 9 * SECOND, 8, slow),
            ("a pause of somebody who is known", Stage::Proven, 11 * SECOND, 2, Ok(2)),
            ("a trickle of the same", Stage::Proven, 11 * SECOND, 6, slow),
            ("more than may be kept of his", Stage::Proven, SECOND / 100, 51, Err("there is no room to keep the body in memory")),
            ("more than may be kept", Stage::Arriving, SECOND / 100, 51, Err("there is no room to keep the body in memory")),
            ("admitted, and not kept", Stage::Admitted, SECOND, 100, Ok(100)),
            ("admitted, and slow", Stage::Admitted, 29 * SECOND, 8, Ok(8)),
            ("a pause", Stage::Admitted, 31 * SECOND, 1, slow),
            ("a trickle", Stage::Admitted, 29 * SECOND, 22, slow),
            ("a byte too many", Stage::Admitted, SECOND, 101, Err("the body is larger than is accepted")),
            ("a declared stream", Stage::Declared, 500 * SECOND, 110, Ok(110)),
        ];
        for (name, stage, pause, count, expected) in rows {
            let connection = connection(Budget { all: 50, of_a_site: 50, of_a_connection: 50 });
            let exchange = connection.begin();
            exchange.reaches(*stage);
            let got = body::collect(arriving(trickle(*pause, *count), exchange, RULES), 1000).await;
            assert_eq!(got.map(|bytes| bytes.len()).map_err(|fault| fault.to_string()), expected.map_err(String::from), "{name}");
        }
    }
}
