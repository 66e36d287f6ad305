//! Comma-separated rows, plain or gzipped, read strictly: one header, as many fields in each row, no quotes.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use countersign_core::{Limits, UnixSeconds};
use flate2::read::MultiGzDecoder;

/// Reason why a file cannot be used.
#[derive(Debug)]
pub enum RowsRefusal {
    /// A column that the command needs is not in the header.
    ColumnMissing {
        /// Name of the column.
        column: String,
    },
    /// A field does not hold what its column promises.
    FieldMalformed {
        /// Counted from 1; the header is line 1.
        line: u64,
        /// Name of the column.
        column: String,
        /// Text of the field.
        value: String,
    },
    /// A line has another number of fields than the header, or holds a quote.
    LineMalformed {
        /// Counted from 1; the header is line 1.
        line: u64,
    },
    /// A row lies before its predecessor in time.
    OutOfOrder {
        /// Counted from 1; the header is line 1.
        line: u64,
    },
    /// The file cannot be opened or read.
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        why: std::io::Error,
    },
    /// The file cannot be written.
    Unwritable {
        /// Which.
        path: PathBuf,
        /// Why.
        why: std::io::Error,
    },
}

impl std::fmt::Display for RowsRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ColumnMissing { column } => write!(f, "the column `{column}` is missing from the header"),
            Self::FieldMalformed { line, column, value } => write!(f, "line {line}: `{value}` is not a `{column}`"),
            Self::LineMalformed { line } => write!(f, "line {line}: not as many plain fields as the header has"),
            Self::OutOfOrder { line } => write!(f, "line {line} lies before the line above it; sort the file by time"),
            Self::Unreadable { path, why } => write!(f, "cannot read `{}`: {why}", path.display()),
            Self::Unwritable { path, why } => write!(f, "cannot write `{}`: {why}", path.display()),
        }
    }
}

impl std::error::Error for RowsRefusal {}

/// Header and rows of a file.
pub(crate) struct Rows {
    columns: BTreeMap<String, usize>,
    lines: std::io::Lines<BufReader<std::io::Take<Box<dyn Read>>>>,
    path: PathBuf,
    line: u64,
}

/// One row of a file.
pub(crate) struct Row {
    fields: Vec<String>,
    /// Number of the line, counted from 1; the header is line 1.
    pub line: u64,
}

/// Column that the header has.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    name: String,
    index: usize,
}

impl Rows {
    /// Opens `path`; a name that ends in `.gz` is unpacked.
    ///
    /// # Errors
    /// An error when the file cannot be read or has no header.
    pub fn open(path: &Path) -> Result<Self, RowsRefusal> {
        let unreadable = |why| RowsRefusal::Unreadable { path: path.to_owned(), why };
        let file = File::open(path).map_err(unreadable)?;
        let packed = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
        let source: Box<dyn Read> = if packed { Box::new(MultiGzDecoder::new(BufReader::new(file))) } else { Box::new(file) };
        let mut lines = BufReader::new(source.take(Limits::ROWS_FILE_BYTES_MAX)).lines();
        let header = lines.next().transpose().map_err(unreadable)?.ok_or(RowsRefusal::LineMalformed { line: 1 })?;
        let header = split(header.trim_start_matches('\u{feff}'), 1)?;
        let columns = header.into_iter().enumerate().map(|(index, name)| (name, index)).collect();
        Ok(Self { columns, lines, path: path.to_owned(), line: 1 })
    }

    /// Finds the column `name`, which must be there.
    ///
    /// # Errors
    /// An error when the header lacks the column.
    pub(crate) fn column(&self, name: &str) -> Result<Column, RowsRefusal> {
        self.column_if_any(name).ok_or_else(|| RowsRefusal::ColumnMissing { column: name.to_owned() })
    }

    /// Finds the column `name`; `None` when the header lacks it.
    #[must_use]
    pub(crate) fn column_if_any(&self, name: &str) -> Option<Column> {
        self.columns.get(name).map(|index| Column { name: name.to_owned(), index: *index })
    }
}

impl Iterator for Rows {
    type Item = Result<Row, RowsRefusal>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = match self.lines.next()? {
            Ok(line) => line,
            Err(why) => return Some(Err(RowsRefusal::Unreadable { path: self.path.clone(), why })),
        };
        self.line = self.line.saturating_add(1);
        let fields = match split(&line, self.line) {
            Ok(fields) if fields.len() == self.columns.len() => fields,
            Ok(_) => return Some(Err(RowsRefusal::LineMalformed { line: self.line })),
            Err(refusal) => return Some(Err(refusal)),
        };
        Some(Ok(Row { fields, line: self.line }))
    }
}

fn split(line: &str, number: u64) -> Result<Vec<String>, RowsRefusal> {
    if line.len() > Limits::ROWS_LINE_BYTES_MAX || line.contains('"') {
        return Err(RowsRefusal::LineMalformed { line: number });
    }
    Ok(line.trim_end_matches('\r').split(',').map(str::to_owned).collect())
}

impl Row {
    /// Returns the text of `column`.
    #[must_use]
    pub fn text(&self, column: &Column) -> &str {
        self.fields.get(column.index).map_or("", String::as_str)
    }

