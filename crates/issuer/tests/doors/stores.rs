//! Promises kept in memory, each of whose calls can be made to fail: the n-th of a request, for every n.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use countersign_audit::Entry;
use countersign_core::{DevTokenId, DeviceId, Role, Session, SessionId, SessionState, Signal, SignalSink, Thumbprint, UnixSeconds, UserId};
use countersign_identity::{
    self as identity, Binding, BindingRules, BindingState, CodeGrant, CodeState, DevToken, RefreshFamily, RefreshState, TokenHash,
};
use countersign_proof::{challenge::OpenChallenge, dpop::BoundProof};
use countersign_store::{
    BindError, Bindings, ChallengeError, Challenges, ChangeError, Counted, Created, DevTokenNoted, DevTokens, Device, DeviceChange,
    DeviceState, Devices, Ended, FreshProof, GivenToken, Grants, Invitation, KeptDevToken, LiveError, LivePosture, LiveSession, OpenState,
    Passkey, PostureError, Presence, Receipt, Recorder, RedeemError, Renewed, ReplayMemory, SessionFilter, Sessions, SpendError, Spender,
    StateChange, StrangerRefusal, Subjects, Unavailable, Used, User, UserState, Whose, Written, backend, memory::MemoryChallenges,
};

/// What the stores hold.
#[derive(Default)]
pub struct Shelf {
    pub bindings: Vec<Binding>,
    pub dev_tokens: Vec<KeptDevToken>,
    pub devices: Vec<Device>,
    pub codes: HashMap<[u8; 32], CodeState>,
    pub families: HashMap<[u8; 32], RefreshState>,
    pub answers: HashMap<Renewed, (GivenToken, UnixSeconds)>,
    pub sessions: Vec<Session>,
    pub users: Vec<User>,
    pub passkeys: Vec<Passkey>,
    pub invitations: Vec<Invitation>,
    pub entries: Vec<Entry>,
    /// How many of these the budget of strangers was asked for.
    pub by_strangers: usize,
    /// Refusals that are counted and never recorded.
    pub counted: usize,
    pub signals: Vec<Signal>,
}

impl Shelf {
    fn end(&mut self, whose: &Whose, now: UnixSeconds) -> Ended {
        let mut ended = Ended::default();
        for session in self.sessions.iter_mut().filter(|session| whose.takes(session, now)) {
            ended.sessions.push(session.clone());
            session.state = SessionState::Revoked;
        }
        for state in self.families.values_mut() {
            let over = |id: &SessionId| *whose == Whose::Session(id.clone()) || ended.sessions.iter().any(|session| session.id == *id);
            if matches!(state, RefreshState::Live(family) if over(&family.session)) {
                *state = RefreshState::Revoked;
            }
        }
        ended
    }
}

/// All stores in one, with a fuse.
pub struct Memory {
    shelf: Mutex<Shelf>,
    fuse: Mutex<Fuse>,
    replay: Arc<dyn ReplayMemory>,
    spent: Arc<dyn Challenges>,
    recorder: Arc<dyn Recorder>,
}

#[derive(Default)]
struct Fuse {
    calls: usize,
    blows: Option<Blow>,
}

/// What the fuse does, and at which call from now, counted from 1.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// The call fails.
    Fails(usize),
    /// The call panics.
    Panics(usize),
    /// Somebody ends every session, and the call comes after it.
    SessionsEnd(usize),
}

impl Memory {
    pub fn new(replay: Arc<dyn ReplayMemory>, recorder: Arc<dyn Recorder>) -> Self {
        Self { shelf: Mutex::default(), fuse: Mutex::default(), replay, spent: Arc::new(MemoryChallenges::new()), recorder }
    }

