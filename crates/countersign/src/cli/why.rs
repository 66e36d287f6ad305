//! `countersign why`: one decision explained, from the log itself.

use anyhow::{Result, anyhow};
use clap::Args;
use countersign_audit::Record;
use countersign_core::{DecisionId, Reason};
use countersign_store::segments;
use serde_json::{Value, json};

use crate::cli::{
    output::{Exit, Output, say, say_json},
    place::Place,
    when,
};

/// Which decision.
#[derive(Args, Debug)]
pub struct WhyArgs {
    /// The decision number (`D-7Q4K-2M9X-0C3V`), as in the response header and in the log.
    decision: String,
}

/// Explains it.
pub fn run(args: &WhyArgs, place: &Place, output: Output) -> Result<Exit> {
    let decision = DecisionId::parse(&args.decision).map_err(|why| anyhow!("`{}` is not a decision number: {why}", args.decision))?;
    let record = segments::find_decision(&place.log()?, &decision)?
        .ok_or_else(|| anyhow!(
                "the log has no decision `{decision}`; refusals of callers without a live session may have been counted only (`limits.stranger_records_per_minute`); see the newest with `countersign logs tail`"
            ))?;
    let entry = record.read()?;
    match output {
        Output::Json => say_json(&json!({ "seq": record.seq, "entry": entry.document(), "reasons": explained(&entry) })),
        Output::Text => say(story(record.seq, &entry)),
    }
    Ok(Exit::Fine)
}

/// Each reason with what an operator should know about it.
fn explained(entry: &Record) -> Value {
    entry.event.reasons.iter().map(|reason| json!({ "code": reason.code(), "meaning": Reason::for_operator(reason) })).collect()
}

fn story(seq: u64, entry: &Record) -> String {
    let event = &entry.event;
    let what = event.action().map_or(event.kind().as_str(), |action| action.as_str());
    let outcome = event.outcome.as_str().to_uppercase().replace('_', "-");
    let mut out = format!("{}   {outcome}   {what}   {}\n", entry.decision, when::instant(entry.at.seconds()));
    for reason in &event.reasons {
        out += &format!("\n  why            {reason}: {}", reason.for_operator());
    }
    if !event.policies().is_empty() {
        let policies: Vec<_> = event.policies().iter().map(|policy| policy.as_str()).collect();
        out += &format!("\n  rules          {}", policies.join(", "));
    }
    if let Some(nearest) = event.nearest() {
        out += &format!("\n  nearest rule   {nearest}");
    }
    for unmet in event.unmet() {
        out += &format!("\n  not met        {unmet}");
    }
    for remedy in event.remedies() {
        out += &format!("\n  would help     {}: {}", remedy.kind(), remedy.label());
    }
    out += "\n\n  inputs\n";
    for (name, word) in entry.words() {
        out += &format!("    {name:<26} {word}\n");
    }
    let sealed: Vec<_> = entry.commitments().into_iter().map(|(name, _)| name).collect();
    if !sealed.is_empty() {
        out += &format!("    {:<26} sealed under the person's key\n", sealed.join(", "));
    }
    out + &format!("\n  log            record {seq}; prove it with `countersign audit prove {seq}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_explained() {
        let entry = json!({
            "at": 1_709_164_801_005_u64, "decision": "D-7Q4K", "event": "request", "action": "accounts.read", "outcome": "deny",
            "reasons": ["no_permit"], "nearest": "own_accounts_only", "unmet": ["context.device.trust >= 2"], "remedies": ["attest_device"],
            "facts": { "device.trust": "1" }, "personal": { "user": "x" },
        });
        let story = story(88, &Record::read(&entry.to_string()).expect("an entry"));
        for part in [
            "D-7Q4K   DENY   accounts.read   2024-02-29 00:00:01Z",
            "why            no_permit: no policy permits this request",
            "nearest rule   own_accounts_only",
            "not met        context.device.trust >= 2",
            "would help     attest_device: Check this phone again",
            "device.trust               1",
            "user                       sealed under the person's key",
            "record 88;",
        ] {
            assert!(story.contains(part), "{part}\n{story}");
        }
    }
}
