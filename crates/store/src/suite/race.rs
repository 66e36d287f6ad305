//! Callers who come at the same moment, and callers who go away.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll};

use tokio::sync::Barrier;

/// Runs `count` tasks that begin together, and returns their results in the order of their numbers.
///
/// # Panics
/// When one of the tasks panics.
pub async fn race<T, F>(count: usize, task: impl Fn(usize) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let start = Arc::new(Barrier::new(count));
    let tasks: Vec<_> = (0..count)
        .map(|number| {
            let (start, task) = (Arc::clone(&start), task(number));
            tokio::spawn(async move {
                start.wait().await;
                task.await
            })
        })
        .collect();
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.expect("a task that does not panic"));
    }
    results
}

/// Numbers for samples, each with the number of times that a caller is woken before it goes away. Every count comes several times, because
/// the threads of the store decide how far a call comes by then.
pub(crate) fn departures() -> impl Iterator<Item = (u16, usize)> {
    (1..=32).map(|number| (number, usize::from(number % 8) + 1))
}

/// Behaves like a caller who goes away: wakes `call` `polls` times, and drops it there. Returns the result if the call had ended by then.
pub(crate) async fn abandon<F: Future>(call: F, polls: usize) -> Option<F::Output> {
    let mut call = pin!(call);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match call.as_mut().poll(context) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