    pub fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().expect("no test panics while it holds the shelf")
    }

    /// Sets the fuse; answers how many calls were made since the last time.
    pub fn fuse(&self, blows: Option<Blow>) -> usize {
        let mut fuse = self.fuse.lock().expect("unbroken");
        fuse.blows = blows;
        std::mem::take(&mut fuse.calls)
    }

    fn call(&self) -> Result<MutexGuard<'_, Shelf>, Unavailable> {
        let (calls, blows) = {
            let mut fuse = self.fuse.lock().expect("unbroken");
            fuse.calls += 1;
            (fuse.calls, fuse.blows)
        };
        assert!(blows != Some(Blow::Panics(calls)), "the test wants it so");
        if blows == Some(Blow::SessionsEnd(calls)) {
            let mut shelf = self.shelf();
            let all: Vec<_> = shelf.sessions.iter().map(|session| session.id.clone()).collect();
            for id in all {
                let _ended = shelf.end(&Whose::Session(id), UnixSeconds(0));
            }
        }
        if blows == Some(Blow::Fails(calls)) { Err(Unavailable::new("the test wants it so")) } else { Ok(self.shelf()) }
    }
}

impl SignalSink for Memory {
    fn emit(&self, signal: Signal) {
        self.shelf().signals.push(signal);
    }
}

#[async_trait]
impl Recorder for Memory {
    async fn record(&self, entry: Entry) -> Result<Written, Unavailable> {
        self.call()?.entries.push(entry.clone());
        self.recorder.record(entry).await
    }

    async fn refuse(&self, refusal: StrangerRefusal) -> Result<Receipt, Unavailable> {
        let entry = refusal.entry().clone();
        let fails = self.call().map(drop);
        fails?;
        let receipt = self.recorder.refuse(refusal).await?;
        if matches!(receipt, Receipt::Recorded(_)) {
            let mut shelf = self.shelf();
            shelf.entries.push(entry);
            shelf.by_strangers += 1;
        }
        Ok(receipt)
    }

    fn count(&self, refusal: StrangerRefusal) -> Counted {
        self.shelf().counted += 1;
        self.recorder.count(refusal)
    }
}

#[async_trait]
impl ReplayMemory for Memory {
    async fn spend(&self, proof: BoundProof, by: Spender<'_>, now: UnixSeconds) -> Result<FreshProof, SpendError> {
        self.call().map_err(SpendError::Unavailable).map(drop)?;
        self.replay.spend(proof, by, now).await
    }
}

#[async_trait]
impl Challenges for Memory {
    async fn spend(&self, challenge: OpenChallenge, by: Spender<'_>, now: UnixSeconds) -> Result<(), ChallengeError> {
        self.call().map_err(ChallengeError::Unavailable).map(drop)?;
        self.spent.spend(challenge, by, now).await
    }
}

#[async_trait]
impl Bindings for Memory {
    async fn bind(&self, new: Binding, rules: BindingRules) -> Result<Binding, BindError> {
        let mut shelf = self.call()?;
        let theirs: Vec<_> = shelf.bindings.iter().filter(|binding| binding.user == new.user).cloned().collect();
        let bound = identity::bind(&theirs, new, rules).map_err(BindError::Refused)?;
        if !theirs.contains(&bound) {
            shelf.bindings.push(bound.clone());
        }
        Ok(bound)
    }

    async fn of_user(&self, user: &UserId, _: u32) -> Result<Vec<Binding>, Unavailable> {
        Ok(self.call()?.bindings.iter().rev().filter(|binding| binding.user == *user).cloned().collect())
    }

    async fn of_device(&self, device: &DeviceId, _: u32) -> Result<Vec<Binding>, Unavailable> {
        Ok(self.call()?.bindings.iter().rev().filter(|binding| binding.device == *device).cloned().collect())
    }

    async fn seen(&self, user: &UserId, device: &DeviceId, day: UnixSeconds) -> Result<Option<Binding>, Unavailable> {
        let mut shelf = self.call()?;
        let found = shelf.bindings.iter_mut().find(|binding| binding.user == *user && binding.device == *device);
        Ok(found.map(|binding| {
            binding.seen_on = binding.seen_on.max(day);
            binding.clone()
        }))
    }

    async fn cut(&self, user: &UserId, device: &DeviceId, state: BindingState) -> Result<Option<Binding>, Unavailable> {
        let mut shelf = self.call()?;
        let found = shelf.bindings.iter_mut().find(|binding| binding.user == *user && binding.device == *device);
        Ok(found.map(|binding| {
            if binding.active() {
                binding.state = state;
            }
            binding.clone()
        }))
    }
}

