//! THE WAY OF A REQUEST, top to bottom. Each step is a call into whoever owns it; the order is the argument.
//!
//! A step that passes yields what the next one needs; a step that does not ends the way with a [`Refusal`]. Whatever the end,
//! it is recorded before it has any effect, and only the two witnesses together, [`Permit`] and the log's receipt, let a door
//! pass the request on (step 11, in `doors/`).

use std::{net::IpAddr, panic::AssertUnwindSafe, sync::Arc};

use countersign_access::{Asked, NonceNeed, authenticate};
use countersign_core::{Limits, Reason, UnixMillis, UnixSeconds};
use countersign_policy::StreamRules;
use countersign_store::{NotLive, Rated, Receipt, Stranger, StrangerRefusal, Unavailable, Written};
use futures_util::FutureExt;
use http::HeaderMap;
use tokio::time::Instant;

use crate::{
    authorize,
    can::Can,
    context::RequestContext,
    exchange::Stage,
    gather::{self, Asking, JudgedBody, Proven},
    grpc::{self, Kind},
    handshake::{self, Wanted},
    hidden, hygiene, observation, observe,
    permit::{Basis, Permit},
    raw::RawRequest,
    receive,
    refusal::Refusal,
    state::Gateway,
};

/// Steps 1 to 9: a permit, or the first thing that is wrong.
async fn judge(gateway: &Gateway, raw: &mut RawRequest, can: Can, context: &mut RequestContext) -> Result<Permit, Refusal> {
    let mut now = context.at().seconds();
    let rules = gateway.rules.load_full();

    // 1. One normal form.
    let request = receive::parse(&raw.head, &raw.peer, &gateway.host)?;

    // 2. Something that the API offers, asked for as it is offered, at a door that can serve it.
    let operation = rules.operations.find(request.method().as_str(), request.path())?;
    context.is_about(operation.action());
    can.serve(&operation)?;
    can.clean(&operation, &raw.head.headers)?;
    offered(gateway, operation.stream(), request.wanted(), &raw.head.headers)?;
    let bounds = match operation.stream() {
        Some(StreamRules::Grpc { .. }) => grpc::CALL_BOUNDS,
        Some(StreamRules::Events { .. } | StreamRules::Stream | StreamRules::WebSocket { .. }) | None => gateway.route.streams(),
    };

    // 3 to 6. Who asks: a token, a proof by its key, a live session, a device that may act and what it lacks.
    let target = gateway.origin.target(request.path()).map_err(|_| Refusal::because(Reason::PathAmbiguous))?;
    let asked = Asked { method: request.method(), target: &target, nonce: NonceNeed::Accepted };
    let asked = authenticate(&gateway.access, request.credentials(), &asked, now).await;
    let mut who = asked.map_err(|refused| authorize::unidentified(context, refused))?;
    authorize::identified(context, who.holder());

    // 7. How it looks beside what is usual.
    let resource = operation.resource(who.holder().token().subject());
    let view = observation::observe(gateway, context, who.holder().session(), request.method().as_str(), &resource);
    let risk = rules.risk.judge(view);

    // 8. Parameters and body as the operation declares them. What policy looks at is parsed here, once; the rest streams.
    raw.peer.reaches(Stage::Proven);
    let JudgedBody { fields, body, content } = gather::body(&operation, &raw.head, raw.body.take(bounds), bounds).await?;
    raw.body.keep(body);
    raw.content = content;
    if operation.reads_body() {
        // Whoever sends a body decides how long that takes. What ended meanwhile has ended.
        now = gateway.clock.now().seconds();
        who = who.recheck(&gateway.access, now).await.map_err(|refused| authorize::unidentified(context, refused))?;
    }

    // 9. The decision: pure, and the same for every door.
    let token = Arc::clone(who.holder().token());
    let proven = Proven { who: Asking::Now(who), resource, risk, fields };
    let (decision, facts) = authorize::decide(&rules, &operation, proven, context, now)?;
    let permit = Permit::from(decision, facts)?;
    can.keep(&permit)?;
    // What lasts stands on this, and is weighed again by steps 5, 6 and 9.
    let basis = Basis { token, path: request.path().to_owned(), rules: operation.stream() };
    // From here on the head is the upstream's.
    if !permit.masks().is_empty() {
        hidden::ask_nothing_of_it(&mut raw.head)?;
    }
    hygiene::keep_declared(&mut raw.head.headers, operation.request_headers());
    // SECURITY: by the clock as it is now. A request whose body took long brings an older time, by which a rate would count as spent while the
    // clock was ahead, and be given back in part.
    spend_rates(gateway, &permit, gateway.clock.now()).await?;
    Ok(permit.held(basis))
}

