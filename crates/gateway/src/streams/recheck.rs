//! Judging an open connection again: when something changed that concerns it, and after an interval in any case.

use std::{panic::AssertUnwindSafe, time::Duration};

use countersign_access::recheck;
use countersign_core::{Obligation, Outcome, Reason, UnixMillis};
use countersign_policy::StreamRules;
use countersign_store::Listener;
use futures_util::FutureExt;
use tokio::time::Instant;

use crate::{
    authorize,
    context::RequestContext,
    gather::{Asking, Proven},
    observe,
    refusal::Refusal,
    state::Gateway,
    streams::open::Open,
};

/// Longest wait for the record of a cut. The connection is cut before, and told why after.
const RECORD_MAX: Duration = Duration::from_secs(1);

/// Why a connection must end, as a case of its own.
pub(crate) struct Cut {
    pub(crate) refusal: Refusal,
    pub(crate) context: RequestContext,
    /// When its cause came about.
    pub(crate) since: Instant,
}

impl Cut {
    /// A cut that no rule but that of the connection itself asks for: a message too large, a peer that is gone.
    pub(crate) fn because(gateway: &Gateway, open: &Open, refusal: Refusal) -> Self {
        let mut context = context(gateway, open);
        context.is_of(&open.user, &open.device);
        Self { refusal, context, since: Instant::now() }
    }

    /// Notes the cut in figures and in the log. Nothing passes any more when this is called.
    pub(crate) async fn record(&mut self, gateway: &Gateway, open: &Open) {
        observe::cut(self.context.id(), &open.opened, open.kind(), self.refusal.reason(), self.since.elapsed());
        let entry = self.context.cut_entry(&self.refusal, &open.opened);
        match tokio::time::timeout(RECORD_MAX, gateway.stores.recorder.record(entry)).await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) | Err(_) => observe::cut_unrecorded(self.context.id()),
        }
    }
}

/// Waits until the connection must end. `listener` listened before it was opened, so that no change falls in between.
pub(crate) async fn until_it_must_end(gateway: &Gateway, open: &Open, mut listener: Listener) -> Cut {
    let mut since = Instant::now();
    loop {
        let mut context = context(gateway, open);
        let verdict = AssertUnwindSafe(judge(gateway, open, &mut context)).catch_unwind().await;
        // A panic is a refusal as well (law 1).
        if let Err(refusal) = verdict.unwrap_or_else(|_| Err(Refusal::because(Reason::Internal))) {
            context.is_of(&open.user, &open.device);
            return Cut { refusal, context, since };
        }
        let pause = pause(gateway, open);
        // What is declared to stay open is told to end when the node does; all else has the time that requests have.
        let ending = async {
            match open.rules() {
                Some(_) => gateway.slots.ending().await,
                None => std::future::pending().await,
            }
        };
        tokio::pin!(ending);
        let next = tokio::time::sleep(pause);
        tokio::pin!(next);
        since = loop {
            tokio::select! {
                biased;
                () = &mut ending => return Cut::because(gateway, open, Reason::GatewayEnding.into()),
                news = listener.next() => match news {
                    Some(news) if open.concerned(&news.change) => break news.at,
                    Some(_) => {}
                    // The store is gone, and whatever it would say.
                    None => return Cut::because(gateway, open, Reason::StoreUnavailable.into()),
                },
                () = &mut next => break Instant::now(),
            }
        };
    }
}

/// Until the interval is over or the token ends, whichever comes first.
fn pause(gateway: &Gateway, open: &Open) -> Duration {
    let UnixMillis(now) = gateway.clock.now();
    let left = open.token.expires_at().0.saturating_mul(1000).saturating_sub(now);
    gateway.slots.config().interval.min(Duration::from_millis(left.max(1)))
}

fn context(gateway: &Gateway, open: &Open) -> RequestContext {
    let mut context = RequestContext::open(gateway.next_decision(), &open.path, open.peer.address.ip(), gateway.clock.now());
    context.names(&open.token);
    context
}

/// Steps 2, 3, 5, 6 and 9 of the way, by the rules of this moment. The proof was for the request that opened the connection.
async fn judge(gateway: &Gateway, open: &Open, context: &mut RequestContext) -> Result<(), Refusal> {
    let (rules, now) = (gateway.rules.load_full(), gateway.clock.now().seconds());
    let operation = rules.operations.find(&open.method, &open.path)?;
    context.is_about(operation.action());
    let declared = operation.stream();
    if declared.map(StreamRules::kind) != open.rules().map(StreamRules::kind) {
        return Err(Reason::StreamUndeclared.into());
    }
    let holder = recheck(&gateway.access, &open.token, now).await.map_err(|refused| authorize::unidentified(context, refused))?;
    authorize::identified(context, &holder);
    let (resource, risk) = (operation.resource(open.token.subject()), rules.risk.judge(open.view.clone()));
    let proven = Proven { who: Asking::WhenOpened(holder), resource, risk, fields: open.fields.clone() };
    let (decision, facts) = authorize::decide(&rules, &operation, proven, context, now)?;
    match decision.outcome {
        Outcome::Allow | Outcome::Limit => {
            // What would have to be hidden now has perhaps passed already, but no more of it does.
            if decision.obligations.iter().any(|one| matches!(one, Obligation::Mask(path) if !open.masks.contains(path))) {
                return Err(Reason::ResponseNotMaskable.into());
            }
            open.follows(declared);
            Ok(())
        }
        Outcome::StepUp | Outcome::Deny => Err(Refusal::of(decision, &facts)),
    }
}
