//! The admin API about the whole fleet: who would be refused and why, by what is in force or by what might be.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    routing::post,
};
use countersign_audit::{EventKind, Glance};
use countersign_compliance::{Apps, Breakdown, Forecast, Outcomes, Revocations, Survey, UsedBy};
use countersign_core::{ClientId, Limits, Outcome, Platform, Seconds, UnixSeconds};
use countersign_store::{
    DeviceState, Unavailable,
    segments::{self, ReadError},
};

use crate::{
    admin::{
        fleet::{Fleet, Met},
        service::{ActRefusal, AdminService},
        wire::{BreakdownView, DoorView, DoorsView, GroupView, OutcomesView, ReportAsk, ReportView, WhatIf},
    },
    config::{self, Config, Faults},
    settings::{devices, fetched::Fetched},
};

/// Bytes of a question: a configuration of a megabyte, as JSON writes it.
const ASK_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How far back the log is read for evidence that was refused.
const DOORS_AGE_MAX: Seconds = Seconds(7 * 86_400);

/// Segments of the log that are read for it: a gigabyte.
const SEGMENTS_MAX: usize = 16;

/// What the routes lean on.
#[derive(Clone)]
pub struct FleetReport {
    /// Devices, sessions, log and clock.
    pub admin_service: Arc<AdminService>,
    /// Which certificates of devices were revoked.
    pub revocations: Arc<ArcSwap<Revocations>>,
    /// The registry of apps: what is in force.
    pub apps: Arc<ArcSwap<Apps>>,
}

/// All routes.
pub fn router(fleet_report: FleetReport) -> Router {
    Router::new().route("/v1/devices/report", post(report)).layer(DefaultBodyLimit::max(ASK_BYTES_MAX)).with_state(fleet_report)
}

async fn report(State(fleet_report): State<FleetReport>, Json(ask): Json<ReportAsk>) -> Result<Json<ReportView>, ActRefusal> {
    let today = fleet_report.apps.load_full();
    let judged = ask.what_if.as_ref().map(registry).transpose()?;
    let app = ask.app.as_ref().map(|app| known(app, &today, judged.as_ref())).transpose()?;
    if !(1..=Limits::FORECAST_GROUPS_MAX).contains(&ask.top) {
        return Err(ActRefusal::Invalid(format!("a table cannot have {} rows; give 1 to {}", ask.top, Limits::FORECAST_GROUPS_MAX)));
    }
    let admin_service = &fleet_report.admin_service;
    let fleet = Fleet { devices: Arc::clone(&admin_service.stores.devices), sessions: Arc::clone(&admin_service.stores.sessions) };
    let (now, revocations) = (admin_service.clock.now().seconds(), fleet_report.revocations.load_full());
    let mut tally = Tally::default();
    let meet = |met: &Met| {
        let by = |apps: &Apps| met.judge(apps, app.as_ref(), &revocations, now);
        let Some(would_be) = by(judged.as_ref().unwrap_or(&*today)) else { return };
        match met.device.state {
            DeviceState::Revoked => tally.revoked = tally.revoked.saturating_add(1),
            DeviceState::Active => {
                // Both registries agree through which app a session is; the app of a device that nobody uses is each one's own.
                if would_be.by == UsedBy::Somebody {
                    let stage = by(&today).and_then(|now_is| now_is.stage());
                    tally.today.count(stage);
                    tally.worse = tally.worse.saturating_add(u64::from(would_be.stage() > stage));
                    tally.better = tally.better.saturating_add(u64::from(would_be.stage() < stage));
                }
                tally.survey.count(&met.device.posture, met.device.model.as_deref(), &would_be);
            }
        }
    };
    fleet.walk(now, meet).await?;
    let doors = doors(admin_service.log.clone(), app.clone(), ask.top, now).await?;
    Ok(Json(tally.view(&ask, doors, now)))
}

fn registry(what_if: &WhatIf) -> Result<Apps, ActRefusal> {
    let config = config::parse(&what_if.text, Path::new(&what_if.file));
    config.and_then(|config| registered(&config)).map_err(|faults| ActRefusal::Invalid(faults.to_string()))
}

fn registered(config: &Config) -> Result<Apps, Faults> {
    devices::apps(&config.file, &config.apps, &config.device, &Fetched { data: &config.data, feeds: &config.feeds })
}

fn known(app: &str, today: &Apps, judged: Option<&Apps>) -> Result<ClientId, ActRefusal> {
    let client =
        ClientId::parse(app).ok().filter(|client| today.of(client).is_ok() || judged.is_some_and(|judged| judged.of(client).is_ok()));
    client.ok_or_else(|| ActRefusal::NotFound(format!("there is no app `{app}`; give the id of an `[app.\"ID\"]` of the configuration")))
}

