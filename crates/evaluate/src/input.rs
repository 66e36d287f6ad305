//! Files of events, line by line, compressed or not, within bounds.

use countersign_core::Limits;
use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// The memory that unpacking xz may take: the strongest preset asks for 65 MiB.
const XZ_MEMORY_KIB: u32 = 256 * 1024;

/// Reason why an evaluation stopped.
#[derive(Debug)]
pub enum EvaluateError {
    /// The file ends before its first event.
    Empty {
        /// Which file.
        file: String,
    },
    /// The labels do not fit the events.
    Labels(String),
    /// A line is not what the format says.
    Line {
        /// Which file.
        file: String,
        /// Number of the line, counted from 1.
        number: u64,
        /// Description of the fault.
        problem: String,
    },
    /// The file cannot be read or unpacked.
    Unreadable {
        /// Which file.
        file: String,
        /// Error of the system.
        source: io::Error,
    },
}

impl fmt::Display for EvaluateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty { file } => write!(f, "`{file}` holds no events"),
            Self::Labels(problem) => f.write_str(problem),
            Self::Line { file, number, problem } => write!(f, "`{file}`, line {number}: {problem}"),
            Self::Unreadable { file, source } => write!(f, "cannot read `{file}`: {source}"),
        }
    }
}

impl std::error::Error for EvaluateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Empty { .. } | Self::Labels(_) | Self::Line { .. } => None,
            Self::Unreadable { source, .. } => Some(source),
        }
    }
}

/// Lines of a file.
pub(crate) struct Lines {
    file: String,
    number: u64,
    from: Box<dyn BufRead>,
}

impl Lines {
    /// Opens a file; gzip and xz are recognised by their first bytes, anything else is read as it is.
    ///
    /// [`EvaluateError::Unreadable`] when the file cannot be opened or its beginning cannot be read.
    pub fn open(path: &Path) -> Result<Self, EvaluateError> {
        let file = path.display().to_string();
        let unreadable = |source| EvaluateError::Unreadable { file: file.clone(), source };
        let mut raw = BufReader::new(File::open(path).map_err(unreadable)?);
        let start = raw.fill_buf().map_err(unreadable)?;
        let from: Box<dyn Read> = if start.starts_with(&[0x1F, 0x8B]) {
            Box::new(MultiGzDecoder::new(raw))
        } else if start.starts_with(&[0xFD, b'7', b'z', b'X', b'Z', 0]) {
            Box::new(XzReader::new_mem_limit(raw, true, XZ_MEMORY_KIB))
        } else {
            Box::new(raw)
        };
        Ok(Self { file, number: 0, from: Box::new(BufReader::with_capacity(1 << 16, from.take(Limits::COMMANDS_FILE_BYTES_MAX))) })
    }

    /// Puts the next line into `line`, without its end; returns `false` after the last one.
    ///
    /// # Errors
    /// [`EvaluateError::Unreadable`], and [`EvaluateError::Line`] for a line that is too long or not UTF-8.
    pub(crate) fn next_into(&mut self, line: &mut String) -> Result<bool, EvaluateError> {
        line.clear();
        let mut bytes = std::mem::take(line).into_bytes();
        let read = self.from.by_ref().take(Limits::COMMANDS_LINE_BYTES_MAX).read_until(b'\n', &mut bytes);
        let read = read.map_err(|source| EvaluateError::Unreadable { file: self.file.clone(), source })?;
        if read == 0 {
            return Ok(false);
        }
        self.number = self.number.saturating_add(1);
        let whole = bytes.pop_if(|byte| *byte == b'\n').is_some();
        if !whole && u64::try_from(read).unwrap_or(u64::MAX) >= Limits::COMMANDS_LINE_BYTES_MAX {
            return Err(self.wrong("is longer than a megabyte"));
        }
        bytes.pop_if(|byte| *byte == b'\r');
        *line = String::from_utf8(bytes).map_err(|_| self.wrong("is not UTF-8"))?;
        Ok(true)
    }

