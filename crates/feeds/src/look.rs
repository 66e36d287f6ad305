//! One look at a source: ask, read, compare, take or keep; and the way back.

use std::{path::PathBuf, sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use async_trait::async_trait;
use countersign_codec::calendar::read_imf_fixdate;
use countersign_compliance::{FeedKind, FeedOutcome, FeedRefusal, Summary, judge_offer};
use countersign_core::{Clock, Entropy, Limits, OperatorName, Seconds, UnixSeconds};
use countersign_outbound::{CallError, Caller, Patience};
use http::{StatusCode, header};
use metrics::{counter, gauge};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    content::{self, Content, Held},
    feed_cache::{FeedCache, State, Version},
    pace::next_look,
};

/// How often ages are told.
const AGES_EVERY: Duration = Duration::from_secs(15);

/// User of fetched data.
#[async_trait]
pub trait TakesFeeds: Send + Sync {
    /// Reads the feed from its shelf, records that, and uses it: as an operator asked, or by the schedule.
    ///
    /// # Errors
    /// The reason why the data is not used; the data that was in use stays.
    async fn take(&self, kind: FeedKind, sha256: &str, by: Option<&OperatorName>) -> Result<(), String>;
}

/// Outcome of a look. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// The held version is the newest.
    Kept,
    /// The source had a newer version, and it is in use.
    Taken,
}

/// Reason why a look changed nothing. Alphabetical.
#[derive(Debug)]
pub enum LookFault {
    /// The source gave no answer.
    Call(CallError),
    /// The content is not what the kind of feed asks for.
    Malformed(String),
    /// The version could not be taken into use.
    NotUsed(String),
    /// The source answered with a status other than success.
    Status(StatusCode),
    /// The offered version is worse than the held one.
    Worse(FeedRefusal),
}

impl LookFault {
    /// Stable code of the fault, for metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Call(CallError::AddressRefused(_) | CallError::Broken(_) | CallError::TrustMissing) => "unreachable",
            Self::Call(CallError::TooLarge) => "too_large",
            Self::Call(CallError::TooSlow) => "too_slow",
            Self::Malformed(_) => "malformed",
            Self::NotUsed(_) => "not_used",
            Self::Status(_) => "status",
            Self::Worse(why) => why.code(),
        }
    }
}

impl std::fmt::Display for LookFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Call(why) => why.fmt(f),
            Self::Malformed(why) => write!(f, "the content is invalid: {why}"),
            Self::NotUsed(why) => write!(f, "it could not be used: {why}"),
            Self::Status(status) => write!(f, "its source answered with status {status}"),
            Self::Worse(why) => why.fmt(f),
        }
    }
}

/// Reason why nothing is rolled back. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RollBackRefusal {
    /// No fetched version is in use.
    Nothing,
    /// The version before could not be taken into use.
    NotUsed(String),
    /// No feed of this kind is configured.
    Unknown,
}

/// Feed as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedRow {
    /// Kind of the feed.
    pub kind: FeedKind,
    /// Address of the source.
    pub url: String,
    /// Version in use; `None` when the shipped data or the operator's file is used.
    pub version: Option<String>,
    /// Number of entries in the version in use.
    pub entries: Option<usize>,
    /// Instant at which the source last confirmed that the version is the newest.
    pub confirmed_at: Option<UnixSeconds>,
    /// Version before the one in use; `None` when there is none.
    pub previous: Option<String>,
    /// Outcome of the last look: `taken`, `kept`, or the code of a fault; `None` before the first look.
    pub last: Option<&'static str>,
}

/// Source of data that is fetched while the node runs.
#[derive(Clone, Debug)]
pub struct FeedSource {
    /// Kind of the data.
    pub kind: FeedKind,
    /// Address of the source.
    pub url: Url,
    /// Time between two looks.
    pub every: Seconds,
    /// Age from which on the log warns.
    pub warn_after: Seconds,
}

/// Settings of an operator for fetched data.
#[derive(Clone, Debug)]
pub struct FeedSettings {
    /// Sources that are asked.
    pub sources: Vec<FeedSource>,
    /// Data directory, below which versions are kept.
    pub data: PathBuf,
    /// Operator's own revocation list, which counts until one is fetched.
    pub status_list: Option<PathBuf>,
}

