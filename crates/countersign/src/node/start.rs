//! How a node comes up, in order: understand everything, take the data directory, open stores and ports, and only then serve.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};

use arc_swap::ArcSwap;
use countersign_core::{Clock, Entropy, Secret, SignalSink};
use countersign_gateway::{GatewayConfig, House, HouseParts, ListenConfig, Statements, Tokens, Transport, listen};
use countersign_identity::PairwiseKey;
use countersign_issuer::{Issuer, IssuerKeys, RefreshKey, World, router};
use countersign_proof::nonce::NonceKeys;
use countersign_store::KeyPurpose;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    admin::{
        office::Office,
        routes::{self, Desk, Reload},
        socket::Socket,
        wire::Status,
    },
    config::{Config, Dev, Faults, settle},
    layout,
    node::{
        front::Front,
        live::{Live, RunningNode},
        side::{self, Side},
        start_error::StartError,
    },
    wire::{
        issuing, keys,
        lock::DataLock,
        metering,
        rotation::Rings,
        rules::{self, Declared},
        signals::Signals,
        stores::Stores,
        tls, trust, upstream,
    },
};

/// What the caller decides, besides the config.
pub struct Options {
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Unpredictable bytes.
    pub entropy: Arc<dyn Entropy>,
    /// Whether it is a development node even if the config does not say so.
    pub dev: Dev,
}

/// Where a node listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Phones.
    pub public: SocketAddr,
    /// Health and metrics.
    pub side: SocketAddr,
    /// Operators.
    pub admin: PathBuf,
}

/// Starts a node and returns once it serves.
///
/// # Errors
/// Whatever is not understood, not free or not there. Nothing is left running then.
pub async fn start(config: Config, options: Options) -> Result<RunningNode, StartError> {
    let dev = config.dev.or(options.dev);
    settle(&config, dev)?;
    let rules = rules::rules(&config)?;
    let trust = trust::trust(&config, dev)?;
    let settings = issuing::settings(&config, dev)?;
    let upstream = upstream::upstream(&config)?;
    let lock = DataLock::take(&config.data)?;
    let shown = certificate(&config, dev)?;
    let public = bind(config.listen_address(dev), "the public port").await?;
    let side_port = bind(config.metrics, "the port of metrics").await?;
    let metrics = metering::recorder();
    said_at_start(&config, dev, &rules);

    let digest = rules.digest.clone();
    let now = options.clock.now().seconds();
    let stores = Stores::open(&config.data, config.public.host(), &options.clock, &options.entropy).await?;
    let rings = Rings::load(&*stores.keys, now).await?;
    let mut bytes = [0; 32];
    options.entropy.fill(&mut bytes);
    let nonce = Secret::new(bytes);
    // The memory of used proofs begins empty with the process. Nonces of an earlier one do not count, and proofs from
    // before need one, so that nothing captured earlier can be replayed now.
    let nonces = || NonceKeys::new(&nonce, None).remembering_since(now);
    let pairwise = keys::secret(&*stores.keys, KeyPurpose::Pairwise, &*options.entropy, now).await?;
    let refresh = keys::secret(&*stores.keys, KeyPurpose::Refresh, &*options.entropy, now).await?;
    let signals: Arc<dyn SignalSink> = Arc::new(Signals::start(Arc::clone(&options.clock)));

    let mut gateway = GatewayConfig::new(config.public.clone());
    gateway.streams.bytes_max = config.bounds.body_bytes_max;
    let house = House::new(HouseParts {
        config: gateway,
        rules: rules.into_gateway(),
        tokens: Tokens::new(rings.verifier(config.public.as_str(), now)),
        nonces: nonces(),
        statements: Statements::new(
            config.public.as_str(),
            config.upstream.origin.as_str(),
            rings.statement_key(&*stores.keys, now).await?,
        ),
        upstream,
        stores: stores.for_gateway(),
        signals: Arc::clone(&signals),
        clock: Arc::clone(&options.clock),
        entropy: Arc::clone(&options.entropy),
    });
    let house =
        Arc::new(house.map_err(|why| StartError::Config(Faults::of_file(&config.file, "`public_url` cannot be used", &why.to_string())))?);
    let trust = Arc::new(ArcSwap::from_pointee(trust));
    let issuer = Issuer {
        stores: stores.for_issuer(),
        world: World { clock: Arc::clone(&options.clock), entropy: Arc::clone(&options.entropy), signals },
        keys: IssuerKeys {
            access: Arc::clone(&rings.access),
            statements: Arc::clone(&rings.statements),
            nonces: Arc::new(nonces()),
            refresh: RefreshKey::new(&refresh),
            pairwise: PairwiseKey::new(&pairwise),
        },
        config: settings,
        trust: Arc::clone(&trust),
    };
    let office = Arc::new(Office {
        stores: stores.for_office(),
        clock: Arc::clone(&options.clock),
        entropy: Arc::clone(&options.entropy),
        log: config.data.join(layout::LOG),
        log_key: Arc::clone(&stores.log_key),
    });
    let admin = config.data.join(layout::ADMIN_SOCKET);
    let socket =
        Socket::bind(&admin).map_err(|source| StartError::Io { what: format!("the admin socket `{}`", admin.display()), source })?;
    let addresses = Addresses { public: address(&public)?, side: address(&side_port)?, admin };
    let status = Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        process: std::process::id(),
        public_url: config.public.as_str().to_owned(),
        started_at: now.0,
        dev: dev == Dev::On,
    };
    let bounds = config.bounds;
    let live = Arc::new(Live {
        config,
        dev,
        clock: Arc::clone(&options.clock),
        house: Arc::clone(&house),
        trust,
        certificates: Arc::clone(&shown.certificates),
        rings,
        keys: Arc::clone(&stores.keys),
        office: Arc::clone(&office),
    });
    office.activated("start", &digest).await?;

    let shutdown = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let mut settings = ListenConfig::new(Transport::Tls(shown.certificates));
    (settings.connections_max, settings.drain_max) = (bounds.connections_max, bounds.drain_max);
    let front = Front { house, issuer: router(Arc::new(issuer)) };
    let door = listen(public, settings, options.clock, shutdown.clone(), move |request, peer| front.clone().answer(request, peer));
    tasks.spawn(until_it_fails("the public port", door, shutdown.clone()));
    let desk = Desk { office, status, reload: Arc::clone(&live) as Arc<dyn Reload> };
    tasks.spawn(until_it_fails("the admin socket", socket.serve(routes::router(desk), shutdown.clone()), shutdown.clone()));
    let (database, kept) = (stores.database(), metrics.clone());
    let side = side::router(Side { metrics, keys: stores.keys, shutdown: shutdown.clone() });
    let served = axum::serve(side_port, side).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    tasks.spawn(until_it_fails("the port of metrics", async { served.await }, shutdown.clone()));
    tasks.spawn(Arc::clone(&live).keep_house(kept, shutdown.clone()));
    tracing::info!(public = %addresses.public, side = %addresses.side, "serving");
    Ok(RunningNode { live, addresses, tls_root_pem: shown.root_pem, shutdown, tasks, database, _lock: lock })
}

