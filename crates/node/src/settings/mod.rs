//! What each server is given: made from its sections of the config, and from the files that these name. Each is read whole or refused.

pub mod devices;
pub mod feeds;
pub mod fetched;
pub mod gateway;
pub mod geography;
mod google;
pub mod issuing;
pub mod mail;
pub mod rules;
pub mod secrets;
pub mod signals;
pub mod tls;
pub mod trust;
pub mod upstream;
pub mod vendors;
pub mod webhook;
