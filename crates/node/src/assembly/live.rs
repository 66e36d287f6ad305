//! A node that runs: what can be asked of it, changed in it, and how it ends.

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use countersign_attest::android::StatusRule;
use countersign_audit::{Activated, Actor, RulesDigest};
use countersign_compliance::{FeedKind, Revocations};
use countersign_core::{OperatorName, Seconds};
use countersign_feeds::TakesFeeds;
use countersign_gateway::{Certificates, Gateway};
use countersign_store::{Due, Retention, Unavailable};
use metrics::{counter, gauge};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    admin::{routes::Reload, service::AdminService},
    assembly::{base::Assembly, listeners::Addresses, lock::DataLock, reading, rule_archive},
    config::{Config, Dev, Faults},
    settings::tls,
};

/// How often figures are brought up to date. Between two looks the exporter keeps every single measurement.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How often keys are given their turn. Whatever verified by the old ones is forgotten then, so it is not done for nothing.
const TURN_EVERY: Duration = Duration::from_secs(3600);

/// How long what has ended is kept, for whoever asks why it ended.
const KEPT_AFTER_ITS_END: Seconds = Seconds(86_400);

/// What can change while a node runs.
pub struct Live {
    pub(super) config: Config,
    pub(super) dev: Dev,
    pub(super) assembly: Arc<Assembly>,
    pub(super) gateway: Arc<Gateway>,
    pub(super) certificates: Arc<Certificates>,
}

impl Live {
    /// Reads policies, trust anchors, revocation list, geography and certificate again. Each that is right is taken into use; each that
    /// is not stays as it was.
    pub(super) async fn reload(&self, by: &Actor) -> Result<(), Faults> {
        let mut faults = Faults::default();
        for read in [self.reload_rules("", by).await, self.reload_trust("", by).await] {
            match read {
                // Said by `activate`.
                Ok(Ok(())) | Ok(Err(_)) => {}
                Err(why) => faults.extend(why),
            }
        }
        match reading::maps(&self.config) {
            Ok(maps) if maps.is_empty() => {}
            Ok(maps) => {
                let _ = self.activate(Activated::Geography, "", None, by, || self.assembly.geography.replace(maps)).await;
            }
            Err(why) => faults.extend(why),
        }
        if let Some(named) = &self.config.tls {
            match tls::replace(&self.certificates, &self.config.file, named) {
                Ok(()) => tracing::info!("the TLS certificate was reloaded"),
                Err(why) => faults.extend(why),
            }
        }
        faults.or(())
    }

    /// Policies and requirements; `digest` is of the feed that they are read again for.
    async fn reload_rules(&self, digest: &str, by: &Actor) -> Result<Result<(), Unavailable>, Faults> {
        let (rules, apps) = reading::rules(&self.config)?;
        let digest = if digest.is_empty() { rules.digest.clone() } else { digest.to_owned() };
        let (text, named) = (rules.text.clone(), rules.rules);
        // What decides from here on is kept before the log names it, or it is not taken into use.
        if let Err(source) = rule_archive::keep(&self.config.data, &text) {
            let fault = Unavailable::new(format!("keeping the rules: {source}"));
            tracing::error!(what = "policies", %fault, "not taken into use, because they could not be kept");
            return Ok(Err(fault));
        }
        let rules = rules.into_gateway(self.config.monitor.risk, apps);
        Ok(self.activate(Activated::Policies, &digest, Some(named), by, || self.gateway.replace_rules(rules)).await)
    }

    /// Trust anchors and revocation list; `digest` is of the feed that they are read again for.
    async fn reload_trust(&self, digest: &str, by: &Actor) -> Result<Result<(), Unavailable>, Faults> {
        let trust = reading::trust(&self.config, self.dev)?;
        let change = || {
            // Files know nothing of an outage; it goes on.
            self.assembly.revocations.rcu(|held| Revocations { outage: held.outage, ..trust.revocations.clone() });
            self.assembly.trust.store(Arc::new(trust.devices));
            self.gateway.judge_again();
        };
        Ok(self.activate(Activated::Trust, digest, None, by, change).await)
    }

    /// Takes something into use, once the log has it.
    async fn activate(
        &self,
        what: Activated,
        digest: &str,
        rules: Option<RulesDigest>,
        by: &Actor,
        change: impl FnOnce(),
    ) -> Result<(), Unavailable> {
        let recorded = self.assembly.admin_service.activated(what, digest, rules, by.clone()).await;
        let what = what.as_str();
        match recorded {
            Ok(decision) => {
                change();
                tracing::info!(what, decision = decision.as_str(), "reloaded and in use");
                Ok(())
            }
            Err(fault) => {
                tracing::error!(what, %fault, "not reloaded, because the change could not be written to the log");
                Err(fault)
            }
        }
    }

