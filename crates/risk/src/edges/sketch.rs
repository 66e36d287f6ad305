//! Counts per key in fixed memory: a count-min sketch (Cormode and Muthukrishnan, 2005) of current and usual activity.

use crate::numbers::mix;
use crate::snapshot::{Reader, SnapshotRefusal, Writer};

/// Cells per row; a power of two, so that the hash is spread evenly.
const WIDTH: u64 = 4096;
/// Rows of the sketch. Another key shares all cells of a key with probability `WIDTH`^-`DEPTH`.
const DEPTH: u64 = 2;
const CELLS: usize = 8192;

/// Time constant of the usual activity in ticks: after so many ticks a count weighs 1/e. At one tick a minute this is 14 days.
pub(crate) const MEMORY_TICKS: f64 = 20_160.0;
/// Factor of the mean in the bound on what one tick may teach: `TAUGHT_TIMES * mean + TAUGHT_PLUS`.
const TAUGHT_TIMES: f64 = 3.0;
/// Events added to the bound on what one tick may teach; see [`TAUGHT_TIMES`]. A key without history can learn only through this.
const TAUGHT_PLUS: f64 = 10.0;

/// Activity of one key.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Activity {
    /// Recent events: those of this tick whole, those of the tick before by half, and so on.
    pub(crate) now: f64,
    /// Sum of what earlier ticks taught, fading with [`MEMORY_TICKS`].
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

    /// Moves the cell on to `tick`: the current count is learned, within its bound, and then fades.
    fn advance(&mut self, tick: u64) {
        let Some(gap) = tick.checked_sub(self.tick).filter(|gap| *gap > 0) else { return };
        let mean = self.learned / ticks_remembered(self.tick);
        // SECURITY: the bound keeps an attack from becoming the usual activity while it runs.
        self.learned += self.now.min(TAUGHT_TIMES * mean + TAUGHT_PLUS);
        self.learned *= libm::exp(-crate::numbers::real(gap) / MEMORY_TICKS);
        let halvings = i32::try_from(gap).unwrap_or(i32::MAX);
        self.now = libm::scalbn(self.now, halvings.saturating_neg());
        // Below a millionth the count is set to zero. Smaller numbers would become subnormal, which processors compute slowly.
        if self.now < 1e-6 {
            self.now = 0.0;
        }
        self.tick = tick;
    }

    /// Counts one event at `tick` and gives the activity with it.
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

/// Number of ticks over which the mean is taken at `tick`, at least one; approaches [`MEMORY_TICKS`].
pub(crate) fn ticks_remembered(tick: u64) -> f64 {
    (-MEMORY_TICKS * libm::expm1(-crate::numbers::real(tick) / MEMORY_TICKS)).max(1.0)
}

/// The table of cells: 196,608 bytes.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Sketch(Vec<Cell>);

impl Sketch {
    pub(crate) const BYTES: usize = CELLS * size_of::<Cell>();

    pub(crate) fn empty() -> Self {
        Self(vec![Cell::EMPTY; CELLS])
    }

    /// Counts one event of `key` at `tick`. Keys that share a cell can only make a key look busier, so the least of its cells is returned.
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
