//! Shared signals on the wire: the doors for events of others, and the way of ours to them.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use countersign_core::{Clock, Entropy, Limits, ProofId, Secret, SessionId, UnixSeconds, UserId};
use countersign_outbound::Caller;
use countersign_proof::set::{SET_TYPE, SetSigningKey, SetToSign};
use countersign_store::{SharedSignals, Subjects, Unavailable, WaitingSet};
use http::{HeaderMap, StatusCode, header};
use metrics::counter;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::ssf::{
    bearer,
    event::{Event, Initiator},
    outbox::{Outbox, PollAsk},
    receive::{Answer, Receiver},
};

/// Times to wait after each failure of a push in a row; the last one counts from then on. No event is given up: it waits in the outbox.
const WAITS: [Duration; 5] =
    [Duration::from_secs(2), Duration::from_secs(8), Duration::from_secs(30), Duration::from_secs(90), Duration::from_secs(300)];

/// Time after which an outbox is looked at although no event came.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Event type of a closed account (RISC 1.0 section 2.3).
const ACCOUNT_DISABLED: &str = "https://schemas.openid.net/secevent/risc/event-type/account-disabled";

/// News that receivers of our events are told. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// An account was closed.
    AccountDisabled(UserId),
    /// A session was ended, for a reason that concerns others too.
    SessionRevoked(SessionEnded),
}

/// End of a session, as others are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionEnded {
    /// Person whose session it was.
    pub user: UserId,
    /// Session that has ended.
    pub session: SessionId,
    /// Initiator of the end.
    pub by: Initiator,
    /// Reason for administrators, in English.
    pub reason: String,
    /// Time of the end.
    pub at: UnixSeconds,
}

/// Sender of news to all receivers of our events. Sending never waits.
#[derive(Clone, Debug)]
pub struct Others(mpsc::Sender<News>);

impl Others {
    /// Makes a sender and the queue from which [`transmit`] takes the news.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<News>) {
        let (sender, news) = mpsc::channel(Limits::SIGNALS_WAITING_MAX);
        (Self(sender), news)
    }

    /// Puts a piece of news into the queue; a full queue drops it, and the metric counts that.
    pub fn tell(&self, news: News) {
        if self.0.try_send(news).is_err() {
            counter!("countersign_shared_signals_total", "direction" => "out", "outcome" => "dropped").increment(1);
        }
    }
}

/// Name under which a receiver learns of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalSubject {
    /// Name of the account, when it is an e-mail address; otherwise as [`Self::OurName`].
    Email,
    /// Our identifier of the person, which means nothing to others.
    OurName,
}

/// Receiver of our events.
pub struct OutStream {
    audience: String,
    push: Option<Url>,
    token: Secret<String>,
    subject: SignalSubject,
    outbox: Outbox,
}

impl OutStream {
    /// Makes a stream to `audience`. Its events are pushed to `push` with `token`; without `push` they are kept for whoever polls with that
    /// token.
    #[must_use]
    pub fn new(audience: String, push: Option<Url>, token: Secret<String>, subject: SignalSubject) -> Self {
        let outbox = Outbox::new(audience.clone());
        Self { audience, push, token, subject, outbox }
    }
}

/// Keys, receivers and services that the exchange of signals needs.
pub struct Sharing {
    /// Our name as the issuer of events, a URL.
    pub issuer: String,
    /// Key that signs our events.
    pub key: SetSigningKey,
    /// Receiver that checks and takes the events of others.
    pub receiver: Receiver,
    /// Receivers of our events.
    pub targets: Vec<Arc<OutStream>>,
    /// HTTP client that pushes our events.
    pub caller: Caller,
    /// Directory of people, for the names of their accounts.
    pub people: Arc<dyn Subjects>,
    /// Memory of the events that wait.
    pub kept: Arc<dyn SharedSignals>,
    /// Clock for the times in events.
    pub clock: Arc<dyn Clock>,
    /// Source of unpredictable bytes, for the identifiers of events.
    pub entropy: Arc<dyn Entropy>,
}

