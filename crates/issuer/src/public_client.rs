//! Clients that are public: they name themselves by their id, and authenticate by nothing but their proof.

use countersign_core::Reason;
use http::header::AUTHORIZATION;

use crate::{
    form::Form,
    receive::{Call, Header},
    refusal::Refusal,
};

/// Lets a form pass whose client authenticates by its `client_id` and its proof alone, as every client here does.
///
/// # Errors
/// [`Reason::ClientAuthenticationRefused`] for any other way beside it: a client uses one (RFC 6749 section 2.3), and credentials that
/// nobody checks must not seem to be accepted.
pub(crate) fn public_client(call: &Call, form: Form) -> Result<Form, Refusal> {
    let others = ["client_secret", "client_assertion", "client_assertion_type"];
    if call.header(&AUTHORIZATION) != Header::Absent || others.iter().any(|name| form.has(name)) {
        return Err(Reason::ClientAuthenticationRefused.into());
    }
    Ok(form)
}
