//! What an operator does: look, invite, revoke. Every change is in the log before it is made (law 8).

use std::{path::PathBuf, sync::Arc};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_audit::{
    About, AccountState, Activated, Actor, CheckpointVerifier, ConfigActivated, CutOff, DatabaseSeen, DeviceName, DeviceRevoked, Entry,
    Event, Identity, IncidentJudged, IncidentSeen, Judged, Recorded, RulesDigest, SessionChanged, UserChanged, UserInvited,
};
use countersign_compliance::Apps;
use countersign_core::{
    Clock, DecisionId, DeviceId, Entropy, IncidentId, OperatorName, Role, Seconds, Secret, Session, SessionId, SessionState, SignalKind,
    UserId,
};
use countersign_identity::TokenHash;
use countersign_monitor::{
    react::Ledger,
    ssf::{Initiator, News, Others, SessionEnded},
};
use countersign_store::{
    DevTokens, Device, Devices, Incident, IncidentState, Incidents, Invitation, Passkey, Recorder, SessionFilter, Sessions, Subjects,
    Unavailable, User, UserState, Whose,
    segments::{self, Record},
};

/// Rows of a list.
const ROWS_MAX: u32 = 1000;

/// Longest life of an invitation, in hours.
const INVITATION_HOURS_MAX: u64 = 30 * 24;

/// Why an act is not done. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActRefusal {
    /// What was given is not understood.
    Invalid(String),
    /// There is nothing of that name.
    NotFound(String),
    /// Our fault.
    Unavailable(Unavailable),
}

impl From<Unavailable> for ActRefusal {
    fn from(fault: Unavailable) -> Self {
        Self::Unavailable(fault)
    }
}

/// What a change did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// The number under which the log has it.
    pub decision: DecisionId,
    /// Sessions that ended with it.
    pub sessions_ended: usize,
}

/// The promises that an operator's acts lean on.
#[derive(Clone)]
pub struct Stores {
    /// Development tokens.
    pub dev_tokens: Arc<dyn DevTokens>,
    /// Devices.
    pub devices: Arc<dyn Devices>,
    /// Incidents.
    pub incidents: Arc<dyn Incidents>,
    /// The log.
    pub recorder: Arc<dyn Recorder>,
    /// Sessions.
    pub sessions: Arc<dyn Sessions>,
    /// People.
    pub subjects: Arc<dyn Subjects>,
}

/// Where an operator's acts are done.
pub struct AdminService {
    /// What they change.
    pub stores: Stores,
    /// The registry of apps.
    pub apps: Arc<ArcSwap<Apps>>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Unpredictable bytes.
    pub entropy: Arc<dyn Entropy>,
    /// Who is told of what ended here.
    pub others: Others,
    /// The log's segments.
    pub log: PathBuf,
    /// The log's public key.
    pub log_key: Arc<CheckpointVerifier>,
}

impl AdminService {
    /// The newest people.
    ///
    /// # Errors
    /// Our fault only.
    pub async fn users(&self) -> Result<Vec<User>, ActRefusal> {
        Ok(self.stores.subjects.list(ROWS_MAX).await?)
    }

    /// A person, by id or by name, with the passkeys.
    ///
    /// # Errors
    /// When there is none, or by our fault.
    pub async fn user(&self, who: &str) -> Result<(User, Vec<Passkey>), ActRefusal> {
        let by_id = match UserId::parse(who) {
            Ok(id) => self.stores.subjects.find(&id).await?,
            Err(_) => None,
        };
        let user = match by_id {
            Some(user) => user,
            None => self.stores.subjects.find_by_name(who).await?.ok_or_else(|| unknown("user", who, "list"))?,
        };
        let passkeys = self.stores.subjects.passkeys(&user.id).await?;
        Ok((user, passkeys))
    }

    /// The newest devices.
    ///
    /// # Errors
    /// Our fault only.
    pub async fn devices(&self) -> Result<Vec<Device>, ActRefusal> {
        Ok(self.stores.devices.list(ROWS_MAX).await?)
    }

