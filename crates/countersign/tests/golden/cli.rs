//! The command line: every command with its flags, arguments, values and defaults, as `-h` shows them. The prose is left out.

use std::path::Path;

use crate::{countersign, golden};

#[test]
fn the_command_line_is_as_it_was() {
    let home = tempfile::tempdir().expect("a directory");
    let mut lines = Vec::new();
    command(home.path(), &mut Vec::new(), &mut lines);
    golden("cli.txt", &(lines.join("\n") + "\n"));
}

/// A command and all below it.
fn command(home: &Path, words: &mut Vec<String>, lines: &mut Vec<String>) {
    let args: Vec<_> = words.iter().map(String::as_str).chain(["-h"]).collect();
    let (help, _) = countersign(home, &args);
    lines.push(format!("countersign {}", words.join(" ")).trim_end().to_owned());
    let usage = entries(&help, "Usage:");
    lines.extend(usage.iter().map(|usage| format!("    usage {usage}")));
    for heading in ["Arguments:", "Options:"] {
        lines.extend(entries(&help, heading).iter().map(|entry| format!("    {}", without_prose(entry))));
    }
    for entry in entries(&help, "Commands:") {
        let name = entry.split_whitespace().next().unwrap_or_default().to_owned();
        if name == "help" {
            continue;
        }
        lines.extend(bracketed(&entry).iter().map(|said| format!("    command {name} {said}")));
        words.push(name);
        command(home, words, lines);
        words.pop();
    }
}

/// The entries below a heading of the help, each with its continuation lines joined.
fn entries(help: &str, heading: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut inside = false;
    for line in help.lines() {
        if let Some(rest) = line.strip_prefix(heading) {
            inside = true;
            found.extend(Some(rest.trim().to_owned()).filter(|rest| !rest.is_empty()));
        } else if inside && line.trim().is_empty() {
            break;
        } else if inside {
            let indent = line.len() - line.trim_start().len();
            match found.last_mut() {
                Some(last) if indent > 6 => *last += &format!(" {}", line.trim()),
                _ => found.push(line.trim().to_owned()),
            }
        }
    }
    found
}

/// Name, value name and what stands in brackets.
fn without_prose(entry: &str) -> String {
    let name = entry.split("  ").next().unwrap_or_default();
    // A name that is too long for its column has its prose on the next line, which was joined by one space.
    let name = match name.strip_prefix('-') {
        Some(_) => name.split(' ').take_while(|word| word.starts_with(['-', '<', '['])).collect::<Vec<_>>().join(" "),
        None => name.split(' ').next().unwrap_or_default().to_owned(),
    };
    [name].into_iter().chain(bracketed(entry)).collect::<Vec<_>>().join(" ")
}

/// Defaults, possible values and other names: what clap puts in brackets.
fn bracketed(entry: &str) -> Vec<String> {
    ["[default: ", "[possible values: ", "[alias: ", "[aliases: "]
        .iter()
        .filter_map(|begin| {
            let (said, _) = entry.split_once(begin)?.1.split_once(']')?;
            Some(format!("{begin}{said}]"))
        })
        .collect()
}
