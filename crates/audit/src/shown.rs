//! The words that people are shown of an event: made of its typed facts, and of nothing that is sealed.

use std::collections::BTreeMap;

use countersign_core::{DeviceId, Posture, RiskReason, Role, UnixMillis, UnixSeconds};

use crate::{
    choices::Actor,
    event::{About, AtEndpoint, DeviceSeen, Event, Recorded, RequestJudged},
    posture_seen::{LackSeen, PostureSeen},
    recorded_facts::{OpenFacts, OpenValue},
    spelling::Word,
};

/// Words by name.
type Words = BTreeMap<String, String>;

/// What an event looked at and identifies nobody, in the words that policies and people use.
pub fn words(event: &Event, at: UnixMillis) -> Words {
    let mut words = Words::new();
    let mut say = |name: &str, word: &str| drop(words.insert(name.to_owned(), word.to_owned()));
    match &event.of {
        Recorded::ConfigActivated(it) => {
            actor(&it.by, &mut say);
            say("what", it.what.as_str());
            if let Some(sha256) = &it.sha256 {
                say("sha256", sha256);
            }
            if let Some(database) = &it.database {
                say("database", &database.id);
                say("database.number", &database.number.to_string());
            }
            if !it.accepted.is_empty() {
                say("accepted", &it.accepted.join(" "));
            }
        }
        Recorded::ConnectionCut(it) => {
            judged(&it.judged, at, &mut say);
            say("connection.opened_by", it.opened_by.as_str());
        }
        Recorded::DevTokenCreated(it) => {
            actor(&it.by, &mut say);
            say("dev_token", it.dev_token.as_str());
            say("client", it.client.as_str());
            say("platform", &it.platform.as_ref().map_or("both".into(), Word::word));
            say("networks", it.networks.as_str());
            say("expires_at", &it.expires_at.to_string());
            say("phones_max", &it.phones_max.to_string());
        }
        Recorded::DevTokenRevoked(it) => {
            actor(&it.by, &mut say);
            say("dev_token", it.dev_token.as_str());
            say("client", it.client.as_str());
            say("state", "revoked");
        }
        Recorded::DeviceAttested(it) => {
            endpoint(&it.at, &mut say);
            if let Some(evidence) = it.evidence {
                say("evidence", evidence.as_str());
            }
        }
        Recorded::DeviceEnrolled(it) => {
            endpoint(&it.at, &mut say);
            it.device.iter().for_each(|seen| device(seen, &mut say));
            if let Some(id) = &it.dev_token {
                say("dev_token", id.as_str());
            }
        }
        Recorded::DeviceRenamed(at) | Recorded::PasskeyRegistered(at) | Recorded::TokensIssued(at) | Recorded::TokensRevoked(at) => {
            endpoint(at, &mut say);
        }
        Recorded::DeviceReported(it) => {
            endpoint(&it.at, &mut say);
            it.device.iter().for_each(|seen| device(seen, &mut say));
        }
        Recorded::DeviceRevoked(it) => {
            it.at.iter().for_each(|at| endpoint(at, &mut say));
            it.by.iter().for_each(|by| actor(by, &mut say));
            if let Some(how) = it.how {
                say("state", how.as_str());
            }
        }
        Recorded::Earlier(earlier) => return earlier.words.clone(),
        Recorded::IncidentJudged(it) => {
            actor(&it.by, &mut say);
            say("what", it.judged.as_str());
            match &it.about {
                About::Incident(id) => say("incident", id.as_str()),
                About::Kind(kind) => say("incident", kind.as_str()),
            }
        }
        Recorded::LogInterrupted(it) => {
            say("since", &it.since.0.to_string());
            say("cause", &it.cause);
        }
        Recorded::PersonErased(it) => actor(&it.by, &mut say),
        Recorded::RefusalsCounted(it) => {
            say("since", &it.since.0.to_string());
            say("sites", &it.sites.to_string());
            let each = it.counts.iter().map(|counted| format!("{}={}", counted.reason, counted.count));
            say("refusals", &each.collect::<Vec<_>>().join(" "));
            if it.others > 0 {
                say("others", &it.others.to_string());
            }
        }
        Recorded::Request(it) => judged(it, at, &mut say),
        Recorded::SessionChanged(it) => {
            actor(&it.by, &mut say);
            say("state", it.to.as_str());
            if let Some(from) = it.from {
                say("from", from.as_str());
            }
            if let Some(incident) = &it.incident {
                say("incident", incident.id.as_str());
                say("kind", incident.kind.as_str());
            }
        }
        Recorded::SignedIn(it) => {
            endpoint(&it.at, &mut say);
            if let Some(purpose) = it.purpose {
                say("purpose", purpose.as_str());
            }
        }
        Recorded::UserChanged(it) => {
            actor(&it.by, &mut say);
            say("state", it.state.as_str());
        }
        Recorded::UserInvited(it) => {
            actor(&it.by, &mut say);
            say("roles", &it.roles.iter().map(Role::as_str).collect::<Vec<_>>().join(" "));
        }
    }
    words
}

