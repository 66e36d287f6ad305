//! Room on the disk of the log: how much is left, and a reserve that is given up when there is none.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use countersign_core::Limits;
use rustix::fs::{FallocateFlags, fallocate, statvfs};

/// Name of the reserve in the log's directory.
const RESERVE: &str = "reserve";

/// Room on the disk of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes that are free, with those of the reserve.
    pub free: u64,
    /// Bytes without which a node takes nothing new: it could not write down much more.
    pub needed: u64,
}

/// Looks how much room is left.
///
/// # Errors
/// When the system does not say.
pub fn room(directory: &Path) -> io::Result<Room> {
    let disk = statvfs(directory)?;
    let reserve = fs::metadata(directory.join(RESERVE)).map_or(0, |file| file.len());
    let free = disk.f_bavail.saturating_mul(disk.f_frsize).saturating_add(reserve);
    Ok(Room { free, needed: reserve_bytes(disk.f_blocks.saturating_mul(disk.f_frsize)).saturating_mul(2) })
}

/// Sets the reserve aside, unless it is there or the disk is nearly full. Whoever has none goes on without: it only gives time.
pub fn keep_reserve(directory: &Path) {
    let path = directory.join(RESERVE);
    let Ok(Room { free, needed }) = room(directory) else { return };
    if path.exists() || free < needed.saturating_mul(2) {
        return;
    }
    if File::create(&path).and_then(|file| Ok(fallocate(&file, FallocateFlags::empty(), 0, needed / 2)?)).is_err() {
        // Half a reserve would be counted as a whole one.
        let _ = fs::remove_file(&path);
    }
}

/// Answer to whether there was a reserve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reserve {
    /// It is given up now.
    GivenUp,
    /// There was no reserve.
    None,
}

/// Gives the reserve up.
pub(crate) fn give_up_reserve(directory: &Path) -> Reserve {
    match fs::remove_file(directory.join(RESERVE)) {
        Ok(()) => Reserve::GivenUp,
        Err(_) => Reserve::None,
    }
}

/// A small part of the disk.
fn reserve_bytes(disk: u64) -> u64 {
    (disk / 256).clamp(Limits::LOG_RESERVE_BYTES_MIN, Limits::LOG_RESERVE_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_a_small_part_of_the_disk() {
        let rows = [(1 << 20, 64 << 10), (64 << 20, 256 << 10), (1 << 30, 4 << 20), (1 << 40, 16 << 20)];
        for (disk, expected) in rows {
            assert_eq!(reserve_bytes(disk), expected);
        }
    }

    #[test]
    fn a_reserve_takes_room_and_gives_it_back() {
        let home = tempfile::tempdir().expect("a directory");
        keep_reserve(home.path());
        let kept = fs::metadata(home.path().join(RESERVE)).expect("a reserve").len();
        let Room { free, needed } = room(home.path()).expect("room");
        assert!(kept * 2 == needed && free > needed, "{kept} {free} {needed}");
        keep_reserve(home.path());
        assert_eq!(give_up_reserve(home.path()), Reserve::GivenUp);
        assert_eq!(give_up_reserve(home.path()), Reserve::None);
    }
}
