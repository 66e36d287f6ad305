//! Endpoint of the issuer: its path, the requests that it takes, and the format of its refusals. The table of all endpoints is in
//! `endpoints.rs`, which also names their handlers.

use countersign_audit::EventKind;
use http::Method;

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
