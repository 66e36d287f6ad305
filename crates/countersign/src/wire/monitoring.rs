//! The monitor's windows: where it writes down what it does, whom it tells, and the task that hands it signals.

use std::{
    fs, io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use countersign_core::{Clock, DecisionId, Secret, Session, SessionState, Signal};
use countersign_monitor::{
    react::{Ledger, Message, Reactor, Tell, Told, WebhookKey},
    watch::LiveWatch,
};
use countersign_store::{Incident, Unavailable};
use http::{HeaderName, header};
use metrics::{counter, histogram};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    admin::{office::Office, wire::IncidentView},
    config::{Config, Fault, Faults},
    layout,
    wire::{issuing, mail::Postman, signals::Arrived, vendors::Caller},
};

/// Messages that wait for their receiver; beyond, they are counted and dropped.
const MESSAGES_MAX: usize = 256;

/// How long is waited between attempts: five in about two minutes.
const ATTEMPTS: [Duration; 5] =
    [Duration::ZERO, Duration::from_secs(2), Duration::from_secs(8), Duration::from_secs(30), Duration::from_secs(90)];

/// How often what was learned is kept.
const KEPT_EVERY: Duration = Duration::from_secs(600);

/// How often what was only counted is kept, and what is over is closed.
const TICK: Duration = Duration::from_secs(1);

#[async_trait]
impl Ledger for Office {
    async fn acted(&self, session: &Session, to: SessionState, incident: &Incident) -> Result<DecisionId, Unavailable> {
        self.monitor_acted(session, to, incident).await
    }
}

/// Tells operators: a line in the log, a figure, a message to the webhook and a mail if there are such.
pub struct Teller {
    postman: Option<Arc<Postman>>,
    messages: Option<mpsc::Sender<(Told, Incident)>>,
}

impl Tell for Teller {
    fn tell(&self, told: Told, incident: &Incident) {
        counter!("countersign_incidents_total", "kind" => incident.kind.as_str(), "what" => told.as_str()).increment(1);
        // Whose it is stands in the incident, which operators ask for; not in the log of the process.
        tracing::warn!(
            incident = incident.id.as_str(),
            kind = incident.kind.as_str(),
            what = told.as_str(),
            score = incident.score,
            "incident"
        );
        if let Some(postman) = &self.postman {
            postman.tell(told, incident);
        }
        let full = self.messages.as_ref().is_some_and(|queue| queue.try_send((told, incident.clone())).is_err());
        if full {
            counter!("countersign_webhook_messages_total", "outcome" => "dropped").increment(1);
            tracing::error!(incident = incident.id.as_str(), "the webhook's queue is full; the message is dropped");
        }
    }
}

/// Where a webhook's messages go.
pub struct Receiver {
    url: Url,
    key: WebhookKey,
    caller: Caller,
}

impl Receiver {
    /// The receiver that the config names, if it names one.
    ///
    /// # Errors
    /// When the secret cannot be read.
    pub fn read(config: &Config) -> Result<Option<Self>, Faults> {
        let Some(webhook) = &config.monitor.webhook else { return Ok(None) };
        let fault = |what: String, remedy: String| Faults::one(Fault { file: config.file.clone(), line: Some(webhook.line), what, remedy });
        let text = fs::read_to_string(&webhook.secret).map_err(|why| {
            fault(format!("`{}` cannot be read ({why})", webhook.secret.display()), "name a file that holds `whsec_...`".to_owned())
        })?;
        let key = WebhookKey::parse(&Secret::new(text))
            .map_err(|why| fault(format!("`{}` holds no secret of a webhook", webhook.secret.display()), why.to_string()))?;
        Ok(Some(Self { url: webhook.url.clone(), key, caller: issuing::caller(config)? }))
    }
}

