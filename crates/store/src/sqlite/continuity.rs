//! What the database knows of itself and of the log: by it a start finds that one of them is an older copy.
//!
//! SECURITY: the order of writes is what makes a crash look like no restore. The log is on the disk before the database notes how far it
//! goes; the keys of people note a number before the database does, and the log names a number only after both. So a file that is behind what
//! another one knows was put there.

use std::path::Path;

use countersign_audit::{Hash, PersonKey};
use countersign_core::{Seconds, Secret, UnixSeconds};
use sqlx::{
    ConnectOptions, Connection,
    sqlite::{SqliteConnectOptions, SqliteRow},
};

use crate::{
    sqlite::{
        database::{Sqlite, failed},
        row::{Reader, signed},
    },
    unavailable::Unavailable,
};

/// Longest stretch by which forgetting advances at a time. A clock that is a year ahead for an hour makes nobody's data disappear.
const FORGOTTEN_AT_A_TIME: Seconds = Seconds(86_400);

/// Knowledge that a database has of itself and of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continuity {
    /// Name of the database, the same for as long as it lives.
    pub database: String,
    /// Number of the last note; it only grows.
    pub number: u64,
    /// Entries of the log that were on the disk by then.
    pub log_size: u64,
    /// Root of the tree over them.
    pub log_root: Hash,
    /// True in a copy that was made as a backup, and was not yet accepted as a restored one.
    pub backup: bool,
}

/// Knowledge that the file of people's keys has of its database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysContinuity {
    /// Name of the database to which the keys belong.
    pub database: String,
    /// Number of the last note.
    pub number: u64,
}

fn continuity(row: &SqliteRow) -> Result<Continuity, Unavailable> {
    let row = Reader::new(row, "continuity");
    Ok(Continuity {
        database: row.text("database")?,
        number: row.number("number")?,
        log_size: row.number("log_size")?,
        log_root: Hash(row.hash("log_root")?),
        backup: row.flag("backup")?,
    })
}

impl Sqlite {
    /// Reads what the database knows; `None` before its first note.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    pub async fn continuity(&self) -> Result<Option<Continuity>, Unavailable> {
        let row = sqlx::query("SELECT * FROM continuity").fetch_optional(&self.writer).await;
        row.map_err(failed("reading what is known of the log"))?.as_ref().map(continuity).transpose()
    }

    /// Reads what the file of people's keys knows; `None` before its first note.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    pub async fn keys_continuity(&self) -> Result<Option<KeysContinuity>, Unavailable> {
        let row = sqlx::query("SELECT * FROM continuity").fetch_optional(&self.subject_keys).await;
        let row = row.map_err(failed("reading to which database the keys belong"))?;
        row.map(|row| {
            let row = Reader::new(&row, "continuity");
            Ok(KeysContinuity { database: row.text("database")?, number: row.number("number")? })
        })
        .transpose()
    }

    /// Notes how far the log goes. It is on the disk up to there, and the log names the number after this returned.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    pub async fn note_continuity(&self, known: &Continuity) -> Result<(), Unavailable> {
        // The keys first: they are never behind the database, unless an older copy was put in their place.
        sqlx::query(
            "INSERT INTO continuity (one, database, number) VALUES (1, $1, $2) \
             ON CONFLICT (one) DO UPDATE SET database = excluded.database, number = excluded.number",
        )
        .bind(known.database.as_str())
        .bind(signed(known.number))
        .execute(&self.subject_keys)
        .await
        .map_err(failed("noting to which database the keys belong"))?;
        sqlx::query(
            "INSERT INTO continuity (one, database, number, log_size, log_root, backup) VALUES (1, $1, $2, $3, $4, $5) \
             ON CONFLICT (one) DO UPDATE SET database = excluded.database, number = excluded.number, log_size = excluded.log_size, \
             log_root = excluded.log_root, backup = excluded.backup",
        )
        .bind(known.database.as_str())
        .bind(signed(known.number))
        .bind(signed(known.log_size))
        .bind(known.log_root.0.as_slice())
        .bind(i64::from(known.backup))
        .execute(&self.writer)
        .await
        .map_err(failed("noting how far the log goes"))
        .map(|_| ())
    }

    /// Instant before which ended data may be forgotten now, at most `wanted`; it is remembered as forgotten. It advances by a day at a time.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    pub async fn advance_forgetting(&self, wanted: UnixSeconds) -> Result<UnixSeconds, Unavailable> {
        let row = sqlx::query("SELECT through FROM forgotten").fetch_optional(&self.writer).await;
        let before = row.map_err(failed("reading what was forgotten"))?;
        let before = before.map(|row| Reader::new(&row, "forgotten").time("through")).transpose()?;
        let through = before.map_or(wanted, |before| wanted.min(before.plus(FORGOTTEN_AT_A_TIME)));
        sqlx::query("INSERT INTO forgotten (one, through) VALUES (1, $1) ON CONFLICT (one) DO UPDATE SET through = excluded.through")
            .bind(signed(before.map_or(through, |before| before.max(through)).0))
            .execute(&self.writer)
            .await
            .map_err(failed("noting what was forgotten"))?;
        Ok(through)
    }

    /// Reads all keys of people that were not destroyed, for a log that is read as a whole.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed.
    pub async fn person_keys(&self) -> Result<Vec<PersonKey>, Unavailable> {
        let rows = sqlx::query("SELECT secret FROM subject_keys WHERE secret IS NOT NULL").fetch_all(&self.subject_keys).await;
        let rows = rows.map_err(failed("reading sealing keys"))?;
        let keys = rows.iter().map(|row| {
            let secret = Secret::new(Reader::new(row, "subject_keys").hash("secret")?);
            PersonKey::new(&secret).ok_or_else(|| Unavailable::new("making a sealing key"))
        });
        keys.collect()
    }

    /// Makes void whatever was given out before: sessions end with their refresh families, codes and invitations are gone, and so are the keys
    /// that sign tokens and statements. Not for a node that serves: nothing that is kept in memory is touched.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend failed; then nothing has changed.
    pub async fn void_all(&self) -> Result<(), Unavailable> {
        let mut together = self.writer.begin().await.map_err(failed("voiding sessions"))?;
        for statement in [
            "UPDATE sessions SET state = 'revoked'",
            "UPDATE refresh_families SET revoked = 1",
            "DELETE FROM codes",
            "DELETE FROM invitations",
            "DELETE FROM keys WHERE purpose IN ('access_token', 'statement')",
        ] {
            sqlx::query(statement).execute(&mut *together).await.map_err(failed("voiding sessions"))?;
        }
        together.commit().await.map_err(failed("voiding sessions"))
    }

    /// Writes a copy of both files into a directory in which they are not, while the node goes on. The copy is marked as a backup, so that a
    /// start on it asks whether it is meant.
    ///
    /// # Errors
    /// [`Unavailable`] only, when the backend or the disk failed.
    pub async fn copy_to(&self, directory: &Path) -> Result<(), Unavailable> {
        let (truth, keys) = (directory.join("countersign.db"), directory.join("subject-keys.db"));
        // The keys last: the copy of them has every key that the copy of the database needs.
        for (pool, path) in [(&self.writer, &truth), (&self.subject_keys, &keys)] {
            let text = path.to_str().ok_or_else(|| Unavailable::new("naming a copy of the database"))?;
            sqlx::query("VACUUM INTO $1").bind(text).execute(pool).await.map_err(failed("copying the database"))?;
        }
        let mut copy = SqliteConnectOptions::new().filename(&truth).connect().await.map_err(failed("opening the copy of the database"))?;
        sqlx::query("UPDATE continuity SET backup = 1").execute(&mut copy).await.map_err(failed("marking the copy of the database"))?;
        copy.close().await.map_err(failed("closing the copy of the database"))
    }
}

