//! Little-endian reading and writing of the numbers in a snapshot of login states, and the reasons to refuse one.

/// Reason why bytes are not a snapshot that this version wrote. Nothing of a refused snapshot is used. Variants are alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameRefusal {
    /// The checksum does not fit the bytes: the snapshot was damaged or changed.
    ChecksumMismatch,
    /// The last frame is missing, or counts another number of people than there were: the snapshot was cut off.
    EndMissing,
    /// A frame of an unknown kind, or a known kind in the wrong place.
    FrameUnexpected,
    /// Fewer or more bytes than the kind of frame needs.
    LengthMismatch,
    /// The snapshot was made with another salt, so its fingerprints mean nothing in this installation.
    SaltMismatch,
    /// A number that no valid state holds (negative, infinite, not a number, or longer than its list may be).
    ValueImpossible,
    /// The frame was written by a version of the format that this one does not read.
    VersionUnknown,
}

impl std::fmt::Display for FrameRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ChecksumMismatch => "the snapshot was changed or damaged",
            Self::EndMissing => "the snapshot was cut off",
            Self::FrameUnexpected => "the snapshot holds a frame where it does not belong",
            Self::LengthMismatch => "a frame of the snapshot has the wrong length",
            Self::SaltMismatch => "the snapshot was made with another salt",
            Self::ValueImpossible => "the snapshot holds a number that cannot be",
            Self::VersionUnknown => "the snapshot was written by another version",
        })
    }
}

impl std::error::Error for FrameRefusal {}

/// Buffer to which a snapshot is written, number by number.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.0.extend(value.to_le_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.0.extend(value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.0.extend(value.to_le_bytes());
    }

    pub(crate) fn f32(&mut self, value: f32) {
        self.u32(value.to_bits());
    }

    pub(crate) fn f32s(&mut self, values: &[f32]) {
        for value in values {
            self.f32(*value);
        }
    }

    /// Writes the length of a list as one byte. Every list of a state is bounded below 256 items, so nothing is cut off.
    pub(crate) fn length(&mut self, length: usize) {
        self.u8(u8::try_from(length).unwrap_or(u8::MAX));
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Cursor over the bytes of a frame. Every read is checked against the end.
#[derive(Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], FrameRefusal> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(FrameRefusal::LengthMismatch)?;
        self.0 = rest;
        Ok(*head)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, FrameRefusal> {
        self.take().map(u8::from_le_bytes)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, FrameRefusal> {
        self.take().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, FrameRefusal> {
        self.take().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, FrameRefusal> {
        self.take().map(u64::from_le_bytes)
    }

    /// Reads a finite number; infinity and NaN are refused, since one of them would spread through every sum.
    pub(crate) fn f32(&mut self) -> Result<f32, FrameRefusal> {
        let value = f32::from_bits(self.u32()?);
        if value.is_finite() { Ok(value) } else { Err(FrameRefusal::ValueImpossible) }
    }

    /// Reads a decayed count: a finite number that is not negative.
    pub(crate) fn count(&mut self) -> Result<f32, FrameRefusal> {
        let value = self.f32()?;
        if value >= 0.0 { Ok(value) } else { Err(FrameRefusal::ValueImpossible) }
    }

    pub(crate) fn counts(&mut self, into: &mut [f32]) -> Result<(), FrameRefusal> {
        for value in into {
            *value = self.count()?;
        }
        Ok(())
    }

    /// Reads the length of a list, at most `max`. The bound is checked before anything is allocated.
    pub(crate) fn length(&mut self, max: usize) -> Result<usize, FrameRefusal> {
        let length = usize::from(self.u8()?);
        if length <= max { Ok(length) } else { Err(FrameRefusal::ValueImpossible) }
    }

    /// Ends the reading of a frame.
    ///
    /// # Errors
    /// [`FrameRefusal::LengthMismatch`] when bytes are left over.
    pub(crate) const fn finish(self) -> Result<(), FrameRefusal> {
        if self.0.is_empty() { Ok(()) } else { Err(FrameRefusal::LengthMismatch) }
    }
}
