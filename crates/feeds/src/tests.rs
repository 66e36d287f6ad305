//! Against a server of our own, which serves what is good, worse, broken, slow and huge.

use std::{
    fs,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
    routing::get,
};
use countersign_compliance::FeedKind;
use countersign_core::{Clock, Entropy, OperatorName, Seconds, UnixMillis};
use countersign_outbound::Caller;
use tempfile::TempDir;

use crate::{FeedSettings, FeedSource, Feeds, Look, RollBackRefusal, TakesFeeds, content};

const KIND: FeedKind = FeedKind::StatusList;

#[derive(Clone, Default)]
struct Page {
    status: u16,
    body: Vec<u8>,
    etag: &'static str,
    changed: &'static str,
    /// The answer never comes.
    slow: bool,
}

#[derive(Default)]
struct Vendor {
    page: Mutex<Page>,
    asked: AtomicUsize,
    matched: AtomicUsize,
}

async fn serve(State(vendor): State<Arc<Vendor>>, headers: HeaderMap) -> Response {
    let page = vendor.page.lock().expect("a page").clone();
    vendor.asked.fetch_add(1, Ordering::SeqCst);
    if page.slow {
        std::future::pending::<()>().await;
    }
    let mut answer = Response::builder();
    if !page.etag.is_empty() {
        answer = answer.header("etag", page.etag);
        if headers.get("if-none-match").is_some_and(|etag| etag == page.etag) {
            vendor.matched.fetch_add(1, Ordering::SeqCst);
            return answer.status(StatusCode::NOT_MODIFIED).body(Body::empty()).expect("an answer");
        }
    }
    if !page.changed.is_empty() {
        answer = answer.header("last-modified", page.changed);
    }
    answer.status(page.status).body(Body::from(page.body)).expect("an answer")
}

struct Hands(AtomicU64);

impl Clock for Hands {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::SeqCst) * 1000)
    }
}

/// The same bytes always: no look is spread by chance here.
struct Even;

impl Entropy for Even {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0x5a);
    }
}

/// A day between looks, from `url`, into `data` below `home`.
fn settings(kind: FeedKind, url: &str, home: &Path) -> FeedSettings {
    let source = FeedSource { kind, url: url.parse().expect("a URL"), every: Seconds(86_400), warn_after: Seconds(3 * 86_400) };
    FeedSettings { sources: vec![source], data: home.join("data"), status_list: None }
}

/// Counts what it is told to take, and refuses when it is told to.
#[derive(Default)]
struct Taker {
    taken: AtomicUsize,
    refuses: AtomicBool,
}

