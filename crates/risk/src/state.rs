//! Serialisation of profiles and populations.
//!
//! Every number is checked when it is read, so that a restored state is one that could have been learned.

use countersign_core::UnixSeconds;

use crate::{
    bytes::{FrameRefusal, Reader, Writer},
    fingerprint::Fingerprint,
    frequency::{Seen, Sketch, Tally, Vouched},
    geo::Position,
    network::NetworkKind,
    population::{DEPTHS, HOURS, INTERVALS, NOVELTIES, Population, Rate},
    profile::{Device, Observation, PENDING_MAX, PLACES_MAX, Profile, REFUSALS_MAX, Refusal, Spread, Step, TRAIL_MAX},
};

pub(crate) fn write_profile(profile: &Profile, out: &mut Writer) {
    // INVARIANT: the order of fields is the format. Another order needs a new `VERSION` in `frames.rs`.
    for number in [profile.as_of, profile.depth, profile.last] {
        out.u32(number);
    }
    write_tally(&profile.devices, out);
    write_tally(&profile.prefixes, out);
    write_tally(&profile.networks, out);
    write_tally(&profile.countries, out);
    write_tally(&profile.platforms, out);
    out.f32s(&profile.kinds);
    out.f32s(&profile.hours);
    for Spread { count, mean, variance } in profile.round_trips {
        out.f32s(&[count, mean, variance]);
    }
    out.length(profile.trail.len());
    for Step { at, position, device } in &profile.trail {
        out.u32(*at);
        out.f32s(&position.parts());
        write_device(*device, out);
    }
    out.length(profile.places.len());
    for place in &profile.places {
        out.f32s(&place.parts());
    }
    out.length(profile.pending.len());
    for observation in &profile.pending {
        write_observation(observation, out);
    }
    out.length(profile.refusals.len());
    for Refusal { at, device, prefix } in &profile.refusals {
        out.u32(*at);
        write_option(*device, out);
        out.u32(prefix.0);
    }
}

pub(crate) fn read_profile(from: &mut Reader<'_>) -> Result<Profile, FrameRefusal> {
    let (as_of, depth, last) = (from.u32()?, from.u32()?, from.u32()?);
    let (devices, prefixes, networks) = (read_tally(from)?, read_tally(from)?, read_tally(from)?);
    let (countries, platforms) = (read_tally(from)?, read_tally(from)?);
    let (mut kinds, mut hours) = ([0.0; 6], [0.0; HOURS]);
    from.counts(&mut kinds)?;
    from.counts(&mut hours)?;
    let mut spread = || Ok(Spread { count: from.count()?, mean: from.f32()?, variance: from.f32()? });
    let round_trips = [spread()?, spread()?];
    let trail = list(from, TRAIL_MAX, |from| Ok(Step { at: from.u32()?, position: read_position(from)?, device: read_device(from)? }))?;
    let places = list(from, PLACES_MAX, read_position)?;
    let pending = list(from, PENDING_MAX, read_observation)?;
    let refusals =
        list(from, REFUSALS_MAX, |from| Ok(Refusal { at: from.u32()?, device: read_option(from)?, prefix: Fingerprint(from.u32()?) }))?;
    Ok(Profile {
        as_of,
        depth,
        last,
        devices,
        prefixes,
        networks,
        countries,
        platforms,
        kinds,
        hours,
        round_trips,
        trail,
        places,
        pending,
        refusals,
    })
}

pub(crate) fn write_population(population: &Population, out: &mut Writer) {
    out.u32(population.as_of);
    for sketch in [&population.countries, &population.networks, &population.platforms] {
        out.u16(sketch.width());
        out.f32(sketch.total());
        out.f32s(sketch.cells());
    }
    out.f32s(&population.kinds);
    out.f32s(&population.hours);
    out.f32s(&population.intervals);
    out.f32s(&population.waits);
    for Rate { all, fresh } in population.novelties.iter().flatten() {
        out.f32s(&[*all, *fresh]);
    }
}

pub(crate) fn read_population(from: &mut Reader<'_>) -> Result<Population, FrameRefusal> {
    // Only the widths of an empty population are accepted, so no number in the file decides how much is allocated.
    let empty = Population::default();
    let as_of = from.u32()?;
    let countries = read_sketch(from, empty.countries.width())?;
    let networks = read_sketch(from, empty.networks.width())?;
    let platforms = read_sketch(from, empty.platforms.width())?;
    let (mut kinds, mut hours) = ([0.0; 6], [0.0; HOURS]);
    let (mut intervals, mut waits) = ([0.0; INTERVALS], [0.0; INTERVALS]);
    from.counts(&mut kinds)?;
    from.counts(&mut hours)?;
    from.counts(&mut intervals)?;
    from.counts(&mut waits)?;
    // INVARIANT: these counts are divisors of shares and must be above zero (see `Population::fade`).
    if hours.iter().chain(&intervals).chain(&waits).any(|count| *count <= 0.0) {
        return Err(FrameRefusal::ValueImpossible);
    }
    let mut novelties = [[Rate::default(); DEPTHS]; NOVELTIES];
    for rate in novelties.iter_mut().flatten() {
        *rate = Rate { all: from.count()?, fresh: from.count()? };
        // A share above 1 cannot have been counted.
        if rate.fresh > rate.all {
            return Err(FrameRefusal::ValueImpossible);
        }
    }
    Ok(Population { as_of, countries, networks, platforms, kinds, hours, intervals, waits, novelties })
}

