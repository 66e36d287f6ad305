//! Conversion of facts into Cedar's values. They are built from types and never from text: parsing an expression costs more than deciding.

use std::collections::{BTreeMap, HashMap, HashSet};

use cedar_policy::{Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression as Value};
use countersign_core::{
    Acr, Amr, BootState, ContractViolation, EvidenceTier, Facts, FieldValue, Licensing, Limits, Platform, Recognition, RiskView, Seconds,
    SecurityLevel, Session, Stage, UnixSeconds,
};

/// Age in seconds that stands for "never": a century, which no policy takes for recent.
const NEVER_SECONDS: i64 = 3_153_600_000;

/// Age in days that stands for "never": a century, which no policy takes for recent.
const NEVER_DAYS: i64 = 36_500;

/// Cedar's names of our entity types, parsed once.
#[derive(Debug)]
pub(crate) struct Types {
    user: EntityTypeName,
    role: EntityTypeName,
    action: EntityTypeName,
    kinds: HashMap<String, EntityTypeName>,
}

impl Types {
    pub(crate) fn new<'a>(kinds: impl Iterator<Item = &'a str>) -> Result<Self, ContractViolation> {
        let name = |text: &str| text.parse::<EntityTypeName>().map_err(|_| ContractViolation("a declared type is a Cedar name"));
        Ok(Self {
            user: name("User")?,
            role: name("Role")?,
            action: name("Action")?,
            kinds: kinds.map(|kind| Ok((kind.to_owned(), name(kind)?))).collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn action(&self, name: &str) -> EntityUid {
        EntityUid::from_type_name_and_id(self.action.clone(), EntityId::new(name))
    }

    /// The request to Cedar, with all entities that it mentions.
    pub(crate) fn ask(&self, facts: &Facts, actions: &Entities) -> Result<(Request, Entities), ContractViolation> {
        let broken = |what| move |_| ContractViolation(what);
        let user = |name: &str| EntityUid::from_type_name_and_id(self.user.clone(), EntityId::new(name));
        let kind = self.kinds.get(&facts.resource.kind).ok_or(ContractViolation("a resource's type is declared"))?;
        let principal = user(facts.subject.as_str());
        let resource = EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(&facts.resource.id));
        let roles: Vec<_> = facts.session.roles.iter().map(|role| role.as_str()).collect();
        let parents: HashSet<_> =
            roles.iter().map(|role| EntityUid::from_type_name_and_id(self.role.clone(), EntityId::new(role))).collect();
        let role_entities = parents.iter().map(|uid| Entity::new_no_attrs(uid.clone(), HashSet::new())).collect::<Vec<_>>();
        let named = HashMap::from([("roles".to_owned(), texts(roles.into_iter()))]);
        let owner = facts.resource.owner.as_ref().map(|owner| ("owner".to_owned(), Value::new_entity_uid(user(owner))));
        let mut entities = role_entities;
        entities.push(Entity::new(principal.clone(), named, parents).map_err(|_| ContractViolation("a user is a Cedar entity"))?);
        entities.push(
            Entity::new(resource.clone(), owner.into_iter().collect(), HashSet::new())
                .map_err(|_| ContractViolation("a resource is a Cedar entity"))?,
        );
        let entities = actions.clone().upsert_entities(entities, None).map_err(|_| ContractViolation("the entities fit together"))?;
        let context = Context::from_pairs(context(facts)?).map_err(|_| ContractViolation("the facts are a Cedar record"))?;
        let request = Request::new(principal, self.action(facts.request.action.as_str()), resource, context, None);
        Ok((request.map_err(broken("the question is a Cedar request"))?, entities))
    }
}

fn context(facts: &Facts) -> Result<Vec<(String, Value)>, ContractViolation> {
    let mut request = vec![("method", text(&facts.request.method))];
    let fields = facts.request.fields.iter().map(|(name, value)| {
        let value = match value {
            FieldValue::Bool(value) => Value::new_bool(*value),
            FieldValue::Long(value) => Value::new_long(*value),
            FieldValue::Text(value) => text(value),
        };
        (name.as_str(), value)
    });
    request.extend(fields);
    Ok(vec![
        ("auth".to_owned(), record(auth(&facts.session, facts.now))?),
        ("device".to_owned(), record(device(facts))?),
        ("risk".to_owned(), record(risk(&facts.risk.view))?),
        ("session".to_owned(), record(session(facts))?),
        ("request".to_owned(), record(request)?),
    ])
}

/// Age of something that this server dated; what a clock that was wrong dated ahead is as old as can be.
fn age(now: UnixSeconds, then: UnixSeconds) -> i64 {
    seconds(now.age_of(then, Limits::CLOCK_AHEAD_MAX))
}

fn auth(session: &Session, now: UnixSeconds) -> Vec<(&'static str, Value)> {
    let age = age(now, session.auth_time);
    // A passkey with user verification asks for a finger or a face, and so does a presence key.
    let presence_age = match session.acr {
        Acr::Basic => NEVER_SECONDS,
        Acr::PhishingResistant | Acr::Presence => age,
    };
    vec![
        ("acr", text(session.acr.as_str())),
        ("amr", texts(session.amr.iter().map(|amr| Amr::as_str(*amr)))),
        ("age_s", Value::new_long(age)),
        ("presence_age_s", Value::new_long(presence_age)),
    ]
}

fn device(facts: &Facts) -> Vec<(&'static str, Value)> {
    let Facts { posture, unmet, now, .. } = facts;
    let now = *now;
    // A level of the future counts as unknown: it says nothing about the patches that the phone has.
    let patch_level = posture.patch_level.and_then(|level| level.believed(now));
    let patch_age = patch_level.map_or(NEVER_DAYS, |patch| seconds(patch.age(now)) / 86_400);
    let (report, verdict) = (posture.report.as_ref(), posture.verdict.as_ref());
    vec![
        ("trust", Value::new_long(posture.trust().into())),
        ("platform", text(platform(posture.platform))),
        ("tier", text(tier(posture.tier))),
        ("vouched_by", text(posture.by.as_str())),
        ("limited", Value::new_bool(unmet.iter().any(|unmet| unmet.stage == Stage::Limit))),
        ("lacks", texts(unmet.iter().map(|unmet| unmet.reason.code()))),
        ("bound_age_s", Value::new_long(seconds(now.since(facts.session.bound_at)))),
        ("evidence_age_s", Value::new_long(seconds(posture.evidence_age(now)))),
        ("security_level", text(security_level(posture.security_level))),
        // Unknown counts as not locked. All facts below have their worst value when unknown, too.
        ("bootloader_locked", Value::new_bool(posture.bootloader_locked == Some(true))),
        ("boot_state", text(boot_state(posture.boot_state))),
        ("os_version", long(posture.os_version_known().map(|known| known.value))),
        ("patch_level", long(patch_level.map(|patch| patch.number()))),
        ("patch_age_days", Value::new_long(patch_age)),
        ("app", text(posture.app.as_ref().map_or("", |app| app.as_str()))),
        ("app_version", long(posture.app_version_known().map(|known| known.value))),
        ("findings", texts(report.iter().flat_map(|report| &report.findings).map(|finding| finding.as_str()))),
        ("report_age_s", Value::new_long(report.map_or(NEVER_SECONDS, |report| age(now, report.at)))),
        ("integrity", text(verdict.map_or("unknown", |verdict| verdict.integrity.as_str()))),
        ("verdict_age_s", Value::new_long(verdict.map_or(NEVER_SECONDS, |verdict| age(now, verdict.at)))),
        ("recognized", Value::new_bool(verdict.is_some_and(|verdict| verdict.recognition == Some(Recognition::Recognized)))),
        ("licensed", Value::new_bool(verdict.is_some_and(|verdict| verdict.licensing == Some(Licensing::Licensed)))),
        ("risk_metric", Value::new_long(posture.risk_metric.map_or(0, |metric| metric.count.into()))),
    ]
}

fn risk(view: &RiskView) -> Vec<(&'static str, Value)> {
    let against = view.reasons.iter().filter(|reason| reason.weight_tenths > 0);
    vec![("score", Value::new_long(view.score.into())), ("reasons", texts(against.map(|reason| &*reason.name)))]
}

fn session(facts: &Facts) -> Vec<(&'static str, Value)> {
    vec![("limited", Value::new_bool(facts.limited())), ("age_s", Value::new_long(seconds(facts.now.since(facts.session.created_at))))]
}

pub(crate) const fn platform(platform: Platform) -> &'static str {
    match platform {
        Platform::Android => "android",
        Platform::Ios => "ios",
    }
}

