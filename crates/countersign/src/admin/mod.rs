//! What an operator can ask of a running node, and change in it.

pub mod dev_tokens;
pub mod office;
pub mod routes;
pub mod socket;
pub mod wire;
