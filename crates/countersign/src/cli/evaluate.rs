//! `countersign evaluate`: how well the shipped models tell attacks from ordinary life, on one's own data.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use countersign_risk::login::LoginRule;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use countersign_evaluate::{
    edges,
    login::{self, LoginArgs, Method},
    numeric, sequence,
    table::{Figure, Report},
    tally,
    travel::{self, TravelArgs},
};

use crate::cli::output::{Exit, Output, say, say_json, table};

/// What is evaluated.
#[derive(Debug, Subcommand)]
pub enum EvaluateCommand {
    /// Run all evaluations on a directory of data sets, and compare with reference results
    All(AllArgs),
    /// Evaluate detection on a graph of events: source, destination and time
    Edges(EdgesArgs),
    /// Evaluate detection on logins with their networks, places and devices
    Login(LoginArgs),
    /// Evaluate detection on sequences of commands: whether another person took over
    Sequence(SequenceArgs),
    /// Evaluate detection on rows of numbers; the last column is the label
    Stream(StreamArgs),
    /// Count false alarms on journeys of people who were not attacked
    Travel(TravelArgs),
}

/// Where the data is.
#[derive(Args, Debug)]
pub struct AllArgs {
    /// The directory with `login/`, `sea/`, `darpa/`, `adbench/` and `mobility/`.
    directory: PathBuf,
}

/// The edges.
#[derive(Args, Debug)]
pub struct EdgesArgs {
    /// The file: source, destination, time and label in each line; plain, gzip or xz.
    #[arg(long = "in", value_name = "EDGES.csv.xz")]
    events: PathBuf,
}

/// The runs.
#[derive(Args, Debug)]
pub struct SequenceArgs {
    /// The commands: one line per person, with 5,000 own commands and then 100 blocks of 100 commands.
    #[arg(long = "in", value_name = "USERS.txt.gz")]
    events: PathBuf,
    /// The labels: one line per block, one column per person; 1 if another person typed the block.
    #[arg(long, value_name = "LABELS.txt")]
    labels: PathBuf,
    /// Number of people used only for training.
    #[arg(long, value_name = "N", default_value_t = 0)]
    skip_users: usize,
}

/// The rows.
#[derive(Args, Debug)]
pub struct StreamArgs {
    /// The file: one row per line.
    #[arg(long = "in", value_name = "ROWS.csv.gz")]
    events: PathBuf,
}

/// A figure that somebody else reached on the same file, what is to be reached, and what was.
struct Mark {
    work: &'static str,
    figure: &'static str,
    anchor: &'static str,
    bound: Bound,
    measured: Option<f64>,
}

/// What is to be reached.
#[derive(Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Mark {
    fn reached(&self) -> bool {
        self.measured.is_some_and(|measured| match self.bound {
            Bound::AtLeast(bound) => measured >= bound,
            Bound::AtMost(bound) => measured <= bound,
        })
    }
}

/// Evaluates, and prints the figures.
pub fn run(command: &EvaluateCommand, output: Output) -> Result<Exit> {
    let started = Instant::now();
    let clock = move || started.elapsed();
    match command {
        EvaluateCommand::All(args) => return all(&args.directory, output, &clock),
        EvaluateCommand::Edges(args) => tell(&edges::run(&args.events, &clock)?, output),
        EvaluateCommand::Login(args) => show(&login::run(args, LoginRule::default(), &|| nanoseconds(clock()))?, output),
        EvaluateCommand::Sequence(args) => tell(&sequence::run(&args.events, &args.labels, args.skip_users, &clock)?, output),
        EvaluateCommand::Stream(args) => tell(&numeric::run(&args.events, &clock)?, output),
        EvaluateCommand::Travel(args) => show(&travel::run(args, &LoginRule::default(), &|| nanoseconds(clock()))?, output),
    }
    Ok(Exit::Fine)
}

fn nanoseconds(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
}

fn show(report: &Report, output: Output) {
    match output {
        Output::Json => say_json(&report.json()),
        Output::Text => say(report.to_string()),
    }
}

fn tell(report: &tally::Report, output: Output) {
    match output {
        Output::Json => say_json(report),
        Output::Text => say(words(report)),
    }
}

fn words(report: &tally::Report) -> String {
    let mut out = format!("{} events, {} of them attacks\n", report.events, report.attacks);
    let _ = writeln!(out, "AUC {}", report.curve.auc.map_or("unknown".to_owned(), |auc| format!("{auc:.4}")));
    for at in &report.curve.detection {
        let _ = writeln!(out, "detected at {:>4} % false positives   {:.3}", at.false_positives * 100.0, at.detected);
    }
    let episodes = &report.episodes;
    let _ = writeln!(
        out,
        "whole attacks: {}, detected {:.3}, at the first event {:.3}, median number of events until detected {}",
        episodes.attacks,
        episodes.detected,
        episodes.detected_at_once,
        episodes.median_events.map_or("unknown".to_owned(), |events| events.to_string()),
    );
    for (title, groups) in [("class", &report.by_class), ("depth of history", &report.by_depth)] {
        for group in groups {
            let _ = writeln!(
                out,
                "{title} {:<24} {:>7} attacks, detected {:.3}; {:>8} ordinary, false alarms {:.4}",
                group.name, group.attacks, group.detected, group.ordinary, group.false_alarms
            );
        }
    }
    let cost = &report.cost;
    let _ = write!(
        out,
        "per event: {:.2} us (median), {:.2} us (p99); {} bytes of state",
        cost.median_micros, cost.p99_micros, cost.state_bytes
    );
    out
}

