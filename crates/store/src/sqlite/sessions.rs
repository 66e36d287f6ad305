//! Sessions in SQLite, served from memory.

use async_trait::async_trait;
use countersign_core::{Amr, ClientId, DeviceId, Role, Session, SessionId, SessionState, UnixSeconds, UserId};
use sqlx::sqlite::SqliteRow;

use crate::{
    changes::Change,
    sessions::{LiveError, LiveSession, Presence, SessionFilter, Sessions, StateChange},
    sqlite::{
        database::{Sqlite, failed},
        row::{Reader, acr, amr_text, roles_text, signed},
    },
    unavailable::Unavailable,
};

fn session(row: &SqliteRow) -> Result<Session, Unavailable> {
    let row = Reader::new(row, "sessions");
    Ok(Session {
        id: row.parsed("id", SessionId::parse)?,
        user: row.parsed("user", UserId::parse)?,
        roles: row.words("roles", |word| Role::parse(word).ok())?,
        device: row.parsed("device", DeviceId::parse)?,
        client: row.parsed("client", ClientId::parse)?,
        state: row.parsed("state", |word| SessionState::parse(word).ok_or(()))?,
        acr: row.parsed("acr", acr)?,
        amr: row.words("amr", Amr::parse)?,
        auth_time: row.time("auth_time")?,
        bound_at: row.time("bound_at")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
    })
}

fn presence(row: &SqliteRow) -> Result<Presence, Unavailable> {
    let row = Reader::new(row, "sessions");
    Ok(Presence {
        device: row.parsed("device", DeviceId::parse)?,
        user: row.parsed("user", UserId::parse)?,
        client: row.parsed("client", ClientId::parse)?,
    })
}

impl Sqlite {
    /// The session as the database has it, by way of the cache.
    async fn load_session(&self, id: &SessionId) -> Result<Option<Session>, Unavailable> {
        if let Some(session) = self.sessions.get(id) {
            return Ok(Some(session));
        }
        let gate = self.sessions.gate().await;
        let found = self.read_session(id).await?;
        if let Some(session) = &found {
            gate.put(id.clone(), session.clone());
        }
        Ok(found)
    }

    /// The row itself. Only for holders of the gate.
    async fn read_session(&self, id: &SessionId) -> Result<Option<Session>, Unavailable> {
        let row = sqlx::query("SELECT * FROM sessions WHERE id = $1").bind(id.as_str()).fetch_optional(&self.writer).await;
        row.map_err(failed("reading a session"))?.as_ref().map(session).transpose()
    }
}

#[async_trait]
impl Sessions for Sqlite {
    async fn open(&self, session: Session) -> Result<(), Unavailable> {
        let gate = self.sessions.gate().await;
        sqlx::query(
            "INSERT INTO sessions (id, user, roles, device, client, state, acr, amr, auth_time, created_at, expires_at, bound_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        )
        .bind(session.id.as_str())
        .bind(session.user.as_str())
        .bind(roles_text(&session.roles))
        .bind(session.device.as_str())
        .bind(session.client.as_str())
        .bind(session.state.as_str())
        .bind(session.acr.as_str())
        .bind(amr_text(&session.amr))
        .bind(signed(session.auth_time.0))
        .bind(signed(session.created_at.0))
        .bind(signed(session.expires_at.0))
        .bind(signed(session.bound_at.0))
        .execute(&self.writer)
        .await
        .map_err(failed("opening a session"))?;
        gate.put(session.id.clone(), session);
        Ok(())
    }

    async fn live(&self, id: &SessionId, now: UnixSeconds) -> Result<LiveSession, LiveError> {
        LiveSession::of(self.load_session(id).await.map_err(LiveError::Unavailable)?, now)
    }

    async fn find(&self, id: &SessionId) -> Result<Option<Session>, Unavailable> {
        self.load_session(id).await
    }

    async fn list(&self, filter: &SessionFilter, count_max: u32) -> Result<Vec<Session>, Unavailable> {
        let rows = sqlx::query(
            "SELECT * FROM sessions WHERE ($1 IS NULL OR user = $1) AND ($2 IS NULL OR device = $2) \
             AND ($4 IS NULL OR (state <> 'revoked' AND expires_at >= $4)) ORDER BY created_at DESC, rowid DESC LIMIT $3",
        )
        .bind(filter.user.as_ref().map(UserId::as_str))
        .bind(filter.device.as_ref().map(DeviceId::as_str))
        .bind(count_max)
        .bind(filter.live_at.map(|UnixSeconds(at)| signed(at)))
        .fetch_all(&self.readers)
        .await
        .map_err(failed("listing sessions"))?;
        rows.iter().map(session).collect()
    }

    async fn walk(&self, after: Option<&Presence>, count_max: u32, now: UnixSeconds) -> Result<Vec<Presence>, Unavailable> {
        // Every id is greater than the empty text. The first condition is what the index on devices answers.
        let rows = sqlx::query(
            "SELECT DISTINCT device, user, client FROM sessions WHERE device >= $1 AND (device, user, client) > ($1, $2, $3) \
             AND state <> 'revoked' AND expires_at >= $4 ORDER BY device, user, client LIMIT $5",
        )
        .bind(after.map_or("", |last| last.device.as_str()))
        .bind(after.map_or("", |last| last.user.as_str()))
        .bind(after.map_or("", |last| last.client.as_str()))
        .bind(signed(now.0))
        .bind(count_max)
        .fetch_all(&self.readers)
        .await
        .map_err(failed("walking through sessions"))?;
        rows.iter().map(presence).collect()
    }

    async fn set_state(&self, id: &SessionId, state: SessionState) -> Result<StateChange, Unavailable> {
        let _news = self.changes.at_end(Change::Session(id.clone()));
        let gate = self.sessions.gate().await;
        gate.forget(id);
        let Some(mut found) = self.read_session(id).await? else { return Ok(StateChange::Unknown) };
        if found.state == SessionState::Revoked {
            return Ok(StateChange::Final);
        }
        let changed =
            sqlx::query("UPDATE sessions SET state = $2 WHERE id = $1").bind(id.as_str()).bind(state.as_str()).execute(&self.writer).await;
        changed.map_err(failed("changing a session"))?;
        let from = std::mem::replace(&mut found.state, state);
        gate.put(id.clone(), found);
        Ok(StateChange::Changed { from })
    }

    async fn authenticated(&self, id: &SessionId, at: UnixSeconds) -> Result<(), Unavailable> {
        let _news = self.changes.at_end(Change::Session(id.clone()));
        let gate = self.sessions.gate().await;
        gate.forget(id);
        let changed = sqlx::query(
            "UPDATE sessions SET auth_time = max(auth_time, $2), state = CASE state WHEN 'limited' THEN 'active' ELSE state END WHERE id = $1",
        )
            .bind(id.as_str())
            .bind(signed(at.0))
            .execute(&self.writer)
            .await;
        changed.map_err(failed("noting an authentication")).map(|_| ())
    }
}