    /// A device.
    ///
    /// # Errors
    /// When there is none, or by our fault.
    pub async fn device(&self, id: &str) -> Result<Device, ActRefusal> {
        let found = match DeviceId::parse(id) {
            Ok(id) => self.stores.devices.find(&id).await?,
            Err(_) => None,
        };
        found.ok_or_else(|| unknown("device", id, "list"))
    }

    /// The newest sessions that fit.
    ///
    /// # Errors
    /// Our fault only.
    pub async fn sessions(&self, filter: &SessionFilter) -> Result<Vec<Session>, ActRefusal> {
        Ok(self.stores.sessions.list(filter, ROWS_MAX).await?)
    }

    /// A session.
    ///
    /// # Errors
    /// When there is none, or by our fault.
    pub async fn session(&self, id: &str) -> Result<Session, ActRefusal> {
        let found = match SessionId::parse(id) {
            Ok(id) => self.stores.sessions.find(&id).await?,
            Err(_) => None,
        };
        found.ok_or_else(|| unknown("session", id, "list"))
    }

    /// Ends a session for good.
    ///
    /// # Errors
    /// When there is none, or by our fault.
    pub async fn revoke_session(&self, id: &str, by: &OperatorName) -> Result<Act, ActRefusal> {
        let session = self.session(id).await?;
        let changed = SessionChanged { by: Actor::Operator(by.clone()), from: None, to: SessionState::Revoked, incident: None };
        let decision = self.record(Recorded::SessionChanged(changed), Some(&session.user), identity(&session)).await?;
        self.end(&Whose::Session(session.id.clone())).await?;
        self.tell_of_end(&session, Initiator::Admin, "an operator ended the session".to_owned());
        Ok(Act { decision, sessions_ended: 1 })
    }

    /// Cuts a device off for good, with all sessions on it.
    ///
    /// # Errors
    /// When there is none, or by our fault.
    pub async fn revoke_device(&self, id: &str, by: &OperatorName) -> Result<Act, ActRefusal> {
        let device = self.device(id).await?.posture.device;
        let identity = Identity { device: Some(DeviceName::Enrolled(device.clone())), ..Identity::default() };
        let revoked = DeviceRevoked { at: None, by: Some(Actor::Operator(by.clone())), how: Some(CutOff::Revoked) };
        let decision = self.record(Recorded::DeviceRevoked(revoked), None, identity).await?;
        self.stores.devices.revoke(&device).await?;
        let sessions_ended = self.end(&Whose::Device(device)).await?;
        Ok(Act { decision, sessions_ended })
    }

    /// Closes an account, with all its sessions.
    ///
    /// # Errors
    /// When there is none, or by our fault.
    pub async fn close_user(&self, who: &str, by: &OperatorName) -> Result<Act, ActRefusal> {
        let (user, _) = self.user(who).await?;
        let identity = Identity { user: Some(user.id.clone()), ..Identity::default() };
        let changed = UserChanged { by: Actor::Operator(by.clone()), state: AccountState::Closed };
        let decision = self.record(Recorded::UserChanged(changed), Some(&user.id), identity).await?;
        self.stores.subjects.update(&user.id, UserState::Closed, &user.roles).await?;
        let sessions_ended = self.end(&Whose::Person(user.id.clone())).await?;
        self.others.tell(News::AccountDisabled(user.id));
        Ok(Act { decision, sessions_ended })
    }

