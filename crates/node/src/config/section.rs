//! A table of the file, read strictly: every key is taken with its type, and whatever is left over is a fault.

use std::{
    cell::RefCell,
    path::{Path, PathBuf},
    rc::Rc,
};

use countersign_core::Seconds;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::config::{
    fault::{Fault, Faults},
    spelling, value,
};

/// Name of the most common type in messages.
const STRING: &str = "a string in quotes";

/// The file that is read, and what was found wrong with it so far.
#[derive(Clone)]
pub struct Source {
    file: Rc<PathBuf>,
    /// Byte offsets at which lines begin.
    lines: Rc<Vec<usize>>,
    faults: Rc<RefCell<Faults>>,
}

impl Source {
    /// The file and its text.
    pub fn new(file: &Path, text: &str) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at.saturating_add(1))).collect();
        Self { file: Rc::new(file.to_owned()), lines: Rc::new(lines), faults: Rc::default() }
    }

    /// Notes what is wrong at a line.
    pub fn fault(&self, line: Option<usize>, what: impl Into<String>, remedy: impl Into<String>) {
        let fault = Fault { file: self.file.to_path_buf(), line, what: what.into(), remedy: remedy.into() };
        self.faults.borrow_mut().push(fault);
    }

    /// The line, from 1, of a byte offset.
    pub fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|begin| *begin <= offset)
    }

    /// What was found wrong.
    pub fn into_faults(self) -> Faults {
        self.faults.take()
    }
}

/// A value and the line on which it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At<T> {
    /// The value.
    pub value: T,
    /// The line, from 1.
    pub line: usize,
}