    /// Makes the fault of the line that was read last.
    pub(crate) fn wrong(&self, problem: impl Into<String>) -> EvaluateError {
        EvaluateError::Line { file: self.file.clone(), number: self.number, problem: problem.into() }
    }

    /// Makes the fault of a file without a single event.
    #[must_use]
    pub(crate) fn empty(&self) -> EvaluateError {
        EvaluateError::Empty { file: self.file.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const XZ: &[u8] = &[
        0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x01, 0x69, 0x22, 0xde, 0x36, 0x02, 0x00, 0x21, 0x01, 0x16, 0x00, 0x00, 0x00, 0x74, 0x2f,
        0xe5, 0xa3, 0x01, 0x00, 0x07, 0x61, 0x2c, 0x62, 0x0a, 0x31, 0x2c, 0x32, 0x0a, 0x00, 0x7b, 0x07, 0x97, 0x0a, 0x00, 0x01, 0x1c, 0x08,
        0x44, 0x60, 0x2a, 0xc8, 0x90, 0x42, 0x99, 0x0d, 0x01, 0x00, 0x00, 0x00, 0x00, 0x01, 0x59, 0x5a,
    ];
    const GZIP: &[u8] = &[
        0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x4b, 0xd4, 0x49, 0xe2, 0x32, 0xd4, 0x31, 0xe2, 0x02, 0x00, 0x7b, 0x07,
        0x97, 0x0a, 0x08, 0x00, 0x00, 0x00,
    ];

    fn lines_of(bytes: &[u8]) -> Result<Vec<String>, EvaluateError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let mut lines = Lines::open(file.path())?;
        let (mut all, mut line) = (Vec::new(), String::new());
        while lines.next_into(&mut line)? {
            all.push(line.clone());
        }
        Ok(all)
    }

    #[test]
    fn the_same_lines_however_packed() {
        let two = |n: usize| ["a,b", "1,2"].repeat(n);
        let rows: &[(&str, Vec<u8>, Vec<&str>)] = &[
            ("plain", b"a,b\n1,2\n".to_vec(), two(1)),
            ("without the last end", b"a,b\n1,2".to_vec(), two(1)),
            ("with carriage returns", b"a,b\r\n1,2\r\n".to_vec(), two(1)),
            ("an empty line counts", b"a,b\n\n1,2\n".to_vec(), vec!["a,b", "", "1,2"]),
            ("gzip", GZIP.to_vec(), two(1)),
            ("two gzip members", GZIP.repeat(2), two(2)),
            ("xz", XZ.to_vec(), two(1)),
            ("two xz streams", XZ.repeat(2), two(2)),
            ("nothing", vec![], vec![]),
        ];
        for (name, bytes, expected) in rows {
            assert_eq!(lines_of(bytes).unwrap(), *expected, "{name}");
        }
    }

    #[test]
    fn what_is_no_text_is_refused() {
        let limit = usize::try_from(Limits::COMMANDS_LINE_BYTES_MAX).unwrap();
        let flipped = |bytes: &[u8], at: usize| bytes.iter().enumerate().map(|(n, b)| if n == at { b ^ 1 } else { *b }).collect();
        let rows: &[(&str, Vec<u8>, &str)] = &[
            ("not UTF-8", vec![0xC0, 0x80, b'\n'], "is not UTF-8"),
            ("a line of a megabyte", vec![b'a'; limit], "is longer than a megabyte"),
            ("a gzip cut off", GZIP[..20].to_vec(), "cannot read"),
            ("a damaged gzip", flipped(GZIP, 21), "cannot read"),
            ("an xz cut off", XZ[..40].to_vec(), "cannot read"),
            ("a damaged xz", flipped(XZ, 28), "cannot read"),
        ];
        for (name, bytes, expected) in rows {
            let error = lines_of(bytes).unwrap_err().to_string();
            assert!(error.contains(expected), "{name}: {error}");
        }
        assert_eq!(lines_of(&vec![b'a'; limit - 1]).unwrap().len(), 1);
        assert!(Lines::open(Path::new("no such file")).is_err());
    }
}