#[async_trait]
impl DevTokens for Memory {
    async fn create(&self, token: DevToken) -> Result<(), Unavailable> {
        self.call()?.dev_tokens.push(KeptDevToken { token, phones: Vec::new(), last_used_at: None });
        Ok(())
    }

    async fn find(&self, hash: &TokenHash) -> Result<Option<KeptDevToken>, Unavailable> {
        // Whoever waits for its turn has had it.
        tokio::task::yield_now().await;
        let found = self.call()?.dev_tokens.iter().find(|kept| kept.token.hash == *hash).cloned();
        // Whoever races has now read the same state.
        tokio::task::yield_now().await;
        Ok(found)
    }

    async fn list(&self, _: u32) -> Result<Vec<KeptDevToken>, Unavailable> {
        Ok(self.call()?.dev_tokens.clone())
    }

    async fn revoke(&self, id: &DevTokenId, now: UnixSeconds) -> Result<Option<KeptDevToken>, Unavailable> {
        let mut shelf = self.call()?;
        let found = shelf.dev_tokens.iter_mut().find(|kept| kept.token.id == *id);
        Ok(found.map(|kept| {
            kept.token.revoked_at.get_or_insert(now);
            kept.clone()
        }))
    }

    async fn note_use(&self, id: &DevTokenId, device: &DeviceId, now: UnixSeconds) -> Result<DevTokenNoted, Unavailable> {
        {
            let mut shelf = self.call()?;
            let counts = |kept: &&mut KeptDevToken| kept.token.revoked_at.is_none() && kept.token.expires_at >= now;
            let Some(kept) = shelf.dev_tokens.iter_mut().find(|kept| kept.token.id == *id).filter(counts) else {
                return Ok(DevTokenNoted::Refused);
            };
            if !kept.phones.contains(device) {
                if kept.phones.len() >= usize::try_from(kept.token.phones_max).expect("few") {
                    return Ok(DevTokenNoted::Refused);
                }
                kept.phones.push(device.clone());
            }
            kept.last_used_at = Some(now);
        }
        // Whoever revokes has now seen the phone.
        tokio::task::yield_now().await;
        Ok(DevTokenNoted::Noted)
    }
}

#[async_trait]
impl Devices for Memory {
    async fn enrol(&self, device: Device) -> Result<Device, Unavailable> {
        let mut shelf = self.call()?;
        let Some(known) = shelf.devices.iter_mut().find(|known| known.posture.key == device.posture.key) else {
            shelf.devices.push(device.clone());
            return Ok(device);
        };
        let id = known.posture.device.clone();
        known.posture = device.posture;
        known.posture.device = id;
        Ok(known.clone())
    }

    async fn posture(&self, id: &DeviceId) -> Result<LivePosture, PostureError> {
        let found = Devices::find(self, id).await.map_err(PostureError::Unavailable)?;
        backend::live_posture(found)
    }

    async fn posture_by_key(&self, key: &Thumbprint) -> Result<LivePosture, PostureError> {
        let found = self.find_by_key(key).await.map_err(PostureError::Unavailable)?;
        backend::live_posture(found)
    }

    async fn find(&self, id: &DeviceId) -> Result<Option<Device>, Unavailable> {
        Ok(self.call()?.devices.iter().find(|device| device.posture.device == *id).cloned())
    }

    async fn find_by_key(&self, key: &Thumbprint) -> Result<Option<Device>, Unavailable> {
        Ok(self.call()?.devices.iter().find(|device| device.posture.key == *key).cloned())
    }

    async fn list(&self, _: u32) -> Result<Vec<Device>, Unavailable> {
        Ok(self.call()?.devices.clone())
    }

    async fn walk(&self, _: Option<&DeviceId>, _: u32) -> Result<Vec<Device>, Unavailable> {
        Err(Unavailable::new("nobody walks here"))
    }

    async fn change(&self, id: &DeviceId, change: DeviceChange) -> Result<Device, ChangeError> {
        let mut shelf = self.call()?;
        let found = shelf.devices.iter_mut().find(|device| device.posture.device == *id).ok_or(ChangeError::Unknown)?;
        *found = change.apply(found.clone()).map_err(ChangeError::Counter)?;
        Ok(found.clone())
    }

