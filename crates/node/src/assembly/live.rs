//! A node that runs: what can be asked of it, changed in it, and how it ends.

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use countersign_attest::android::StatusRule;
use countersign_audit::{Activated, Actor, RulesDigest};
use countersign_compliance::{FeedKind, Revocations};
use countersign_core::{OperatorName, Seconds};
use countersign_feeds::TakesFeeds;
use countersign_gateway::{Certificates, Gateway, Naming};
use countersign_store::{Due, Retention, Unavailable};
use metrics::{counter, gauge};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    admin::{routes::Reload, service::AdminService},
    assembly::{
        backup,
        base::Assembly,
        certificate_watch::{self, Urgency},
        clock_watch::{ClockWatch, Step},
        listeners::Addresses,
        lock::DataLock,
        reading, rule_archive,
    },
    config::{Config, Dev, Faults},
    settings::tls,
};

/// How often figures are brought up to date. Between two looks the exporter keeps every single measurement.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Time between two looks at the clock.
const CLOCK_EVERY: Duration = Duration::from_secs(1);

/// Time between two notes by which database and log know of each other, while anything is recorded.
const NOTE_EVERY: Duration = Duration::from_secs(10);

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

/// Something that is taken into use, as the log names it.
struct Activation<'a> {
    what: Activated,
    digest: &'a str,
    rules: Option<RulesDigest>,
    by: &'a Actor,
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
                let _ = self
                    .activate(Activation { what: Activated::Geography, digest: "", rules: None, by }, || {
                        self.assembly.geography.replace(maps)
                    })
                    .await;
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
        Ok(self
            .activate(Activation { what: Activated::Policies, digest: &digest, rules: Some(named), by }, || {
                self.gateway.replace_rules(rules)
            })
            .await)
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
        Ok(self.activate(Activation { what: Activated::Trust, digest, rules: None, by }, change).await)
    }

    /// Takes something into use, once the log has it.
    async fn activate(&self, activation: Activation<'_>, change: impl FnOnce()) -> Result<(), Unavailable> {
        let Activation { what, digest, rules, by } = activation;
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
        let mut certificate = Urgency::Fine;
        let mut notes = tokio::time::interval(NOTE_EVERY);
        let mut clock_looks = tokio::time::interval(CLOCK_EVERY);
        let mut clock = ClockWatch::new(self.assembly.clock.now(), tokio::time::Instant::now());
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = notes.tick() => self.note().await,
                _ = clock_looks.tick() => self.look_at_the_clock(&mut clock).await,
                _ = looks.tick() => {
                    metrics.run_upkeep();
                    self.tell_ages();
                    self.look_after_the_log(Due::ByTheClock).await;
                    self.look_at_the_certificate(&mut certificate);
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

    /// Tells database and log of each other.
    async fn note(&self) {
        if let Err(fault) = self.assembly.noting.note(&self.assembly.admin_service).await {
            tracing::warn!(%fault, "database and log could not be told of each other; trying again");
        }
    }

    /// Notices a step of the clock, and puts right what it left behind. A key is made as well when none covers this moment for whatever
    /// other reason.
    async fn look_at_the_clock(&self, watch: &mut ClockWatch) {
        let Assembly { clock, stores, access, rings, .. } = &*self.assembly;
        let now = clock.now();
        let step = watch.look(now, tokio::time::Instant::now(), stores.judged_until());
        if let Some(step) = step {
            let (direction, seconds) = (step.word(), step.seconds().0);
            counter!("countersign_clock_steps_total", "direction" => direction).increment(1);
            tracing::warn!(direction, seconds, "the clock was set; tokens, lists and sessions are judged by the new time from now on");
        }
        if let Some(Step::Back(_)) = step {
            // SECURITY: in this order. Nonces of before are void before the memory that knew their use begins again.
            access.nonces.begin_again(watch.latest());
            stores.begin_again(now.seconds());
        }
        if step.is_some() || !rings.can_sign(now.seconds()) {
            self.turn_keys().await;
        }
    }

    async fn turn_keys(&self) {
        let now = self.assembly.clock.now().seconds();
        let Assembly { rings, stores, public, .. } = &*self.assembly;
        if let Err(fault) = rings.turn(&*stores.keys, &self.gateway, public.as_str(), now).await {
            tracing::error!(%fault, "keys could not be rotated; trying again");
        }
    }

    /// Forgets what has ended (law 9).
    async fn forget(&self) {
        let database = self.assembly.stores.database();
        let wanted = self.assembly.clock.now().seconds().minus(KEPT_AFTER_ITS_END);
        let forgotten = match database.advance_forgetting(wanted).await {
            Ok(through) => database.forget_before(through).await,
            Err(fault) => Err(fault),
        };
        match forgotten {
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

    /// Tells how long our own certificate lasts, and if it names our host. What has become more urgent since `told` is said.
    fn look_at_the_certificate(&self, told: &mut Urgency) {
        let host = self.assembly.public.host();
        let Some(finding) = certificate_watch::look(&self.certificates, host, self.assembly.clock.now().seconds()) else { return };
        gauge!("countersign_tls_certificate_left_seconds").set(age(finding.left.0));
        gauge!("countersign_tls_certificate_names_host").set(match finding.naming {
            Naming::Misses => 0.0,
            Naming::Names => 1.0,
        });
        if finding.urgency > *told {
            certificate_watch::warn(finding, host);
        }
        *told = finding.urgency;
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

    async fn backup(&self, directory: &Path) -> Result<(), String> {
        let Assembly { data, stores, noting, admin_service, .. } = &*self.assembly;
        // So that the copy knows of all that was recorded up to here.
        noting.note(admin_service).await.map_err(|fault| fault.to_string())?;
        let data = std::path::absolute(data).map_err(|fault| fault.to_string())?;
        backup::backup(&data, &stores.database(), noting, directory).await.map_err(|why| why.to_string())
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
        self.live.note().await;
        // Brings everything into the one file, so that a copy of the directory is whole.
        self.live.assembly.stores.database().close().await;
    }
}