fn actor(by: &Actor, say: &mut impl FnMut(&str, &str)) {
    say("by", by.as_str());
    if let Some(name) = by.operator() {
        say("operator", name.as_str());
    }
}

fn endpoint(at: &AtEndpoint, say: &mut impl FnMut(&str, &str)) {
    say("door", &at.endpoint);
    if let Some(client) = &at.client {
        say("client", client.as_str());
    }
    if let Some(cause) = &at.cause {
        say("cause", cause);
    }
}

fn device(seen: &DeviceSeen, say: &mut impl FnMut(&str, &str)) {
    let posture = &seen.posture;
    say("device.tier", &posture.tier.word());
    say("device.security_level", &posture.security_level.word());
    say("device.vouched_by", posture.by.as_str());
    if let Some(known) = known(posture) {
        say("device.trust", &known.trust().to_string());
    }
    if let Some(state) = &posture.boot_state {
        say("device.boot_state", &state.word());
    }
    if let Some(locked) = posture.bootloader_locked {
        say("device.bootloader_locked", if locked { "true" } else { "false" });
    }
    if let Some(version) = posture.os_version {
        say("device.os_version", &version.to_string());
    }
    if let Some(level) = posture.patch_level {
        say("device.patch_level", &level.to_string());
    }
    if let Some(app) = &posture.app {
        say("device.app", app.as_str());
    }
    if let Some(version) = posture.app_version {
        say("device.app_version", &version.to_string());
    }
    lacks(&seen.lacks, say);
}

fn lacks(lacks: &[LackSeen], say: &mut impl FnMut(&str, &str)) {
    if !lacks.is_empty() {
        let each = lacks.iter().map(|lack| format!("{}={}", lack.reason, lack.stage.as_str()));
        say("device.lacks", &each.collect::<Vec<_>>().join(" "));
    }
}

/// The posture, by which what can be computed of it is. The device's name plays no part in that.
fn known(posture: &PostureSeen) -> Option<Posture> {
    Some(posture.posture(DeviceId::parse("-").ok()?, UnixSeconds(0)))
}

fn judged(it: &RequestJudged, at: UnixMillis, say: &mut impl FnMut(&str, &str)) {
    let Some(facts) = &it.facts else { return };
    let now = facts.now.unwrap_or_else(|| at.seconds());
    say("auth.acr", facts.acr.as_str());
    say("auth.age_s", &now.since(facts.auth_time).0.to_string());
    say("client", facts.client.as_str());
    say("resource.kind", &facts.resource);
    say("session.state", facts.state.as_str());
    if let Some(posture) = known(&facts.posture) {
        weighed(&posture, facts, now, say);
    }
    lacks(&facts.lacks, say);
    if let Some(risk) = facts.risk.as_ref().filter(|risk| risk.score > 0) {
        say("risk.score", &risk.score.to_string());
        let part = |(name, weight_tenths): &(String, i32)| {
            let reason = RiskReason { name: name.clone().into(), weight_tenths: *weight_tenths };
            format!("{}={}", reason.name, reason.in_nats())
        };
        say("risk.reasons", &risk.reasons.iter().map(part).collect::<Vec<_>>().join(" "));
    }
    for (name, value) in &facts.fields {
        let value = match value {
            OpenValue::Bool(value) => value.to_string(),
            OpenValue::Long(value) => value.to_string(),
        };
        say(&format!("request.{name}"), &value);
    }
}

fn weighed(posture: &Posture, facts: &OpenFacts, now: UnixSeconds, say: &mut impl FnMut(&str, &str)) {
    say("device.trust", &posture.trust().to_string());
    say("device.vouched_by", posture.by.as_str());
    say("device.evidence_age_s", &posture.evidence_age(now).0.to_string());
    if let Some(level) = posture.patch_level {
        say("device.patch_level", &level.number().to_string());
        say("device.patch_age_days", &(level.age(now).0 / 86_400).to_string());
    }
    if let Some(version) = posture.os_version_known() {
        say("device.os_version", &format!("{} ({})", version.value, version.source.as_str()));
    }
    if let Some(version) = posture.app_version_known() {
        say("device.app_version", &format!("{} ({})", version.value, version.source.as_str()));
    }
    if let Some(verdict) = &posture.verdict {
        say("device.integrity", verdict.integrity.as_str());
        say("device.verdict_age_s", &now.since(verdict.at).0.to_string());
    }
    if let Some(report) = facts.posture.report.as_ref().filter(|report| !report.findings.is_empty()) {
        say("device.findings", &report.findings.iter().map(|finding| finding.as_str()).collect::<Vec<_>>().join(" "));
    }
}
