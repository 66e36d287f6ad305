//! What all servers stand on: the same stores, keys, clock and state, opened once.

use std::{path::PathBuf, sync::Arc};

use arc_swap::ArcSwap;
use countersign_access::{Access, Tokens};
use countersign_compliance::{Apps, Revocations};
use countersign_core::{Clock, Entropy, Secret, SignalSink, UnixSeconds};
use countersign_gateway::Origin;
use countersign_issuer::DeviceTrust;
use countersign_monitor::{
    geography::Geography,
    observe::{LiveObserver, ObserverConfig},
    ssf::{News, Others},
};
use countersign_proof::nonce::NonceKeys;
use countersign_risk::fingerprint::Salt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    admin::service::AdminService,
    assembly::{
        keys, monitoring,
        noting::Noting,
        options::Options,
        rotation::Rings,
        signals::{Arrived, Signals},
        start_error::StartError,
        stores::{StoreSettings, Stores},
        validate::{BaseSettings, WatchSettings},
    },
    layout,
};

/// What all servers stand on. Each server's step takes from it what that server needs.
pub struct Assembly {
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Unpredictable bytes.
    pub entropy: Arc<dyn Entropy>,
    /// When the node was started.
    pub started_at: UnixSeconds,
    /// The data directory.
    pub data: PathBuf,
    /// The origin that clients use; the issuer is called by it.
    pub public: Origin,
    /// Every promise of the store.
    pub stores: Stores,
    /// Notes by which database and log know of each other.
    pub noting: Noting,
    /// Signing keys.
    pub rings: Rings,
    /// Makes fingerprints that mean nothing elsewhere.
    pub salt: Salt,
    /// The one authenticator, for every door.
    pub access: Arc<Access>,
    /// The registry of apps, which the gateway replaces.
    pub apps: Arc<ArcSwap<Apps>>,
    /// Whom we believe about phones, exchangeable.
    pub trust: Arc<ArcSwap<DeviceTrust>>,
    /// The certificates that we no longer believe, exchangeable.
    pub revocations: Arc<ArcSwap<Revocations>>,
    /// Where addresses are, exchangeable.
    pub geography: Arc<Geography>,
    /// Where signals go.
    pub signals: Arc<dyn SignalSink>,
    /// Says how requests and logins look.
    pub observer: Arc<LiveObserver>,
    /// Where operators act.
    pub admin_service: Arc<AdminService>,
    /// Cancelled when the node takes no new work.
    pub shutdown: CancellationToken,
}

/// What the servers say to each other, for whoever listens.
pub struct Inbox {
    /// The signals, for the monitor.
    pub signals: Arrived,
    /// What others are to be told.
    pub news: mpsc::Receiver<News>,
}

impl Assembly {
    /// Opens the stores, reads or makes the keys, and goes on from what was learned. The data directory is ours by now.
    ///
    /// # Errors
    /// When a store does not open, or does not answer.
    pub async fn open(settings: BaseSettings, options: Options) -> Result<(Self, Inbox), StartError> {
        let Options { clock, entropy, .. } = options;
        let started_at = clock.now().seconds();
        let strangers_per_minute = settings.strangers_per_minute;
        let opened = StoreSettings { data: &settings.data, origin: settings.public.host(), strangers_per_minute };
        let stores = Stores::open(opened, &clock, &entropy).await?;
        let noting = stores.noting(&settings.data, &*entropy).await?;
        let rings = Rings::load(&*stores.keys, started_at).await?;
        let salt = keys::salt(&*stores.keys, &*entropy, started_at).await?;

        let (signals, arrived) = Signals::new(Arc::clone(&clock));
        let signals: Arc<dyn SignalSink> = Arc::new(signals);
        let geography = Arc::new(Geography::new(settings.maps));
        let observer = Arc::new(LiveObserver::new(watching(settings.observer, salt), Arc::clone(&geography) as _, Arc::clone(&signals)));
        monitoring::recall(&observer, &settings.data);

        let apps = Arc::new(ArcSwap::new(settings.apps));
        let mut nonce = [0; 32];
        entropy.fill(&mut nonce);
        let access = Access {
            tokens: Tokens::new(rings.verifier(settings.public.as_str(), started_at)),
            // The memory of used proofs begins empty with the process. Nonces of an earlier one do not count, and proofs from
            // before need one, so that nothing captured earlier can be replayed now.
            nonces: NonceKeys::new(&Secret::new(nonce), None).remembering_since(started_at),
            apps: Arc::clone(&apps),
            revocations: Arc::clone(&settings.revocations),
            stores: stores.for_access(),
        };
        let (others, news) = Others::new();
        let admin_service = AdminService {
            stores: stores.for_admin_service(),
            apps: Arc::clone(&apps),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            others,
            log: settings.data.join(layout::LOG),
            log_key: Arc::clone(&stores.log_key),
        };
        let assembly = Self {
            clock,
            entropy,
            started_at,
            data: settings.data,
            public: settings.public,
            stores,
            noting,
            rings,
            salt,
            access: Arc::new(access),
            apps,
            trust: Arc::new(ArcSwap::from_pointee(settings.trust)),
            revocations: settings.revocations,
            geography,
            signals,
            observer,
            admin_service: Arc::new(admin_service),
            shutdown: CancellationToken::new(),
        };
        Ok((assembly, Inbox { signals: arrived, news }))
    }
}

/// What the operator decided about watching.
fn watching(settings: WatchSettings, salt: Salt) -> ObserverConfig {
    let WatchSettings { honey_accounts, honey_operations, people_max } = settings;
    ObserverConfig { honey_accounts, honey_operations, ..ObserverConfig::shipped(salt, people_max) }
}
