//! What a device would lack by another configuration.

use std::path::Path;

use anyhow::{Result, anyhow};
use countersign_compliance::{Requirement, Requirements, Revocations, Rule};
use countersign_core::{Posture, Reason, UnixSeconds};
use serde_json::{Value, json};

use countersign_node::{
    config,
    settings::{devices, fetched::Fetched},
};

/// The answer, for people and for programs.
pub struct Answer {
    /// For people.
    pub text: String,
    /// For programs.
    pub document: Value,
}

/// Asks every requirement of the configuration's apps, each by itself, of a device of which only this evidence is known.
pub fn what_if(file: &Path, posture: &Posture, now: UnixSeconds) -> Result<Answer> {
    let config = config::load(file).map_err(|faults| anyhow!(faults))?;
    let fetched = Fetched { data: &config.data, feeds: &config.feeds };
    let registry = devices::apps(&config.file, &config.apps, &config.device, &fetched).map_err(|faults| anyhow!(faults))?;
    // In the order of the file.
    let found = config.apps.iter().filter_map(|app| Some((&app.client, registry.of(&app.client).ok()?)));
    let asked: Vec<_> = found.filter(|(_, app)| app.may_have_enrolled(posture).is_ok()).collect();
    if asked.is_empty() {
        let app = posture.app.as_ref().map_or_else(|| "for this platform".to_owned(), |app| format!("with the id `{}`", app.as_str()));
        return Err(anyhow!("`{}` has no app {app}; give a configuration with that app", file.display()));
    }
    let mut text = format!("requirements of `{}` for a device with only this evidence", file.display());
    let mut apps = Vec::new();
    for (client, app) in asked {
        let answers: Vec<_> =
            app.requirements.0.iter().map(|requirement| (name(&requirement.rule), answer(requirement, posture, now))).collect();
        text += &format!("\n  {}", client.as_str());
        for (name, answer) in &answers {
            text += &format!("\n    {name:<26} {}", answer.line());
        }
        let requirements: Vec<_> = answers.iter().map(|(name, answer)| answer.document(name)).collect();
        apps.push(json!({ "app": client.as_str(), "requirements": requirements }));
    }
    Ok(Answer { text, document: json!(apps) })
}

/// What one requirement says. Alphabetical.
enum Said {
    Lacks(&'static str, Reason),
    Met,
    /// Evidence alone cannot say; a node asks it of the revocation list that it fetched.
    NotAsked,
}

impl Said {
    fn line(&self) -> String {
        match self {
            Self::Lacks(stage, reason) => format!("LACKS {stage} {reason}: {}", reason.for_operator()),
            Self::Met => "met".to_owned(),
            Self::NotAsked => "not checked: only a running node has the revocation list".to_owned(),
        }
    }

    fn document(&self, name: &str) -> Value {
        match self {
            Self::Lacks(stage, reason) => json!({ "requirement": name, "met": false, "stage": stage, "reason": reason.code() }),
            Self::Met => json!({ "requirement": name, "met": true }),
            Self::NotAsked => json!({ "requirement": name, "met": null }),
        }
    }
}

/// By the function that judges requests.
fn answer(requirement: &Requirement, posture: &Posture, now: UnixSeconds) -> Said {
    if matches!(requirement.rule, Rule::NotRevoked | Rule::StatusListAge(_)) {
        return Said::NotAsked;
    }
    let unmet = Requirements(vec![requirement.clone()]).unmet(posture, &Revocations::default(), None, now);
    unmet.into_iter().next().map_or(Said::Met, |unmet| Said::Lacks(unmet.stage.as_str(), unmet.reason))
}

/// The name of a requirement as the configuration has it.
const fn name(rule: &Rule) -> &'static str {
    match rule {
        Rule::AppAccess(..) => "app_access",
        Rule::AppVersion(_) => "app_version",
        Rule::Boot { .. } => "boot",
        Rule::BootloaderLocked => "bootloader_locked",
        Rule::EvidenceAge(_) => "evidence_age",
        Rule::Integrity(..) => "integrity",
        Rule::Licensed(_) => "licensed",
        Rule::NoDevelopment => "no_development",
        Rule::NotRevoked => "not_revoked",
        Rule::OsVersion(_) => "os_version",
        Rule::PatchLevel(_) => "patch_level",
        Rule::PlayProtect(..) => "play_protect",
        Rule::Recognized(_) => "recognized",
        Rule::RiskMetric(..) => "risk_metric",
        Rule::SecurityLevel(_) => "security_level",
        Rule::StatusListAge(_) => "status_list_age",
        Rule::VerdictAge(..) => "verdict_age",
        Rule::Without(finding) => finding.as_str(),
    }
}
