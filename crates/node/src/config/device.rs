//! `[device]` and `[device.require.NAME]`: what is required of phones, and how far each requirement has been rolled out.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use countersign_compliance::{AppRelease, PatchRule, Requirement, Rollout, Rule, WhenAbsent};
use countersign_core::{AppAccess, AppFinding, BootState, Integrity, Platform, PlayProtect, Seconds, SecurityLevel, Stage};

use crate::config::{
    defaults,
    model::{AttestedKey, DeviceRules, StatusListSource, WhenStale},
    section::{At, Section},
    value,
};

const STAGES: [(&str, Stage); 3] = [("observe", Stage::Observe), ("limit", Stage::Limit), ("enforce", Stage::Enforce)];

const LEVELS: [(&str, SecurityLevel); 3] = [
    ("software", SecurityLevel::Software),
    ("trusted_environment", SecurityLevel::TrustedEnvironment),
    ("strong_box", SecurityLevel::StrongBox),
];

/// What the flat keys of `[device]` say, as far as rules are made of it.
struct Flat {
    security_level_min: SecurityLevel,
    boot_states: Vec<BootState>,
    locked: bool,
    allow_dev_tokens: bool,
}

/// The section; `here` is the directory of the file.
pub fn device(section: Option<Section<'_>>, here: &Path) -> DeviceRules {
    let mut rules = DeviceRules {
        requirements: Vec::new(),
        attested: AttestedKey { rollback_resistance: defaults::REQUIRE_ROLLBACK_RESISTANCE, ..AttestedKey::default() },
        boot_keys: Vec::new(),
        systems: Vec::new(),
        anchors: Vec::new(),
        apple_anchors: Vec::new(),
        apple_development: defaults::APPLE_DEVELOPMENT,
        status_list: StatusListSource::Unsaid,
        status_list_age_max: defaults::STATUS_LIST_AGE_MAX,
        status_list_grace: defaults::STATUS_LIST_GRACE,
        status_list_then: defaults::STATUS_LIST_THEN,
    };
    let mut flat = Flat {
        security_level_min: defaults::SECURITY_LEVEL_MIN,
        boot_states: defaults::BOOT_STATES.to_vec(),
        locked: defaults::REQUIRE_LOCKED,
        allow_dev_tokens: defaults::ALLOW_DEV_TOKENS,
    };
    let Some(mut section) = section else {
        rules.requirements = usual(&flat, Rollout::all(defaults::STAGE));
        return rules;
    };
    if let Some(at) = section.word("security_level_min", &LEVELS) {
        flat.security_level_min = at.value;
    }
    if let Some(texts) = section.texts("boot_state") {
        flat.boot_states = boot_states(&section, &texts);
    }
    flat.locked = section.flag("require_locked").map_or(defaults::REQUIRE_LOCKED, |at| at.value);
    flat.allow_dev_tokens = section.flag("allow_dev_tokens").map_or(defaults::ALLOW_DEV_TOKENS, |at| at.value);
    rules.attested = attested(&mut section);
    rules.boot_keys = paths(&mut section, "boot_keys", here);
    let systems = section.texts("systems").unwrap_or_default();
    rules.systems = systems.into_iter().map(|At { value, line }| (value.to_owned(), line)).collect();
    rules.anchors = paths(&mut section, "anchors", here);
    rules.apple_anchors = paths(&mut section, "apple_anchors", here);
    rules.apple_development = section.flag("apple_development").map_or(defaults::APPLE_DEVELOPMENT, |at| at.value);
    rules.status_list = status_list(&mut section, here);
    if let Some(span) = section.span("status_list_age_max") {
        rules.status_list_age_max = span;
    }
    if let Some(span) = section.span("status_list_grace") {
        rules.status_list_grace = span;
    }
    if let Some(at) = section.word("status_list_then", &[("limit", WhenStale::Limit), ("refuse", WhenStale::Refuse)]) {
        rules.status_list_then = at.value;
    }
    let general = rollout(&mut section, Rollout::all(defaults::STAGE));
    rules.requirements = usual(&flat, general);
    if rules.status_list_then == WhenStale::Limit {
        let age_max = rules.status_list_age_max.0.saturating_add(rules.status_list_grace.0);
        rules.requirements.push(Requirement { rule: Rule::StatusListAge(Seconds(age_max)), rollout: at_most(general, Stage::Limit) });
    }
    let own = section.table("require", "device.require").map(|section| required(section, general)).unwrap_or_default();
    rules.requirements = replaced(rules.requirements, own);
    section.end();
    rules
}

