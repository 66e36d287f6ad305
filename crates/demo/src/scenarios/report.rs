//! What the demo says: a table for people, one JSON document for programs.

use std::time::Duration;

use anyhow::Result;
use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets::NOTHING};
use serde::Serialize;

/// Columns of the table where no terminal says how many there are.
const WIDTH_IN_FILES: u16 = 160;

/// Whether a scenario must be served or must be stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Must be refused, or found.
    Attack,
    /// Must be served.
    Honest,
}

/// One scenario as it went.
#[derive(Debug, Serialize)]
pub struct Row {
    /// What happens, in words.
    pub name: String,
    /// Whether it must be served.
    pub kind: Kind,
    /// What went over the wire.
    #[serde(skip)]
    pub sent: String,
    /// Status and reason that are right.
    pub expected: String,
    /// Status and reason that came.
    pub got: String,
    /// The exact reason in the log, or what was seen.
    pub reason: String,
    /// From the first byte sent to the answer read.
    pub ms: f64,
    /// Whether what came is right.
    pub ok: bool,
}

/// Runs a scenario that must be served; it answers with what was seen.
pub async fn honest(name: &str, sent: &str, scenario: impl Future<Output = Result<String>>) -> Row {
    let began = tokio::time::Instant::now();
    let outcome = scenario.await;
    let ms = began.elapsed().as_secs_f64() * 1000.0;
    let (got, reason, ok) = match outcome {
        Ok(seen) => ("allow".to_owned(), seen, true),
        Err(fault) => ("refused".to_owned(), format!("{fault:#}"), false),
    };
    Row { name: name.to_owned(), kind: Kind::Honest, sent: sent.to_owned(), expected: "allow".to_owned(), got, reason, ms, ok }
}

/// All rows and how long everything took.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The rows, in order.
    pub scenarios: Vec<Row>,
}

impl Report {
    /// How many rows are not as expected.
    #[must_use]
    pub fn broken(&self) -> usize {
        self.scenarios.iter().filter(|row| !row.ok).count()
    }

    /// The report as one JSON document.
    ///
    /// # Errors
    /// Never, for rows of texts and numbers.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(self)
    }

    /// The report as a table.
    #[must_use]
    pub fn table(&self, took: Duration) -> String {
        let mut out = String::new();
        for (kind, title, good, bad) in
            [(Kind::Honest, "must work", "served", "REFUSED"), (Kind::Attack, "must be stopped", "held", "BROKEN")]
        {
            let mut table = Table::new();
            table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
            if !table.is_tty() {
                table.set_width(WIDTH_IN_FILES);
            }
            table.set_header(["", title, "what was sent", "answer", "reason in the log", "ms", ""]);
            for (n, row) in self.scenarios.iter().enumerate().filter(|(_, row)| row.kind == kind) {
                let (word, color) = if row.ok { (good, Color::Green) } else { (bad, Color::Red) };
                table.add_row([
                    Cell::new(n.saturating_add(1)),
                    Cell::new(&row.name),
                    Cell::new(&row.sent),
                    Cell::new(if row.ok { row.got.clone() } else { format!("{} (expected {})", row.got, row.expected) }),
                    Cell::new(&row.reason),
                    Cell::new(format!("{:.1}", row.ms)),
                    Cell::new(word).fg(color).add_attribute(Attribute::Bold),
                ]);
            }
            out += &format!("{table}\n\n");
        }
        let all = self.scenarios.len();
        out + &format!("{} of {all} as expected in {:.1} s\n", all.saturating_sub(self.broken()), took.as_secs_f64())
    }
}
