//! Endpoint of the issuer: where it stands, what it takes, in which format it refuses. The table of all stands above their handlers,
//! in `endpoints.rs`.

use countersign_audit::EventKind;
use http::Method;

/// Kind of body that a request has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `application/json`.
    Json,
    /// No body.
    Nothing,
}

/// Format of a refusal's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorFormat {
    /// RFC 6749 section 5.2.
    OAuth,
    /// RFC 9457.
    Problem,
}

/// One endpoint, apart from its handler.
#[derive(Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Path, in which `{id}` stands for any segment; also the endpoint's label in metrics and the log.
    pub path: &'static str,
    /// Method that its proofs name.
    pub method: Method,
    /// Methods that it takes. Whoever may read what is public may ask for the head alone (RFC 9110 section 9.3.2).
    pub methods: &'static [Method],
    /// Body that it takes.
    pub body: BodyKind,
    /// Format in which it refuses.
    pub errors: ErrorFormat,
    /// Kind of its entries in the audit log; `None` where nothing is decided about anybody.
    pub event: Option<EventKind>,
}