    async fn revoke(&self, id: &DeviceId) -> Result<Option<Device>, Unavailable> {
        let mut shelf = self.call()?;
        let found = shelf.devices.iter_mut().find(|device| device.posture.device == *id);
        Ok(found.map(|device| {
            device.state = DeviceState::Revoked;
            device.clone()
        }))
    }
}

#[async_trait]
impl Grants for Memory {
    async fn issue_code(&self, code: TokenHash, grant: CodeGrant) -> Result<(), Unavailable> {
        self.call()?.codes.insert(*code.as_bytes(), CodeState::Issued(grant));
        Ok(())
    }

    async fn find_code(&self, code: &TokenHash) -> Result<Option<CodeState>, Unavailable> {
        let found = self.call()?.codes.get(code.as_bytes()).cloned();
        // Whoever races has now read the same state.
        tokio::task::yield_now().await;
        Ok(found)
    }

    async fn redeem(&self, code: &TokenHash, family: RefreshFamily) -> Result<(), RedeemError> {
        let mut shelf = self.call().map_err(RedeemError::Unavailable)?;
        let Some(CodeState::Issued(grant)) = shelf.codes.get(code.as_bytes()).cloned() else {
            return Err(RedeemError::AlreadyExchanged);
        };
        let exchanged = CodeState::Exchanged { grant, family: family.id.clone(), session: family.session.clone() };
        shelf.codes.insert(*code.as_bytes(), exchanged);
        shelf.families.insert(*family.token.as_bytes(), RefreshState::Live(family));
        Ok(())
    }

    async fn find_refresh(&self, token: &TokenHash) -> Result<Option<RefreshState>, Unavailable> {
        let found = self.call()?.families.get(token.as_bytes()).cloned();
        tokio::task::yield_now().await;
        Ok(found)
    }

    async fn answer_once(
        &self,
        asked: Renewed,
        proposed: GivenToken,
        until: UnixSeconds,
        now: UnixSeconds,
    ) -> Result<GivenToken, Unavailable> {
        let mut shelf = self.call()?;
        if let Some((answer, _)) = shelf.answers.get(&asked).filter(|(_, until)| now <= *until) {
            return Ok(answer.clone());
        }
        shelf.answers.insert(asked, (proposed.clone(), until));
        Ok(proposed)
    }
}

#[async_trait]
impl Sessions for Memory {
    async fn open(&self, session: Session) -> Result<(), Unavailable> {
        self.call()?.sessions.push(session);
        Ok(())
    }

    async fn live(&self, id: &SessionId, now: UnixSeconds) -> Result<LiveSession, LiveError> {
        let found = Sessions::find(self, id).await.map_err(LiveError::Unavailable)?;
        backend::live_session(found, now)
    }

    async fn find(&self, id: &SessionId) -> Result<Option<Session>, Unavailable> {
        Ok(self.call()?.sessions.iter().find(|session| session.id == *id).cloned())
    }

    async fn list(&self, filter: &SessionFilter, _: u32) -> Result<Vec<Session>, Unavailable> {
        let shelf = self.call()?;
        let fits = |session: &&Session| {
            filter.user.as_ref().is_none_or(|user| *user == session.user)
                && filter.device.as_ref().is_none_or(|d| *d == session.device)
                && filter.live_at.is_none_or(|at| session.state != SessionState::Revoked && session.expires_at >= at)
        };
        Ok(shelf.sessions.iter().rev().filter(fits).cloned().collect())
    }

    async fn walk(&self, _: Option<&Presence>, _: u32, _: UnixSeconds) -> Result<Vec<Presence>, Unavailable> {
        Err(Unavailable::new("nobody walks here"))
    }

    async fn set_state(&self, id: &SessionId, state: OpenState) -> Result<StateChange, Unavailable> {
        let mut shelf = self.call()?;
        let Some(session) = shelf.sessions.iter_mut().find(|session| session.id == *id) else { return Ok(StateChange::Unknown) };
        if session.state == SessionState::Revoked {
            return Ok(StateChange::Final);
        }
        Ok(StateChange::Changed { from: std::mem::replace(&mut session.state, state.state()) })
    }

    async fn end(&self, whose: &Whose, now: UnixSeconds) -> Result<Ended, Unavailable> {
        Ok(self.call()?.end(whose, now))
    }

