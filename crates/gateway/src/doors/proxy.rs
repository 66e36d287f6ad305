//! The reverse proxy: what is admitted is forwarded to the upstream, and its answer goes back to the client.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};

use crate::{
    answer,
    body::Body,
    can::{Ability, Can},
    context::RequestContext,
    forward,
    grpc::{self, Kind},
    observation, observe,
    peer::Peer,
    raw::RawRequest,
    refusal::Refusal,
    state::Gateway,
    way::{Admission, Refused, admit},
};

/// All bytes of request and answer pass through here.
const CAN: Can = Can { mask: Ability::Able, hold: Ability::Able, read_body: Ability::Able, clean: Ability::Able };

/// Takes one request its whole way and answers it.
pub async fn serve<B>(gateway: &Arc<Gateway>, request: Request<B>, peer: Peer) -> Response<Body>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let kind = Kind::of(request.headers());
    let mut raw = RawRequest::new(request, peer);
    match admit(gateway, &mut raw, CAN).await {
        Ok(admission) => forwarded(gateway, raw, admission, kind).await,
        Err(Refused { refusal, context }) => refuse(gateway, &context, &refusal, kind),
    }
}

/// Step 11: the admission is spent on one request to the upstream.
async fn forwarded(gateway: &Arc<Gateway>, raw: RawRequest, admission: Admission, kind: Kind) -> Response<Body> {
    let Admission { permit, receipt, context } = admission;
    match forward::send(gateway, raw, permit, receipt, context.id()).await {
        Ok(answer) => observation::counted(gateway, &context, answer),
        Err(reason) => {
            observe::unanswered(context.id(), &reason);
            observation::refused(gateway, &context, &reason);
            refuse(gateway, &context, &Refusal::because(reason), kind)
        }
    }
}

/// Answers in the caller's language.
fn refuse(gateway: &Gateway, context: &RequestContext, refusal: &Refusal, kind: Kind) -> Response<Body> {
    let answer = answer::refusal(refusal, context.id(), &gateway.access.nonces, context.at());
    match kind {
        Kind::Grpc | Kind::Like => grpc::refused(answer, refusal, context.id()),
        Kind::Other => answer,
    }
}
