//! Wrapper of a store of which the n-th call fails.

use std::{
    convert::identity,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use countersign_audit::Entry;
use countersign_core::{
    DevTokenId, DeviceId, IncidentId, KeyId, RateLimit, Role, Secret, Session, SessionId, Thumbprint, UnixMillis, UnixSeconds, UserId,
};
use countersign_identity::{Binding, BindingRules, BindingState, CodeGrant, CodeState, DevToken, RefreshFamily, RefreshState, TokenHash};
use countersign_proof::{challenge::OpenChallenge, dpop::BoundProof};

use crate::{
    bindings::{BindError, Bindings},
    challenges::{ChallengeError, Challenges},
    counters::{RateCounters, Rated, TakeError},
    dev_tokens::{DevTokenNoted, DevTokens, KeptDevToken},
    devices::{ChangeError, Device, DeviceChange, Devices, LivePosture, PostureError},
    grants::{GivenToken, Grants, RedeemError, Renewed},
    incidents::{Incident, IncidentState, Incidents, Suppression},
    keys::{KeyPurpose, Keys, StoredKey, SubjectKeys},
    records::{Counted, Receipt, Recorder, StrangerRefusal, Written},
    replay::{FreshProof, ReplayMemory, SpendError},
    sessions::{Ended, LiveError, LiveSession, OpenState, Presence, SessionFilter, Sessions, StateChange, Whose},
    spender::Spender,
    subjects::{Created, Invitation, Passkey, Subjects, Used, User, UserState},
    unavailable::Unavailable,
};

/// Point at which a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The call took effect, and its caller did not learn of it.
    Answer,
    /// The call never reached the store.
    Call,
}

/// Choice of the call that fails. One value serves all stores of a test, so that every call of a whole request has its turn:
///
/// ```text
/// for n in 0.. {
///     let faults = Faults::at(n, Lost::Call);
///     let stores = stores.failing(&faults);
///     // ... act, and look at what must hold although a call failed ...
///     if !faults.happened() {
///         break;
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Faults {
    nth: usize,
    lost: Lost,
    calls: AtomicUsize,
}

impl Faults {
    /// Lets the call of this number fail, counted from 0.
    #[must_use]
    pub fn at(nth: usize, lost: Lost) -> Arc<Self> {
        Arc::new(Self { nth, lost, calls: AtomicUsize::new(0) })
    }

    /// Tells whether that call was reached.
    #[must_use]
    pub fn happened(&self) -> bool {
        self.calls.load(Ordering::SeqCst) > self.nth
    }

    fn next(&self) -> Option<Lost> {
        (self.calls.fetch_add(1, Ordering::SeqCst) == self.nth).then_some(self.lost)
    }
}

/// Store that keeps its promise in all calls but one.
pub struct FailNth<T: ?Sized> {
    inner: Arc<T>,
    faults: Arc<Faults>,
}

impl<T: ?Sized> FailNth<T> {
    /// Puts the faults in front of a store.
    #[must_use]
    pub fn new(inner: Arc<T>, faults: Arc<Faults>) -> Self {
        Self { inner, faults }
    }

    /// Makes the call, unless it is the one that fails.
    async fn call<R, E>(&self, ours: impl Fn(Unavailable) -> E, call: impl Future<Output = Result<R, E>>) -> Result<R, E> {
        let failed = || Err(ours(Unavailable::new("as the test wants it")));
        match self.faults.next() {
            None => call.await,
            Some(Lost::Answer) => {
                drop(call.await);
                failed()
            }
            Some(Lost::Call) => failed(),
        }
    }
}

#[async_trait]
impl Challenges for FailNth<dyn Challenges> {
    async fn spend(&self, challenge: OpenChallenge, by: Spender<'_>, now: UnixSeconds) -> Result<(), ChallengeError> {
        self.call(ChallengeError::Unavailable, self.inner.spend(challenge, by, now)).await
    }
}

