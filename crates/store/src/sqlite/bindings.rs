//! Bindings of people to devices in SQLite.

use async_trait::async_trait;
use countersign_core::{DeviceId, UnixSeconds, UserId};
use countersign_identity::{self as identity, Binding, BindingRules, BindingState, PasskeyPlace};
use sqlx::sqlite::SqliteRow;

use crate::{
    bindings::{BindError, Bindings},
    sqlite::{
        database::{Sqlite, failed},
        row::{Reader, acr, opened_by, signed},
    },
    unavailable::Unavailable,
};

fn binding(row: &SqliteRow) -> Result<Binding, Unavailable> {
    let row = Reader::new(row, "bindings");
    Ok(Binding {
        user: row.parsed("user", UserId::parse)?,
        device: row.parsed("device", DeviceId::parse)?,
        acr: row.parsed("acr", acr)?,
        opened_by: opened_by(&row)?,
        bound_at: row.time("bound_at")?,
        seen_on: row.time("seen_on")?,
        state: match row.text("state")?.as_str() {
            "active" => BindingState::Active,
            "disowned" => BindingState::Disowned { at: row.time("cut_at")? },
            "removed" => BindingState::Removed { at: row.time("cut_at")? },
            _ => return Err(row.broken()),
        },
    })
}

const fn state(state: BindingState) -> (&'static str, Option<UnixSeconds>) {
    match state {
        BindingState::Active => ("active", None),
        BindingState::Disowned { at } => ("disowned", Some(at)),
        BindingState::Removed { at } => ("removed", Some(at)),
    }
}

#[async_trait]
impl Bindings for Sqlite {
    async fn bind(&self, new: Binding, rules: BindingRules) -> Result<Binding, BindError> {
        // There is one connection that writes, and a transaction holds it: nobody comes between what is read and what is written.
        let mut transaction = self.writer.begin().await.map_err(failed("binding a device"))?;
        let rows = sqlx::query("SELECT * FROM bindings WHERE user = $1").bind(new.user.as_str()).fetch_all(&mut *transaction).await;
        let theirs: Vec<_> = rows.map_err(failed("reading bindings"))?.iter().map(binding).collect::<Result<_, _>>()?;
        let bound = identity::bind(&theirs, new, rules).map_err(BindError::Refused)?;
        let (word, cut_at) = state(bound.state);
        sqlx::query(
            "INSERT INTO bindings (user, device, acr, bound_at, seen_on, state, cut_at, credential, copyable) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
             ON CONFLICT (user, device) DO NOTHING",
        )
        .bind(bound.user.as_str())
        .bind(bound.device.as_str())
        .bind(bound.acr.as_str())
        .bind(signed(bound.bound_at.0))
        .bind(signed(bound.seen_on.0))
        .bind(word)
        .bind(cut_at.map(|at| signed(at.0)))
        .bind(bound.opened_by.map(|opened_by| opened_by.credential.to_vec()))
        .bind(bound.opened_by.map(|opened_by| opened_by.place == PasskeyPlace::Copyable))
        .execute(&mut *transaction)
        .await
        .map_err(failed("binding a device"))?;
        transaction.commit().await.map_err(failed("binding a device"))?;
        Ok(bound)
    }

    async fn of_user(&self, user: &UserId, count_max: u32) -> Result<Vec<Binding>, Unavailable> {
        let rows = sqlx::query("SELECT * FROM bindings WHERE user = $1 ORDER BY bound_at DESC, rowid DESC LIMIT $2")
            .bind(user.as_str())
            .bind(count_max)
            .fetch_all(&self.readers)
            .await;
        rows.map_err(failed("listing bindings"))?.iter().map(binding).collect()
    }

    async fn of_device(&self, device: &DeviceId, count_max: u32) -> Result<Vec<Binding>, Unavailable> {
        let rows = sqlx::query("SELECT * FROM bindings WHERE device = $1 ORDER BY bound_at DESC, rowid DESC LIMIT $2")
            .bind(device.as_str())
            .bind(count_max)
            .fetch_all(&self.readers)
            .await;
        rows.map_err(failed("listing bindings"))?.iter().map(binding).collect()
    }

    async fn seen(&self, user: &UserId, device: &DeviceId, day: UnixSeconds) -> Result<Option<Binding>, Unavailable> {
        let row = sqlx::query("SELECT * FROM bindings WHERE user = $1 AND device = $2")
            .bind(user.as_str())
            .bind(device.as_str())
            .fetch_optional(&self.writer)
            .await;
        let Some(mut found) = row.map_err(failed("reading a binding"))?.as_ref().map(binding).transpose()? else { return Ok(None) };
        // Written once a day at most: tokens are renewed every few minutes.
        if found.seen_on < day && found.active() {
            let noted = sqlx::query("UPDATE bindings SET seen_on = max(seen_on, $3) WHERE user = $1 AND device = $2")
                .bind(user.as_str())
                .bind(device.as_str())
                .bind(signed(day.0))
                .execute(&self.writer)
                .await;
            noted.map_err(failed("noting a day"))?;
            found.seen_on = day;
        }
        Ok(Some(found))
    }

    async fn cut(&self, user: &UserId, device: &DeviceId, cut: BindingState) -> Result<Option<Binding>, Unavailable> {
        let (word, at) = state(cut);
        // The conditions stand in the statement itself, so that of two callers who cut at once the second one finds the first one's state.
        let done = sqlx::query(
            "UPDATE bindings SET state = $3, cut_at = $4 WHERE user = $1 AND device = $2 \
             AND (state = 'active' OR (state = 'removed' AND $3 = 'disowned'))",
        )
        .bind(user.as_str())
        .bind(device.as_str())
        .bind(word)
        .bind(at.map(|at| signed(at.0)))
        .execute(&self.writer)
        .await;
        done.map_err(failed("cutting a binding"))?;
        let row = sqlx::query("SELECT * FROM bindings WHERE user = $1 AND device = $2")
            .bind(user.as_str())
            .bind(device.as_str())
            .fetch_optional(&self.writer)
            .await;
        row.map_err(failed("reading a binding"))?.as_ref().map(binding).transpose()
    }
}