    /// Invites somebody: the code, and when it lapses.
    ///
    /// # Errors
    /// When name, roles or hours cannot be, or by our fault.
    pub async fn invite(
        &self,
        name: &str,
        roles: &[String],
        hours: u64,
        by: &OperatorName,
    ) -> Result<(Secret<String>, Invitation), ActRefusal> {
        if name.trim() != name || name.is_empty() || name.len() > 128 || name.chars().any(char::is_control) {
            return Err(ActRefusal::Invalid(format!("`{name}` cannot be the name of an account; give 1 to 128 bytes without line breaks")));
        }
        if !(1..=INVITATION_HOURS_MAX).contains(&hours) {
            return Err(ActRefusal::Invalid(format!("an invitation cannot be valid for {hours} hours; give 1 to {INVITATION_HOURS_MAX}")));
        }
        let parse = |role: &String| Role::parse(role).map_err(|why| ActRefusal::Invalid(format!("`{role}` is not a role: {why}")));
        let roles = roles.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        if self.stores.subjects.find_by_name(name).await?.is_some() {
            return Err(ActRefusal::Invalid(format!("the account `{name}` exists already; see `countersign user show {name}`")));
        }
        let code = Secret::new(format!("csi_{}", URL_SAFE_NO_PAD.encode(self.random::<16>())));
        let expires_at = self.clock.now().seconds().plus(Seconds(hours.saturating_mul(3600)));
        let invited = UserInvited { by: Actor::Operator(by.clone()), roles: roles.clone() };
        self.record(Recorded::UserInvited(invited), None, Identity::default()).await?;
        let invitation = Invitation { code: TokenHash::of(&code), name: Some(name.to_owned()), roles, expires_at };
        self.stores.subjects.invite(invitation.clone()).await?;
        Ok((code, invitation))
    }

    /// Notes in the log what an operator said of an incident, or of all incidents of a kind.
    ///
    /// # Errors
    /// Our fault only; then it must not be.
    pub async fn said_of(&self, about: About, judged: Judged, by: &OperatorName) -> Result<DecisionId, Unavailable> {
        let judged = IncidentJudged { by: Actor::Operator(by.clone()), about, judged };
        self.record(Recorded::IncidentJudged(judged), None, Identity::default()).await
    }

    /// The newest incidents, of one state only if one is given.
    ///
    /// # Errors
    /// Our fault only.
    pub async fn incidents(&self, state: Option<IncidentState>) -> Result<Vec<Incident>, ActRefusal> {
        Ok(self.stores.incidents.list(state, ROWS_MAX).await?)
    }

    /// An incident.
    ///
    /// # Errors
    /// When there is none, or by our fault.
    pub async fn incident(&self, id: &str) -> Result<Incident, ActRefusal> {
        let found = match IncidentId::parse(id) {
            Ok(id) => self.stores.incidents.find(&id).await?,
            Err(_) => None,
        };
        found.ok_or_else(|| unknown("incident", id, "list"))
    }

    /// Notes in the log that something was taken into use, by which SHA-256 its files can be recognised (empty where there are
    /// none), and which rules decide from here on, where these were taken into use.
    ///
    /// # Errors
    /// Our fault only; then it must not be.
    pub async fn activated(&self, what: Activated, digest: &str, rules: Option<RulesDigest>, by: Actor) -> Result<DecisionId, Unavailable> {
        let sha256 = Some(digest.to_owned()).filter(|digest| !digest.is_empty());
        let activated = ConfigActivated { by, what, sha256, rules, database: None, accepted: Vec::new() };
        self.record(Recorded::ConfigActivated(activated), None, Identity::default()).await
    }

    /// Notes in the log how far the database beside it has come. The database is on the disk up to there.
    ///
    /// # Errors
    /// Our fault only.
    pub(crate) async fn database_noted(&self, database: DatabaseSeen) -> Result<DecisionId, Unavailable> {
        let (by, what, database) = (Actor::System, Activated::Database, Some(database));
        let noted = ConfigActivated { by, what, sha256: None, rules: None, database, accepted: Vec::new() };
        self.record(Recorded::ConfigActivated(noted), None, Identity::default()).await
    }

    /// What the log has about a decision.
    ///
    /// # Errors
    /// When it has nothing, or cannot be read.
    pub async fn decision(&self, id: &str) -> Result<Record, ActRefusal> {
        let decision = DecisionId::parse(id).map_err(|why| ActRefusal::Invalid(format!("`{id}` is not a decision number: {why}")))?;
        let found = self.read_log(move |log| segments::find_decision(log, &decision)).await?;
        found.ok_or_else(|| unknown("decision", id, "tail"))
    }