/// A part that stops by itself, by whatever cause, takes the node with it: half a node would only look alive.
async fn until_it_fails(what: &'static str, part: impl Future<Output = io::Result<()>>, shutdown: CancellationToken) {
    let _guard = shutdown.clone().drop_guard();
    if let Err(fault) = part.await {
        tracing::error!(what, %fault, "failed; the node stops");
    }
}

/// What the listener shows, and the root of it when it is of our own making.
struct Shown {
    certificates: Arc<countersign_gateway::Certificates>,
    root_pem: String,
}

fn certificate(config: &Config, dev: Dev) -> Result<Shown, StartError> {
    match (&config.tls, dev) {
        (Some(files), Dev::Off) => {
            let certificates = tls::from_files(config, files)?.ready(config, files)?;
            Ok(Shown { certificates: Arc::new(certificates), root_pem: String::new() })
        }
        (None | Some(_), Dev::On) | (None, Dev::Off) => {
            let made = tls::development(&config.data, config.public.host());
            let made =
                made.map_err(|why| StartError::Io { what: "a certificate for development".to_owned(), source: io::Error::other(why) })?;
            tracing::info!(root = %made.root_file.display(), "a certificate for development; clients trust it by this root");
            let certificates = countersign_gateway::Certificates::new(made.pair.chain, made.pair.key);
            let certificates = certificates
                .map_err(|why| StartError::Io { what: "a certificate for development".to_owned(), source: io::Error::other(why) })?;
            Ok(Shown { certificates: Arc::new(certificates), root_pem: made.root_pem })
        }
    }
}

async fn bind(address: SocketAddr, what: &str) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Io { what: format!("{what}, `{address}`, cannot be bound"), source })
}

fn address(listener: &TcpListener) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|source| StartError::Io { what: "a port that was just bound".to_owned(), source })
}

/// What an operator should know before the first request.
fn said_at_start(config: &Config, dev: Dev, rules: &rules::Rules) {
    let policies = rules.policies.count();
    tracing::info!(public_url = config.public.as_str(), upstream = config.upstream.origin.as_str(), policies, "understood");
    if rules.declared == Declared::BuiltIn {
        tracing::warn!("no `[[operation]]` is declared: reading requests are the action `read`, all others `write`");
    }
    if config.device.status_list.is_none() {
        tracing::warn!("no `status_list` is named: attestation keys that leaked are not recognised");
    }
    if dev == Dev::On {
        tracing::warn!("a development node: software phones are admitted, nothing here counts");
    }
    for warning in rules.policies.warnings() {
        tracing::warn!(warning, "policies");
    }
}
