//! Who talks to what, and whether that is suddenly much more than before.
//!
//! An edge is an event from a source (a person, a device, a network) to a destination (an operation, an object, a host). Count
//! sketches hold, for the edge, its source and its destination, how much there is now and how much there usually is; the score
//! follows MIDAS-R (Bhatia et al., AAAI 2020, section 5: relations in time and space, chi-square of the current count against
//! the mean). What differs, and why, measured on the first half of the MIDAS version of DARPA 1998:
//! - what one tick may teach is bounded by three times the mean plus ten. MIDAS-R learns an attack while it runs, and the
//!   filtering core of MIDAS-F needs a threshold per data set;
//! - counts of late are compared above the mean only: silence is no attack;
//! - the number of edges that a source wakes up is counted too (`fan_out_of_source`): a sweep repeats nothing;
//! - a burst of a source, or on an edge, that is rarely heard weighs more, by the logarithm of its share. Rarity alone weighs
//!   nothing: everybody was a newcomer once.
//!
//! With these, AUC is 0.9960 and detection 0.981 at 1 % and 0.992 at 5 % false positives.
//!
//! Tried and worse: adding rarity whatever the burst (0.9965 and 0.982, but a newcomer's first event is then as loud as a flood),
//! remembering the highest count per key (a second burst of an attack is then usual: detection at 1 % false
//! positives falls from 0.98 to 0.72), the sum of the three chi-squares instead of the greatest (AUC 0.988), a Poisson
//! likelihood ratio instead of chi-square (detection at 0.1 % falls from 0.97 to 0.88).
//!
//! Memory: 786,592 bytes ([`EdgeModel::BYTES`]), whoever comes.

mod sketch;

use crate::contribution::{Contribution, total};
use crate::numbers::mix;
use crate::snapshot::{Kind, Reader, SnapshotRefusal, Writer};
use siphasher::sip::SipHasher13;
use sketch::{Activity, Cell, Sketch, ticks_remembered};
use std::hash::Hasher;

/// Keeps the surprise of something never seen finite: a first event among silence is a surprise of 10.
const MEAN_FLOOR: f64 = 0.1;
/// How much more a new neighbour surprises than one more event.
const FAN_OUT_TIMES: f64 = 10.0;
/// An edge this quiet wakes up.
const AWAKE: f64 = 1.0001;
/// Weight of the rarity of the source.
const RARE_SOURCE: f64 = 0.8;
/// Weight of the rarity of the edge.
const RARE_EDGE: f64 = 0.4;
/// The burst at which rarity has half of its weight.
const HALF_A_BURST: f64 = 5.0;

/// How unusual an event is, and why.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct EdgeScore {
    /// The score: about 0 to 8 for ordinary traffic, above 12 for a flood. The sum of the contributions.
    pub score: f64,
    /// The greatest burst by what it is of (`burst_of_edge`, `burst_of_source`, `burst_of_destination` or
    /// `fan_out_of_source`), then `rare_source` and `rare_edge`.
    pub contributions: [Contribution<'static>; 3],
}

/// The model: how much every edge, source and destination usually does.
#[derive(Clone, PartialEq, Debug)]
pub struct EdgeModel {
    keys: [u64; 2],
    first_tick: Option<u64>,
    tick: u64,
    edges: Sketch,
    sources: Sketch,
    destinations: Sketch,
    fans: Sketch,
    everything: Cell,
}

impl EdgeModel {
    /// The bytes of a model.
    pub const BYTES: usize = 4 * Sketch::BYTES + size_of::<Self>();

    /// An empty model. `seed` keys the hashes; secret, so that nobody can choose names that collide.
    #[must_use]
    pub fn new(seed: [u64; 2]) -> Self {
        Self {
            keys: seed,
            first_tick: None,
            tick: 0,
            edges: Sketch::empty(),
            sources: Sketch::empty(),
            destinations: Sketch::empty(),
            fans: Sketch::empty(),
            everything: Cell::EMPTY,
        }
    }

