//! Everything that the way of a request leans on, in one place.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;
use countersign_audit::RulesDigest;
use countersign_core::{
    ClientId, Clock, DecisionId, Entropy, Lack, Posture, Reason, Requirements, Revocations, RiskBar, Session, Share, SignalSink,
    UnixSeconds, Watch,
};
use countersign_policy::{Operations, Policies};
use countersign_proof::{nonce::NonceKeys, target};
use countersign_risk::fingerprint::Salt;
use countersign_store::{Change, Changes, Devices, RateCounters, Recorder, ReplayMemory, Sessions};

use crate::{
    config::{GatewayConfig, OriginError, PublicHost},
    held::places::Places,
    relay::Route,
    statement::Statements,
    tokens::Tokens,
    upstream::Upstream,
};

/// What is offered, what is allowed and what devices must fulfil. One value, so that a request never meets operations of one
/// version and policies of another.
pub struct Rules {
    /// What the API offers.
    pub operations: Operations,
    /// Who may do what.
    pub policies: Policies,
    /// The name of operations and policies together, by which the log says what decided.
    pub digest: RulesDigest,
    /// From which score on what is asked.
    pub risk: RiskBar,
    /// What is required of the devices of each app.
    pub requirements: HashMap<ClientId, Requirements>,
}

impl Rules {
    /// What the device of a session lacks.
    ///
    /// # Errors
    /// [`Reason::ClientUnknown`] for a session of an app that is no longer configured.
    pub fn lacks(&self, session: &Session, posture: &Posture, revocations: &Revocations, now: UnixSeconds) -> Result<Vec<Lack>, Reason> {
        let requirements = self.requirements.get(&session.client).ok_or(Reason::ClientUnknown)?;
        Ok(requirements.lacks(posture, revocations, Some(Share::of(&session.user)), now))
    }
}

/// What a house is built of: every promise meets its implementation in the binary, once.
pub struct HouseParts {
    /// What the operator decided.
    pub config: GatewayConfig,
    /// Operations and policies.
    pub rules: Rules,
    /// Which certificates of devices were revoked; replaced whole when the list changes.
    pub revocations: Arc<ArcSwap<Revocations>>,
    /// Verifies access tokens.
    pub tokens: Tokens,
    /// Makes and recognises nonces.
    pub nonces: NonceKeys,
    /// Signs statements to the upstream.
    pub statements: Statements,
    /// The API that is protected.
    pub upstream: Upstream,
    /// What is remembered between requests.
    pub stores: Stores,
    /// Hears what may change trust.
    pub signals: Arc<dyn SignalSink>,
    /// Says how requests look beside what is usual.
    pub watch: Arc<dyn Watch>,
    /// Makes fingerprints of what requests touch.
    pub objects: Salt,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Unpredictable bytes, for decision numbers.
    pub entropy: Arc<dyn Entropy>,
}

/// The promises of the store that the way of a request needs.
#[derive(Clone)]
pub struct Stores {
    /// Which proofs were used.
    pub replay: Arc<dyn ReplayMemory>,
    /// What sessions may do.
    pub sessions: Arc<dyn Sessions>,
    /// What is known of devices.
    pub devices: Arc<dyn Devices>,
    /// How often sessions did what.
    pub rates: Arc<dyn RateCounters>,
    /// The log.
    pub recorder: Arc<dyn Recorder>,
    /// Where sessions and devices announce that they changed; the store's own.
    pub changes: Changes,
}

/// The gateway, ready to serve.
pub struct House {
    pub(crate) host: PublicHost,
    pub(crate) origin: target::Origin,
    pub(crate) rules: ArcSwap<Rules>,
    pub(crate) revocations: Arc<ArcSwap<Revocations>>,
    pub(crate) tokens: Tokens,
    pub(crate) nonces: ArcSwap<NonceKeys>,
    pub(crate) statements: Statements,
    pub(crate) route: Route,
    pub(crate) stores: Stores,
    pub(crate) signals: Arc<dyn SignalSink>,
    pub(crate) watch: Arc<dyn Watch>,
    pub(crate) objects: Salt,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) held: Places,
}

impl House {
    /// Puts the parts together.
    ///
    /// # Errors
    /// When the public origin cannot be the origin of a proof's `htu`.
    pub fn new(parts: HouseParts) -> Result<Self, OriginError> {
        let origin = target::Origin::parse(parts.config.public.as_str()).map_err(|_| OriginError::Malformed)?;
        Ok(Self {
            host: PublicHost::of(&parts.config.public),
            origin,
            rules: ArcSwap::from_pointee(parts.rules),
            revocations: parts.revocations,
            tokens: parts.tokens,
            nonces: ArcSwap::from_pointee(parts.nonces),
            statements: parts.statements,
            route: Route::new(&parts.config.public, parts.upstream, parts.config.streams),
            stores: parts.stores,
            signals: parts.signals,
            watch: parts.watch,
            objects: parts.objects,
            clock: parts.clock,
            entropy: parts.entropy,
            held: Places::new(parts.config.held),
        })
    }

    /// Judges by other rules from the next request on, and open connections at once.
    pub fn replace_rules(&self, rules: Rules) {
        self.rules.store(Arc::new(rules));
        self.stores.changes.announce(Change::Rules);
    }

    /// Revocation lists were replaced: judges open connections again.
    pub fn judge_again(&self) {
        self.stores.changes.announce(Change::Rules);
    }

    /// Ends all open connections, with a word to their clients, and waits until they have ended. New ones are refused.
    pub async fn end_open_connections(&self) {
        self.held.end().await;
    }

    /// The rules by which the next request is judged.
    #[must_use]
    pub fn rules(&self) -> Arc<Rules> {
        self.rules.load_full()
    }

    /// Makes nonces by other keys from now on.
    pub fn replace_nonces(&self, nonces: NonceKeys) {
        self.nonces.store(Arc::new(nonces));
    }

    /// The tokens' verifier, for keys that change.
    #[must_use]
    pub const fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The statements' signer, for keys that change.
    #[must_use]
    pub const fn statements(&self) -> &Statements {
        &self.statements
    }

    /// A number for the next decision.
    pub(crate) fn next_decision(&self) -> DecisionId {
        let mut bytes = [0; 8];
        self.entropy.fill(&mut bytes);
        DecisionId::from_random(bytes)
    }
}
