//! File descriptors: as many as the system allows, and never more connections than they suffice for.

use std::{fmt, fs, io};

use countersign_core::Limits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Bounds;

/// Descriptors of two connections: one each, and one to the upstream, since not all of them ask at the same moment.
const PER_TWO_CONNECTIONS: u64 = 3;

/// Descriptors for everything else: databases, log, feeds, mails, the ports of operators and metrics.
const BESIDE: u64 = 256;

/// More connections than there are descriptors for.
#[derive(Debug)]
pub(crate) struct TooFew {
    connections_max: u64,
    allowed: u64,
}

impl fmt::Display for TooFew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connections_max, allowed } = self;
        let suffices = allowed.saturating_sub(BESIDE).saturating_mul(2) / PER_TWO_CONNECTIONS;
        let needed = needed(*connections_max);
        write!(
            f,
            "`limits.connections_max` is {connections_max}, but this process may open {allowed} files, which suffices for {suffices} \
             connections; set `connections_max` to {suffices} at most, or allow {needed} files (`LimitNOFILE={needed}` of systemd, \
             `ulimit -Hn {needed}`)"
        )
    }
}

impl std::error::Error for TooFew {}

/// Raises the soft limit to the hard one: nobody but the administrator gains by a lower one. Done once, before anything is opened.
///
/// # Errors
/// When the system does not allow what it says that it allows.
pub(crate) fn raise() -> io::Result<()> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return Ok(());
    }
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}

/// Refuses more connections than there are descriptors for.
///
/// # Errors
/// [`TooFew`], with the number that would do.
pub(crate) fn suffice(bounds: &Bounds) -> Result<(), TooFew> {
    judge(u64::try_from(bounds.connections_max).unwrap_or(u64::MAX), getrlimit(Resource::Nofile).current)
}

fn judge(connections_max: u64, allowed: Option<u64>) -> Result<(), TooFew> {
    match allowed {
        Some(allowed) if allowed < needed(connections_max) => Err(TooFew { connections_max, allowed }),
        Some(_) | None => Ok(()),
    }
}

const fn needed(connections_max: u64) -> u64 {
    connections_max.saturating_mul(PER_TWO_CONNECTIONS).div_ceil(2).saturating_add(BESIDE)
}

/// Says whether descriptors are left.
///
/// # Errors
/// What is wrong, in words.
pub(crate) fn left() -> Result<(), String> {
    let Some(allowed) = getrlimit(Resource::Nofile).current else { return Ok(()) };
    // To look needs a descriptor itself. Where the system has no such directory, that one can be opened has to do.
    let open = match fs::read_dir("/proc/self/fd") {
        Ok(all) => u64::try_from(all.count()).unwrap_or(u64::MAX),
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => {
            fs::File::open("/dev/null").map(|_| 0).map_err(|fault| fault.to_string())?
        }
        Err(fault) => return Err(fault.to_string()),
    };
    if allowed.saturating_sub(open) < Limits::DESCRIPTORS_LEFT_MIN {
        Err(format!("{open} of {allowed} file descriptors are in use"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_need_descriptors() {
        let rows = [
            (10_000, Some(15_256), true),
            (10_000, Some(15_255), false),
            (10_000, Some(1024), false),
            (10_000, None, true),
            (1, Some(258), true),
            (1, Some(0), false),
            (u64::MAX, Some(1 << 20), false),
        ];
        for (connections, allowed, fits) in rows {
            assert_eq!(judge(connections, allowed).is_ok(), fits, "{connections} {allowed:?}");
        }
        let told = judge(10_000, Some(1024)).expect_err("too many").to_string();
        assert!(told.contains("set `connections_max` to 512 at most, or allow 15256 files"), "{told}");
    }
}
