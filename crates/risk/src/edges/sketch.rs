//! Counts per key in fixed memory: a count-min sketch (Cormode and Muthukrishnan, 2005) of current and usual activity.

use crate::numbers::mix;
use crate::snapshot::{Reader, SnapshotRefusal, Writer};

/// Cells per row; a power of two.
const WIDTH: u64 = 4096;
/// Rows: a key shares all its cells with another one with probability `WIDTH`^-`DEPTH` per key.
const DEPTH: u64 = 2;
const CELLS: usize = 8192;

/// Ticks after which a count weighs 1/e: the mean is over about so many ticks.
pub(crate) const MEMORY_TICKS: f64 = 20_160.0;
/// What one tick may teach at most: so many times the mean, plus [`TAUGHT_PLUS`].
const TAUGHT_TIMES: f64 = 3.0;
/// See [`TAUGHT_TIMES`].
const TAUGHT_PLUS: f64 = 10.0;

/// What is known of a key: how much of it there is now, and in sum how much there was.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Activity {
    /// Events of late: this tick's whole, those of the tick before half, and so on.
    pub(crate) now: f64,
    /// What earlier ticks taught, in sum.
    pub(crate) learned: f64,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Cell {
    now: f64,
    learned: f64,
    tick: u64,
}

impl Cell {
    pub(crate) const EMPTY: Self = Self { now: 0.0, learned: 0.0, tick: 0 };

    /// Moves on to `tick`: what was current is learned, bounded, and fades.
    fn advance(&mut self, tick: u64) {
        let Some(gap) = tick.checked_sub(self.tick).filter(|gap| *gap > 0) else { return };
        let mean = self.learned / ticks_remembered(self.tick);
        self.learned += self.now.min(TAUGHT_TIMES * mean + TAUGHT_PLUS);
        self.learned *= libm::exp(-crate::numbers::real(gap) / MEMORY_TICKS);
        let halvings = i32::try_from(gap).unwrap_or(i32::MAX);
        self.now = libm::scalbn(self.now, halvings.saturating_neg());
        // Below a millionth it is nothing; numbers too small for a machine's fast path stay out.
        if self.now < 1e-6 {
            self.now = 0.0;
        }
        self.tick = tick;
    }

    /// One more event at `tick`.
    pub(crate) fn add(&mut self, tick: u64) -> Activity {
        self.advance(tick);
        self.now += 1.0;
        Activity { now: self.now, learned: self.learned }
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        out.f64(self.now);
        out.f64(self.learned);
        out.u64(self.tick);
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Result<Self, SnapshotRefusal> {
        Ok(Self { now: from.f64(0.0..=f64::MAX)?, learned: from.f64(0.0..=f64::MAX)?, tick: from.u64()? })
    }
}

/// Over how many ticks a mean is taken at `tick`, at least one.
pub(crate) fn ticks_remembered(tick: u64) -> f64 {
    (-MEMORY_TICKS * libm::expm1(-crate::numbers::real(tick) / MEMORY_TICKS)).max(1.0)
}

/// A table of cells, 196,608 bytes.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Sketch(Vec<Cell>);

impl Sketch {
    pub(crate) const BYTES: usize = CELLS * size_of::<Cell>();

    pub(crate) fn empty() -> Self {
        Self(vec![Cell::EMPTY; CELLS])
    }

    /// One more event of `key` at `tick`; keys that share a cell can only make it look busier.
    pub(crate) fn add(&mut self, key: u64, tick: u64) -> Activity {
        let mut least = Activity { now: f64::MAX, learned: f64::MAX };
        for row in 0..DEPTH {
            let column = mix(key.wrapping_add(row.wrapping_mul(0x9E37_79B9_7F4A_7C15))) % WIDTH;
            let at = usize::try_from(row * WIDTH + column).unwrap_or(0);
            if let Some(cell) = self.0.get_mut(at) {
                let activity = cell.add(tick);
                least = Activity { now: least.now.min(activity.now), learned: least.learned.min(activity.learned) };
            }
        }
        least
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        self.0.iter().for_each(|cell| cell.write(out));
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Result<Self, SnapshotRefusal> {
        (0..CELLS).map(|_| Cell::read(from)).collect::<Result<_, _>>().map(Self)
    }
}