#[async_trait]
impl RateCounters for FailNth<dyn RateCounters> {
    async fn take(&self, of: &Rated, limit: RateLimit, now: UnixMillis) -> Result<(), TakeError> {
        self.call(TakeError::Unavailable, self.inner.take(of, limit, now)).await
    }
}

#[async_trait]
impl Bindings for FailNth<dyn Bindings> {
    async fn bind(&self, binding: Binding, rules: BindingRules) -> Result<Binding, BindError> {
        self.call(BindError::Unavailable, self.inner.bind(binding, rules)).await
    }

    async fn of_user(&self, user: &UserId, count_max: u32) -> Result<Vec<Binding>, Unavailable> {
        self.call(identity, self.inner.of_user(user, count_max)).await
    }

    async fn of_device(&self, device: &DeviceId, count_max: u32) -> Result<Vec<Binding>, Unavailable> {
        self.call(identity, self.inner.of_device(device, count_max)).await
    }

    async fn seen(&self, user: &UserId, device: &DeviceId, day: UnixSeconds) -> Result<Option<Binding>, Unavailable> {
        self.call(identity, self.inner.seen(user, device, day)).await
    }

    async fn cut(&self, user: &UserId, device: &DeviceId, state: BindingState) -> Result<Option<Binding>, Unavailable> {
        self.call(identity, self.inner.cut(user, device, state)).await
    }
}

#[async_trait]
impl DevTokens for FailNth<dyn DevTokens> {
    async fn create(&self, token: DevToken) -> Result<(), Unavailable> {
        self.call(identity, self.inner.create(token)).await
    }

    async fn find(&self, hash: &TokenHash) -> Result<Option<KeptDevToken>, Unavailable> {
        self.call(identity, self.inner.find(hash)).await
    }

    async fn list(&self, count_max: u32) -> Result<Vec<KeptDevToken>, Unavailable> {
        self.call(identity, self.inner.list(count_max)).await
    }

    async fn revoke(&self, id: &DevTokenId, now: UnixSeconds) -> Result<Option<KeptDevToken>, Unavailable> {
        self.call(identity, self.inner.revoke(id, now)).await
    }

    async fn note_use(&self, id: &DevTokenId, device: &DeviceId, now: UnixSeconds) -> Result<DevTokenNoted, Unavailable> {
        self.call(identity, self.inner.note_use(id, device, now)).await
    }
}

#[async_trait]
impl Devices for FailNth<dyn Devices> {
    async fn enrol(&self, device: Device) -> Result<Device, Unavailable> {
        self.call(identity, self.inner.enrol(device)).await
    }

    async fn posture(&self, id: &DeviceId) -> Result<LivePosture, PostureError> {
        self.call(PostureError::Unavailable, self.inner.posture(id)).await
    }

    async fn posture_by_key(&self, key: &Thumbprint) -> Result<LivePosture, PostureError> {
        self.call(PostureError::Unavailable, self.inner.posture_by_key(key)).await
    }

    async fn find(&self, id: &DeviceId) -> Result<Option<Device>, Unavailable> {
        self.call(identity, self.inner.find(id)).await
    }

    async fn find_by_key(&self, key: &Thumbprint) -> Result<Option<Device>, Unavailable> {
        self.call(identity, self.inner.find_by_key(key)).await
    }

    async fn list(&self, count_max: u32) -> Result<Vec<Device>, Unavailable> {
        self.call(identity, self.inner.list(count_max)).await
    }

    async fn walk(&self, after: Option<&DeviceId>, count_max: u32) -> Result<Vec<Device>, Unavailable> {
        self.call(identity, self.inner.walk(after, count_max)).await
    }

    async fn change(&self, id: &DeviceId, change: DeviceChange) -> Result<Device, ChangeError> {
        self.call(ChangeError::Unavailable, self.inner.change(id, change)).await
    }

    async fn revoke(&self, id: &DeviceId) -> Result<Option<Device>, Unavailable> {
        self.call(identity, self.inner.revoke(id)).await
    }
}

