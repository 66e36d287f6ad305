//! The queue of a webhook: messages that wait for their receiver, and how often it is tried.

use std::{sync::Arc, time::Duration};

use countersign_core::{Clock, IncidentId, Limits};
use countersign_outbound::Caller;
use http::{HeaderName, header};
use metrics::counter;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::webhook::{Message, WebhookKey};

/// How long is waited between attempts: five in about two minutes.
const ATTEMPTS: [Duration; 5] =
    [Duration::ZERO, Duration::from_secs(2), Duration::from_secs(8), Duration::from_secs(30), Duration::from_secs(90)];

/// Where a webhook's messages go.
pub struct WebhookSettings {
    /// The address that they are posted to.
    pub url: Url,
    /// The key that signs them.
    pub key: WebhookKey,
    /// The client that posts them.
    pub caller: Caller,
}

/// A body that waits, and the incident that it is about.
struct Queued {
    incident: IncidentId,
    body: String,
}

/// Takes messages for a receiver; a task delivers them, one by one.
pub struct Webhook(mpsc::Sender<Queued>);

impl Webhook {
    /// A way in, and the task that delivers until the node ends. What waits then is lost; `countersign incident list` has it.
    #[must_use]
    pub fn start(settings: WebhookSettings, clock: Arc<dyn Clock>, shutdown: CancellationToken) -> Self {
        let (messages, mut queue) = mpsc::channel::<Queued>(Limits::WEBHOOK_MESSAGES_WAITING_MAX);
        tokio::spawn(async move {
            let deliver = async {
                let mut number: u64 = 0;
                while let Some(queued) = queue.recv().await {
                    number = number.saturating_add(1);
                    let delivered = settings.deliver(&queued, number, &*clock).await;
                    counted(if delivered { "delivered" } else { "given_up" });
                }
            };
            tokio::select! { () = deliver => {}, () = shutdown.cancelled() => {} }
        });
        Self(messages)
    }

    /// Takes a message, a JSON text, about an incident; never waits.
    pub fn send(&self, incident: &IncidentId, body: String) {
        if self.0.try_send(Queued { incident: incident.clone(), body }).is_err() {
            counted("dropped");
            tracing::error!(incident = incident.as_str(), "the webhook's queue is full; the message is dropped");
        }
    }
}

impl WebhookSettings {
    /// Tries until the receiver takes the message, or often enough. Each attempt is signed anew, so that its time is true.
    async fn deliver(&self, queued: &Queued, number: u64, clock: &dyn Clock) -> bool {
        for wait in ATTEMPTS {
            tokio::time::sleep(wait).await;
            let message = Message::sign(&self.key, &queued.incident, number, queued.body.clone(), clock.now().seconds());
            let headers = [
                (header::CONTENT_TYPE, "application/json"),
                (HeaderName::from_static("webhook-id"), message.id.as_str()),
                (HeaderName::from_static("webhook-timestamp"), message.timestamp.as_str()),
                (HeaderName::from_static("webhook-signature"), message.signature.as_str()),
            ];
            match self.caller.post(&self.url, &headers, message.body.clone()).await {
                Ok((status, _)) if status.is_success() => return true,
                Ok((status, _)) => tracing::warn!(%status, "the webhook's receiver refused"),
                Err(why) => tracing::warn!(%why, "the webhook's receiver could not be reached"),
            }
        }
        false
    }
}

fn counted(outcome: &'static str) {
    counter!("countersign_webhook_messages_total", "outcome" => outcome).increment(1);
}