/// Routes of the endpoints for shared signals.
pub fn router(sharing: Arc<Sharing>) -> Router {
    Router::new()
        .route("/countersign/v1/signals/events", post(events))
        .route("/countersign/v1/signals/poll", post(poll))
        .route("/countersign/v1/signals/verify", post(verify))
        .route("/countersign/v1/signals/jwks.json", get(async |State(sharing): State<Arc<Sharing>>| document(sharing.key.jwks())))
        .route("/.well-known/ssf-configuration", get(async |State(sharing): State<Arc<Sharing>>| document(sharing.configuration())))
        .layer(DefaultBodyLimit::max(Limits::SIGNAL_BODY_BYTES_MAX))
        .with_state(sharing)
}

fn document(json: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], json).into_response()
}

fn told(status: StatusCode, body: &Value) -> Response {
    (status, document(body.to_string())).into_response()
}

fn unauthorized() -> Response {
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response()
}

/// Takes a pushed event of others (RFC 8935).
async fn events(State(sharing): State<Arc<Sharing>>, headers: HeaderMap, body: Bytes) -> Response {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let media = text(header::CONTENT_TYPE).and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    let refused = |err: &str, why: &str| told(StatusCode::BAD_REQUEST, &json!({ "err": err, "description": why }));
    if !media.eq_ignore_ascii_case(&format!("application/{SET_TYPE}")) {
        return refused("invalid_request", "the body's content type is not `application/secevent+jwt`");
    }
    let Ok(set) = std::str::from_utf8(&body) else { return refused("invalid_request", "the body is no SET") };
    let answer = sharing.receiver.push(text(header::AUTHORIZATION), set, sharing.clock.now()).await;
    let outcome = match &answer {
        Answer::Accepted => "accepted",
        Answer::Refused { .. } => "refused",
        Answer::Unavailable => "unavailable",
        Answer::Unknown => "unauthorized",
    };
    counter!("countersign_shared_signals_total", "direction" => "in", "outcome" => outcome).increment(1);
    match answer {
        Answer::Accepted => StatusCode::ACCEPTED.into_response(),
        Answer::Refused { err, description } => refused(err, &description),
        Answer::Unavailable => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Answer::Unknown => unauthorized(),
    }
}

