//! Outgoing events that wait to be polled (RFC 8936). An event is kept until it is acknowledged, and given again until then.

use std::time::Duration;

use countersign_codec::json::Object;
use countersign_core::Limits;
use countersign_store::{SharedSignals, Unavailable, WaitingSet};
use serde::Deserialize;
use tokio::sync::{Notify, futures::Notified};

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
    /// Events that wait, oldest first.
    pub sets: Vec<WaitingSet>,
    /// True when more events wait.
    pub more: bool,
}

impl PollAnswer {
    /// The answer as JSON (RFC 8936 section 2.3).
    #[must_use]
    pub fn json(&self) -> String {
        let sets: serde_json::Map<_, _> = self.sets.iter().map(|waiting| (waiting.id.clone(), waiting.set.clone().into())).collect();
        serde_json::json!({ "sets": sets, "moreAvailable": self.more }).to_string()
    }
}

/// Events that wait for one receiver: kept by the store, so that no restart loses them.
#[derive(Debug)]
pub(crate) struct Outbox {
    stream: String,
    come: Notify,
}

impl Outbox {
    /// The outbox of the stream of that name.
    pub fn new(stream: String) -> Self {
        Self { stream, come: Notify::new() }
    }

    /// Adds an event. Returns the number of older ones that had to be dropped.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn put(&self, kept: &dyn SharedSignals, set: WaitingSet) -> Result<u64, Unavailable> {
        let dropped = kept.put(&self.stream, set).await?;
        self.come.notify_waiters();
        Ok(dropped)
    }

    /// Waits until an event comes that was not there when this was called.
    pub(crate) fn come(&self) -> Notified<'_> {
        self.come.notified()
    }

    /// Lists the oldest events, at most `count_max`.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(crate) async fn waiting(&self, kept: &dyn SharedSignals, count_max: u32) -> Result<Vec<WaitingSet>, Unavailable> {
        kept.waiting(&self.stream, count_max).await
    }

    /// Forgets an event that its receiver took, or refused for good.
    ///
    /// # Errors
    /// When the store does not answer; then the event is given again.
    pub(crate) async fn settle(&self, kept: &dyn SharedSignals, id: String) -> Result<(), Unavailable> {
        kept.settle(&self.stream, &[id]).await
    }

    /// Answers a poll: removes what was acknowledged and gives what waits. When nothing waits, it waits for an event for some time.
    ///
    /// # Errors
    /// When the store does not answer.
    pub(crate) async fn poll(&self, kept: &dyn SharedSignals, ask: &PollAsk) -> Result<PollAnswer, Unavailable> {
        // Registered before the look, so that an event between look and wait is not missed.
        let come = self.come();
        if !ask.settled.is_empty() {
            kept.settle(&self.stream, &ask.settled).await?;
        }
        let answer = self.look(kept, ask).await?;
        if ask.at_once || ask.events_max == 0 || !answer.sets.is_empty() {
            return Ok(answer);
        }
        let _ = tokio::time::timeout(PATIENCE, come).await;
        self.look(kept, ask).await
    }

    async fn look(&self, kept: &dyn SharedSignals, ask: &PollAsk) -> Result<PollAnswer, Unavailable> {
        // One more than is given, to know whether more wait.
        let count_max = u32::try_from(ask.events_max).unwrap_or(u32::MAX).saturating_add(1);
        let mut sets = self.waiting(kept, count_max).await?;
        let more = sets.len() > ask.events_max;
        sets.truncate(ask.events_max);
        Ok(PollAnswer { more, sets })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_store::sqlite::Sqlite;

    fn ask(json: &str) -> PollAsk {
        PollAsk::parse(json).expect("a poll")
    }

    #[tokio::test]
    async fn events_are_given_until_they_are_settled_and_after_a_restart() {
        let home = tempfile::tempdir().expect("a directory");
        let kept = Sqlite::open(home.path()).await.expect("a store");
        let (outbox, other) = (Outbox::new("siem".to_owned()), Outbox::new("partner".to_owned()));
        for n in 0..3 {
            let set = WaitingSet { id: format!("j{n}"), set: format!("set{n}") };
            assert_eq!(outbox.put(&kept, set).await, Ok(0));
        }
        let two = ask(r#"{"maxEvents":2,"returnImmediately":true}"#);
        let first = outbox.poll(&kept, &two).await.expect("an answer");
        let said: serde_json::Value = serde_json::from_str(&first.json()).expect("JSON");
        assert_eq!(said, serde_json::json!({ "sets": { "j0": "set0", "j1": "set1" }, "moreAvailable": true }));
        kept.close().await;
        let kept = Sqlite::open(home.path()).await.expect("a store");
        let outbox = Outbox::new("siem".to_owned());
        assert_eq!(outbox.poll(&kept, &two).await, Ok(first), "again, until it is settled");
        assert_eq!(other.poll(&kept, &two).await, Ok(PollAnswer { sets: vec![], more: false }), "another receiver's");
        let settled = r#"{"ack":["j0"],"setErrs":{"j1":{"err":"invalid_request","description":"what"}},"returnImmediately":true}"#;
        let rest = outbox.poll(&kept, &ask(settled)).await.expect("an answer");
        assert_eq!((rest.sets.len(), rest.more), (1, false));
        let only_ack = outbox.poll(&kept, &ask(r#"{"maxEvents":0,"ack":["j2"]}"#)).await;
        assert_eq!(only_ack, Ok(PollAnswer { sets: vec![], more: false }));
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
