//! Which file of the data directory is of another time than the others: an older database, a log that was cut, files of another node.
//!
//! A crash never looks like this: the log is on the disk before the database notes how far it goes, and the log names a number of the
//! database only when the database is on the disk with it. So whatever is behind was put there, and goes on only when an operator says so.

use std::{fmt, path::Path};

use countersign_audit::{CheckpointVerifier, DatabaseSeen};
use countersign_core::Entropy;
use countersign_store::{
    Unavailable,
    segments::{self, ReadError},
    sqlite::{self, Continuity, KeysContinuity, Sqlite},
};

use crate::layout;

/// One file that is of another time, or not there. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Behind {
    /// The database is a copy that `countersign backup` made.
    Backup {
        /// Entries of the log when it was made.
        log_size: u64,
    },
    /// `countersign.db` is not there, and its log or its keys are.
    DatabaseMissing,
    /// `countersign.db` is an older copy.
    DatabaseOlder {
        /// Number that the database itself bears.
        number: u64,
        /// The number that log or keys know.
        known: u64,
        /// Entries of the log that it knows of.
        log_size: u64,
    },
    /// `subject-keys.db` belongs to another database.
    KeysForeign,
    /// `subject-keys.db` is not there.
    KeysMissing,
    /// `subject-keys.db` is an older copy.
    KeysOlder,
    /// The log was written beside another database.
    LogForeign,
    /// The log is not there.
    LogMissing {
        /// Entries that the database knows of.
        known: u64,
    },
    /// The log has other entries than those that the database knows.
    LogOther {
        /// Entries that the database knows of.
        known: u64,
    },
    /// The log ends before what the database knows of it.
    LogShorter {
        /// Entries that the log holds.
        size: u64,
        /// Entries that the database knows of.
        known: u64,
    },
}

impl Behind {
    /// Word by which an operator accepts it.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Backup { .. } => "backup",
            Self::DatabaseMissing => "database-missing",
            Self::DatabaseOlder { .. } => "database-older",
            Self::KeysForeign => "keys-foreign",
            Self::KeysMissing => "keys-missing",
            Self::KeysOlder => "keys-older",
            Self::LogForeign => "log-foreign",
            Self::LogMissing { .. } => "log-missing",
            Self::LogOther { .. } => "log-other",
            Self::LogShorter { .. } => "log-shorter",
        }
    }

    /// Tells if what was given out since then is unknown to the database, so that all of it has to be void.
    #[must_use]
    pub(crate) const fn loses_state(&self) -> bool {
        match self {
            Self::Backup { .. } | Self::DatabaseMissing | Self::DatabaseOlder { .. } => true,
            Self::KeysForeign
            | Self::KeysMissing
            | Self::KeysOlder
            | Self::LogForeign
            | Self::LogMissing { .. }
            | Self::LogOther { .. }
            | Self::LogShorter { .. } => false,
        }
    }

    /// Tells if the log cannot go on, so that it is set aside and a new one begins.
    #[must_use]
    pub(crate) const fn ends_log(&self) -> bool {
        matches!(self, Self::DatabaseMissing | Self::LogForeign | Self::LogOther { .. })
    }
}

impl fmt::Display for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backup { log_size } => write!(
                f,
                "`countersign.db` is a backup that was made after entry {log_size} of the log; what people and operators did since then is \
                 missing in it"
            ),
            Self::DatabaseMissing => f.write_str(
                "`countersign.db` is missing, although `log` or `subject-keys.db` is there: accounts, devices, sessions and signing keys \
                 are missing; put the database back, or its newest backup",
            ),
            Self::DatabaseOlder { number, known, log_size } => write!(
                f,
                "`countersign.db` is an older copy (note {number}, but note {known} was made): what was changed after entry {log_size} of \
                 the log is missing in it, such as new accounts and devices"
            ),
            Self::KeysForeign => f.write_str("`subject-keys.db` belongs to another database; put back the one of this data directory"),
            Self::KeysMissing => f.write_str(
                "`subject-keys.db` is missing: without it the personal fields of all entries of the log are unreadable for ever; put it \
                 back, or its newest backup",
            ),
            Self::KeysOlder => {
                f.write_str("`subject-keys.db` is an older copy: personal fields of people who are new since then are unreadable for ever")
            }
            Self::LogForeign => f.write_str(
                "the log was signed by another key than `countersign.db` holds, or under another host than that of `public_url`: it is the log \
                 of another node; restore both from the same backup",
            ),
            Self::LogMissing { known } => {
                write!(f, "the log is missing, although the database knows of {known} entries; put the directory `log` back")
            }
            Self::LogOther { known } => write!(
                f,
                "the log is not the one that the database knows: its first {known} entries are others; put the directory `log` back"
            ),
            Self::LogShorter { size, known } => {
                let missing = known.saturating_sub(*size);
                write!(
                    f,
                    "the log is behind: it ends with {size} entries, and the database knows of {known}; {missing} entries are missing, and \
                     perhaps more; put the missing segments back into `log`"
                )
            }
        }
    }
}

