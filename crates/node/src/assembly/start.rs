//! How a node comes up, in order: understand everything, take the data directory and the listeners, open the stores, build the servers,
//! and only then serve.

use std::sync::Arc;

use countersign_audit::{Activated, Actor};
use countersign_feeds::Feeds;
use countersign_monitor::ssf;
use tokio::task::JoinSet;

use crate::{
    admin::{
        report::FleetReport,
        routes::{self, AdminState, Reload},
        wire::Status,
    },
    assembly::{
        association::Association,
        base::{Assembly, Inbox},
        descriptors,
        front::{self, Front},
        gateway::gateway,
        issuer::issuer,
        listeners::Listeners,
        live::{Live, RunningNode},
        lock::DataLock,
        metering, modes,
        monitor::monitor,
        options::Options,
        rule_archive, serve,
        sharing::sharing,
        start_error::StartError,
        validate::{Settings, validate},
    },
    config::{Config, Dev},
    settings::secrets,
};

/// Starts a node and returns once it serves.
///
/// # Errors
/// Whatever is not understood, not free or not there. Nothing is left running then.
pub async fn start(config: Config, options: Options) -> Result<RunningNode, StartError> {
    let dev = config.dev.or(options.dev);
    let Settings { listeners, base, gateway: for_gateway, issuer: for_issuer, monitor: for_monitor, signals, feeds, caller } =
        validate(&config, dev, &options)?;

    if let Err(fault) = descriptors::raise() {
        tracing::warn!(%fault, "the limit of open files could not be raised");
    }
    descriptors::suffice(&config.bounds).map_err(|fault| StartError::Descriptors(fault.to_string()))?;
    if dev == Dev::Off {
        modes::data_directory(&config.data, config.data_readers)?;
        secrets::modes(&config)?;
    }

    let transmits = !config.signals.targets.is_empty();
    let association = Association::of(&config.apps);

    // What only one process can have.
    let lock = DataLock::take(&config.data)?;
    let listeners = Listeners::bind(listeners).await?;
    let (assembly, Inbox { signals: arrived, news }) = Assembly::open(base, options).await?;
    let unless_it_serves = assembly.shutdown.clone().drop_guard();

    // What decides is kept, and the log names it, before any of it is in use.
    rule_archive::keep(&assembly.data, &for_gateway.text)
        .map_err(|source| StartError::Io { what: "keeping the rules".to_owned(), source })?;
    assembly.admin_service.activated(Activated::Start, &for_gateway.digest, Some(for_gateway.rules.digest), Actor::System).await?;
    assembly.noting.note(&assembly.admin_service).await?;
    let mut tasks = JoinSet::new();
    let gateway = gateway(&assembly, for_gateway).await?;
    let issuer = issuer(&assembly, for_issuer).await?;
    let monitor = monitor(&assembly, for_monitor, arrived, &mut tasks).await?;
    let sharing = sharing(&assembly, signals, &monitor.reactor, news, &mut tasks).await?;

    // What changes while it runs: what is read again, what is fetched, and keys.
    let assembly = Arc::new(assembly);
    let operators = config.admin.operators.clone();
    let status = status(&assembly, dev);
    let live = Live { config, dev, assembly: Arc::clone(&assembly), gateway: Arc::clone(&gateway), certificates: listeners.certificates };
    let (live, metrics) = (Arc::new(live), metering::recorder());
    let feeds = Feeds::new(feeds, caller, Arc::clone(&assembly.clock), Arc::clone(&assembly.entropy), Arc::clone(&live) as _);
    let feeds = Arc::new(feeds);
    tasks.spawn(Arc::clone(&feeds).keep(assembly.shutdown.clone()));
    tasks.spawn(Arc::clone(&live).maintain(metrics.clone(), assembly.shutdown.clone()));

    // From here on it is served.
    if let Some(door) = listeners.auth_requests {
        serve::auth_requests(&assembly, door, Arc::clone(&gateway), &mut tasks);
    }
    let front = Front {
        house: gateway,
        issuer: countersign_issuer::router(issuer),
        transmitter: transmits.then(|| ssf::router(Arc::clone(&sharing))),
        signals: ssf::router(sharing),
        association,
        transport_security: front::transport_security(dev),
    };
    serve::public(&assembly, listeners.public, listeners.public_config, front, &mut tasks);
    let admin = AdminState {
        admin_service: Arc::clone(&assembly.admin_service),
        status,
        reload: Arc::clone(&live) as Arc<dyn Reload>,
        reactor: monitor.reactor,
        fleet_report: fleet_report(&assembly),
        feeds,
        mailer: monitor.mailer,
    };
    serve::operators(&assembly, listeners.admin, routes::router(admin), operators, &mut tasks);
    serve::side(&assembly, listeners.side, listeners.side_access, metrics, &mut tasks);
    drop(unless_it_serves.disarm());
    tracing::info!(public = %listeners.addresses.public, side = %listeners.addresses.side, "serving");
    Ok(RunningNode { live, addresses: listeners.addresses, tls_root_pem: listeners.root_pem, tasks, _lock: lock })
}

fn fleet_report(assembly: &Assembly) -> FleetReport {
    FleetReport {
        admin_service: Arc::clone(&assembly.admin_service),
        revocations: Arc::clone(&assembly.revocations),
        apps: Arc::clone(&assembly.apps),
    }
}

fn status(assembly: &Assembly, dev: Dev) -> Status {
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        process: std::process::id(),
        public_url: assembly.public.as_str().to_owned(),
        started_at: assembly.started_at.0,
        dev: dev == Dev::On,
    }
}
