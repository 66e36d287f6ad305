//! Who an operator is: the user that the system says opened the socket, by the name that the configuration gives them.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{ConnectInfo, FromRequestParts, Request, State, connect_info::Connected},
    http::{StatusCode, request::Parts},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    serve::IncomingStream,
};
use countersign_core::OperatorName;
use tokio::net::UnixListener;

use crate::{
    admin::wire::Refused,
    config::{NoOperator, Operators},
};

/// The user at the other end of a connection, as the system says (`SO_PEERCRED`, unix(7)).
#[derive(Clone, Copy, Debug)]
pub(crate) enum Peer {
    /// The system does not say.
    Unknown,
    /// The user with this id.
    User(u32),
}

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        stream.io().peer_cred().map_or(Self::Unknown, |peer| Self::User(peer.uid()))
    }
}

/// The operator who asks. Only requests that passed [`known`] have one.
pub(crate) struct By(pub OperatorName);

impl<S: Sync> FromRequestParts<S> for By {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        parts.extensions.get::<OperatorName>().cloned().map(Self).ok_or_else(refused)
    }
}

/// Routes that only operators reach.
pub(crate) fn known(routes: Router, operators: Operators) -> Router {
    routes.layer(middleware::from_fn_with_state(Arc::new(operators), name))
}

async fn name(State(operators): State<Arc<Operators>>, ConnectInfo(peer): ConnectInfo<Peer>, mut request: Request, next: Next) -> Response {
    let named = match peer {
        Peer::User(uid) => operators.name(uid),
        Peer::Unknown => Err(NoOperator),
    };
    match named {
        Ok(name) => {
            request.extensions_mut().insert(name);
            next.run(request).await
        }
        Err(NoOperator) => {
            tracing::warn!(?peer, path = request.uri().path(), "a user who is no operator asked at the admin socket");
            refused()
        }
    }
}

fn refused() -> Response {
    let error = "this user is not an operator; name it in `operators` of `[admin]`".to_owned();
    (StatusCode::FORBIDDEN, Json(Refused { error })).into_response()
}
