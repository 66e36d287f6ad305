//! Tests of the promise that nobody makes more requests in a span of time than they may.

use std::sync::Arc;

use countersign_core::{Action, DeviceId, RateLimit, Seconds, UnixMillis, UserId};

use crate::{
    counters::{Rated, TakeError},
    suite::{race::race, samples::NOW, world::Fast},
};

const RATE: RateLimit = RateLimit { count: 3, window: Seconds(60) };

/// Requests of a person on a device for an action; the action `""` stands for all requests of the person.
fn rated(person: u8, device: u8, action: &str) -> Rated {
    let (user, device) = (UserId::from_random([person; 16]), DeviceId::from_random([device; 16]));
    if action.is_empty() { Rated::Person(user) } else { Rated::Operation { user, device, action: Action::parse(action).expect("an id") } }
}

pub(crate) async fn a_burst_and_then_one_at_a_time(fast: &Fast) {
    let start = UnixMillis::from(NOW).0;
    let take = async |person: u8, device: u8, name: &str, limit, after| {
        fast.counters.take(&rated(person, device, name), limit, UnixMillis(start + after)).await
    };
    let over = |seconds| Err(TakeError::Exceeded(Seconds(seconds)));
    let more = RateLimit { count: 4, ..RATE };
    let rows: &[(&str, [u8; 2], &str, RateLimit, u64, Result<(), TakeError>)] = &[
        ("the first", [1, 1], "a", RATE, 0, Ok(())),
        ("the second", [1, 1], "a", RATE, 0, Ok(())),
        ("the third", [1, 1], "a", RATE, 0, Ok(())),
        ("the fourth", [1, 1], "a", RATE, 0, over(20)),
        ("another device of the person", [1, 2], "a", RATE, 0, Ok(())),
        ("all of the person's requests", [1, 1], "", RATE, 0, Ok(())),
        ("from whatever device", [1, 2], "", RateLimit { count: 1, ..RATE }, 0, Ok(())),
        ("are counted together", [1, 3], "", RateLimit { count: 1, ..RATE }, 0, over(60)),
        ("another person", [2, 1], "a", RATE, 0, Ok(())),
        ("another action", [1, 1], "b", RATE, 0, Ok(())),
        ("another limit", [1, 1], "a", more, 0, Ok(())),
        ("a millisecond early", [1, 1], "a", RATE, 19_999, over(1)),
        ("a third of the window later", [1, 1], "a", RATE, 20_000, Ok(())),
        ("which was one", [1, 1], "a", RATE, 20_000, over(20)),
        ("who is refused does not wait longer for it", [1, 1], "a", RATE, 40_000, Ok(())),
        ("long after, a burst: the first", [1, 1], "a", RATE, 1_000_000, Ok(())),
        ("the second", [1, 1], "a", RATE, 1_000_000, Ok(())),
        ("the third", [1, 1], "a", RATE, 1_000_000, Ok(())),
        ("and no more, however long the rest", [1, 1], "a", RATE, 1_000_000, over(20)),
    ];
    for (name, [person, device], action, limit, after, expected) in rows {
        assert_eq!(take(*person, *device, action, *limit, *after).await, *expected, "{name}");
    }
}

pub(crate) async fn racing_requests_share_one_rate(fast: &Fast) {
    let taken = race(16, |_| {
        let counters = Arc::clone(&fast.counters);
        async move { counters.take(&rated(1, 1, "a"), RATE, UnixMillis::from(NOW)).await }
    })
    .await;
    assert_eq!(taken.iter().filter(|taken| taken.is_ok()).count(), 3);
}
