//! People, passkeys and invitations in SQLite.

use async_trait::async_trait;
use countersign_core::{Role, UnixSeconds, UserId};
use countersign_identity::TokenHash;
use sqlx::sqlite::SqliteRow;

use crate::{
    changes::Change,
    sqlite::{
        database::{Sqlite, failed},
        row::{Reader, roles_text, signed},
    },
    subjects::{Created, Invitation, Passkey, Subjects, Used, User, UserState},
    unavailable::Unavailable,
};

const STATES: [(UserState, &str); 2] = [(UserState::Active, "active"), (UserState::Closed, "closed")];

fn user(row: &SqliteRow) -> Result<User, Unavailable> {
    let row = Reader::new(row, "users");
    Ok(User {
        id: row.parsed("id", UserId::parse)?,
        name: row.text("name")?,
        roles: row.words("roles", |word| Role::parse(word).ok())?,
        created_at: row.time("created_at")?,
        state: row.word("state", &STATES)?,
    })
}

fn passkey(row: &SqliteRow) -> Result<Passkey, Unavailable> {
    let row = Reader::new(row, "passkeys");
    Ok(Passkey {
        credential: row.bytes("credential")?,
        user: row.parsed("user", UserId::parse)?,
        record: row.text("record")?,
        counter: row.numbered("counter", |number| u32::try_from(number).ok())?,
        created_at: row.time("created_at")?,
    })
}

fn invitation(row: &SqliteRow) -> Result<Invitation, Unavailable> {
    let row = Reader::new(row, "invitations");
    Ok(Invitation {
        code: TokenHash::from_bytes(row.hash("code")?),
        name: row.maybe_text("name")?,
        roles: row.words("roles", |word| Role::parse(word).ok())?,
        expires_at: row.time("expires_at")?,
    })
}

const fn state_word(state: UserState) -> &'static str {
    match state {
        UserState::Active => "active",
        UserState::Closed => "closed",
    }
}

const ADD_PASSKEY: &str =
    "INSERT INTO passkeys (credential, user, record, counter, created_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (credential) DO NOTHING";

#[async_trait]
impl Subjects for Sqlite {
    async fn create(&self, user: User, passkey: Passkey) -> Result<Created, Unavailable> {
        if passkey.user != user.id {
            return Err(Unavailable::new("making an account with the passkey of another"));
        }
        let failing = failed("making an account");
        let mut both = self.writer.begin().await.map_err(&failing)?;
        let made =
            sqlx::query("INSERT INTO users (id, name, roles, created_at, state) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO NOTHING")
                .bind(user.id.as_str())
                .bind(&user.name)
                .bind(roles_text(&user.roles))
                .bind(signed(user.created_at.0))
                .bind(state_word(user.state))
                .execute(&mut *both)
                .await
                .map_err(&failing)?;
        if made.rows_affected() == 0 {
            return Ok(Created::NameTaken);
        }
        let added = sqlx::query(ADD_PASSKEY)
            .bind(&passkey.credential)
            .bind(passkey.user.as_str())
            .bind(&passkey.record)
            .bind(passkey.counter)
            .bind(signed(passkey.created_at.0))
            .execute(&mut *both)
            .await
            .map_err(&failing)?;
        if added.rows_affected() == 0 {
            return Ok(Created::CredentialTaken);
        }
        both.commit().await.map_err(&failing)?;
        Ok(Created::Done)
    }

    async fn find(&self, id: &UserId) -> Result<Option<User>, Unavailable> {
        let row = sqlx::query("SELECT * FROM users WHERE id = $1").bind(id.as_str()).fetch_optional(&self.writer).await;
        row.map_err(failed("reading an account"))?.as_ref().map(user).transpose()
    }

    async fn state(&self, id: &UserId) -> Result<Option<UserState>, Unavailable> {
        if let Some(state) = self.accounts.get(id) {
            return Ok(Some(state));
        }
        let gate = self.accounts.gate().await;
        let found = self.find(id).await?.map(|user| user.state);
        if let Some(state) = found {
            gate.put(id.clone(), state);
        }
        Ok(found)
    }

    async fn find_by_name(&self, name: &str) -> Result<Option<User>, Unavailable> {
        let row = sqlx::query("SELECT * FROM users WHERE name = $1").bind(name).fetch_optional(&self.writer).await;
        row.map_err(failed("reading an account"))?.as_ref().map(user).transpose()
    }