/// What is counted on the walk.
#[derive(Default)]
struct Tally {
    survey: Survey,
    today: Outcomes,
    worse: u64,
    better: u64,
    revoked: u64,
}

impl Tally {
    fn view(self, ask: &ReportAsk, doors: DoorsView, now: UnixSeconds) -> ReportView {
        let forecast: Forecast = self.survey.forecast(ask.top);
        ReportView {
            at: now.0,
            app: ask.app.clone(),
            what_if: ask.what_if.as_ref().map(|what_if| what_if.file.clone()),
            today: outcomes(&self.today),
            forecast: outcomes(&forecast.in_force),
            enforced: outcomes(&forecast.enforced),
            worse: self.worse,
            better: self.better,
            nobodys: outcomes(&forecast.nobodys),
            nobodys_enforced: outcomes(&forecast.nobodys_enforced),
            revoked: self.revoked,
            by_reason: breakdown(forecast.by_reason, |reason| (Some(reason.code().to_owned()), None)),
            by_platform: breakdown(forecast.by_platform, |platform| (Some(word(platform).to_owned()), None)),
            by_model: breakdown(forecast.by_model, |model| (model, None)),
            by_os_version: breakdown(forecast.by_system, |(platform, version)| (version.map(|v| v.to_string()), Some(platform))),
            by_app_version: breakdown(forecast.by_app_version, |(platform, version)| {
                (version.map(|version| app_version(platform, version)), Some(platform))
            }),
            doors,
        }
    }
}

fn outcomes(of: &Outcomes) -> OutcomesView {
    OutcomesView { devices: of.devices, passed: of.clean(), observed: of.observed, limited: of.limited, refused: of.refused }
}

fn breakdown<K>(of: Breakdown<K>, name: impl Fn(K) -> (Option<String>, Option<Platform>)) -> BreakdownView {
    let group = |(key, counted): (K, Outcomes)| {
        let (name, platform) = name(key);
        GroupView { name, platform: platform.map(|platform| word(platform).to_owned()), outcomes: outcomes(&counted) }
    };
    BreakdownView { others: outcomes(&of.others), groups: of.groups.into_iter().map(group).collect() }
}

const fn word(platform: Platform) -> &'static str {
    match platform {
        Platform::Android => "android",
        Platform::Ios => "ios",
    }
}

/// As the stores write it: Android's version code, and three numbers for iOS.
fn app_version(platform: Platform, version: u64) -> String {
    match platform {
        Platform::Android => version.to_string(),
        Platform::Ios => format!("{}.{}.{}", version / 1_000_000, version / 1000 % 1000, version % 1000),
    }
}

/// What the log has about evidence that was refused.
async fn doors(log: PathBuf, app: Option<ClientId>, top: usize, now: UnixSeconds) -> Result<DoorsView, ActRefusal> {
    let read = tokio::task::spawn_blocking(move || refused_at(&log, app.as_ref(), top, now)).await;
    let read = read.map_err(|_| Unavailable::new("reading the log"))?;
    Ok(read.map_err(|fault| Unavailable::new(fault.to_string()))?)
}

fn refused_at(log: &Path, app: Option<&ClientId>, top: usize, now: UnixSeconds) -> Result<DoorsView, ReadError> {
    let oldest = now.minus(DOORS_AGE_MAX);
    let (segments_left, since) = (std::cell::Cell::new(SEGMENTS_MAX), std::cell::Cell::new(now));
    let ends = |first: Option<Glance>| {
        let at = first.map_or(oldest, |first| first.at.seconds());
        since.set(at.max(oldest));
        segments_left.set(segments_left.get().saturating_sub(1));
        segments_left.get() == 0 || at < oldest
    };
    let wanted = |seen: Glance| matches!(seen.kind, EventKind::DeviceAttested | EventKind::DeviceEnrolled) && seen.at.seconds() >= oldest;
    let (mut accepted, mut counts) = (0_u64, BTreeMap::<(String, String), u64>::new());
    segments::walk_back(log, wanted, ends, |entry| {
        let event = &entry.event;
        if app.is_some_and(|app| event.client().as_ref() != Some(app)) {
            return;
        }
        match event.reasons.first() {
            Some(reason) if event.outcome == Outcome::Deny => {
                let count = counts.entry((event.kind().as_str().to_owned(), reason.code().to_owned())).or_default();
                *count = count.saturating_add(1);
            }
            Some(_) | None => accepted = accepted.saturating_add(1),
        }
    })?;
    let refused = counts.values().sum();
    let mut groups: Vec<_> = counts.into_iter().map(|((event, reason), count)| DoorView { event, reason, count }).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    let others = groups.split_off(groups.len().min(top)).iter().map(|group| group.count).sum();
    Ok(DoorsView { since: since.get().0, accepted, refused, groups, others })
}
