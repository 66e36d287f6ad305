//! The issuer from outside: whole messages, every refusal of every door, races, lost answers, and stores that fail.
#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "tests, in helpers that clippy does not know as such")]

mod access;
mod blame;
#[path = "../../../access/tests/shared/cases.rs"]
mod cases;
mod development;
mod device_trust;
mod faults;
mod honest;
mod my_devices;
mod paths;
mod phone;
mod refusals;
mod stores;
mod strangers;
mod unread;
mod witness;
mod world;