/// Everything in a data directory that is of another time. Not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AllBehind(pub Vec<Behind>);

impl fmt::Display for AllBehind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, one) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str("; ")?;
            }
            one.fmt(f)?;
        }
        f.write_str("; to go on with these files as they are, run `countersign restore")?;
        self.0.iter().try_for_each(|one| write!(f, " --accept {}", one.word()))?;
        f.write_str("`, which says what it does (see docs/backup.md)")
    }
}

/// Reason why the files cannot be compared. Alphabetical.
#[derive(Debug)]
pub(crate) enum LookError {
    /// The log cannot be read.
    Log(ReadError),
    /// The database does not answer.
    Unavailable(Unavailable),
}

impl From<ReadError> for LookError {
    fn from(error: ReadError) -> Self {
        Self::Log(error)
    }
}

impl From<Unavailable> for LookError {
    fn from(fault: Unavailable) -> Self {
        Self::Unavailable(fault)
    }
}

/// Looks at which files are there, before any of them is made.
///
/// # Errors
/// When one cannot be read.
pub async fn missing(data: &Path) -> Result<Option<Behind>, LookError> {
    let (truth, keys) = (data.join("countersign.db").exists(), data.join("subject-keys.db").exists());
    let log = data.join(layout::LOG);
    let entries = if log.is_dir() { segments::durable_checkpoint(&log)?.map_or(0, |checkpoint| checkpoint.size) } else { 0 };
    if !truth && (keys || entries > 0) {
        return Ok(Some(Behind::DatabaseMissing));
    }
    // A first start that was killed may have made the database and not yet the keys; nothing was noted or recorded by then.
    if truth && !keys && (entries > 0 || sqlite::peek(data).await?.is_some()) {
        return Ok(Some(Behind::KeysMissing));
    }
    Ok(None)
}

/// Knowledge that database, keys and log have of each other.
#[derive(Debug, Default)]
pub(crate) struct Knowledge {
    /// The database, of itself and the log.
    pub truth: Option<Continuity>,
    /// The keys, of the database.
    pub keys: Option<KeysContinuity>,
    /// The log, of the database.
    pub seen: Option<DatabaseSeen>,
    /// The log, of itself: its entries.
    pub log_size: u64,
    /// True when the first entries of the log, as many as the database knows, are those that it knows.
    pub same_beginning: bool,
    /// True when the log is signed by the key in the database, and for a log without entries.
    pub ours: bool,
}

impl Knowledge {
    /// Asks all three.
    ///
    /// # Errors
    /// When one cannot be read.
    pub(crate) async fn gather(data: &Path, database: &Sqlite, key: &CheckpointVerifier) -> Result<Self, LookError> {
        let (truth, keys) = (database.continuity().await?, database.keys_continuity().await?);
        let log = data.join(layout::LOG);
        if !log.is_dir() {
            return Ok(Self { truth, keys, ours: true, same_beginning: true, ..Self::default() });
        }
        let same_beginning = match &truth {
            Some(known) if known.log_size > 0 => segments::root_at(&log, known.log_size)? == Some(known.log_root),
            Some(_) | None => true,
        };
        Ok(Self {
            truth,
            keys,
            seen: segments::database_seen(&log)?,
            log_size: segments::durable_checkpoint(&log)?.map_or(0, |checkpoint| checkpoint.size),
            same_beginning,
            ours: segments::is_signed_by(&log, key)?.unwrap_or(true),
        })
    }

    /// Highest number that any of the three knows.
    #[must_use]
    pub fn number(&self) -> u64 {
        let numbers = [self.truth.as_ref().map(|known| known.number), self.keys.as_ref().map(|known| known.number)];
        numbers.into_iter().chain([self.seen.as_ref().map(|seen| seen.number)]).flatten().max().unwrap_or(0)
    }

