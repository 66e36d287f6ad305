//! How a node comes up, in order: understand everything, take the data directory, open stores and doors, and only then serve.

use std::{io, sync::Arc};

use arc_swap::ArcSwap;
use countersign_feeds::{FeedSettings, FeedSource, Feeds};
use countersign_gateway::{ListenConfig, Transport, listen};
use countersign_issuer::router;
use countersign_monitor::{
    react::{Reactor, ReactorParts},
    ssf::{self, Sharing},
};
use countersign_notify::{Postman, Webhook};
use countersign_store::Subjects;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    admin::{
        report::Surveyor,
        routes::{self, Desk, Reload},
        wire::Status,
    },
    assembly::{
        build::build,
        doors::Doors,
        front::Front,
        keys,
        live::{Live, RunningNode},
        lock::DataLock,
        metering,
        monitoring::{self, Teller},
        options::Options,
        side::{self, Side},
        start_error::StartError,
        stores::OpenError,
        understand::understand,
    },
    config::{self, Config, Dev},
    settings::issuing,
};

/// Starts a node and returns once it serves.
///
/// # Errors
/// Whatever is not understood, not free or not there. Nothing is left running then.
pub async fn start(config: Config, options: Options) -> Result<RunningNode, StartError> {
    let dev = config.dev.or(options.dev);
    let mut understood = understand(&config, dev, &options)?;
    let (certificates, digest) = (understood.certificates.take(), understood.rules.digest.clone());
    let (webhook, mail) = (understood.webhook.take(), understood.mail.take());
    let lock = DataLock::take(&config.data)?;
    let doors = Doors::bind(&config, dev, certificates).await?;
    let (built, signals) = build(&config, understood, &options).await?;
    built.office.activated("start", &digest).await?;

    let (shutdown, mut tasks, metrics) = (CancellationToken::new(), JoinSet::new(), metering::recorder());
    let mut settings = ListenConfig::new(Transport::Tls(Arc::clone(&doors.certificates)));
    (settings.connections_max, settings.drain_max) = (config.bounds.connections_max, config.bounds.drain_max);
    let status = status(&config, dev, options.clock.now().seconds().0);
    let (database, keys) = (built.stores.database(), Arc::clone(&built.stores.keys));
    let live = Arc::new(Live {
        config,
        dev,
        clock: Arc::clone(&options.clock),
        house: Arc::clone(&built.house),
        trust: built.trust,
        revocations: built.revocations,
        geography: built.geography,
        certificates: doors.certificates,
        rings: built.rings,
        keys: Arc::clone(&keys),
        retention: Arc::clone(&database) as _,
        office: Arc::clone(&built.office),
    });

    let rules = Arc::new(ArcSwap::from_pointee(live.config.monitor.react.clone()));
    let postman = mail.map(|mail| {
        let postman = Postman::start(mail.mailing, Arc::clone(&options.clock), shutdown.clone());
        (postman, mail.min_severity)
    });
    let teller = Teller {
        rules: Arc::clone(&rules),
        postman: postman.clone(),
        webhook: webhook.map(|webhook| Webhook::start(webhook, Arc::clone(&options.clock), shutdown.clone())),
    };
    let reactor = Reactor::new(ReactorParts {
        rules,
        stores: built.stores.for_monitor(),
        ledger: Arc::clone(&built.office) as _,
        tell: Arc::new(teller),
        watch: Arc::clone(&built.watch) as _,
        clock: Arc::clone(&options.clock),
        entropy: Arc::clone(&options.entropy),
    });
    let reactor = Arc::new(reactor.await.map_err(OpenError::from)?);
    tasks.spawn(monitoring::remember(built.watch, live.config.data.clone(), shutdown.clone()));
    tasks.spawn(monitoring::react(Arc::clone(&reactor), built.arrived, Arc::clone(&options.clock), shutdown.clone()));

    let surveyor = Surveyor { office: Arc::clone(&built.office), revocations: Arc::clone(&live.revocations), apps: built.apps };
    let (clock, entropy) = (Arc::clone(&options.clock), Arc::clone(&options.entropy));
    let feeds = Feeds::new(feeds(&live.config), issuing::caller(&live.config)?, clock, entropy, Arc::clone(&live) as _);
    let feeds = Arc::new(feeds);
    tasks.spawn(Arc::clone(&feeds).keep(shutdown.clone()));
    let (held, ending) = (Arc::clone(&built.house), shutdown.clone());
    tasks.spawn(async move {
        ending.cancelled().await;
        held.end_open_connections().await;
    });
    let (people, issuer_name) = (Arc::clone(&database) as Arc<dyn Subjects>, live.config.public.as_str().to_owned());
    let told = (Arc::clone(&people), Arc::clone(&database) as _);
    let sharing = Arc::new(Sharing {
        key: keys::shared_signals(&*keys, options.clock.now().seconds()).await.map_err(OpenError::from)?,
        receiver: ssf::Receiver::new(signals.sources, issuer_name.clone(), told, Arc::clone(&reactor)),
        issuer: issuer_name,
        targets: signals.targets,
        caller: signals.caller,
        people,
        clock: Arc::clone(&options.clock),
        entropy: options.entropy,
    });
    tasks.spawn(ssf::transmit(Arc::clone(&sharing), built.news, shutdown.clone()));
    let front = Front { house: built.house, issuer: router(Arc::new(built.issuer)), signals: ssf::router(sharing) };
    let public = listen(doors.public, settings, options.clock, shutdown.clone(), move |request, peer| front.clone().answer(request, peer));
    tasks.spawn(until_it_fails("the public port", public, shutdown.clone()));
    let desk = Desk {
        office: built.office,
        status,
        reload: Arc::clone(&live) as Arc<dyn Reload>,
        reactor,
        surveyor,
        feeds,
        postman: postman.map(|(postman, _)| postman),
    };
    tasks.spawn(until_it_fails("the admin socket", doors.admin.serve(routes::router(desk), shutdown.clone()), shutdown.clone()));
    let side = side::router(Side { metrics: metrics.clone(), keys, shutdown: shutdown.clone() });
    let side = axum::serve(doors.side, side).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    tasks.spawn(until_it_fails("the metrics port", async { side.await }, shutdown.clone()));
    tasks.spawn(Arc::clone(&live).keep_house(metrics, shutdown.clone()));
    tracing::info!(public = %doors.addresses.public, side = %doors.addresses.side, "serving");
    Ok(RunningNode { live, addresses: doors.addresses, tls_root_pem: doors.root_pem, shutdown, tasks, database, _lock: lock })
}

/// A part that stops by itself, by whatever cause, takes the node with it: half a node would only look alive.
async fn until_it_fails(what: &'static str, part: impl Future<Output = io::Result<()>>, shutdown: CancellationToken) {
    let _guard = shutdown.drop_guard();
    if let Err(fault) = part.await {
        tracing::error!(what, %fault, "a part of the node failed; the node stops");
    }
}

fn feeds(config: &Config) -> FeedSettings {
    let source =
        |feed: &config::FeedSource| FeedSource { kind: feed.kind, url: feed.url.clone(), every: feed.every, warn_after: feed.warn_after };
    FeedSettings {
        sources: config.feeds.iter().map(source).collect(),
        data: config.data.clone(),
        status_list: config.device.status_list.as_ref().map(|(file, _)| file.clone()),
    }
}

fn status(config: &Config, dev: Dev, started_at: u64) -> Status {
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        process: std::process::id(),
        public_url: config.public.as_str().to_owned(),
        started_at,
        dev: dev == Dev::On,
    }
}
