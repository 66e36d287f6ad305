//! The format of the streaming models' snapshots: magic, kind, version, length, payload, checksum.
//!
//! The checksum finds accidents (a torn write, a flipped bit), not forgery: whoever may write the file may also write its checksum.

use std::fmt;

// Another magic than that of the login frames, so that neither is read as the other.
const MAGIC: [u8; 4] = *b"CSRK";
const VERSION: u16 = 1;

/// Model that a snapshot belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Edges,
    History,
    Population,
    Stream,
    Use,
}

impl Kind {
    const fn code(self) -> u8 {
        match self {
            Self::Edges => 1,
            Self::History => 2,
            Self::Population => 3,
            Self::Stream => 4,
            Self::Use => 5,
        }
    }
}

/// Reason why bytes are not a state of this model. The caller then starts from an empty state; nothing is guessed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SnapshotRefusal {
    /// The checksum does not fit the bytes: they were damaged or changed.
    Checksum,
    /// The snapshot is too short, or something follows it.
    Length,
    /// The bytes are not a snapshot of this model.
    Magic,
    /// The checksum is right, but a value is one that the model never holds.
    Value,
    /// The snapshot was written by another version of the format.
    Version,
}

impl fmt::Display for SnapshotRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Checksum => "the snapshot was damaged; start from an empty state",
            Self::Length => "the snapshot was cut off or has something behind it; start from an empty state",
            Self::Magic => "not a snapshot of this model",
            Self::Value => "the snapshot holds a value that this model never writes; start from an empty state",
            Self::Version => "the snapshot was written by another version; start from an empty state",
        })
    }
}

impl std::error::Error for SnapshotRefusal {}

/// Buffer to which a payload is written, little-endian.
#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn u16(&mut self, value: u16) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }
    pub(crate) fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }
    pub(crate) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }
    pub(crate) fn f32(&mut self, value: f32) {
        self.u32(value.to_bits());
    }
    pub(crate) fn f64(&mut self, value: f64) {
        self.u64(value.to_bits());
    }
    pub(crate) fn len(&mut self, value: usize) {
        self.u64(u64::try_from(value).unwrap_or(u64::MAX));
    }
    pub(crate) fn text(&mut self, value: &str) {
        self.len(value.len());
        self.0.extend_from_slice(value.as_bytes());
    }

    /// Ends the writing: the whole snapshot with its head and checksum.
    pub(crate) fn seal(self, kind: Kind) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.0.len().saturating_add(HEAD + TAIL));
        out.extend_from_slice(&MAGIC);
        out.push(kind.code());
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&u64::try_from(self.0.len()).unwrap_or(u64::MAX).to_le_bytes());
        out.extend_from_slice(&self.0);
        let sum = checksum(&out);
        out.extend_from_slice(&sum.to_le_bytes());
        out
    }
}

const HEAD: usize = 4 + 1 + 2 + 8;
const TAIL: usize = 8;

/// Cursor over what [`Writer`] wrote. Every read is checked against the end.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Opens a snapshot of `kind` after checking its head and checksum.
    pub(crate) fn open(bytes: &'a [u8], kind: Kind) -> Result<Self, SnapshotRefusal> {
        let (body, sum) = bytes.split_last_chunk::<TAIL>().ok_or(SnapshotRefusal::Length)?;
        let mut head = Self(body);
        if head.take::<4>()? != MAGIC {
            return Err(SnapshotRefusal::Magic);
        }
        let written = head.take::<1>()?;
        let version = head.u16()?;
        let length = head.u64()?;
        if u64::try_from(head.0.len()) != Ok(length) {
            return Err(SnapshotRefusal::Length);
        }
        if checksum(body).to_le_bytes() != *sum {
            return Err(SnapshotRefusal::Checksum);
        }
        // Version and kind are looked at after the checksum: a damaged head must not be reported as another version.
        if version != VERSION {
            return Err(SnapshotRefusal::Version);
        }
        if written != [kind.code()] {
            return Err(SnapshotRefusal::Magic);
        }
        Ok(head)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], SnapshotRefusal> {
        let (first, rest) = self.0.split_first_chunk::<N>().ok_or(SnapshotRefusal::Length)?;
        self.0 = rest;
        Ok(*first)
    }
    pub(crate) fn u16(&mut self) -> Result<u16, SnapshotRefusal> {
        self.take().map(u16::from_le_bytes)
    }
    pub(crate) fn u32(&mut self) -> Result<u32, SnapshotRefusal> {
        self.take().map(u32::from_le_bytes)
    }
    pub(crate) fn u64(&mut self) -> Result<u64, SnapshotRefusal> {
        self.take().map(u64::from_le_bytes)
    }

    /// Reads a finite 32-bit number that is not negative.
    pub(crate) fn count(&mut self) -> Result<f32, SnapshotRefusal> {
        let value = f32::from_bits(self.u32()?);
        if value.is_finite() && value >= 0.0 { Ok(value) } else { Err(SnapshotRefusal::Value) }
    }

    /// Reads a finite number within `range`; a range excludes NaN.
    pub(crate) fn f64(&mut self, range: std::ops::RangeInclusive<f64>) -> Result<f64, SnapshotRefusal> {
        let value = f64::from_bits(self.u64()?);
        if range.contains(&value) { Ok(value) } else { Err(SnapshotRefusal::Value) }
    }

    /// Reads a number of items, at most `most`. The bound is checked before anything is allocated.
    pub(crate) fn len(&mut self, most: usize) -> Result<usize, SnapshotRefusal> {
        match usize::try_from(self.u64()?) {
            Ok(n) if n <= most => Ok(n),
            Ok(_) | Err(_) => Err(SnapshotRefusal::Value),
        }
    }

    /// Reads a UTF-8 text of at most `most` bytes.
    pub(crate) fn text(&mut self, most: usize) -> Result<String, SnapshotRefusal> {
        let n = self.len(most)?;
        let (text, rest) = self.0.split_at_checked(n).ok_or(SnapshotRefusal::Length)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).map_err(|_| SnapshotRefusal::Value)
    }

    /// Ends the reading; bytes that are left over are an error.
    pub(crate) fn close(self) -> Result<(), SnapshotRefusal> {
        if self.0.is_empty() { Ok(()) } else { Err(SnapshotRefusal::Length) }
    }
}