#[async_trait]
impl TakesFeeds for Taker {
    async fn take(&self, _: FeedKind, _: &str, _: Option<&OperatorName>) -> Result<(), String> {
        if self.refuses.load(Ordering::SeqCst) {
            return Err("the log does not answer".to_owned());
        }
        self.taken.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

struct World {
    home: TempDir,
    vendor: Arc<Vendor>,
    clock: Arc<Hands>,
    taker: Arc<Taker>,
    feeds: Feeds,
}

fn operator() -> OperatorName {
    OperatorName::parse("alice").expect("a name")
}

const NEVER: &str = "http://127.0.0.1:9/";

async fn world(kind: FeedKind) -> World {
    let vendor = Arc::new(Vendor::default());
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let origin = format!("http://{}/data?v=1", listener.local_addr().expect("an address"));
    let routes = Router::new().route("/data", get(serve)).with_state(Arc::clone(&vendor));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let home = tempfile::tempdir().expect("a directory");
    let (clock, taker) = (Arc::new(Hands(1_000_000.into())), Arc::new(Taker::default()));
    let (settings, hands) = (settings(kind, &origin, home.path()), Arc::clone(&clock));
    let mut feeds = Feeds::new(settings, Caller::new(None), hands, Arc::new(Even), Arc::clone(&taker) as _);
    feeds.wait_max = Duration::from_millis(500);
    World { home, vendor, clock, taker, feeds }
}

impl World {
    fn data(&self) -> std::path::PathBuf {
        self.home.path().join("data")
    }

    fn serves(&self, page: Page) {
        *self.vendor.page.lock().expect("a page") = page;
    }

    async fn look(&self, kind: FeedKind) -> &'static str {
        match self.feeds.look(kind).await {
            Ok(Look::Kept) => "kept",
            Ok(Look::Taken) => "taken",
            Err(why) => why.code(),
        }
    }

    fn entries(&self, kind: FeedKind) -> Option<usize> {
        content::held(&self.data(), kind).map(|held| held.summary.entries)
    }
}

fn list(count: usize) -> Page {
    let entries: Vec<_> = (0..count).map(|at| format!(r#""{at:x}":{{"status":"REVOKED"}}"#)).collect();
    Page { status: 200, body: format!(r#"{{"entries":{{{}}}}}"#, entries.join(",")).into_bytes(), ..Page::default() }
}

fn keys(version: u64, byte: &str) -> Page {
    let body = format!(
        r#"{{"version":{version},"keys":[{}]}}"#,
        (10..26).map(|at| { format!(r#"{{"system":"GrapheneOS","key":"{}{at}"}}"#, byte.repeat(31)) }).collect::<Vec<_>>().join(",")
    );
    Page { status: 200, body: body.into_bytes(), ..Page::default() }
}

const MONDAY: &str = "Mon, 28 Feb 2000 23:59:59 GMT";
const SUNDAY: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

#[tokio::test]
async fn only_what_is_better_is_taken() {
    let rows: &[(&str, Page, &str, usize)] = &[
        ("the same", Page { changed: MONDAY, ..list(8) }, "kept", 8),
        ("a longer one", list(9), "taken", 9),
        ("a little shorter", list(6), "taken", 6),
        ("much shorter", list(5), "shrunk", 8),
        ("an empty one", list(0), "empty", 8),
        ("one from before", Page { changed: SUNDAY, ..list(9) }, "issued_earlier", 8),
        ("half of one", Page { body: b"{\"entries\":{".to_vec(), ..list(9) }, "malformed", 8),
        ("a page of a captive portal", Page { body: b"<html>Welcome</html>".to_vec(), ..list(9) }, "malformed", 8),
        ("no text", Page { body: vec![0xff; 9], ..list(9) }, "malformed", 8),
        ("nothing", Page { body: Vec::new(), ..list(9) }, "malformed", 8),
        ("an error with a good list", Page { status: 500, ..list(9) }, "status", 8),
        ("a way elsewhere", Page { status: 302, ..list(9) }, "status", 8),
        ("no change, unasked", Page { status: 304, ..list(9) }, "status", 8),
        ("an answer that does not come", Page { slow: true, ..list(9) }, "too_slow", 8),
    ];
    for (name, page, expected, entries) in rows {
        let world = world(KIND).await;
        world.serves(Page { changed: MONDAY, ..list(8) });
        assert_eq!(world.look(KIND).await, "taken", "{name}");
        world.serves(page.clone());
        assert_eq!(world.look(KIND).await, *expected, "{name}");
        assert_eq!(world.entries(KIND), Some(*entries), "{name}");
        assert_eq!(world.feeds.rows()[0].last, Some(*expected), "{name}");
    }
}

#[tokio::test]
async fn without_an_answer_everything_stays() {
    let world = world(FeedKind::BootKeys).await;
    world.serves(Page { body: vec![b' '; 1024 * 1024 + 1], ..keys(2, "ab") });
    assert_eq!(world.look(FeedKind::BootKeys).await, "too_large");
    let (settings, hands) = (settings(FeedKind::BootKeys, NEVER, world.home.path()), Arc::clone(&world.clock));
    let feeds = Feeds::new(settings, Caller::new(None), hands, Arc::new(Even), Arc::clone(&world.taker) as _);
    assert_eq!(feeds.look(FeedKind::BootKeys).await.map_err(|why| why.code()), Err("unreachable"));
    assert_eq!((world.entries(FeedKind::BootKeys), world.taker.taken.load(Ordering::SeqCst)), (None, 0));
}

#[tokio::test]
async fn what_is_shipped_has_a_version_too() {
    let rows = [
        ("an older one", keys(0, "ab"), "version_lower"),
        ("another of that version", keys(1, "ab"), "version_reused"),
        ("a newer one", keys(2, "ab"), "taken"),
    ];
    for (name, page, expected) in rows {
        let world = world(FeedKind::BootKeys).await;
        world.serves(page);
        assert_eq!(world.look(FeedKind::BootKeys).await, expected, "{name}");
    }
}

#[tokio::test]
async fn what_did_not_change_is_young_again() {
    let world = world(KIND).await;
    world.serves(Page { etag: "\"a\"", ..list(8) });
    assert_eq!(world.look(KIND).await, "taken");
    world.clock.0.store(1_000_600, Ordering::SeqCst);
    assert_eq!(world.look(KIND).await, "kept");
    let row = world.feeds.rows().remove(0);
    assert_eq!((row.confirmed_at.map(|at| at.0), world.vendor.matched.load(Ordering::SeqCst)), (Some(1_000_600), 1));
    assert_eq!(world.taker.taken.load(Ordering::SeqCst), 2, "its age decides, so it is read again");
    let content::Content::StatusList(read) = content::held(&world.data(), KIND).expect("held").content else { panic!("no list") };
    assert_eq!(read.fetched_at().0, 1_000_600);
    world.clock.0.store(1_001_200, Ordering::SeqCst);
    world.serves(Page { status: 500, etag: "\"b\"", ..list(8) });
    assert_eq!((world.look(KIND).await, world.feeds.rows()[0].confirmed_at.map(|at| at.0)), ("status", Some(1_000_600)), "it ages");
}

#[tokio::test]
async fn what_cannot_be_used_is_put_back() {
    let world = world(KIND).await;
    world.serves(list(8));
    assert_eq!(world.look(KIND).await, "taken");
    world.taker.refuses.store(true, Ordering::SeqCst);
    world.serves(list(9));
    assert_eq!((world.look(KIND).await, world.entries(KIND)), ("not_used", Some(8)));
    assert!(matches!(world.feeds.roll_back(KIND, &operator()).await, Err(RollBackRefusal::NotUsed(_))));
    assert_eq!(world.entries(KIND), Some(8));
    world.taker.refuses.store(false, Ordering::SeqCst);
    assert_eq!((world.look(KIND).await, world.entries(KIND)), ("taken", Some(9)));
}

#[tokio::test]
async fn what_was_rolled_back_is_not_taken_again() {
    let world = world(KIND).await;
    assert_eq!(world.feeds.roll_back(KIND, &operator()).await, Err(RollBackRefusal::Nothing));
    assert_eq!(world.feeds.roll_back(FeedKind::BootKeys, &operator()).await, Err(RollBackRefusal::Unknown));
    for (count, second) in [(8, 1_000_100), (9, 1_000_200)] {
        world.clock.0.store(second, Ordering::SeqCst);
        world.serves(list(count));
        assert_eq!(world.look(KIND).await, "taken");
    }
    assert_eq!(world.feeds.roll_back(KIND, &operator()).await, Ok(()));
    let row = world.feeds.rows().remove(0);
    assert_eq!((row.entries, row.confirmed_at.map(|at| at.0), row.previous), (Some(8), Some(1_000_100), None));
    assert_eq!((world.look(KIND).await, world.entries(KIND)), ("rolled_back", Some(8)));
    assert_eq!((world.feeds.roll_back(KIND, &operator()).await, world.entries(KIND)), (Ok(()), None), "what is shipped");
    for count in [8, 9] {
        world.serves(list(count));
        assert_eq!(world.look(KIND).await, "rolled_back", "{count}");
    }
    world.serves(list(10));
    assert_eq!((world.look(KIND).await, world.entries(KIND)), ("taken", Some(10)));
}

#[tokio::test]
async fn a_broken_file_gives_way_to_the_one_before() {
    let world = world(KIND).await;
    for count in [8, 9] {
        world.serves(list(count));
        assert_eq!(world.look(KIND).await, "taken");
    }
    let spoil = |data: &Path, name: &str| fs::write(data.join("feeds/status_list").join(name), b"{\"entries\":{}}").expect("written");
    let row = world.feeds.rows().remove(0);
    spoil(&world.data(), &row.version.expect("a version"));
    assert_eq!(world.entries(KIND), Some(8));
    spoil(&world.data(), &row.previous.expect("one before"));
    assert_eq!(world.entries(KIND), None);
    assert_eq!((world.look(KIND).await, world.entries(KIND)), ("taken", Some(9)), "fetched again");
}
