//! `evaluate login`: a stream of logins, judged one by one.
//!
//! Columns: `ts,user,ip,asn,country,lat,lon,acc_km,device_id,os,client,device_type`, sorted by time; `lat`, `lon`, `acc_km` and the last
//! four may be empty, `rtt_ms` may be there. `label` (1: attack), `attack` (its class) and `segment` (the attack that the row belongs to)
//! never reach the model. They answer the step-ups that it asks for: the account's owner passes, every attacker fails, also one who replays
//! a token and the device's name from another machine, since a step-up asks for a proof by a key that a replayed token does not bring
//! along. Without labels nobody answers, so a challenged login is neither learned nor held against anyone.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    net::IpAddr,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use countersign_core::{Limits, UnixSeconds};
use countersign_risk::{
    evidence::Contribution,
    fingerprint::{Field, Salt},
    freeman::{FreemanPopulation, FreemanProfile, values},
    geo::Position,
    login::{Assessment, DeviceName, Login, LoginRule, Settled, Verdict},
    monitor::LoginMonitor,
    network::{Asn, NetworkKind},
};

use crate::{
    metrics::{self, auc, count, median, share_above, threshold},
    rows::{Column, Row, Rows, RowsRefusal},
    table::Report,
};

/// Key of the fingerprints. In an evaluation it need not be secret; it has to be the same each time.
const SALT: Salt = Salt(0x636f_756e_7465_7273);
/// Length of history that the headline figures ask for, as published measurements do.
const DEPTH_MIN: usize = 3;

/// What judges. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// The shipped one: the sum of log-likelihood ratios.
    Evidence,
    /// The baseline: Freeman et al. (NDSS 2016).
    Freeman,
}

/// The command's arguments.
#[derive(Args, Clone, Debug)]
pub struct LoginArgs {
    /// The logins: CSV, gzipped if the name ends in `.gz`.
    #[arg(long = "in", value_name = "EVENTS.csv.gz")]
    pub events: PathBuf,
    /// Kinds of networks: CSV with the columns `asn` and `type`.
    #[arg(long, value_name = "ASN.csv")]
    pub asn: PathBuf,
    /// Where to write each row's number from 0, its score (nats), whether it was challenged, and what each feature contributed.
    #[arg(long, value_name = "SCORES.csv")]
    pub out: Option<PathBuf>,
    /// What judges.
    #[arg(long, value_enum, default_value_t = Method::Evidence)]
    pub method: Method,
}

/// Facts about a row that the harness knows and the model does not.
struct Truth {
    attack: Option<Attack>,
    user: usize,
    at: UnixSeconds,
}

struct Attack {
    class: String,
    segment: String,
}

/// Outcome of a row.
struct Scored {
    score: f64,
    challenged: bool,
    depth: usize,
    contributions: Vec<Contribution>,
}

