//! What the embedded store promises, over a real directory: races, restarts, boundaries, and a cache that is never behind.

#![expect(clippy::expect_used, reason = "tests stop where they fail")]

use std::{path::Path, sync::Arc};

use countersign_core::{
    Acr, Amr, BootState, ClientId, DeviceId, EvidenceTier, GrantId, PatchLevel, Platform, Posture, Provenance, Role, Secret, SecurityLevel,
    Session, SessionId, SessionState, Thumbprint, UnixSeconds, UserId,
};
use countersign_identity::{CodeChallenge, CodeGrant, CodeState, DeviceBinding, RefreshFamily, RefreshState, TokenHash};
use countersign_proof::challenge::{ChallengeKeys, ChallengePurpose, Place};
use countersign_store::{
    Challenges, Created, Device, DeviceState, Devices, GivenToken, Grants, Invitation, LiveError, OpenState, Passkey, PostureError,
    RedeemError, Renewed, SessionFilter, Sessions, Spender, StateChange, SubjectKeys, Subjects, Used, User, UserState, Whose,
    memory::MemoryChallenges, sqlite::Sqlite,
};

const NOW: UnixSeconds = UnixSeconds(1_000_000);

fn user(n: u8) -> User {
    User {
        id: UserId::from_random([n; 16]),
        name: format!("user-{n}"),
        roles: vec![Role::parse("admin").expect("a role")],
        created_at: UnixSeconds(u64::from(n)),
        state: UserState::Active,
    }
}

fn passkey(n: u8, of: &User) -> Passkey {
    Passkey { credential: vec![n; 16], user: of.id.clone(), record: "{}".to_owned(), counter: 0, created_at: NOW }
}

fn device(id: u8, key: u8) -> Device {
    Device {
        posture: Posture {
            device: DeviceId::from_random([id; 16]),
            key: Thumbprint::from_bytes([key; 32]),
            platform: Platform::Android,
            tier: EvidenceTier::Hardware,
            by: Provenance::AndroidKeyAttestation,
            established_at: NOW,
            security_level: SecurityLevel::StrongBox,
            bootloader_locked: Some(true),
            boot_state: Some(BootState::SelfSigned),
            boot_key: None,
            os_version: Some(160_000),
            patch_level: PatchLevel::from_number(202_610),
            app: None,
            app_version: None,
            certificates: Vec::new(),
            verdict: None,
            report: None,
            risk_metric: None,
        },
        key_jwk: "{}".to_owned(),
        name: "a phone".to_owned(),
        model: None,
        vouching: None,
        enrolled_at: NOW,
        state: DeviceState::Active,
    }
}

fn session(n: u8) -> Session {
    Session {
        id: SessionId::from_random([n; 16]),
        user: user(1).id,
        roles: user(1).roles,
        device: device(1, 1).posture.device,
        client: ClientId::parse("shop").expect("an id"),
        state: SessionState::Active,
        acr: Acr::PhishingResistant,
        amr: vec![Amr::MultiFactor, Amr::UserVerified],
        auth_time: NOW,
        bound_at: UnixSeconds(u64::from(n)),
        created_at: UnixSeconds(u64::from(n)),
        expires_at: UnixSeconds(NOW.0 + 10),
    }
}

fn grant() -> CodeGrant {
    CodeGrant {
        user: user(1).id,
        client: ClientId::parse("shop").expect("an id"),
        binding: DeviceBinding { device: device(1, 1).posture.device, key: Thumbprint::from_bytes([1; 32]) },
        challenge: CodeChallenge::from_bytes([9; 32]),
        opened_by: None,
        auth_time: NOW,
        expires_at: NOW,
    }
}

fn family(n: u8) -> RefreshFamily {
    RefreshFamily {
        id: GrantId::from_random([n; 16]),
        token: TokenHash::from_bytes([n; 32]),
        session: session(1).id,
        client: grant().client,
        binding: grant().binding,
        expires_at: NOW,
    }
}

/// A store with one person, one phone and one session.
async fn store(home: &Path) -> Arc<Sqlite> {
    let store = Arc::new(Sqlite::open(home).await.expect("opens"));
    let made = Subjects::create(&*store, user(1), passkey(1, &user(1))).await.expect("works");
    if made == Created::Done {
        store.enrol(device(1, 1)).await.expect("works");
        store.open(session(1)).await.expect("works");
    }
    store
}

