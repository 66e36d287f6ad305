//! End of a session by the app that holds it (RFC 7009).

use axum::response::Response;
use countersign_core::{ClientId, Reason};
use countersign_identity::{GrantRefusal, RefreshFamily, RefreshRequest, RefreshState, Renewal, TokenHash, renew};
use countersign_store::{Spender, Whose};
use http::StatusCode;

use crate::{
    answer,
    context::RequestContext,
    form::Form,
    head_proof::ProvedKey,
    proven,
    public_client::public_client,
    receive::Call,
    record::{self, Seen},
    refusal::Refusal,
    state::Issuer,
    theft,
};

/// Ends the session that a refresh token keeps alive. A token that opens nothing gets the same answer (RFC 7009 section 2.2): the state
/// that was asked for exists already.
pub async fn revoke(issuer: &Issuer, call: &Call, context: &RequestContext) -> Result<Response, Refusal> {
    let mut form = public_client(call, Form::parse(&call.body)?)?;
    let mut take = |name: &str| form.take(name).ok_or(Refusal::new(Reason::BodyFieldInvalid));
    let text = take("token")?;
    let client = ClientId::parse(take("client_id")?.expose()).map_err(|_| Refusal::new(Reason::ClientUnknown))?;
    issuer.app(&client).ok_or(Reason::ClientUnknown)?;
    context.learn(|known| known.client = Some(client.clone()));
    // Not `prove_device`: a thief's key belongs to no device, and its use must still freeze the session.
    let proved = proven::bound(issuer, call, context)?;
    let state = issuer.stores.grants.find_refresh(&TokenHash::of(&text)).await?;
    let request = RefreshRequest { client, key: *proved.key().thumbprint() };
    match renew(state.as_ref(), &request, context.second()) {
        Renewal::Issue(family) => end(issuer, family, proved, context).await,
        // The key that the device key named for this session's tokens is the same app's. It cannot renew, and it may sign out.
        Renewal::FreezeAndRefuse { session } => match state {
            Some(RefreshState::Live(family)) if issuer.named_keys.names(&session, &request.key) => {
                end(issuer, family, proved, context).await
            }
            Some(RefreshState::Live(_) | RefreshState::Revoked) | None => {
                proven::spend_for_nothing(issuer, proved, context).await?;
                Err(theft::freeze(issuer, &session, context).await)
            }
        },
        Renewal::Refuse(GrantRefusal::RefreshExpired | GrantRefusal::RefreshRevoked | GrantRefusal::RefreshUnknown) => {
            proven::spend_for_nothing(issuer, proved, context).await?;
            // An access token lives on until it expires or its session ends, and the answer must not say otherwise (RFC 7009 section 2.2.1).
            match issuer.access.tokens.verify(text.expose(), context.second()) {
                Ok(_) => Err(Reason::TokenTypeUnsupported.into()),
                Err(_) => Ok(answer::empty(StatusCode::OK)),
            }
        }
        Renewal::Refuse(
            why @ (GrantRefusal::ClientMismatch
            | GrantRefusal::CodeExpired
            | GrantRefusal::CodeReused
            | GrantRefusal::CodeUnknown
            | GrantRefusal::ForeignKey
            | GrantRefusal::VerifierMismatch),
        ) => {
            proven::spend_for_nothing(issuer, proved, context).await?;
            Err(why.into())
        }
    }
}

/// Ends the session of a refresh token that this key may end.
async fn end(issuer: &Issuer, family: RefreshFamily, proved: ProvedKey, context: &RequestContext) -> Result<Response, Refusal> {
    let _proven = proven::spend_key(issuer, proved, Spender::Device(&family.binding.device), context).await?;
    theft::resolve_user(issuer, &family.session, context).await?;
    record::allowed(issuer, Seen::default(), context).await?;
    issuer.stores.sessions.end(&Whose::Session(family.session), context.second()).await?;
    Ok(answer::empty(StatusCode::OK))
}
