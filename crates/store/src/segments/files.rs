//! The directory of segments: their names, their lines, and the lock that keeps a second writer out.

use std::{
    fmt, fs,
    io::{self, BufRead, BufReader, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use countersign_audit::Line;

/// Bytes of a line that is read; longer ones are given in pieces, which no parser takes.
const LINE_BYTES_MAX: u64 = 128 * 1024;

/// Spans of a file below this are read from end to end; halving them further would save nothing.
const SPAN_BYTES: u64 = 256 * 1024;

/// Why a log could not be read.
#[derive(Debug)]
pub struct ReadError {
    /// The file or directory.
    pub path: PathBuf,
    /// The system's word.
    pub source: io::Error,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` cannot be read: {}", self.path.display(), self.source)
    }
}

impl std::error::Error for ReadError {}

/// A segment's name; names sort as their records do.
pub fn name(first: u64) -> String {
    format!("log-{first:020}.txt")
}

/// The number in a segment's name: its first record's.
pub fn first_of(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_prefix("log-")?.strip_suffix(".txt")?.parse().ok()
}

/// All segments, oldest first.
pub fn list(directory: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let failed = |source| ReadError { path: directory.to_path_buf(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if first_of(&path).is_some() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Takes the directory for one writer; it is free again when the file is dropped, however the process ends.
pub fn lock(directory: &Path) -> Result<fs::File, fs::TryLockError> {
    let open = fs::OpenOptions::new().write(true).create(true).truncate(false).open(directory.join("lock"));
    let file = open.map_err(fs::TryLockError::Error)?;
    file.try_lock()?;
    Ok(file)
}

/// Calls `take` with each line of a segment, without its line break, and with the bytes up to and including it. A last line
/// without a line break is torn and is not given. Bytes that are no UTF-8 are replaced, which no hash survives.
pub fn each_line(path: &Path, take: impl FnMut(&str, u64)) -> Result<(), ReadError> {
    each_line_from(path, 0, take)
}

/// The same, from the line that begins at `offset`.
pub fn each_line_from(path: &Path, mut offset: u64, mut take: impl FnMut(&str, u64)) -> Result<(), ReadError> {
    let failed = |source| ReadError { path: path.to_path_buf(), source };
    let mut reader = BufReader::with_capacity(1 << 16, fs::File::open(path).map_err(failed)?);
    reader.seek(SeekFrom::Start(offset)).map_err(failed)?;
    let mut line = Vec::new();
    while read_line(&mut reader, &mut line, &mut offset).map_err(failed)? == Read::Whole {
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        take(&String::from_utf8_lossy(text), offset);
    }
    Ok(())
}

/// Where reading has to begin to see record `seq`, if it is in this segment: at a line not far before it. Found by halving,
/// since each line says its number.
pub fn offset_before(path: &Path, seq: u64) -> Result<u64, ReadError> {
    let failed = |source| ReadError { path: path.to_path_buf(), source };
    let file = fs::File::open(path).map_err(failed)?;
    let (mut low, mut high) = (0, file.metadata().map_err(failed)?.len());
    let mut reader = BufReader::with_capacity(1 << 14, file);
    while high.saturating_sub(low) > SPAN_BYTES {
        let middle = low.midpoint(high);
        match record_after(&mut reader, middle, high).map_err(failed)? {
            Some((found, offset)) if found <= seq => low = offset,
            Some(_) | None => high = middle,
        }
    }
    Ok(low)
}

/// Where reading has to begin to see the end of a file: at the first line that begins in its last span.
pub fn offset_near_end(path: &Path) -> Result<u64, ReadError> {
    let failed = |source| ReadError { path: path.to_path_buf(), source };
    let file = fs::File::open(path).map_err(failed)?;
    let Some(mut offset) = file.metadata().map_err(failed)?.len().checked_sub(SPAN_BYTES) else { return Ok(0) };
    let mut reader = BufReader::new(file);
    reader.seek(SeekFrom::Start(offset)).map_err(failed)?;
    read_line(&mut reader, &mut Vec::new(), &mut offset).map_err(failed)?;
    Ok(offset)
}

/// Number and offset of the first record that begins behind `from` and before `to`.
fn record_after(reader: &mut BufReader<fs::File>, from: u64, to: u64) -> io::Result<Option<(u64, u64)>> {
    let (mut line, mut offset) = (Vec::new(), from);
    reader.seek(SeekFrom::Start(from))?;
    // What stands at `from` is the rest of some line.
    read_line(reader, &mut line, &mut offset)?;
    while offset < to {
        let begin = offset;
        if read_line(reader, &mut line, &mut offset)? == Read::Torn {
            return Ok(None);
        }
        let text = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line));
        if let Ok(Line::Record { seq, .. }) = Line::parse(&text) {
            return Ok(Some((seq, begin)));
        }
    }
    Ok(None)
}

/// What was read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Read {
    /// Nothing, or a line without its break.
    Torn,
    /// A line, or as much of it as is ever read.
    Whole,
}

fn read_line(reader: &mut BufReader<fs::File>, line: &mut Vec<u8>, offset: &mut u64) -> io::Result<Read> {
    line.clear();
    let read = io::Read::take(reader, LINE_BYTES_MAX).read_until(b'\n', line)?;
    let read = u64::try_from(read).unwrap_or(u64::MAX);
    *offset = offset.saturating_add(read);
    Ok(if line.ends_with(b"\n") || read == LINE_BYTES_MAX { Read::Whole } else { Read::Torn })
}
