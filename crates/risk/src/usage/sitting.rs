//! The state of one running session.

use crate::{fingerprint::Fingerprint, geo::Position, network::NetworkKind, sequence::Operation};

/// Number of operations that are learned together, or not at all.
pub const BLOCK: usize = 16;

/// Network and position at which a session was last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Whereabouts {
    pub(crate) prefix: Fingerprint,
    pub(crate) kind: NetworkKind,
    pub(crate) position: Option<Position>,
}

/// State of one session. It is not kept over a restart; only what the person's habits learned from it is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sitting {
    pub(crate) session: u64,
    pub(crate) at: u32,
    pub(crate) whereabouts: Option<Whereabouts>,
    pub(crate) last: Option<Operation>,
    /// Evidence of the last operations, fading with each further one.
    pub(crate) drift: f64,
    /// Operations of the block that is being collected.
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
