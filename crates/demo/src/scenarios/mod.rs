//! What happens in the demo: a small world, people in it, and what becomes of each thing that they try.

mod anomalies;
mod attack;
mod attacks;
mod devices;
mod flood;
mod honest;
mod live;
mod ordinary_week;
mod replayed;
mod report;
mod run;
mod world;

pub use replayed::decided_again;
pub use run::{After, Form, run};
pub use world::{Halted, TurnableClock, Watching, World, free_port};
