//! The admin API about fetched data: what is in use, how old it is, and the way back.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, State},
    routing::{get, post},
};
use countersign_compliance::FeedKind;
use countersign_feeds::{FeedRow, Feeds, RollBackRefusal};

use crate::admin::{operators::By, service::ActRefusal, wire::FeedView};

/// All routes.
pub fn router(feeds: Arc<Feeds>) -> Router {
    Router::new().route("/v1/feeds", get(list)).route("/v1/feeds/{name}/roll-back", post(roll_back)).with_state(feeds)
}

async fn list(State(feeds): State<Arc<Feeds>>) -> Json<Vec<FeedView>> {
    Json(feeds.rows().into_iter().map(view).collect())
}

async fn roll_back(State(feeds): State<Arc<Feeds>>, By(by): By, Path(name): Path<String>) -> Result<Json<FeedView>, ActRefusal> {
    let unknown = || ActRefusal::NotFound(format!("no feed `{name}` is configured; see `countersign feed list`"));
    let kind = FeedKind::parse(&name).ok_or_else(unknown)?;
    feeds.roll_back(kind, &by).await.map_err(|why| match why {
        RollBackRefusal::Nothing => {
            ActRefusal::Invalid(format!("no downloaded version of `{name}` is in use, so it cannot be rolled back"))
        }
        RollBackRefusal::NotUsed(why) => ActRefusal::Invalid(format!("the previous version could not be used: {why}")),
        RollBackRefusal::Unknown => unknown(),
    })?;
    feeds.rows().into_iter().find(|row| row.kind == kind).map(|row| Json(view(row))).ok_or_else(unknown)
}

fn view(row: FeedRow) -> FeedView {
    FeedView {
        name: row.kind.as_str().to_owned(),
        url: row.url,
        version: row.version,
        entries: row.entries,
        confirmed_at: row.confirmed_at.map(|at| at.0),
        previous: row.previous,
        last: row.last.map(str::to_owned),
    }
}
