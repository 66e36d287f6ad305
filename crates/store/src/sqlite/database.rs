//! Opening the files: mode, journal, migrations.

use std::{
    borrow::Cow,
    fmt, fs, io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use countersign_core::{DeviceId, Limits, Session, SessionId, UserId};
use sqlx::{
    SqlSafeStr, SqlitePool,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{
    changes::Changes,
    devices::Device,
    expiring_map::ExpiringMap,
    grants::{GivenToken, Renewed},
    sqlite::{cached::Cached, row::Reader},
    subjects::UserState,
    unavailable::Unavailable,
};

/// File mode for the owner only; SQLite gives the files beside the database the same mode.
const PRIVATE: u32 = 0o600;

/// Connections that read, beside the one that writes.
const READERS: u32 = 4;

/// Step from one version of the tables to the next. A published step is never changed: databases remember its digest.
#[derive(Clone, Copy)]
pub(super) struct Step {
    version: i64,
    name: &'static str,
    sql: &'static str,
}

impl Step {
    pub(super) fn migration(&self) -> Migration {
        Migration::new(self.version, Cow::Borrowed(self.name), MigrationType::Simple, self.sql.into_sql_str(), false)
    }
}

/// Migrations of `countersign.db`.
pub(super) const TRUTH: &[Step] = &[
    Step { version: 1, name: "the truth", sql: include_str!("migrations/0001_truth.sql") },
    Step { version: 2, name: "posture", sql: include_str!("migrations/0002_posture.sql") },
    Step { version: 3, name: "development tokens", sql: include_str!("migrations/0003_dev_tokens.sql") },
    Step { version: 4, name: "bindings", sql: include_str!("migrations/0004_bindings.sql") },
    Step { version: 6, name: "incidents", sql: include_str!("migrations/0006_incidents.sql") },
    Step { version: 7, name: "ended families", sql: include_str!("migrations/0007_ended_families.sql") },
    Step { version: 8, name: "continuity", sql: include_str!("migrations/0008_continuity.sql") },
    Step { version: 9, name: "shared signals", sql: include_str!("migrations/0009_shared_signals.sql") },
    Step { version: 10, name: "passkeys that bound devices", sql: include_str!("migrations/0010_opened_by.sql") },
];

/// Migrations of the database `subject-keys.db`.
pub(super) const KEYS: &[Step] = &[
    Step { version: 1, name: "subject keys", sql: include_str!("migrations/keys_0001.sql") },
    Step { version: 2, name: "continuity", sql: include_str!("migrations/keys_0002.sql") },
];

/// Reason why the database cannot be opened.
#[derive(Debug)]
pub struct OpenError {
    path: PathBuf,
    why: OpenFault,
}

impl OpenError {
    /// Cause without the file.
    #[cfg(test)]
    pub(super) const fn why(&self) -> &OpenFault {
        &self.why
    }
}

/// Cause for which a file cannot be opened as a database.
#[derive(Debug)]
pub(super) enum OpenFault {
    /// The database does not open.
    Database {
        /// Kind of the fault.
        fault: DatabaseFault,
        /// Message of SQLite.
        what: String,
    },
    /// The file cannot be used: error of the operating system.
    Io(io::Error),
}

/// Fault of a database that does not open. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DatabaseFault {
    /// Pages that do not fit together (`SQLITE_CORRUPT`).
    Damaged,
    /// The disk, or its quota, is full (`SQLITE_FULL`).
    DiskFull,
    /// The system cannot read or write it (`SQLITE_IOERR`, `SQLITE_CANTOPEN`).
    Io,
    /// Another process holds it (`SQLITE_BUSY`, `SQLITE_LOCKED`).
    Locked,
    /// A newer version of this program wrote it.
    Newer,
    /// The file is no database, or an encrypted one (`SQLITE_NOTADB`).
    NoDatabase,
    /// It has our tables in a form that no version of this program made.
    Other,
    /// It may be read and not written (`SQLITE_READONLY`, `SQLITE_PERM`).
    ReadOnly,
}

impl DatabaseFault {
    /// Every fault, in alphabetical order.
    #[cfg(test)]
    pub(super) const ALL: [Self; 8] =
        [Self::Damaged, Self::DiskFull, Self::Io, Self::Locked, Self::Newer, Self::NoDatabase, Self::Other, Self::ReadOnly];

    /// Reads SQLite's answer (sqlite.org/rescode.html); the primary code is in the lowest eight bits.
    fn of(error: &sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|fault| fault.code()).and_then(|code| code.parse::<u32>().ok());
        match code.map(|code| code & 0xff) {
            Some(3 | 8) => Self::ReadOnly,
            Some(5 | 6) => Self::Locked,
            Some(10 | 14) => Self::Io,
            Some(11) => Self::Damaged,
            Some(13) => Self::DiskFull,
            Some(26) => Self::NoDatabase,
            Some(_) | None => Self::Other,
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum is sqlx's, and says itself that it will grow")]
    fn of_migration(error: &MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => Self::Newer,
            MigrateError::Execute(fault) | MigrateError::ExecuteMigration(fault, _) => Self::of(fault),
            _ => Self::Other,
        }
    }

    /// Name of the fault, and what to do.
    pub(super) const fn told(self) -> &'static str {
        match self {
            Self::Damaged => "it is damaged; restore a backup",
            Self::DiskFull => "the disk is full; make room, and start again",
            Self::Io => "the system cannot read or write it; check the disk and the permissions of the data directory",
            Self::Locked => "another process holds it; stop that process, and start again",
            Self::Newer => "a newer version of this program wrote it; use that version, or restore a backup from before",
            Self::NoDatabase => "it is not a database; restore a backup, or move the file away if it came here by mistake",
            Self::Other => "its tables are not those of this program; restore a backup",
            Self::ReadOnly => "it cannot be written; check its permissions and whether its disk is mounted read-only",
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.why {
            OpenFault::Database { fault, what } => write!(f, "the database `{path}` cannot be opened: {} (SQLite: {what})", fault.told()),
            OpenFault::Io(source) => write!(f, "`{path}` cannot be used: {source}; check its permissions"),
        }
    }
}

impl std::error::Error for OpenError {}

/// Mark of our databases in the header of the file (SQLite file format section 1.3.12, "application id"): `CSGN`.
const MARK: &str = "PRAGMA application_id = 1129531214";

/// Embedded store: all state that must outlive the process.
pub struct Sqlite {
    pub(crate) writer: SqlitePool,
    pub(crate) readers: SqlitePool,
    pub(crate) subject_keys: SqlitePool,
    pub(crate) sessions: Cached<SessionId, Session>,
    pub(crate) devices: Cached<DeviceId, Device>,
    pub(crate) accounts: Cached<UserId, UserState>,
    pub(crate) changes: Changes,
    /// Answers that were given to refreshes, by refresh token and request key, while they are repeated.
    pub(crate) answers: Mutex<ExpiringMap<Renewed, GivenToken>>,
}

impl Sqlite {
    /// Opens, or makes, `countersign.db` and `subject-keys.db` in a directory, readable by their owner only.
    ///
    /// # Errors
    /// [`OpenError`] when a file cannot be used, or when it does not open as a database of ours.
    pub async fn open(directory: &Path) -> Result<Self, OpenError> {
        let truth = directory.join("countersign.db");
        let keys = directory.join("subject-keys.db");
        let writer = writer(&truth, TRUTH).await?;
        let readers = readers(&truth).await?;
        let subject_keys = self::writer(&keys, KEYS).await?;
        // A process that was killed may have left a destroyed key in the log.
        wipe_log(&subject_keys).await.map_err(|fault| OpenError {
            path: keys.clone(),
            why: OpenFault::Database { fault: DatabaseFault::Locked, what: fault.to_string() },
        })?;
        Ok(Self {
            writer,
            readers,
            subject_keys,
            sessions: Cached::new(Limits::CACHED_ROWS_MAX),
            devices: Cached::new(Limits::CACHED_ROWS_MAX),
            accounts: Cached::new(Limits::CACHED_ROWS_MAX),
            changes: Changes::default(),
            answers: Mutex::default(),
        })
    }

    /// Announcements of every change of a session, a device or a person in this store.
    #[must_use]
    pub const fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Finds out whether the database can be written now, by writing what is there already.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn probe(&self) -> Result<(), Unavailable> {
        sqlx::query(MARK).execute(&self.writer).await.map(drop).map_err(failed("writing to the database"))
    }

    /// Closes the files. Everything that was acknowledged is in them already.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
        self.subject_keys.close().await;
    }
}

