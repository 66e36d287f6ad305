//! The end of a session by the app that holds it (RFC 7009).

use axum::response::Response;
use countersign_core::{ClientId, Reason};
use countersign_identity::{GrantRefusal, RefreshRequest, Renewal, TokenHash, renew};
use http::StatusCode;

use crate::{
    answer,
    form::Form,
    house::Issuer,
    proven,
    receive::Call,
    record::{self, Seen},
    refusal::Refusal,
    theft,
    visit::Visit,
};

/// Ends the session that a refresh token keeps alive. A token that opens nothing is answered like one that does (RFC 7009
/// section 2.2): what was asked for is the case.
pub async fn revoke(issuer: &Issuer, call: &Call, visit: &Visit) -> Result<Response, Refusal> {
    let mut form = Form::parse(&call.body)?;
    let mut take = |name: &str| form.take(name).ok_or(Refusal::new(Reason::BodyFieldInvalid));
    let token = TokenHash::of(&take("token")?);
    let client = ClientId::parse(take("client_id")?.expose()).map_err(|_| Refusal::new(Reason::ClientUnknown))?;
    issuer.app(&client).ok_or(Reason::ClientUnknown)?;
    visit.learn(|known| known.client = Some(client.clone()));
    // Not `prove_device`: a thief's key is no device, and must still freeze what it was used on.
    let proven = proven::prove_key(issuer, call, visit).await?;
    let state = issuer.stores.grants.find_refresh(&token).await?;
    let request = RefreshRequest { client, key: *proven.key().thumbprint() };
    match renew(state.as_ref(), &request, visit.second()) {
        Renewal::Issue(family) => {
            theft::whose(issuer, &family.session, visit).await?;
            record::allowed(issuer, Seen::default(), visit).await?;
            theft::end(issuer, &family.session).await?;
            Ok(answer::empty(StatusCode::OK))
        }
        Renewal::FreezeAndRefuse { session } => Err(theft::freeze(issuer, &session, visit).await),
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
