//! Mails about incidents: what waits, what goes out, and what is known of how that went.

mod carrier;
mod compose;

use std::{
    fs,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use countersign_core::{Clock, UnixMillis, UnixSeconds};
use countersign_monitor::react::{Again, Letter, Letterbox, Put, ReactRules, Told, Waiting, Writer};
use countersign_store::Incident;
use lettre::{address::Envelope, transport::smtp::authentication::Credentials};
use metrics::counter;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    cli::when,
    config::{Config, Email, Fault, Faults, MailTls},
    wire::upstream,
};
use carrier::{Carrier, Way};

pub use carrier::CarryError;

/// Changes that wait to be put into the box; beyond, they are counted and dropped.
const CHANGES_MAX: usize = 256;

/// So many mails that are due at once stay mails of their own; more become one.
const ALONE_MAX: usize = 5;

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
    carrier: Carrier,
    email: Email,
    host: String,
}

impl Mailing {
    /// What the config names, if it names anything.
    ///
    /// # Errors
    /// When the password or the authorities cannot be read.
    pub fn read(config: &Config) -> Result<Option<Self>, Faults> {
        let Some(email) = config.monitor.email.clone() else { return Ok(None) };
        let fault = |what: String, remedy: String| Faults::one(Fault { file: config.file.clone(), line: Some(email.line), what, remedy });
        let trust = || {
            let ca = email.ca.as_ref().or(config.vendors.ca.as_ref().map(|(file, _)| file)).ok_or_else(|| {
                let what = "there is nothing to verify the mail server by".to_owned();
                fault(what, "name its authorities with `ca` here or with `vendors.ca`".to_owned())
            })?;
            upstream::trust(ca).map(Arc::new).map_err(|why| fault(format!("`ca` cannot be `{}`", ca.display()), why))
        };
        let way = match email.tls {
            MailTls::Implicit => Way::Implicit(trust()?),
            MailTls::None => Way::Plain,
            MailTls::StartTls => Way::StartTls(trust()?),
        };
        let login = email.login.as_ref().map(|login| {
            let text = fs::read_to_string(&login.password).map_err(|why| {
                let what = format!("`{}` cannot be read ({why})", login.password.display());
                fault(what, "name a file that holds the password and nothing else".to_owned())
            })?;
            Ok::<_, Faults>(Credentials::new(login.username.clone(), text.trim().to_owned()))
        });
        let host = config.public.host().to_owned();
        let carrier = Carrier { host: email.host.clone(), port: email.port, way, login: login.transpose()?, hello: host.clone() };
        Ok(Some(Self { carrier, email, host }))
    }

    const fn writer(&self) -> Writer<'_> {
        Writer { host: self.host.as_str(), instant: when::instant }
    }

    /// Sends a letter to everybody; if the server will not have it for all, to each.
    async fn send(&self, letter: Letter, now: UnixSeconds) -> Result<(), CarryError> {
        let rejected = |why: &dyn std::fmt::Display| CarryError::Rejected(why.to_string());
        let mail = compose::compose(letter, &self.email.from, &self.email.to, now).map_err(|e| rejected(&e))?;
        let bytes = mail.formatted();
        let Err(why) = self.carrier.carry(mail.envelope(), &bytes).await else { return Ok(()) };
        if matches!(why, CarryError::Failed(_)) || self.email.to.len() == 1 {
            return Err(why);
        }
        // One address that is gone must not silence the others.
        let mut taken = Err(why);
        for to in &self.email.to {
            let envelope = Envelope::new(Some(self.email.from.email.clone()), vec![to.email.clone()]).map_err(|e| rejected(&e))?;
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
    rules: Arc<ArcSwap<ReactRules>>,
    clock: Arc<dyn Clock>,
    changes: mpsc::Sender<(Told, Incident)>,
    standing: Mutex<Standing>,
}

impl Postman {
    /// A postman, and the task that delivers until the node ends. What waits then is lost; `countersign incident list` has it.
    #[must_use]
    pub fn start(mailing: Mailing, rules: Arc<ArcSwap<ReactRules>>, clock: Arc<dyn Clock>, shutdown: CancellationToken) -> Arc<Self> {
        let (changes, arrived) = mpsc::channel(CHANGES_MAX);
        let postman = Arc::new(Self { mailing, rules, clock, changes, standing: Mutex::default() });
        let round = Arc::clone(&postman);
        tokio::spawn(async move {
            tokio::select! { () = round.deliver(arrived) => {}, () = shutdown.cancelled() => {} }
        });
        postman
    }

    /// Takes a change of an incident; never waits.
    pub fn tell(&self, told: Told, incident: &Incident) {
        if self.rules.load().of(incident.kind).act < self.mailing.email.min_severity {
            return;
        }
        if self.changes.try_send((told, incident.clone())).is_err() {
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
        self.mailing.email.to.iter().map(|mailbox| mailbox.email.to_string())
    }

    /// Which server takes the mails.
    #[must_use]
    pub fn server(&self) -> String {
        format!("{} port {}", self.mailing.email.host, self.mailing.email.port)
    }

    async fn deliver(&self, mut arrived: mpsc::Receiver<(Told, Incident)>) {
        let mut held = Letterbox::default();
        loop {
            let now = self.clock.now();
            let pause = held.next_due().map_or(IDLE, |due| Duration::from_millis(due.0.saturating_sub(now.0)));
            tokio::select! {
                change = arrived.recv() => match change {
                    Some((told, incident)) => {
                        if held.put(told, &incident, self.mailing.email.hold, now) == Put::Full {
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
        if due.len() > ALONE_MAX {
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
