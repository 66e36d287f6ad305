//! The way to the protected API.

use std::{path::Path, sync::Arc, time::Duration};

use countersign_gateway::{Upstream, UpstreamConfig};
use countersign_outbound::{TrustError, trust, trust_as};

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
        let unusable = |why| fault(format!("`upstream_ca` cannot be `{}`", ca.display()), why);
        let trust = match &upstream.identity {
            None => trust(ca).map_err(unusable)?,
            Some(identity) => trust_as(ca, &identity.certificate, &identity.key).map_err(|why| match why {
                TrustError::Authorities(why) => unusable(why),
                TrustError::Identity(why) => {
                    let what = format!(
                        "`upstream_cert` and `upstream_key` cannot be `{}` and `{}`",
                        identity.certificate.display(),
                        identity.key.display()
                    );
                    Faults::at(file, identity.line, what, why)
                }
            })?,
        };
        settings.trust = Some(Arc::new(trust));
    }
    Upstream::new(settings).map_err(|why| fault("`upstream` cannot be used".to_owned(), why.to_string()))
}