    async fn list(&self, count_max: u32) -> Result<Vec<User>, Unavailable> {
        let rows =
            sqlx::query("SELECT * FROM users ORDER BY created_at DESC, rowid DESC LIMIT $1").bind(count_max).fetch_all(&self.readers).await;
        rows.map_err(failed("listing accounts"))?.iter().map(user).collect()
    }

    async fn update(&self, id: &UserId, state: UserState, roles: &[Role]) -> Result<Option<User>, Unavailable> {
        let _news = self.changes.at_end(Change::User(id.clone()));
        let gate = self.accounts.gate().await;
        gate.forget(id);
        let row = sqlx::query("UPDATE users SET state = $2, roles = $3 WHERE id = $1 RETURNING *")
            .bind(id.as_str())
            .bind(state_word(state))
            .bind(roles_text(roles))
            .fetch_optional(&self.writer)
            .await;
        row.map_err(failed("changing an account"))?.as_ref().map(user).transpose()
    }

    async fn add_passkey(&self, passkey: Passkey) -> Result<Created, Unavailable> {
        let added = sqlx::query(ADD_PASSKEY)
            .bind(&passkey.credential)
            .bind(passkey.user.as_str())
            .bind(&passkey.record)
            .bind(passkey.counter)
            .bind(signed(passkey.created_at.0))
            .execute(&self.writer)
            .await
            .map_err(failed("adding a passkey"))?;
        Ok(if added.rows_affected() == 0 { Created::CredentialTaken } else { Created::Done })
    }

    async fn find_passkey(&self, credential: &[u8]) -> Result<Option<Passkey>, Unavailable> {
        let row = sqlx::query("SELECT * FROM passkeys WHERE credential = $1").bind(credential).fetch_optional(&self.writer).await;
        row.map_err(failed("reading a passkey"))?.as_ref().map(passkey).transpose()
    }

    async fn passkeys(&self, user: &UserId) -> Result<Vec<Passkey>, Unavailable> {
        let rows = sqlx::query("SELECT * FROM passkeys WHERE user = $1 ORDER BY created_at, rowid")
            .bind(user.as_str())
            .fetch_all(&self.writer)
            .await;
        rows.map_err(failed("reading passkeys"))?.iter().map(passkey).collect()
    }

    async fn use_passkey(&self, passkey: Passkey, counter_before: u32) -> Result<Used, Unavailable> {
        let noted = sqlx::query("UPDATE passkeys SET record = $2, counter = $3 WHERE credential = $1 AND counter = $4")
            .bind(&passkey.credential)
            .bind(&passkey.record)
            .bind(passkey.counter)
            .bind(counter_before)
            .execute(&self.writer)
            .await
            .map_err(failed("noting the use of a passkey"))?;
        Ok(if noted.rows_affected() == 0 { Used::Raced } else { Used::Noted })
    }

    async fn invite(&self, invitation: Invitation) -> Result<(), Unavailable> {
        sqlx::query("INSERT INTO invitations (code, name, roles, expires_at) VALUES ($1, $2, $3, $4)")
            .bind(invitation.code.as_bytes().as_slice())
            .bind(invitation.name)
            .bind(roles_text(&invitation.roles))
            .bind(signed(invitation.expires_at.0))
            .execute(&self.writer)
            .await
            .map_err(failed("inviting"))
            .map(|_| ())
    }

    async fn find_invitation(&self, code: &TokenHash, now: UnixSeconds) -> Result<Option<Invitation>, Unavailable> {
        let row = sqlx::query("SELECT * FROM invitations WHERE code = $1 AND expires_at >= $2")
            .bind(code.as_bytes().as_slice())
            .bind(signed(now.0))
            .fetch_optional(&self.writer)
            .await;
        row.map_err(failed("reading an invitation"))?.as_ref().map(invitation).transpose()
    }

    async fn take_invitation(&self, code: &TokenHash, now: UnixSeconds) -> Result<Option<Invitation>, Unavailable> {
        let row = sqlx::query("DELETE FROM invitations WHERE code = $1 AND expires_at >= $2 RETURNING *")
            .bind(code.as_bytes().as_slice())
            .bind(signed(now.0))
            .fetch_optional(&self.writer)
            .await;
        row.map_err(failed("taking an invitation"))?.as_ref().map(invitation).transpose()
    }
}
