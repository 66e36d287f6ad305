//! The admin API about mails: how they go, and one to see whether they arrive.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use countersign_notify::Mailer;

use crate::admin::{service::ActRefusal, wire::MailView};

type Answer<T> = Result<Json<T>, ActRefusal>;

/// All routes.
pub fn router(mailer: Option<Arc<Mailer>>) -> Router {
    Router::new().route("/v1/mail", get(show)).route("/v1/mail/test", post(test)).with_state(mailer)
}

async fn show(State(mailer): State<Option<Arc<Mailer>>>) -> Answer<MailView> {
    Ok(Json(view(&*named(mailer)?)))
}

async fn test(State(mailer): State<Option<Arc<Mailer>>>) -> Answer<MailView> {
    let mailer = named(mailer)?;
    mailer.test().await.map_err(|why| ActRefusal::Invalid(why.to_string()))?;
    Ok(Json(view(&mailer)))
}

fn named(mailer: Option<Arc<Mailer>>) -> Result<Arc<Mailer>, ActRefusal> {
    mailer.ok_or_else(|| ActRefusal::NotFound("no mail server is configured; add `[monitor.email]` and restart the node".to_owned()))
}

fn view(mailer: &Mailer) -> MailView {
    let stats = mailer.stats();
    MailView {
        server: mailer.server(),
        to: mailer.recipients().collect(),
        delivered: stats.delivered,
        waiting: stats.waiting,
        given_up: stats.given_up,
        dropped: stats.dropped,
        last_delivered: stats.last_delivered.map(|at| at.0),
        last_failure: stats.last_failure.as_ref().map(|(at, _)| at.0),
        failure: stats.last_failure.map(|(_, why)| why),
    }
}
