//! Opening the files: mode, journal, migrations.

use std::{
    borrow::Cow,
    fmt, fs, io,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use countersign_core::{DeviceId, Session, SessionId, UserId};
use sqlx::{
    SqlSafeStr, SqlitePool,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{
    changes::Changes,
    devices::Device,
    grants::{GivenToken, Renewed},
    lapsing::Lapsing,
    sqlite::{cached::Cached, row::Reader},
    subjects::UserState,
    unavailable::Unavailable,
};

/// For their owner only; SQLite gives the files beside the database the same mode.
const PRIVATE: u32 = 0o600;

/// How long a writer waits for another one.
const BUSY_MAX: Duration = Duration::from_secs(5);

/// Readers beside the writer.
const READERS: u32 = 4;

/// Sessions, and devices, and states of accounts, that are kept in memory.
const CACHED_MAX: usize = 100_000;

/// A step from one version of the tables to the next. Never changed once it was published: databases remember its digest.
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

/// The steps of `countersign.db`.
pub(super) const TRUTH: &[Step] = &[
    Step { version: 1, name: "the truth", sql: include_str!("migrations/0001_truth.sql") },
    Step { version: 2, name: "posture", sql: include_str!("migrations/0002_posture.sql") },
    Step { version: 3, name: "development tokens", sql: include_str!("migrations/0003_dev_tokens.sql") },
    Step { version: 4, name: "bindings", sql: include_str!("migrations/0004_bindings.sql") },
    Step { version: 6, name: "incidents", sql: include_str!("migrations/0006_incidents.sql") },
    Step { version: 7, name: "ended families", sql: include_str!("migrations/0007_ended_families.sql") },
];

/// The steps of `subject-keys.db`.
pub(super) const KEYS: &[Step] = &[Step { version: 1, name: "subject keys", sql: include_str!("migrations/keys_0001.sql") }];

/// Why the database cannot be opened.
#[derive(Debug)]
pub enum OpenError {
    /// The file cannot be used.
    Io {
        /// Which.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// The database does not open, or is of a newer version.
    Database {
        /// Which.
        path: PathBuf,
        /// SQLite's word.
        what: String,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, source } => write!(f, "`{}` cannot be used: {source}", path.display()),
            Self::Database { path, what } => {
                write!(
                    f,
                    "`{}` cannot be opened as a database of this version: {what}; a newer version's data needs that version",
                    path.display()
                )
            }
        }
    }
}

impl std::error::Error for OpenError {}

/// The embedded store: everything that must outlive the process.
pub struct Sqlite {
    pub(crate) writer: SqlitePool,
    pub(crate) readers: SqlitePool,
    pub(crate) subject_keys: SqlitePool,
    pub(crate) sessions: Cached<SessionId, Session>,
    pub(crate) devices: Cached<DeviceId, Device>,
    pub(crate) accounts: Cached<UserId, UserState>,
    pub(crate) changes: Changes,
    /// The answer that was given to each refresh token and request key, while it is repeated.
    pub(crate) answers: Mutex<Lapsing<Renewed, GivenToken>>,
}

impl Sqlite {
    /// Opens, or makes, `countersign.db` and `subject-keys.db` in a directory, readable by their owner only.
    ///
    /// # Errors
    /// When a file cannot be used, or is of a newer version.
    pub async fn open(directory: &Path) -> Result<Self, OpenError> {
        let truth = directory.join("countersign.db");
        let keys = directory.join("subject-keys.db");
        let writer = writer(&truth, TRUTH).await?;
        let readers = readers(&truth).await?;
        let subject_keys = self::writer(&keys, KEYS).await?;
        // A process that was killed may have left a destroyed key in the log.
        wipe_log(&subject_keys).await.map_err(broken(&keys))?;
        Ok(Self {
            writer,
            readers,
            subject_keys,
            sessions: Cached::new(CACHED_MAX),
            devices: Cached::new(CACHED_MAX),
            accounts: Cached::new(CACHED_MAX),
            changes: Changes::default(),
            answers: Mutex::default(),
        })
    }

    /// Where this store announces every change of a session, a device or a person.
    #[must_use]
    pub const fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Closes the files; what was acknowledged is in them already.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
        self.subject_keys.close().await;
    }
}

/// The one connection that writes, to a file that is made or brought up to this version.
pub(super) async fn writer(path: &Path, steps: &[Step]) -> Result<SqlitePool, OpenError> {
    let failed = |source| OpenError::Io { path: path.to_path_buf(), source };
    let file = fs::OpenOptions::new().write(true).create(true).truncate(false).mode(PRIVATE).open(path).map_err(failed)?;
    // A file that was there already, from a backup perhaps, may have another mode.
    file.set_permissions(fs::Permissions::from_mode(PRIVATE)).map_err(failed)?;
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options(path)).await.map_err(broken(path))?;
    Migrator::with_migrations(steps.iter().map(Step::migration).collect()).run(&pool).await.map_err(broken(path))?;
    Ok(pool)
}

/// Connections that cannot write.
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
        .busy_timeout(BUSY_MAX)
        .pragma("secure_delete", "on")
}

fn broken<E: fmt::Display>(path: &Path) -> impl Fn(E) -> OpenError {
    move |error| OpenError::Database { path: path.to_path_buf(), what: error.to_string() }
}

/// Moves the write-ahead log into the database and cuts it off: what was overwritten must not survive in it.
pub async fn wipe_log(pool: &SqlitePool) -> Result<(), Unavailable> {
    let said = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(pool).await.map_err(failed("wiping the log of sealing keys"))?;
    // The first column says whether somebody stood in the way; the statement itself succeeds then, too.
    if Reader::new(&said, "wal_checkpoint").flag("busy")? {
        return Err(Unavailable::new("wiping the log of sealing keys: somebody else reads the database"));
    }
    Ok(())
}

/// A statement that failed, for the operator; the database's words hold no values.
pub fn failed(what: &'static str) -> impl Fn(sqlx::Error) -> Unavailable {
    move |error| Unavailable::new(format!("{what}: {error}"))
}