    /// Judges what is behind what.
    #[must_use]
    pub fn judge(&self) -> Vec<Behind> {
        let mut found = Vec::new();
        let (number, log_size) = self.truth.as_ref().map_or((0, 0), |known| (known.number, known.log_size));
        let id = self.truth.as_ref().map(|known| known.database.as_str());
        let log_is_foreign = !self.ours || self.seen.as_ref().is_some_and(|seen| id.is_some_and(|id| id != seen.id));
        let keys_are_foreign = self.keys.as_ref().is_some_and(|keys| id.is_some_and(|id| id != keys.database));
        let by_log = self.seen.as_ref().filter(|_| !log_is_foreign).map_or(0, |seen| seen.number);
        // The keys note a number first, so that a crash may leave the database one behind them.
        let by_keys = self.keys.as_ref().filter(|_| !keys_are_foreign).map_or(0, |keys| keys.number.saturating_sub(1));
        if by_log > number || by_keys > number {
            found.push(Behind::DatabaseOlder { number, known: by_log.max(by_keys), log_size });
        }
        if self.truth.as_ref().is_some_and(|known| known.backup) {
            found.push(Behind::Backup { log_size });
        }
        if keys_are_foreign {
            found.push(Behind::KeysForeign);
        } else if self.keys.as_ref().map_or(0, |keys| keys.number) < number {
            found.push(Behind::KeysOlder);
        }
        if log_is_foreign {
            found.push(Behind::LogForeign);
        } else if self.log_size == 0 && log_size > 0 {
            found.push(Behind::LogMissing { known: log_size });
        } else if self.log_size < log_size {
            found.push(Behind::LogShorter { size: self.log_size, known: log_size });
        } else if !self.same_beginning {
            found.push(Behind::LogOther { known: log_size });
        }
        found
    }
}

/// A name for a database that has none.
pub(crate) fn new_name(entropy: &dyn Entropy) -> String {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes);
    hex::encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_audit::Hash;

    fn all() -> Knowledge {
        Knowledge {
            truth: Some(Continuity { database: "a".to_owned(), number: 7, log_size: 100, log_root: Hash([1; 32]), backup: false }),
            keys: Some(KeysContinuity { database: "a".to_owned(), number: 7 }),
            seen: Some(DatabaseSeen { id: "a".to_owned(), number: 7 }),
            log_size: 101,
            same_beginning: true,
            ours: true,
        }
    }

    fn seen(id: &str, number: u64) -> Option<DatabaseSeen> {
        Some(DatabaseSeen { id: id.to_owned(), number })
    }

    fn keys(database: &str, number: u64) -> Option<KeysContinuity> {
        Some(KeysContinuity { database: database.to_owned(), number })
    }

    type Row = (&'static str, fn(&mut Knowledge), &'static [&'static str]);

    #[test]
    fn what_is_behind_is_told_and_a_crash_is_not() {
        let rows: &[Row] = &[
            ("all of one time", |_| {}, &[]),
            ("a new data directory", |it| *it = Knowledge { ours: true, same_beginning: true, ..Knowledge::default() }, &[]),
            ("killed before the log was told of the note", |it| it.seen = seen("a", 6), &[]),
            ("killed before the database noted what the keys did", |it| it.keys = keys("a", 8), &[]),
            ("killed long after the last note", |it| it.log_size = 9_000, &[]),
            ("killed at the first note", |it| (it.truth, it.seen, it.keys) = (None, None, keys("a", 1)), &[]),
            ("killed before the first note", |it| (it.truth, it.seen, it.keys, it.log_size) = (None, None, None, 1), &[]),
            ("from before there were notes", |it| (it.truth, it.seen, it.keys) = (None, None, None), &[]),
            ("an older database", |it| (it.seen, it.keys) = (seen("a", 9), keys("a", 9)), &["database-older"]),
            (
                "an older database, and no log",
                |it| (it.seen, it.keys, it.log_size) = (None, keys("a", 9), 0),
                &["database-older", "log-missing"],
            ),
            ("a database from before there were notes", |it| it.truth = None, &["database-older"]),
            ("older database and keys", |it| it.seen = seen("a", 8), &["database-older"]),
            ("a backup", |it| it.truth.iter_mut().for_each(|known| known.backup = true), &["backup"]),
            ("older keys", |it| it.keys = keys("a", 6), &["keys-older"]),
            ("keys from before there were notes", |it| it.keys = None, &["keys-older"]),
            ("another node's keys", |it| it.keys = keys("b", 7), &["keys-foreign"]),
            ("another node's log", |it| it.ours = false, &["log-foreign"]),
            ("a log that speaks of another database", |it| it.seen = seen("b", 900), &["log-foreign"]),
            ("no log", |it| (it.log_size, it.seen) = (0, None), &["log-missing"]),
            ("a log that was cut", |it| it.log_size = 99, &["log-shorter"]),
            ("a log of which only the note is gone", |it| (it.log_size, it.seen) = (100, seen("a", 6)), &[]),
            ("a log with other entries", |it| it.same_beginning = false, &["log-other"]),
        ];
        for (name, change, expected) in rows {
            let mut knowledge = all();
            change(&mut knowledge);
            assert_eq!(knowledge.judge().iter().map(Behind::word).collect::<Vec<_>>(), *expected, "{name}");
        }
    }
}
