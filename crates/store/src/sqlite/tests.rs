//! The suite over SQLite, and what only SQLite can do wrong: rows from elsewhere, files of other versions, remains on the disk.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc};

use async_trait::async_trait;
use countersign_core::{IncidentId, Seconds, Secret, Session, SessionId, SessionState, SignalKind, UnixMillis};
use countersign_identity::{RefreshFamily, RefreshState, TokenHash};
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};
use tempfile::TempDir;
use tokio::sync::Mutex;

use super::*;
use crate::{
    changes::Change,
    dev_tokens::{DevTokenNoted, DevTokens},
    devices::{Devices, PostureError},
    grants::{Grants, RedeemError},
    incidents::{Incident, IncidentState, Incidents, Suppression},
    keys::SubjectKeys,
    retention::{Forgotten, Retention},
    sessions::{LiveError, OpenState, Sessions, Whose},
    sqlite::database::{DatabaseFault, OpenFault},
    subjects::{Created, Subjects},
    suite::{self, Faults, Home, Lost, NOW, Truth},
    unavailable::Unavailable,
};

struct Directory {
    place: TempDir,
    open: Mutex<Option<Arc<Sqlite>>>,
}

impl Directory {
    fn new() -> Self {
        Self { place: tempfile::tempdir().expect("a directory"), open: Mutex::default() }
    }

    async fn sqlite(&self) -> Arc<Sqlite> {
        let mut open = self.open.lock().await;
        if let Some(before) = open.take() {
            before.close().await;
        }
        let store = Arc::new(Sqlite::open(self.place.path()).await.expect("a database"));
        *open = Some(Arc::clone(&store));
        store
    }
}

