//! Mails about incidents: what waits, what goes out, and what is known of how that went.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use countersign_core::{Clock, Limits, Seconds, UnixMillis, UnixSeconds};
use countersign_store::{Incident, IncidentChange};
use lettre::{address::Envelope, message::Mailbox};
use metrics::counter;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    compose,
    mail_message::{MailMessage, Writer},
    mail_queue::{Again, MailQueue, Put, Waiting},
    smtp_client::{CarryError, SmtpClient},
};

/// Sleep while nothing waits; a new change ends it.
const IDLE: Duration = Duration::from_secs(3600);

/// Figures of the mails since the node started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailStats {
    /// Mails that a server took.
    pub delivered: u64,
    /// Changes that found no room in the queue.
    pub dropped: u64,
    /// Mails that were refused, or tried too often.
    pub given_up: u64,
    /// Mails that wait now.
    pub waiting: usize,
    /// Instant at which a server last took a mail.
    pub last_delivered: Option<UnixSeconds>,
    /// Instant of and reason for the last failed attempt.
    pub last_failure: Option<(UnixSeconds, String)>,
}

/// Settings of the mails: server, sender and receivers.
pub struct Mailing {
    /// Client of the mail server.
    pub smtp: SmtpClient,
    /// Sender of the mails.
    pub from: Mailbox,
    /// Who is written to.
    pub to: Vec<Mailbox>,
    /// Time that the first mail about an incident waits, so that it can say what was done.
    pub hold: Seconds,
    /// Public host of this installation, which the mails name.
    pub host: String,
    /// Function that writes an instant for people.
    pub instant: fn(UnixSeconds) -> String,
}

impl Mailing {
    const fn writer(&self) -> Writer<'_> {
        Writer { host: self.host.as_str(), instant: self.instant }
    }

    /// Sends a mail to all receivers at once; if the server refuses that for good, to each alone.
    async fn send(&self, message: MailMessage, now: UnixSeconds) -> Result<(), CarryError> {
        let rejected = |why: &dyn std::fmt::Display| CarryError::Rejected(why.to_string());
        let mail = compose::compose(message, &self.from, &self.to, now).map_err(|e| rejected(&e))?;
        let bytes = mail.formatted();
        let Err(why) = self.smtp.carry(mail.envelope(), &bytes).await else { return Ok(()) };
        if matches!(why, CarryError::Failed(_)) || self.to.len() == 1 {
            return Err(why);
        }
        // One address that is gone must not silence the others.
        let mut taken = Err(why);
        for to in &self.to {
            let envelope = Envelope::new(Some(self.from.email.clone()), vec![to.email.clone()]).map_err(|e| rejected(&e))?;
            match self.smtp.carry(&envelope, &bytes).await {
                Ok(()) => taken = Ok(()),
                Err(why) => tracing::error!(%why, to = %to.email, "this address receives no incident mails"),
            }
        }
        taken
    }
}

/// Mailer with its queue and its figures.
pub struct Mailer {
    mailing: Mailing,
    clock: Arc<dyn Clock>,
    changes: mpsc::Sender<(IncidentChange, Incident)>,
    stats: Mutex<MailStats>,
}

impl Mailer {
    /// Starts the task that delivers until the node ends, and returns the mailer. Mails that wait at that time are lost; `countersign
    /// incident list` has their incidents.
    #[must_use]
    pub fn start(mailing: Mailing, clock: Arc<dyn Clock>, shutdown: CancellationToken) -> Arc<Self> {
        let (changes, arrived) = mpsc::channel(Limits::MAIL_CHANGES_WAITING_MAX);
        let mailer = Arc::new(Self { mailing, clock, changes, stats: Mutex::default() });
        let round = Arc::clone(&mailer);
        tokio::spawn(async move {
            tokio::select! { () = round.deliver(arrived) => {}, () = shutdown.cancelled() => {} }
        });
        mailer
    }

    /// Queues a change of an incident; never waits.
    pub fn tell(&self, change: IncidentChange, incident: &Incident) {
        if self.changes.try_send((change, incident.clone())).is_err() {
            self.dropped(incident);
        }
    }

    /// Sends a test mail, which only shows that mails arrive.
    ///
    /// # Errors
    /// The reason why the server did not take the mail.
    pub async fn test(&self) -> Result<(), CarryError> {
        let now = self.clock.now().seconds();
        let sent = self.mailing.send(self.mailing.writer().trial(now), now).await;
        self.went(&sent);
        sent
    }