#[async_trait]
impl Grants for FailNth<dyn Grants> {
    async fn issue_code(&self, code: TokenHash, grant: CodeGrant) -> Result<(), Unavailable> {
        self.call(identity, self.inner.issue_code(code, grant)).await
    }

    async fn find_code(&self, code: &TokenHash) -> Result<Option<CodeState>, Unavailable> {
        self.call(identity, self.inner.find_code(code)).await
    }

    async fn redeem(&self, code: &TokenHash, family: RefreshFamily) -> Result<(), RedeemError> {
        self.call(RedeemError::Unavailable, self.inner.redeem(code, family)).await
    }

    async fn find_refresh(&self, token: &TokenHash) -> Result<Option<RefreshState>, Unavailable> {
        self.call(identity, self.inner.find_refresh(token)).await
    }

    async fn answer_once(
        &self,
        asked: Renewed,
        proposed: GivenToken,
        until: UnixSeconds,
        now: UnixSeconds,
    ) -> Result<GivenToken, Unavailable> {
        self.call(identity, self.inner.answer_once(asked, proposed, until, now)).await
    }
}

#[async_trait]
impl Keys for FailNth<dyn Keys> {
    async fn list(&self, purpose: KeyPurpose) -> Result<Vec<StoredKey>, Unavailable> {
        self.call(identity, self.inner.list(purpose)).await
    }

    async fn add(&self, purpose: KeyPurpose, key: StoredKey) -> Result<(), Unavailable> {
        self.call(identity, self.inner.add(purpose, key)).await
    }

    async fn remove(&self, purpose: KeyPurpose, id: &KeyId) -> Result<(), Unavailable> {
        self.call(identity, self.inner.remove(purpose, id)).await
    }
}

#[async_trait]
impl SubjectKeys for FailNth<dyn SubjectKeys> {
    async fn key(&self, user: &UserId, fresh: Secret<[u8; 32]>) -> Result<Option<Secret<[u8; 32]>>, Unavailable> {
        self.call(identity, self.inner.key(user, fresh)).await
    }

    async fn find(&self, user: &UserId) -> Result<Option<Secret<[u8; 32]>>, Unavailable> {
        self.call(identity, self.inner.find(user)).await
    }

    async fn destroy(&self, user: &UserId) -> Result<(), Unavailable> {
        self.call(identity, self.inner.destroy(user)).await
    }
}

#[async_trait]
impl Recorder for FailNth<dyn Recorder> {
    async fn record(&self, entry: Entry) -> Result<Written, Unavailable> {
        self.call(identity, self.inner.record(entry)).await
    }

    async fn refuse(&self, refusal: StrangerRefusal) -> Result<Receipt, Unavailable> {
        self.call(identity, self.inner.refuse(refusal)).await
    }

    fn count(&self, refusal: StrangerRefusal) -> Counted {
        self.inner.count(refusal)
    }
}

#[async_trait]
impl Incidents for FailNth<dyn Incidents> {
    async fn keep(&self, incident: Incident) -> Result<(), Unavailable> {
        self.call(identity, self.inner.keep(incident)).await
    }

    async fn find(&self, id: &IncidentId) -> Result<Option<Incident>, Unavailable> {
        self.call(identity, self.inner.find(id)).await
    }

    async fn list(&self, state: Option<IncidentState>, count_max: u32) -> Result<Vec<Incident>, Unavailable> {
        self.call(identity, self.inner.list(state, count_max)).await
    }

    async fn suppress(&self, suppression: Suppression) -> Result<(), Unavailable> {
        self.call(identity, self.inner.suppress(suppression)).await
    }

    async fn suppressions(&self, now: UnixSeconds) -> Result<Vec<Suppression>, Unavailable> {
        self.call(identity, self.inner.suppressions(now)).await
    }
}

#[async_trait]
impl ReplayMemory for FailNth<dyn ReplayMemory> {
    async fn spend(&self, proof: BoundProof, by: Spender<'_>, now: UnixSeconds) -> Result<FreshProof, SpendError> {
        self.call(SpendError::Unavailable, self.inner.spend(proof, by, now)).await
    }
}

