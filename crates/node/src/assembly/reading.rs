//! What can be read again while a node runs: each part of the config that names files, handed to whoever reads them.

use std::sync::Arc;

use countersign_compliance::Apps;
use countersign_monitor::geography::Maps;

use crate::{
    config::{Config, Dev, Faults},
    settings::{
        devices,
        fetched::Fetched,
        geography,
        rules::{self, Rules},
        trust::{self, Trusted},
    },
};

/// The rules, and what each app requires of its devices; they are taken into use together.
///
/// # Errors
/// All that is wrong with operations, then with policies, then with boot keys.
pub fn rules(config: &Config) -> Result<(Rules, Arc<Apps>), Faults> {
    let rules = rules::rules(&config.file, &config.operations, &config.policies)?;
    let apps = devices::apps(&config.file, &config.apps, &config.device, &fetched(config))?;
    Ok((rules, Arc::new(apps)))
}

/// Whom we believe about phones.
///
/// # Errors
/// Each file that is missing or is not what it should be.
pub fn trust(config: &Config, dev: Dev) -> Result<Trusted, Faults> {
    trust::trust(&config.file, &config.device, &fetched(config), dev)
}

/// Where addresses are.
///
/// # Errors
/// Each file that is missing, damaged or something else.
pub fn maps(config: &Config) -> Result<Maps, Faults> {
    geography::maps(&config.file, &config.geography)
}

fn fetched(config: &Config) -> Fetched<'_> {
    Fetched { data: &config.data, feeds: &config.feeds }
}