/// Reads the keys of the section that are about attestations of Android phones' keys.
fn attested(section: &mut Section<'_>) -> AttestedKey {
    let version = |section: &mut Section<'_>, key| section.number(key, 1..=u64::from(u32::MAX)).and_then(|at| u32::try_from(at.value).ok());
    AttestedKey {
        security_level_exact: section.word("security_level_exact", &LEVELS).map(|at| at.value),
        attestation_version_min: version(section, "attestation_version_min"),
        keymint_version_min: version(section, "keymint_version_min"),
        rollback_resistance: section.flag("require_rollback_resistance").map_or(defaults::REQUIRE_ROLLBACK_RESISTANCE, |at| at.value),
        age_max: section.span("attestation_age_max"),
    }
}

/// `[app.ID.require.NAME]`: an app's own requirements.
pub fn overrides(app: &mut Section<'_>) -> Vec<Requirement> {
    app.table("require", "require").map(|section| required(section, Rollout::all(defaults::STAGE))).unwrap_or_default()
}

/// Requirements of which a later one takes the place of an earlier one of the same kind.
pub fn replaced(mut all: Vec<Requirement>, own: Vec<Requirement>) -> Vec<Requirement> {
    for new in own {
        match all.iter_mut().find(|known| known.rule.same_kind(&new.rule)) {
            Some(known) => *known = new,
            None => all.push(new),
        }
    }
    all
}

fn paths(section: &mut Section<'_>, key: &'static str, here: &Path) -> Vec<(PathBuf, usize)> {
    section.texts(key).unwrap_or_default().into_iter().map(|At { value, line }| (here.join(value), line)).collect()
}

fn at_most(rollout: Rollout, stage: Stage) -> Rollout {
    Rollout { stage: rollout.stage.min(stage), otherwise: rollout.otherwise.min(stage), ..rollout }
}

fn usual(flat: &Flat, rollout: Rollout) -> Vec<Requirement> {
    let rule = |name: &str| match name {
        "security_level" => Some(Rule::SecurityLevel(flat.security_level_min)),
        "boot" => Some(Rule::Boot { states: flat.boot_states.clone(), keys: BTreeSet::new() }),
        "bootloader_locked" => flat.locked.then_some(Rule::BootloaderLocked),
        "not_revoked" => Some(Rule::NotRevoked),
        _ => (!flat.allow_dev_tokens).then_some(Rule::NoDevelopment),
    };
    let always = defaults::REQUIRED.iter().filter_map(|name| rule(name)).map(|rule| Requirement { rule, rollout });
    let found =
        defaults::FINDINGS.iter().map(|finding| Requirement { rule: Rule::Without(*finding), rollout: at_most(rollout, Stage::Limit) });
    always.chain(found).collect()
}

/// `mode`, `percent` and `otherwise`.
fn rollout(section: &mut Section<'_>, general: Rollout) -> Rollout {
    let mode = section.word("mode", &STAGES);
    let percent = section.number("percent", 0..=100);
    let otherwise = section.word("otherwise", &STAGES);
    let stage = mode.map_or(general.stage, |at| at.value);
    match (percent, otherwise) {
        (None, None) if mode.is_none() => general,
        (None, None) => Rollout::all(stage),
        (Some(percent), otherwise) => {
            let otherwise = otherwise.map_or(defaults::STAGE_OTHERWISE, |at| at.value);
            Rollout { stage, percent: u8::try_from(percent.value).unwrap_or(100), otherwise }
        }
        (None, Some(At { line, .. })) => {
            section.fault(Some(line), "`otherwise` has no effect without `percent`", "add `percent = 10`, or remove `otherwise`");
            Rollout::all(stage)
        }
    }
}

/// The tables of `require`, in the order of their names.
fn required(mut section: Section<'_>, general: Rollout) -> Vec<Requirement> {
    let mut all = Vec::new();
    for (name, read) in READERS {
        let Some(mut table) = section.table(name, *name) else { continue };
        let rollout = rollout(&mut table, general);
        all.extend(read(&mut table).map(|rule| Requirement { rule, rollout }));
        table.end();
    }
    for finding in AppFinding::ALL {
        let Some(mut table) = section.table(finding.as_str(), finding.as_str()) else { continue };
        let rollout = rollout(&mut table, general);
        all.push(Requirement { rule: Rule::Without(*finding), rollout });
        table.end();
    }
    section.end();
    all
}

