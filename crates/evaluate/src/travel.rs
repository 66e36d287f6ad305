//! `evaluate travel`: the places where honest people really were. Every alarm about them is a false one.
//!
//! Columns: `user,ts,lat,lon`, an optional `acc_km`; each person's rows in order of time. The rule is the shipped one, on the same
//! trail of positions that a login is compared with; after an alarm the person passes the step-up and the position is believed.

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;
use countersign_core::UnixSeconds;
use countersign_risk::{
    fingerprint::{Field, Salt},
    frequency::Vouched,
    geo::Position,
    login::LoginRule,
    network::NetworkKind,
    profile::{Device, Observation, Profile},
};

use crate::{
    metrics::{count, microseconds},
    rows::{Rows, RowsRefusal},
    table::Report,
};

/// Accuracy of a position, in kilometres, when the file states none.
const RADIUS_KM: f64 = 1.0;

/// The command's arguments.
#[derive(Args, Clone, Debug)]
pub struct TravelArgs {
    /// The positions: CSV, gzipped if the name ends in `.gz`.
    #[arg(long = "in", value_name = "CHECKINS.csv.gz")]
    pub events: PathBuf,
}

#[derive(Default)]
struct Traveller {
    profile: Profile,
    span: Option<(UnixSeconds, UnixSeconds)>,
    alarms: usize,
}

/// Runs the command with the configuration's `rule`; `nanoseconds` is a stopwatch.
///
/// # Errors
/// An error when the file cannot be read, or a row is malformed.
pub fn run(args: &TravelArgs, rule: &LoginRule, nanoseconds: &dyn Fn() -> u64) -> Result<Report, RowsRefusal> {
    let rows = Rows::open(&args.events)?;
    let (user, ts, lat, lon) = (rows.column("user")?, rows.column("ts")?, rows.column("lat")?, rows.column("lon")?);
    let acc = rows.column_if_any("acc_km");
    let mut people: BTreeMap<String, Traveller> = BTreeMap::new();
    let (mut events, mut spent) = (0_usize, 0_u64);
    for row in rows {
        let row = row?;
        let radius = row.parsed_if_any(acc.as_ref())?.unwrap_or(RADIUS_KM);
        let position = Position::new(row.parsed(&lat)?, row.parsed(&lon)?, radius).map_err(|_| row.malformed(&lat))?;
        let at = row.instant(&ts)?;
        let person = people.entry(row.text(&user).to_owned()).or_default();
        let (first, last) = person.span.unwrap_or((at, at));
        if at < last {
            return Err(RowsRefusal::OutOfOrder { line: row.line });
        }
        person.span = Some((first, at));
        let observation = observation(position, at);
        let start = nanoseconds();
        if rule.travel_evidence(&observation, &person.profile) > 0.0 {
            person.alarms = person.alarms.saturating_add(1);
        }
        person.profile.learn(&observation, Vouched::Yes);
        spent = spent.saturating_add(nanoseconds().saturating_sub(start));
        events = events.saturating_add(1);
    }
    let seconds: u64 = people.values().filter_map(|person| person.span).map(|(first, last)| last.since(first).0).sum();
    let months = count(usize::try_from(seconds / 60).unwrap_or(usize::MAX)) / 1440.0 / 30.44;
    let alarms: usize = people.values().map(|person| person.alarms).sum();
    let mut report = Report::default();
    report.add("events", "all", events);
    report.add("events", "people", people.len());
    report.add("events", "person-months", months);
    report.add("at the shipped threshold", "false alarms", alarms);
    report.add("at the shipped threshold", "false alarms per person and month", count(alarms) / months);
    report.add("cost", "microseconds per event", microseconds(spent) / count(events.max(1)));
    Ok(report)
}

fn observation(position: Position, at: UnixSeconds) -> Observation {
    let salt = Salt(0);
    Observation {
        at,
        device: Device::Unnamed,
        system: 0,
        platform: salt.fingerprint(Field::Platform, b""),
        prefix: salt.fingerprint(Field::Prefix, b""),
        network: None,
        country: None,
        kind: NetworkKind::Unknown,
        position: Some(position),
        round_trip_ms: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Figure;

    #[test]
    fn alarms_are_leaps_that_no_airliner_makes() {
        let rows = [
            ("around town", "a,2026-01-01T00:00:00Z,52.5,13.4\na,2026-01-01T00:05:00Z,52.4,13.1\n", 0),
            ("a flight", "a,2026-01-01T00:00:00Z,52.5,13.4\na,2026-01-01T10:00:00Z,40.7,-74.0\n", 0),
            ("a leap", "a,2026-01-01T00:00:00Z,52.5,13.4\na,2026-01-01T01:00:00Z,40.7,-74.0\n", 1),
            ("two people", "a,2026-01-01T00:00:00Z,52.5,13.4\nb,2026-01-01T01:00:00Z,40.7,-74.0\n", 0),
        ];
        for (name, lines, alarms) in rows {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), format!("user,ts,lat,lon\n{lines}")).unwrap();
            let report = run(&TravelArgs { events: file.path().to_owned() }, &LoginRule::default(), &|| 0).unwrap();
            assert_eq!(report.get("at the shipped threshold", "false alarms"), Some(&Figure::Count(alarms)), "{name}");
        }
    }

    #[test]
    fn rows_out_of_order_are_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "user,ts,lat,lon\na,2026-01-02T00:00:00Z,1,1\na,2026-01-01T00:00:00Z,1,1\n").unwrap();
        let refusal = run(&TravelArgs { events: file.path().to_owned() }, &LoginRule::default(), &|| 0).err();
        assert!(matches!(refusal, Some(RowsRefusal::OutOfOrder { line: 3 })));
    }
}