/// Answers a poll with the events that wait for this receiver (RFC 8936).
async fn poll(State(sharing): State<Arc<Sharing>>, headers: HeaderMap, body: String) -> Response {
    let Some(stream) = sharing.stream(&headers) else { return unauthorized() };
    match PollAsk::parse(&body) {
        Ok(ask) => match stream.outbox.poll(&*sharing.kept, &ask).await {
            Ok(answer) => document(answer.json()),
            Err(fault) => {
                tracing::error!(%fault, "a poll could not be answered");
                StatusCode::SERVICE_UNAVAILABLE.into_response()
            }
        },
        Err(_) => {
            told(StatusCode::BAD_REQUEST, &json!({ "err": "invalid_request", "description": "the body is no poll (RFC 8936 section 2.2)" }))
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Verify {
    state: Option<String>,
    #[serde(rename = "stream_id")]
    _stream: Option<String>,
}

/// Sends a verification event, for which a receiver asks to see that events arrive (SSF 1.0 section 8.1.4).
async fn verify(State(sharing): State<Arc<Sharing>>, headers: HeaderMap, body: String) -> Response {
    let Some(stream) = sharing.stream(&headers) else { return unauthorized() };
    let Ok(ask) = serde_json::from_str::<Verify>(&body) else { return StatusCode::BAD_REQUEST.into_response() };
    let event = ask.state.map_or_else(|| json!({}), |state| json!({ "state": state }));
    let subject = json!({ "format": "opaque", "id": stream.audience });
    match sharing.keep(stream, Statement { event_type: Event::VERIFICATION, event: &event, subject: &subject }).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(fault) => {
            tracing::error!(%fault, "a verification event could not be kept");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

/// Keeps news for all receivers and pushes what waits, until the node ends. What waits then is sent by the next process.
pub async fn transmit(sharing: Arc<Sharing>, mut news: mpsc::Receiver<News>, shutdown: CancellationToken) {
    let mut pushing = JoinSet::new();
    for stream in sharing.targets.iter().filter(|stream| stream.push.is_some()) {
        pushing.spawn(push_all(Arc::clone(&sharing), Arc::clone(stream), shutdown.clone()));
    }
    while let Some(news) = tokio::select! { () = shutdown.cancelled() => None, news = news.recv() => news } {
        sharing.tell(&news).await;
    }
    // What was told before the end is kept, too.
    news.close();
    while let Some(news) = news.recv().await {
        sharing.tell(&news).await;
    }
    while pushing.join_next().await.is_some() {}
}

/// Outcome of one look at an outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pushed {
    /// The receiver did not take the event. It is offered again.
    Failed,
    /// No event waits to be sent.
    Nothing,
    /// The event is settled.
    Settled,
}

/// Pushes the events of one stream, one after the other. Each receiver has a queue of its own, so that a dead one delays nobody else.
async fn push_all(sharing: Arc<Sharing>, stream: Arc<OutStream>, shutdown: CancellationToken) {
    let mut failures: usize = 0;
    loop {
        let come = stream.outbox.come();
        let pushed = tokio::select! { () = shutdown.cancelled() => return, pushed = sharing.push_next(&stream, failures) => pushed };
        let wait = match pushed {
            Pushed::Settled => {
                failures = 0;
                continue;
            }
            Pushed::Nothing => {
                failures = 0;
                tokio::select! { () = shutdown.cancelled() => return, () = come => {}, () = tokio::time::sleep(LOOK_AGAIN) => {} }
                continue;
            }
            Pushed::Failed => WAITS.get(failures).or(WAITS.last()).copied().unwrap_or(LOOK_AGAIN),
        };
        failures = failures.saturating_add(1);
        tokio::select! { () = shutdown.cancelled() => return, () = tokio::time::sleep(wait) => {} }
    }
}

impl Sharing {
    /// Finds the stream whose token a request shows.
    fn stream(&self, headers: &HeaderMap) -> Option<&Arc<OutStream>> {
        let shown = bearer::token(headers.get(header::AUTHORIZATION)?.to_str().ok()?)?;
        self.targets.iter().find(|stream| verify_slices_are_equal(stream.token.expose().as_bytes(), shown.as_bytes()).is_ok())
    }

    /// Configuration of this transmitter (SSF 1.0 section 7.1).
    fn configuration(&self) -> String {
        let at = |path: &str| format!("{}{path}", self.issuer.trim_end_matches('/'));
        let urn = |rfc: &str| format!("urn:ietf:rfc:{rfc}");
        json!({
            "spec_version": "1_0",
            "issuer": self.issuer,
            "jwks_uri": at("/countersign/v1/signals/jwks.json"),
            "delivery_methods_supported": [urn("8935"), urn("8936")],
            "verification_endpoint": at("/countersign/v1/signals/verify"),
            "authorization_schemes": [{ "spec_urn": urn("6750") }],
            "default_subjects": "ALL",
        })
        .to_string()
    }

    /// Keeps a piece of news for every receiver.
    async fn tell(&self, news: &News) {
        for stream in &self.targets {
            if let Err(fault) = self.tell_one(stream, news).await {
                tracing::error!(audience = stream.audience, %fault, "a security event could not be kept");
                counted("dropped");
            }
        }
    }

    /// Keeps a piece of news for one receiver. What CAEP says is optional (section 2) is in it, since the interoperability profile (section 3)
    /// asks for it: when it happened, who began it, and why, for administrators.
    async fn tell_one(&self, stream: &OutStream, news: &News) -> Result<(), Unavailable> {
        let (user, event_type, event) = match news {
            News::AccountDisabled(user) => (user, ACCOUNT_DISABLED, json!({})),
            News::SessionRevoked(ended) => {
                let event = json!({
                    "event_timestamp": ended.at.0, "initiating_entity": ended.by.as_str(), "reason_admin": { "en": ended.reason },
                });
                (&ended.user, Event::SESSION_REVOKED, event)
            }
        };
        let ours = json!({ "format": "iss_sub", "iss": self.issuer, "sub": user.as_str() });
        let person = match stream.subject {
            SignalSubject::OurName => ours,
            SignalSubject::Email => match self.people.find(user).await? {
                Some(user) if user.name.contains('@') => json!({ "format": "email", "email": user.name }),
                Some(_) | None => ours,
            },
        };
        let subject = match news {
            News::AccountDisabled(_) => person,
            News::SessionRevoked(ended) => {
                let session = json!({ "format": "opaque", "id": ended.session.as_str() });
                json!({ "format": "complex", "session": session, "user": person })
            }
        };
        self.keep(stream, Statement { event_type, event: &event, subject: &subject }).await
    }

    /// Signs an event and keeps it in the outbox of its receiver.
    async fn keep(&self, stream: &OutStream, statement: Statement<'_>) -> Result<(), Unavailable> {
        let (id, set) = self.sign(stream, statement).ok_or_else(|| Unavailable::new("signing a security event"))?;
        let dropped = stream.outbox.put(&*self.kept, WaitingSet { id, set }).await?;
        counted(if dropped > 0 { "dropped" } else { "kept" });
        Ok(())
    }

    /// Pushes one event that waits: the oldest, and after failures another one in turn.
    async fn push_next(&self, stream: &OutStream, failures: usize) -> Pushed {
        let Some(url) = &stream.push else { return Pushed::Nothing };
        let waiting = match stream.outbox.waiting(&*self.kept, Limits::PUSHED_EVENTS_MAX).await {
            Ok(waiting) => waiting,
            Err(fault) => {
                tracing::error!(%fault, "security events that wait could not be read");
                return Pushed::Failed;
            }
        };
        let turn = failures.checked_rem(waiting.len()).unwrap_or(0);
        let Some(WaitingSet { id, set }) = waiting.into_iter().nth(turn) else { return Pushed::Nothing };
        let bearer = Secret::new(format!("Bearer {}", stream.token.expose()));
        let media = format!("application/{SET_TYPE}");
        let headers = [
            (header::CONTENT_TYPE, media.as_str()),
            (header::ACCEPT, "application/json"),
            (header::AUTHORIZATION, bearer.expose().as_str()),
        ];
        match self.caller.post(url, &headers, set).await {
            Ok((status, _)) if status == StatusCode::ACCEPTED => counted("delivered"),
            Ok((status, body)) if status == StatusCode::BAD_REQUEST => {
                // The receiver will refuse the same event another time too.
                tracing::error!(audience = stream.audience, said = %String::from_utf8_lossy(&body), "the receiver refused a security event");
                counted("refused");
            }
            Ok((status, _)) => {
                tracing::warn!(audience = stream.audience, %status, "the receiver did not accept a security event");
                return Pushed::Failed;
            }
            Err(why) => {
                tracing::warn!(audience = stream.audience, %why, "a security event could not be delivered");
                return Pushed::Failed;
            }
        }
        match stream.outbox.settle(&*self.kept, id).await {
            Ok(()) => Pushed::Settled,
            Err(fault) => {
                tracing::error!(%fault, "a security event that was delivered could not be settled; it is sent again");
                Pushed::Failed
            }
        }
    }

    fn sign(&self, stream: &OutStream, statement: Statement<'_>) -> Option<(String, String)> {
        let Statement { event_type, event, subject } = statement;
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes);
        let id = ProofId::parse(&hex::encode(bytes)).ok()?.to_string();
        let (issuer, audience, issued_at) = (self.issuer.as_str(), stream.audience.as_str(), self.clock.now().seconds());
        let set = self.key.sign(&SetToSign { issuer, audience, id: &id, issued_at, subject, event_type, event }).ok()?;
        Some((id, set))
    }
}

/// An event of a subject, as we tell it.
#[derive(Clone, Copy)]
struct Statement<'a> {
    event_type: &'a str,
    event: &'a Value,
    subject: &'a Value,
}

fn counted(outcome: &'static str) {
    counter!("countersign_shared_signals_total", "direction" => "out", "outcome" => outcome).increment(1);
}