/// A teller, and the task that delivers its messages until the node ends.
#[must_use]
pub fn teller(receiver: Option<Receiver>, postman: Option<Arc<Postman>>, clock: Arc<dyn Clock>, shutdown: CancellationToken) -> Teller {
    let Some(receiver) = receiver else { return Teller { postman, messages: None } };
    let (messages, mut queue) = mpsc::channel::<(Told, Incident)>(MESSAGES_MAX);
    tokio::spawn(async move {
        let deliver = async {
            let mut number: u64 = 0;
            while let Some((told, incident)) = queue.recv().await {
                number = number.saturating_add(1);
                let delivered = deliver(&receiver, (told, &incident), number, &*clock).await;
                counter!("countersign_webhook_messages_total", "outcome" => if delivered { "delivered" } else { "given_up" }).increment(1);
            }
        };
        tokio::select! { () = deliver => {}, () = shutdown.cancelled() => {} }
    });
    Teller { postman, messages: Some(messages) }
}

async fn deliver(receiver: &Receiver, (told, incident): (Told, &Incident), number: u64, clock: &dyn Clock) -> bool {
    let body = serde_json::json!({ "type": told.as_str(), "data": IncidentView::of(incident) }).to_string();
    for wait in ATTEMPTS {
        tokio::time::sleep(wait).await;
        let message = Message::sign(&receiver.key, &incident.id, number, body.clone(), clock.now().seconds());
        let headers = [
            (header::CONTENT_TYPE, "application/json"),
            (HeaderName::from_static("webhook-id"), message.id.as_str()),
            (HeaderName::from_static("webhook-timestamp"), message.timestamp.as_str()),
            (HeaderName::from_static("webhook-signature"), message.signature.as_str()),
        ];
        match receiver.caller.post(&receiver.url, &headers, message.body.clone()).await {
            Ok((status, _)) if status.is_success() => return true,
            Ok((status, _)) => tracing::warn!(%status, "the webhook's receiver refused"),
            Err(why) => tracing::warn!(%why, "the webhook's receiver could not be reached"),
        }
    }
    false
}

/// Goes on from what was learned before the restart, if it is exactly what was written.
pub fn recall(watch: &LiveWatch, data: &Path) {
    let path = data.join(layout::WATCH);
    match fs::read(&path) {
        Ok(bytes) => match watch.restore(&bytes) {
            Ok(()) => tracing::info!(people = watch.size().0, "the monitor goes on from what it learned"),
            Err(fault) => {
                counter!("countersign_watch_state_refused_total").increment(1);
                tracing::error!(%fault, path = %path.display(), "the monitor begins anew; everybody is a newcomer to it for some days");
            }
        },
        Err(why) if why.kind() == io::ErrorKind::NotFound => {}
        Err(why) => tracing::error!(%why, path = %path.display(), "what the monitor learned cannot be read; it begins anew"),
    }
}

/// Keeps what was learned now and then, and once more when the node ends.
pub async fn remember(watch: Arc<LiveWatch>, data: PathBuf, shutdown: CancellationToken) {
    loop {
        let ended = tokio::time::timeout(KEPT_EVERY, shutdown.cancelled()).await.is_ok();
        let (kept, into) = (Arc::clone(&watch), data.join(layout::WATCH));
        let kept = tokio::task::spawn_blocking(move || keep(&kept, &into)).await;
        if let Ok(Err(why)) = kept {
            tracing::error!(%why, "what the monitor learned could not be kept; it is tried again");
        }
        if ended {
            return;
        }
    }
}

/// Writes beside the old file and then takes its place, so that a crash leaves one of the two whole.
fn keep(watch: &LiveWatch, path: &Path) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut out = io::BufWriter::new(private(&fresh)?);
    watch.write_snapshot(&mut out)?;
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
                    tracing::error!(%fault, "incidents could not be kept; the next second tries again");
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
        tracing::error!(kind = signal.kind.as_str(), %fault, "not everything could be done about a signal");
    }
    let milliseconds = u32::try_from(clock.now().0.saturating_sub(signal.at.0)).unwrap_or(u32::MAX);
    histogram!("countersign_reaction_seconds").record(f64::from(milliseconds) / 1000.0);
}