    /// Figures of the mails since the node started.
    #[must_use]
    pub fn stats(&self) -> MailStats {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Who is written to.
    pub fn recipients(&self) -> impl Iterator<Item = String> {
        self.mailing.to.iter().map(|mailbox| mailbox.email.to_string())
    }

    /// Server that takes the mails.
    #[must_use]
    pub fn server(&self) -> String {
        format!("{} port {}", self.mailing.smtp.host, self.mailing.smtp.port)
    }

    async fn deliver(&self, mut arrived: mpsc::Receiver<(IncidentChange, Incident)>) {
        let mut held = MailQueue::default();
        loop {
            let now = self.clock.now();
            let pause = held.next_due().map_or(IDLE, |due| Duration::from_millis(due.0.saturating_sub(now.0)));
            tokio::select! {
                change = arrived.recv() => match change {
                    Some((change, incident)) => {
                        if held.put(change, &incident, self.mailing.hold, now) == Put::Full {
                            self.dropped(&incident);
                        }
                    }
                    None => return,
                },
                () = tokio::time::sleep(pause) => self.round(&mut held).await,
            }
            self.note(|stats| stats.waiting = held.len());
        }
    }

    /// Sends the mails that are due. A server that could not be used once is not asked again in the same round.
    async fn round(&self, held: &mut MailQueue) {
        let now = self.clock.now();
        let mut due = held.take_due(now).into_iter().peekable();
        if due.len() > Limits::MAILS_ALONE_MAX {
            let all: Vec<_> = due.collect();
            let about: Vec<_> = all.iter().map(|waiting| (waiting.incident.clone(), waiting.phase)).collect();
            drop(self.one(held, all, self.mailing.writer().digest(&about), now).await);
            return;
        }
        while let Some(waiting) = due.next() {
            let message = self.mailing.writer().message(&waiting.incident, waiting.phase);
            if let Err(CarryError::Failed(_)) = self.one(held, vec![waiting], message, now).await {
                due.by_ref().for_each(|waiting| self.put_back(held, waiting, now));
            }
        }
    }

    /// Sends one mail about these changes, and notes its outcome.
    async fn one(&self, held: &mut MailQueue, about: Vec<Waiting>, message: MailMessage, now: UnixMillis) -> Result<(), CarryError> {
        let sent = self.mailing.send(message, now.seconds()).await;
        self.went(&sent);
        for waiting in about {
            match &sent {
                Ok(()) => held.delivered(&waiting),
                Err(CarryError::Failed(_)) => self.put_back(held, waiting, now),
                Err(CarryError::Rejected(_)) => {
                    held.delivered(&waiting);
                    self.gave_up(&waiting);
                }
            }
        }
        sent
    }

    fn put_back(&self, held: &mut MailQueue, waiting: Waiting, now: UnixMillis) {
        if held.put_back(waiting.clone(), now) == Again::GivenUp {
            self.gave_up(&waiting);
        }
    }

    fn went(&self, sent: &Result<(), CarryError>) {
        let now = self.clock.now().seconds();
        let outcome = match sent {
            Ok(()) => "delivered",
            Err(why) => {
                tracing::warn!(%why, "an incident mail was not delivered");
                "failed"
            }
        };
        counter!("countersign_mail_messages_total", "outcome" => outcome).increment(1);
        self.note(|stats| match sent {
            Ok(()) => {
                stats.delivered = stats.delivered.saturating_add(1);
                stats.last_delivered = Some(now);
            }
            Err(why) => stats.last_failure = Some((now, why.to_string())),
        });
    }

    fn gave_up(&self, waiting: &Waiting) {
        counter!("countersign_mail_messages_total", "outcome" => "given_up").increment(1);
        tracing::error!(incident = waiting.incident.id.as_str(), "an incident mail was given up after too many attempts");
        self.note(|stats| stats.given_up = stats.given_up.saturating_add(1));
    }

    fn dropped(&self, incident: &Incident) {
        counter!("countersign_mail_messages_total", "outcome" => "dropped").increment(1);
        tracing::error!(incident = incident.id.as_str(), "the mail queue is full; this mail is dropped");
        self.note(|stats| stats.dropped = stats.dropped.saturating_add(1));
    }

    fn note(&self, change: impl FnOnce(&mut MailStats)) {
        change(&mut self.stats.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
