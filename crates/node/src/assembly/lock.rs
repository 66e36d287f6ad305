//! One process per data directory: what is kept in memory is the truth only as long as nobody else writes.

use std::{
    fmt,
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// The name of the locked file.
const NAME: &str = "lock";

/// Why the data directory is not ours. Alphabetical.
#[derive(Debug)]
pub enum LockError {
    /// Another process has it.
    Held {
        /// The directory.
        data: PathBuf,
        /// What that process wrote down as its number.
        by: String,
    },
    /// The directory or the file cannot be used.
    Io {
        /// Which.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { data, by } => {
                write!(f, "`{}` is in use by process {by}; stop that process, or use another `data` directory", data.display())
            }
            Self::Io { path, source } => {
                write!(f, "`{}` cannot be used ({source}); check that this user may write to it", path.display())
            }
        }
    }
}

impl std::error::Error for LockError {}

/// A data directory that is ours until this is dropped, or the process ends in whatever way.
#[derive(Debug)]
#[must_use]
pub struct DataLock {
    _file: File,
}

impl DataLock {
    /// Makes `data` if it is not there, for this user alone, and takes it.
    ///
    /// # Errors
    /// When another process has it, or it cannot be used.
    pub fn take(data: &Path) -> Result<Self, LockError> {
        DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(|source| LockError::Io { path: data.to_owned(), source })?;
        let path = data.join(NAME);
        let failed = |source| LockError::Io { path: path.clone(), source };
        // The file stays when the lock goes: removing it would let two processes lock two files of one name.
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut by = String::new();
                let _ = Read::take(&mut file, 32).read_to_string(&mut by);
                let by = if by.trim().is_empty() { "(unknown)".to_owned() } else { by.trim().to_owned() };
                return Err(LockError::Held { data: data.to_owned(), by });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_owner() {
        let home = tempfile::tempdir().expect("a directory");
        let data = home.path().join("data");
        let first = DataLock::take(&data).expect("free");
        let refused = DataLock::take(&data).expect_err("taken").to_string();
        assert!(refused.contains(&format!("in use by process {}", std::process::id())), "{refused}");
        drop(first);
        let _again = DataLock::take(&data).expect("free again");
    }
}