/// A table whose keys are taken one by one.
pub struct Section<'a> {
    source: Source,
    /// How people find it: `[login]`, or empty for the top.
    name: String,
    line: Option<usize>,
    left: Vec<(&'a str, usize, &'a Spanned<DeValue<'a>>)>,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// The table as a section called `name`, which begins at `line`.
    pub fn new(source: &Source, name: impl Into<String>, line: Option<usize>, table: &'a DeTable<'a>) -> Self {
        let left = table.iter().map(|(key, value)| (key.get_ref().as_ref(), source.line(key.span().start), value)).collect();
        Self { source: source.clone(), name: name.into(), line, left, known: Vec::new() }
    }

    /// Where it begins; `None` for the top of the file.
    pub const fn line(&self) -> Option<usize> {
        self.line
    }

    /// Notes what is wrong at a line.
    pub fn fault(&self, line: Option<usize>, what: impl Into<String>, remedy: impl Into<String>) {
        self.source.fault(line, what, remedy);
    }

    fn take(&mut self, key: &'static str) -> Option<(usize, &'a DeValue<'a>)> {
        self.known.push(key);
        let at = self.left.iter().position(|(name, _, _)| *name == key)?;
        let (_, line, value) = self.left.remove(at);
        Some((line, value.get_ref()))
    }

    fn typed<T>(&mut self, key: &'static str, wanted: &str, read: impl FnOnce(&'a DeValue<'a>) -> Option<T>) -> Option<At<T>> {
        let (line, value) = self.take(key)?;
        let read = read(value).map(|value| At { value, line });
        if read.is_none() {
            self.fault(Some(line), mistyped(key, value), format!("write it as {wanted}"));
        }
        read
    }

    /// A text.
    pub fn text(&mut self, key: &'static str) -> Option<At<&'a str>> {
        self.typed(key, STRING, DeValue::as_str)
    }

    /// Whether the key is there, taken or not.
    pub fn has(&self, key: &str) -> bool {
        self.left.iter().any(|(name, _, _)| *name == key)
    }

    /// Says whether the key is there and begins a table.
    pub(crate) fn is_table(&self, key: &str) -> bool {
        self.left.iter().any(|(name, _, value)| *name == key && value.get_ref().as_table().is_some())
    }

    /// A text that has to be there; `example` shows one.
    pub fn required_text(&mut self, key: &'static str, example: &str) -> Option<At<&'a str>> {
        if !self.has(key) {
            let place = if self.name.is_empty() { String::new() } else { format!(" in `{}`", self.name) };
            self.fault(self.line, format!("`{key}` is missing{place}"), format!("add `{key} = {example}`"));
        }
        self.text(key)
    }

    /// A whole number in `range`.
    pub fn number(&mut self, key: &'static str, range: std::ops::RangeInclusive<u64>) -> Option<At<u64>> {
        let wanted = format!("a whole number from {} to {}", range.start(), range.end());
        let At { value: integer, line } = self.typed(key, &wanted, DeValue::as_integer)?;
        let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|number| range.contains(number));
        if number.is_none() {
            self.fault(Some(line), format!("`{key} = {integer}` is out of range"), format!("write it as {wanted}"));
        }
        number.map(|value| At { value, line })
    }

    /// Says that nothing is left that nobody asked for.
    pub const fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// Every entry of a table of numbers whose keys are the operator's own words.
    pub(crate) fn named_numbers(&mut self, range: std::ops::RangeInclusive<u64>) -> Vec<(&'a str, At<u64>)> {
        let wanted = format!("a whole number from {} to {}", range.start(), range.end());
        let mut out = Vec::new();
        for (key, line, value) in std::mem::take(&mut self.left) {
            match value.get_ref().as_integer() {
                None => self.fault(Some(line), mistyped(key, value.get_ref()), format!("write it as {wanted}")),
                Some(integer) => {
                    match u64::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|number| range.contains(number)) {
                        Some(value) => out.push((key, At { value, line })),
                        None => self.fault(Some(line), format!("`{key} = {integer}` is out of range"), format!("write it as {wanted}")),
                    }
                }
            }
        }
        out
    }

    /// A span of time.
    pub fn span(&mut self, key: &'static str) -> Option<Seconds> {
        let At { value, line } = self.typed(key, "a duration in quotes, such as `\"30s\"`", DeValue::as_str)?;
        let span = value::span(value);
        if span.is_none() {
            self.fault(
                Some(line),
                format!("`{key}` cannot be `{value}`"),
                "write a whole number and a unit, such as `90s`, `5m`, `12h` or `30d`",
            );
        }
        span
    }

    /// A text through a parser; `wanted` says how it is written.
    pub fn parsed<T>(&mut self, key: &'static str, wanted: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<At<T>> {
        let At { value, line } = self.text(key)?;
        let parsed = parse(value).map(|value| At { value, line });
        if parsed.is_none() {
            self.fault(Some(line), format!("`{key}` cannot be `{value}`"), wanted);
        }
        parsed
    }

    /// `true` or `false`.
    pub fn flag(&mut self, key: &'static str) -> Option<At<bool>> {
        self.typed(key, "`true` or `false`", DeValue::as_bool)
    }

    /// Tells whether there is such a key, and its value is `true` or `false`.
    pub(crate) fn holds_flag(&self, key: &str) -> bool {
        self.left.iter().any(|(known, _, value)| *known == key && value.get_ref().as_bool().is_some())
    }

    /// Several texts, each with its line.
    pub fn texts(&mut self, key: &'static str) -> Option<Vec<At<&'a str>>> {
        let source = self.source.clone();
        let all = self.typed(key, "a list of strings, `[\"...\"]`", |value| {
            value
                .as_array()?
                .iter()
                .map(|item| Some(At { value: item.get_ref().as_str()?, line: source.line(item.span().start) }))
                .collect()
        });
        all.map(|all| all.value)
    }

    /// One of these words.
    pub fn word<T: Copy>(&mut self, key: &'static str, words: &[(&'static str, T)]) -> Option<At<T>> {
        let At { value, line } = self.text(key)?;
        let found = words.iter().find(|(word, _)| *word == value).map(|(_, meaning)| At { value: *meaning, line });
        if found.is_none() {
            let all: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            self.fault(Some(line), format!("`{key}` cannot be `{value}`"), one_of(value, &all));
        }
        found
    }

    /// A table inside.
    pub fn table(&mut self, key: &'static str, name: impl Into<String>) -> Option<Section<'a>> {
        let At { value, line } = self.typed(key, "a table", DeValue::as_table)?;
        Some(Section::new(&self.source, name, Some(line), value))
    }

    /// The tables of a list, `[[key]]`.
    pub fn tables(&mut self, key: &'static str) -> Vec<Section<'a>> {
        let source = self.source.clone();
        let all = self.typed(key, &format!("a list of tables, each under `[[{key}]]`"), |value| {
            value
                .as_array()?
                .iter()
                .map(|item| Some((source.line(item.span().start), item.get_ref().as_table()?)))
                .collect::<Option<Vec<_>>>()
        });
        let name = format!("[[{key}]]");
        all.map_or_else(Vec::new, |all| {
            all.value.into_iter().map(|(line, table)| Section::new(&self.source, name.clone(), Some(line), table)).collect()
        })
    }

    /// Every entry of a table whose keys are the operator's own words: key, line, section.
    pub fn named_tables(&mut self) -> Vec<(At<&'a str>, Section<'a>)> {
        let mut out = Vec::new();
        for (key, line, value) in std::mem::take(&mut self.left) {
            match value.get_ref().as_table() {
                Some(table) => {
                    out.push((At { value: key, line }, Section::new(&self.source, format!("{}.{key}", self.name), Some(line), table)))
                }
                None => self.fault(Some(line), mistyped(key, value.get_ref()), "write it as a table"),
            }
        }
        out
    }

    /// Every entry of a table of texts whose keys are the operator's own words.
    pub fn named_texts(&mut self) -> Vec<(&'a str, At<&'a str>)> {
        let mut out = Vec::new();
        for (key, line, value) in std::mem::take(&mut self.left) {
            match value.get_ref().as_str() {
                Some(text) => out.push((key, At { value: text, line })),
                None => self.fault(Some(line), mistyped(key, value.get_ref()), format!("write it as {STRING}")),
            }
        }
        out
    }

    /// Ends the reading: a key that nobody took is one that nobody would heed.
    pub fn end(self) {
        for (key, line, _) in &self.left {
            let place = if self.name.is_empty() { String::new() } else { format!(" in `{}`", self.name) };
            self.fault(Some(*line), format!("unknown key `{key}`{place}"), one_of(key, &self.known));
        }
    }
}

/// The suggestion for a word that is none of `known`.
fn one_of(given: &str, known: &[&'static str]) -> String {
    match spelling::nearest(given, known) {
        Some(word) => format!("did you mean `{word}`?"),
        None => {
            let mut known: Vec<_> = known.iter().map(|word| format!("`{word}`")).collect();
            known.sort();
            format!("it can be {}", known.join(", "))
        }
    }
}

/// Description of a value of another type than is wanted. Strings are not repeated: one may be a secret in the wrong place.
fn mistyped(key: &str, value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(_) => format!("`{key}` is a string"),
        DeValue::Integer(number) => format!("`{key} = {number}` is a number"),
        DeValue::Float(number) => format!("`{key} = {number}` is a number with a fraction"),
        DeValue::Boolean(flag) => format!("`{key} = {flag}` is a boolean"),
        DeValue::Datetime(_) => format!("`{key}` is a date"),
        DeValue::Array(_) => format!("`{key}` is a list"),
        DeValue::Table(_) => format!("`{key}` is a table"),
    }
}
