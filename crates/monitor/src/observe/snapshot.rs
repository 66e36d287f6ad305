//! Snapshots of what was learned, for a restart. A file that differs in any byte from what was written is not used at all.

use std::{
    fmt,
    io::{self, Write},
    sync::PoisonError,
};

use aws_lc_rs::digest::{Context, SHA256, SHA256_OUTPUT_LEN, digest};

use crate::observe::live::LiveObserver;

/// First bytes of the file, with the version of the format.
const TITLE: &[u8] = b"countersign-watch 1\n";

/// Reason why a snapshot is not used. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotFault {
    /// The content is not what this version writes, or was written with another salt.
    Content,
    /// The file was changed or cut short, or is another kind of file.
    Damaged,
}

impl fmt::Display for SnapshotFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Content => "the saved state was written by another version or installation",
            Self::Damaged => "the saved state is damaged",
        })
    }
}

impl std::error::Error for SnapshotFault {}

/// Number of people whose logins are serialised at a time while other logins wait: about 100 microseconds.
const WRITTEN_AT_ONCE: usize = 32;

/// Kind of a part of the file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Everybody,
    Habits,
    Login,
}

impl Part {
    const fn tag(self) -> u8 {
        match self {
            Self::Everybody => 1,
            Self::Habits => 2,
            Self::Login => 3,
        }
    }

    fn of(tag: u8) -> Option<Self> {
        [Self::Everybody, Self::Habits, Self::Login].into_iter().find(|part| part.tag() == tag)
    }
}

/// Writer that adds up a checksum of everything written.
struct Summed<'a> {
    out: &'a mut dyn Write,
    sum: Context,
}

impl Summed<'_> {
    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sum.update(bytes);
        self.out.write_all(bytes)
    }

    fn part(&mut self, part: Part, key: u64, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(|_| io::Error::other("a part is larger than four gigabytes"))?;
        self.bytes(&[part.tag()])?;
        self.bytes(&key.to_le_bytes())?;
        self.bytes(&length.to_le_bytes())?;
        self.bytes(bytes)
    }
}

impl LiveObserver {
    /// Writes what was learned. Requests and logins continue meanwhile: no lock is held for more than a few people.
    ///
    /// # Errors
    /// The error of `out`.
    pub fn write_snapshot(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut out = Summed { out, sum: Context::new(&SHA256) };
        out.bytes(TITLE)?;
        out.part(Part::Everybody, 0, &self.requests.everybody())?;
        self.requests.each(|person, bytes| out.part(Part::Habits, person, &bytes))?;
        self.write_logins(&mut out)?;
        let sum = out.sum.finish();
        out.out.write_all(sum.as_ref())
    }

    fn write_logins(&self, out: &mut Summed<'_>) -> io::Result<()> {
        let logins = || self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, people) = logins().first_frame();
        out.part(Part::Login, 0, &first)?;
        let mut written: usize = 0;
        for people in people.chunks(WRITTEN_AT_ONCE) {
            let frames = logins().person_frames(people);
            frames.iter().try_for_each(|frame| out.part(Part::Login, 0, frame))?;
            written = written.saturating_add(frames.len());
        }
        let last = logins().last_frame(written);
        out.part(Part::Login, 0, &last)
    }

    /// Merges what was learned before a restart, or on another node with the same salt, into what is held. Merging the same snapshot twice
    /// changes nothing.
    ///
    /// # Errors
    /// A fault when `bytes` are not exactly what was written. Nothing of them is used then.
    pub fn restore(&self, bytes: &[u8]) -> Result<(), SnapshotFault> {
        let (body, sum) = bytes.split_last_chunk::<SHA256_OUTPUT_LEN>().ok_or(SnapshotFault::Damaged)?;
        // Checked before parsing: the sum covers everything, so one wrong byte refuses the whole file.
        if digest(&SHA256, body).as_ref() != sum {
            return Err(SnapshotFault::Damaged);
        }
        let mut rest = body.strip_prefix(TITLE).ok_or(SnapshotFault::Content)?;
        let (mut everybody, mut people, mut frames) = (None, Vec::new(), Vec::new());
        while let Some((part, key, content, after)) = next(rest).map_err(|()| SnapshotFault::Content)? {
            match part {
                Part::Everybody => everybody = Some(content),
                Part::Habits => people.push((key, content)),
                Part::Login => frames.push(content),
            }
            rest = after;
        }
        let everybody = everybody.ok_or(SnapshotFault::Content)?;
        // Held over both merges, so that no login is judged between them.
        let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        let monitor = logins.read(self.config.salt, self.config.people_max, frames).map_err(|_| SnapshotFault::Content)?;
        self.requests.restore(everybody, &people).map_err(|_| SnapshotFault::Content)?;
        logins.join(monitor);
        Ok(())
    }
}

type Next<'a> = Option<(Part, u64, &'a [u8], &'a [u8])>;

fn next(bytes: &[u8]) -> Result<Next<'_>, ()> {
    let Some((tag, rest)) = bytes.split_first() else { return Ok(None) };
    let (key, rest) = rest.split_first_chunk::<8>().ok_or(())?;
    let (length, rest) = rest.split_first_chunk::<4>().ok_or(())?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| ())?;
    let (content, rest) = rest.split_at_checked(length).ok_or(())?;
    Ok(Some((Part::of(*tag).ok_or(())?, u64::from_le_bytes(*key), content, rest)))
}