/// Takes the request from what its person may ask for at all, and from the rates that the decision obliges to.
async fn spend_rates(gateway: &Gateway, permit: &Permit, at: UnixMillis) -> Result<(), Refusal> {
    let session = &permit.facts().session;
    gateway.stores.rates.take(&Rated::Person(session.user.clone()), Limits::PERSON_RATE, at).await?;
    for rate in permit.rates() {
        let action = permit.facts().request.action.clone();
        let of = Rated::Operation { user: session.user.clone(), device: session.device.clone(), action };
        gateway.stores.rates.take(&of, rate, at).await?;
    }
    Ok(())
}

/// A WebSocket or a call where one is declared, and nothing else there.
fn offered(gateway: &Gateway, declared: Option<StreamRules>, wanted: Wanted, headers: &HeaderMap) -> Result<(), Reason> {
    match (declared, wanted) {
        (Some(StreamRules::WebSocket { .. }), Wanted::WebSocket) => {
            if handshake::may_open(headers, gateway.origin.as_str(), &gateway.slots.config().origins) {
                Ok(())
            } else {
                Err(Reason::OriginForeign)
            }
        }
        (Some(StreamRules::WebSocket { .. }), Wanted::Answer) | (_, Wanted::WebSocket) => Err(Reason::StreamUndeclared),
        (Some(StreamRules::Grpc { .. }), Wanted::Answer) if Kind::of(headers) != Kind::Grpc => Err(Reason::StreamUndeclared),
        (Some(StreamRules::Grpc { .. }), Wanted::Answer) => Ok(()),
        (Some(StreamRules::Events { .. } | StreamRules::Stream) | None, Wanted::Answer) => Ok(()),
    }
}

/// A request that may pass, by whichever door.
#[must_use]
pub(crate) struct Admission {
    /// Leave to pass, to be spent by the door.
    pub(crate) permit: Permit,
    /// The log's word that it is recorded.
    pub(crate) receipt: Written,
    /// Everything that became known of the request.
    pub(crate) context: RequestContext,
}

/// A request that may not pass.
#[must_use]
pub(crate) struct Refused {
    /// The first thing that was wrong.
    pub(crate) refusal: Refusal,
    /// Everything that became known of the request.
    pub(crate) context: RequestContext,
}

/// Steps 1 to 10, the same for every door: a request is judged, and its record is on disk. What an admission leads to is the
/// door's affair, within what it says that it `can` keep.
pub(crate) async fn admit(gateway: &Gateway, raw: &mut RawRequest, can: Can) -> Result<Admission, Refused> {
    let (now, began) = (gateway.clock.now(), Instant::now());
    let mut context = RequestContext::open(gateway.next_decision(), raw.head.uri.path(), raw.peer.address.ip(), now);
    let verdict = AssertUnwindSafe(judge(gateway, raw, can, &mut context)).catch_unwind().await;
    // A panic is a refusal as well, and recorded as one (law 1).
    let verdict = verdict.unwrap_or_else(|_| {
        observe::panicked(context.id());
        Err(Refusal::because(Reason::Internal))
    });
    conclude(gateway, context, verdict, began).await
}

