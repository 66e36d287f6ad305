//! Snapshots of login states over a restart: versioned frames, each with a checksum, and a count at the end.
//!
//! A snapshot is a list of frames: one of the population, one per person, one that counts them. Frames are independent, so that a million
//! people are written one by one. A snapshot that fails any check is refused as a whole: the state is rebuilt rather than trusted in part.
//!
//! The checksum finds damage, not forgery. Whoever can write the file can write a state, so the file needs the protection of the machine
//! that holds it.

pub use crate::bytes::FrameRefusal;

use crate::{
    bytes::{Reader, Writer},
    fingerprint::{Field, Salt},
    population::Population,
    profile::Profile,
    state::{read_population, read_profile, write_population, write_profile},
};

/// Magic number at the beginning of every frame: the letters "CSRL".
const MAGIC: u32 = 0x4c52_5343;
/// Version of the format that is written, and the only one that is read.
pub(crate) const VERSION: u16 = 1;

/// Content of one frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// The end of a snapshot, with the number of people before it. A snapshot without this frame was cut off.
    End {
        /// Number of frames of people in the snapshot.
        people: u64,
    },
    /// The state of one person.
    Person {
        /// Salted hash of the person's name ([`crate::fingerprint::Salt::long`]); the name itself is not stored.
        key: u64,
        /// The state of the person.
        profile: Box<Profile>,
    },
    /// The state of everyone together; the first frame of a snapshot.
    Population {
        /// The state of the population.
        population: Box<Population>,
    },
}

/// Serialises a frame. The salt is identified in it by a fingerprint and not written into it.
#[must_use]
pub fn write(frame: &Frame, salt: Salt) -> Vec<u8> {
    let mut out = Writer::default();
    out.u32(MAGIC);
    out.u16(VERSION);
    // Recognises a file that another installation wrote.
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

/// Parses one frame of a snapshot.
///
/// # Errors
/// The first check that fails. The checksum is checked before anything that it covers, so that damaged bytes are never interpreted.
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

/// Parses all frames of a snapshot and gives the states in the order in which they were written.
///
/// # Errors
/// A refusal when any frame is refused, when the first frame is not the population's, or when the last does not count the people before it.
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

/// FNV-1a over the bytes, then mixed: a change of any single byte changes the result.
fn checksum(bytes: &[u8]) -> u64 {
    Salt(u64::from(VERSION)).long(Field::Subject, bytes)
}
