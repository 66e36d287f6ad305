//! One session as it runs.

use crate::{fingerprint::Fingerprint, geo::Position, network::NetworkKind, sequence::Operation};

/// Operations that are learned together, or not at all.
pub const BLOCK: usize = 16;

/// Where a session was last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Whereabouts {
    pub(crate) prefix: Fingerprint,
    pub(crate) kind: NetworkKind,
    pub(crate) position: Option<Position>,
}

/// What is remembered of one session: not kept over a restart, but for what the person's habits learned from it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sitting {
    pub(crate) session: u64,
    pub(crate) at: u32,
    pub(crate) whereabouts: Option<Whereabouts>,
    pub(crate) last: Option<Operation>,
    /// Evidence of the last operations, fading with each.
    pub(crate) drift: f64,
    /// The block that is being collected, with what it weighs.
    pub(crate) block: Vec<Operation>,
    pub(crate) block_weight: f64,
    pub(crate) block_strange: usize,
}

impl Sitting {
    pub(crate) fn new(session: u64) -> Self {
        Self { session, at: 0, whereabouts: None, last: None, drift: 0.0, block: Vec::new(), block_weight: 0.0, block_strange: 0 }
    }

    pub(crate) fn begin_block(&mut self) {
        self.block.clear();
        self.block_weight = 0.0;
        self.block_strange = 0;
    }
}
