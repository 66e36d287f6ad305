//! Shared signals over HTTP: the endpoints for events of others, and the delivery of our events to others.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use countersign_core::{Clock, Entropy, ProofId, Secret, UserId};
use countersign_outbound::Caller;
use countersign_proof::set::{SET_TYPE, SetSigningKey, SetToSign};
use countersign_store::Subjects;
use http::{HeaderMap, StatusCode, header};
use metrics::counter;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::ssf::{
    event::Event,
    outbox::{Outbox, PollAsk},
    receive::{Answer, Receiver},
};

/// Greatest size in bytes of a security event token (SET) or of a poll.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Greatest number of pieces of news that wait to be sent; more are dropped and counted.
const WAITING_MAX: usize = 1024;

/// Times to wait before each attempt of a push. After the last attempt the event is given up.
const ATTEMPTS: [Duration; 5] =
    [Duration::ZERO, Duration::from_secs(2), Duration::from_secs(8), Duration::from_secs(30), Duration::from_secs(90)];

/// Event type of a closed account (RISC 1.0 section 2.3).
const ACCOUNT_DISABLED: &str = "https://schemas.openid.net/secevent/risc/event-type/account-disabled";

/// News that receivers of our events are told. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// An account was closed.
    AccountDisabled(UserId),
    /// Sessions of a person were ended, for a reason that concerns others too.
    SessionRevoked(UserId),
}

/// Sender of news to all receivers of our events. Sending never waits.
#[derive(Clone, Debug)]
pub struct Others(mpsc::Sender<News>);

impl Others {
    /// Makes a sender and the queue from which [`transmit`] takes the news.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<News>) {
        let (sender, news) = mpsc::channel(WAITING_MAX);
        (Self(sender), news)
    }

    /// Puts a piece of news into the queue; a full queue drops it, and the metric counts that.
    pub fn tell(&self, news: News) {
        // Whoever ends a session must not wait for a receiver of news.
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
        Self { audience, push, token, subject, outbox: Outbox::default() }
    }
}

/// Event before it is signed.
struct ToTell {
    event_type: &'static str,
    event: Value,
    subject: Value,
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
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
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
        Ok(ask) => document(stream.outbox.poll(&ask).await.json()),
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
    let stream = Arc::clone(stream);
    let event = ToTell { event_type: Event::VERIFICATION, event, subject };
    // Sent after the answer: a receiver may wait for the answer before it takes events.
    tokio::spawn(async move { sharing.send(&stream, &event).await });
    StatusCode::NO_CONTENT.into_response()
}

/// Sends news to all receivers until the node ends.
pub async fn transmit(sharing: Arc<Sharing>, mut news: mpsc::Receiver<News>, shutdown: CancellationToken) {
    loop {
        let Some(news) = (tokio::select! { () = shutdown.cancelled() => None, news = news.recv() => news }) else { return };
        for stream in &sharing.targets {
            let (sharing, stream, news) = (Arc::clone(&sharing), Arc::clone(stream), news.clone());
            // A task for each receiver, so that one which does not answer holds up no other.
            tokio::spawn(async move { sharing.tell(&stream, &news).await });
        }
    }
}

impl Sharing {
    /// Finds the stream whose token a request shows.
    fn stream(&self, headers: &HeaderMap) -> Option<&Arc<OutStream>> {
        let shown = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
        // SECURITY: compared in constant time, so that no token can be guessed byte by byte.
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

    async fn tell(&self, stream: &OutStream, news: &News) {
        let (user, event_type, event) = match news {
            News::AccountDisabled(user) => (user, ACCOUNT_DISABLED, json!({})),
            News::SessionRevoked(user) => {
                (user, Event::SESSION_REVOKED, json!({ "initiating_entity": "policy", "event_timestamp": self.clock.now().seconds().0 }))
            }
        };
        let ours = json!({ "format": "iss_sub", "iss": self.issuer, "sub": user.as_str() });
        let subject = match stream.subject {
            SignalSubject::OurName => ours,
            SignalSubject::Email => match self.people.find(user).await {
                Ok(Some(user)) if user.name.contains('@') => json!({ "format": "email", "email": user.name }),
                // A failed lookup must not keep the news back; our identifier is always known.
                Ok(_) | Err(_) => ours,
            },
        };
        self.send(stream, &ToTell { event_type, event, subject }).await;
    }

    async fn send(&self, stream: &OutStream, event: &ToTell) {
        let Some((id, set)) = self.sign(stream, event) else {
            tracing::error!("an event could not be signed");
            return;
        };
        let Some(url) = &stream.push else {
            let dropped = stream.outbox.put(id, set);
            counted(if dropped { "dropped" } else { "kept" });
            return;
        };
        let bearer = Secret::new(format!("Bearer {}", stream.token.expose()));
        let media = format!("application/{SET_TYPE}");
        for wait in ATTEMPTS {
            tokio::time::sleep(wait).await;
            let headers = [
                (header::CONTENT_TYPE, media.as_str()),
                (header::ACCEPT, "application/json"),
                (header::AUTHORIZATION, bearer.expose().as_str()),
            ];
            match self.caller.post(url, &headers, set.clone()).await {
                Ok((status, _)) if status == StatusCode::ACCEPTED => return counted("delivered"),
                Ok((status, body)) if status == StatusCode::BAD_REQUEST => {
                    // The receiver will refuse the same event another time too.
                    tracing::error!(audience = stream.audience, said = %String::from_utf8_lossy(&body), "an event was refused");
                    return counted("refused");
                }
                Ok((status, _)) => tracing::warn!(audience = stream.audience, %status, "an event was not taken"),
                Err(why) => tracing::warn!(audience = stream.audience, %why, "an event could not be delivered"),
            }
        }
        counted("given_up");
    }

    fn sign(&self, stream: &OutStream, event: &ToTell) -> Option<(String, String)> {
        let ToTell { event_type, event, subject } = event;
        let mut bytes = [0; 16];
        self.entropy.fill(&mut bytes);
        let id = ProofId::parse(&hex::encode(bytes)).ok()?.to_string();
        let (issuer, audience, issued_at) = (self.issuer.as_str(), stream.audience.as_str(), self.clock.now().seconds());
        let set = self.key.sign(&SetToSign { issuer, audience, id: &id, issued_at, subject, event_type, event }).ok()?;
        Some((id, set))
    }
}

fn counted(outcome: &'static str) {
    counter!("countersign_shared_signals_total", "direction" => "out", "outcome" => outcome).increment(1);
}
