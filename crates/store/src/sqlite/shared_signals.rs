//! Events that are exchanged with other parties, in SQLite.

use async_trait::async_trait;
use countersign_core::Limits;

use crate::{
    shared_signals::{SeenSet, SharedSignals, WaitingSet},
    sqlite::{
        database::{Sqlite, failed},
        row::Reader,
    },
    unavailable::Unavailable,
};

#[async_trait]
impl SharedSignals for Sqlite {
    async fn put(&self, stream: &str, set: WaitingSet) -> Result<u64, Unavailable> {
        sqlx::query("INSERT OR REPLACE INTO signals_out (stream, id, body) VALUES ($1, $2, $3)")
            .bind(stream)
            .bind(set.id.as_str())
            .bind(set.set.as_str())
            .execute(&self.writer)
            .await
            .map_err(failed("keeping a security event"))?;
        let dropped = sqlx::query(
            "DELETE FROM signals_out WHERE stream = $1 AND rowid IN \
             (SELECT rowid FROM signals_out WHERE stream = $1 ORDER BY rowid DESC LIMIT -1 OFFSET $2)",
        )
        .bind(stream)
        .bind(i64::try_from(Limits::OUTBOX_EVENTS_MAX).unwrap_or(i64::MAX))
        .execute(&self.writer)
        .await;
        dropped.map_err(failed("dropping security events")).map(|done| done.rows_affected())
    }

    async fn waiting(&self, stream: &str, count_max: u32) -> Result<Vec<WaitingSet>, Unavailable> {
        let rows = sqlx::query("SELECT id, body FROM signals_out WHERE stream = $1 ORDER BY rowid LIMIT $2")
            .bind(stream)
            .bind(count_max)
            .fetch_all(&self.writer)
            .await
            .map_err(failed("reading security events"))?;
        let read = rows.iter().map(|row| {
            let row = Reader::new(row, "signals_out");
            Ok(WaitingSet { id: row.text("id")?, set: row.text("body")? })
        });
        read.collect()
    }

    async fn settle(&self, stream: &str, ids: &[String]) -> Result<(), Unavailable> {
        let mut together = self.writer.begin().await.map_err(failed("settling security events"))?;
        for id in ids {
            sqlx::query("DELETE FROM signals_out WHERE stream = $1 AND id = $2")
                .bind(stream)
                .bind(id.as_str())
                .execute(&mut *together)
                .await
                .map_err(failed("settling security events"))?;
        }
        together.commit().await.map_err(failed("settling security events"))
    }

    async fn seen(&self, digest: &[u8; 32]) -> Result<SeenSet, Unavailable> {
        let row = sqlx::query("SELECT 1 FROM signals_in WHERE digest = $1").bind(digest.as_slice()).fetch_optional(&self.writer).await;
        Ok(if row.map_err(failed("reading security events of others"))?.is_some() { SeenSet::Before } else { SeenSet::New })
    }

    async fn note_seen(&self, digest: [u8; 32]) -> Result<(), Unavailable> {
        sqlx::query("INSERT OR IGNORE INTO signals_in (digest) VALUES ($1)")
            .bind(digest.as_slice())
            .execute(&self.writer)
            .await
            .map_err(failed("noting a security event"))?;
        sqlx::query("DELETE FROM signals_in WHERE rowid <= (SELECT MAX(rowid) FROM signals_in) - $1")
            .bind(i64::try_from(Limits::SETS_REMEMBERED_MAX).unwrap_or(i64::MAX))
            .execute(&self.writer)
            .await
            .map_err(failed("forgetting security events"))
            .map(|_| ())
    }
}
