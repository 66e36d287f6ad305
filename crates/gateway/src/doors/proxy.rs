//! The reverse proxy: what is admitted is forwarded to the upstream, and its answer goes back to the client.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};

use crate::{
    answer,
    body::Body,
    can::{Ability, Can},
    case::Case,
    forward,
    grpc::{self, Kind},
    house::House,
    observe,
    peer::Peer,
    raw::RawRequest,
    refusal::Refusal,
    watching,
    way::{Admission, Refused, admit},
};

/// All bytes of request and answer pass through here.
const CAN: Can = Can { mask: Ability::Able, hold: Ability::Able, read_body: Ability::Able };

/// Takes one request its whole way and answers it.
pub async fn serve<B>(house: &Arc<House>, request: Request<B>, peer: Peer) -> Response<Body>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let kind = Kind::of(request.headers());
    let mut raw = RawRequest::new(request, peer);
    match admit(house, &mut raw, CAN).await {
        Ok(admission) => forwarded(house, raw, admission, kind).await,
        Err(Refused { refusal, case }) => refuse(house, &case, &refusal, kind),
    }
}

/// Step 11: the admission is spent on one request to the upstream.
async fn forwarded(house: &Arc<House>, raw: RawRequest, admission: Admission, kind: Kind) -> Response<Body> {
    let Admission { permit, receipt, case } = admission;
    match forward::send(house, raw, permit, receipt, case.id()).await {
        Ok(answer) => watching::counted(house, &case, answer),
        Err(reason) => {
            observe::unanswered(case.id(), &reason);
            watching::refused(house, &case, &reason);
            refuse(house, &case, &Refusal::because(reason), kind)
        }
    }
}

/// Answers in the caller's language.
fn refuse(house: &House, case: &Case, refusal: &Refusal, kind: Kind) -> Response<Body> {
    let answer = answer::refusal(refusal, case.id(), &house.access.nonces, case.at());
    match kind {
        Kind::Grpc | Kind::Like => grpc::refused(answer, refusal, case.id()),
        Kind::Other => answer,
    }
}
