//! Every endpoint of the issuer, one row each. A new one is a handler and its row.

use axum::response::Response;
use countersign_audit::EventKind::{
    DeviceAttested, DeviceEnrolled, DeviceRenamed, DeviceReported, DeviceRevoked, PasskeyRegistered, SignedIn, TokensIssued, TokensRevoked,
};
use futures_util::future::BoxFuture;
use http::Method;

use crate::{
    attest,
    context::RequestContext,
    discovery,
    endpoint::{BodyKind, Endpoint, ErrorFormat},
    enrol, login, me, paths,
    receive::Call,
    refusal::Refusal,
    registration, report, revoke,
    state::Issuer,
    token,
};

/// Function that answers the requests to an endpoint.
pub(crate) type Handler = for<'a> fn(&'a Issuer, &'a Call, &'a RequestContext) -> BoxFuture<'a, Result<Response, Refusal>>;

/// Endpoint with its handler.
pub(crate) struct Route {
    /// Endpoint that the request must fit.
    pub endpoint: Endpoint,
    /// Handler of its requests.
    pub handler: Handler,
}

macro_rules! routes {
    ($($method:ident $(or $also:ident)?, $path:expr, $body:ident, $errors:ident, $event:expr, $handler:path;)*) => {
        /// Every endpoint, by path. Of several at one path the first refuses methods that none of them takes.
        pub static ROUTES: &[Route] = &[$(Route {
            endpoint: Endpoint {
                path: $path,
                method: Method::$method,
                methods: &[Method::$method $(, Method::$also)?],
                body: BodyKind::$body,
                errors: ErrorFormat::$errors,
                event: $event,
            },
            handler: |issuer, call, context| Box::pin($handler(issuer, call, context)),
        },)*];
    };
}

routes! {
    // Method, path, body, errors, event in the audit log, handler.
    GET or HEAD, paths::JWKS, Nothing, Problem, None, discovery::jwks;
    GET or HEAD, "/.well-known/oauth-authorization-server", Nothing, Problem, None, discovery::metadata;
    POST, "/countersign/v1/attest", Json, Problem, Some(DeviceAttested), attest::attest;
    POST, paths::CHALLENGE, Json, Problem, None, enrol::challenge;
    POST, paths::DEVICES, Json, Problem, Some(DeviceEnrolled), enrol::enrol;
    POST, "/countersign/v1/login/finish", Json, Problem, Some(SignedIn), login::finish;
    POST, paths::LOGIN_START, Json, Problem, Some(SignedIn), login::start;
    GET, paths::MY_DEVICES, Nothing, Problem, None, me::devices;
    PATCH, "/countersign/v1/me/devices/{id}", Json, Problem, Some(DeviceRenamed), me::rename;
    DELETE, "/countersign/v1/me/devices/{id}", Nothing, Problem, Some(DeviceRevoked), me::remove;
    POST, "/countersign/v1/me/devices/{id}/not-me", Json, Problem, Some(DeviceRevoked), me::disown;
    GET, "/countersign/v1/me/notices", Nothing, Problem, None, me::notices;
    POST, "/countersign/v1/registration/finish", Json, Problem, Some(PasskeyRegistered), registration::finish;
    POST, paths::REGISTRATION_START, Json, Problem, Some(PasskeyRegistered), registration::start;
    POST, "/countersign/v1/report", Json, Problem, Some(DeviceReported), report::report;
    POST, paths::REVOKE, Form, OAuth, Some(TokensRevoked), revoke::revoke;
    POST, paths::TOKEN, Form, OAuth, Some(TokensIssued), token::issue;
}

/// Lists every endpoint, without its handler.
pub fn endpoints() -> impl Iterator<Item = &'static Endpoint> {
    ROUTES.iter().map(|route| &route.endpoint)
}

impl Route {
    /// Routes at the same path, one for each method.
    pub(crate) fn neighbours(&self) -> impl Iterator<Item = &'static Self> {
        ROUTES.iter().filter(|other| other.endpoint.path == self.endpoint.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_method_at_a_path_has_two_handlers() {
        let taken: Vec<_> =
            endpoints().flat_map(|endpoint| endpoint.methods.iter().map(|method| (endpoint.path, method.as_str()))).collect();
        assert_eq!(taken.iter().collect::<BTreeSet<_>>().len(), taken.len(), "{taken:?}");
    }

    #[test]
    fn whoever_sends_a_form_speaks_oauth() {
        for endpoint in endpoints() {
            assert_eq!(endpoint.body == BodyKind::Form, endpoint.errors == ErrorFormat::OAuth, "{endpoint:?}");
        }
    }
}
