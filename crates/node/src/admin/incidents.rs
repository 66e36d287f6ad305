//! The admin API about incidents: what the monitor noticed and did, and an operator's word on it.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    routing::{get, post},
};
use countersign_audit::{About, Judged};
use countersign_core::{Seconds, SignalKind, UserId};
use countersign_monitor::react::{Reactor, UndoRefusal};
use countersign_store::{IncidentState, Suppression};
use serde::Deserialize;

use crate::admin::{
    operators::By,
    service::{ActRefusal, AdminService},
    wire::{IncidentView, Suppress, Suppressed},
};

/// Longest suppression, in hours: whoever wants one for good changes the rule.
const HOURS_MAX: u64 = 30 * 24;

/// What the routes lean on.
#[derive(Clone)]
pub struct IncidentRoutes {
    /// Where acts are written down.
    pub admin_service: Arc<AdminService>,
    /// Where they are done.
    pub reactor: Arc<Reactor>,
}

type Answer<T> = Result<Json<T>, ActRefusal>;

/// All routes.
pub fn router(routes: IncidentRoutes) -> Router {
    Router::new()
        .route("/v1/incidents", get(list))
        .route("/v1/incidents/{id}", get(show))
        .route("/v1/incidents/{id}/fine", post(false_positive))
        .route("/v1/suppressions", get(suppressions).post(suppress))
        .with_state(routes)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StateQuery {
    state: Option<String>,
}

async fn list(State(routes): State<IncidentRoutes>, Query(query): Query<StateQuery>) -> Answer<Vec<IncidentView>> {
    let invalid = |text: &str| ActRefusal::Invalid(format!("`{text}` is not a state of an incident; write `open`, `fine` or `closed`"));
    let state = query.state.map(|text| IncidentState::parse(&text).ok_or_else(|| invalid(&text))).transpose()?;
    Ok(Json(routes.admin_service.incidents(state).await?.iter().map(IncidentView::of).collect()))
}

async fn show(State(routes): State<IncidentRoutes>, Path(id): Path<String>) -> Answer<IncidentView> {
    Ok(Json(IncidentView::of(&routes.admin_service.incident(&id).await?)))
}

async fn false_positive(State(routes): State<IncidentRoutes>, By(by): By, Path(id): Path<String>) -> Answer<IncidentView> {
    let incident = routes.admin_service.incident(&id).await?;
    routes.admin_service.said_of(About::Incident(incident.id.clone()), Judged::Fine, &by).await?;
    let undone = routes.reactor.false_positive(&incident.id).await.map_err(|why| match why {
        UndoRefusal::NotOpen => ActRefusal::Invalid(format!("incident `{id}` is not open, so there is nothing to undo")),
        UndoRefusal::Unavailable(fault) => ActRefusal::Unavailable(fault),
        UndoRefusal::Unknown => ActRefusal::NotFound(format!("there is no incident `{id}`")),
    })?;
    Ok(Json(IncidentView::of(&undone)))
}

async fn suppressions(State(routes): State<IncidentRoutes>) -> Answer<Vec<Suppressed>> {
    let now = routes.admin_service.clock.now().seconds();
    let held = routes.admin_service.stores.incidents.suppressions(now).await?;
    Ok(Json(held.iter().map(view).collect()))
}

async fn suppress(State(routes): State<IncidentRoutes>, By(by): By, Json(ask): Json<Suppress>) -> Answer<Suppressed> {
    let kind = SignalKind::parse(&ask.kind)
        .filter(|kind| *kind != SignalKind::SteppedUp)
        .ok_or_else(|| ActRefusal::Invalid(format!("`{}` is not a signal of the monitor; see the list in docs/incidents.md", ask.kind)))?;
    if !(1..=HOURS_MAX).contains(&ask.hours) {
        let what = format!("a signal cannot be suppressed for {} hours; give 1 to {HOURS_MAX}, or change `monitor.rule`", ask.hours);
        return Err(ActRefusal::Invalid(what));
    }
    let invalid = |text: &str, why: countersign_core::IdError| ActRefusal::Invalid(format!("`{text}` is not an id: {why}"));
    let user = ask.user.map(|text| UserId::parse(&text).map_err(|why| invalid(&text, why))).transpose()?;
    let until = routes.admin_service.clock.now().seconds().plus(Seconds(ask.hours.saturating_mul(3600)));
    let suppression = Suppression { kind, user, until };
    routes.admin_service.said_of(About::Kind(kind), Judged::Suppressed, &by).await?;
    routes.reactor.suppress(suppression.clone()).await?;
    Ok(Json(view(&suppression)))
}

fn view(held: &Suppression) -> Suppressed {
    Suppressed { kind: held.kind.as_str().to_owned(), user: held.user.as_ref().map(ToString::to_string), until: held.until.0 }
}