    /// Scores an event against the ticks before it, then counts it.
    ///
    /// `tick` is a number of equal steps of time, such as minutes. An event that comes late counts for the current tick.
    pub fn observe(&mut self, source: &[u8], destination: &[u8], tick: u64) -> EdgeScore {
        let first = *self.first_tick.get_or_insert(tick);
        // The first tick is 1: before it lies an empty one.
        self.tick = self.tick.max(tick.saturating_sub(first).saturating_add(1));
        let now = self.tick;
        let from = self.fingerprint(source);
        let to = self.fingerprint(destination);
        let edge = self.edges.add(mix(from).wrapping_add(to.rotate_left(1)), now);
        let of_source = self.sources.add(from, now);
        let of_destination = self.destinations.add(to, now);
        let everything = self.everything.add(now);
        let ticks = ticks_remembered(now.saturating_sub(1));

        let mut burst = ("burst_of_edge", surprise(edge, ticks));
        let mut greater = |name, value| {
            if value > burst.1 {
                burst = (name, value);
            }
        };
        greater("burst_of_source", surprise(of_source, ticks));
        greater("burst_of_destination", surprise(of_destination, ticks));
        if edge.now <= AWAKE {
            let fan = self.fans.add(from, now);
            // The first neighbour of a tick is no sweep.
            greater("fan_out_of_source", FAN_OUT_TIMES * surprise(Activity { now: fan.now - 1.0, ..fan }, ticks));
        }
        let weight = libm::log1p(burst.1);
        let amplified = weight / (weight + HALF_A_BURST);
        let contributions = [
            Contribution { name: burst.0, weight },
            Contribution { name: "rare_source", weight: amplified * RARE_SOURCE * rarity(of_source, everything) },
            Contribution { name: "rare_edge", weight: amplified * RARE_EDGE * rarity(edge, everything) },
        ];
        EdgeScore { score: total(&contributions), contributions }
    }

    fn fingerprint(&self, name: &[u8]) -> u64 {
        let [k0, k1] = self.keys;
        let mut hasher = SipHasher13::new_with_keys(k0, k1);
        hasher.write(name);
        hasher.finish()
    }

    /// The state as bytes, the key of the hashes included: as secret as the seed.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let mut out = Writer::default();
        self.keys.iter().for_each(|key| out.u64(*key));
        out.u64(u64::from(self.first_tick.is_some()));
        out.u64(self.first_tick.unwrap_or(0));
        out.u64(self.tick);
        [&self.edges, &self.sources, &self.destinations, &self.fans].iter().for_each(|sketch| sketch.write(&mut out));
        self.everything.write(&mut out);
        out.seal(Kind::Edges)
    }

    /// The state that [`EdgeModel::snapshot`] wrote.
    ///
    /// # Errors
    /// When the bytes are not what was written.
    pub fn restore(bytes: &[u8]) -> Result<Self, SnapshotRefusal> {
        let mut from = Reader::open(bytes, Kind::Edges)?;
        let keys = [from.u64()?, from.u64()?];
        let first_tick = match (from.u64()?, from.u64()?) {
            (0, 0) => None,
            (1, tick) => Some(tick),
            _ => return Err(SnapshotRefusal::Value),
        };
        let tick = from.u64()?;
        let model = Self {
            keys,
            first_tick,
            tick,
            edges: Sketch::read(&mut from)?,
            sources: Sketch::read(&mut from)?,
            destinations: Sketch::read(&mut from)?,
            fans: Sketch::read(&mut from)?,
            everything: Cell::read(&mut from)?,
        };
        from.close()?;
        Ok(model)
    }
}

/// Chi-square of what there is now against the mean, above the mean only.
fn surprise(of: Activity, ticks: f64) -> f64 {
    let mean = of.learned / ticks;
    let above = (of.now - mean).max(0.0);
    above * above / (mean + MEAN_FLOOR)
}

/// The logarithm of how many times more there was of everything.
fn rarity(of: Activity, everything: Activity) -> f64 {
    libm::log((everything.learned + 1.0) / (of.learned + 1.0)).max(0.0)
}
