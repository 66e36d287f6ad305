//! Every set of rules that was in use, each in a file named by its digest, so that what decided once can decide again.

use std::{
    fmt,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use countersign_audit::RulesDigest;
use countersign_policy::{RuleSet, RuleSetRefusal};

use crate::{files, layout};

/// Bytes of a set of rules that is read: the largest configuration with policies of four megabytes a file.
const BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Why a set of rules cannot be had. Alphabetical.
#[derive(Debug)]
pub enum ArchiveError {
    /// The file's content is not what its name says.
    Changed(PathBuf),
    /// The file cannot be read.
    Io(PathBuf, io::Error),
    /// This version does not accept it.
    Refused(PathBuf, RuleSetRefusal),
}

impl fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed(path) => write!(f, "`{}` is not the set of rules that its name says; it was changed", path.display()),
            Self::Io(path, source) => write!(f, "`{}` cannot be read: {source}", path.display()),
            Self::Refused(path, why) => write!(f, "`{}`: {why}", path.display()),
        }
    }
}

impl std::error::Error for ArchiveError {}

/// Keeps the text of a set of rules in the data directory. Returns when it would survive a power cut: the log may name the set only
/// after that.
///
/// # Errors
/// The system's word.
pub fn keep(data: &Path, text: &str) -> io::Result<()> {
    let directory = data.join(layout::RULES);
    files::private_directory(&directory)?;
    let path = file(&directory, RulesDigest::of(text));
    // One that is there is this one, unless somebody changed it.
    if fs::read_to_string(&path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    files::write_private(&path, text.as_bytes())?;
    File::open(&directory)?.sync_all()
}

/// The set of rules of this digest.
///
/// # Errors
/// When it is not there or is another one.
pub fn find(data: &Path, digest: RulesDigest) -> Result<RuleSet, ArchiveError> {
    let path = file(&data.join(layout::RULES), digest);
    let length = fs::metadata(&path).map_err(|source| ArchiveError::Io(path.clone(), source))?.len();
    if length > BYTES_MAX {
        return Err(ArchiveError::Changed(path));
    }
    let text = fs::read_to_string(&path).map_err(|source| ArchiveError::Io(path.clone(), source))?;
    if RulesDigest::of(&text) != digest {
        return Err(ArchiveError::Changed(path));
    }
    RuleSet::parse(&text).map_err(|why| ArchiveError::Refused(path, why))
}

fn file(directory: &Path, digest: RulesDigest) -> PathBuf {
    directory.join(format!("rules-{digest}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_found_by_its_digest_and_by_nothing_else() {
        let home = tempfile::tempdir().expect("a directory");
        let text = RuleSet::default().to_text();
        let digest = RulesDigest::of(&text);
        assert!(matches!(find(home.path(), digest), Err(ArchiveError::Io(..))));
        for _ in 0..2 {
            keep(home.path(), &text).expect("written");
            assert_eq!(find(home.path(), digest).ok(), Some(RuleSet::default()));
        }
        let path = file(&home.path().join(layout::RULES), digest);
        fs::write(&path, text.replace("rules 1", "rules 2")).expect("written");
        assert!(matches!(find(home.path(), digest), Err(ArchiveError::Changed(_))));
        keep(home.path(), &text).expect("written over what was changed");
        assert!(find(home.path(), digest).is_ok());
    }
}
