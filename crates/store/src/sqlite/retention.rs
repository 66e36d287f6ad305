//! Forgetting in SQLite, and in what is served from memory.

use async_trait::async_trait;
use countersign_core::{SessionId, UnixSeconds};

use crate::{
    retention::{Forgotten, Retention},
    sqlite::{
        database::{Sqlite, failed},
        row::{Reader, signed},
    },
    unavailable::Unavailable,
};

#[async_trait]
impl Retention for Sqlite {
    async fn forget_before(&self, instant: UnixSeconds) -> Result<Forgotten, Unavailable> {
        let before = signed(instant.0);
        let gate = self.sessions.gate().await;
        let ended = sqlx::query("DELETE FROM sessions WHERE expires_at < $1 RETURNING id").bind(before).fetch_all(&self.writer).await;
        let ended = ended.map_err(failed("forgetting sessions"))?;
        for row in &ended {
            gate.forget(&Reader::new(row, "sessions").parsed("id", SessionId::parse)?);
        }
        drop(gate);
        let count = async |what: &'static str, sql: &'static str| {
            let done = sqlx::query(sql).bind(before).execute(&self.writer).await;
            done.map_err(failed(what)).map(|done| done.rows_affected())
        };
        Ok(Forgotten {
            sessions: u64::try_from(ended.len()).unwrap_or(u64::MAX),
            families: count("forgetting refresh families", "DELETE FROM refresh_families WHERE expires_at < $1").await?,
            codes: count(
                "forgetting codes",
                "DELETE FROM codes WHERE expires_at < $1 AND (session IS NULL OR session NOT IN (SELECT id FROM sessions))",
            )
            .await?,
            invitations: count("forgetting invitations", "DELETE FROM invitations WHERE expires_at < $1").await?,
        })
    }
}