/// Refuses what cannot even be read as a request: with a number and a record, as any other.
pub(crate) async fn refuse_unread(gateway: &Gateway, target: &str, address: IpAddr) -> Refused {
    let (now, began) = (gateway.clock.now(), Instant::now());
    let context = RequestContext::open(gateway.next_decision(), target, address, now);
    match conclude(gateway, context, Err(Reason::RequestMalformed.into()), began).await {
        Err(refused) => refused,
        // Nothing was permitted.
        Ok(Admission { context, .. }) => Refused { refusal: Refusal::because(Reason::Internal), context },
    }
}

/// Step 10 and what comes with it, whatever the verdict.
async fn conclude(
    gateway: &Gateway,
    mut context: RequestContext,
    verdict: Result<Permit, Refusal>,
    began: Instant,
) -> Result<Admission, Refused> {
    let not_live = match &verdict {
        Ok(_) => None,
        Err(_) => {
            resolve_user(gateway, &mut context).await;
            // Asked before the monitor hears of it, whose answer may be to end the session.
            not_live(gateway, &context, context.at().seconds()).await
        }
    };
    tell(gateway, &context, &verdict, began);

    // 10. Recorded before its effect (law 8), or there is none (law 1).
    match record(gateway, verdict, not_live, &mut context).await {
        Ok(Ok((permit, receipt))) => Ok(Admission { permit, receipt, context }),
        Ok(Err(refusal)) => Err(Refused { refusal, context }),
        Err(cause) => {
            observe::unrecorded(context.id(), &cause);
            Err(Refused { refusal: Refusal::because(Reason::AuditUnavailable), context })
        }
    }
}

/// Records what is allowed, and also a refusal, unless it is one of a caller without a live session: those may be counted.
async fn record(
    gateway: &Gateway,
    verdict: Result<Permit, Refusal>,
    not_live: Option<NotLive>,
    context: &mut RequestContext,
) -> Result<Result<(Permit, Written), Refusal>, Unavailable> {
    let entry = context.entry(&verdict);
    let recorder = &gateway.stores.recorder;
    let refusal = match verdict {
        Ok(permit) => return Ok(Ok((permit, recorder.record(entry).await?))),
        Err(refusal) => refusal,
    };
    let entry = match context.stranger() {
        None => Err(Box::new(entry)),
        Some(site) => StrangerRefusal::of(entry, &Stranger { site, theft: refusal.signal(), session: not_live }),
    };
    match entry {
        Err(entry) => drop(recorder.record(*entry).await?),
        Ok(stranger) => match recorder.refuse(stranger).await? {
            Receipt::Counted(_) => observe::counted(),
            Receipt::Recorded(_) => {}
        },
    }
    Ok(Err(refusal))
}

/// A request may be refused before its session was asked for. Whose it was must be known all the same: what identifies a
/// person is recorded under the key that erases it, or not at all.
async fn resolve_user(gateway: &Gateway, context: &mut RequestContext) {
    if let Some(id) = context.of_nobody_yet()
        && let Ok(Some(session)) = gateway.access.stores.sessions.find(&id).await
    {
        context.belongs_to(&session);
    }
}

/// Asks whether the session that a stranger's token names is over. From one that is, nothing can be stolen any more.
async fn not_live(gateway: &Gateway, context: &RequestContext, now: UnixSeconds) -> Option<NotLive> {
    context.stranger()?;
    // Where nobody can say, it counts as live, and the refusal is recorded.
    NotLive::ask(&*gateway.access.stores.sessions, context.session()?, now).await.ok().flatten()
}

/// Figures for the operator, and for the monitor what no honest client does.
fn tell(gateway: &Gateway, context: &RequestContext, verdict: &Result<Permit, Refusal>, began: Instant) {
    let decision = verdict.as_ref().map_or_else(Refusal::decision, Permit::decision);
    observe::judged(context.id(), context.action(), decision.outcome, decision.reasons.first(), began.elapsed());
    if let Err(refusal) = verdict {
        observation::refused(gateway, context, refusal.reason());
    }
    if let Err(refusal) = verdict
        && let Some(kind) = refusal.signal()
    {
        gateway.signals.emit(context.signal(kind, refusal));
    }
}
