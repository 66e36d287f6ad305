//! Outgoing events that wait to be polled (RFC 8936). An event is kept until it is acknowledged, and given again until then.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use countersign_codec::json::Object;
use countersign_core::Limits;
use serde::Deserialize;
use tokio::sync::Notify;

/// Time for which an answer waits for an event.
const PATIENCE: Duration = Duration::from_secs(20);

/// Refusal of a poll that is not what RFC 8936 section 2.2 asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollRefusal;

/// Request of a receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollAsk {
    /// Greatest number of events in the answer; 0 for a request that only acknowledges.
    pub events_max: usize,
    /// True when the receiver does not want to wait for events.
    pub at_once: bool,
    /// Identifiers of events that the receiver acknowledged or refused for good.
    pub settled: Vec<String>,
    /// Number of these that were refused.
    pub refused: usize,
}

#[derive(Deserialize)]
struct WireError {
    err: String,
}

impl PollAsk {
    /// Parses the body of a poll.
    ///
    /// # Errors
    /// [`PollRefusal`] when it has another form.
    pub fn parse(json: &str) -> Result<Self, PollRefusal> {
        let ask = Object::parse(json, Limits::JSON_DEPTH_MAX).map_err(|_| PollRefusal)?;
        let refused = |_| PollRefusal;
        let mut settled: Vec<String> = ask.optional("ack").map_err(refused)?.unwrap_or_default();
        let errors: std::collections::BTreeMap<String, WireError> = ask.optional("setErrs").map_err(refused)?.unwrap_or_default();
        if settled.len().saturating_add(errors.len()) > Limits::OUTBOX_EVENTS_MAX || errors.values().any(|error| error.err.is_empty()) {
            return Err(PollRefusal);
        }
        let count = errors.len();
        settled.extend(errors.into_keys());
        let events_max: Option<usize> = ask.optional("maxEvents").map_err(refused)?;
        let at_once = ask.optional("returnImmediately").map_err(refused)?.unwrap_or(false);
        Ok(Self {
            events_max: events_max.unwrap_or(Limits::POLLED_EVENTS_MAX).min(Limits::POLLED_EVENTS_MAX),
            at_once,
            settled,
            refused: count,
        })
    }
}

/// Answer to a poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PollAnswer {
    /// Events with their `jti`, oldest first.
    pub sets: Vec<(String, String)>,
    /// True when more events wait.
    pub more: bool,
}

impl PollAnswer {
    /// The answer as JSON (RFC 8936 section 2.3).
    #[must_use]
    pub fn json(&self) -> String {
        let sets: serde_json::Map<_, _> = self.sets.iter().map(|(id, set)| (id.clone(), set.clone().into())).collect();
        serde_json::json!({ "sets": sets, "moreAvailable": self.more }).to_string()
    }
}

/// Events that wait for one receiver.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: Mutex<VecDeque<(String, String)>>,
    come: Notify,
}

impl Outbox {
    /// Adds an event. Returns true when an older one had to be dropped.
    pub fn put(&self, id: String, set: String) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push_back((id, set));
        let full = waiting.len() > Limits::OUTBOX_EVENTS_MAX;
        if full {
            waiting.pop_front();
        }
        self.come.notify_waiters();
        full
    }

    /// Answers a poll: removes what was acknowledged and gives what waits. When nothing waits, it waits for an event for some time.
    pub(crate) async fn poll(&self, ask: &PollAsk) -> PollAnswer {
        // Registered before the look, so that an event between look and wait is not missed.
        let come = self.come.notified();
        let answer = self.look(ask);
        if ask.at_once || ask.events_max == 0 || !answer.sets.is_empty() {
            return answer;
        }
        // An event between the look and the wait has already woken this waiter.
        let _ = tokio::time::timeout(PATIENCE, come).await;
        self.look(ask)
    }

    fn look(&self, ask: &PollAsk) -> PollAnswer {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|(id, _)| !ask.settled.contains(id));
        let sets: Vec<_> = waiting.iter().take(ask.events_max).cloned().collect();
        PollAnswer { more: waiting.len() > sets.len(), sets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(json: &str) -> PollAsk {
        PollAsk::parse(json).expect("a poll")
    }

    #[tokio::test(start_paused = true)]
    async fn events_are_given_until_they_are_settled() {
        let outbox = Outbox::default();
        for n in 0..3 {
            outbox.put(format!("j{n}"), format!("set{n}"));
        }
        let first = outbox.poll(&ask(r#"{"maxEvents":2,"returnImmediately":true}"#)).await;
        let said: serde_json::Value = serde_json::from_str(&first.json()).expect("JSON");
        assert_eq!(said, serde_json::json!({ "sets": { "j0": "set0", "j1": "set1" }, "moreAvailable": true }));
        assert_eq!(outbox.poll(&ask(r#"{"maxEvents":2,"returnImmediately":true}"#)).await, first, "again, until it is settled");
        let settled = r#"{"ack":["j0"],"setErrs":{"j1":{"err":"invalid_request","description":"what"}},"returnImmediately":true}"#;
        let rest = outbox.poll(&ask(settled)).await;
        assert_eq!((rest.sets.len(), rest.more), (1, false));
        let only_ack = outbox.poll(&ask(r#"{"maxEvents":0,"ack":["j2"]}"#)).await;
        assert_eq!(only_ack, PollAnswer { sets: vec![], more: false });
        assert!(outbox.poll(&ask("{}")).await.sets.is_empty(), "after the wait");
    }

    #[test]
    fn polls_are_read_strictly() {
        for bad in [
            "",
            "[]",
            r#"{"maxEvents":-1}"#,
            r#"{"maxEvents":"1"}"#,
            r#"{"ack":"j0"}"#,
            r#"{"ack":[1]}"#,
            r#"{"setErrs":{"j":{"err":""}}}"#,
            r#"{"setErrs":["j"]}"#,
            r#"{"ack":[],"ack":[]}"#,
        ] {
            assert_eq!(PollAsk::parse(bad), Err(PollRefusal), "{bad}");
        }
    }
}
