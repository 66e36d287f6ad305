//! The command line: what people type, what they are told, and how a run ends.
//!
//! What this crate does not do: it holds no rule and no server. A node is `countersign-node`; the demo and the software phone are
//! `countersign-demo`, which the feature `demo` links and a production build can leave out.

pub mod cli;
