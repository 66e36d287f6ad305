//! End of a session by the app that holds it (RFC 7009).

use axum::response::Response;
use countersign_core::{ClientId, Reason};
use countersign_identity::{GrantRefusal, RefreshRequest, Renewal, TokenHash, renew};
use countersign_store::Whose;
use http::StatusCode;

use crate::{
    answer,
    context::RequestContext,
    form::Form,
    proven,
    receive::Call,
    record::{self, Seen},
    refusal::Refusal,
    state::Issuer,
    theft,
};

/// Ends the session that a refresh token keeps alive. A token that opens nothing gets the same answer (RFC 7009 section 2.2): the state
/// that was asked for exists already.
pub async fn revoke(issuer: &Issuer, call: &Call, context: &RequestContext) -> Result<Response, Refusal> {
    let mut form = Form::parse(&call.body)?;
    let mut take = |name: &str| form.take(name).ok_or(Refusal::new(Reason::BodyFieldInvalid));
    let token = TokenHash::of(&take("token")?);
    let client = ClientId::parse(take("client_id")?.expose()).map_err(|_| Refusal::new(Reason::ClientUnknown))?;
    issuer.app(&client).ok_or(Reason::ClientUnknown)?;
    context.learn(|known| known.client = Some(client.clone()));
    // Not `prove_device`: a thief's key belongs to no device, and its use must still freeze the session.
    let proven = proven::prove_key(issuer, call, context).await?;
    let state = issuer.stores.grants.find_refresh(&token).await?;
    let request = RefreshRequest { client, key: *proven.key().thumbprint() };
    match renew(state.as_ref(), &request, context.second()) {
        Renewal::Issue(family) => {
            theft::resolve_user(issuer, &family.session, context).await?;
            record::allowed(issuer, Seen::default(), context).await?;
            issuer.stores.sessions.end(&Whose::Session(family.session), context.second()).await?;
            Ok(answer::empty(StatusCode::OK))
        }
        Renewal::FreezeAndRefuse { session } => Err(theft::freeze(issuer, &session, context).await),
        Renewal::Refuse(GrantRefusal::RefreshExpired | GrantRefusal::RefreshRevoked | GrantRefusal::RefreshUnknown) => {
            Ok(answer::empty(StatusCode::OK))
        }
        Renewal::Refuse(
            why @ (GrantRefusal::ClientMismatch
            | GrantRefusal::CodeExpired
            | GrantRefusal::CodeReused
            | GrantRefusal::CodeUnknown
            | GrantRefusal::ForeignKey
            | GrantRefusal::VerifierMismatch),
        ) => Err(why.into()),
    }
}
