//! The monitor's windows: whom it tells, what it keeps over a restart, and the task that hands it signals.

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use arc_swap::ArcSwap;
use countersign_core::{Clock, Signal};
use countersign_monitor::{
    observe::LiveObserver,
    react::{IncidentSink, ReactRules, Reaction, Reactor},
};
use countersign_notify::{Mailer, Webhook};
use countersign_store::{Incident, IncidentChange};
use metrics::{counter, histogram};
use tokio_util::sync::CancellationToken;

use crate::{admin::wire::IncidentView, assembly::signals::Arrived, layout};

/// How often what was learned is kept.
const KEPT_EVERY: Duration = Duration::from_secs(600);

/// How often what was only counted is kept, and what is over is closed.
const TICK: Duration = Duration::from_secs(1);

/// Tells operators: a line in the log, a figure, a message to the webhook and a mail if there are such.
pub struct Notifier {
    /// What signals lead to, by which it is decided what is worth a mail.
    pub rules: Arc<ArcSwap<ReactRules>>,
    /// Who writes mails, and from which act on.
    pub mailer: Option<(Arc<Mailer>, Reaction)>,
    /// Where messages go.
    pub webhook: Option<Webhook>,
}

impl IncidentSink for Notifier {
    fn tell(&self, change: IncidentChange, incident: &Incident) {
        counter!("countersign_incidents_total", "kind" => incident.kind.as_str(), "what" => change.as_str()).increment(1);
        // Whose it is stands in the incident, which operators ask for; not in the log of the process.
        tracing::warn!(
            incident = incident.id.as_str(),
            kind = incident.kind.as_str(),
            what = change.as_str(),
            score = incident.score,
            "incident"
        );
        if let Some((mailer, min_severity)) = &self.mailer
            && self.rules.load().of(incident.kind).act >= *min_severity
        {
            mailer.tell(change, incident);
        }
        if let Some(webhook) = &self.webhook {
            let body = serde_json::json!({ "type": change.as_str(), "data": IncidentView::of(incident) });
            webhook.send(&incident.id, body.to_string());
        }
    }
}

/// Goes on from what was learned before the restart, if it is exactly what was written.
pub fn recall(observer: &LiveObserver, data: &Path) {
    let path = data.join(layout::WATCH);
    match fs::read(&path) {
        Ok(bytes) => match observer.restore(&bytes) {
            Ok(()) => tracing::info!(people = observer.size().0, "the monitor continues with its saved state"),
            Err(fault) => {
                counter!("countersign_watch_state_refused_total").increment(1);
                tracing::error!(%fault, path = %path.display(), "the monitor starts without saved state; for some days all people are new to it");
            }
        },
        Err(why) if why.kind() == io::ErrorKind::NotFound => {}
        Err(why) => {
            tracing::error!(%why, path = %path.display(), "the saved state of the monitor cannot be read; the monitor starts without it")
        }
    }
}

/// Keeps what was learned now and then, and once more when the node ends.
pub async fn remember(observer: Arc<LiveObserver>, data: PathBuf, shutdown: CancellationToken) {
    loop {
        let ended = tokio::time::timeout(KEPT_EVERY, shutdown.cancelled()).await.is_ok();
        let (kept, into) = (Arc::clone(&observer), data.join(layout::WATCH));
        let kept = tokio::task::spawn_blocking(move || keep(&kept, &into)).await;
        if let Ok(Err(why)) = kept {
            tracing::error!(%why, "the state of the monitor could not be saved; trying again later");
        }
        if ended {
            return;
        }
    }
}

/// Writes beside the old file and then takes its place, so that a crash leaves one of the two whole.
fn keep(observer: &LiveObserver, path: &Path) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut out = io::BufWriter::new(private(&fresh)?);
    observer.write_snapshot(&mut out)?;
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    fs::rename(fresh, path)
}

/// A new file for this user alone.
fn private(path: &Path) -> io::Result<fs::File> {
    let _ = fs::remove_file(path);
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Hands signals to the reactor, one by one, until the node ends.
pub async fn react(reactor: Arc<Reactor>, mut arrived: Arrived, clock: Arc<dyn Clock>, shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => {
                if let Err(fault) = reactor.tick().await {
                    tracing::error!(%fault, "incidents could not be saved; trying again in a second");
                }
            }
            signal = arrived.next() => match signal {
                Some(signal) => take(&reactor, &signal, &*clock).await,
                None => return,
            },
        }
    }
}

async fn take(reactor: &Reactor, signal: &Signal, clock: &dyn Clock) {
    if let Err(fault) = reactor.take(signal).await {
        tracing::error!(kind = signal.kind.as_str(), %fault, "the reaction to a signal failed in part");
    }
    let milliseconds = u32::try_from(clock.now().0.saturating_sub(signal.at.0)).unwrap_or(u32::MAX);
    histogram!("countersign_reaction_seconds").record(f64::from(milliseconds) / 1000.0);
}
