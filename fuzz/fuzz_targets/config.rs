//! A configuration file.
#![no_main]
use countersign_node::config;
use libfuzzer_sys::fuzz_target;
use std::path::Path;

fuzz_target!(|text: &str| {
    if let Err(faults) = config::parse(text, Path::new("csign.toml")) {
        let _ = faults.to_string();
    }
});
