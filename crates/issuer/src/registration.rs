//! Registration: a new account with its first passkey, made on an enrolled device.

use axum::response::Response;
use countersign_codec::sha256;
use countersign_compliance::{Guess, Standing};
use countersign_core::{ClientId, Reason, Secret, Site};
use countersign_identity::{NewAccount, RegistrationCeremony, StoredPasskey, TokenHash, UserHandle};
use countersign_proof::challenge::ChallengePurpose;
use countersign_store::{Created, Invitation, Passkey, User, UserState};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::{
    answer,
    ceremony::{self, Beginning, Finish},
    context::RequestContext,
    json, name,
    proven::{ProvenDevice, prove_device},
    receive::Call,
    record::{self, Seen},
    refusal::Refusal,
    state::{Issuer, SignUp},
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    client_id: String,
    name: String,
    invitation: Option<String>,
}

/// Data that is remembered until the passkey was made. The invitation is kept as a hash, so that a reader of the store cannot use it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Begun {
    handle: [u8; 16],
    name: String,
    invitation: Option<[u8; 32]>,
    state: String,
}

#[derive(Serialize)]
struct Made<'a> {
    name: &'a str,
}

/// Begins a registration, if sign-up is open to this request.
pub async fn start(issuer: &Issuer, call: &Call, context: &RequestContext) -> Result<Response, Refusal> {
    let device = prove_device(issuer, call, context).await?;
    let start: Start = json::parse(&call.body)?;
    let client = ClientId::parse(&start.client_id).map_err(|_| Refusal::new(Reason::ClientUnknown))?;
    issuer.apps().of(&client)?.enrolled(device.live.posture())?;
    context.learn(|known| known.client = Some(client.clone()));
    let name = name::parse(&start.name)?;
    let invitation = invited(issuer, start.invitation, &name, &device, context).await?;
    // Answered before the person makes a passkey that would lead nowhere. Whoever may sign up can find out either way.
    if issuer.stores.subjects.find_by_name(&name).await?.is_some() {
        return Err(Reason::NameTaken.into());
    }
    let random = issuer.random();
    let account = NewAccount { handle: UserHandle::from_random(random), name: name.clone() };
    let (options, state) = issuer.config.passkeys.start_registration(&account)?;
    let begun = Begun { handle: random, name, invitation: invitation.map(|hash| *hash.as_bytes()), state: state.as_str().to_owned() };
    let beginning = Beginning { purpose: ChallengePurpose::Registration, client: &client, device: &device, options, more: begun };
    Ok(answer::json(StatusCode::OK, &ceremony::start(issuer, beginning, context)?))
}

/// Tells whether sign-up is open to this request, and returns the invitation's hash, if one opens it. The invitation is used up only when
/// the account is made.
async fn invited(
    issuer: &Issuer,
    code: Option<String>,
    name: &str,
    device: &ProvenDevice,
    context: &RequestContext,
) -> Result<Option<TokenHash>, Refusal> {
    let Some(code) = code else {
        return match issuer.config.sign_up {
            SignUp::Open => Ok(None),
            SignUp::Invite => Err(Reason::SignUpClosed.into()),
        };
    };
    // Nobody is bound to an account that is yet to be made.
    let guess = Guess {
        account: sha256(&[name.as_bytes()]),
        device: *device.live.posture().key.as_bytes(),
        standing: Standing::Stranger,
        site: Site::of(context.address),
    };
    let guessed = issuer.allowances.guess(&guess)?;
    let hash = TokenHash::of(&Secret::new(code));
    let invitation = issuer.stores.subjects.find_invitation(&hash, context.second()).await?.ok_or(Reason::SignUpClosed)?;
    if invitation.name.is_some_and(|wanted| wanted != name) {
        return Err(Reason::SignUpClosed.into());
    }
    issuer.allowances.right(&guessed);
    Ok(Some(hash))
}

/// Takes the new passkey and makes the account.
pub async fn finish(issuer: &Issuer, call: &Call, context: &RequestContext) -> Result<Response, Refusal> {
    let device = prove_device(issuer, call, context).await?;
    let finish: Finish = json::parse(&call.body)?;
    let _work = issuer.allowances.check(Some(&device.live.posture().key), context)?;
    let resumed = ceremony::resume::<Begun>(issuer, ChallengePurpose::Registration, &finish, &device, context).await?;
    let begun = resumed.more;
    let ceremony = RegistrationCeremony::recall(begun.state);
    let stored = issuer.config.passkeys.finish_registration(&ceremony, finish.credential.get())?.into_stored();
    let user = UserHandle::from_random(begun.handle).user();
    context.learn(|known| known.user = Some(user.clone()));
    record::allowed(issuer, Seen::default(), context).await?;
    let subjects = &issuer.stores.subjects;
    let invitation = match begun.invitation {
        None => None,
        Some(hash) => {
            // Taken before the account is made, so that of two registrations with one invitation only one makes an account.
            let taken = subjects.take_invitation(&TokenHash::from_bytes(hash), context.second()).await?;
            Some(taken.ok_or(Reason::SignUpClosed)?)
        }
    };
    let StoredPasskey { credential, record, counter } = stored;
    let passkey = Passkey { credential, user: user.clone(), record, counter, created_at: context.second() };
    let roles = invitation.as_ref().map(|invitation| invitation.roles.clone()).unwrap_or_default();
    let account = User { id: user, name: begun.name.clone(), roles, created_at: context.second(), state: UserState::Active };
    let refused = match subjects.create(account, passkey).await? {
        Created::Done => return Ok(answer::json(StatusCode::CREATED, &Made { name: &begun.name })),
        Created::NameTaken => Reason::NameTaken,
        Created::CredentialTaken => Reason::LoginRefused,
    };
    give_back(issuer, invitation).await?;
    Err(refused.into())
}

/// Stores an invitation again that made no account.
async fn give_back(issuer: &Issuer, invitation: Option<Invitation>) -> Result<(), Refusal> {
    match invitation {
        None => Ok(()),
        Some(invitation) => Ok(issuer.stores.subjects.invite(invitation).await?),
    }
}
