//! Endpoint of the issuer: its path, the requests that it takes, and the format of its refusals. The table of all endpoints is in
//! `endpoints.rs`, which also names their handlers.

use countersign_audit::EventKind;
use http::Method;

use crate::paths;

/// Kind of body that a request has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// Form, `application/x-www-form-urlencoded`.
    Form,
    /// JSON, `application/json`.
    Json,
    /// No body at all.
    Nothing,
}

/// Format of a refusal's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorFormat {
    /// OAuth's format (RFC 6749 section 5.2).
    OAuth,
    /// Problem details (RFC 9457).
    Problem,
}

/// Proof that is looked at in a request's head, before its body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// Proof by a key (RFC 9449 section 4.3).
    Key,
    /// None: there is no body to read, or nobody is asked who they are.
    Nothing,
    /// Access token of a person.
    Token,
    /// Proof whose nonce is judged with the grant that it is for.
    TokenRequest,
}

/// Endpoint, apart from its handler.
#[derive(Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Path, in which `{id}` stands for any segment; also the endpoint's label in metrics and the log.
    pub path: &'static str,
    /// Method that the endpoint's proofs name.
    pub method: Method,
    /// Methods that the endpoint takes. A client that may read what is public may ask for the head alone (RFC 9110 section 9.3.2).
    pub methods: &'static [Method],
    /// Body that the endpoint takes.
    pub body: BodyKind,
    /// Format in which the endpoint refuses.
    pub errors: ErrorFormat,
    /// Kind of the endpoint's entries in the audit log; `None` where nothing is decided about anybody.
    pub event: Option<EventKind>,
}

impl Endpoint {
    /// Proof without which nothing is read of a body. Whatever takes a body asks for one, but where a phone asks for a challenge.
    #[must_use]
    pub(crate) fn asks(&self) -> Asks {
        match self.body {
            BodyKind::Nothing => Asks::Nothing,
            BodyKind::Form | BodyKind::Json if self.path == paths::CHALLENGE => Asks::Nothing,
            BodyKind::Form | BodyKind::Json if self.path.starts_with(paths::ME_PREFIX) => Asks::Token,
            BodyKind::Form if self.path == paths::TOKEN => Asks::TokenRequest,
            BodyKind::Form | BodyKind::Json => Asks::Key,
        }
    }
}