    /// Reads the field of `column` as a `T`.
    ///
    /// # Errors
    /// When it holds something else.
    pub fn parsed<T: std::str::FromStr>(&self, column: &Column) -> Result<T, RowsRefusal> {
        self.text(column).parse().map_err(|_| self.malformed(column))
    }

    /// Reads the field of `column` as a `T`; `None` when the field is empty or the file has no such column.
    ///
    /// # Errors
    /// When it holds something else.
    pub(crate) fn parsed_if_any<T: std::str::FromStr>(&self, column: Option<&Column>) -> Result<Option<T>, RowsRefusal> {
        match column {
            Some(column) if !self.text(column).is_empty() => self.parsed(column).map(Some),
            Some(_) | None => Ok(None),
        }
    }

    /// Reads the instant in `column` (RFC 3339 in UTC, with or without a fraction, which is dropped).
    ///
    /// # Errors
    /// When it holds something else.
    pub fn instant(&self, column: &Column) -> Result<UnixSeconds, RowsRefusal> {
        instant(self.text(column)).ok_or_else(|| self.malformed(column))
    }

    /// Makes the refusal of the field of `column`.
    #[must_use]
    pub(crate) fn malformed(&self, column: &Column) -> RowsRefusal {
        RowsRefusal::FieldMalformed { line: self.line, column: column.name.clone(), value: self.text(column).chars().take(64).collect() }
    }
}

/// Parses `2010-10-07T15:27:40Z`, `2010-10-07T15:27:40.123Z`, with a space for the `T` or `+00:00` for the `Z`.
fn instant(text: &str) -> Option<UnixSeconds> {
    let text = text.strip_suffix('Z').or_else(|| text.strip_suffix("+00:00")).unwrap_or(text);
    let (date, time) = text.split_once(['T', ' '])?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let whole = time.split_once('.').map_or(time, |(whole, _)| whole);
    let mut time = whole.splitn(3, ':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let fits = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    if !fits {
        return None;
    }
    // Days since 1970 in the Gregorian calendar, years beginning in March (Hinnant, days_from_civil).
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (shifted / 400, shifted % 400);
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    u64::try_from(days * 86_400 + hour * 3600 + minute * 60 + second).ok().map(UnixSeconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_to_the_second() {
        let rows = [
            ("the epoch", "1970-01-01T00:00:00Z", Some(0)),
            ("a fraction", "2009-03-17T02:32:24.999Z", Some(1_237_257_144)),
            ("a leap day", "2012-02-29 12:00:00+00:00", Some(1_330_516_800)),
            ("another zone", "2012-02-29T12:00:00+01:00", None),
            ("month 13", "2012-13-01T00:00:00Z", None),
            ("no time", "2012-12-01", None),
            ("nothing", "", None),
        ];
        for (name, text, expected) in rows {
            assert_eq!(instant(text), expected.map(UnixSeconds), "{name}");
        }
    }

    /// What reading `text` with the columns `ts` and `n` comes to.
    fn read(text: &str) -> Result<Vec<(u64, u32)>, RowsRefusal> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let rows = Rows::open(file.path())?;
        let (ts, n) = (rows.column("ts")?, rows.column("n")?);
        rows.map(|row| row.and_then(|row| Ok((row.instant(&ts)?.0, row.parsed(&n)?)))).collect()
    }

    #[test]
    fn files_are_read_strictly() {
        let long = format!("ts,n\n1970-01-01T00:00:01Z,{}\n", "1".repeat(Limits::ROWS_LINE_BYTES_MAX));
        let rows: &[(&str, &str, Result<Vec<(u64, u32)>, &str>)] = &[
            ("as it should be", "ts,n\n1970-01-01T00:00:01Z,7\n", Ok(vec![(1, 7)])),
            ("other line ends, a mark, no last one", "\u{feff}ts,n\r\n1970-01-01T00:00:01Z,7", Ok(vec![(1, 7)])),
            ("no rows", "ts,n\n", Ok(vec![])),
            ("nothing", "", Err("line 1: not as many plain fields as the header has")),
            ("a column missing", "ts,m\n", Err("the column `n` is missing from the header")),
            ("a field too few", "ts,n\n1970-01-01T00:00:01Z\n", Err("line 2: not as many plain fields as the header has")),
            ("a quote", "ts,n\n1970-01-01T00:00:01Z,\"7\"\n", Err("line 2: not as many plain fields as the header has")),
            ("a line too long", &long, Err("line 2: not as many plain fields as the header has")),
            ("no number", "ts,n\n1970-01-01T00:00:01Z,x\n", Err("line 2: `x` is not a `n`")),
            ("no instant", "ts,n\nyesterday,1\n", Err("line 2: `yesterday` is not a `ts`")),
        ];
        for (name, text, expected) in rows {
            assert_eq!(read(text).map_err(|refusal| refusal.to_string()), expected.clone().map_err(str::to_owned), "{name}");
        }
        let missing = Rows::open(Path::new("no/such/file.csv")).err();
        assert!(matches!(missing, Some(RowsRefusal::Unreadable { .. })));
    }
}