/// Runs the command with the configuration's `rule`; `nanoseconds` is a stopwatch.
///
/// # Errors
/// An error when a file cannot be read, a row is malformed, or the scores cannot be written.
pub fn run(args: &LoginArgs, rule: LoginRule, nanoseconds: &dyn Fn() -> u64) -> Result<Report, RowsRefusal> {
    let kinds = kinds(&args.asn)?;
    let rows = Rows::open(&args.events)?;
    let columns = Columns::of(&rows)?;
    let mut judge = Judge::new(args.method, rule);
    let mut truths = Vec::new();
    let mut scored = Vec::new();
    let mut users: BTreeMap<String, usize> = BTreeMap::new();
    let mut depths: Vec<usize> = Vec::new();
    let (mut spent, mut last) = (0_u64, UnixSeconds(0));
    for row in rows {
        let row = row?;
        let event = columns.event(&row, &kinds)?;
        if event.at < last {
            return Err(RowsRefusal::OutOfOrder { line: row.line });
        }
        last = event.at;
        let truth = columns.truth(&row)?;
        let next = users.len();
        let user = *users.entry(event.user.to_owned()).or_insert(next);
        let settle = |verdict: Verdict| match (verdict, &truth) {
            (Verdict::Usual | Verdict::Unusual, _) => Some(Settled::Allowed),
            (Verdict::StepUp, Some(None)) => Some(Settled::StepUpPassed),
            (Verdict::StepUp, Some(Some(_))) => Some(Settled::StepUpFailed),
            (Verdict::StepUp, None) => None,
        };
        let start = nanoseconds();
        let judged = judge.judge(event.user, &event.login, settle, event.at);
        spent = spent.saturating_add(nanoseconds().saturating_sub(start));
        if depths.len() <= user {
            depths.resize(user.saturating_add(1), 0);
        }
        scored.push(Scored { depth: depths.get(user).copied().unwrap_or(0), ..judged });
        let attack = truth.flatten();
        if attack.is_none()
            && let Some(depth) = depths.get_mut(user)
        {
            *depth = depth.saturating_add(1);
        }
        truths.push(Truth { attack, user, at: event.at });
    }
    if let Some(path) = &args.out {
        write_scores(path, &scored)?;
    }
    let mut report = figures(&scored, &truths, columns.label.is_some());
    report.add("at the shipped threshold", "threshold", judge.step_up());
    report.add("cost", "microseconds per event", metrics::microseconds(spent) / count(scored.len().max(1)));
    report.add("cost", "bytes per person", judge.bytes_per_person());
    Ok(report)
}

fn write_scores(path: &Path, scored: &[Scored]) -> Result<(), RowsRefusal> {
    let unwritable = |why| RowsRefusal::Unwritable { path: path.to_owned(), why };
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).map_err(unwritable)?);
    writeln!(file, "row,score,challenged,contributions").map_err(unwritable)?;
    for (row, one) in scored.iter().enumerate() {
        write!(file, "{row},{:.6},{},", one.score, u8::from(one.challenged)).map_err(unwritable)?;
        for (index, part) in one.contributions.iter().enumerate() {
            let gap = if index == 0 { "" } else { " " };
            write!(file, "{gap}{}={:.4}", part.feature.as_str(), part.weight).map_err(unwritable)?;
        }
        writeln!(file).map_err(unwritable)?;
    }
    file.flush().map_err(unwritable)
}

fn kinds(path: &Path) -> Result<BTreeMap<u32, NetworkKind>, RowsRefusal> {
    let rows = Rows::open(path)?;
    let (asn, kind) = (rows.column("asn")?, rows.column("type")?);
    rows.map(|row| row.and_then(|row| Ok((row.parsed(&asn)?, NetworkKind::named(row.text(&kind)))))).collect()
}

struct Columns {
    ts: Column,
    user: Column,
    ip: Column,
    asn: Column,
    country: Column,
    place: [Option<Column>; 3],
    device: Option<Column>,
    software: [Option<Column>; 3],
    round_trip: Option<Column>,
    label: Option<Column>,
    attack: Option<Column>,
    segment: Option<Column>,
}

struct Event<'a> {
    user: &'a str,
    login: Login<'a>,
    at: UnixSeconds,
}

impl Columns {
    fn of(rows: &Rows) -> Result<Self, RowsRefusal> {
        let maybe = |name| rows.column_if_any(name);
        Ok(Self {
            ts: rows.column("ts")?,
            user: rows.column("user")?,
            ip: rows.column("ip")?,
            asn: rows.column("asn")?,
            country: rows.column("country")?,
            place: [maybe("lat"), maybe("lon"), maybe("acc_km")],
            device: maybe("device_id"),
            software: [maybe("os"), maybe("client"), maybe("device_type")],
            round_trip: maybe("rtt_ms"),
            label: maybe("label"),
            attack: maybe("attack"),
            segment: maybe("segment"),
        })
    }

