//! What an operator can ask of a running node, and change in it.

pub mod dev_tokens;
pub mod feeds;
pub mod fleet;
pub mod incidents;
pub mod mail;
pub mod operators;
pub mod report;
pub mod routes;
pub mod service;
pub mod socket;
pub mod wire;
