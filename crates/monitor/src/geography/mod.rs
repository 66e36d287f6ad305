//! Where an address is and what kind of network it belongs to, from files of the operator's choice.

mod maps;
mod places;

pub use maps::{Geography, ListOf, Maps};