type Read = fn(&mut Section<'_>) -> Option<Rule>;

/// How each requirement is written; those about findings have no keys of their own.
const READERS: &[(&str, Read)] = &[
    ("app_access", |table| Some(Rule::AppAccess(accesses(table), absent(table)))),
    ("app_version", |table| Some(Rule::AppVersion(releases(table)))),
    ("boot", |table| {
        let texts = table.texts("states").unwrap_or_default();
        Some(Rule::Boot { states: boot_states(table, &texts), keys: BTreeSet::new() })
    }),
    ("bootloader_locked", |_| Some(Rule::BootloaderLocked)),
    ("evidence_age", |table| needed_span(table).map(Rule::EvidenceAge)),
    ("integrity", |table| {
        let words =
            [("basic", Integrity::Basic), ("device", Integrity::Device), ("strong", Integrity::Strong), ("virtual", Integrity::Virtual)];
        let min = needed_word(table, "min", &words);
        let absent = absent(table);
        min.map(|min| Rule::Integrity(min, absent))
    }),
    ("licensed", |table| Some(Rule::Licensed(absent(table)))),
    ("no_development", |_| Some(Rule::NoDevelopment)),
    ("not_revoked", |_| Some(Rule::NotRevoked)),
    ("os_version", |table| {
        let version = |table: &mut Section<'_>, key| {
            table.parsed(key, "write up to three numbers, such as `14` or `17.5.1`", |text| value::dotted(text, 2)).map(|at| at.value)
        };
        let android = version(table, "android").map(|min| (Platform::Android, min));
        let ios = version(table, "ios").map(|min| (Platform::Ios, min));
        Some(Rule::OsVersion(android.into_iter().chain(ios).collect()))
    }),
    ("patch_level", patch_level),
    ("play_protect", |table| {
        let words = [
            ("high_risk", PlayProtect::HighRisk),
            ("medium_risk", PlayProtect::MediumRisk),
            ("no_data", PlayProtect::NoData),
            ("no_issues", PlayProtect::NoIssues),
            ("possible_risk", PlayProtect::PossibleRisk),
        ];
        let worst = needed_word(table, "worst", &words);
        let absent = absent(table);
        worst.map(|worst| Rule::PlayProtect(worst, absent))
    }),
    ("recognized", |table| Some(Rule::Recognized(absent(table)))),
    ("risk_metric", |table| {
        let max = table.number("max", 0..=u64::from(u32::MAX));
        needed(table, max.is_some(), "max", "max = 5");
        let words = [("pass", WhenAbsent::Pass), ("unmet", WhenAbsent::Unmet)];
        let absent = table.word("without_count", &words).map_or(defaults::WITHOUT_COUNT, |at| at.value);
        max.and_then(|at| u32::try_from(at.value).ok()).map(|max| Rule::RiskMetric(max, absent))
    }),
    ("security_level", |table| needed_word(table, "min", &LEVELS).map(Rule::SecurityLevel)),
    ("verdict_age", |table| {
        let span = needed_span(table);
        let absent = absent(table);
        span.map(|span| Rule::VerdictAge(span, absent))
    }),
];

fn needed(table: &Section<'_>, there: bool, key: &str, example: &str) {
    if !there {
        table.fault(table.line(), format!("`{key}` is missing"), format!("add `{example}`"));
    }
}

fn needed_span(table: &mut Section<'_>) -> Option<Seconds> {
    let span = table.has("max").then(|| table.span("max"));
    needed(table, span.is_some(), "max", "max = \"24h\"");
    span.flatten()
}

