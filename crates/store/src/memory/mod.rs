//! The fast state of one process: replay memory, challenges, rates. Lost with the process, which only makes clients begin
//! an exchange again: nothing that was refused becomes allowed.

mod challenges;
mod counters;
mod replay;

pub use challenges::MemoryChallenges;
pub use counters::MemoryCounters;
pub use replay::MemoryReplay;
