//! Queue of a webhook: messages that wait for their receiver, and the attempts to deliver them.

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

/// Settings of one webhook.
pub struct WebhookSettings {
    /// Address that messages are posted to.
    pub url: Url,
    /// Key that signs the messages.
    pub key: WebhookKey,
    /// Client that posts the messages.
    pub caller: Caller,
}

/// Message body that waits, with its incident.
struct Queued {
    incident: IncidentId,
    body: String,
}

/// Queue of messages for one receiver; a task delivers them, one by one.
pub struct Webhook(mpsc::Sender<Queued>);

impl Webhook {
    /// Starts the task that delivers until the node ends, and returns its queue. Messages that wait at that time are lost; `countersign
    /// incident list` has their incidents.
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

    /// Queues a message, a JSON text, about an incident. Never waits: a full queue drops the message and counts it.
    pub fn send(&self, incident: &IncidentId, body: String) {
        if self.0.try_send(Queued { incident: incident.clone(), body }).is_err() {
            counted("dropped");
            tracing::error!(incident = incident.as_str(), "the webhook's queue is full; the message is dropped");
        }
    }
}

impl WebhookSettings {
    /// Tries until the receiver takes the message, or the attempts are used up. Each attempt is signed anew, so that its time is true.
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
                Ok((status, _)) => tracing::warn!(%status, "the webhook endpoint refused a message"),
                Err(why) => tracing::warn!(%why, "the webhook endpoint could not be reached"),
            }
        }
        false
    }
}

fn counted(outcome: &'static str) {
    counter!("countersign_webhook_messages_total", "outcome" => outcome).increment(1);
}
