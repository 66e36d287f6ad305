//! The binary as a library, so that tests and the demo start a node in their own process.
pub mod config;