fn list<T>(
    from: &mut Reader<'_>,
    max: usize,
    mut item: impl FnMut(&mut Reader<'_>) -> Result<T, FrameRefusal>,
) -> Result<Vec<T>, FrameRefusal> {
    // `max` bounds the list before any item of it is read.
    let length = from.length(max)?;
    (0..length).map(|_| item(from)).collect()
}

fn write_tally<const N: usize>(tally: &Tally<N>, out: &mut Writer) {
    out.f32s(&[tally.total(), tally.fresh()]);
    out.length(tally.entries().len());
    for seen in tally.entries() {
        out.u32(seen.value.0);
        out.f32(seen.count);
        out.u32(seen.first);
        out.u32(seen.last);
        out.u32(seen.note);
        out.u8(match seen.vouched {
            Vouched::No => 0,
            Vouched::Yes => 1,
        });
    }
}

fn read_tally<const N: usize>(from: &mut Reader<'_>) -> Result<Tally<N>, FrameRefusal> {
    let (total, fresh) = (from.count()?, from.count()?);
    let entries = list(from, N, |from| {
        Ok(Seen {
            value: Fingerprint(from.u32()?),
            count: from.count()?,
            first: from.u32()?,
            last: from.u32()?,
            note: from.u32()?,
            vouched: match from.u8()? {
                0 => Vouched::No,
                1 => Vouched::Yes,
                _ => return Err(FrameRefusal::ValueImpossible),
            },
        })
    })?;
    // A share above 1 cannot have been counted.
    if fresh > total {
        return Err(FrameRefusal::ValueImpossible);
    }
    Ok(Tally::from_parts(entries, total, fresh))
}

fn read_sketch(from: &mut Reader<'_>, width: u16) -> Result<Sketch, FrameRefusal> {
    if from.u16()? != width {
        return Err(FrameRefusal::ValueImpossible);
    }
    let total = from.count()?;
    let mut cells = vec![0.0; usize::from(width).saturating_mul(4)];
    from.counts(&mut cells)?;
    Sketch::from_parts(cells, width, total).ok_or(FrameRefusal::ValueImpossible)
}

fn write_observation(observation: &Observation, out: &mut Writer) {
    out.u64(observation.at.0);
    write_device(observation.device, out);
    out.u32(observation.system);
    out.u32(observation.platform.0);
    out.u32(observation.prefix.0);
    write_option(observation.network, out);
    write_option(observation.country, out);
    out.length(observation.kind.index());
    match observation.position {
        Some(position) => {
            out.u8(1);
            out.f32s(&position.parts());
        }
        None => out.u8(0),
    }
    match observation.round_trip_ms {
        Some(milliseconds) => {
            out.u8(1);
            out.u16(milliseconds);
        }
        None => out.u8(0),
    }
}

fn read_observation(from: &mut Reader<'_>) -> Result<Observation, FrameRefusal> {
    Ok(Observation {
        at: UnixSeconds(from.u64()?),
        device: read_device(from)?,
        system: from.u32()?,
        platform: Fingerprint(from.u32()?),
        prefix: Fingerprint(from.u32()?),
        network: read_option(from)?,
        country: read_option(from)?,
        kind: NetworkKind::ALL.get(usize::from(from.u8()?)).copied().ok_or(FrameRefusal::ValueImpossible)?,
        position: if flag(from)? { Some(read_position(from)?) } else { None },
        round_trip_ms: if flag(from)? { Some(from.u16()?) } else { None },
    })
}

fn flag(from: &mut Reader<'_>) -> Result<bool, FrameRefusal> {
    match from.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(FrameRefusal::ValueImpossible),
    }
}

fn write_option(value: Option<Fingerprint>, out: &mut Writer) {
    match value {
        Some(Fingerprint(bits)) => {
            out.u8(1);
            out.u32(bits);
        }
        None => out.u8(0),
    }
}

fn read_option(from: &mut Reader<'_>) -> Result<Option<Fingerprint>, FrameRefusal> {
    Ok(if flag(from)? { Some(Fingerprint(from.u32()?)) } else { None })
}

fn write_device(device: Device, out: &mut Writer) {
    match device {
        Device::Attested(Fingerprint(bits)) => {
            out.u8(2);
            out.u32(bits);
        }
        Device::Claimed(Fingerprint(bits)) => {
            out.u8(1);
            out.u32(bits);
        }
        Device::Unnamed => out.u8(0),
    }
}

fn read_device(from: &mut Reader<'_>) -> Result<Device, FrameRefusal> {
    match from.u8()? {
        0 => Ok(Device::Unnamed),
        1 => Ok(Device::Claimed(Fingerprint(from.u32()?))),
        2 => Ok(Device::Attested(Fingerprint(from.u32()?))),
        _ => Err(FrameRefusal::ValueImpossible),
    }
}

fn read_position(from: &mut Reader<'_>) -> Result<Position, FrameRefusal> {
    let (latitude, longitude, radius) = (from.f32()?, from.f32()?, from.f32()?);
    Position::new(f64::from(latitude), f64::from(longitude), f64::from(radius)).map_err(|_| FrameRefusal::ValueImpossible)
}
