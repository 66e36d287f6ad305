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
    carrier::{Carrier, CarryError},
    compose,
    letter::{Letter, Writer},
    letterbox::{Again, Letterbox, Put, Waiting},
};

/// How long is slept when nothing waits; whatever comes wakes.
const IDLE: Duration = Duration::from_secs(3600);

/// How the mails have gone since the node started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Mails that a server took.
    pub delivered: u64,
    /// Changes that found no room.
    pub dropped: u64,
    /// Mails that were refused, or tried often enough.
    pub given_up: u64,
    /// Mails that wait.
    pub waiting: usize,
    /// When the last was taken.
    pub last_delivered: Option<UnixSeconds>,
    /// When the last attempt failed, and why.
    pub last_failure: Option<(UnixSeconds, String)>,
}

/// The way to the mail server, and who writes to whom.
pub struct Mailing {
    /// The way to the server.
    pub carrier: Carrier,
    /// Who writes.
    pub from: Mailbox,
    /// Who is written to.
    pub to: Vec<Mailbox>,
    /// How long an incident is waited for before its first mail, which then says what was done.
    pub hold: Seconds,
    /// The public host of this installation, which mails name.
    pub host: String,
    /// An instant as people read it.
    pub instant: fn(UnixSeconds) -> String,
}

impl Mailing {
    const fn writer(&self) -> Writer<'_> {
        Writer { host: self.host.as_str(), instant: self.instant }
    }

    /// Sends a letter to everybody; if the server will not have it for all, to each.
    async fn send(&self, letter: Letter, now: UnixSeconds) -> Result<(), CarryError> {
        let rejected = |why: &dyn std::fmt::Display| CarryError::Rejected(why.to_string());
        let mail = compose::compose(letter, &self.from, &self.to, now).map_err(|e| rejected(&e))?;
        let bytes = mail.formatted();
        let Err(why) = self.carrier.carry(mail.envelope(), &bytes).await else { return Ok(()) };
        if matches!(why, CarryError::Failed(_)) || self.to.len() == 1 {
            return Err(why);
        }
        // One address that is gone must not silence the others.
        let mut taken = Err(why);
        for to in &self.to {
            let envelope = Envelope::new(Some(self.from.email.clone()), vec![to.email.clone()]).map_err(|e| rejected(&e))?;
            match self.carrier.carry(&envelope, &bytes).await {
                Ok(()) => taken = Ok(()),
                Err(why) => tracing::error!(%why, to = %to.email, "one address gets no mails about incidents"),
            }
        }
        taken
    }
}

/// Writes mails, and knows how that goes.
pub struct Postman {
    mailing: Mailing,
    clock: Arc<dyn Clock>,
    changes: mpsc::Sender<(IncidentChange, Incident)>,
    standing: Mutex<Standing>,
}

impl Postman {
    /// A postman, and the task that delivers until the node ends. What waits then is lost; `countersign incident list` has it.
    #[must_use]
    pub fn start(mailing: Mailing, clock: Arc<dyn Clock>, shutdown: CancellationToken) -> Arc<Self> {
        let (changes, arrived) = mpsc::channel(Limits::MAIL_CHANGES_WAITING_MAX);
        let postman = Arc::new(Self { mailing, clock, changes, standing: Mutex::default() });
        let round = Arc::clone(&postman);
        tokio::spawn(async move {
            tokio::select! { () = round.deliver(arrived) => {}, () = shutdown.cancelled() => {} }
        });
        postman
    }

    /// Takes a change of an incident; never waits.
    pub fn tell(&self, change: IncidentChange, incident: &Incident) {
        if self.changes.try_send((change, incident.clone())).is_err() {
            self.dropped(incident);
        }
    }

    /// Sends a mail that says nothing but that mails arrive.
    ///
    /// # Errors
    /// Why it is not with the server.
    pub async fn test(&self) -> Result<(), CarryError> {
        let now = self.clock.now().seconds();
        let sent = self.mailing.send(self.mailing.writer().trial(now), now).await;
        self.went(&sent);
        sent
    }

    /// How it goes.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Who is written to.
    pub fn recipients(&self) -> impl Iterator<Item = String> {
        self.mailing.to.iter().map(|mailbox| mailbox.email.to_string())
    }

    /// Which server takes the mails.
    #[must_use]
    pub fn server(&self) -> String {
        format!("{} port {}", self.mailing.carrier.host, self.mailing.carrier.port)
    }

    async fn deliver(&self, mut arrived: mpsc::Receiver<(IncidentChange, Incident)>) {
        let mut held = Letterbox::default();
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
            self.note(|standing| standing.waiting = held.len());
        }
    }

    /// Sends what is due. A server that could not be used once is not asked again in the same round.
    async fn round(&self, held: &mut Letterbox) {
        let now = self.clock.now();
        let mut due = held.take_due(now).into_iter().peekable();
        if due.len() > Limits::MAILS_ALONE_MAX {
            let all: Vec<_> = due.collect();
            let about: Vec<_> = all.iter().map(|waiting| (waiting.incident.clone(), waiting.phase)).collect();
            drop(self.one(held, all, self.mailing.writer().digest(&about), now).await);
            return;
        }
        while let Some(waiting) = due.next() {
            let letter = self.mailing.writer().letter(&waiting.incident, waiting.phase);
            if let Err(CarryError::Failed(_)) = self.one(held, vec![waiting], letter, now).await {
                due.by_ref().for_each(|waiting| self.put_back(held, waiting, now));
            }
        }
    }

    /// Sends one mail about these, and notes what became of them.
    async fn one(&self, held: &mut Letterbox, about: Vec<Waiting>, letter: Letter, now: UnixMillis) -> Result<(), CarryError> {
        let sent = self.mailing.send(letter, now.seconds()).await;
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

    fn put_back(&self, held: &mut Letterbox, waiting: Waiting, now: UnixMillis) {
        if held.put_back(waiting.clone(), now) == Again::GivenUp {
            self.gave_up(&waiting);
        }
    }

    fn went(&self, sent: &Result<(), CarryError>) {
        let now = self.clock.now().seconds();
        let outcome = match sent {
            Ok(()) => "delivered",
            Err(why) => {
                tracing::warn!(%why, "a mail about incidents was not delivered");
                "failed"
            }
        };
        counter!("countersign_mail_messages_total", "outcome" => outcome).increment(1);
        self.note(|standing| match sent {
            Ok(()) => {
                standing.delivered = standing.delivered.saturating_add(1);
                standing.last_delivered = Some(now);
            }
            Err(why) => standing.last_failure = Some((now, why.to_string())),
        });
    }

    fn gave_up(&self, waiting: &Waiting) {
        counter!("countersign_mail_messages_total", "outcome" => "given_up").increment(1);
        tracing::error!(incident = waiting.incident.id.as_str(), "nobody is written to about an incident; it was given up");
        self.note(|standing| standing.given_up = standing.given_up.saturating_add(1));
    }

    fn dropped(&self, incident: &Incident) {
        counter!("countersign_mail_messages_total", "outcome" => "dropped").increment(1);
        tracing::error!(incident = incident.id.as_str(), "too many mails wait; this one is dropped");
        self.note(|standing| standing.dropped = standing.dropped.saturating_add(1));
    }

    fn note(&self, change: impl FnOnce(&mut Standing)) {
        change(&mut self.standing.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
