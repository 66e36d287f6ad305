//! Codes and refresh families in SQLite; answers to refreshes in memory.

use async_trait::async_trait;
use countersign_core::{ClientId, DeviceId, GrantId, Limits, SessionId, UnixSeconds, UserId};
use countersign_identity::{CodeChallenge, CodeGrant, CodeState, DeviceBinding, PasskeyPlace, RefreshFamily, RefreshState, TokenHash};
use sqlx::sqlite::SqliteRow;

use crate::{
    grants::{GivenToken, Grants, RedeemError, Renewed},
    sqlite::{
        database::{Sqlite, failed},
        row::{Reader, opened_by, signed},
    },
    unavailable::Unavailable,
};

fn code(row: &SqliteRow) -> Result<CodeState, Unavailable> {
    let row = Reader::new(row, "codes");
    let grant = CodeGrant {
        user: row.parsed("user", UserId::parse)?,
        client: row.parsed("client", ClientId::parse)?,
        binding: DeviceBinding { device: row.parsed("device", DeviceId::parse)?, key: row.key("key")? },
        challenge: CodeChallenge::from_bytes(row.hash("challenge")?),
        opened_by: opened_by(&row)?,
        auth_time: row.time("auth_time")?,
        expires_at: row.time("expires_at")?,
    };
    match (row.maybe_text("session")?, row.maybe_text("family")?) {
        (None, None) => Ok(CodeState::Issued(grant)),
        (Some(_), Some(_)) => Ok(CodeState::Exchanged {
            grant,
            family: row.parsed("family", GrantId::parse)?,
            session: row.parsed("session", SessionId::parse)?,
        }),
        // Both are written by one statement, so one without the other is a damaged row.
        (None, Some(_)) | (Some(_), None) => Err(row.broken()),
    }
}

fn refresh(row: &SqliteRow) -> Result<RefreshState, Unavailable> {
    let row = Reader::new(row, "refresh_families");
    if row.flag("revoked")? {
        return Ok(RefreshState::Revoked);
    }
    Ok(RefreshState::Live(RefreshFamily {
        id: row.parsed("id", GrantId::parse)?,
        token: TokenHash::from_bytes(row.hash("token")?),
        session: row.parsed("session", SessionId::parse)?,
        client: row.parsed("client", ClientId::parse)?,
        binding: DeviceBinding { device: row.parsed("device", DeviceId::parse)?, key: row.key("key")? },
        expires_at: row.time("expires_at")?,
    }))
}

#[async_trait]
impl Grants for Sqlite {
    async fn issue_code(&self, code: TokenHash, grant: CodeGrant) -> Result<(), Unavailable> {
        sqlx::query(
            "INSERT INTO codes (hash, user, client, device, key, challenge, auth_time, expires_at, credential, copyable) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(code.as_bytes().as_slice())
        .bind(grant.user.as_str())
        .bind(grant.client.as_str())
        .bind(grant.binding.device.as_str())
        .bind(grant.binding.key.as_bytes().as_slice())
        .bind(grant.challenge.as_bytes().as_slice())
        .bind(signed(grant.auth_time.0))
        .bind(signed(grant.expires_at.0))
        .bind(grant.opened_by.map(|opened_by| opened_by.credential.to_vec()))
        .bind(grant.opened_by.map(|opened_by| opened_by.place == PasskeyPlace::Copyable))
        .execute(&self.writer)
        .await
        .map_err(failed("issuing a code"))
        .map(|_| ())
    }

    async fn find_code(&self, hash: &TokenHash) -> Result<Option<CodeState>, Unavailable> {
        let row = sqlx::query("SELECT * FROM codes WHERE hash = $1").bind(hash.as_bytes().as_slice()).fetch_optional(&self.writer).await;
        row.map_err(failed("reading a code"))?.as_ref().map(code).transpose()
    }

    async fn redeem(&self, hash: &TokenHash, family: RefreshFamily) -> Result<(), RedeemError> {
        let failing = |error| RedeemError::Unavailable(failed("redeeming a code")(error));
        let mut both = self.writer.begin().await.map_err(failing)?;
        // The condition decides the race: of two callers one changes the row.
        let taken = sqlx::query("UPDATE codes SET session = $2, family = $3 WHERE hash = $1 AND session IS NULL")
            .bind(hash.as_bytes().as_slice())
            .bind(family.session.as_str())
            .bind(family.id.as_str())
            .execute(&mut *both)
            .await
            .map_err(failing)?;
        if taken.rows_affected() == 0 {
            // The transaction is dropped here, and with it everything that it wrote.
            return Err(RedeemError::AlreadyExchanged);
        }
        sqlx::query(
            "INSERT INTO refresh_families (token, id, session, client, device, key, expires_at, revoked) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, EXISTS (SELECT 1 FROM sessions WHERE id = $3 AND state = 'revoked'))",
        )
        .bind(family.token.as_bytes().as_slice())
        .bind(family.id.as_str())
        .bind(family.session.as_str())
        .bind(family.client.as_str())
        .bind(family.binding.device.as_str())
        .bind(family.binding.key.as_bytes().as_slice())
        .bind(signed(family.expires_at.0))
        .execute(&mut *both)
        .await
        .map_err(failing)?;
        both.commit().await.map_err(failing)
    }

    async fn find_refresh(&self, token: &TokenHash) -> Result<Option<RefreshState>, Unavailable> {
        let row = sqlx::query("SELECT * FROM refresh_families WHERE token = $1")
            .bind(token.as_bytes().as_slice())
            .fetch_optional(&self.writer)
            .await;
        row.map_err(failed("reading a refresh token"))?.as_ref().map(refresh).transpose()
    }

    async fn answer_once(
        &self,
        asked: Renewed,
        proposed: GivenToken,
        until: UnixSeconds,
        now: UnixSeconds,
    ) -> Result<GivenToken, Unavailable> {
        // The plain token is kept in memory only. After a restart a repeated refresh gets a new token, which is bound to the same key.
        let mut answers = self.answers.lock().map_err(|_| Unavailable::new("the memory of answers"))?;
        answers.forget_before(now);
        // An answer that would count longer than one that is given now was given while the clock was ahead, and so was its token.
        answers.forget_beyond(until.max(now));
        if let Some(given) = answers.get(&asked, now) {
            return Ok(given.clone());
        }
        // The answer that would be forgotten soonest makes room; a retry of it gets another token of the same session.
        if answers.len() >= Limits::REPEATED_ANSWERS_MAX {
            answers.forget_soonest();
        }
        answers.insert(asked, proposed.clone(), until);
        Ok(proposed)
    }
}
