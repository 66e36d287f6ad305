//! Forgetting in SQLite, and in the copies that are kept in memory.

use async_trait::async_trait;
use countersign_core::{Seconds, SessionId, UnixSeconds};

use crate::{
    retention::{Forgotten, Retention},
    sqlite::{
        database::{Sqlite, failed},
        row::{Reader, signed},
    },
    unavailable::Unavailable,
};

/// Time for which an incident that is over is kept, so that operators can look back over a quarter of a year.
const INCIDENTS_KEPT: Seconds = Seconds(90 * 86_400);

#[async_trait]
impl Retention for Sqlite {
    async fn forget_before(&self, instant: UnixSeconds) -> Result<Forgotten, Unavailable> {
        let before = signed(instant.0);
        // Under the gate, so that no reader puts a deleted session back into memory.
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
        let incidents = signed(instant.minus(INCIDENTS_KEPT).0.saturating_mul(1000));
        let gone = sqlx::query("DELETE FROM incidents WHERE state <> 'open' AND last_at < $1").bind(incidents).execute(&self.writer).await;
        gone.map_err(failed("forgetting incidents"))?;
        count("forgetting suppressions", "DELETE FROM suppressions WHERE until < $1").await?;
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
