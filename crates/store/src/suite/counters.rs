//! Tests of the promise that no session makes more requests in a span of time than it may.

use std::sync::Arc;

use countersign_core::{Action, RateLimit, Seconds, UnixMillis};

use crate::{
    counters::TakeError,
    suite::{
        race::race,
        samples::{NOW, session},
        world::Fast,
    },
};

const RATE: RateLimit = RateLimit { count: 3, window: Seconds(60) };

fn action(name: &str) -> Action {
    Action::parse(name).expect("an id")
}

pub(crate) async fn a_burst_and_then_one_at_a_time(fast: &Fast) {
    let start = UnixMillis::from(NOW).0;
    let take = async |number: u16, name: &str, limit, after| {
        fast.counters.take(&session(number).id, &action(name), limit, UnixMillis(start + after)).await
    };
    let over = |seconds| Err(TakeError::Exceeded(Seconds(seconds)));
    let more = RateLimit { count: 4, ..RATE };
    let rows: &[(&str, u16, &str, RateLimit, u64, Result<(), TakeError>)] = &[
        ("the first", 1, "a", RATE, 0, Ok(())),
        ("the second", 1, "a", RATE, 0, Ok(())),
        ("the third", 1, "a", RATE, 0, Ok(())),
        ("the fourth", 1, "a", RATE, 0, over(20)),
        ("another session", 2, "a", RATE, 0, Ok(())),
        ("another action", 1, "b", RATE, 0, Ok(())),
        ("another limit", 1, "a", more, 0, Ok(())),
        ("a millisecond early", 1, "a", RATE, 19_999, over(1)),
        ("a third of the window later", 1, "a", RATE, 20_000, Ok(())),
        ("which was one", 1, "a", RATE, 20_000, over(20)),
        ("who is refused does not wait longer for it", 1, "a", RATE, 40_000, Ok(())),
        ("long after, a burst: the first", 1, "a", RATE, 1_000_000, Ok(())),
        ("the second", 1, "a", RATE, 1_000_000, Ok(())),
        ("the third", 1, "a", RATE, 1_000_000, Ok(())),
        ("and no more, however long the rest", 1, "a", RATE, 1_000_000, over(20)),
    ];
    for (name, number, action, limit, after, expected) in rows {
        assert_eq!(take(*number, action, *limit, *after).await, *expected, "{name}");
    }
}

pub(crate) async fn racing_requests_share_one_rate(fast: &Fast) {
    let taken = race(16, |_| {
        let counters = Arc::clone(&fast.counters);
        async move { counters.take(&session(1).id, &action("a"), RATE, UnixMillis::from(NOW)).await }
    })
    .await;
    assert_eq!(taken.iter().filter(|taken| taken.is_ok()).count(), 3);
}
