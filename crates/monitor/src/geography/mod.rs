//! Place of an address and kind of its network, from files of the operator's choice.

mod maps;
mod places;

pub use maps::{Geography, ListOf, Maps};
