//! The door of another proxy: nginx asks by a request of its own, with the client's headers, whether it may pass the client's request
//! on (`ngx_http_auth_request_module`). An answer of 2xx lets it; 401 and 403 are passed on to the client; any other is the proxy's 500.
//!
//! Method and target of the client's request stand in headers that only the proxy may set. Whoever reaches this door is therefore
//! believed, so that it has a listener of its own, which clients cannot reach. What passes is not seen here: no body is read, no
//! answer is masked, no header is taken away, no connection is cut, and what needs any of these is refused.

use std::{net::IpAddr, sync::Arc};

use countersign_access::problem::REASON;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header, request::Parts};

use crate::{
    answer,
    body::{self, Body},
    can::{Ability, Can},
    context::RequestContext,
    introduce::{BoundTo, introduce},
    observation, observe,
    peer::Peer,
    raw::RawRequest,
    refusal::Refusal,
    state::Gateway,
    way::{Admission, Refused, admit, refuse_unread},
};

/// The bytes of request and answer pass elsewhere.
const CAN: Can = Can { mask: Ability::Unable, hold: Ability::Unable, read_body: Ability::Unable, clean: Ability::Unable };

static X_ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
static X_ORIGINAL_URI: HeaderName = HeaderName::from_static("x-original-uri");
static X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// Belongs to the proxy's own request, and says nothing of the client's.
static OF_THE_PROXY: [HeaderName; 4] =
    [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, HeaderName::from_static("keep-alive")];

/// Why there is no request to judge. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
enum NoRequest {
    /// The proxy does not say what it was asked, or says it twice. To be mended in its configuration.
    NotTold(&'static str),
    /// The proxy was asked something that is no request of HTTP: the client's fault.
    NotHttp {
        /// Target that was asked for, as far as it is text.
        target: String,
        /// Address of the client.
        address: IpAddr,
    },
}

/// Answers whether the proxy may pass a request on.
pub async fn answer_auth_request<B>(gateway: &Arc<Gateway>, asked: Request<B>) -> Response<Body> {
    let (head, _) = asked.into_parts();
    let mut raw = match original(head) {
        Ok(raw) => raw,
        Err(NoRequest::NotHttp { target, address }) => {
            let Refused { refusal, context } = refuse_unread(gateway, &target, address).await;
            return refuse(gateway, &refusal, &context);
        }
        Err(NoRequest::NotTold(header)) => {
            tracing::error!(header, "a proxy asks, and does not say once and legibly what it was asked; see docs/auth_request.md");
            return unjudged(StatusCode::INTERNAL_SERVER_ERROR);
        }
    };
    match admit(gateway, &mut raw, CAN).await {
        Ok(admission) => {
            let bound_to = BoundTo::of(gateway, &raw);
            admitted(gateway, admission, &bound_to)
        }
        Err(Refused { refusal, context }) => refuse(gateway, &refusal, &context),
    }
}

/// Step 11: the admission is spent on a word to the proxy, which speaks in our name from here on.
fn admitted(gateway: &Gateway, admission: Admission, bound_to: &BoundTo) -> Response<Body> {
    let Admission { permit, receipt, context } = admission;
    tracing::trace!(decision = %context.id(), seq = receipt.seq(), "recorded");
    let (facts, _) = permit.spend();
    let mut answer = unjudged(StatusCode::OK);
    match introduce(answer.headers_mut(), gateway, &facts, context.id(), bound_to) {
        // What left is not known here; that something did, is.
        Ok(()) => observation::counted(gateway, &context, answer),
        Err(reason) => {
            observe::unanswered(context.id(), &reason);
            observation::refused(gateway, &context, &reason);
            refuse(gateway, &Refusal::because(reason), &context)
        }
    }
}

/// The answer that every door gives, without a body and in the statuses that a proxy passes on. What is our fault stays one, which
/// the proxy makes a 500.
fn refuse(gateway: &Gateway, refusal: &Refusal, context: &RequestContext) -> Response<Body> {
    let answer = answer::refusal(refusal, context.id(), &gateway.access.nonces, context.at());
    let mut answer = answer.map(|_| body::empty());
    let status = match answer.status() {
        StatusCode::UNAUTHORIZED => StatusCode::UNAUTHORIZED,
        status if status.is_server_error() => status,
        _ => StatusCode::FORBIDDEN,
    };
    *answer.status_mut() = status;
    answer.headers_mut().remove(header::CONTENT_TYPE);
    answer.headers_mut().insert(REASON.clone(), HeaderValue::from_static(answer::class(refusal).code()));
    answer
}

fn unjudged(status: StatusCode) -> Response<Body> {
    let mut answer = Response::new(body::empty());
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}

/// The client's request, as the proxy describes it.
fn original(mut head: Parts) -> Result<RawRequest, NoRequest> {
    let address: IpAddr = told(&head.headers, &X_REAL_IP)?.parse().map_err(|_| NoRequest::NotTold("x-real-ip"))?;
    let method = told(&head.headers, &X_ORIGINAL_METHOD)?;
    let target = told_bytes(&head.headers, &X_ORIGINAL_URI)?;
    let (Ok(method), Ok(uri)) = (Method::from_bytes(method.as_bytes()), Uri::try_from(target)) else {
        return Err(NoRequest::NotHttp { target: String::from_utf8_lossy(target).into_owned(), address });
    };
    for name in [&X_REAL_IP, &X_ORIGINAL_METHOD, &X_ORIGINAL_URI].into_iter().chain(&OF_THE_PROXY) {
        head.headers.remove(name);
    }
    // The proxy has read the message, whichever version it came in; what it passes on is held to the rules of HTTP/1.1.
    (head.method, head.uri, head.version) = (method, uri, Version::HTTP_11);
    head.extensions.clear();
    Ok(RawRequest::bodiless(head, Peer::new((address, 0).into())))
}

/// Reads a header that the proxy sets once. SECURITY: of two, one may be the client's.
fn told_bytes<'a>(headers: &'a HeaderMap, name: &'static HeaderName) -> Result<&'a [u8], NoRequest> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value.as_bytes()),
        (None | Some(_), _) => Err(NoRequest::NotTold(name.as_str())),
    }
}

/// Reads such a header as text, which it is if the proxy is sound.
fn told<'a>(headers: &'a HeaderMap, name: &'static HeaderName) -> Result<&'a str, NoRequest> {
    std::str::from_utf8(told_bytes(headers, name)?).map_err(|_| NoRequest::NotTold(name.as_str()))
}
