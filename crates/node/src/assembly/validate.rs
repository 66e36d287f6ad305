//! The first thing that a node does: read everything that decides, and refuse to go on unless all of it is understood.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use arc_swap::ArcSwap;
use countersign_compliance::{Apps, FeedKind, Revocations};
use countersign_core::Action;
use countersign_feeds::FeedSettings;
use countersign_gateway::{GatewayConfig, Origin, Upstream};
use countersign_issuer::{DeviceTrust, IssuerConfig};
use countersign_monitor::{geography::Maps, react::ReactRules};
use countersign_notify::WebhookSettings;
use countersign_outbound::Caller;

use crate::{
    assembly::{listeners::ListenerSettings, options::Options, reading, side_access::SideAccess},
    config::{Config, Dev, Faults, settle},
    settings::{
        feeds, gateway,
        issuing::IssuerSections,
        mail::{self, MailSettings},
        rules::{Declared, Rules},
        secrets,
        signals::{self, SignalSettings},
        tls,
        trust::Trusted,
        upstream, vendors, webhook,
    },
};

/// Everything that decides, as values: what all servers stand on, and what each is given.
pub struct Settings {
    /// Where the node listens, and with which certificate.
    pub listeners: ListenerSettings,
    /// What all servers stand on.
    pub base: BaseSettings,
    /// The gateway.
    pub gateway: GatewaySettings,
    /// The issuer.
    pub issuer: IssuerConfig,
    /// What signals lead to, and who is told.
    pub monitor: MonitorSettings,
    /// Who tells us of what ended elsewhere, and whom we tell.
    pub signals: SignalSettings,
    /// What is fetched.
    pub feeds: FeedSettings,
    /// The client that fetches it.
    pub caller: Caller,
}

/// What all servers stand on.
pub struct BaseSettings {
    /// The data directory.
    pub data: PathBuf,
    /// The origin that clients use; the issuer is called by it.
    pub public: Origin,
    /// Records a minute for refusals of callers without a live session.
    pub strangers_per_minute: u32,
    /// The registry of apps.
    pub apps: Arc<Apps>,
    /// Whom we believe about phones.
    pub trust: DeviceTrust,
    /// The certificates that we no longer believe, and since when a vendor is silent.
    pub revocations: Arc<ArcSwap<Revocations>>,
    /// Where addresses are.
    pub maps: Maps,
    /// What the watcher looks for.
    pub observer: WatchSettings,
}

/// What the watcher looks for.
pub struct WatchSettings {
    /// Accounts that belong to nobody: whoever tries one is no customer.
    pub honey_accounts: BTreeSet<String>,
    /// Actions that no app of ours performs.
    pub honey_operations: BTreeSet<Action>,
    /// People whose habits are remembered at a time.
    pub people_max: usize,
}

/// What the gateway is given.
pub struct GatewaySettings {
    /// The file of the config, which faults name.
    pub file: PathBuf,
    /// Its origin and its bounds.
    pub config: GatewayConfig,
    /// Operations, policies and apps.
    pub rules: countersign_gateway::Rules,
    /// SHA-256 of all policy files, in hexadecimal.
    pub digest: String,
    /// Operations and policies as one text, to be kept before they are in use.
    pub text: String,
    /// The way to the protected API.
    pub upstream: Upstream,
    /// The origin of the protected API, for which statements are made.
    pub audience: String,
}

/// What the monitor is given.
pub struct MonitorSettings {
    /// What signals lead to.
    pub rules: ReactRules,
    /// Who is written to about incidents.
    pub mail: Option<MailSettings>,
    /// Which system is told of them.
    pub webhook: Option<WebhookSettings>,
}

/// Reads everything. Writes nothing and opens nothing.
///
/// # Errors
/// All that is wrong with the first part that is.
pub fn validate(config: &Config, dev: Dev, options: &Options) -> Result<Settings, Faults> {
    settle(config, dev)?;
    let (file, host) = (config.file.as_path(), config.public.host());
    let Trusted { devices, revocations } = reading::trust(config, dev)?;
    let revocations = Arc::new(ArcSwap::from_pointee(revocations));
    let (rules, apps) = reading::rules(config)?;
    let maps = reading::maps(config)?;
    let caller = vendors::caller(file, &config.vendors)?;
    let signals = signals::signals(file, &config.signals, caller.clone())?;
    let webhook = webhook::webhook(file, config.monitor.webhook.as_ref(), &caller)?;
    let mail = mail::mail(file, config.monitor.email.as_ref(), &config.vendors, host)?;
    let issuer = IssuerSections {
        file,
        public: &config.public,
        apps: &config.apps,
        login: &config.login,
        device: &config.device,
        apple_development: config.device.apple_development,
        vendors: &config.vendors,
        risk: config.monitor.risk,
        registry: &apps,
        simulated: options.signers_of(dev),
        caller: &caller,
        clock: &options.clock,
        revocations: &revocations,
    };
    let issuer = issuer.read()?;
    let upstream = upstream::upstream(file, &config.upstream, config.bounds.upstream_max)?;
    let certificates = config.tls.as_ref().map(|named| tls::certificates(file, named)).transpose()?;
    tell(config, dev, &rules);
    Ok(Settings {
        listeners: ListenerSettings {
            public: config.listen_address(dev),
            side: config.metrics.listen,
            side_access: side_access(config)?,
            admin: config.admin_socket(),
            admin_mode: config.admin.mode,
            auth_request: config.auth_request.clone(),
            data: config.data.clone(),
            host: host.to_owned(),
            certificates,
            bounds: config.bounds,
            proxies: config.proxies.clone(),
        },
        gateway: GatewaySettings {
            file: config.file.clone(),
            config: gateway::gateway(&config.public, &config.bounds),
            digest: rules.digest.clone(),
            text: rules.text.clone(),
            rules: rules.into_gateway(config.monitor.risk, Arc::clone(&apps)),
            upstream,
            audience: config.upstream.origin.as_str().to_owned(),
        },
        base: BaseSettings {
            data: config.data.clone(),
            public: config.public.clone(),
            strangers_per_minute: config.bounds.stranger_records_per_minute,
            apps,
            trust: devices,
            revocations,
            maps,
            observer: WatchSettings {
                honey_accounts: config.monitor.honey_accounts.clone(),
                honey_operations: config.monitor.honey_operations.clone(),
                people_max: config.monitor.people_max,
            },
        },
        issuer,
        monitor: MonitorSettings { rules: config.monitor.react.clone(), mail, webhook },
        signals,
        feeds: feeds::feeds(&config.feeds, &config.data, config.device.status_list.file().map(|(list, _)| list)),
        caller,
    })
}

/// Reads the callers that are answered at the side port.
fn side_access(config: &Config) -> Result<SideAccess, Faults> {
    let token = config.metrics.token.as_ref().map(|(path, line)| {
        let what = |why| format!("`{}` cannot be used: {why}", path.display());
        secrets::token(path).map_err(|why| Faults::at(&config.file, *line, what(why), secrets::NEW_TOKEN))
    });
    Ok(SideAccess::new(token.transpose()?.as_ref(), config.metrics.networks.clone()))
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
    if config.device.status_list.file().is_none() && !config.feeds.iter().any(|feed| feed.kind == FeedKind::StatusList) {
        tracing::warn!("no `status_list` is configured: leaked attestation keys are not detected");
    }
    if dev == Dev::On {
        tracing::warn!("DEVELOPMENT MODE: simulated phones are accepted. Do not use in production.");
    }
    for warning in rules.policies.warnings() {
        tracing::warn!(warning, "warning about the policies");
    }
}