/// FNV-1a, 64 bits. Each step is a bijection of the sum, so a single changed byte is always found.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let mut writer = Writer::default();
        writer.u32(7);
        writer.f64(0.5);
        writer.text("amount");
        writer.seal(Kind::Edges)
    }

    fn read(bytes: &[u8]) -> Result<(u32, f64, String), SnapshotRefusal> {
        let mut reader = Reader::open(bytes, Kind::Edges)?;
        let all = (reader.u32()?, reader.f64(0.0..=1.0)?, reader.text(6)?);
        reader.close()?;
        Ok(all)
    }

    /// The checksum of a snapshot that was changed on purpose.
    fn resealed(mut bytes: Vec<u8>) -> Vec<u8> {
        bytes.truncate(bytes.len() - TAIL);
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        bytes
    }

    #[test]
    fn what_was_written_is_read() {
        assert_eq!(read(&sample()), Ok((7, 0.5, "amount".to_owned())));
    }

    #[test]
    fn every_flipped_bit_is_found() {
        for at in 0..sample().len() {
            for bit in 0..8 {
                let mut bytes = sample();
                bytes[at] ^= 1 << bit;
                assert!(read(&bytes).is_err(), "byte {at}, bit {bit}");
            }
        }
    }

    #[test]
    fn every_cut_is_found() {
        for end in 0..sample().len() {
            assert!(read(&sample()[..end]).is_err(), "{end} bytes");
        }
    }

    #[test]
    fn each_fault_has_its_refusal() {
        let rows: &[(&str, fn(&mut Vec<u8>), SnapshotRefusal)] = &[
            ("a flipped bit of the payload", |b| b[20] ^= 1, SnapshotRefusal::Checksum),
            ("a flipped bit of the sum", |b| *b.last_mut().unwrap() ^= 1, SnapshotRefusal::Checksum),
            ("another format", |b| b[0] = b'X', SnapshotRefusal::Magic),
            (
                "a snapshot of a stream",
                |b| {
                    b[4] = 4;
                    *b = resealed(b.clone());
                },
                SnapshotRefusal::Magic,
            ),
            (
                "of a later version",
                |b| {
                    b[5] = 2;
                    *b = resealed(b.clone());
                },
                SnapshotRefusal::Version,
            ),
            ("cut off", |b| b.truncate(b.len() - 1), SnapshotRefusal::Length),
            ("with something behind it", |b| b.push(0), SnapshotRefusal::Length),
            ("empty", Vec::clear, SnapshotRefusal::Length),
            (
                "a share of 2",
                |b| {
                    b[19..27].copy_from_slice(&2.0_f64.to_le_bytes());
                    *b = resealed(b.clone());
                },
                SnapshotRefusal::Value,
            ),
            (
                "not a number",
                |b| {
                    b[19..27].copy_from_slice(&f64::NAN.to_le_bytes());
                    *b = resealed(b.clone());
                },
                SnapshotRefusal::Value,
            ),
            (
                "a longer text",
                |b| {
                    b[27] = 7;
                    *b = resealed(b.clone());
                },
                SnapshotRefusal::Value,
            ),
        ];
        for (name, change, expected) in rows {
            let mut bytes = sample();
            change(&mut bytes);
            assert_eq!(read(&bytes), Err(*expected), "{name}");
        }
    }
}
