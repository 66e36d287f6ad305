//! Development tokens in SQLite.

use async_trait::async_trait;
use countersign_core::{ClientId, DevTokenId, DeviceId, UnixSeconds};
use countersign_identity::{DevToken, Networks, TokenHash};
use sqlx::sqlite::SqliteRow;

use crate::{
    dev_tokens::{DevTokenNoted, DevTokens, KeptDevToken},
    sqlite::{
        database::{Sqlite, failed},
        row::{PLATFORMS, Reader, signed, word_of},
    },
    unavailable::Unavailable,
};

const NETWORKS: [(Networks, &str); 2] = [(Networks::Private, "private"), (Networks::Any, "any")];

fn kept(row: &SqliteRow) -> Result<KeptDevToken, Unavailable> {
    let row = Reader::new(row, "dev_tokens");
    let token = DevToken {
        id: row.parsed("id", DevTokenId::parse)?,
        hash: TokenHash::from_bytes(row.hash("hash")?),
        client: row.parsed("client", ClientId::parse)?,
        platform: row.maybe_text("platform")?.map(|_| row.word("platform", &PLATFORMS)).transpose()?,
        expires_at: row.time("expires_at")?,
        phones_max: row.numbered("phones_max", |number| u32::try_from(number).ok())?,
        networks: row.word("networks", &NETWORKS)?,
        label: row.text("label")?,
        created_at: row.time("created_at")?,
        revoked_at: row.maybe_number("revoked_at")?.map(UnixSeconds),
    };
    // The view joins the phones by spaces; it has no text when there are none.
    let phones = match row.maybe_text("phones")? {
        Some(_) => row.words("phones", |word| DeviceId::parse(word).ok())?,
        None => Vec::new(),
    };
    Ok(KeptDevToken { token, phones, last_used_at: row.maybe_number("last_used_at")?.map(UnixSeconds) })
}

#[async_trait]
impl DevTokens for Sqlite {
    async fn create(&self, token: DevToken) -> Result<(), Unavailable> {
        sqlx::query(
            "INSERT INTO dev_tokens (id, hash, client, platform, expires_at, phones_max, networks, label, created_at, revoked_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(token.id.as_str())
        .bind(token.hash.as_bytes().as_slice())
        .bind(token.client.as_str())
        .bind(token.platform.map(|platform| word_of(&platform, &PLATFORMS)))
        .bind(signed(token.expires_at.0))
        .bind(token.phones_max)
        .bind(word_of(&token.networks, &NETWORKS))
        .bind(token.label)
        .bind(signed(token.created_at.0))
        .bind(token.revoked_at.map(|at| signed(at.0)))
        .execute(&self.writer)
        .await
        .map_err(failed("keeping a development token"))
        .map(|_| ())
    }

    async fn find(&self, hash: &TokenHash) -> Result<Option<KeptDevToken>, Unavailable> {
        let row = sqlx::query("SELECT * FROM kept_dev_tokens WHERE hash = $1")
            .bind(hash.as_bytes().as_slice())
            .fetch_optional(&self.writer)
            .await;
        row.map_err(failed("reading a development token"))?.as_ref().map(kept).transpose()
    }

    async fn list(&self, count_max: u32) -> Result<Vec<KeptDevToken>, Unavailable> {
        let rows = sqlx::query("SELECT * FROM kept_dev_tokens ORDER BY created_at DESC, number DESC LIMIT $1")
            .bind(count_max)
            .fetch_all(&self.readers)
            .await;
        rows.map_err(failed("listing development tokens"))?.iter().map(kept).collect()
    }

    async fn revoke(&self, id: &DevTokenId, now: UnixSeconds) -> Result<Option<KeptDevToken>, Unavailable> {
        sqlx::query("UPDATE dev_tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
            .bind(id.as_str())
            .bind(signed(now.0))
            .execute(&self.writer)
            .await
            .map_err(failed("revoking a development token"))?;
        // Read on the connection that wrote: no use is noted between the two statements, nor after them.
        let row = sqlx::query("SELECT * FROM kept_dev_tokens WHERE id = $1").bind(id.as_str()).fetch_optional(&self.writer).await;
        row.map_err(failed("reading a development token"))?.as_ref().map(kept).transpose()
    }

    async fn note_use(&self, id: &DevTokenId, device: &DeviceId, now: UnixSeconds) -> Result<DevTokenNoted, Unavailable> {
        // One statement, so that of two phones that come for one place one gets it.
        let noted = sqlx::query(
            "INSERT INTO dev_token_uses (token, device, last_at) \
             SELECT id, $2, $3 FROM dev_tokens WHERE id = $1 AND revoked_at IS NULL AND expires_at >= $3 AND ( \
             EXISTS (SELECT 1 FROM dev_token_uses WHERE token = $1 AND device = $2) \
             OR (SELECT count(*) FROM dev_token_uses WHERE token = $1) < phones_max) \
             ON CONFLICT (token, device) DO UPDATE SET last_at = excluded.last_at",
        )
        .bind(id.as_str())
        .bind(device.as_str())
        .bind(signed(now.0))
        .execute(&self.writer)
        .await
        .map_err(failed("noting the use of a development token"))?;
        Ok(if noted.rows_affected() == 0 { DevTokenNoted::Refused } else { DevTokenNoted::Noted })
    }
}