/// Reads what the database in `directory` knows, without opening it for writing; `None` when it knows nothing, or is not there.
///
/// # Errors
/// [`Unavailable`] only, when the file cannot be read.
pub async fn peek(directory: &Path) -> Result<Option<Continuity>, Unavailable> {
    let path = directory.join("countersign.db");
    if !path.exists() {
        return Ok(None);
    }
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut connection = options.connect().await.map_err(failed("opening the database"))?;
    let there = sqlx::query("SELECT 1 FROM sqlite_schema WHERE name = 'continuity'").fetch_optional(&mut connection).await;
    if there.map_err(failed("reading the database"))?.is_none() {
        return Ok(None);
    }
    let row = sqlx::query("SELECT * FROM continuity").fetch_optional(&mut connection).await;
    row.map_err(failed("reading what is known of the log"))?.as_ref().map(continuity).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_clock_that_is_ahead_for_an_hour_makes_nothing_disappear() {
        let home = tempfile::tempdir().expect("a directory");
        let store = Sqlite::open(home.path()).await.expect("a store");
        let (day, now) = (86_400, 1_790_000_000);
        let rows: &[(&str, u64, u64)] = &[
            ("the first time", now, now),
            ("an hour later", now + 3_600, now + 3_600),
            ("400 days ahead", now + 400 * day, now + 3_600 + day),
            ("and an hour after that", now + 400 * day + 3_600, now + 3_600 + 2 * day),
            ("right again", now + 7_200, now + 7_200),
            ("ten years behind", now - 3_650 * day, now - 3_650 * day),
            ("right again after that", now, now),
        ];
        for (name, wanted, expected) in rows {
            assert_eq!(store.advance_forgetting(UnixSeconds(*wanted)).await, Ok(UnixSeconds(*expected)), "{name}");
        }
    }

    #[tokio::test]
    async fn what_is_known_is_read_back_also_from_a_copy() {
        let (home, elsewhere) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
        let store = Sqlite::open(home.path()).await.expect("a store");
        assert_eq!((store.continuity().await, store.keys_continuity().await, peek(home.path()).await), (Ok(None), Ok(None), Ok(None)));
        let known = Continuity { database: "a".to_owned(), number: 3, log_size: 7, log_root: Hash([9; 32]), backup: false };
        store.note_continuity(&known).await.expect("noted");
        assert_eq!(store.continuity().await, Ok(Some(known.clone())));
        assert_eq!(store.keys_continuity().await, Ok(Some(KeysContinuity { database: "a".to_owned(), number: 3 })));
        assert_eq!(peek(home.path()).await, Ok(Some(known.clone())));
        store.copy_to(elsewhere.path()).await.expect("copied");
        assert_eq!(peek(elsewhere.path()).await, Ok(Some(Continuity { backup: true, ..known.clone() })));
        assert_eq!(store.continuity().await, Ok(Some(known)), "the original is no backup");
        assert_eq!(peek(&elsewhere.path().join("nothing")).await, Ok(None));
    }
}