#[async_trait]
impl Sessions for FailNth<dyn Sessions> {
    async fn open(&self, session: Session) -> Result<(), Unavailable> {
        self.call(identity, self.inner.open(session)).await
    }

    async fn live(&self, id: &SessionId, now: UnixSeconds) -> Result<LiveSession, LiveError> {
        self.call(LiveError::Unavailable, self.inner.live(id, now)).await
    }

    async fn find(&self, id: &SessionId) -> Result<Option<Session>, Unavailable> {
        self.call(identity, self.inner.find(id)).await
    }

    async fn list(&self, filter: &SessionFilter, count_max: u32) -> Result<Vec<Session>, Unavailable> {
        self.call(identity, self.inner.list(filter, count_max)).await
    }

    async fn walk(&self, after: Option<&Presence>, count_max: u32, now: UnixSeconds) -> Result<Vec<Presence>, Unavailable> {
        self.call(identity, self.inner.walk(after, count_max, now)).await
    }

    async fn set_state(&self, id: &SessionId, state: OpenState) -> Result<StateChange, Unavailable> {
        self.call(identity, self.inner.set_state(id, state)).await
    }

    async fn end(&self, whose: &Whose, now: UnixSeconds) -> Result<Ended, Unavailable> {
        self.call(identity, self.inner.end(whose, now)).await
    }

    async fn prolong(&self, id: &SessionId, until: UnixSeconds) -> Result<(), Unavailable> {
        self.call(identity, self.inner.prolong(id, until)).await
    }

    async fn authenticated(&self, id: &SessionId, at: UnixSeconds) -> Result<(), Unavailable> {
        self.call(identity, self.inner.authenticated(id, at)).await
    }
}

#[async_trait]
impl Subjects for FailNth<dyn Subjects> {
    async fn create(&self, user: User, passkey: Passkey) -> Result<Created, Unavailable> {
        self.call(identity, self.inner.create(user, passkey)).await
    }

    async fn find(&self, id: &UserId) -> Result<Option<User>, Unavailable> {
        self.call(identity, self.inner.find(id)).await
    }

    async fn state(&self, id: &UserId) -> Result<Option<UserState>, Unavailable> {
        self.call(identity, self.inner.state(id)).await
    }

    async fn find_by_name(&self, name: &str) -> Result<Option<User>, Unavailable> {
        self.call(identity, self.inner.find_by_name(name)).await
    }

    async fn list(&self, count_max: u32) -> Result<Vec<User>, Unavailable> {
        self.call(identity, self.inner.list(count_max)).await
    }

    async fn update(&self, id: &UserId, state: UserState, roles: &[Role]) -> Result<Option<User>, Unavailable> {
        self.call(identity, self.inner.update(id, state, roles)).await
    }

    async fn add_passkey(&self, passkey: Passkey) -> Result<Created, Unavailable> {
        self.call(identity, self.inner.add_passkey(passkey)).await
    }

    async fn find_passkey(&self, credential: &[u8]) -> Result<Option<Passkey>, Unavailable> {
        self.call(identity, self.inner.find_passkey(credential)).await
    }

    async fn passkeys(&self, user: &UserId) -> Result<Vec<Passkey>, Unavailable> {
        self.call(identity, self.inner.passkeys(user)).await
    }

    async fn use_passkey(&self, passkey: Passkey, counter_before: u32) -> Result<Used, Unavailable> {
        self.call(identity, self.inner.use_passkey(passkey, counter_before)).await
    }

    async fn invite(&self, invitation: Invitation) -> Result<(), Unavailable> {
        self.call(identity, self.inner.invite(invitation)).await
    }

    async fn find_invitation(&self, code: &TokenHash, now: UnixSeconds) -> Result<Option<Invitation>, Unavailable> {
        self.call(identity, self.inner.find_invitation(code, now)).await
    }

    async fn take_invitation(&self, code: &TokenHash, now: UnixSeconds) -> Result<Option<Invitation>, Unavailable> {
        self.call(identity, self.inner.take_invitation(code, now)).await
    }
}
