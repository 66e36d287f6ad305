//! The client that asks others than phones, with the authorities that it verifies them by.

use std::{path::Path, sync::Arc};

use countersign_outbound::{Caller, trust};

use crate::config::{Faults, Vendors};

/// The client, which verifies by the authorities of the config.
///
/// # Errors
/// When these cannot be read.
pub fn caller(file: &Path, vendors: &Vendors) -> Result<Caller, Faults> {
    let trust = vendors.ca.as_ref().map(|(ca, line)| {
        trust(ca).map(Arc::new).map_err(|why| Faults::at(file, *line, format!("`vendors.ca` cannot be `{}`", ca.display()), why))
    });
    Ok(Caller::new(trust.transpose()?))
}
