//! A copy of the data directory while the node goes on: database, keys of people, log and whatever stands beside them.

use std::{
    fmt,
    fs::{self, File, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use countersign_store::{Unavailable, sqlite::Sqlite};

use crate::{assembly::noting::Noting, files, layout};

/// Reason why there is no backup. Alphabetical.
#[derive(Debug)]
pub(crate) enum BackupError {
    /// The directory is there and holds something.
    Exists(PathBuf),
    /// A file cannot be read or written.
    Io(PathBuf, io::Error),
    /// The path is not a whole one, or lies in the data directory.
    Place(PathBuf),
    /// The database cannot be copied.
    Unavailable(Unavailable),
}

impl fmt::Display for BackupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists(path) => write!(f, "`{}` is not empty; give a directory that is not there yet", path.display()),
            Self::Io(path, source) => write!(f, "`{}` cannot be copied: {source}", path.display()),
            Self::Place(path) => write!(f, "`{}` cannot hold a backup; give a whole path outside of the data directory", path.display()),
            Self::Unavailable(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for BackupError {}

/// Copies everything that a node needs from `data` into `directory`, which is made, for this user alone.
///
/// The database is copied first and the log last: the log then holds every entry that the copied database stands on, and what was restricted
/// between the two copies is applied when the backup is restored.
///
/// # Errors
/// When the directory cannot be used or something cannot be copied. What was copied by then is left there, and is no backup.
pub async fn backup(data: &Path, database: &Sqlite, noting: &Noting, directory: &Path) -> Result<(), BackupError> {
    if !directory.is_absolute() || directory.starts_with(data) {
        return Err(BackupError::Place(directory.to_path_buf()));
    }
    let failed = |source| BackupError::Io(directory.to_path_buf(), source);
    files::private_directory(directory).map_err(failed)?;
    fs::set_permissions(directory, Permissions::from_mode(0o700)).map_err(failed)?;
    if fs::read_dir(directory).map_err(failed)?.next().is_some() {
        return Err(BackupError::Exists(directory.to_path_buf()));
    }
    let _paused = noting.pause().await;
    database.copy_to(directory).await.map_err(BackupError::Unavailable)?;
    let (from, to) = (data.to_path_buf(), directory.to_path_buf());
    let copied = tokio::task::spawn_blocking(move || {
        copy_directory(&from, &to, |name| name != layout::LOG)?;
        copy_directory(&from.join(layout::LOG), &to.join(layout::LOG), |_| true)?;
        protect(&to)
    });
    copied.await.map_err(|_| BackupError::Unavailable(Unavailable::new("copying the data directory")))?
}

/// Files that are copied in another way, or mean nothing in a copy.
fn is_left_out(name: &str) -> bool {
    let databases = ["countersign.db", "subject-keys.db"].iter().any(|database| name.starts_with(database));
    databases || name == "lock" || name.ends_with(".sock") || name.ends_with(".new")
}

fn copy_directory(from: &Path, to: &Path, wanted: fn(&str) -> bool) -> Result<(), BackupError> {
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |source| BackupError::Io(path, source)
    };
    files::private_directory(to).map_err(failed(to))?;
    for entry in fs::read_dir(from).map_err(failed(from))? {
        let entry = entry.map_err(failed(from))?;
        let (path, name) = (entry.path(), entry.file_name());
        let (kind, word) = (entry.file_type().map_err(failed(&path))?, name.to_string_lossy());
        if is_left_out(&word) || !wanted(&word) {
            continue;
        }
        if kind.is_dir() {
            copy_directory(&path, &to.join(&name), |_| true)?;
        } else if kind.is_file() {
            fs::copy(&path, to.join(&name)).map_err(failed(&path))?;
        }
    }
    Ok(())
}

/// Makes everything below readable for this user alone, and waits until it would survive a power cut.
fn protect(directory: &Path) -> Result<(), BackupError> {
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |source| BackupError::Io(path, source)
    };
    for entry in fs::read_dir(directory).map_err(failed(directory))? {
        let path = entry.map_err(failed(directory))?.path();
        if path.is_dir() {
            fs::set_permissions(&path, Permissions::from_mode(0o700)).map_err(failed(&path))?;
            protect(&path)?;
        } else {
            fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(failed(&path))?;
            File::open(&path).and_then(|file| file.sync_all()).map_err(failed(&path))?;
        }
    }
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed(directory))
}
