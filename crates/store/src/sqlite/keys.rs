//! Keys of the node, and the keys that seal people's fields, in SQLite.

use async_trait::async_trait;
use countersign_core::{KeyId, Secret, UserId};

use crate::{
    keys::{KeyPurpose, Keys, StoredKey, SubjectKeys},
    sqlite::{
        database::{Sqlite, failed, wipe_log},
        row::{Reader, signed},
    },
    unavailable::Unavailable,
};

#[async_trait]
impl Keys for Sqlite {
    async fn list(&self, purpose: KeyPurpose) -> Result<Vec<StoredKey>, Unavailable> {
        let rows = sqlx::query("SELECT * FROM keys WHERE purpose = $1 ORDER BY created_at, rowid")
            .bind(purpose.as_str())
            .fetch_all(&self.writer)
            .await;
        let rows = rows.map_err(failed("reading keys"))?;
        rows.iter()
            .map(|row| {
                let row = Reader::new(row, "keys");
                Ok(StoredKey {
                    id: row.parsed("id", KeyId::parse)?,
                    secret: Secret::new(row.bytes("secret")?),
                    created_at: row.time("created_at")?,
                })
            })
            .collect()
    }

    async fn add(&self, purpose: KeyPurpose, key: StoredKey) -> Result<(), Unavailable> {
        sqlx::query("INSERT INTO keys (purpose, id, secret, created_at) VALUES ($1, $2, $3, $4)")
            .bind(purpose.as_str())
            .bind(key.id.as_str())
            .bind(key.secret.expose().as_slice())
            .bind(signed(key.created_at.0))
            .execute(&self.writer)
            .await
            .map_err(failed("keeping a key"))
            .map(|_| ())
    }

    async fn remove(&self, purpose: KeyPurpose, id: &KeyId) -> Result<(), Unavailable> {
        let removed = sqlx::query("DELETE FROM keys WHERE purpose = $1 AND id = $2")
            .bind(purpose.as_str())
            .bind(id.as_str())
            .execute(&self.writer)
            .await;
        removed.map_err(failed("forgetting a key")).map(|_| ())
    }
}

#[async_trait]
impl SubjectKeys for Sqlite {
    async fn key(&self, user: &UserId, fresh: Secret<[u8; 32]>) -> Result<Option<Secret<[u8; 32]>>, Unavailable> {
        if let Some(found) = self.read_subject_key(user).await? {
            return Ok(found);
        }
        sqlx::query("INSERT INTO subject_keys (user, secret) VALUES ($1, $2) ON CONFLICT (user) DO NOTHING")
            .bind(user.as_str())
            .bind(fresh.expose().as_slice())
            .execute(&self.subject_keys)
            .await
            .map_err(failed("making a sealing key"))?;
        // Read again, not returned as it came: another caller may have stored a key first, or destroyed it.
        self.find(user).await
    }

    async fn find(&self, user: &UserId) -> Result<Option<Secret<[u8; 32]>>, Unavailable> {
        Ok(self.read_subject_key(user).await?.flatten())
    }

    async fn destroy(&self, user: &UserId) -> Result<(), Unavailable> {
        // The row stays with no key in it: it says that the person was erased, so that no new key is made.
        sqlx::query("INSERT INTO subject_keys (user, secret) VALUES ($1, NULL) ON CONFLICT (user) DO UPDATE SET secret = NULL")
            .bind(user.as_str())
            .execute(&self.subject_keys)
            .await
            .map_err(failed("destroying a sealing key"))?;
        wipe_log(&self.subject_keys).await
    }
}

impl Sqlite {
    /// Reads a person's key. `None` when nothing is known of the person; `Some(None)` when the key was destroyed.
    async fn read_subject_key(&self, user: &UserId) -> Result<Option<Option<Secret<[u8; 32]>>>, Unavailable> {
        let row =
            sqlx::query("SELECT secret FROM subject_keys WHERE user = $1").bind(user.as_str()).fetch_optional(&self.subject_keys).await;
        let Some(row) = row.map_err(failed("reading a sealing key"))? else { return Ok(None) };
        let row = Reader::new(&row, "subject_keys");
        let Some(bytes) = row.maybe_bytes("secret")?.map(Secret::new) else { return Ok(Some(None)) };
        let secret = <[u8; 32]>::try_from(bytes.expose().as_slice()).map_err(|_| row.broken())?;
        Ok(Some(Some(Secret::new(secret))))
    }
}
