//! A body that can be sent a second time: what was taken of it is kept until the answer begins, if it is not too much.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use countersign_core::Limits;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;

use crate::body::{self, Body, BodyError};

/// Where bodies come from that say the same.
#[derive(Clone)]
pub(crate) struct Source(Arc<Mutex<Taken>>);

struct Taken {
    inner: Body,
    /// Parts that were taken, where all of them are kept.
    kept: Option<Vec<Bytes>>,
    bytes: usize,
    /// Bytes that it says it has.
    length: Option<u64>,
    /// The body that may take more; those before it may not.
    current: u64,
}

impl Source {
    pub(crate) fn of(inner: Body) -> Self {
        let length = inner.size_hint().exact();
        Self(Arc::new(Mutex::new(Taken { inner, kept: Some(Vec::new()), bytes: 0, length, current: 0 })))
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A body from the beginning on.
    pub(crate) fn body(&self) -> Body {
        let mut taken = self.lock();
        let nothing = taken.bytes == 0 && taken.kept.as_ref().is_some_and(Vec::is_empty);
        if nothing && taken.inner.is_end_stream() {
            return body::empty();
        }
        taken.current = taken.current.wrapping_add(1);
        Repeated { source: self.clone(), number: taken.current, at: 0, given: 0 }.boxed_unsync()
    }

    /// Says whether all that was taken is still there.
    pub(crate) fn is_whole(&self) -> bool {
        self.lock().kept.is_some()
    }

    /// Nothing is kept any more.
    pub(crate) fn forget(&self) {
        self.lock().kept = None;
    }
}

struct Repeated {
    source: Source,
    number: u64,
    at: usize,
    given: u64,
}

impl http_body::Body for Repeated {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let source = this.source.clone();
        let mut taken = source.lock();
        if taken.current != this.number {
            return Poll::Ready(Some(Err(BodyError::Cut)));
        }
        let before = taken.kept.as_ref().and_then(|kept| kept.get(this.at)).cloned();
        let data = match before {
            Some(data) => data,
            None => {
                let frame = match ready!(Pin::new(&mut taken.inner).poll_frame(cx)) {
                    Some(Ok(frame)) => frame,
                    end => return Poll::Ready(end),
                };
                let Ok(data) = frame.into_data() else { return Poll::Ready(None) };
                taken.bytes = taken.bytes.saturating_add(data.len());
                if taken.bytes > Limits::REPEATABLE_BODY_BYTES_MAX {
                    taken.kept = None;
                }
                if let Some(kept) = &mut taken.kept {
                    kept.push(data.clone());
                }
                data
            }
        };
        this.at = this.at.saturating_add(1);
        this.given = this.given.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        let taken = self.source.lock();
        let all_given = taken.kept.as_ref().is_none_or(|kept| self.at >= kept.len());
        all_given && taken.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let length = self.source.lock().length;
        length.map_or_else(SizeHint::default, |length| SizeHint::with_exact(length.saturating_sub(self.given)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::StreamBody;

    fn chunks(chunks: &[usize]) -> Source {
        let frames: Vec<_> = chunks.iter().map(|size| Ok(Frame::data(Bytes::from(vec![b'x'; *size])))).collect();
        Source::of(StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync())
    }

    #[tokio::test]
    async fn a_body_is_said_again_while_it_is_kept() {
        let max = Limits::REPEATABLE_BODY_BYTES_MAX;
        let rows: &[(&str, &[usize], usize, bool)] = &[
            ("nothing taken", &[1, 2, 3], 0, true),
            ("half of it taken", &[1, 2, 3], 2, true),
            ("all of it taken", &[1, 2, 3], 3, true),
            ("as much as is kept", &[max - 1, 1], 2, true),
            ("more than is kept", &[max, 1], 2, false),
        ];
        for (name, sizes, taken, whole) in rows {
            let source = chunks(sizes);
            let mut first = source.body();
            for _ in 0..*taken {
                first.frame().await.expect("a frame").expect("no fault");
            }
            assert_eq!(source.is_whole(), *whole, "{name}");
            if *whole {
                let again = body::collect(source.body(), max + 10).await.expect("a body");
                assert_eq!(again.len(), sizes.iter().sum::<usize>(), "{name}");
                assert!(matches!(first.frame().await, Some(Err(BodyError::Cut))), "{name}: the first says no more");
            }
        }
        let source = chunks(&[1]);
        source.forget();
        assert!(!source.is_whole());
    }
}
