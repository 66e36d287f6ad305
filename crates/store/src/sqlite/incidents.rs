//! Incidents in SQLite. Deeds and moments are lines of text in one column each: they are only ever read with their incident.

use async_trait::async_trait;
use countersign_core::{DecisionId, DeviceId, IncidentId, Limits, SessionId, SessionState, SignalKind, UnixMillis, UnixSeconds, UserId};
use sqlx::sqlite::SqliteRow;

use crate::{
    incidents::{ActionTaken, Incident, IncidentState, Incidents, Moment, Suppression},
    sqlite::{
        database::{Sqlite, failed},
        row::{Reader, signed},
    },
    unavailable::Unavailable,
};

fn incident(row: &SqliteRow) -> Result<Incident, Unavailable> {
    let row = Reader::new(row, "incidents");
    let lines = |column: &str| row.text(column).map(|text| text.lines().map(ToOwned::to_owned).collect::<Vec<_>>());
    let maybe = |column: &str| row.maybe_text(column);
    Ok(Incident {
        id: row.parsed("id", IncidentId::parse)?,
        kind: row.parsed("kind", |word| SignalKind::parse(word).ok_or(()))?,
        state: row.parsed("state", |word| IncidentState::parse(word).ok_or(()))?,
        user: maybe("user")?.map(|text| UserId::parse(&text)).transpose().map_err(|_| row.broken())?,
        device: maybe("device")?.map(|text| DeviceId::parse(&text)).transpose().map_err(|_| row.broken())?,
        session: maybe("session")?.map(|text| SessionId::parse(&text)).transpose().map_err(|_| row.broken())?,
        first_at: UnixMillis(row.number("first_at")?),
        last_at: UnixMillis(row.number("last_at")?),
        count: row.number("count")?,
        score: row.numbered("score", |number| u8::try_from(number).ok())?,
        deeds: lines("deeds")?.iter().map(|line| deed(line).ok_or_else(|| row.broken())).collect::<Result<_, _>>()?,
        timeline: lines("timeline")?.iter().map(|line| moment(line).ok_or_else(|| row.broken())).collect::<Result<_, _>>()?,
    })
}

fn deed(line: &str) -> Option<ActionTaken> {
    let mut words = line.split(' ');
    let session = SessionId::parse(words.next()?).ok()?;
    let (from, to) = (SessionState::parse(words.next()?)?, SessionState::parse(words.next()?)?);
    let decision = DecisionId::parse(words.next()?).ok()?;
    words.next().is_none().then_some(ActionTaken { session, from, to, decision })
}

fn deed_line(deed: &ActionTaken) -> String {
    format!("{} {} {} {}\n", deed.session, deed.from.as_str(), deed.to.as_str(), deed.decision)
}

fn moment(line: &str) -> Option<Moment> {
    let (at, what) = line.split_once(' ')?;
    Some(Moment { at: UnixMillis(at.parse().ok()?), what: what.to_owned() })
}

#[async_trait]
impl Incidents for Sqlite {
    async fn keep(&self, incident: Incident) -> Result<(), Unavailable> {
        let timeline: String = incident.timeline.iter().map(|moment| format!("{} {}\n", moment.at.0, moment.what)).collect();
        let kept = sqlx::query(
            "INSERT OR REPLACE INTO incidents (id, kind, state, user, device, session, first_at, last_at, count, score, deeds, timeline) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        )
        .bind(incident.id.as_str())
        .bind(incident.kind.as_str())
        .bind(incident.state.as_str())
        .bind(incident.user.as_ref().map(UserId::as_str))
        .bind(incident.device.as_ref().map(DeviceId::as_str))
        .bind(incident.session.as_ref().map(SessionId::as_str))
        .bind(signed(incident.first_at.0))
        .bind(signed(incident.last_at.0))
        .bind(signed(incident.count))
        .bind(incident.score)
        .bind(incident.deeds.iter().map(deed_line).collect::<String>())
        .bind(timeline)
        .execute(&self.writer)
        .await;
        kept.map_err(failed("keeping an incident"))?;
        let pruned = sqlx::query("DELETE FROM incidents WHERE id IN (SELECT id FROM incidents ORDER BY last_at DESC LIMIT -1 OFFSET $1)")
            .bind(Limits::INCIDENTS_MAX)
            .execute(&self.writer)
            .await;
        pruned.map_err(failed("forgetting incidents")).map(|_| ())
    }

    async fn find(&self, id: &IncidentId) -> Result<Option<Incident>, Unavailable> {
        let row = sqlx::query("SELECT * FROM incidents WHERE id = $1").bind(id.as_str()).fetch_optional(&self.readers).await;
        row.map_err(failed("reading an incident"))?.as_ref().map(incident).transpose()
    }

    async fn list(&self, state: Option<IncidentState>, count_max: u32) -> Result<Vec<Incident>, Unavailable> {
        let rows = sqlx::query("SELECT * FROM incidents WHERE $1 IS NULL OR state = $1 ORDER BY last_at DESC, rowid DESC LIMIT $2")
            .bind(state.map(IncidentState::as_str))
            .bind(count_max)
            .fetch_all(&self.readers)
            .await
            .map_err(failed("listing incidents"))?;
        rows.iter().map(incident).collect()
    }

    async fn suppress(&self, suppression: Suppression) -> Result<(), Unavailable> {
        let kept = sqlx::query("INSERT OR REPLACE INTO suppressions (kind, user, until) VALUES ($1, $2, $3)")
            .bind(suppression.kind.as_str())
            .bind(suppression.user.as_ref().map_or("", UserId::as_str))
            .bind(signed(suppression.until.0))
            .execute(&self.writer)
            .await;
        kept.map_err(failed("suppressing")).map(|_| ())
    }

    async fn suppressions(&self, now: UnixSeconds) -> Result<Vec<Suppression>, Unavailable> {
        let rows = sqlx::query("SELECT * FROM suppressions WHERE until > $1 ORDER BY kind, user")
            .bind(signed(now.0))
            .fetch_all(&self.readers)
            .await
            .map_err(failed("listing suppressions"))?;
        rows.iter().map(suppression).collect()
    }
}

fn suppression(row: &SqliteRow) -> Result<Suppression, Unavailable> {
    let row = Reader::new(row, "suppressions");
    let user = row.text("user")?;
    Ok(Suppression {
        kind: row.parsed("kind", |word| SignalKind::parse(word).ok_or(()))?,
        user: (!user.is_empty()).then(|| UserId::parse(&user)).transpose().map_err(|_| row.broken())?,
        until: row.time("until")?,
    })
}
