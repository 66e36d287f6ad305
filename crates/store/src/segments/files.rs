//! The directory of segments.

use std::{
    fmt, fs,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

/// Bytes of a line that is read; longer ones are given in pieces, which no parser takes.
const LINE_BYTES_MAX: u64 = 128 * 1024;

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

/// All segments, oldest first.
pub fn list(directory: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let failed = |source| ReadError { path: directory.to_path_buf(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_segment = path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with("log-") && n.ends_with(".txt"));
        if is_segment {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Calls `take` with each line of a segment, without its line break, and with the bytes up to and including it. A last line
/// without a line break is torn and is not given. Bytes that are no UTF-8 are replaced, which no hash survives.
pub fn each_line(path: &Path, mut take: impl FnMut(&str, u64)) -> Result<(), ReadError> {
    let failed = |source| ReadError { path: path.to_path_buf(), source };
    let mut reader = BufReader::with_capacity(1 << 16, fs::File::open(path).map_err(failed)?);
    let (mut line, mut offset) = (Vec::new(), 0_u64);
    loop {
        line.clear();
        let mut limited = io::Read::take(&mut reader, LINE_BYTES_MAX);
        let read = limited.read_until(b'\n', &mut line).map_err(failed)?;
        offset = offset.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        if read == 0 {
            return Ok(());
        }
        let too_long = u64::try_from(read).is_ok_and(|read| read == LINE_BYTES_MAX);
        match line.split_last() {
            Some((b'\n', text)) => take(&String::from_utf8_lossy(text), offset),
            Some(_) if too_long => take(&String::from_utf8_lossy(&line), offset),
            Some(_) | None => return Ok(()),
        }
    }
}