fn number(report: &Report, section: &str, name: &str) -> Option<f64> {
    match report.get(section, name)? {
        Figure::Number(number) => Some(*number),
        Figure::Count(count) => u32::try_from(*count).ok().map(f64::from),
        Figure::None | Figure::Word(_) => None,
    }
}

/// Detection at a share of false positives.
fn detected(report: &tally::Report, false_positives: f64) -> Option<f64> {
    report.curve.detection.iter().find(|at| (at.false_positives - false_positives).abs() < 1e-9).map(|at| at.detected)
}

fn all(directory: &Path, output: Output, clock: &dyn Fn() -> Duration) -> Result<Exit> {
    let marks = marks(directory, clock)?;
    let below = marks.iter().filter(|mark| !mark.reached()).count();
    match output {
        Output::Json => {
            let rows: Vec<_> = marks
                .iter()
                .map(|mark| {
                    let (kind, bound) = match mark.bound {
                        Bound::AtLeast(bound) => ("at_least", bound),
                        Bound::AtMost(bound) => ("at_most", bound),
                    };
                    let mut row = Map::from_iter([(kind.to_owned(), json!(bound))]);
                    row.insert("work".to_owned(), json!(mark.work));
                    row.insert("figure".to_owned(), json!(mark.figure));
                    row.insert("measured".to_owned(), json!(mark.measured));
                    row.insert("reached".to_owned(), json!(mark.reached()));
                    Value::Object(row)
                })
                .collect();
            say_json(&rows);
        }
        Output::Text => {
            let mut drawn = table(&["work", "figure", "anchors on the same files", "to reach", "measured", ""]);
            for mark in &marks {
                let bound = match mark.bound {
                    Bound::AtLeast(bound) => format!(">= {bound}"),
                    Bound::AtMost(bound) => format!("<= {bound}"),
                };
                let measured = mark.measured.map_or("unknown".to_owned(), |measured| format!("{measured:.4}"));
                let word = if mark.reached() { "reached" } else { "BELOW" };
                drawn.add_row([mark.work, mark.figure, mark.anchor, &bound, &measured, word]);
            }
            say(format!("{drawn}\n{} of {} figures reached", marks.len().saturating_sub(below), marks.len()));
        }
    }
    Ok(if below == 0 { Exit::Fine } else { Exit::No })
}

fn marks(directory: &Path, clock: &dyn Fn() -> Duration) -> Result<Vec<Mark>> {
    let at = |path: &str| directory.join(path);
    let started = clock;
    let stopwatch = || nanoseconds(started());
    let logins = LoginArgs { events: at("login/login_dev.csv.gz"), asn: at("login/asn.csv"), out: None, method: Method::Evidence };
    let login = login::run(&logins, LoginRule::default(), &stopwatch).context("`login`")?;
    let sequence = sequence::run(&at("sea/users_01_30.txt.gz"), &at("sea/labels_01_30.txt"), 0, clock).context("`sequence`")?;
    let edges = edges::run(&at("darpa/darpa_first_half.csv.xz"), clock).context("`edges`")?;
    let smtp = numeric::run(&at("adbench/smtp.csv.gz"), clock).context("`stream` smtp")?;
    let shuttle = numeric::run(&at("adbench/shuttle.csv.gz"), clock).context("`stream` shuttle")?;
    let journeys = |file: &str| travel::run(&TravelArgs { events: at(file) }, &LoginRule::default(), &stopwatch).context("`travel`");
    let (world, city) = (journeys("mobility/gowalla_world.csv.gz")?, journeys("mobility/gowalla_nyc.csv.gz")?);
    let mark = |work, figure, anchor, bound, measured| Mark { work, figure, anchor, bound, measured };
    let alarms = |report: &Report| number(report, "at the shipped threshold", "false alarms per person and month");
    let freeman = "Freeman 0.902, log-odds 0.955";
    let midas = "MIDAS 0.964, MIDAS-R 0.9945, MIDAS-F 0.9944";
    Ok(vec![
        mark("login", "AUC", freeman, Bound::AtLeast(0.97), number(&login, OVERALL, "AUC")),
        mark(
            "login",
            "first attack events at 1 %",
            "0.43, 0.72",
            Bound::AtLeast(0.80),
            number(&login, OVERALL, "detection of first events at 1 %"),
        ),
        mark(
            "login",
            "challenges per person and month",
            "",
            Bound::AtMost(0.20),
            number(&login, "at the shipped threshold", "challenges per person and month"),
        ),
        mark("sequence", "AUC", "naive Bayes 0.921, bigram 0.933", Bound::AtLeast(0.94), sequence.curve.auc),
        mark("sequence", "detected at 1 %", "0.600, 0.497", Bound::AtLeast(0.60), detected(&sequence, 0.01)),
        mark("sequence", "detected at 5 %", "0.731, 0.841", Bound::AtLeast(0.85), detected(&sequence, 0.05)),
        mark("edges", "AUC", midas, Bound::AtLeast(0.994), edges.curve.auc),
        mark("edges", "detected at 1 %", "0.774, 0.978, 0.981", Bound::AtLeast(0.98), detected(&edges, 0.01)),
        mark("stream smtp", "AUC", "cut forest 0.895, trees 0.854", Bound::AtLeast(0.90), smtp.curve.auc),
        mark("stream shuttle", "AUC", "cut forest 0.985, trees 0.987", Bound::AtLeast(0.985), shuttle.curve.auc),
        mark("travel, world", "false alarms per person and month", "0.163, 0.0145", Bound::AtMost(0.01), alarms(&world)),
        mark("travel, city", "false alarms per person and month", "", Bound::AtMost(0.001), alarms(&city)),
    ])
}

/// The section of a login report that the anchors are comparable with.
const OVERALL: &str = "with a history of three logins or more";
