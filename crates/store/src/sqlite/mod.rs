//! Embedded store: SQLite in write-ahead mode, one writer, several readers, and a cache that is never behind.
//!
//! One process holds the database, so that its copies in memory are the truth as well. The binary ensures that with a lock on the data
//! directory.

mod bindings;
mod cached;
mod continuity;
mod database;
mod dev_tokens;
mod devices;
mod grants;
mod incidents;
mod keys;
mod retention;
mod row;
mod said;
mod sessions;
mod shared_signals;
mod subjects;

pub use continuity::{Continuity, KeysContinuity, peek};
pub use database::{OpenError, Sqlite};

#[cfg(test)]
mod tests;
