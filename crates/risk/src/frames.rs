//! States that survive a restart: framed, versioned, with a checksum on every frame and a count at the end.
//!
//! A snapshot is a list of frames: one of the population, one per person, one that counts them. Frames are independent, so that a
//! million people are written one by one. Bytes that fail any check are refused as a whole: a state is rebuilt rather than
//! trusted. The checksum finds damage, not forgery: whoever can write the file can write a state, so the file needs the
//! protection of the machine it is on.

pub use crate::bytes::FrameRefusal;

use crate::{
    bytes::{Reader, Writer},
    fingerprint::{Field, Salt},
    population::Population,
    profile::Profile,
    state::{read_population, read_profile, write_population, write_profile},
};

/// What every frame begins with: "CSRL".
const MAGIC: u32 = 0x4c52_5343;
/// The version that is written, and the only one that is read.
pub const VERSION: u16 = 1;

/// One frame's content.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// How many frames of people came before.
    End {
        /// So many.
        people: u64,
    },
    /// One person, by the salted key of the name.
    Person {
        /// The key.
        key: u64,
        /// The state.
        profile: Box<Profile>,
    },
    /// Everyone together.
    Population {
        /// The state.
        population: Box<Population>,
    },
}

/// The frame as bytes. `salt` is named in it by a fingerprint, not written into it.
#[must_use]
pub fn write(frame: &Frame, salt: Salt) -> Vec<u8> {
    let mut out = Writer::default();
    out.u32(MAGIC);
    out.u16(VERSION);
    out.u64(salt.long(Field::Subject, b"snapshot"));
    match frame {
        Frame::End { people } => {
            out.u8(0);
            out.u64(*people);
        }
        Frame::Person { key, profile } => {
            out.u8(1);
            out.u64(*key);
            write_profile(profile, &mut out);
        }
        Frame::Population { population } => {
            out.u8(2);
            write_population(population, &mut out);
        }
    }
    let mut bytes = out.finish();
    let sum = checksum(&bytes);
    bytes.extend(sum.to_le_bytes());
    bytes
}

/// The frame that `bytes` are.
///
/// # Errors
/// The first thing that is wrong; the checksum is looked at before anything that it covers.
pub fn read(bytes: &[u8], salt: Salt) -> Result<Frame, FrameRefusal> {
    let (body, sum) = bytes.split_last_chunk::<8>().ok_or(FrameRefusal::LengthMismatch)?;
    if u64::from_le_bytes(*sum) != checksum(body) {
        return Err(FrameRefusal::ChecksumMismatch);
    }
    let mut from = Reader::new(body);
    if from.u32()? != MAGIC || from.u16()? != VERSION {
        return Err(FrameRefusal::VersionUnknown);
    }
    if from.u64()? != salt.long(Field::Subject, b"snapshot") {
        return Err(FrameRefusal::SaltMismatch);
    }
    let frame = match from.u8()? {
        0 => Frame::End { people: from.u64()? },
        1 => Frame::Person { key: from.u64()?, profile: Box::new(read_profile(&mut from)?) },
        2 => Frame::Population { population: Box::new(read_population(&mut from)?) },
        _ => return Err(FrameRefusal::FrameUnexpected),
    };
    from.finish()?;
    Ok(frame)
}

/// The states that `frames` hold, in the order in which they were written.
///
/// # Errors
/// When any frame is refused, the first is not the population's, or the last does not count the others.
pub fn read_all<'a>(frames: impl IntoIterator<Item = &'a [u8]>, salt: Salt) -> Result<(Population, Vec<(u64, Profile)>), FrameRefusal> {
    let mut frames = frames.into_iter();
    let first = frames.next().ok_or(FrameRefusal::EndMissing)?;
    let Frame::Population { population } = read(first, salt)? else { return Err(FrameRefusal::FrameUnexpected) };
    let mut people = Vec::new();
    while let Some(frame) = frames.next() {
        match read(frame, salt)? {
            Frame::Person { key, profile } => people.push((key, *profile)),
            Frame::Population { .. } => return Err(FrameRefusal::FrameUnexpected),
            Frame::End { people: counted } if u64::try_from(people.len()) == Ok(counted) => {
                return if frames.next().is_none() { Ok((*population, people)) } else { Err(FrameRefusal::FrameUnexpected) };
            }
            Frame::End { .. } => return Err(FrameRefusal::EndMissing),
        }
    }
    Err(FrameRefusal::EndMissing)
}

/// FNV-1a over the bytes and mixed: any single changed byte changes it.
fn checksum(bytes: &[u8]) -> u64 {
    Salt(u64::from(VERSION)).long(Field::Subject, bytes)
}
