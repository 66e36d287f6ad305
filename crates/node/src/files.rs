//! Files: directories that this user alone may read, and texts as people write them.

use std::{
    fs::{self, DirBuilder, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, FileTypeExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use tokio::net::UnixListener;

/// Character with which some editors begin a text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Takes care that whatever this process makes from here on is for its user alone, unless it says otherwise (umask 077).
pub fn keep_private() {
    let _ = rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}

/// Makes a directory below the data directory, for this user alone.
///
/// # Errors
/// The system's word.
pub fn private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Reads a text that an operator wrote. A byte order mark before it, as some editors write one, is not part of it.
///
/// # Errors
/// The system's word, also when it is not UTF-8.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    let mut text = fs::read_to_string(path)?;
    if text.starts_with(BYTE_ORDER_MARK) {
        text.drain(..BYTE_ORDER_MARK.len_utf8());
    }
    Ok(text)
}

/// Writes a file that only this user reads, whole or not at all.
///
/// # Errors
/// The system's word.
pub fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let _ = fs::remove_file(&beside);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

/// Binds a socket that nobody can open before it has its mode: it is made in a directory of this user's alone, and moved from there
/// to its place. A socket that was left there is replaced; any other file is an error.
///
/// # Errors
/// The system's word.
pub(crate) fn bind_socket(path: &Path, mode: u32) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file that is no socket"));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let made = socket_made_at(path);
    let made = made.as_path();
    let hidden = made.parent().ok_or(io::ErrorKind::InvalidInput)?;
    // Left behind by a process that was killed; where anything else is in the way, the directory cannot be made.
    let _ = fs::remove_file(made);
    let _ = fs::remove_dir(hidden);
    DirBuilder::new().mode(0o700).create(hidden)?;
    let listener = UnixListener::bind(made)?;
    fs::set_permissions(made, Permissions::from_mode(mode))?;
    fs::rename(made, path)?;
    fs::remove_dir(hidden)?;
    Ok(listener)
}

/// Where a socket is made before it is moved to its place; its path is the longest that the system has to take.
#[must_use]
pub(crate) fn socket_made_at(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.new")).join("s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_not_part_of_a_text() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("text");
        let rows: &[(&[u8], Option<&str>)] = &[
            (b"\xef\xbb\xbfa = 1", Some("a = 1")),
            (b"a = 1", Some("a = 1")),
            (b"\xef\xbb\xbf", Some("")),
            // Only one is a mark; in the middle it is a character.
            (b"\xef\xbb\xbf\xef\xbb\xbfa", Some("\u{feff}a")),
            (b"a\xef\xbb\xbf", Some("a\u{feff}")),
            (b"\xff\xfea\x00", None),
        ];
        for (bytes, expected) in rows {
            fs::write(&path, bytes).expect("written");
            assert_eq!(read_text(&path).ok().as_deref(), *expected, "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn a_socket_has_its_mode_and_takes_the_place_of_one_that_was_left() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("auth.sock");
        for mode in [0o600, 0o660] {
            let listener = bind_socket(&path, mode).expect("bound");
            assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, mode);
            drop(listener);
        }
        assert_eq!(fs::read_dir(home.path()).expect("a directory").count(), 1, "nothing else is left");
        let file = home.path().join("notes");
        fs::write(&file, "x").expect("written");
        assert!(bind_socket(&file, 0o600).is_err(), "a file is not replaced");
        assert_eq!(fs::read_to_string(&file).expect("a file"), "x");
    }
}
