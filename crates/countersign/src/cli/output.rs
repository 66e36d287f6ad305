//! Where commands print, and how they end.

use std::{io::Write, process::ExitCode};

use comfy_table::{ContentArrangement, Table, presets::UTF8_HORIZONTAL_ONLY};
use serde::Serialize;

/// For whom a command prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Programs: one JSON document, or one a line where there is no end.
    Json,
    /// People.
    Text,
}

impl Output {
    /// What `--json` says.
    #[must_use]
    pub const fn of(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }
}

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was done, and the answer is the good one.
    Fine,
    /// It was done, and the answer is no.
    No,
    /// It could not be done, because what was given is not understood.
    NotUnderstood,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Fine => 0,
            Exit::No => 1,
            Exit::NotUnderstood => 2,
        })
    }
}

/// Prints a line, or several. A reader that went away (`| head`) is no fault.
pub fn say(text: impl AsRef<str>) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{}", text.as_ref()).and_then(|()| out.flush());
}

/// Prints a document on one line.
pub fn say_json(document: &impl Serialize) {
    say(serde_json::to_string(document).unwrap_or_else(|_| "null".to_owned()));
}

/// Says on standard error what went wrong, with every cause.
pub fn complain(output: Output, error: &anyhow::Error) {
    let mut err = std::io::stderr().lock();
    let _ = match output {
        Output::Json => writeln!(err, "{}", serde_json::json!({ "error": format!("{error:#}") })),
        Output::Text => writeln!(err, "{error:#}"),
    };
}

/// An empty table as all commands draw theirs.
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic).set_header(header);
    table
}
