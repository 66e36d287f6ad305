//! Where fetched versions stand: `feeds/NAME/VERSION`, the held one and the one before it, and `state.json`, which names them.
//!
//! A version is written before the state names it, and the state is replaced by renaming, so that a crash leaves the old state
//! or the new one.

use std::{
    fs,
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
};

use countersign_compliance::FeedKind;
use countersign_core::{Limits, UnixSeconds};
use serde::{Deserialize, Serialize};

/// Directory of all feeds, below the data directory.
const DIRECTORY: &str = "feeds";

/// File that names the versions.
const STATE: &str = "state.json";

/// Versions that are kept.
const KEPT: usize = 2;

/// Version of a feed, with the facts about its fetching.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Name of the version's file.
    pub name: String,
    /// SHA-256 of the version's bytes.
    pub digest: [u8; 32],
    /// Instant at which the version was taken.
    pub taken_at: UnixSeconds,
    /// Instant at which the source last confirmed that the version is the newest.
    pub confirmed_at: UnixSeconds,
    /// Instant of the last change, as the source states it; `None` when it states none.
    pub issued_at: Option<UnixSeconds>,
    /// Entity tag by which the source recognises the version (RFC 9110 section 8.8.3).
    pub etag: Option<String>,
}

/// Content of the state file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Versions: the held one first, then the one before it.
    pub versions: Vec<Version>,
    /// SHA-256 of the versions that an operator rolled back, the last one first.
    pub rolled_back: Vec<[u8; 32]>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct WireState {
    versions: Vec<WireVersion>,
    rolled_back: Vec<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct WireVersion {
    name: String,
    sha256: String,
    taken_at: u64,
    confirmed_at: u64,
    issued_at: Option<u64>,
    etag: Option<String>,
}

/// Directory of one feed.
#[derive(Clone, Debug)]
pub(crate) struct FeedCache {
    directory: PathBuf,
    kind: FeedKind,
}

impl FeedCache {
    /// Returns the directory of a feed, which need not exist yet.
    #[must_use]
    pub fn of(data: &Path, kind: FeedKind) -> Self {
        Self { directory: data.join(DIRECTORY).join(kind.as_str()), kind }
    }

    /// Reads the state. A state that cannot be read counts as empty: the shipped data is used, and the next look fetches anew.
    #[must_use]
    pub fn state(&self) -> State {
        let bytes = match read(&self.directory.join(STATE), Limits::FEED_STATE_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(why) if why.kind() == io::ErrorKind::NotFound => return State::default(),
            Err(why) => return self.broken(&why.to_string()),
        };
        match serde_json::from_slice::<WireState>(&bytes) {
            Ok(wire) => understood(wire).unwrap_or_else(|| self.broken("it does not list versions of this node")),
            Err(why) => self.broken(&why.to_string()),
        }
    }

    fn broken(&self, why: &str) -> State {
        tracing::warn!(feed = self.kind.as_str(), why, "the stored state of the feed is damaged; the built-in version is used");
        State::default()
    }

    /// Reads the bytes of a version.
    ///
    /// # Errors
    /// The system's word.
    pub fn read(&self, version: &Version, bytes_max: usize) -> Result<Vec<u8>, String> {
        read(&self.directory.join(&version.name), bytes_max).map_err(|why| why.to_string())
    }

    /// Writes the file of a version, which no state names yet.
    ///
    /// # Errors
    /// The system's word.
    pub fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.directory)?;
        replace(&self.directory.join(name), bytes)
    }

    /// Replaces the state.
    ///
    /// # Errors
    /// The error of the operating system; the earlier state stays.
    pub fn set(&self, state: &State) -> io::Result<()> {
        let versions = state.versions.iter().take(KEPT).map(wire).collect();
        let wire =
            WireState { versions, rolled_back: state.rolled_back.iter().take(Limits::FEED_ROLLED_BACK_MAX).map(hex::encode).collect() };
        fs::create_dir_all(&self.directory)?;
        replace(&self.directory.join(STATE), serde_json::to_string_pretty(&wire)?.as_bytes())
    }

    /// Removes the files that the state does not name.
    pub(crate) fn tidy(&self, state: &State) {
        for entry in fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let named = state.versions.iter().take(KEPT).any(|version| name == version.name.as_str());
            if !named && name != STATE {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

fn wire(version: &Version) -> WireVersion {
    WireVersion {
        name: version.name.clone(),
        sha256: hex::encode(version.digest),
        taken_at: version.taken_at.0,
        confirmed_at: version.confirmed_at.0,
        issued_at: version.issued_at.map(|at| at.0),
        etag: version.etag.clone(),
    }
}

fn understood(wire: WireState) -> Option<State> {
    let digest = |text: &str| hex::decode(text).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let mut versions = Vec::new();
    for version in wire.versions {
        // Names are made here: letters, digits and hyphens, so that none leads out of the directory.
        let ours = !version.name.is_empty() && version.name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        versions.push(Version {
            name: Some(version.name).filter(|_| ours)?,
            digest: digest(&version.sha256)?,
            taken_at: UnixSeconds(version.taken_at),
            confirmed_at: UnixSeconds(version.confirmed_at),
            issued_at: version.issued_at.map(UnixSeconds),
            etag: version.etag,
        });
    }
    let rolled_back = wire.rolled_back.iter().map(|text| digest(text)).collect::<Option<_>>()?;
    Some(State { versions, rolled_back })
}

fn read(file: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    fs::File::open(file)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > bytes_max { Err(io::Error::other("it is larger than the limit")) } else { Ok(bytes) }
}

/// Writes a file whole or not at all.
fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = file.with_extension("new");
    let mut out = fs::File::create(&new)?;
    out.write_all(bytes)?;
    out.sync_all()?;
    fs::rename(&new, file)?;
    match file.parent() {
        Some(directory) => fs::File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(name: &str) -> Version {
        let (digest, now) = ([7; 32], UnixSeconds(1_000));
        Version { name: name.to_owned(), digest, taken_at: now, confirmed_at: now, issued_at: None, etag: Some("\"a\"".to_owned()) }
    }

    #[test]
    fn a_state_is_read_back_and_strays_are_removed() {
        let home = tempfile::tempdir().expect("a directory");
        let cache = FeedCache::of(home.path(), FeedKind::StatusList);
        assert_eq!(cache.state(), State::default(), "nothing yet");
        for name in ["1-a", "2-b", "3-c"] {
            cache.write(name, b"x").expect("written");
        }
        let state = State { versions: vec![version("3-c"), version("2-b")], rolled_back: vec![[9; 32]] };
        cache.set(&state).expect("set");
        cache.tidy(&state);
        assert_eq!(cache.state(), state);
        let left = fs::read_dir(home.path().join("feeds/status_list")).expect("a directory").count();
        assert_eq!(left, 3, "two versions and the state");
        assert_eq!(cache.read(&version("3-c"), 1).as_deref(), Ok(&b"x"[..]));
        assert!(cache.read(&version("3-c"), 0).is_err(), "a byte too many");
    }

    #[test]
    fn a_state_that_is_not_ours_is_none() {
        let home = tempfile::tempdir().expect("a directory");
        let cache = FeedCache::of(home.path(), FeedKind::BootKeys);
        let one = |name: &str, digest: &str| {
            format!(r#"{{"versions":[{{"name":"{name}","sha256":"{digest}","taken_at":1,"confirmed_at":1}}],"rolled_back":[]}}"#)
        };
        let whole = "07".repeat(32);
        cache.write("state.json", one("1-a", &whole).as_bytes()).expect("written");
        assert_eq!(cache.state().versions.len(), 1);
        for text in [
            String::new(),
            "[]".to_owned(),
            one("../../key", &whole),
            one("", &whole),
            one("1-a", "07"),
            one("1-a", &whole).replace("[]", "[\"x\"]"),
            " ".repeat(Limits::FEED_STATE_BYTES_MAX + 1),
        ] {
            cache.write("state.json", text.as_bytes()).expect("written");
            assert_eq!(cache.state(), State::default(), "{text}");
        }
    }
}
