//! `csign.toml`: read strictly, or not at all. Every fault names file, line and remedy, and all are found in one go.

mod admin;
mod defaults;
mod device;
mod doors;
mod email;
mod fault;
mod feeds;
mod listen;
mod model;
mod monitor;
mod operators;
mod read;
mod section;
mod settle;
mod signals;
mod spelling;
mod value;

use std::{fs, path::Path};

use crate::files;

pub use device::replaced;
pub use fault::{Fault, Faults};
pub(crate) use model::DataReaders;
pub use model::{
    App, AuthRequestDoor, Bounds, Config, Dev, DeviceRules, DoorListen, Email, FeedSource, GeoList, GeographyFiles, IosApp, Listen, Login,
    MailLogin, MailTls, MonitorRules, Operation, PlaySource, SharedSignals, SignUp, SignalSource, SignalTarget, TlsFiles, Upstream,
    Vendors, Webhook, WhenStale,
};
pub(crate) use operators::{NoOperator, Operators};
pub use settle::settle;
pub use value::span;

/// Bytes of a configuration file.
const CONFIG_BYTES_MAX: u64 = 1024 * 1024;

/// Reads the file. Paths in it are relative to the directory in which it stands.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(file: &Path) -> Result<Config, Faults> {
    let unreadable = |what: String, remedy: &str| Faults::one(Fault { file: file.to_owned(), line: None, what, remedy: remedy.to_owned() });
    let size = fs::metadata(file).map_err(|e| {
        unreadable(format!("the file cannot be read ({e})"), "check the path, or create a configuration with `countersign init`")
    })?;
    if size.len() > CONFIG_BYTES_MAX {
        return Err(unreadable(
            "the file is larger than a megabyte".to_owned(),
            "a configuration has a few dozen lines; check that it is the right file",
        ));
    }
    let text = files::read_text(file).map_err(|e| unreadable(format!("the file cannot be read ({e})"), "give a readable UTF-8 file"))?;
    parse(&text, file)
}

/// Reads the text of `file`.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(text: &str, file: &Path) -> Result<Config, Faults> {
    read::config(text, file)
}

#[cfg(test)]
mod tests;
