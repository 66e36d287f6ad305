//! How unusual a login or a request is.

mod bytes;
pub mod credentials;
pub mod evidence;
pub mod fingerprint;
pub mod frames;
pub mod freeman;
pub mod frequency;
pub mod geo;
pub mod lists;
pub mod login;
pub mod maths;
pub mod monitor;
pub mod network;
pub mod platform;
pub mod population;
pub mod profile;
mod state;
pub mod subjects;
