//! Steps 8 and 9 of the way: the body as the operation declares it, and the facts for the decision.

use std::{collections::BTreeMap, time::Duration};

use countersign_access::{Authenticated, Holder};
use countersign_core::{Facts, FieldValue, Limits, Reason, RequestFacts, ResourceFacts, RiskFacts, UnixSeconds};
use countersign_policy::Found;
use http::request;
use http_body::Body as _;

use crate::{
    body::{self, Body, BodyError, Bounds},
    media::Media,
    raw::ContentDigest,
    refusal::Refusal,
};

/// Longest that the body may take which policy looks at: as much as is read, at 140 kbit/s.
const READ_MAX: Duration = Duration::from_secs(60);

/// The caller, with what shows that it is the holder of the token's key.
pub(crate) enum Asking {
    /// A proof, made for this request.
    Now(Authenticated),
    /// The request that opened the connection, which had one.
    WhenOpened(Holder),
}

/// Everything that was proved of a request; each part is the witness of its steps.
pub(crate) struct Proven {
    /// Steps 3 to 6.
    pub(crate) who: Asking,
    /// Step 7: what it is about.
    pub(crate) resource: ResourceFacts,
    /// Step 7.
    pub(crate) risk: RiskFacts,
    /// Step 8.
    pub(crate) fields: BTreeMap<String, FieldValue>,
}

/// A body as its operation declares it.
pub(crate) struct JudgedBody {
    /// The fields that policy looks at.
    pub(crate) fields: BTreeMap<String, FieldValue>,
    /// The body itself, for the upstream: the same bytes.
    pub(crate) body: Body,
    /// Digest of the body, where it was read.
    pub(crate) content: Option<ContentDigest>,
}

/// Reads the fields that policy looks at.
pub(crate) async fn body(operation: &Found<'_>, head: &request::Parts, body: Body, bounds: Bounds) -> Result<JudgedBody, Refusal> {
    let bytes_max = operation.body_bytes_max().map_or(bounds.bytes_max, |own| own.min(bounds.bytes_max));
    if body.size_hint().lower() > bytes_max {
        return Err(Reason::BodyTooLarge.into());
    }
    let body = if bytes_max < bounds.bytes_max { body::bounded(body, Bounds { bytes_max, ..bounds }) } else { body };
    if !operation.reads_body() {
        return Ok(JudgedBody { fields: BTreeMap::new(), body, content: None });
    }
    match Media::of(&head.headers) {
        Media::Json => {}
        Media::Other => return Err(Reason::BodyMalformed.into()),
    }
    let collected = tokio::time::timeout(READ_MAX, body::collect(body, Limits::PARSED_BODY_BYTES_MAX)).await;
    let bytes = collected.unwrap_or(Err(BodyError::TooSlow)).map_err(|error| match error {
        BodyError::Broken(_) | BodyError::Cut => Reason::BodyMalformed,
        BodyError::NoRoom => Reason::BuffersFull,
        BodyError::TooLarge => Reason::BodyTooLarge,
        BodyError::TooSlow => Reason::RequestTooSlow,
    })?;
    let fields = operation.fields(&bytes)?;
    let content = Some(ContentDigest::of(&bytes));
    Ok(JudgedBody { fields, body: body::full(bytes), content })
}

/// Everything that the decision may look at.
pub(crate) fn facts(operation: &Found<'_>, proven: Proven, now: UnixSeconds) -> Facts {
    let holder = match proven.who {
        Asking::Now(authenticated) => authenticated.into_holder(),
        Asking::WhenOpened(holder) => holder,
    };
    let subject = holder.token().subject().clone();
    let (session, posture, unmet) = holder.into_facts();
    Facts {
        subject,
        resource: proven.resource,
        request: RequestFacts {
            action: operation.action().clone(),
            method: operation.method().to_owned(),
            rules: operation.rules(),
            fields: proven.fields,
        },
        unmet,
        risk: proven.risk,
        posture,
        session,
        now,
    }
}
