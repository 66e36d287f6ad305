//! The first thing that a node does: read everything that decides, and refuse to go on unless all of it is understood.

use std::sync::Arc;

use arc_swap::ArcSwap;
use countersign_compliance::{FeedKind, Revocations};
use countersign_gateway::{Certificates, Upstream};
use countersign_issuer::{DeviceTrust, IssuerConfig};
use countersign_monitor::geography::Maps;
use countersign_notify::WebhookSettings;

use crate::{
    assembly::options::Options,
    config::{Config, Dev, Faults, settle},
    settings::{
        geography, issuing,
        mail::{self, MailSettings},
        rules::{self, Declared, Rules},
        signals::{self, SignalSettings},
        tls,
        trust::{self, Trusted},
        upstream, webhook,
    },
};

/// Everything that decides, as values.
pub struct Understood {
    /// What the API offers and who may do what.
    pub rules: Rules,
    /// Whom we believe about phones.
    pub trust: DeviceTrust,
    /// The certificates that we no longer believe, and since when a vendor is silent.
    pub revocations: Arc<ArcSwap<Revocations>>,
    /// Where addresses are.
    pub maps: Maps,
    /// Who tells us of what ended elsewhere, and whom we tell.
    pub signals: SignalSettings,
    /// Who is told of incidents.
    pub webhook: Option<WebhookSettings>,
    /// Who is written to about them.
    pub mail: Option<MailSettings>,
    /// The issuer's settings.
    pub issuer: IssuerConfig,
    /// The way to the protected API.
    pub upstream: Upstream,
    /// The operator's certificate; `None` leaves it to a development node to make one.
    pub certificates: Option<Certificates>,
}

/// Reads everything. Writes nothing and opens nothing.
///
/// # Errors
/// All that is wrong with the first part that is.
pub fn understand(config: &Config, dev: Dev, options: &Options) -> Result<Understood, Faults> {
    settle(config, dev)?;
    let Trusted { devices, revocations } = trust::trust(config, dev)?;
    let revocations = Arc::new(ArcSwap::from_pointee(revocations));
    let rules = rules::rules(config)?;
    let simulated = match dev {
        Dev::Off => &[][..],
        Dev::On => options.simulated_signers.as_slice(),
    };
    let understood = Understood {
        trust: devices,
        maps: geography::maps(config)?,
        signals: signals::signals(config)?,
        webhook: webhook::webhook(config)?,
        mail: mail::mail(config)?,
        issuer: issuing::settings(config, simulated, &rules.apps, &options.clock, &revocations)?,
        rules,
        revocations,
        upstream: upstream::upstream(config)?,
        certificates: config.tls.as_ref().map(|files| tls::from_files(config, files)?.ready(config, files)).transpose()?,
    };
    tell(config, dev, &understood.rules);
    Ok(understood)
}

/// What an operator should know before the first request.
fn tell(config: &Config, dev: Dev, rules: &Rules) {
    let policies = rules.policies.count();
    tracing::info!(
        public_url = config.public.as_str(),
        upstream = config.upstream.origin.as_str(),
        policies,
        "configuration and policies are valid"
    );
    if rules.declared == Declared::BuiltIn {
        tracing::warn!("no `[[operation]]` is declared: reading requests (such as GET) are the action `read`, all others are `write`");
    }
    if config.device.status_list.is_none() && !config.feeds.iter().any(|feed| feed.kind == FeedKind::StatusList) {
        tracing::warn!("no `status_list` is configured: leaked attestation keys are not detected");
    }
    if dev == Dev::On {
        tracing::warn!("DEVELOPMENT MODE: simulated phones are accepted. Do not use in production.");
    }
    for warning in rules.policies.warnings() {
        tracing::warn!(warning, "warning about the policies");
    }
}
