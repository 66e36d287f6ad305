//! What each server is given: made from the config, and from the files that it names. Each is read whole or refused.

pub mod devices;
pub mod geography;
mod google;
pub mod issuing;
pub mod mail;
pub mod rules;
pub mod signals;
pub mod tls;
pub mod trust;
pub mod upstream;
pub mod webhook;