    async fn prolong(&self, id: &SessionId, until: UnixSeconds) -> Result<(), Unavailable> {
        let mut shelf = self.call()?;
        let open = shelf.sessions.iter_mut().filter(|session| session.id == *id && session.state != SessionState::Revoked);
        open.for_each(|session| session.expires_at = session.expires_at.max(until));
        Ok(())
    }

    async fn authenticated(&self, id: &SessionId, at: UnixSeconds) -> Result<(), Unavailable> {
        self.call()?.sessions.iter_mut().filter(|session| session.id == *id).for_each(|session| {
            session.auth_time = at;
            if session.state == SessionState::Limited {
                session.state = SessionState::Active;
            }
        });
        Ok(())
    }
}

#[async_trait]
impl Subjects for Memory {
    async fn create(&self, user: User, passkey: Passkey) -> Result<Created, Unavailable> {
        let mut shelf = self.call()?;
        if shelf.users.iter().any(|known| known.name == user.name) {
            return Ok(Created::NameTaken);
        }
        if shelf.passkeys.iter().any(|known| known.credential == passkey.credential) {
            return Ok(Created::CredentialTaken);
        }
        shelf.users.push(user);
        shelf.passkeys.push(passkey);
        Ok(Created::Done)
    }

    async fn find(&self, id: &UserId) -> Result<Option<User>, Unavailable> {
        Ok(self.call()?.users.iter().find(|user| user.id == *id).cloned())
    }

    async fn state(&self, id: &UserId) -> Result<Option<UserState>, Unavailable> {
        Ok(self.call()?.users.iter().find(|user| user.id == *id).map(|user| user.state))
    }

    async fn find_by_name(&self, name: &str) -> Result<Option<User>, Unavailable> {
        Ok(self.call()?.users.iter().find(|user| user.name == name).cloned())
    }

    async fn list(&self, _: u32) -> Result<Vec<User>, Unavailable> {
        Ok(self.call()?.users.clone())
    }

    async fn update(&self, id: &UserId, state: UserState, roles: &[Role]) -> Result<Option<User>, Unavailable> {
        let mut shelf = self.call()?;
        let found = shelf.users.iter_mut().find(|user| user.id == *id);
        Ok(found.map(|user| {
            (user.state, user.roles) = (state, roles.to_vec());
            user.clone()
        }))
    }

    async fn add_passkey(&self, passkey: Passkey) -> Result<Created, Unavailable> {
        self.call()?.passkeys.push(passkey);
        Ok(Created::Done)
    }

    async fn find_passkey(&self, credential: &[u8]) -> Result<Option<Passkey>, Unavailable> {
        let found = self.call()?.passkeys.iter().find(|passkey| passkey.credential == credential).cloned();
        tokio::task::yield_now().await;
        Ok(found)
    }

    async fn passkeys(&self, user: &UserId) -> Result<Vec<Passkey>, Unavailable> {
        Ok(self.call()?.passkeys.iter().filter(|passkey| passkey.user == *user).cloned().collect())
    }

    async fn use_passkey(&self, passkey: Passkey, counter_before: u32) -> Result<Used, Unavailable> {
        let mut shelf = self.call()?;
        let stored = shelf.passkeys.iter_mut().find(|known| known.credential == passkey.credential && known.counter == counter_before);
        Ok(stored.map_or(Used::Raced, |known| {
            *known = passkey;
            Used::Noted
        }))
    }

    async fn invite(&self, invitation: Invitation) -> Result<(), Unavailable> {
        self.call()?.invitations.push(invitation);
        Ok(())
    }

    async fn find_invitation(&self, code: &TokenHash, now: UnixSeconds) -> Result<Option<Invitation>, Unavailable> {
        Ok(self.call()?.invitations.iter().find(|invitation| invitation.code == *code && now <= invitation.expires_at).cloned())
    }

    async fn take_invitation(&self, code: &TokenHash, now: UnixSeconds) -> Result<Option<Invitation>, Unavailable> {
        let mut shelf = self.call()?;
        let at = shelf.invitations.iter().position(|invitation| invitation.code == *code && now <= invitation.expires_at);
        Ok(at.map(|at| shelf.invitations.remove(at)))
    }
}
