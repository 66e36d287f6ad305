//! Lives of generated people, honest and not, before the whole scorer.

mod features;
mod login;
mod population;
mod state;
mod town;