pub(crate) const fn tier(tier: EvidenceTier) -> &'static str {
    match tier {
        EvidenceTier::None => "none",
        EvidenceTier::SelfReported => "self_reported",
        EvidenceTier::Platform => "platform",
        EvidenceTier::Hardware => "hardware",
    }
}

pub(crate) const fn security_level(level: SecurityLevel) -> &'static str {
    match level {
        SecurityLevel::Software => "software",
        SecurityLevel::TrustedEnvironment => "trusted_environment",
        SecurityLevel::StrongBox => "strong_box",
    }
}

pub(crate) const fn boot_state(state: Option<BootState>) -> &'static str {
    match state {
        None => "unknown",
        Some(BootState::Failed) => "failed",
        Some(BootState::SelfSigned) => "self_signed",
        Some(BootState::Unverified) => "unverified",
        Some(BootState::Verified) => "verified",
    }
}

fn seconds(span: Seconds) -> i64 {
    i64::try_from(span.0).unwrap_or(NEVER_SECONDS).min(NEVER_SECONDS)
}

/// Number for Cedar. Versions and levels are better when larger, so a number that is unknown or too large becomes 0, the worst.
fn long(number: Option<u64>) -> Value {
    Value::new_long(number.and_then(|number| i64::try_from(number).ok()).unwrap_or(0))
}

fn text(text: &str) -> Value {
    Value::new_string(text.to_owned())
}

fn texts<'a>(texts: impl Iterator<Item = &'a str>) -> Value {
    Value::new_set(texts.map(text))
}

fn record(fields: Vec<(&str, Value)>) -> Result<Value, ContractViolation> {
    let fields: BTreeMap<_, _> = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Value::new_record(fields).map_err(|_| ContractViolation("no name of a record stands twice"))
}
