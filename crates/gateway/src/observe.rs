//! What operators see of the gateway in figures and log lines. No label and no line names a person, a device or a path.

use std::time::Duration;

use countersign_core::{Action, DecisionId, Outcome, Reason};

use crate::body::BodyError;

/// Requests by action, outcome and first reason.
const REQUESTS: &str = "countersign_requests_total";
/// Seconds from the request's head to the decision.
const DECISION_SECONDS: &str = "countersign_decision_seconds";
/// Requests that were let through and got no answer from the upstream, by reason.
const UNANSWERED: &str = "countersign_unanswered_total";

/// Connections that are open, by kind.
const OPEN: &str = "countersign_connections_open";
/// Open connections that were cut, by kind and reason.
const CUT: &str = "countersign_connections_cut_total";
/// Seconds from a change to the cut of a connection.
const CUT_SECONDS: &str = "countersign_connection_cut_seconds";

/// Refusals of callers without a live session that were counted instead of recorded, by door.
const COUNTED: &str = "countersign_refusals_unrecorded_total";
/// Connections that were turned away or cut because something that all share was used up, by what.
const TURNED_AWAY: &str = "countersign_turned_away_total";

/// Says in the words of the metrics' exporter what the figures mean. Call once, after the exporter was installed.
pub fn describe() {
    metrics::describe_counter!(REQUESTS, "requests by action, outcome and first reason");
    metrics::describe_histogram!(DECISION_SECONDS, metrics::Unit::Seconds, "time from the request's head to the decision");
    metrics::describe_gauge!(OPEN, "open WebSockets, event streams and other streams");
    metrics::describe_counter!(CUT, "open connections that were closed by the gateway, by kind and reason");
    metrics::describe_histogram!(
        CUT_SECONDS,
        metrics::Unit::Seconds,
        "time from a change of session, device or rules to the last message of a connection"
    );
    metrics::describe_counter!(COUNTED, "refusals of callers without a live session that were counted and not recorded, beyond the budget");
    metrics::describe_counter!(TURNED_AWAY, "connections that were refused or cut, by what was used up: connections, handshakes, reader");
    metrics::describe_counter!(UNANSWERED, "requests that were forwarded and not answered by the upstream");
}

/// A connection was refused or cut, since this was used up.
pub(crate) fn turned_away(what: &'static str) {
    metrics::counter!(TURNED_AWAY, "what" => what).increment(1);
}

/// A request was judged.
pub(crate) fn judged(id: &DecisionId, action: Option<&Action>, outcome: Outcome, reason: Option<&Reason>, took: Duration) {
    let action = action.map_or("", Action::as_str);
    let reason = reason.map_or("", Reason::code);
    metrics::counter!(REQUESTS, "action" => action.to_owned(), "outcome" => outcome.as_str(), "reason" => reason.to_owned()).increment(1);
    metrics::histogram!(DECISION_SECONDS).record(took.as_secs_f64());
    tracing::debug!(decision = %id, action, outcome = outcome.as_str(), reason, micros = took.as_micros(), "judged");
}

/// A request was let through, and there is no answer to give.
pub(crate) fn unanswered(id: &DecisionId, reason: &Reason) {
    metrics::counter!(UNANSWERED, "reason" => reason.code().to_owned()).increment(1);
    tracing::warn!(decision = %id, reason = reason.code(), "the request was forwarded but not answered");
}

/// An answer broke off on its way to the client.
pub(crate) fn broken(id: &DecisionId, fault: &BodyError) {
    let reason = match fault {
        BodyError::TooLarge => Reason::UpstreamAnswerTooLarge,
        BodyError::TooSlow => Reason::UpstreamTimeout,
        BodyError::Broken(_) | BodyError::Cut | BodyError::NoRoom => Reason::UpstreamUnavailable,
    };
    metrics::counter!(UNANSWERED, "reason" => reason.code().to_owned()).increment(1);
    tracing::warn!(decision = %id, reason = reason.code(), %fault, "an answer broke off on its way to the client");
}

/// A connection that counts as open until this is dropped, however it ends.
#[must_use]
pub(crate) struct Counted(&'static str);

/// A connection stays open.
pub(crate) fn opened(kind: &'static str) -> Counted {
    metrics::gauge!(OPEN, "kind" => kind).increment(1);
    Counted(kind)
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!(OPEN, "kind" => self.0).decrement(1);
    }
}

/// It was cut: nothing passes any more, `took` after the cause of it.
pub(crate) fn cut(id: &DecisionId, opened: &DecisionId, kind: &'static str, reason: &Reason, took: Duration) {
    metrics::counter!(CUT, "kind" => kind, "reason" => reason.code().to_owned()).increment(1);
    metrics::histogram!(CUT_SECONDS).record(took.as_secs_f64());
    tracing::info!(decision = %id, %opened, kind, reason = reason.code(), micros = took.as_micros(), "an open connection was closed");
}

/// A cut could not be recorded. It is made all the same: to cut is to refuse.
pub(crate) fn cut_unrecorded(id: &DecisionId) {
    metrics::counter!(UNANSWERED, "reason" => Reason::AuditUnavailable.code().to_owned()).increment(1);
    tracing::error!(decision = %id, "the closing of an open connection could not be written to the log; it is closed nevertheless");
}

/// A decision could not be recorded, so it was not carried out.
pub(crate) fn unrecorded(id: &DecisionId, cause: &countersign_store::Unavailable) {
    metrics::counter!(UNANSWERED, "reason" => Reason::AuditUnavailable.code().to_owned()).increment(1);
    tracing::error!(decision = %id, %cause, "the decision could not be written to the log, so the request was refused");
}

/// A refusal was counted instead of recorded.
pub(crate) fn counted() {
    metrics::counter!(COUNTED, "door" => "api").increment(1);
}

/// Judging ended in a panic.
pub(crate) fn panicked(id: &DecisionId) {
    tracing::error!(decision = %id, "the decision on a request ended in a panic; the request is refused");
}
