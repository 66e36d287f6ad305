//! Opening the files: mode, journal, migrations.

use std::{
    borrow::Cow,
    fmt, fs, io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use countersign_core::{DeviceId, SessionId};
use sqlx::{
    SqlSafeStr, SqlitePool,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{devices::Device, sqlite::cached::Cached, sqlite::grants::Answers, unavailable::Unavailable};

/// How long a writer waits for another one.
const BUSY_MAX: Duration = Duration::from_secs(5);

/// Readers beside the writer.
const READERS: u32 = 4;

/// Sessions, and devices, that are kept in memory.
const CACHED_MAX: usize = 100_000;

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
    pub(crate) sessions: Cached<SessionId, countersign_core::Session>,
    pub(crate) devices: Cached<DeviceId, Device>,
    pub(crate) answers: Mutex<Answers>,
}

impl Sqlite {
    /// Opens, or makes, `countersign.db` and `subject-keys.db` in a directory, readable by their owner only.
    ///
    /// # Errors
    /// When a file cannot be used, or is of a newer version.
    pub async fn open(directory: &Path) -> Result<Self, OpenError> {
        let truth = directory.join("countersign.db");
        let keys = directory.join("subject-keys.db");
        let writer = pool(&truth, 1, &[(1, "the truth", include_str!("migrations/0001_truth.sql"))]).await?;
        let readers = pool(&truth, READERS, &[]).await?;
        let subject_keys = pool(&keys, 1, &[(1, "subject keys", include_str!("migrations/keys_0001.sql"))]).await?;
        Ok(Self {
            writer,
            readers,
            subject_keys,
            sessions: Cached::new(CACHED_MAX),
            devices: Cached::new(CACHED_MAX),
            answers: Mutex::default(),
        })
    }

    /// Closes the files; what was acknowledged is in them already.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
        self.subject_keys.close().await;
    }
}

async fn pool(path: &Path, connections: u32, migrations: &[(i64, &'static str, &'static str)]) -> Result<SqlitePool, OpenError> {
    let failed = |source| OpenError::Io { path: path.to_path_buf(), source };
    fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map_err(failed)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_MAX)
        .pragma("secure_delete", "on");
    let broken = |what: String| OpenError::Database { path: path.to_path_buf(), what };
    let pool = SqlitePoolOptions::new().max_connections(connections).connect_with(options).await.map_err(|e| broken(e.to_string()))?;
    if !migrations.is_empty() {
        let steps = migrations
            .iter()
            .map(|(version, name, sql)| Migration::new(*version, Cow::Borrowed(*name), MigrationType::Simple, sql.into_sql_str(), false));
        Migrator::with_migrations(steps.collect()).run(&pool).await.map_err(|e| broken(e.to_string()))?;
    }
    Ok(pool)
}

/// A statement that failed, for the operator; the database's words hold no values.
pub fn failed(what: &'static str) -> impl Fn(sqlx::Error) -> Unavailable {
    move |error| Unavailable::new(format!("{what}: {error}"))
}
