//! Who is answered at the side port: this machine, the networks that the config names, and whoever shows the token.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use aws_lc_rs::constant_time;
use axum::{
    Router,
    extract::{ConnectInfo, Request, State, connect_info::Connected},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    serve::IncomingStream,
};
use countersign_codec::sha256;
use countersign_core::Secret;
use countersign_gateway::Network;

use crate::assembly::side::Spared;

/// Address that a connection to the side port came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller(SocketAddr);

impl Connected<IncomingStream<'_, Spared>> for Caller {
    fn connect_info(stream: IncomingStream<'_, Spared>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// Callers that are answered besides this machine.
#[derive(Clone, Default)]
pub(crate) struct SideAccess {
    /// SHA-256 of the token, so that comparing says nothing of its length.
    token: Option<[u8; 32]>,
    networks: Vec<Network>,
}

/// The caller may not ask here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stranger;

impl SideAccess {
    /// Those in `networks`, and whoever shows `token`.
    #[must_use]
    pub fn new(token: Option<&Secret<String>>, networks: Vec<Network>) -> Self {
        Self { token: token.map(|token| sha256(&[token.expose().as_bytes()])), networks }
    }

    fn admit(&self, from: IpAddr, headers: &HeaderMap) -> Result<(), Stranger> {
        let from = from.to_canonical();
        if from.is_loopback() || self.networks.iter().any(|network| network.contains(from)) {
            return Ok(());
        }
        let mut shown = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(token), Some(said), None) = (self.token, shown.next().and_then(|value| value.to_str().ok()), shown.next()) else {
            return Err(Stranger);
        };
        // The scheme is case-insensitive (RFC 9110 section 11.1).
        let given = said.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, given)| given.trim());
        match given.map(|given| constant_time::verify_slices_are_equal(&sha256(&[given.as_bytes()]), &token)) {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) | None => Err(Stranger),
        }
    }
}

/// Routes that only those reach.
pub(crate) fn guarded(routes: Router, access: SideAccess) -> Router {
    routes.layer(middleware::from_fn_with_state(Arc::new(access), admit))
}

async fn admit(
    State(access): State<Arc<SideAccess>>,
    ConnectInfo(Caller(peer)): ConnectInfo<Caller>,
    request: Request,
    next: Next,
) -> Response {
    match access.admit(peer.ip(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(Stranger) => (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")]).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_not_answered() {
        let token = Secret::new("AAECAwQFBgcICQoLDA0ODw".to_owned());
        let both = SideAccess::new(Some(&token), vec![Network::parse("10.0.0.0/8").expect("a network")]);
        let nobody = SideAccess::default();
        let right = "Bearer AAECAwQFBgcICQoLDA0ODw";
        let rows: &[(&str, &SideAccess, &str, &[&str], Result<(), Stranger>)] = &[
            ("this machine", &nobody, "127.0.0.1", &[], Ok(())),
            ("this machine by IPv6", &nobody, "::1", &[], Ok(())),
            ("this machine, IPv4 in IPv6", &nobody, "::ffff:127.0.0.1", &[], Ok(())),
            ("a stranger", &nobody, "10.1.2.3", &[], Err(Stranger)),
            ("a token where none counts", &nobody, "10.1.2.3", &[right], Err(Stranger)),
            ("a named network", &both, "10.1.2.3", &[], Ok(())),
            ("a named network, IPv4 in IPv6", &both, "::ffff:10.1.2.3", &[], Ok(())),
            ("another network", &both, "11.1.2.3", &[], Err(Stranger)),
            ("the token", &both, "11.1.2.3", &[right], Ok(())),
            ("the token, in small letters", &both, "11.1.2.3", &["bearer AAECAwQFBgcICQoLDA0ODw"], Ok(())),
            ("another token", &both, "11.1.2.3", &["Bearer AAECAwQFBgcICQoLDA0ODx"], Err(Stranger)),
            ("no token", &both, "11.1.2.3", &["Bearer "], Err(Stranger)),
            ("another scheme", &both, "11.1.2.3", &["Basic AAECAwQFBgcICQoLDA0ODw"], Err(Stranger)),
            ("two tokens", &both, "11.1.2.3", &[right, right], Err(Stranger)),
        ];
        for (name, access, from, shown, expected) in rows {
            let mut headers = HeaderMap::new();
            for value in *shown {
                headers.append(header::AUTHORIZATION, value.parse().expect("a value"));
            }
            assert_eq!(access.admit(from.parse().expect("an address"), &headers), *expected, "{name}");
        }
    }
}
