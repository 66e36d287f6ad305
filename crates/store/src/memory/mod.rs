//! Fast state of one process: replay memory, challenges, rates. It is lost with the process, which only makes clients begin an exchange
//! again: a node that starts with an empty replay memory asks for new nonces (`NonceKeys::remembering_since`), so that no captured proof
//! meets the empty memory.

mod challenges;
mod counters;
mod replay;
mod spent_room;

pub use challenges::MemoryChallenges;
pub use counters::MemoryCounters;
pub use replay::MemoryReplay;

#[cfg(test)]
mod tests;