    fn event<'a>(&self, row: &'a Row, kinds: &BTreeMap<u32, NetworkKind>) -> Result<Event<'a>, RowsRefusal> {
        let [lat, lon, acc] = self.place.each_ref().map(|column| row.parsed_if_any::<f64>(column.as_ref()));
        let position = match (lat?, lon?) {
            (Some(lat), Some(lon)) => Some(
                Position::new(lat, lon, acc?.unwrap_or(0.0))
                    .map_err(|_| row.malformed(self.place.iter().flatten().next().unwrap_or(&self.ip)))?,
            ),
            (Some(_), None) | (None, Some(_) | None) => None,
        };
        let network: Option<u32> = row.parsed_if_any(Some(&self.asn))?;
        let text = |column: &Option<Column>| column.as_ref().map_or("", |column| row.text(column));
        let [os, client, form] = self.software.each_ref().map(text);
        let login = Login {
            address: row.parsed::<IpAddr>(&self.ip)?,
            network: network.map(Asn),
            country: Some(row.text(&self.country)).filter(|code| !code.is_empty()),
            kind: network.and_then(|number| kinds.get(&number).copied()).unwrap_or(NetworkKind::Unknown),
            position,
            device: Some(text(&self.device)).filter(|name| !name.is_empty()).map_or(DeviceName::Unnamed, DeviceName::Claimed),
            os,
            client,
            form,
            round_trip_ms: row.parsed_if_any(self.round_trip.as_ref())?,
        };
        Ok(Event { user: row.text(&self.user), login, at: row.instant(&self.ts)? })
    }

    /// Attack of a row: `None` without labels, `Some(None)` for the owner.
    fn truth(&self, row: &Row) -> Result<Option<Option<Attack>>, RowsRefusal> {
        let Some(label) = &self.label else { return Ok(None) };
        let text = |column: &Option<Column>| column.as_ref().map_or(String::new(), |column| row.text(column).to_owned());
        match row.text(label) {
            "0" => Ok(Some(None)),
            "1" => Ok(Some(Some(Attack { class: text(&self.attack), segment: text(&self.segment) }))),
            _ => Err(row.malformed(label)),
        }
    }
}

/// The two models behind one interface.
enum Judge {
    Evidence(Box<LoginMonitor>),
    Freeman { population: Box<FreemanPopulation>, people: BTreeMap<u64, FreemanProfile> },
}

/// Threshold of the baseline: about 1 % of the honest events of the development data exceed it.
const FREEMAN_STEP_UP: f64 = 1.8;

impl Judge {
    fn new(method: Method, rule: LoginRule) -> Self {
        match method {
            Method::Evidence => Self::Evidence(Box::new(LoginMonitor::new(rule, SALT, Limits::LOGINS_PEOPLE_MAX))),
            Method::Freeman => Self::Freeman { population: Box::default(), people: BTreeMap::new() },
        }
    }

    fn judge(&mut self, user: &str, login: &Login<'_>, settle: impl Fn(Verdict) -> Option<Settled>, now: UnixSeconds) -> Scored {
        match self {
            Self::Evidence(monitor) => {
                let assessment: Assessment = monitor.assess(user, login, now);
                if let Some(settled) = settle(assessment.verdict) {
                    monitor.settle(user, &assessment, settled);
                }
                let contributions = assessment.evidence.contributions().to_vec();
                let challenged = assessment.verdict == Verdict::StepUp;
                Scored { score: assessment.evidence.total(), challenged, depth: 0, contributions }
            }
            Self::Freeman { population, people } => {
                let profile = people.entry(SALT.long(Field::Subject, user.as_bytes())).or_default();
                let values = values(login, SALT);
                let score = population.score(&values, profile).unwrap_or(-20.0);
                let verdict = if score >= FREEMAN_STEP_UP { Verdict::StepUp } else { Verdict::Usual };
                if matches!(settle(verdict), Some(Settled::Allowed | Settled::StepUpPassed)) {
                    population.learn(&values, profile, now);
                }
                Scored { score, challenged: verdict == Verdict::StepUp, depth: 0, contributions: Vec::new() }
            }
        }
    }