struct Feed {
    source: FeedSource,
    cache: FeedCache,
    /// Lock that is held during a look and a roll-back: one at a time.
    turn: Mutex<()>,
    /// Outcome of the last look.
    last: ArcSwapOption<&'static str>,
}

/// All feeds of a node.
pub struct Feeds {
    feeds: Vec<Feed>,
    data: PathBuf,
    status_list: Option<PathBuf>,
    caller: Caller,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    taker: Arc<dyn TakesFeeds>,
    since: UnixSeconds,
    pub(super) wait_max: Duration,
}

impl Feeds {
    /// Prepares to fetch by these settings; nothing is asked before [`Feeds::keep`] or [`Feeds::look`].
    #[must_use]
    pub fn new(
        settings: FeedSettings,
        caller: Caller,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        taker: Arc<dyn TakesFeeds>,
    ) -> Self {
        let FeedSettings { sources, data, status_list } = settings;
        let feed = |source: FeedSource| Feed {
            cache: FeedCache::of(&data, source.kind),
            source,
            turn: Mutex::default(),
            last: ArcSwapOption::empty(),
        };
        Self {
            feeds: sources.into_iter().map(feed).collect(),
            data,
            status_list,
            caller,
            since: clock.now().seconds(),
            clock,
            entropy,
            taker,
            wait_max: Duration::from_secs(Limits::FEED_WAIT_MAX.0),
        }
    }

    /// Lists all feeds as they stand.
    pub fn rows(&self) -> Vec<FeedRow> {
        let mut rows = Vec::new();
        for feed in &self.feeds {
            let held = content::held(&self.data, feed.source.kind);
            let versions = feed.cache.state().versions;
            let at = held.as_ref().and_then(|held| versions.iter().position(|version| version.name == held.version.name));
            rows.push(FeedRow {
                kind: feed.source.kind,
                url: feed.source.url.to_string(),
                previous: at.and_then(|at| versions.get(at.saturating_add(1))).map(|version| version.name.clone()),
                entries: held.as_ref().map(|held| held.summary.entries),
                confirmed_at: held.as_ref().map(|held| held.version.confirmed_at),
                version: held.map(|held| held.version.name),
                last: feed.last.load().as_deref().copied(),
            });
        }
        rows
    }

    /// Looks at every source on its schedule, until the node ends.
    pub async fn keep(self: Arc<Self>, shutdown: CancellationToken) {
        let mut tasks = tokio::task::JoinSet::new();
        for feed in self.feeds.iter().map(|feed| feed.source.kind) {
            tasks.spawn(Arc::clone(&self).keep_one(feed, shutdown.clone()));
        }
        while tasks.join_next().await.is_some() {}
    }

