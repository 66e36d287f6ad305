//! `[monitor]`: what unusual requests and logins lead to.

use std::{collections::BTreeSet, path::Path};

use countersign_core::{Action, RiskBar, SignalKind};
use countersign_monitor::react::{Mode, ReactRule, ReactRules, Reaction};
use url::Url;

use crate::config::{
    defaults, email,
    model::{MonitorRules, Webhook},
    section::{At, Section},
};

const MODES: [(&str, Mode); 2] = [("enforce", Mode::Enforce), ("observe", Mode::Observe)];

const ACTS: [(&str, Reaction); 4] =
    [("alert", Reaction::Alert), ("challenge", Reaction::Challenge), ("limit", Reaction::Limit), ("revoke", Reaction::Revoke)];

/// The section; `here` is the directory of the file.
pub fn monitor(section: Option<Section<'_>>, here: &Path) -> MonitorRules {
    let mut rules = MonitorRules {
        risk: defaults::RISK,
        react: ReactRules { together: defaults::TOGETHER, limited_for: defaults::LIMITED_FOR, ..ReactRules::default() },
        people_max: defaults::PEOPLE_MAX,
        honey_accounts: BTreeSet::new(),
        honey_operations: BTreeSet::new(),
        webhook: None,
        email: None,
    };
    let Some(mut section) = section else { return rules };
    let mode = section.word("mode", &MODES).map_or(defaults::MONITOR_MODE, |at| at.value);
    if let Some(at) = section.number("step_up_at", 1..=100) {
        rules.risk.step_up_at = u8::try_from(at.value).ok();
    }
    if let Some(at) = section.number("deny_at", 1..=100) {
        rules.risk.deny_at = u8::try_from(at.value).ok();
    }
    if let Some(at) = section.number("people_max", 100..=100_000_000) {
        rules.people_max = usize::try_from(at.value).unwrap_or(usize::MAX);
    }
    if let Some(span) = section.span("together") {
        rules.react.together = span;
    }
    if let Some(span) = section.span("limited_for") {
        rules.react.limited_for = span;
    }
    rules.honey_accounts = section.texts("honey_accounts").unwrap_or_default().into_iter().map(|at| at.value.to_owned()).collect();
    for At { value, line } in section.texts("honey_operations").unwrap_or_default() {
        match Action::parse(value) {
            Ok(action) => drop(rules.honey_operations.insert(action)),
            Err(why) => section.fault(Some(line), format!("`honey_operations` cannot hold `{value}`"), why.to_string()),
        }
    }
    if let Some(mut own) = section.table("rule", "monitor.rule") {
        for (name, one) in own.named_tables() {
            rule(name, one, mode, &mut rules.react);
        }
        own.end();
    }
    rules.webhook = section.table("webhook", "monitor.webhook").and_then(|section| webhook(section, here));
    rules.email = section.table("email", "monitor.email").and_then(|section| email::email(section, here, &ACTS));
    section.end();
    if mode == Mode::Observe {
        observe(&mut rules);
    }
    rules
}

/// `[monitor.rule.KIND]`.
fn rule(name: At<&str>, mut section: Section<'_>, general: Mode, rules: &mut ReactRules) {
    let Some(kind) = SignalKind::parse(name.value).filter(|kind| *kind != SignalKind::SteppedUp) else {
        section.fault(Some(name.line), format!("`{}` is not a signal of the monitor", name.value), "see the list in docs/incidents.md");
        return;
    };
    let shipped = rules.of(kind);
    let act = section.word("act", &ACTS).map_or(shipped.act, |at| at.value);
    let mode = section.word("mode", &MODES).map_or(general, |at| at.value);
    rules.own.insert(kind, ReactRule { mode, act });
    section.end();
}

/// `mode = "observe"` holds for whatever has no mode of its own, and for scores.
fn observe(rules: &mut MonitorRules) {
    rules.risk = RiskBar::default();
    for kind in SignalKind::ALL {
        let shipped = rules.react.of(*kind);
        rules.react.own.entry(*kind).or_insert(ReactRule { mode: Mode::Observe, ..shipped });
    }
}