fn needed_word<T: Copy>(table: &mut Section<'_>, key: &'static str, words: &[(&'static str, T)]) -> Option<T> {
    let word = table.has(key).then(|| table.word(key, words));
    let example = words.first().map_or("", |(word, _)| word);
    needed(table, word.is_some(), key, &format!("{key} = \"{example}\""));
    word.flatten().map(|at| at.value)
}

/// `without_verdict`: a phone without the vendor's services may pass or not.
fn absent(table: &mut Section<'_>) -> WhenAbsent {
    table
        .word("without_verdict", &[("pass", WhenAbsent::Pass), ("unmet", WhenAbsent::Unmet)])
        .map_or(defaults::WITHOUT_VERDICT, |at| at.value)
}

fn patch_level(table: &mut Section<'_>) -> Option<Rule> {
    let min = table.parsed("min", "write a month, such as `2026-05`", value::month);
    let age_max = table.span("age_max");
    match (min, age_max) {
        (Some(min), None) => Some(Rule::PatchLevel(PatchRule::NotBefore(min.value))),
        (None, Some(age_max)) => Some(Rule::PatchLevel(PatchRule::AgeMax(age_max))),
        (Some(_), Some(_)) | (None, None) => {
            table.fault(table.line(), "`patch_level` needs either `min` or `age_max`", "write one of them, such as `age_max = \"180d\"`");
            None
        }
    }
}

fn releases(table: &mut Section<'_>) -> BTreeMap<Platform, AppRelease> {
    let grace_until = table.parsed("grace_until", "write a day, such as `2026-12-01`", value::day).map(|at| at.value);
    let mut releases = BTreeMap::new();
    let android = table.number("android", 0..=u64::from(u32::MAX)).map(|at| (at.value, at.value.to_string()));
    let ios =
        table.parsed("ios", "write up to three numbers, such as `3.1.0`", |text| value::dotted(text, 3).map(|min| (min, text.to_owned())));
    let said =
        [(Platform::Android, android, table.text("android_store")), (Platform::Ios, ios.map(|at| at.value), table.text("ios_store"))];
    for (platform, min, store) in said {
        let Some((min, min_text)) = min else { continue };
        let store = store.map(|at| at.value.to_owned());
        releases.insert(platform, AppRelease { min, min_text, grace_until, store });
    }
    releases
}

fn accesses(table: &mut Section<'_>) -> BTreeSet<AppAccess> {
    needed(table, table.has("none_of"), "none_of", "none_of = [\"unknown_capturing\", \"unknown_controlling\"]");
    let mut found = BTreeSet::new();
    for At { value, line } in table.texts("none_of").unwrap_or_default() {
        match AppAccess::parse(value) {
            Some(access) => {
                found.insert(access);
            }
            None => {
                let all: Vec<_> = AppAccess::ALL.iter().map(|access| format!("`{}`", access.as_str())).collect();
                table.fault(Some(line), format!("`none_of` cannot hold `{value}`"), format!("it can hold {}", all.join(", ")));
            }
        }
    }
    found
}

/// The word of an operator who decides to go without a revocation list.
const NO_LIST: &str = "none";

fn status_list(section: &mut Section<'_>, here: &Path) -> StatusListSource {
    let named = match section.text("status_list") {
        None => StatusListSource::Unsaid,
        Some(At { value: NO_LIST, line }) => StatusListSource::Nowhere(line),
        Some(At { value, line }) => StatusListSource::File(here.join(value), line),
    };
    match (&named, section.flag("require_status_list")) {
        (StatusListSource::Unsaid | StatusListSource::Nowhere(_), Some(At { value: true, line })) => {
            section.fault(Some(line), "`require_status_list = true` needs a `status_list`", "add `status_list = \"status.json\"`");
        }
        (StatusListSource::File(..), Some(At { value: false, line })) => {
            section.fault(Some(line), "`status_list` and `require_status_list = false` contradict each other", "remove one of them");
        }
        (StatusListSource::Unsaid | StatusListSource::Nowhere(_) | StatusListSource::File(..), None | Some(_)) => {}
    }
    named
}

fn boot_states(section: &Section<'_>, texts: &[At<&str>]) -> Vec<BootState> {
    let mut states = Vec::new();
    for At { value, line } in texts {
        match *value {
            "verified" => states.push(BootState::Verified),
            "self_signed" => states.push(BootState::SelfSigned),
            "unverified" => states.push(BootState::Unverified),
            "failed" => states.push(BootState::Failed),
            other => section.fault(
                Some(*line),
                format!("`boot_state` cannot hold `{other}`"),
                "it can hold `verified`, `self_signed`, `unverified`, `failed`",
            ),
        }
    }
    states
}