    async fn keep_one(self: Arc<Self>, kind: FeedKind, shutdown: CancellationToken) {
        let Some(feed) = self.feed(kind) else { return };
        let (mut failures, mut ages) = (0_u32, tokio::time::interval(AGES_EVERY));
        let mut due = tokio::time::Instant::now() + self.first_wait(feed);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ages.tick() => {
                    gauge!("countersign_feed_age_seconds", "feed" => kind.as_str()).set(figure(self.age(kind)));
                    // Dated by a clock that was wrong, so that nobody knows how old it is: asked for at once.
                    if failures == 0 && self.age(kind) == u64::MAX {
                        due = tokio::time::Instant::now();
                    }
                }
                () = tokio::time::sleep_until(due) => {
                    failures = if self.look(kind).await.is_ok() { 0 } else { failures.saturating_add(1) };
                    due = tokio::time::Instant::now() + next_look(feed.source.every, failures, self.chance());
                }
            }
        }
    }

    /// Computes the wait before the first look: a version that was confirmed recently is not asked for again because of a restart.
    fn first_wait(&self, feed: &Feed) -> Duration {
        let held = content::held(&self.data, feed.source.kind);
        mend(feed, held.as_ref());
        let age = held.map(|held| self.clock.now().seconds().age_of(held.version.confirmed_at, Limits::LIST_AHEAD_MAX).0);
        let planned = next_look(feed.source.every, 0, self.chance());
        age.map_or(Duration::ZERO, |age| planned.saturating_sub(Duration::from_secs(age)))
    }

    fn chance(&self) -> u16 {
        let mut bytes = [0; 2];
        self.entropy.fill(&mut bytes);
        u16::from_le_bytes(bytes)
    }

    /// Counts the seconds since the source confirmed the version in use; since the start of the node, where it never did. What was
    /// confirmed in the future, by a clock that was wrong, is older than anything.
    fn age(&self, kind: FeedKind) -> u64 {
        let from = self.feed(kind).and_then(|feed| feed.cache.state().versions.first().map(|version| version.confirmed_at));
        from.map_or_else(
            || self.clock.now().seconds().since(self.since).0,
            |at| self.clock.now().seconds().age_of(at, Limits::LIST_AHEAD_MAX).0,
        )
    }

    fn feed(&self, kind: FeedKind) -> Option<&Feed> {
        self.feeds.iter().find(|feed| feed.source.kind == kind)
    }

    /// Looks at a source now; an unknown kind counts as unchanged.
    ///
    /// # Errors
    /// The reason why nothing changed.
    pub async fn look(&self, kind: FeedKind) -> Result<Look, LookFault> {
        let Some(feed) = self.feed(kind) else { return Ok(Look::Kept) };
        let _turn = feed.turn.lock().await;
        let looked = self.look_at(feed).await;
        let name = kind.as_str();
        let last = match &looked {
            Ok(Look::Kept) => "kept",
            Ok(Look::Taken) => {
                counter!("countersign_feed_taken_total", "feed" => name).increment(1);
                "taken"
            }
            Err(why) => {
                counter!("countersign_feed_refused_total", "feed" => name, "why" => why.code()).increment(1);
                tracing::warn!(feed = name, %why, "the download was rejected; the current version stays in use");
                why.code()
            }
        };
        feed.last.store(Some(Arc::new(last)));
        let age = self.age(kind);
        if age > feed.source.warn_after.0 {
            tracing::warn!(feed = name, age_seconds = age, "the feed is out of date; check its source and `countersign feed list`");
        }
        looked
    }

    async fn look_at(&self, feed: &Feed) -> Result<Look, LookFault> {
        let kind = feed.source.kind;
        let held = content::held(&self.data, kind);
        let etag = held.as_ref().and_then(|held| held.version.etag.clone());
        let headers: Vec<_> = etag.iter().map(|etag| (header::IF_NONE_MATCH, etag.as_str())).collect();
        let patience = Patience { bytes_max: content::bytes_max(kind), wait_max: self.wait_max };
        let answer = self.caller.get(&feed.source.url, &headers, patience).await.map_err(LookFault::Call)?;
        let now = self.clock.now().seconds();
        match (answer.status, &held) {
            (StatusCode::NOT_MODIFIED, Some(held)) if etag.is_some() => return self.confirm(feed, held, now).await,
            (StatusCode::OK, _) => {}
            (status, _) => return Err(LookFault::Status(status)),
        }
        let text = |name: header::HeaderName| answer.headers.get(name).and_then(|value| value.to_str().ok());
        let issued_at = text(header::LAST_MODIFIED).and_then(read_imf_fixdate).map(UnixSeconds);
        let offered = Content::parse(kind, &answer.body, now).map_err(LookFault::Malformed)?.summary(&answer.body, issued_at);
        let state = feed.cache.state();
        let beside = held.as_ref().map(|held| held.summary).or_else(|| self.without(kind));
        match (judge_offer(kind, beside.as_ref(), &state.rolled_back, &offered), &held) {
            (FeedOutcome::Refuse(why), _) => Err(LookFault::Worse(why)),
            (FeedOutcome::Keep, Some(held)) => self.confirm(feed, held, now).await,
            // The shipped data is offered: it is taken all the same, so that it has an age.
            (FeedOutcome::Keep | FeedOutcome::Take, _) => {
                let etag = text(header::ETAG).filter(|etag| etag.len() <= Limits::FEED_ETAG_BYTES_MAX).map(str::to_owned);
                let digest = hex::encode(offered.digest);
                let name = format!("{now}-{}", digest.get(..12).unwrap_or_default());
                feed.cache.write(&name, &answer.body).map_err(|why| LookFault::NotUsed(why.to_string()))?;
                let version = Version { name, digest: offered.digest, taken_at: now, confirmed_at: now, issued_at, etag };
                let before = held.map(|held| held.version);
                let new =
                    State { versions: [Some(version), before].into_iter().flatten().collect(), rolled_back: state.rolled_back.clone() };
                self.change(feed, &state, &new, None).await.map_err(LookFault::NotUsed)?;
                feed.cache.tidy(&new);
                Ok(Look::Taken)
            }
        }
    }

    /// Notes that the held version is as fresh as this look.
    async fn confirm(&self, feed: &Feed, held: &Held, now: UnixSeconds) -> Result<Look, LookFault> {
        let state = feed.cache.state();
        let mut new = state.clone();
        for version in new.versions.iter_mut().filter(|version| version.name == held.version.name) {
            version.confirmed_at = now;
        }
        match feed.source.kind {
            // The age of the list decides whether it may be used, so the list is taken again with its new age.
            FeedKind::StatusList => {
                self.change(feed, &state, &new, None).await.map_err(LookFault::NotUsed)?;
            }
            FeedKind::AndroidAnchors | FeedKind::AppAttestAnchors | FeedKind::BootKeys | FeedKind::ReceiptAnchors => {
                feed.cache.set(&new).map_err(|why| LookFault::NotUsed(why.to_string()))?;
            }
        }
        Ok(Look::Kept)
    }

    /// Measures the data that counts when nothing was fetched.
    fn without(&self, kind: FeedKind) -> Option<Summary> {
        let Some(file) = self.status_list.as_ref().filter(|_| kind == FeedKind::StatusList) else { return content::shipped(kind) };
        let bytes = std::fs::read(file).ok()?;
        Content::parse(kind, &bytes, self.since).ok().map(|content| content.summary(&bytes, None))
    }

    /// Takes a state into use, or leaves everything as it was.
    async fn change(&self, feed: &Feed, old: &State, new: &State, by: Option<&OperatorName>) -> Result<(), String> {
        let digest = new.versions.first().map(|version| hex::encode(version.digest)).unwrap_or_default();
        feed.cache.set(new).map_err(|why| why.to_string())?;
        let taken = self.taker.take(feed.source.kind, &digest, by).await;
        if taken.is_err()
            && let Err(why) = feed.cache.set(old)
        {
            tracing::error!(feed = feed.source.kind.as_str(), %why, "the previous state could not be restored");
        }
        taken
    }

    /// Goes back to the version before the one in use, or to the shipped data. The version that was in use is not taken again.
    ///
    /// # Errors
    /// The reason why nothing was rolled back.
    pub async fn roll_back(&self, kind: FeedKind, by: &OperatorName) -> Result<(), RollBackRefusal> {
        let feed = self.feed(kind).ok_or(RollBackRefusal::Unknown)?;
        let _turn = feed.turn.lock().await;
        let held = content::held(&self.data, kind).ok_or(RollBackRefusal::Nothing)?;
        let state = feed.cache.state();
        let older = state.versions.iter().skip_while(|version| version.name != held.version.name).skip(1).cloned().collect();
        let rolled_back = std::iter::once(held.version.digest).chain(state.rolled_back.iter().copied()).collect();
        let new = State { versions: older, rolled_back };
        self.change(feed, &state, &new, Some(by)).await.map_err(RollBackRefusal::NotUsed)?;
        feed.cache.tidy(&new);
        counter!("countersign_feed_rolled_back_total", "feed" => kind.as_str()).increment(1);
        Ok(())
    }
}

/// Drops the versions whose files turned out to be broken from the state.
fn mend(feed: &Feed, held: Option<&Held>) {
    let state = feed.cache.state();
    let whole = |version: &Version| held.is_some_and(|held| held.version.name == version.name);
    let versions: Vec<_> = state.versions.iter().skip_while(|version| !whole(version)).cloned().collect();
    if versions.len() < state.versions.len()
        && let Err(why) = feed.cache.set(&State { versions, rolled_back: state.rolled_back })
    {
        tracing::warn!(feed = feed.source.kind.as_str(), %why, "damaged versions could not be deleted");
    }
}

/// Converts seconds for a metric; more than a century is all the same to it.
fn figure(seconds: u64) -> f64 {
    f64::from(u32::try_from(seconds).unwrap_or(u32::MAX))
}