    fn step_up(&self) -> f64 {
        match self {
            Self::Evidence(monitor) => monitor.rule().step_up,
            Self::Freeman { .. } => FREEMAN_STEP_UP,
        }
    }

    fn bytes_per_person(&self) -> Option<f64> {
        match self {
            Self::Evidence(monitor) => {
                let all: usize = monitor.people().iter().map(|(_, profile)| profile.bytes()).sum();
                Some(count(all) / count(monitor.people().len().max(1)))
            }
            Self::Freeman { .. } => None,
        }
    }
}

fn figures(scored: &[Scored], truths: &[Truth], labelled: bool) -> Report {
    let mut report = Report::default();
    let seen: BTreeSet<usize> = truths.iter().map(|truth| truth.user).collect();
    report.add("events", "all", scored.len());
    report.add("events", "people", seen.len());
    let months = months(truths);
    report.add("events", "person-months", months);
    if !labelled {
        let challenged = scored.iter().filter(|one| one.challenged).count();
        report.add("at the shipped threshold", "challenges per person and month", count(challenged) / months);
        return report;
    }
    let all: Vec<(&Scored, &Truth)> = scored.iter().zip(truths).collect();
    let deep: Vec<(&Scored, &Truth)> = all.iter().filter(|(one, _)| one.depth >= DEPTH_MIN).copied().collect();
    section(&mut report, "with a history of three logins or more", &deep);
    section(&mut report, "all", &all);
    by_class(&mut report, &deep);
    by_depth(&mut report, &all, &deep);
    at_the_threshold(&mut report, &all, &deep, months);
    report
}

fn scores<'a>(rows: impl IntoIterator<Item = &'a (&'a Scored, &'a Truth)>) -> Vec<f64> {
    rows.into_iter().map(|(one, _)| one.score).collect()
}

fn honest(rows: &[(&Scored, &Truth)]) -> Vec<f64> {
    scores(rows.iter().filter(|(_, truth)| truth.attack.is_none()))
}

fn attacks(rows: &[(&Scored, &Truth)]) -> Vec<f64> {
    scores(rows.iter().filter(|(_, truth)| truth.attack.is_some()))
}

/// First rows of each attack, with its class.
fn firsts<'a>(rows: &[(&'a Scored, &'a Truth)]) -> Vec<(&'a str, f64)> {
    let mut met = BTreeSet::new();
    let attacks = rows.iter().filter_map(|(one, truth)| truth.attack.as_ref().map(|attack| (one, attack)));
    attacks.filter(|(_, attack)| met.insert(attack.segment.as_str())).map(|(one, attack)| (attack.class.as_str(), one.score)).collect()
}

fn section(report: &mut Report, title: &str, rows: &[(&Scored, &Truth)]) {
    let (honest, attacks) = (honest(rows), attacks(rows));
    let firsts: Vec<f64> = firsts(rows).into_iter().map(|(_, score)| score).collect();
    report.add(title, "honest events", honest.len());
    report.add(title, "attack events", attacks.len());
    report.add(title, "AUC", auc(&honest, &attacks));
    for (share, name) in [(0.001, "0.1 %"), (0.01, "1 %"), (0.05, "5 %")] {
        let line = threshold(&honest, share);
        report.add(title, &format!("detection at {name}"), line.and_then(|line| share_above(&attacks, line)));
        report.add(title, &format!("detection of first events at {name}"), line.and_then(|line| share_above(&firsts, line)));
    }
}

