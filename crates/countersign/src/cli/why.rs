//! `countersign why`: one decision explained, from the log itself.

use anyhow::{Result, anyhow};
use clap::Args;
use countersign_core::{DecisionId, Reason, Remedy, UnixMillis};
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
        .ok_or_else(|| anyhow!("the log has no decision `{decision}`; see the newest with `countersign logs tail`"))?;
    let entry: Value = serde_json::from_str(&record.json)?;
    match output {
        Output::Json => say_json(&json!({ "seq": record.seq, "entry": entry, "reasons": explained(&entry) })),
        Output::Text => say(story(record.seq, &entry)),
    }
    Ok(Exit::Fine)
}

fn texts<'a>(entry: &'a Value, name: &str) -> Vec<&'a str> {
    entry.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Each reason with what an operator should know about it.
fn explained(entry: &Value) -> Value {
    texts(entry, "reasons").iter().map(|code| json!({ "code": code, "meaning": meaning(code) })).collect()
}

fn meaning(code: &str) -> &'static str {
    Reason::ALL.iter().find(|reason| reason.code() == code).map_or("one of your own policies gave this reason", Reason::for_operator)
}

fn label(kind: &str) -> &'static str {
    const ALL: [Remedy; 7] = [
        Remedy::AttestDevice,
        Remedy::ConfirmItsYou,
        Remedy::ContactSupport,
        Remedy::SetScreenLock,
        Remedy::SignInAgain,
        Remedy::UpdateApp,
        Remedy::UpdateSystem,
    ];
    ALL.iter().find(|remedy| remedy.kind() == kind).map_or("", |remedy| remedy.label())
}

fn story(seq: u64, entry: &Value) -> String {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
    let at = UnixMillis(entry.get("at").and_then(Value::as_u64).unwrap_or_default());
    let what = if text("action").is_empty() { text("event") } else { text("action") };
    let outcome = text("outcome").to_uppercase().replace('_', "-");
    let mut out = format!("{}   {outcome}   {what}   {}\n", text("decision"), when::instant(at.seconds()));
    for code in texts(entry, "reasons") {
        out += &format!("\n  why            {code}: {}", meaning(code));
    }
    let policies = texts(entry, "policies");
    if !policies.is_empty() {
        out += &format!("\n  rules          {}", policies.join(", "));
    }
    if !text("nearest").is_empty() {
        out += &format!("\n  nearest rule   {}", text("nearest"));
    }
    for unmet in texts(entry, "unmet") {
        out += &format!("\n  not met        {unmet}");
    }
    for remedy in texts(entry, "remedies") {
        out += &format!("\n  would help     {remedy}: {}", label(remedy));
    }
    out += "\n\n  inputs\n";
    for (name, value) in entry.get("facts").and_then(Value::as_object).into_iter().flatten() {
        out += &format!("    {name:<26} {}\n", value.as_str().unwrap_or_default());
    }
    let sealed: Vec<_> = entry.get("personal").and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.as_str()).collect();
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
        let story = story(88, &entry);
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
