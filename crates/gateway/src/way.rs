//! THE WAY OF A REQUEST, top to bottom. Each step is a call into whoever owns it; the order is the argument.
//!
//! A step that passes yields what the next one needs; a step that does not ends the way with a [`Refusal`]. Whatever the end,
//! it is recorded before it has any effect, and only the two witnesses together, [`Permit`] and the log's receipt, let a door
//! pass the request on (step 11, in `doors/`).

use std::{panic::AssertUnwindSafe, sync::Arc};

use countersign_access::authenticate;
use countersign_core::Reason;
use countersign_policy::StreamRules;
use countersign_store::Receipt;
use futures_util::FutureExt;
use http::HeaderMap;
use tokio::time::Instant;

use crate::{
    authorize,
    can::Can,
    case::Case,
    gather::{self, Asking, Proven},
    grpc::{self, Kind},
    handshake::{self, Wanted},
    house::House,
    observe,
    permit::{Basis, Permit},
    raw::RawRequest,
    receive,
    refusal::Refusal,
    watching,
};

/// Steps 1 to 9: a permit, or the first thing that is wrong.
async fn judge(house: &House, raw: &mut RawRequest, can: Can, case: &mut Case) -> Result<Permit, Refusal> {
    let mut now = case.at().seconds();
    let rules = house.rules.load_full();

    // 1. One normal form.
    let request = receive::parse(&raw.head, &raw.peer, &house.host)?;

    // 2. Something that the API offers, asked for as it is offered, at a door that can serve it.
    let operation = rules.operations.find(request.method().as_str(), request.path())?;
    case.is_about(operation.action());
    can.serve(&operation)?;
    offered(house, operation.stream(), request.wanted(), &raw.head.headers)?;
    let bounds = match operation.stream() {
        Some(StreamRules::Grpc { .. }) => grpc::CALL_BOUNDS,
        Some(StreamRules::Events { .. } | StreamRules::Stream | StreamRules::WebSocket { .. }) | None => house.route.streams(),
    };

    // 3 to 6. Who asks: a token, a proof by its key, a live session, a device that may act and what it lacks.
    let target = house.origin.target(request.path()).map_err(|_| Refusal::because(Reason::PathAmbiguous))?;
    let asked = authenticate(&house.access, request.credentials(), &target, request.method(), now).await;
    let mut who = asked.map_err(|refused| authorize::unidentified(case, refused))?;
    authorize::identified(case, who.holder());

    // 7. How it looks beside what is usual.
    let resource = operation.resource(who.holder().token().subject());
    let view = watching::observe(house, case, who.holder().session(), request.method().as_str(), &resource);
    let risk = rules.risk.judge(view);

    // 8. Parameters and body as the operation declares them. What policy looks at is parsed here, once; the rest streams.
    let (fields, body) = gather::body(&operation, &raw.head, raw.body.take(bounds), bounds).await?;
    raw.body.keep(body);
    if operation.reads_body() {
        // Whoever sends a body decides how long that takes. What ended meanwhile has ended.
        now = house.clock.now().seconds();
        who = who.recheck(&house.access, now).await.map_err(|refused| authorize::unidentified(case, refused))?;
    }

    // 9. The decision: pure, and the same for every door.
    let token = Arc::clone(who.holder().token());
    let proven = Proven { who: Asking::Now(who), resource, risk, fields };
    let (decision, facts) = authorize::decide(&rules, &operation, proven, case, now)?;
    let permit = Permit::from(decision, facts)?;
    can.keep(&permit)?;
    for rate in permit.rates() {
        let facts = permit.facts();
        house.stores.rates.take(&facts.session.id, &facts.request.action, rate, case.at()).await?;
    }
    // What stays open stands on this, and is weighed again by steps 5, 6 and 9.
    let basis = operation.stream().map(|rules| Basis { token, path: request.path().to_owned(), rules });
    Ok(permit.held(basis))
}

/// A WebSocket or a call where one is declared, and nothing else there.
fn offered(house: &House, declared: Option<StreamRules>, wanted: Wanted, headers: &HeaderMap) -> Result<(), Reason> {
    match (declared, wanted) {
        (Some(StreamRules::WebSocket { .. }), Wanted::WebSocket) => {
            if handshake::may_open(headers, house.origin.as_str(), &house.slots.config().origins) {
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
    /// Leave to pass.
    pub(crate) permit: Permit,
    /// The log's word that it is recorded.
    pub(crate) receipt: Receipt,
    /// What became known of the request.
    pub(crate) case: Case,
}

/// A request that may not pass.
#[must_use]
pub(crate) struct Refused {
    /// Why.
    pub(crate) refusal: Refusal,
    /// What became known of the request.
    pub(crate) case: Case,
}

/// Steps 1 to 10, the same for every door: a request is judged, and its record is on disk. What an admission leads to is the
/// door's affair, within what it says that it `can` keep.
pub(crate) async fn admit(house: &House, raw: &mut RawRequest, can: Can) -> Result<Admission, Refused> {
    let (now, began) = (house.clock.now(), Instant::now());
    let mut case = Case::open(house.next_decision(), raw.head.uri.path(), raw.peer.address.ip(), now);
    let verdict = AssertUnwindSafe(judge(house, raw, can, &mut case)).catch_unwind().await;
    // A panic is a refusal as well, and recorded as one (law 1).
    let verdict = verdict.unwrap_or_else(|_| {
        observe::panicked(case.id());
        Err(Refusal::because(Reason::Internal))
    });
    if verdict.is_err() {
        whose(house, &mut case).await;
    }
    tell(house, &case, &verdict, began);

    // 10. Recorded before its effect (law 8), or there is none (law 1).
    let receipt = match house.stores.recorder.record(case.entry(&verdict)).await {
        Ok(receipt) => receipt,
        Err(cause) => {
            observe::unrecorded(case.id(), &cause);
            return Err(Refused { refusal: Refusal::because(Reason::AuditUnavailable), case });
        }
    };
    match verdict {
        Ok(permit) => Ok(Admission { permit, receipt, case }),
        Err(refusal) => Err(Refused { refusal, case }),
    }
}

/// A request may be refused before its session was asked for. Whose it was must be known all the same: what identifies a
/// person is recorded under the key that erases it, or not at all.
async fn whose(house: &House, case: &mut Case) {
    if let Some(id) = case.of_nobody_yet()
        && let Ok(Some(session)) = house.access.stores.sessions.find(&id).await
    {
        case.belongs_to(&session);
    }
}

/// Figures for the operator, and for the monitor what no honest client does.
fn tell(house: &House, case: &Case, verdict: &Result<Permit, Refusal>, began: Instant) {
    let decision = verdict.as_ref().map_or_else(Refusal::decision, Permit::decision);
    observe::judged(case.id(), case.action(), decision.outcome, decision.reasons.first(), began.elapsed());
    if let Err(refusal) = verdict {
        watching::refused(house, case, refusal.reason());
    }
    if let Err(refusal) = verdict
        && let Some(kind) = refusal.signal()
    {
        house.signals.emit(case.signal(kind, refusal));
    }
}