fn by_class(report: &mut Report, rows: &[(&Scored, &Truth)]) {
    let honest = honest(rows);
    let line = threshold(&honest, 0.01).unwrap_or(f64::INFINITY);
    let classes: BTreeSet<&str> = rows.iter().filter_map(|(_, truth)| truth.attack.as_ref().map(|attack| attack.class.as_str())).collect();
    let firsts = firsts(rows);
    for class in classes {
        let of_class = scores(rows.iter().filter(|(_, truth)| truth.attack.as_ref().is_some_and(|attack| attack.class == class)));
        let first: Vec<f64> = firsts.iter().filter(|(of, _)| *of == class).map(|(_, score)| *score).collect();
        report.add("by class", &format!("{class}: AUC"), auc(&honest, &of_class));
        report.add("by class", &format!("{class}: first events at 1 %"), share_above(&first, line));
    }
}

fn by_depth(report: &mut Report, all: &[(&Scored, &Truth)], deep: &[(&Scored, &Truth)]) {
    let line = threshold(&honest(deep), 0.01).unwrap_or(f64::INFINITY);
    for (low, high) in [(0, 0), (1, 2), (3, 9), (10, 29), (30, 99), (100, usize::MAX)] {
        let rows: Vec<(&Scored, &Truth)> = all.iter().filter(|(one, _)| (low..=high).contains(&one.depth)).copied().collect();
        let name = if high == usize::MAX { format!("{low} and more") } else { format!("{low} to {high}") };
        let (honest, attacks) = (honest(&rows), attacks(&rows));
        report.add("by depth of history", &format!("{name}: AUC"), auc(&honest, &attacks));
        report.add("by depth of history", &format!("{name}: detection at 1 %"), share_above(&attacks, line));
        report.add("by depth of history", &format!("{name}: false positives at 1 %"), share_above(&honest, line));
    }
}

fn at_the_threshold(report: &mut Report, all: &[(&Scored, &Truth)], deep: &[(&Scored, &Truth)], months: f64) {
    let title = "at the shipped threshold";
    let challenged = all.iter().filter(|(one, truth)| truth.attack.is_none() && one.challenged).count();
    report.add(title, "challenges per person and month", count(challenged) / months);
    report.add(title, "honest events challenged", count(challenged) / count(honest(all).len().max(1)));
    let mut segments: BTreeMap<&str, (Option<usize>, usize)> = BTreeMap::new();
    for (one, truth) in deep {
        let Some(attack) = &truth.attack else { continue };
        let (caught, events) = segments.entry(attack.segment.as_str()).or_default();
        if caught.is_none() && one.challenged {
            *caught = Some(*events);
        }
        *events = events.saturating_add(1);
    }
    let caught: Vec<f64> = segments.values().filter_map(|(caught, _)| caught.map(count)).collect();
    let at_once = caught.iter().filter(|events| **events < 0.5).count();
    let all_segments = count(segments.len().max(1));
    report.add(title, "first events challenged", count(at_once) / all_segments);
    report.add(title, "attacks challenged sooner or later", count(caught.len()) / all_segments);
    report.add(title, "events until detection, mean", (!caught.is_empty()).then(|| caught.iter().sum::<f64>() / count(caught.len())));
    report.add(title, "events until detection, median", median(&caught));
}

