//! Report in a form for people and in a form for machines.

use serde_json::{Map, Value};

/// Named figures in the order in which they are printed, in sections.
#[derive(Clone, Debug, Default)]
pub struct Report {
    sections: Vec<(String, Vec<(String, Figure)>)>,
}

/// Value of one line of a report.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    /// A count of things.
    Count(u64),
    /// A share, a rate or a time.
    Number(f64),
    /// No value, because there was nothing to measure.
    None,
    /// A single word.
    Word(String),
}

impl From<Option<f64>> for Figure {
    fn from(value: Option<f64>) -> Self {
        value.map_or(Self::None, Self::Number)
    }
}

impl From<f64> for Figure {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<usize> for Figure {
    fn from(value: usize) -> Self {
        Self::Count(u64::try_from(value).unwrap_or(u64::MAX))
    }
}

impl From<&str> for Figure {
    fn from(value: &str) -> Self {
        Self::Word(value.to_owned())
    }
}

impl Report {
    /// Adds `figure` as `name` to `section`.
    pub(crate) fn add(&mut self, section: &str, name: &str, figure: impl Into<Figure>) {
        let entry = (name.to_owned(), figure.into());
        match self.sections.iter_mut().find(|(title, _)| title == section) {
            Some((_, entries)) => entries.push(entry),
            None => self.sections.push((section.to_owned(), vec![entry])),
        }
    }

    /// Returns the figure `name` of `section`; `None` when there is none.
    #[must_use]
    pub fn get(&self, section: &str, name: &str) -> Option<&Figure> {
        let (_, entries) = self.sections.iter().find(|(title, _)| title == section)?;
        entries.iter().find(|(entry, _)| entry == name).map(|(_, figure)| figure)
    }

    /// Writes one JSON object per section, one member per figure; shares have six digits.
    #[must_use]
    pub fn json(&self) -> Value {
        let section = |entries: &[(String, Figure)]| {
            let members = entries.iter().map(|(name, figure)| {
                let value = match figure {
                    Figure::Count(count) => Value::from(*count),
                    Figure::Number(number) => Value::from((number * 1e6).round() / 1e6),
                    Figure::None => Value::Null,
                    Figure::Word(word) => Value::from(word.clone()),
                };
                (name.clone(), value)
            });
            Value::Object(members.collect::<Map<_, _>>())
        };
        Value::Object(self.sections.iter().map(|(title, entries)| (title.clone(), section(entries))).collect())
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let width = self.sections.iter().flat_map(|(_, entries)| entries).map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (title, entries) in &self.sections {
            writeln!(f, "{title}")?;
            for (name, figure) in entries {
                match figure {
                    Figure::Count(count) => writeln!(f, "  {name:width$}  {count:>10}")?,
                    Figure::Number(number) => writeln!(f, "  {name:width$}  {number:>10.4}")?,
                    Figure::None => writeln!(f, "  {name:width$}  {:>10}", "-")?,
                    Figure::Word(word) => writeln!(f, "  {name:width$}  {word:>10}")?,
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_reads_both_ways() {
        let mut report = Report::default();
        report.add("a", "auc", Some(0.5));
        report.add("b", "events", 3_usize);
        report.add("a", "none", None::<f64>);
        report.add("a", "method", "evidence");
        let expected = serde_json::json!({ "a": { "auc": 0.5, "method": "evidence", "none": null }, "b": { "events": 3 } });
        assert_eq!(report.json(), expected);
        assert_eq!(report.to_string().lines().count(), 6);
        assert_eq!(report.get("b", "events"), Some(&Figure::Count(3)));
    }
}
