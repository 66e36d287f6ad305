//! A node: what the operator decided, the admin service, and the assembly of everything that serves.
//!
//! [`config`] is the operator's file, read strictly; [`settings`] what each server is given, made from the file and from the files
//! that it names; [`admin`] what an operator can ask of a running node; [`start`] the assembly, where every promise of a room below
//! meets its implementation. What this crate does not do: it decides nothing about requests, tokens or devices, every rule lives in a
//! room below; it has no command line; and it hands nobody a key that signs.

pub mod admin;
mod assembly;
mod bodies;
pub mod config;
pub mod files;
pub mod layout;
pub mod settings;

pub use assembly::{Addresses, Options, OsEntropy, RestoreAt, Restored, RunningNode, StartError, SystemClock, replaying, restore, start};
