//! What the writer needs of a disk. Behind a trait, so that a test can let any call of it fail.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::segments::files;

/// The segment that is written.
pub trait Disk: Send {
    /// Begins a segment with this header and goes over to it. Returns when name and header would survive a power cut.
    fn begin(&mut self, first: u64, header: &str) -> io::Result<()>;

    /// Writes behind what is there. Returns when it would survive a power cut.
    fn append(&mut self, text: &str) -> io::Result<()>;

    /// Takes back whatever a failed `append` left, as far as that is possible.
    fn take_back(&mut self);

    /// Bytes of the segment.
    fn length(&self) -> u64;
}

/// Segments in a directory.
pub struct Directory {
    directory: PathBuf,
    segment: Option<File>,
    length: u64,
}

impl Directory {
    /// A directory without a segment that is continued.
    pub fn empty(directory: &Path) -> Self {
        Self { directory: directory.to_path_buf(), segment: None, length: 0 }
    }

    /// Continues a segment of this length.
    pub fn resume(directory: &Path, segment: &Path, length: u64) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).open(segment)?;
        Ok(Self { directory: directory.to_path_buf(), segment: Some(file), length })
    }
}

impl Disk for Directory {
    fn begin(&mut self, first: u64, header: &str) -> io::Result<()> {
        let path = self.directory.join(files::name(first));
        self.segment = Some(OpenOptions::new().append(true).create_new(true).open(path)?);
        self.length = 0;
        self.append(header)?;
        // The directory is synchronised too, or the file itself could be lost.
        File::open(&self.directory)?.sync_all()
    }

    fn append(&mut self, text: &str) -> io::Result<()> {
        let Some(file) = &mut self.segment else { return Err(io::Error::other("no segment was begun")) };
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        self.length = self.length.saturating_add(u64::try_from(text.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    fn take_back(&mut self) {
        // After a failed sync nobody knows what the disk holds: the group must not be found by whoever opens the log next.
        // If this fails too, it is found, whole and signed; its callers were refused, and the log says more than happened.
        if let Some(file) = &self.segment {
            let _ = file.set_len(self.length).and_then(|()| file.sync_all());
        }
    }

    fn length(&self) -> u64 {
        self.length
    }
}