/// Runs `race` eight times at once and counts the winners.
async fn winners<F>(race: impl Fn() -> F) -> usize
where
    F: Future<Output = bool> + Send + 'static,
{
    let tasks: Vec<_> = (0..8).map(|_| tokio::spawn(race())).collect();
    let mut won = 0;
    for task in tasks {
        won += usize::from(task.await.expect("no panic"));
    }
    won
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_acknowledged_outlives_the_process() {
    let home = tempfile::tempdir().expect("a directory");
    store(home.path()).await.close().await;
    let store = store(home.path()).await;
    assert_eq!(Sessions::find(&*store, &session(1).id).await, Ok(Some(session(1))));
    assert_eq!(Devices::find(&*store, &device(1, 1).posture.device).await, Ok(Some(device(1, 1))));
    assert_eq!(store.find_by_name("user-1").await, Ok(Some(user(1))));
    assert_eq!(store.find_passkey(&[1; 16]).await, Ok(Some(passkey(1, &user(1)))));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_racing_callers_one_wins() {
    let home = tempfile::tempdir().expect("a directory");
    let store = store(home.path()).await;
    let code = TokenHash::from_bytes([7; 32]);
    store.issue_code(code, grant()).await.expect("works");
    let redeemed = winners(|| {
        let store = Arc::clone(&store);
        async move { store.redeem(&code, family(3)).await.is_ok() }
    });
    assert_eq!(redeemed.await, 1);
    assert_eq!(store.redeem(&code, family(4)).await, Err(RedeemError::AlreadyExchanged));
    assert_eq!(store.find_refresh(&family(4).token).await, Ok(None), "a lost race leaves no refresh family");
    assert!(matches!(store.find_code(&code).await, Ok(Some(CodeState::Exchanged { family: id, .. })) if id == family(3).id));

    store.invite(Invitation { code, name: None, roles: vec![], expires_at: NOW }).await.expect("works");
    let taken = winners(|| {
        let store = Arc::clone(&store);
        async move { store.take_invitation(&code, NOW).await.is_ok_and(|found| found.is_some()) }
    });
    assert_eq!(taken.await, 1);

    let used = winners(|| {
        let store = Arc::clone(&store);
        async move { store.use_passkey(Passkey { counter: 5, ..passkey(1, &user(1)) }, 0).await == Ok(Used::Noted) }
    });
    assert_eq!(used.await, 1);

    let (challenges, keys) = (Arc::new(MemoryChallenges::default()), ChallengeKeys::new(&Secret::new([1; 32])));
    let place = Place { purpose: ChallengePurpose::Login, room: 0, era: 0 };
    let sealed = keys.seal(&place, [1; 16], b"state", NOW).expect("a ceremony");
    assert!(keys.open(&sealed, ChallengePurpose::Registration, 0, NOW).is_err(), "made for something else");
    let taken = winners(|| {
        let (challenges, (open, _)) = (Arc::clone(&challenges), keys.open(&sealed, ChallengePurpose::Login, 0, NOW).expect("ours"));
        async move { challenges.spend(open, Spender::Stranger, NOW).await.is_ok() }
    });
    assert_eq!(taken.await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_names_one_device_which_stays_revoked() {
    let home = tempfile::tempdir().expect("a directory");
    let store = store(home.path()).await;
    let mut ids = Vec::new();
    for n in 2..6_u8 {
        ids.push(store.enrol(device(n, 50)).await.expect("works").posture.device);
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let id = ids.remove(0);
    store.revoke(&id).await.expect("works");
    assert_eq!(store.enrol(device(9, 50)).await.expect("works").state, DeviceState::Revoked);
    assert_eq!(store.posture(&id).await.err(), Some(PostureError::Revoked));
    assert_eq!(store.posture(&DeviceId::from_random([99; 16])).await.err(), Some(PostureError::Unknown));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_lives_to_its_end_and_revoked_is_final() {
    let home = tempfile::tempdir().expect("a directory");
    let store = store(home.path()).await;
    let id = session(1).id;
    let live = |at: u64| {
        let (store, id) = (Arc::clone(&store), id.clone());
        async move { store.live(&id, UnixSeconds(at)).await.map(|_| ()) }
    };
    assert_eq!(live(NOW.0 + 10).await, Ok(()));
    assert_eq!(live(NOW.0 + 11).await, Err(LiveError::Expired));
    let changed = |from| Ok(StateChange::Changed { from });
    assert_eq!(store.set_state(&id, OpenState::Limited).await, changed(SessionState::Active));
    assert_eq!(live(NOW.0).await, Ok(()));
    assert_eq!(store.set_state(&id, OpenState::Challenged).await, changed(SessionState::Limited));
    assert_eq!(live(NOW.0).await, Err(LiveError::Challenged));
    let ended = store.end(&Whose::Session(id.clone()), NOW).await.expect("works").sessions;
    assert_eq!(ended.iter().map(|session| session.state).collect::<Vec<_>>(), [SessionState::Challenged]);
    assert_eq!(store.set_state(&id, OpenState::Active).await, Ok(StateChange::Final));
    assert_eq!(live(NOW.0).await, Err(LiveError::Revoked));
    assert_eq!(store.set_state(&session(9).id, OpenState::Active).await, Ok(StateChange::Unknown));
    assert!(store.open(Session { user: user(7).id, ..session(7) }).await.is_err(), "a session of nobody");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn once_revoked_no_reader_sees_the_old_state() {
    let home = tempfile::tempdir().expect("a directory");
    let store = store(home.path()).await;
    for n in 10..60_u8 {
        let id = session(n).id;
        store.open(session(n)).await.expect("works");
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let (store, id) = (Arc::clone(&store), id.clone());
                tokio::spawn(async move {
                    while store.live(&id, NOW).await.is_ok() {
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        store.end(&Whose::Session(id.clone()), NOW).await.expect("works");
        assert_eq!(store.live(&id, NOW).await.err(), Some(LiveError::Revoked), "session {n}");
        for reader in readers {
            reader.await.expect("no panic");
        }
        assert_eq!(store.live(&id, NOW).await.err(), Some(LiveError::Revoked), "session {n}, after its readers");
    }
    let filter = SessionFilter { user: Some(user(1).id), ..SessionFilter::default() };
    let newest = Sessions::list(&*store, &filter, 3).await.expect("works");
    assert_eq!(newest.iter().map(|s| s.created_at.0).collect::<Vec<_>>(), [59, 58, 57]);
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_come_whole_or_not_at_all_and_answers_are_repeated() {
    let home = tempfile::tempdir().expect("a directory");
    let store = store(home.path()).await;
    assert_eq!(Subjects::create(&*store, User { name: user(1).name, ..user(2) }, passkey(2, &user(2))).await, Ok(Created::NameTaken));
    let taken = Passkey { credential: vec![1; 16], ..passkey(2, &user(2)) };
    assert_eq!(Subjects::create(&*store, user(2), taken).await, Ok(Created::CredentialTaken));
    assert_eq!(store.find_by_name("user-2").await, Ok(None), "an account without its passkey");

    let asked = Renewed { token: TokenHash::from_bytes([1; 32]), key: Thumbprint::from_bytes([1; 32]) };
    let answer = |text: &str, now| {
        let (store, proposed) = (Arc::clone(&store), GivenToken { token: Secret::new(text.to_owned()), expires_at: NOW });
        async move { store.answer_once(asked, proposed, NOW, UnixSeconds(now)).await.map(|given| given.token.expose().clone()) }
    };
    assert_eq!(answer("first", NOW.0 - 1).await.as_deref(), Ok("first"));
    assert_eq!(answer("second", NOW.0).await.as_deref(), Ok("first"));
    assert_eq!(answer("third", NOW.0 + 1).await.as_deref(), Ok("third"));

    let code = TokenHash::from_bytes([8; 32]);
    store.issue_code(code, grant()).await.expect("works");
    store.redeem(&code, family(8)).await.expect("works");
    assert_eq!(store.find_refresh(&family(8).token).await, Ok(Some(RefreshState::Live(family(8)))));
    store.end(&Whose::Session(session(1).id), NOW).await.expect("works");
    assert_eq!(store.find_refresh(&family(8).token).await, Ok(Some(RefreshState::Revoked)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destroyed_key_is_gone_for_good_and_from_every_file() {
    let home = tempfile::tempdir().expect("a directory");
    let store = store(home.path()).await;
    let id = user(1).id;
    let key = *b"thirty-two bytes that are gone!!";
    let first = SubjectKeys::key(&*store, &id, Secret::new(key)).await.expect("works").expect("a key");
    assert_eq!(first.expose(), &key);
    let again = SubjectKeys::key(&*store, &id, Secret::new([2; 32])).await.expect("works").expect("a key");
    assert_eq!(again.expose(), &key, "there is one key");
    store.destroy(&id).await.expect("works");
    assert!(SubjectKeys::key(&*store, &id, Secret::new([3; 32])).await.expect("works").is_none());
    store.close().await;
    for entry in std::fs::read_dir(home.path()).expect("a directory").flatten() {
        let bytes = std::fs::read(entry.path()).expect("a file");
        assert!(!bytes.windows(32).any(|window| window == key), "{}", entry.path().display());
    }
    let store = Sqlite::open(home.path()).await.expect("opens");
    assert!(SubjectKeys::find(&store, &id).await.expect("works").is_none());
}
