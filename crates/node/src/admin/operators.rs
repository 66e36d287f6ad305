//! Who an operator is: the user that the system says opened the socket, by the name that the configuration gives them.

use std::{collections::BTreeMap, sync::Arc};

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

use crate::admin::wire::Refused;

/// The names of operators by their user ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Operators {
    /// Those whom the configuration names, and nobody else.
    Named(BTreeMap<u32, OperatorName>),
    /// Whoever may open the socket, called `uid:1000`.
    #[default]
    Unnamed,
}

/// The user is none of the operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoOperator;

impl Operators {
    /// The name of a user.
    ///
    /// # Errors
    /// When operators are named and this user is none of them: root, too, has to be named.
    pub fn name(&self, uid: u32) -> Result<OperatorName, NoOperator> {
        match self {
            Self::Named(names) => names.get(&uid).cloned().ok_or(NoOperator),
            Self::Unnamed => OperatorName::parse(&format!("{UNNAMED}{uid}")).map_err(|_| NoOperator),
        }
    }
}

/// How the names of users begin whom nobody named.
pub const UNNAMED: &str = "uid:";

/// The user at the other end of a connection, as the system says (`SO_PEERCRED`, unix(7)).
#[derive(Clone, Copy, Debug)]
pub enum Peer {
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
pub struct By(pub OperatorName);

impl<S: Sync> FromRequestParts<S> for By {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        parts.extensions.get::<OperatorName>().cloned().map(Self).ok_or_else(refused)
    }
}

/// Routes that only operators reach.
pub fn known(routes: Router, operators: Operators) -> Router {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_one_name_or_is_refused() {
        let alice = OperatorName::parse("alice").expect("a name");
        let named = Operators::Named([(1000, alice.clone())].into());
        let unnamed = |uid: u32| OperatorName::parse(&format!("uid:{uid}")).map_err(|_| NoOperator);
        let rows: &[(&str, &Operators, u32, Result<OperatorName, NoOperator>)] = &[
            ("named", &named, 1000, Ok(alice)),
            ("another", &named, 1001, Err(NoOperator)),
            ("root is nobody special", &named, 0, Err(NoOperator)),
            ("the last", &named, u32::MAX, Err(NoOperator)),
            ("nobody is named", &Operators::Unnamed, 1000, unnamed(1000)),
            ("nobody is named, root", &Operators::Unnamed, 0, unnamed(0)),
        ];
        for (name, operators, uid, expected) in rows {
            assert_eq!(operators.name(*uid), *expected, "{name}");
        }
    }
}