/// Opens the one connection that writes, to a file that is made or brought up to this version.
pub(super) async fn writer(path: &Path, steps: &[Step]) -> Result<SqlitePool, OpenError> {
    let failed = |source| OpenError { path: path.to_path_buf(), why: OpenFault::Io(source) };
    let file = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(PRIVATE).open(path).map_err(failed)?;
    // A file that was there already, from a backup perhaps, may have another mode.
    file.set_permissions(fs::Permissions::from_mode(PRIVATE)).map_err(failed)?;
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options(path)).await.map_err(broken(path))?;
    Migrator::with_migrations(steps.iter().map(Step::migration).collect()).run(&pool).await.map_err(|error| OpenError {
        path: path.to_path_buf(),
        why: OpenFault::Database { fault: DatabaseFault::of_migration(&error), what: error.to_string() },
    })?;
    Ok(pool)
}

/// Opens connections that cannot write.
async fn readers(path: &Path) -> Result<SqlitePool, OpenError> {
    let options = options(path).pragma("query_only", "on");
    SqlitePoolOptions::new().max_connections(READERS).connect_with(options).await.map_err(broken(path))
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(Limits::DATABASE_WAIT_MAX.0))
        .pragma("secure_delete", "on")
}

fn broken(path: &Path) -> impl Fn(sqlx::Error) -> OpenError {
    move |error| OpenError {
        path: path.to_path_buf(),
        why: OpenFault::Database { fault: DatabaseFault::of(&error), what: error.to_string() },
    }
}

/// Moves the write-ahead log into the database and cuts it off: overwritten data must not survive in the log.
pub async fn wipe_log(pool: &SqlitePool) -> Result<(), Unavailable> {
    let said = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(pool).await.map_err(failed("wiping the log of sealing keys"))?;
    // The first column says whether another connection blocked the checkpoint; the statement itself succeeds in that case, too.
    if Reader::new(&said, "wal_checkpoint").flag("busy")? {
        return Err(Unavailable::new("wiping the log of sealing keys: somebody else reads the database"));
    }
    Ok(())
}

/// Turns the error of a failed statement into a message for the operator; the database's own words hold no values.
pub fn failed(what: &'static str) -> impl Fn(sqlx::Error) -> Unavailable {
    move |error| Unavailable::new(format!("{what}: {error}"))
}
