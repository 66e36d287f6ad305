//! The binary as a library, so that tests, the demo and the benchmark start a node in their own process.
//!
//! [`config`] is what the operator decided, [`wire`] where every promise meets its implementation, [`node`] the running whole,
//! [`admin`] what an operator can ask of it, [`cli`] the commands, [`evaluate`] the risk models on recorded events. What this crate does not do: it decides nothing about
//! requests, tokens or devices; every rule lives in a room below.

pub mod admin;
pub mod cli;
pub mod config;
pub mod demo;
pub mod evaluate;
pub mod layout;
pub mod node;
pub mod phone;
pub mod wire;
