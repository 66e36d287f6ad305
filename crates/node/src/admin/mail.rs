//! The admin API about mails: how they go, and one to see whether they arrive.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    routing::{get, post},
};
use countersign_notify::Postman;

use crate::admin::{office::ActRefusal, wire::MailView};

type Answer<T> = Result<Json<T>, ActRefusal>;

/// All routes.
pub fn router(postman: Option<Arc<Postman>>) -> Router {
    Router::new().route("/v1/mail", get(show)).route("/v1/mail/test", post(test)).with_state(postman)
}

async fn show(State(postman): State<Option<Arc<Postman>>>) -> Answer<MailView> {
    Ok(Json(view(&*named(postman)?)))
}

async fn test(State(postman): State<Option<Arc<Postman>>>) -> Answer<MailView> {
    let postman = named(postman)?;
    postman.test().await.map_err(|why| ActRefusal::Invalid(why.to_string()))?;
    Ok(Json(view(&postman)))
}

fn named(postman: Option<Arc<Postman>>) -> Result<Arc<Postman>, ActRefusal> {
    postman.ok_or_else(|| ActRefusal::NotFound("no mail server is configured; add `[monitor.email]` and restart the node".to_owned()))
}

fn view(postman: &Postman) -> MailView {
    let standing = postman.standing();
    MailView {
        server: postman.server(),
        to: postman.recipients().collect(),
        delivered: standing.delivered,
        waiting: standing.waiting,
        given_up: standing.given_up,
        dropped: standing.dropped,
        last_delivered: standing.last_delivered.map(|at| at.0),
        last_failure: standing.last_failure.as_ref().map(|(at, _)| at.0),
        failure: standing.last_failure.map(|(_, why)| why),
    }
}
