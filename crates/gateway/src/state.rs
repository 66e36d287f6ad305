//! Everything that the way of a request leans on, in one place.

use std::sync::Arc;

use arc_swap::ArcSwap;
use countersign_access::Access;
use countersign_audit::RulesDigest;
use countersign_compliance::Apps;
use countersign_core::{Clock, DecisionId, Entropy, Observer, RiskBar, SignalSink};
use countersign_policy::{Operations, Policies};
use countersign_proof::target;
use countersign_risk::fingerprint::Salt;
use countersign_store::{Change, Changes, RateCounters, Recorder};

use crate::{
    config::{GatewayConfig, OriginError, PublicHost},
    relay::Route,
    slots::Slots,
    statement::Statements,
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
    /// What each app requires of its phones.
    pub apps: Arc<Apps>,
}

/// What a house is built of: every promise meets its implementation in the binary, once.
pub struct GatewayParts {
    /// What the operator decided.
    pub config: GatewayConfig,
    /// Operations, policies and apps.
    pub rules: Rules,
    /// Says who asks; the issuer's as well.
    pub access: Arc<Access>,
    /// Signs statements to the upstream.
    pub statements: Statements,
    /// The API that is protected.
    pub upstream: Upstream,
    /// What is remembered between requests.
    pub stores: Stores,
    /// Hears what may change trust.
    pub signals: Arc<dyn SignalSink>,
    /// Says how requests look beside what is usual.
    pub observer: Arc<dyn Observer>,
    /// Makes fingerprints of what requests touch.
    pub objects: Salt,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Unpredictable bytes, for decision numbers.
    pub entropy: Arc<dyn Entropy>,
}

/// The promises of the store that the way of a request needs, beside those of [`Access`].
#[derive(Clone)]
pub struct Stores {
    /// How often sessions did what.
    pub rates: Arc<dyn RateCounters>,
    /// The log.
    pub recorder: Arc<dyn Recorder>,
    /// Where sessions and devices announce that they changed; the store's own.
    pub changes: Changes,
}

/// The gateway, ready to serve.
pub struct Gateway {
    pub(crate) host: PublicHost,
    pub(crate) origin: target::Origin,
    pub(crate) rules: ArcSwap<Rules>,
    pub(crate) access: Arc<Access>,
    pub(crate) statements: Statements,
    pub(crate) route: Route,
    pub(crate) stores: Stores,
    pub(crate) signals: Arc<dyn SignalSink>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) objects: Salt,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) slots: Slots,
}

impl Gateway {
    /// Puts the parts together.
    ///
    /// # Errors
    /// When the public origin cannot be the origin of a proof's `htu`.
    pub fn new(parts: GatewayParts) -> Result<Self, OriginError> {
        let origin = target::Origin::parse(parts.config.public.as_str()).map_err(|_| OriginError::Malformed)?;
        parts.access.apps.store(Arc::clone(&parts.rules.apps));
        Ok(Self {
            host: PublicHost::of(&parts.config.public),
            origin,
            rules: ArcSwap::from_pointee(parts.rules),
            access: parts.access,
            statements: parts.statements,
            route: Route::new(&parts.config.public, parts.upstream, parts.config.streams),
            stores: parts.stores,
            signals: parts.signals,
            observer: parts.observer,
            objects: parts.objects,
            clock: parts.clock,
            entropy: parts.entropy,
            slots: Slots::new(parts.config.held),
        })
    }

    /// Judges by other rules from the next request on, and open connections at once. What apps require is replaced for the whole
    /// node: at the doors where phones enrol the same is required as on the way of a request.
    pub fn replace_rules(&self, rules: Rules) {
        // INVARIANT: nobody else stores apps, so that those of a request's rules are those of everybody.
        self.access.apps.store(Arc::clone(&rules.apps));
        self.rules.store(Arc::new(rules));
        self.stores.changes.announce(Change::Rules);
    }

    /// Revocation lists were replaced: judges open connections again.
    pub fn judge_again(&self) {
        self.stores.changes.announce(Change::Rules);
    }

    /// Ends all open connections, with a word to their clients, and waits until they have ended. New ones are refused.
    pub async fn end_open_connections(&self) {
        self.slots.end().await;
    }

    /// The authenticator, for keys that change.
    #[must_use]
    pub const fn access(&self) -> &Arc<Access> {
        &self.access
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
