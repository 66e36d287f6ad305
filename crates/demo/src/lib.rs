//! `countersign demo` and the software phone: a bank behind Countersign, honest customers, and everything a thief would try.
//!
//! [`phone`] plays phones, their makers and their vendors; the scenarios play people. This crate stands above the node and sees of it
//! what anybody sees who starts one: its sockets, its admin service, its log, and the data directory, which belongs to whoever started
//! it. What this crate does not do: it is no part of a production build, and no node trusts its phones unless it was started as a
//! development node and was handed [`phone::SIGNER`].

pub mod phone;
mod scenarios;

pub use scenarios::{After, Form, Halted, TurnableClock, Watching, World, decided_again, free_port, run};