/// Time from each person's first honest event to the last, in months of 30.44 days.
fn months(truths: &[Truth]) -> f64 {
    let mut spans: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
    for truth in truths.iter().filter(|truth| truth.attack.is_none()) {
        let UnixSeconds(at) = truth.at;
        let span = spans.entry(truth.user).or_insert((at, at));
        *span = (span.0.min(at), span.1.max(at));
    }
    let seconds: u64 = spans.values().map(|(first, last)| last.saturating_sub(*first)).sum();
    count(usize::try_from(seconds / 60).unwrap_or(usize::MAX)) / 1440.0 / 30.44
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Figure;

    /// Six people at home for 60 days; on day 50 a machine in a data centre tries each.
    fn events(label: bool, noise: &str) -> String {
        let mut text = String::from("ts,user,ip,asn,country,lat,lon,acc_km,device_id,os,client,device_type,attack,segment,hard_negative");
        text.push_str(if label { ",label\n" } else { "\n" });
        let mut line = |day: u32, hour: u32, rest: &str, attack: bool| {
            let class = if attack { format!("naive,{noise}1,") } else { format!(",-1,{noise}") };
            let label = match (label, attack) {
                (true, true) => ",1",
                (true, false) => ",0",
                (false, true | false) => "",
            };
            text.push_str(&format!("2026-{:02}-{:02}T{hour:02}:00:00.5Z,{rest},{class}{label}\n", 1 + day / 28, 1 + day % 28));
        };
        for day in 0..60 {
            for user in 0..6 {
                line(day, 9 + user, &format!("u{user},192.0.{user}.1,1,DE,52.5,13.4,10,d{user},Android 14,App/1,phone"), false);
                if day == 50 {
                    line(day, 9 + user, &format!("u{user},198.51.100.1,2,SG,1.3,103.8,20,thief,Linux,curl,desktop"), true);
                }
            }
        }
        text
    }

    fn evaluate(events: &str, method: Method) -> Result<(Report, String), RowsRefusal> {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        std::fs::write(path("events.csv"), events).unwrap();
        std::fs::write(path("asn.csv"), "asn,country,type\n1,DE,isp\n2,SG,hosting\n").unwrap();
        let args = LoginArgs { events: path("events.csv"), asn: path("asn.csv"), out: Some(path("scores.csv")), method };
        let report = run(&args, LoginRule::default(), &|| 0)?;
        Ok((report, std::fs::read_to_string(path("scores.csv")).unwrap()))
    }

    #[test]
    fn attacks_are_told_from_people_by_either_method() {
        for method in [Method::Evidence, Method::Freeman] {
            let (report, scores) = evaluate(&events(true, ""), method).unwrap();
            assert_eq!(report.get("all", "AUC"), Some(&Figure::Number(1.0)), "{method:?}");
            assert_eq!(report.get("all", "attack events"), Some(&Figure::Count(6)), "{method:?}");
            assert_eq!(scores.lines().count(), 367, "{method:?}");
            assert!(scores.starts_with("row,score,challenged,contributions\n0,"), "{method:?}");
        }
    }

    #[test]
    fn what_a_row_is_never_reaches_the_model() {
        let (_, plain) = evaluate(&events(true, ""), Method::Evidence).unwrap();
        let (_, noisy) = evaluate(&events(true, "x"), Method::Evidence).unwrap();
        assert_eq!(plain, noisy);
        // Without labels nobody answers step-ups; what comes before the first one is judged alike.
        let (report, unlabelled) = evaluate(&events(false, ""), Method::Evidence).unwrap();
        let before = |scores: &str| scores.lines().take(300).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(before(&plain), before(&unlabelled));
        assert_eq!(report.get("all", "AUC"), None);
    }

    #[test]
    fn rows_that_cannot_be_used() {
        let good = events(true, "");
        let rows = [
            ("out of order", good.replace("2026-01-02T09", "2025-01-02T09"), "line 8 lies before the line above it; sort the file by time"),
            ("no address", good.replace("192.0.0.1", "192.0.0"), "line 2: `192.0.0` is not a `ip`"),
            ("a place beyond the pole", good.replace("52.5", "95"), "line 2: `95` is not a `lat`"),
            ("a label of its own", good.replace(",1\n", ",maybe\n"), "line 303: `maybe` is not a `label`"),
            ("no user", good.replace("user", "person"), "the column `user` is missing from the header"),
        ];
        for (name, events, message) in rows {
            assert_eq!(evaluate(&events, Method::Evidence).err().map(|refusal| refusal.to_string()).as_deref(), Some(message), "{name}");
        }
        let nowhere = LoginArgs { out: Some(PathBuf::from("no/such/place.csv")), ..arguments() };
        assert!(matches!(write_scores(nowhere.out.as_deref().unwrap(), &[]), Err(RowsRefusal::Unwritable { .. })));
    }

    fn arguments() -> LoginArgs {
        LoginArgs { events: PathBuf::new(), asn: PathBuf::new(), out: None, method: Method::Evidence }
    }
}
