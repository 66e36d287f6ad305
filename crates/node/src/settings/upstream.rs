//! The way to the protected API.

use std::{path::Path, sync::Arc, time::Duration};

use countersign_gateway::{Upstream, UpstreamConfig};
use countersign_outbound::trust;

use crate::config::{self, Faults};

/// Prepares connections; opens none. `head_max` is how long the head of an answer is waited for.
///
/// # Errors
/// When an `https` upstream cannot be verified.
pub fn upstream(file: &Path, upstream: &config::Upstream, head_max: Duration) -> Result<Upstream, Faults> {
    let fault = |what: String, remedy: String| Faults::at(file, upstream.line, what, remedy);
    let mut settings = UpstreamConfig::new(upstream.origin.clone());
    settings.protocol = upstream.protocol;
    settings.head_max = head_max;
    if let Some(ca) = &upstream.ca {
        let trust = trust(ca).map_err(|why| fault(format!("`upstream_ca` cannot be `{}`", ca.display()), why))?;
        settings.trust = Some(Arc::new(trust));
    }
    Upstream::new(settings).map_err(|why| fault("`upstream` cannot be used".to_owned(), why.to_string()))
}