    /// Gives keys their turn, forgets what has ended and tells how old things are, until the node ends.
    pub(super) async fn maintain(self: Arc<Self>, metrics: PrometheusHandle, shutdown: CancellationToken) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        let mut turns = tokio::time::interval_at(tokio::time::Instant::now() + TURN_EVERY, TURN_EVERY);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = looks.tick() => {
                    metrics.run_upkeep();
                    self.tell_ages();
                    self.look_after_the_log(Due::ByTheClock).await;
                }
                _ = turns.tick() => {
                    self.turn_keys().await;
                    self.forget().await;
                }
            }
        }
    }

    /// Records what was counted of strangers' refusals, and keeps a reserve of the disk.
    async fn look_after_the_log(&self, due: Due) {
        let log = self.assembly.stores.log();
        if let Err(fault) = log.summarise(due, self.assembly.clock.now()).await {
            tracing::warn!(%fault, "the count of refusals could not be written to the log; it is kept and tried again");
        }
        if tokio::task::spawn_blocking(move || log.keep_reserve()).await.is_err() {
            tracing::warn!("the reserve of the log's disk could not be looked after");
        }
    }

    async fn turn_keys(&self) {
        let now = self.assembly.clock.now().seconds();
        let Assembly { rings, stores, public, .. } = &*self.assembly;
        if let Err(fault) = rings.turn(&*stores.keys, &self.gateway, public.as_str(), now).await {
            tracing::error!(%fault, "keys could not be rotated; trying again in an hour");
        }
    }

    /// Forgets what has ended (law 9).
    async fn forget(&self) {
        match self.assembly.stores.database().forget_before(self.assembly.clock.now().seconds().minus(KEPT_AFTER_ITS_END)).await {
            Ok(gone) => {
                for (what, count) in
                    [("code", gone.codes), ("invitation", gone.invitations), ("refresh", gone.families), ("session", gone.sessions)]
                {
                    counter!("countersign_forgotten_total", "what" => what).increment(count);
                }
            }
            Err(fault) => tracing::warn!(%fault, "expired entries could not be deleted; trying again in an hour"),
        }
    }

    /// How old what we trust by is: what an operator should be woken for before phones are refused.
    fn tell_ages(&self) {
        let (now, trust) = (self.assembly.clock.now().seconds(), self.assembly.trust.load());
        if let StatusRule::Required { list: Some(list), .. } = &trust.android.status {
            gauge!("countersign_status_list_age_seconds").set(age(now.since(list.fetched_at()).0));
        }
        if let Some(next) = trust.android.anchors.iter().chain(trust.apple.iter()).map(|anchor| anchor.not_after()).min() {
            gauge!("countersign_trust_anchor_left_seconds").set(age(next.since(now).0));
        }
    }
}

/// Seconds as a figure; beyond a century nobody looks.
fn age(seconds: u64) -> f64 {
    f64::from(u32::try_from(seconds).unwrap_or(u32::MAX))
}

#[async_trait]
impl Reload for Live {
    async fn reload(&self, by: &OperatorName) -> Result<(), String> {
        Self::reload(self, &Actor::Operator(by.clone())).await.map_err(|faults| faults.to_string())
    }
}

#[async_trait]
impl TakesFeeds for Live {
    async fn take(&self, kind: FeedKind, sha256: &str, by: Option<&OperatorName>) -> Result<(), String> {
        let by = by.map_or(Actor::System, |name| Actor::Operator(name.clone()));
        let taken = match kind {
            FeedKind::BootKeys => self.reload_rules(sha256, &by).await,
            FeedKind::AndroidAnchors | FeedKind::AppAttestAnchors | FeedKind::ReceiptAnchors | FeedKind::StatusList => {
                self.reload_trust(sha256, &by).await
            }
        };
        taken.map_err(|faults| faults.to_string())?.map_err(|fault| fault.to_string())
    }
}

/// A node that runs until it is shut down.
#[must_use = "a node that is dropped is cut off"]
pub struct RunningNode {
    pub(super) live: Arc<Live>,
    pub(super) addresses: Addresses,
    pub(super) tls_root_pem: String,
    pub(super) tasks: JoinSet<()>,
    pub(super) _lock: DataLock,
}

impl RunningNode {
    /// Where it listens.
    #[must_use]
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The root of a development node's certificate, for clients to trust; empty for a node with a certificate of its own.
    #[must_use]
    pub fn tls_root_pem(&self) -> &str {
        &self.tls_root_pem
    }

    /// Where operators act.
    #[must_use]
    pub fn admin_service(&self) -> &AdminService {
        &self.live.assembly.admin_service
    }

    /// Where the audit log's segments are.
    #[must_use]
    pub fn log_directory(&self) -> &Path {
        &self.live.assembly.admin_service.log
    }

    /// Returns when the node has stopped by itself, because a part of it failed.
    pub async fn stopped(&self) {
        self.live.assembly.shutdown.cancelled().await;
    }

    /// Reads again what can change, and logs what is wrong with it.
    pub async fn reload(&self) {
        if let Err(faults) = self.live.reload(&Actor::System).await {
            for fault in faults.iter() {
                tracing::error!(%fault, "reload refused; the previous version stays in use");
            }
        }
    }

    /// Writes into the log now how many refusals of strangers were counted, as is done every minute.
    pub async fn count_refusals(&self) {
        self.live.look_after_the_log(Due::Now).await;
    }

    /// Takes no new work, lets open requests finish for at most `limit`, and cuts the rest.
    pub async fn shutdown(mut self, limit: Duration) {
        self.live.assembly.shutdown.cancel();
        let ended = tokio::time::timeout(limit, async { while self.tasks.join_next().await.is_some() {} }).await;
        if ended.is_err() {
            tracing::warn!("some requests did not finish in time and were aborted");
            self.tasks.shutdown().await;
        }
        self.live.look_after_the_log(Due::Now).await;
        // Brings everything into the one file, so that a copy of the directory is whole.
        self.live.assembly.stores.database().close().await;
    }
}