fn webhook(mut section: Section<'_>, here: &Path) -> Option<Webhook> {
    let line = section.line().unwrap_or(1);
    if !section.has("url") {
        section.fault(Some(line), "`url` is missing in `monitor.webhook`", "add `url = \"https://alerts.example.com/countersign\"`");
    }
    let url = section.parsed("url", "write a URL, such as `https://alerts.example.com/countersign`", |text| Url::parse(text).ok());
    let secret = section.required_text("secret_file", "\"webhook.secret\"").map(|at| here.join(at.value));
    section.end();
    Some(Webhook { url: url?.value, secret: secret?, line })
}

#[cfg(test)]
mod tests {
    use countersign_core::Seconds;

    use super::*;
    use crate::config::{Config, parse};

    const MINIMAL: &str = "public_url = \"https://api.example.com\"\nupstream   = \"http://127.0.0.1:8080\"\n[app.\"com.example.shop\"]\n";

    fn read(text: &str) -> Result<Config, String> {
        parse(&format!("{MINIMAL}{text}"), Path::new("csign.toml")).map_err(|faults| faults.to_string())
    }

    fn rules(text: &str) -> MonitorRules {
        read(text).expect("understood").monitor
    }

    #[test]
    fn the_guides_example_is_understood_and_its_table_is_true() {
        let guide = include_str!("../../../../docs/incidents.md");
        let example = guide.split("```toml\n").nth(1).and_then(|rest| rest.split_once("```")).map(|(block, _)| block).expect("an example");
        let rules = rules(example);
        assert_eq!(rules.react.of(SignalKind::Scraping), ReactRule { mode: Mode::Observe, act: Reaction::Revoke });
        assert_eq!((rules.risk, rules.react.together), (RiskBar::SHIPPED, Seconds(3600)));
        assert!(
            rules.honey_accounts.contains("admin") && rules.honey_operations.len() == 1 && rules.webhook.is_some() && rules.email.is_some()
        );
        for kind in SignalKind::ALL.iter().filter(|kind| **kind != SignalKind::SteppedUp) {
            let row = guide.lines().find(|line| line.starts_with(&format!("| `{}` |", kind.as_str())));
            let row = row.unwrap_or_else(|| panic!("docs/incidents.md does not name `{}`", kind.as_str()));
            let act = ReactRules::default().of(*kind).act.as_str();
            assert!(row.contains(&format!("| `{act}`")), "{row}: shipped is `{act}`");
        }
    }

    #[test]
    fn observing_does_nothing_but_what_has_a_mode_of_its_own() {
        let rules = rules("[monitor]\nmode = \"observe\"\n[monitor.rule.scraping]\nmode = \"enforce\"\n");
        assert_eq!(rules.risk, RiskBar::default());
        assert_eq!(rules.react.of(SignalKind::HoneyOperation), ReactRule { mode: Mode::Observe, act: Reaction::Revoke });
        assert_eq!(rules.react.of(SignalKind::Scraping), ReactRule { mode: Mode::Enforce, act: Reaction::Challenge });
    }

    #[test]
    fn what_is_wrong_is_said() {
        let rows = [
            ("[monitor]\nstep_up_at = 101\n", "csign.toml:5: `step_up_at = 101` is out of range; write it as a whole number from 1 to 100"),
            ("[monitor]\nhoney_operations = [\"a b\"]\n", "csign.toml:5: `honey_operations` cannot hold `a b`"),
            ("[monitor.rule.scrapping]\n", "csign.toml:4: `scrapping` is not a signal of the monitor; see the list in docs/incidents.md"),
            ("[monitor.rule.stepped_up]\n", "csign.toml:4: `stepped_up` is not a signal of the monitor"),
            ("[monitor.rule.scraping]\nact = \"ban\"\n", "csign.toml:5: `act` cannot be `ban`"),
            ("[monitor.webhook]\nsecret_file = \"a\"\n", "csign.toml:4: `url` is missing in `monitor.webhook`"),
            ("[monitor.webhook]\nurl = \"https://a.example\"\n", "csign.toml:4: `secret_file` is missing"),
        ];
        for (text, expected) in rows {
            let said = read(text).expect_err(text);
            assert!(said.starts_with(expected), "{text}\n{said}");
        }
    }
}
