//! Sessions in SQLite, served from memory.

use async_trait::async_trait;
use countersign_core::{Amr, ClientId, DeviceId, Role, Session, SessionId, SessionState, UnixSeconds, UserId};
use sqlx::{SqliteConnection, sqlite::SqliteRow};

use crate::{
    changes::{Beginning, Change},
    sessions::{Ended, LiveError, LiveSession, OpenState, Presence, SessionFilter, Sessions, StateChange, Whose},
    sqlite::{
        database::{Sqlite, failed},
        row::{Reader, acr, amr_text, roles_text, signed},
    },
    unavailable::Unavailable,
};

/// Upper bound on the sessions that end in one transaction. Between two transactions other callers get their turn at the one connection
/// that writes.
pub(crate) const ENDED_TOGETHER_MAX: u32 = 200;

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
    /// Finds the session as the database has it, in memory first.
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

    /// Reads the row itself. Only for callers that hold the gate.
    async fn read_session(&self, id: &SessionId) -> Result<Option<Session>, Unavailable> {
        let row = sqlx::query("SELECT * FROM sessions WHERE id = $1").bind(id.as_str()).fetch_optional(&self.writer).await;
        row.map_err(failed("reading a session"))?.as_ref().map(session).transpose()
    }

    /// Ends the next selected sessions, at most [`ENDED_TOGETHER_MAX`], with their refresh families: all in one transaction.
    async fn end_some(&self, whose: &Whose, now: UnixSeconds) -> Result<Vec<Session>, Unavailable> {
        // Dropped, and so announced, when this function ends, however it ends: after the gate, which is taken later.
        let mut news: Vec<Beginning<'_>> = Vec::new();
        let gate = self.sessions.gate().await;
        let mut together = self.writer.begin().await.map_err(failed("ending sessions"))?;
        let open = open_sessions(&mut together, whose, now).await?;
        for session in &open {
            news.push(self.changes.at_end(Change::Session(session.id.clone())));
            gate.forget(&session.id);
            sqlx::query("UPDATE sessions SET state = 'revoked' WHERE id = $1")
                .bind(session.id.as_str())
                .execute(&mut *together)
                .await
                .map_err(failed("ending a session"))?;
        }
        match whose {
            // Also when the session itself had ended before: nothing of it may be left to refresh.
            Whose::Session(id) => end_families(&mut together, id).await?,
            Whose::Device(_) | Whose::Person(_) | Whose::PersonOnDevice(..) => {
                for session in &open {
                    end_families(&mut together, &session.id).await?;
                }
            }
        }
        together.commit().await.map_err(failed("ending sessions"))?;
        for session in &open {
            gate.put(session.id.clone(), Session { state: SessionState::Revoked, ..session.clone() });
        }
        drop(gate);
        drop(news);
        Ok(open)
    }
}

/// Reads the sessions that are to end, as [`Whose::takes`] says, at most [`ENDED_TOGETHER_MAX`]. One statement for each kind, so that an
/// index answers it.
async fn open_sessions(connection: &mut SqliteConnection, whose: &Whose, now: UnixSeconds) -> Result<Vec<Session>, Unavailable> {
    let query = match whose {
        Whose::Device(device) => {
            sqlx::query("SELECT * FROM sessions WHERE device = $3 AND state <> 'revoked' AND expires_at >= $1 LIMIT $2")
                .bind(signed(now.0))
                .bind(ENDED_TOGETHER_MAX)
                .bind(device.as_str())
        }
        Whose::Person(user) => sqlx::query("SELECT * FROM sessions WHERE user = $3 AND state <> 'revoked' AND expires_at >= $1 LIMIT $2")
            .bind(signed(now.0))
            .bind(ENDED_TOGETHER_MAX)
            .bind(user.as_str()),
        Whose::PersonOnDevice(user, device) => {
            sqlx::query("SELECT * FROM sessions WHERE user = $3 AND device = $4 AND state <> 'revoked' AND expires_at >= $1 LIMIT $2")
                .bind(signed(now.0))
                .bind(ENDED_TOGETHER_MAX)
                .bind(user.as_str())
                .bind(device.as_str())
        }
        Whose::Session(id) => sqlx::query("SELECT * FROM sessions WHERE id = $1 AND state <> 'revoked'").bind(id.as_str()),
    };
    query.fetch_all(connection).await.map_err(failed("reading sessions that end"))?.iter().map(session).collect()
}

/// Ends the refresh families of a session.
async fn end_families(connection: &mut SqliteConnection, session: &SessionId) -> Result<(), Unavailable> {
    let ended = sqlx::query("UPDATE refresh_families SET revoked = 1 WHERE session = $1 AND revoked = 0")
        .bind(session.as_str())
        .execute(connection)
        .await;
    ended.map_err(failed("ending refresh families")).map(|_| ())
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

    async fn set_state(&self, id: &SessionId, state: OpenState) -> Result<StateChange, Unavailable> {
        let _news = self.changes.at_end(Change::Session(id.clone()));
        let gate = self.sessions.gate().await;
        gate.forget(id);
        let Some(mut found) = self.read_session(id).await? else { return Ok(StateChange::Unknown) };
        if found.state == SessionState::Revoked {
            return Ok(StateChange::Final);
        }
        let state = state.state();
        let changed =
            sqlx::query("UPDATE sessions SET state = $2 WHERE id = $1").bind(id.as_str()).bind(state.as_str()).execute(&self.writer).await;
        changed.map_err(failed("changing a session"))?;
        let from = std::mem::replace(&mut found.state, state);
        gate.put(id.clone(), found);
        Ok(StateChange::Changed { from })
    }

    async fn end(&self, whose: &Whose, now: UnixSeconds) -> Result<Ended, Unavailable> {
        let mut ended = Ended::default();
        loop {
            let some = self.end_some(whose, now).await?;
            let last = match whose {
                Whose::Session(_) => true,
                Whose::Device(_) | Whose::Person(_) | Whose::PersonOnDevice(..) => some.is_empty(),
            };
            ended.sessions.extend(some);
            if last {
                return Ok(ended);
            }
        }
    }

    async fn prolong(&self, id: &SessionId, until: UnixSeconds) -> Result<(), Unavailable> {
        let gate = self.sessions.gate().await;
        gate.forget(id);
        sqlx::query("UPDATE sessions SET expires_at = max(expires_at, $2) WHERE id = $1 AND state <> 'revoked'")
            .bind(id.as_str())
            .bind(signed(until.0))
            .execute(&self.writer)
            .await
            .map_err(failed("putting off the end of a session"))
            .map(|_| ())
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