#[async_trait]
impl Home for Directory {
    async fn open(&self) -> Truth {
        Truth::of(&self.sqlite().await)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_promise_is_kept() {
    suite::truth(async || Directory::new()).await;
}

/// Data of the version before bindings: whoever has a session was bound to its device when the first one began.
#[tokio::test]
async fn sessions_of_an_older_version_are_bound() {
    let directory = Directory::new();
    let store = directory.sqlite().await;
    let truth = Truth::of(&store);
    let first = truth.open_session(1).await;
    let second = Session { id: suite::session(2).id, created_at: first.created_at.plus(Seconds(90_000)), ..first.clone() };
    assert_eq!(truth.sessions.open(second.clone()).await, Ok(()));
    for undo in [
        "DROP TABLE bindings",
        "ALTER TABLE sessions DROP COLUMN bound_at",
        "DELETE FROM _sqlx_migrations WHERE version = 4",
        // The steps that came later touch the same tables.
        "ALTER TABLE codes DROP COLUMN credential",
        "ALTER TABLE codes DROP COLUMN copyable",
        "DELETE FROM _sqlx_migrations WHERE version = 10",
    ] {
        sqlx::query(undo).execute(&store.writer).await.expect("done");
    }
    let truth = directory.open().await;
    let bound = truth.bindings.of_user(&first.user, 9).await.expect("an answer");
    let [bound] = bound.as_slice() else { panic!("one binding: {bound:?}") };
    assert_eq!((&bound.device, bound.bound_at, bound.active()), (&first.device, first.created_at, true));
    assert_eq!(bound.seen_on.0, second.created_at.0 / 86_400 * 86_400);
    let found = truth.sessions.find(&second.id).await.expect("an answer").expect("a session");
    assert_eq!(found.bound_at, first.created_at);
}

/// Whoever holds a connection open asks again when it hears, so the news must not come before the answer.
#[tokio::test]
async fn a_change_is_announced_once_it_can_be_read() {
    let directory = Directory::new();
    let store = directory.sqlite().await;
    assert_eq!(Subjects::create(&*store, suite::user(1), suite::passkey(1)).await, Ok(Created::Done));
    assert!(store.enrol(suite::device(1)).await.is_ok());
    let world = suite::session(1);
    let id = world.id.clone();
    Sessions::open(&*store, world).await.expect("a session");
    let mut listener = store.changes().listen();
    let heard = tokio::spawn({
        let (store, id) = (Arc::clone(&store), id.clone());
        async move {
            assert_eq!(listener.next().await.map(|news| news.change), Some(Change::Session(id.clone())));
            Sessions::live(&*store, &id, NOW).await.expect_err("revoked")
        }
    });
    store.end(&Whose::Session(id), NOW).await.expect("an end");
    assert_eq!(heard.await.expect("a listener"), LiveError::Revoked);
}

/// What has ended goes; what could still count, or show a second use, stays.
#[tokio::test]
async fn what_ended_is_forgotten_and_nothing_else() {
    let directory = Directory::new();
    let store = directory.sqlite().await;
    let truth = Truth::of(&store);
    let (old, new) = (suite::session(1), suite::session(2));
    for number in [1, 2] {
        truth.settle(number).await;
    }
    let ended = NOW.plus(Seconds(100));
    assert_eq!(truth.sessions.open(Session { expires_at: ended, ..old.clone() }).await, Ok(()));
    assert_eq!(truth.sessions.open(new.clone()).await, Ok(()));
    for number in [1, 2, 3] {
        let (name, grant) = suite::code(number);
        assert_eq!(truth.grants.issue_code(name, grant).await, Ok(()));
    }
    for (number, expires_at) in [(1, ended), (2, NOW.plus(Seconds(3600)))] {
        assert_eq!(truth.grants.redeem(&suite::code(number).0, RefreshFamily { expires_at, ..suite::family(number) }).await, Ok(()));
    }
    assert_eq!(store.forget_before(NOW).await, Ok(Forgotten::default()), "nothing has ended");
    assert_eq!(store.forget_before(ended).await, Ok(Forgotten { codes: 1, ..Forgotten::default() }), "a code that nobody redeemed");
    let gone = store.forget_before(ended.plus(Seconds(1))).await;
    assert_eq!(gone, Ok(Forgotten { sessions: 1, families: 1, codes: 1, invitations: 0 }), "on the second after its last");
    assert_eq!(truth.sessions.find(&old.id).await, Ok(None), "nor is it at hand");
    assert_eq!(truth.sessions.find(&new.id).await.map(|found| found.is_some()), Ok(true));
    let again = truth.grants.redeem(&suite::code(2).0, suite::family(9)).await;
    assert_eq!(again, Err(RedeemError::AlreadyExchanged), "a second use is noticed while the session lives");
}

/// Incidents are about people: those that are over go after a quarter, and suppressions with their time.
#[tokio::test]
async fn incidents_that_are_over_are_forgotten() {
    let directory = Directory::new();
    let store = directory.sqlite().await;
    let quarter = Seconds(90 * 86_400);
    for (byte, state) in [(1, IncidentState::Open), (2, IncidentState::Fine), (3, IncidentState::Closed)] {
        let incident = Incident {
            id: IncidentId::from_random([byte; 16]),
            kind: SignalKind::Scraping,
            state,
            user: None,
            device: None,
            session: None,
            first_at: UnixMillis(NOW.0 * 1000),
            last_at: UnixMillis(NOW.0 * 1000),
            count: 1,
            score: 0,
            deeds: Vec::new(),
            timeline: Vec::new(),
        };
        assert_eq!(store.keep(incident).await, Ok(()));
    }
    let suppression = Suppression { kind: SignalKind::Scraping, user: None, until: NOW };
    assert_eq!(store.suppress(suppression).await, Ok(()));
    let kept = async || Incidents::list(&*store, None, 9).await.map(|kept| kept.len());
    assert!(store.forget_before(NOW.plus(quarter)).await.is_ok());
    assert_eq!(kept().await, Ok(3), "on the last second of the quarter");
    assert!(store.forget_before(NOW.plus(quarter).plus(Seconds(1))).await.is_ok());
    assert_eq!(kept().await, Ok(1), "the open one stays");
}

async fn run(pool: &SqlitePool, sql: &'static str) {
    sqlx::query(sql).execute(pool).await.expect(sql);
}

/// A store with a person, a device, a session, a code, a family and an invitation, nothing of it at hand.
async fn filled(directory: &Directory) -> Arc<Sqlite> {
    let truth = directory.open().await;
    truth.open_session(1).await;
    for number in [1, 2] {
        truth.grants.issue_code(suite::code(number).0, suite::code(number).1).await.expect("a code");
    }
    truth.grants.redeem(&suite::code(2).0, suite::family(2)).await.expect("a family");
    truth.dev_tokens.create(suite::dev_token(1)).await.expect("a token");
    let noted = truth.dev_tokens.note_use(&suite::dev_token(1).id, &suite::device(1).posture.device, NOW).await;
    assert_eq!(noted, Ok(DevTokenNoted::Noted));
    directory.sqlite().await
}

/// What the store answers, by table.
async fn ask(store: &Sqlite, table: &str) -> Result<(), Unavailable> {
    match table {
        "codes" => store.find_code(&suite::code(1).0).await.map(drop),
        "dev_tokens" => DevTokens::find(store, &suite::dev_token(1).hash).await.map(drop),
        "devices" => match store.posture(&suite::device(1).posture.device).await {
            Ok(_) => Ok(()),
            Err(PostureError::Unavailable(why)) => Err(why),
            Err(PostureError::Revoked | PostureError::Unknown) => panic!("not what was asked"),
        },
        "passkeys" => store.find_passkey(&suite::passkey(1).credential).await.map(drop),
        "refresh_families" => store.find_refresh(&suite::family(2).token).await.map(drop),
        "sessions" => match store.live(&suite::session(1).id, NOW).await {
            Ok(_) => Ok(()),
            Err(LiveError::Unavailable(why)) => Err(why),
            Err(LiveError::Challenged | LiveError::Expired | LiveError::Revoked | LiveError::Unknown) => panic!("not what was asked"),
        },
        "users" => Subjects::find(store, &suite::user(1).id).await.map(drop),
        _ => panic!("no such table: {table}"),
    }
}

/// Rows that somebody else wrote. None of them is guessed at.
#[tokio::test]
async fn a_row_that_does_not_parse_refuses() {
    let rows: &[(&str, &str)] = &[
        ("codes", "UPDATE codes SET user = 'not an id'"),
        ("codes", "UPDATE codes SET client = ''"),
        ("codes", "UPDATE codes SET device = 'a b'"),
        ("codes", "UPDATE codes SET key = x'00'"),
        ("codes", "UPDATE codes SET challenge = x''"),
        ("codes", "UPDATE codes SET auth_time = -1"),
        ("codes", "UPDATE codes SET expires_at = -1"),
        ("codes", "UPDATE codes SET session = 's_1', family = NULL"),
        ("codes", "UPDATE codes SET session = NULL, family = 'g_1'"),
        ("codes", "UPDATE codes SET session = 's_1', family = ''"),
        ("dev_tokens", "UPDATE dev_tokens SET client = ''"),
        ("dev_tokens", "UPDATE dev_tokens SET platform = 'Android'"),
        ("dev_tokens", "UPDATE dev_tokens SET expires_at = -1"),
        ("dev_tokens", "UPDATE dev_tokens SET phones_max = 4294967296"),
        ("dev_tokens", "UPDATE dev_tokens SET phones_max = -1"),
        ("dev_tokens", "UPDATE dev_tokens SET networks = ''"),
        ("dev_tokens", "UPDATE dev_tokens SET created_at = -1"),
        ("dev_tokens", "UPDATE dev_tokens SET revoked_at = -1"),
        ("dev_tokens", "UPDATE dev_token_uses SET device = 'a/b'"),
        ("dev_tokens", "UPDATE dev_token_uses SET last_at = -1"),
        ("devices", "UPDATE devices SET key = x'00'"),
        ("devices", "UPDATE devices SET platform = 'Android'"),
        ("devices", "UPDATE devices SET tier = ''"),
        ("devices", "UPDATE devices SET established_at = -1"),
        ("devices", "UPDATE devices SET security_level = 'strongbox'"),
        ("devices", "UPDATE devices SET bootloader_locked = 2"),
        ("devices", "UPDATE devices SET bootloader_locked = -1"),
        ("devices", "UPDATE devices SET boot_state = 'green'"),
        ("devices", "UPDATE devices SET os_version = -1"),
        ("devices", "UPDATE devices SET patch_level = 202613"),
        ("devices", "UPDATE devices SET app = ''"),
        ("devices", "UPDATE devices SET app_version = -1"),
        ("devices", "UPDATE devices SET enrolled_at = -1"),
        ("passkeys", "UPDATE passkeys SET counter = 4294967296"),
        ("passkeys", "UPDATE passkeys SET counter = -1"),
        ("passkeys", "UPDATE passkeys SET created_at = -1"),
        ("refresh_families", "UPDATE refresh_families SET id = ''"),
        ("refresh_families", "UPDATE refresh_families SET session = 's 1'"),
        ("refresh_families", "UPDATE refresh_families SET client = ''"),
        ("refresh_families", "UPDATE refresh_families SET device = ''"),
        ("refresh_families", "UPDATE refresh_families SET key = x'0102'"),
        ("refresh_families", "UPDATE refresh_families SET expires_at = -1"),
        ("refresh_families", "UPDATE refresh_families SET revoked = 2"),
        ("sessions", "UPDATE sessions SET roles = 'admin not/an/id'"),
        ("sessions", "UPDATE sessions SET client = ''"),
        ("sessions", "UPDATE sessions SET state = 'ACTIVE'"),
        ("sessions", "UPDATE sessions SET acr = 'strong'"),
        ("sessions", "UPDATE sessions SET amr = 'hwk pwd'"),
        ("sessions", "UPDATE sessions SET auth_time = -1"),
        ("sessions", "UPDATE sessions SET created_at = -1"),
        ("sessions", "UPDATE sessions SET expires_at = -1"),
        ("users", "UPDATE users SET roles = '/'"),
        ("users", "UPDATE users SET created_at = -1"),
    ];
    let directory = Directory::new();
    let template = filled(&directory).await;
    template.close().await;
    for (table, sql) in rows {
        let copy = Directory::new();
        for file in ["countersign.db", "subject-keys.db"] {
            fs::copy(directory.place.path().join(file), copy.place.path().join(file)).expect("a copy");
        }
        let store = copy.sqlite().await;
        run(&store.writer, sql).await;
        let broken = Unavailable::new(format!("a row of table `{table}` does not parse"));
        assert_eq!(ask(&store, table).await, Err(broken), "{sql}");
    }
    let whole = directory.sqlite().await;
    for table in ["codes", "dev_tokens", "devices", "passkeys", "refresh_families", "sessions", "users"] {
        assert_eq!(ask(&whole, table).await, Ok(()), "{table}, as it was written");
    }
}

/// Statements that fail in the middle of what must happen together.
#[tokio::test]
async fn what_goes_together_fails_together() {
    let directory = Directory::new();
    let store = filled(&directory).await;
    run(&store.writer, "CREATE TRIGGER a BEFORE INSERT ON refresh_families BEGIN SELECT RAISE(FAIL, 'as the test wants it'); END").await;
    run(&store.writer, "CREATE TRIGGER b BEFORE INSERT ON passkeys BEGIN SELECT RAISE(FAIL, 'as the test wants it'); END").await;
    assert!(matches!(store.redeem(&suite::code(1).0, suite::family(1)).await, Err(RedeemError::Unavailable(_))));
    assert!(Subjects::create(&*store, suite::user(2), suite::passkey(2)).await.is_err());
    run(&store.writer, "DROP TRIGGER a").await;
    run(&store.writer, "DROP TRIGGER b").await;
    assert_eq!(Subjects::find(&*store, &suite::user(2).id).await, Ok(None));
    assert_eq!(Subjects::create(&*store, suite::user(2), suite::passkey(2)).await, Ok(Created::Done));
    assert_eq!(store.redeem(&suite::code(1).0, suite::family(1)).await, Ok(()));
}

/// A family that cannot be ended keeps its session open, and the caller knows.
#[tokio::test]
async fn a_session_does_not_end_without_its_family() {
    let directory = Directory::new();
    let store = filled(&directory).await;
    // The family of `filled`, as that of the session there.
    run(&store.writer, "UPDATE refresh_families SET session = (SELECT id FROM sessions)").await;
    run(&store.writer, "CREATE TRIGGER a BEFORE UPDATE ON refresh_families BEGIN SELECT RAISE(FAIL, 'as the test wants it'); END").await;
    let session = suite::session(1);
    let all = [
        Whose::Session(session.id.clone()),
        Whose::Person(session.user.clone()),
        Whose::Device(session.device.clone()),
        Whose::PersonOnDevice(session.user.clone(), session.device.clone()),
    ];
    let live = async || matches!(store.find_refresh(&suite::family(2).token).await, Ok(Some(RefreshState::Live(_))));
    for whose in &all {
        assert!(store.end(whose, NOW).await.is_err(), "{whose:?}");
        assert!(store.live(&session.id, NOW).await.is_ok() && live().await, "{whose:?}: nothing has ended");
    }
    run(&store.writer, "DROP TRIGGER a").await;
    assert_eq!(store.end(&all[1], NOW).await.map(|ended| ended.sessions.len()), Ok(1));
    assert_eq!(store.live(&session.id, NOW).await.err(), Some(LiveError::Revoked));
    assert!(!live().await);
}

/// More than end in one transaction: all end, with their families, and each is announced.
#[tokio::test]
async fn however_many_they_are_all_end() {
    let directory = Directory::new();
    let store = filled(&directory).await;
    let more = 2 * i64::from(super::sessions::ENDED_TOGETHER_MAX);
    let copies = sqlx::query(
        "INSERT INTO sessions (id, user, roles, device, client, state, acr, amr, auth_time, created_at, expires_at, bound_at) \
         SELECT id || n, user, roles, device, client, state, acr, amr, auth_time, created_at, expires_at, bound_at FROM sessions, \
         (WITH RECURSIVE c (n) AS (SELECT 1000 UNION ALL SELECT n + 1 FROM c WHERE n < 999 + $1) SELECT n FROM c)",
    );
    copies.bind(more).execute(&store.writer).await.expect("many sessions");
    let families = "INSERT INTO refresh_families (token, id, session, client, device, key, expires_at) \
                    SELECT randomblob(32), f.id, s.id, f.client, f.device, f.key, f.expires_at FROM sessions AS s, refresh_families AS f";
    run(&store.writer, families).await;
    let mut listener = store.changes().listen();
    let ended = store.end(&Whose::Device(suite::session(1).device), NOW).await.expect("an end").sessions;
    assert_eq!(i64::try_from(ended.len()), Ok(more + 1));
    for session in &ended {
        assert_eq!(listener.next().await.map(|news| news.change), Some(Change::Session(session.id.clone())));
    }
    let open: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sessions WHERE state <> 'revoked'").fetch_one(&store.readers).await.expect("a count");
    let sql = "SELECT count(*) FROM refresh_families WHERE revoked = 0 AND session IN (SELECT id FROM sessions)";
    let live: i64 = sqlx::query_scalar(sql).fetch_one(&store.readers).await.expect("a count");
    assert_eq!((open, live), (0, 0));
}

/// What was published is never changed: databases remember these digests, and one with another digest does not open.
#[test]
fn published_steps_stay_as_they_are() {
    let rows = [
        (1, "d3fa269c7233e1c2"),
        (2, "aea11de66ff2bf50"),
        (3, "af8f9f2e37dc9ea4"),
        (4, "54e163f081793bb8"),
        (6, "1a6211d3c00b7217"),
        (7, "8bc1935e2c1e3361"),
        (8, "e98217e74f43fe76"),
        (9, "4ab12b706e58eecd"),
        (10, "c39f932d404a8fa7"),
    ];
    let hex =
        |migration: &sqlx::migrate::Migration| migration.checksum.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>();
    let steps: Vec<_> = database::TRUTH.iter().map(database::Step::migration).collect();
    for (version, digest) in rows {
        let step = steps.iter().find(|step| step.version == version).expect("a step");
        assert_eq!(hex(step), digest, "step {version}");
    }
    assert_eq!(database::KEYS.iter().map(|step| hex(&step.migration())).collect::<Vec<_>>(), ["f6a4616ab236ad68", "05ca42a7a20426f7"]);
}

/// A database of the version before, in which a session and its families ended one after the other, with what a fault left there: a
/// session that ended without its family. It opens, nothing is lost, and what should have ended together has ended.
#[tokio::test]
async fn a_database_of_the_version_before_opens() {
    let directory = Directory::new();
    let path = directory.place.path().join("countersign.db");
    let before: Vec<_> = database::TRUTH.iter().filter(|step| step.migration().version <= 6).copied().collect();
    let old = database::writer(&path, &before).await.expect("a database of that version");
    for sql in [
        "INSERT INTO users VALUES ('u_1', 'alice', 'customer', 1789202401, 'active')",
        "INSERT INTO devices (id, key, key_jwk, name, enrolled_at, state, platform, tier, established_at, security_level) \
         VALUES ('d_1', randomblob(32), '{}', 'Pixel 11', 1789202401, 'active', 'android', 'hardware', 1789202401, 'strong_box')",
        "INSERT INTO bindings VALUES ('u_1', 'd_1', 'phishing_resistant', 1789202401, 1789171200, 'active', NULL)",
        "INSERT INTO sessions (id, user, roles, device, client, state, acr, amr, auth_time, created_at, expires_at, bound_at) VALUES \
         ('s_open', 'u_1', 'customer', 'd_1', 'com.example.bank', 'active', 'phishing_resistant', 'hwk user', 1789202401, 1789202401, 1789306000, 1789202401), \
         ('s_half', 'u_1', 'customer', 'd_1', 'com.example.bank', 'revoked', 'phishing_resistant', 'hwk user', 1789202401, 1789202401, 1789306000, 1789202401)",
        "INSERT INTO refresh_families (token, id, session, client, device, key, expires_at) VALUES \
         (x'0101010101010101010101010101010101010101010101010101010101010101', 'g_1', 's_open', 'com.example.bank', 'd_1', randomblob(32), 1789306000), \
         (x'0202020202020202020202020202020202020202020202020202020202020202', 'g_2', 's_half', 'com.example.bank', 'd_1', randomblob(32), 1789306000)",
    ] {
        run(&old, sql).await;
    }
    old.close().await;
    let truth = directory.open().await;
    let state = async |token: [u8; 32]| truth.grants.find_refresh(&TokenHash::from_bytes(token)).await.expect("an answer");
    let family = state([1; 32]).await;
    assert!(matches!(&family, Some(RefreshState::Live(family)) if family.session.as_str() == "s_open"), "{family:?}");
    assert_eq!(state([2; 32]).await, Some(RefreshState::Revoked));
    let id = |text: &str| SessionId::parse(text).expect("an id");
    let live = truth.sessions.live(&id("s_open"), NOW).await.expect("a session").into_session();
    assert_eq!((live.user.as_str(), live.device.as_str(), live.state), ("u_1", "d_1", SessionState::Active));
    assert_eq!(truth.sessions.live(&id("s_half"), NOW).await.err(), Some(LiveError::Revoked));
    assert!(truth.devices.posture(&live.device).await.is_ok());
    assert_eq!(truth.bindings.of_user(&live.user, 9).await.map(|bound| bound.len()), Ok(1));
    assert_eq!(truth.subjects.find_by_name("alice").await.map(|user| user.map(|user| user.id)), Ok(Some(live.user.clone())));
    assert_eq!(truth.sessions.end(&Whose::Person(live.user), NOW).await.map(|ended| ended.sessions.len()), Ok(1));
    assert_eq!(state([1; 32]).await, Some(RefreshState::Revoked));
}

/// A change of which the database said that it failed: the next answer is what the database has.
#[tokio::test]
async fn a_change_that_failed_is_read_again() {
    let directory = Directory::new();
    let store = filled(&directory).await;
    let (session, device) = (suite::session(1), suite::device(1));
    assert!(store.live(&session.id, NOW).await.is_ok() && store.posture(&device.posture.device).await.is_ok(), "at hand");
    run(&store.writer, "CREATE TRIGGER a BEFORE UPDATE ON sessions BEGIN SELECT RAISE(FAIL, 'as the test wants it'); END").await;
    run(&store.writer, "CREATE TRIGGER b BEFORE UPDATE ON devices BEGIN SELECT RAISE(FAIL, 'as the test wants it'); END").await;
    assert!(store.set_state(&session.id, OpenState::Limited).await.is_err());
    assert!(store.end(&Whose::Session(session.id.clone()), NOW).await.is_err());
    assert!(store.end(&Whose::Person(session.user.clone()), NOW).await.is_err());
    assert!(store.authenticated(&session.id, NOW).await.is_err());
    assert!(Devices::revoke(&*store, &device.posture.device).await.is_err());
    assert!(store.enrol(device.clone()).await.is_err());
    assert_eq!((store.sessions.get(&session.id), store.devices.get(&device.posture.device)), (None, None), "nothing is at hand");
    assert!(store.live(&session.id, NOW).await.is_ok() && store.posture(&device.posture.device).await.is_ok(), "nothing was revoked");
}

#[tokio::test]
async fn readers_cannot_write_and_rows_belong_to_rows() {
    let directory = Directory::new();
    let store = filled(&directory).await;
    let said = |refused: Result<_, sqlx::Error>| refused.map(|_: sqlx::sqlite::SqliteQueryResult| ()).expect_err("refused").to_string();
    let rows = [
        ("readers read", said(sqlx::query("DELETE FROM codes").execute(&store.readers).await), "readonly"),
        ("a session without its person", said(sqlx::query("DELETE FROM users").execute(&store.writer).await), "FOREIGN KEY"),
        ("a session of nobody", store.open(suite::session(9)).await.expect_err("refused").what, "FOREIGN KEY"),
        ("a second session of one id", store.open(suite::session(1)).await.expect_err("refused").what, "UNIQUE"),
    ];
    for (name, said, why) in rows {
        assert!(said.contains(why), "{name}: {said}");
    }
}

/// What keeps acknowledged writes through a power cut, rows whole, and freed bytes from lying about.
#[tokio::test]
async fn every_connection_is_set_up_for_safety() {
    let directory = Directory::new();
    let store = filled(&directory).await;
    for (name, pool) in [("writer", &store.writer), ("readers", &store.readers), ("subject keys", &store.subject_keys)] {
        let journal: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(pool).await.expect("a mode");
        assert_eq!(journal, "wal", "{name}");
        for (pragma, expected) in
            [("PRAGMA synchronous", 2), ("PRAGMA foreign_keys", 1), ("PRAGMA secure_delete", 1), ("PRAGMA busy_timeout", 5000)]
        {
            let value: i64 = sqlx::query_scalar(pragma).fetch_one(pool).await.expect("a number");
            assert_eq!(value, expected, "{name}: {pragma}");
        }
    }
}

/// Whether any file of the directory holds those bytes.
fn remains(directory: &Path, bytes: &[u8]) -> bool {
    let files = fs::read_dir(directory).expect("a directory").map(|entry| fs::read(entry.expect("an entry").path()).expect("a file"));
    files.into_iter().any(|file| file.windows(bytes.len()).any(|part| part == bytes))
}

#[tokio::test]
async fn nothing_remains_of_a_destroyed_key() {
    let directory = Directory::new();
    let store = directory.sqlite().await;
    let secret = |number: u16| [u8::try_from(number).expect("few"); 32];
    // A quarter of a key is already too much.
    let remains = |number: u16| remains(directory.place.path(), &secret(number)[..8]);
    for number in 0xa0..0xb0 {
        assert!(store.key(&suite::user(number).id, Secret::new(secret(number))).await.is_ok());
        assert!(remains(number), "it is kept");
    }
    // In the middle of a page, where freed bytes are not overwritten by themselves.
    for number in [0xa5, 0xa7, 0xad] {
        store.destroy(&suite::user(number).id).await.expect("destroyed");
        assert!(!remains(number), "destroyed, with the database open");
    }
    directory.sqlite().await;
    for number in 0xa0..0xb0 {
        assert_eq!(remains(number), ![0xa5, 0xa7, 0xad].contains(&number), "after a restart");
    }
}

/// The process may be killed between the destruction and the wiping of the log.
#[tokio::test]
async fn a_log_that_was_left_behind_is_wiped_at_the_start() {
    let (before, after) = (Directory::new(), Directory::new());
    let store = before.sqlite().await;
    let user = suite::user(1).id;
    assert!(store.key(&user, Secret::new([0xa5; 32])).await.is_ok());
    run(&store.subject_keys, "UPDATE subject_keys SET secret = NULL").await;
    for entry in fs::read_dir(before.place.path()).expect("a directory").flatten() {
        fs::copy(entry.path(), after.place.path().join(entry.file_name())).expect("a copy");
    }
    assert!(remains(after.place.path(), &[0xa5; 32]), "as a kill would leave it");
    let store = after.sqlite().await;
    assert!(!remains(after.place.path(), &[0xa5; 32]));
    assert_eq!(SubjectKeys::find(&*store, &user).await, Ok(None));
}

/// A reader in the way of the wiping is an error, not a success without effect.
#[tokio::test]
async fn a_destruction_that_cannot_be_completed_is_not_acknowledged() {
    let directory = Directory::new();
    let store = directory.sqlite().await;
    let user = suite::user(1).id;
    assert!(store.key(&user, Secret::new([1; 32])).await.is_ok());
    let path = directory.place.path().join("subject-keys.db");
    let other = SqlitePool::connect_with(sqlx::sqlite::SqliteConnectOptions::new().filename(&path)).await.expect("a second process");
    let mut reading = other.begin().await.expect("a transaction");
    sqlx::query("SELECT * FROM subject_keys").fetch_all(&mut *reading).await.expect("a snapshot");
    run(&store.subject_keys, "PRAGMA busy_timeout = 0").await;
    let refused = store.destroy(&user).await.expect_err("somebody still reads the key");
    assert!(refused.what.contains("somebody else reads"), "{refused}");
    reading.rollback().await.expect("an end");
    assert_eq!(store.destroy(&user).await, Ok(()));
}

#[tokio::test]
async fn files_are_private_whoever_made_them() {
    let directory = Directory::new();
    fs::write(directory.place.path().join("countersign.db"), []).expect("a file");
    fs::set_permissions(directory.place.path().join("countersign.db"), fs::Permissions::from_mode(0o644)).expect("a mode");
    let _store = filled(&directory).await;
    let mut names = Vec::new();
    for entry in fs::read_dir(directory.place.path()).expect("a directory").flatten() {
        let mode = entry.metadata().expect("its mode").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
        names.push(entry.file_name().into_string().expect("text"));
    }
    assert!(names.contains(&"countersign.db-wal".to_owned()), "{names:?}");
}

#[tokio::test]
async fn what_this_version_does_not_know_is_refused() {
    let newer = |table: &'static str| async move {
        let directory = Directory::new();
        let store = filled(&directory).await;
        let pool = if table == "countersign.db" { &store.writer } else { &store.subject_keys };
        run(
            pool,
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', 1, x'00', 0)",
        )
        .await;
        store.close().await;
        Sqlite::open(directory.place.path()).await.err().expect("refused").to_string()
    };
    for file in ["countersign.db", "subject-keys.db"] {
        let said = newer(file).await;
        assert!(
            said.contains(file) && said.contains("9999") && said.contains("a newer version of this program wrote it; use that version"),
            "{said}"
        );
    }
    let directory = Directory::new();
    fs::write(directory.place.path().join("countersign.db"), "this is no database, but a text of some length").expect("a file");
    let said = Sqlite::open(directory.place.path()).await.err().expect("refused").to_string();
    assert!(said.contains("countersign.db") && said.contains("it is not a database") && !said.contains("newer"), "{said}");
    let nowhere = directory.place.path().join("nowhere");
    let refused = Sqlite::open(&nowhere).await.err().expect("refused");
    assert!(matches!(refused.why(), OpenFault::Io(_)), "{refused}");
}

/// Everything that a sign-in asks of the stores, with each call failing once, before and after its effect.
#[tokio::test]
async fn a_call_that_fails_took_effect_or_not_and_those_after_it_were_never_made() {
    let directory = Directory::new();
    let truth = directory.open().await;
    let mut number = 0;
    for lost in [Lost::Answer, Lost::Call] {
        for nth in 0.. {
            number += 1;
            truth.settle(number).await;
            let faults = Faults::at(nth, lost);
            let signed_in = sign_in(&truth.failing(&faults), number).await;
            assert_eq!(signed_in.is_err(), faults.happened(), "call {nth}, lost: {lost:?}");
            let effects = nth + usize::from(lost == Lost::Answer);
            let found = truth.sessions.find(&suite::session(number).id).await.expect("an answer");
            assert_eq!(found.is_some(), effects > 1, "call {nth}, lost: {lost:?}");
            let again = truth.grants.redeem(&suite::code(number).0, suite::family(number)).await;
            let spent_or_never_made = effects > 2 || effects == 0;
            assert_eq!(again == Err(RedeemError::AlreadyExchanged), spent_or_never_made, "call {nth}, lost: {lost:?}");
            if !faults.happened() {
                assert_eq!(nth, 4, "as many calls as a sign-in makes");
                break;
            }
        }
    }
}

/// Four calls.
async fn sign_in(truth: &Truth, number: u16) -> Result<(), String> {
    let (name, grant) = suite::code(number);
    truth.grants.issue_code(name, grant).await.map_err(|why| why.to_string())?;
    truth.sessions.open(suite::session(number)).await.map_err(|why| why.to_string())?;
    truth.grants.redeem(&name, suite::family(number)).await.map_err(|why| format!("{why:?}"))?;
    truth.sessions.live(&suite::session(number).id, NOW).await.map(drop).map_err(|why| format!("{why:?}"))
}

/// Issue 11, section 7: every fault of the database says what it is, and not that a newer version wrote it.
#[tokio::test]
async fn a_database_that_does_not_open_says_what_it_is() {
    async fn opened(spoil: impl AsyncFnOnce(&Directory)) -> OpenError {
        let directory = Directory::new();
        filled(&directory).await.close().await;
        spoil(&directory).await;
        Sqlite::open(directory.place.path()).await.err().expect("refused")
    }
    let file = |directory: &Directory| directory.place.path().join("countersign.db");
    let of = |refused: OpenError| match refused.why() {
        OpenFault::Database { fault, .. } => *fault,
        OpenFault::Io(_) => panic!("{refused}"),
    };
    let overwritten = opened(async |directory: &Directory| {
        // The pages, but not the header: SQLite finds out when it reads them.
        let mut bytes = fs::read(file(directory)).expect("a file");
        bytes.iter_mut().skip(100).for_each(|byte| *byte = 0xa5);
        fs::write(file(directory), bytes).expect("written");
    });
    assert_eq!(of(overwritten.await), DatabaseFault::Damaged);
    let another = opened(async |directory: &Directory| fs::write(file(directory), "0".repeat(8192)).expect("written"));
    assert_eq!(of(another.await), DatabaseFault::NoDatabase);
    let changed = opened(async |directory: &Directory| {
        let pool = SqlitePoolOptions::new().connect_with(SqliteConnectOptions::new().filename(file(directory))).await.expect("a pool");
        run(&pool, "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 1").await;
        pool.close().await;
    });
    assert_eq!(of(changed.await), DatabaseFault::Other);
    let told: std::collections::BTreeSet<_> = DatabaseFault::ALL.iter().map(|fault| fault.told()).collect();
    assert_eq!(told.len(), DatabaseFault::ALL.len(), "each has words of its own");
}
