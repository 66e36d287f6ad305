//! Issuer, gateway and office, built of the same stores, keys and clock.

use std::sync::Arc;

use arc_swap::ArcSwap;
use countersign_access::{Access, Tokens};
use countersign_compliance::{Apps, Revocations};
use countersign_core::{Secret, SignalSink};
use countersign_gateway::{GatewayConfig, House, HouseParts, Statements};
use countersign_identity::PairwiseKey;
use countersign_issuer::{AnonymousLogBudget, DeviceTrust, Issuer, IssuerKeys, Prompts, RefreshKey, World};
use countersign_monitor::{
    geography::Geography,
    ssf::{News, Others},
    watch::{LiveWatch, WatchConfig},
};
use countersign_proof::nonce::NonceKeys;
use countersign_risk::fingerprint::Salt;
use countersign_store::KeyPurpose;

use tokio::sync::mpsc;

use crate::{
    admin::office::Office,
    assembly::{
        keys, monitoring,
        options::Options,
        rotation::Rings,
        signals::{Arrived, Signals},
        start_error::StartError,
        stores::Stores,
        understand::Understood,
    },
    config::{Config, Faults},
    layout,
    settings::signals::SignalSettings,
};

/// What serves.
pub struct Built {
    /// The gateway.
    pub house: Arc<House>,
    /// The issuer.
    pub issuer: Issuer,
    /// Where operators act.
    pub office: Arc<Office>,
    /// Signing keys.
    pub rings: Rings,
    /// Whom we believe about phones, exchangeable.
    pub trust: Arc<ArcSwap<DeviceTrust>>,
    /// The registry of apps, which the gateway replaces.
    pub apps: Arc<ArcSwap<Apps>>,
    /// The certificates that we no longer believe, exchangeable.
    pub revocations: Arc<ArcSwap<Revocations>>,
    /// Where addresses are, exchangeable.
    pub geography: Arc<Geography>,
    /// Says how requests and logins look.
    pub watch: Arc<LiveWatch>,
    /// What others are to be told.
    pub news: mpsc::Receiver<News>,
    /// The signals, for the monitor.
    pub arrived: Arrived,
    /// What they all lean on.
    pub stores: Stores,
}

/// Opens the stores, reads or makes the keys, and puts everything together.
///
/// # Errors
/// When a store does not open, or does not answer.
pub async fn build(config: &Config, understood: Understood, options: &Options) -> Result<(Built, SignalSettings), StartError> {
    let now = options.clock.now().seconds();
    let stores = Stores::open(&config.data, config.public.host(), &options.clock, &options.entropy).await?;
    let rings = Rings::load(&*stores.keys, now).await?;
    let pairwise = keys::secret(&*stores.keys, KeyPurpose::Pairwise, &*options.entropy, now).await?;
    let refresh = keys::secret(&*stores.keys, KeyPurpose::Refresh, &*options.entropy, now).await?;
    let mut bytes = [0; 32];
    options.entropy.fill(&mut bytes);
    let nonce = Secret::new(bytes);
    let (signals, arrived) = Signals::new(Arc::clone(&options.clock));
    let signals: Arc<dyn SignalSink> = Arc::new(signals);
    let salt = keys::salt(&*stores.keys, &*options.entropy, now).await?;
    let geography = Arc::new(Geography::new(understood.maps));
    let watch = Arc::new(LiveWatch::new(watching(config, salt), Arc::clone(&geography) as _, Arc::clone(&signals)));
    monitoring::recall(&watch, &config.data);
    let trust = Arc::new(ArcSwap::from_pointee(understood.trust));
    let revocations = understood.revocations;

    let (issuer_name, audience) = (config.public.as_str(), config.upstream.origin.as_str());
    let mut gateway = GatewayConfig::new(config.public.clone());
    gateway.streams.bytes_max = config.bounds.body_bytes_max;
    (gateway.held.connections_max, gateway.held.interval) = (config.bounds.open_connections_max, config.bounds.judged_every);
    let access = Arc::new(Access {
        tokens: Tokens::new(rings.verifier(issuer_name, now)),
        // The memory of used proofs begins empty with the process. Nonces of an earlier one do not count, and proofs from
        // before need one, so that nothing captured earlier can be replayed now.
        nonces: NonceKeys::new(&nonce, None).remembering_since(now),
        apps: Arc::new(ArcSwap::new(Arc::clone(&understood.rules.apps))),
        revocations: Arc::clone(&revocations),
        stores: stores.for_access(),
    });
    let apps = Arc::clone(&access.apps);
    let house = House::new(HouseParts {
        config: gateway,
        rules: understood.rules.into_gateway(),
        access: Arc::clone(&access),
        statements: Statements::new(issuer_name, audience, rings.statement_key(&*stores.keys, now).await?),
        upstream: understood.upstream,
        stores: stores.for_gateway(),
        signals: Arc::clone(&signals),
        watch: Arc::clone(&watch) as _,
        objects: salt,
        clock: Arc::clone(&options.clock),
        entropy: Arc::clone(&options.entropy),
    });
    let house = house.map_err(|why| Faults::of_file(&config.file, "`public_url` cannot be used", &why.to_string()))?;
    let issuer = Issuer {
        stores: stores.for_issuer(),
        world: World { clock: Arc::clone(&options.clock), entropy: Arc::clone(&options.entropy), signals, watch: Arc::clone(&watch) as _ },
        access,
        keys: IssuerKeys {
            access: Arc::clone(&rings.access),
            statements: Arc::clone(&rings.statements),
            refresh: RefreshKey::new(&refresh),
            pairwise: PairwiseKey::new(&pairwise),
        },
        config: understood.issuer,
        apps: Arc::clone(&apps),
        trust: Arc::clone(&trust),
        revocations: Arc::clone(&revocations),
        prompts: Prompts::default(),
        anonymous_log_budget: AnonymousLogBudget::default(),
    };
    let (others, news) = Others::new();
    let office = Office {
        stores: stores.for_office(),
        apps: Arc::clone(&apps),
        clock: Arc::clone(&options.clock),
        entropy: Arc::clone(&options.entropy),
        others,
        log: config.data.join(layout::LOG),
        log_key: Arc::clone(&stores.log_key),
    };
    let built = Built {
        house: Arc::new(house),
        issuer,
        office: Arc::new(office),
        rings,
        trust,
        apps,
        revocations,
        geography,
        watch,
        news,
        arrived,
        stores,
    };
    Ok((built, understood.signals))
}

/// What the operator decided about watching.
fn watching(config: &Config, salt: Salt) -> WatchConfig {
    WatchConfig {
        honey_accounts: config.monitor.honey_accounts.clone(),
        honey_operations: config.monitor.honey_operations.clone(),
        ..WatchConfig::shipped(salt, config.monitor.people_max)
    }
}