    /// The newest records from number `from` on.
    ///
    /// # Errors
    /// Our fault only.
    pub async fn records(&self, from: u64, count_max: usize) -> Result<Vec<Record>, ActRefusal> {
        self.read_log(move |log| segments::tail(log, from, count_max)).await
    }

    /// The newest signed checkpoint: its size and its note.
    ///
    /// # Errors
    /// When there is none yet, or by our fault.
    pub async fn checkpoint(&self) -> Result<(u64, String), ActRefusal> {
        let key = Arc::clone(&self.log_key);
        let latest = self.read_log(move |log| segments::latest_note(log, &key)).await?;
        latest
            .map(|(checkpoint, note)| (checkpoint.size, note))
            .ok_or_else(|| ActRefusal::NotFound("the log has no entries yet".to_owned()))
    }

    async fn read_log<T: Send + 'static>(
        &self,
        read: impl FnOnce(&std::path::Path) -> Result<T, segments::ReadError> + Send + 'static,
    ) -> Result<T, ActRefusal> {
        let log = self.log.clone();
        let read = tokio::task::spawn_blocking(move || read(&log)).await;
        read.map_err(|_| Unavailable::new("reading the log"))?.map_err(|fault| Unavailable::new(fault.to_string()).into())
    }

    /// Tells others that a session was ended.
    fn tell_of_end(&self, session: &Session, by: Initiator, reason: String) {
        let (user, session, at) = (session.user.clone(), session.id.clone(), self.clock.now().seconds());
        self.others.tell(News::SessionRevoked(SessionEnded { user, session, by, reason, at }));
    }

    /// Ends sessions, as of now. How many.
    async fn end(&self, whose: &Whose) -> Result<usize, Unavailable> {
        Ok(self.stores.sessions.end(whose, self.clock.now().seconds()).await?.sessions.len())
    }

    pub(super) fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.entropy.fill(&mut bytes);
        bytes
    }

    pub(super) async fn record(&self, of: Recorded, person: Option<&UserId>, identity: Identity) -> Result<DecisionId, Unavailable> {
        let decision = DecisionId::from_random(self.random());
        let event = Event::allowed(of);
        let entry = Entry { at: self.clock.now(), decision: decision.clone(), event, person: person.cloned(), identity };
        let _receipt = self.stores.recorder.record(entry).await?;
        Ok(decision)
    }
}

#[async_trait]
impl Ledger for AdminService {
    async fn acted(&self, session: &Session, to: SessionState, incident: &Incident) -> Result<DecisionId, Unavailable> {
        let seen = IncidentSeen { id: incident.id.clone(), kind: incident.kind };
        let changed = SessionChanged { by: Actor::Monitor, from: Some(session.state), to, incident: Some(seen) };
        let decision = self.record(Recorded::SessionChanged(changed), Some(&session.user), identity(session)).await?;
        // What came from others is not passed on, or two nodes would tell each other for ever.
        let from_others =
            matches!(incident.kind, SignalKind::SharedCredentialChange | SignalKind::SharedRevocation | SignalKind::SharedRisk);
        if to == SessionState::Revoked && !from_others {
            self.tell_of_end(session, Initiator::Policy, format!("the monitor ended the session ({})", incident.kind.as_str()));
        }
        Ok(decision)
    }
}

fn unknown(kind: &str, name: &str, list: &str) -> ActRefusal {
    let command = if kind == "decision" { "logs" } else { kind };
    ActRefusal::NotFound(format!("there is no {kind} `{name}`; see `countersign {command} {list}`"))
}

fn identity(session: &Session) -> Identity {
    Identity {
        device: Some(DeviceName::Enrolled(session.device.clone())),
        session: Some(session.id.clone()),
        user: Some(session.user.clone()),
        ..Identity::default()
    }
}
