//! What the writer needs of a disk. Behind a trait, so that a test can let any call of it fail.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::segments::{
    files,
    room::{self, Reserve},
};

/// Name of the segment that is made beforehand: a file without content, until it gets its header and its name.
const NEXT: &str = "next";

/// Bytes that are written to see whether the disk takes any: as much as a small entry.
const PROBE: [u8; 4096] = [b'x'; 4096];

/// Answer to whether a segment was begun. Alphabetical.
#[derive(Debug)]
pub enum Begun {
    /// It was not, and everything is as before.
    NotYet(io::Error),
    /// It is the one that is written from here on.
    Yes,
}

/// The segment that is written.
pub trait Disk: Send {
    /// Begins a segment with this header and goes over to it. Returns when name and header would survive a power cut. After an error
    /// nobody knows what is there.
    fn begin(&mut self, first: u64, header: &str) -> io::Result<Begun>;

    /// Writes behind what is there. Returns when it would survive a power cut.
    fn append(&mut self, text: &str) -> io::Result<()>;

    /// Takes back whatever a failed `append` left, as far as that is possible.
    fn take_back(&mut self);

    /// Bytes of the segment.
    fn length(&self) -> u64;

    /// Makes the next segment beforehand, if that is possible now: its turn may come when no file can be opened.
    fn prepare(&mut self);

    /// Writes and takes back something that is not the log's.
    fn probe(&mut self) -> io::Result<()>;

    /// Goes on behind this length of a segment; with `None`, one is begun next.
    fn resume(&mut self, segment: Option<(&Path, u64)>) -> io::Result<()>;

    /// Gives the reserve to the log. Tells whether there was one.
    fn give_up_reserve(&mut self) -> Reserve;
}

/// Segments in a directory.
pub struct Directory {
    directory: PathBuf,
    // Kept open, so that the end of a segment needs no descriptor.
    handle: File,
    segment: Option<File>,
    next: Option<File>,
    length: u64,
}

impl Directory {
    /// A directory without a segment that is continued.
    pub fn empty(directory: &Path) -> io::Result<Self> {
        let handle = File::open(directory)?;
        Ok(Self { directory: directory.to_path_buf(), handle, segment: None, next: None, length: 0 })
    }

    /// The file of the next segment; what an earlier process left in it is cut off.
    fn next(&self) -> io::Result<File> {
        let file = OpenOptions::new().append(true).create(true).open(self.directory.join(NEXT))?;
        file.set_len(0)?;
        Ok(file)
    }

    fn name_it(&self, mut next: &File, path: &Path, header: &str) -> io::Result<()> {
        if path.try_exists()? {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("`{}` is there already", path.display())));
        }
        next.set_len(0)?;
        next.write_all(header.as_bytes())?;
        next.sync_data()?;
        fs::rename(self.directory.join(NEXT), path)
    }
}

impl Disk for Directory {
    fn begin(&mut self, first: u64, header: &str) -> io::Result<Begun> {
        let path = self.directory.join(files::name(first));
        let next = match self.next.take().map_or_else(|| self.next(), Ok) {
            Ok(next) => next,
            Err(cause) => return Ok(Begun::NotYet(cause)),
        };
        if let Err(cause) = self.name_it(&next, &path, header) {
            return Ok(Begun::NotYet(cause));
        }
        // The directory is synchronised too, or the name could be lost.
        self.handle.sync_all()?;
        self.segment = Some(next);
        self.length = bytes(header);
        Ok(Begun::Yes)
    }

    fn append(&mut self, text: &str) -> io::Result<()> {
        let Some(file) = &mut self.segment else { return Err(io::Error::other("no segment was begun")) };
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        self.length = self.length.saturating_add(bytes(text));
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

    fn prepare(&mut self) {
        if self.next.is_none() {
            // If this fails, the segment that is written goes on meanwhile, and it is tried again with the next group.
            self.next = self.next().ok();
        }
    }

    fn probe(&mut self) -> io::Result<()> {
        self.prepare();
        let Some(file) = &mut self.next else { return self.next().map(drop) };
        let written = file.write_all(&PROBE).and_then(|()| file.sync_data());
        file.set_len(0)?;
        written
    }

    fn resume(&mut self, segment: Option<(&Path, u64)>) -> io::Result<()> {
        self.segment = None;
        self.length = 0;
        if let Some((path, length)) = segment {
            self.segment = Some(OpenOptions::new().append(true).open(path)?);
            self.length = length;
        }
        Ok(())
    }

    fn give_up_reserve(&mut self) -> Reserve {
        room::give_up_reserve(&self.directory)
    }
}

fn bytes(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}
