//! What is wrong with a configuration: where it stands, what it is, and what to do.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; `None` when the file as a whole is meant.
    pub line: Option<usize>,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl Fault {
    /// What is wrong at a line of a file.
    #[must_use]
    pub fn at(file: &Path, line: usize, what: String, remedy: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: Some(line), what, remedy: remedy.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}; {}", self.what, self.remedy)
    }
}

/// Everything that is wrong, in the order of the files and their lines. Never empty where it is an error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// One thing that is wrong.
    #[must_use]
    pub fn one(fault: Fault) -> Self {
        Self(vec![fault])
    }

    /// One thing that is wrong with a file as a whole.
    #[must_use]
    pub fn of_file(file: &Path, what: &str, remedy: &str) -> Self {
        Self::one(Fault { file: file.to_owned(), line: None, what: what.to_owned(), remedy: remedy.to_owned() })
    }

    /// One thing that is wrong at a line of a file.
    #[must_use]
    pub fn at(file: &Path, line: usize, what: String, remedy: impl Into<String>) -> Self {
        Self::one(Fault::at(file, line, what, remedy))
    }

    /// Notes another thing.
    pub fn push(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    /// Notes all of `others`.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }

    /// `value`, unless something is wrong.
    ///
    /// # Errors
    /// All that is wrong, sorted.
    pub fn or<T>(mut self, value: T) -> Result<T, Self> {
        if self.0.is_empty() {
            return Ok(value);
        }
        self.0.sort();
        self.0.dedup();
        Err(self)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            fault.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}
