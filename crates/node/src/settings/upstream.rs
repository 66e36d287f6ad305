//! The way to the protected API.

use std::sync::Arc;

use countersign_gateway::{Upstream, UpstreamConfig};
use countersign_outbound::trust;

use crate::config::{Config, Fault, Faults};

/// Prepares connections; opens none.
///
/// # Errors
/// When an `https` upstream cannot be verified.
pub fn upstream(config: &Config) -> Result<Upstream, Faults> {
    let fault =
        |what: String, remedy: String| Faults::one(Fault { file: config.file.clone(), line: Some(config.upstream.line), what, remedy });
    let mut settings = UpstreamConfig::new(config.upstream.origin.clone());
    settings.protocol = config.upstream.protocol;
    settings.head_max = config.bounds.upstream_max;
    if let Some(ca) = &config.upstream.ca {
        let trust = trust(ca).map_err(|why| fault(format!("`upstream_ca` cannot be `{}`", ca.display()), why))?;
        settings.trust = Some(Arc::new(trust));
    }
    Upstream::new(settings).map_err(|why| fault("`upstream` cannot be used".to_owned(), why.to_string()))
}
