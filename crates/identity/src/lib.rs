//! Identity as pure rules: grants, bindings, development tokens, passkeys, assurance, pairwise subjects.
//!
//! This crate decides. It does not store, send, or read a clock: state goes in, an answer comes out, and the servers do what the answer
//! says. It knows nothing about the evidence of devices (that is `attest`) or about HTTP (that is `issuer`).

mod assurance;
mod binding;
mod dev_kit;
mod dev_token;
mod grant;
mod hash;
mod pairwise;
mod passkey;
mod session_life;

pub use assurance::Assurance;
pub use binding::{
    Asking, Binding, BindingRefusal, BindingRules, BindingState, OpenedBy, PasskeyPlace, ShownPasskey, bind, cooling_down, cut, lift,
    session_state,
};
pub use dev_kit::{DevKit, DevKitRefusal};
pub use dev_token::{Build, DevToken, DevTokenRefusal, DevTokenText, DevUse, Networks, admit};
pub use grant::{
    CodeGrant, CodeRequest, CodeState, DeviceBinding, Exchange, GrantRefusal, RefreshFamily, RefreshRequest, RefreshState, Renewal,
    exchange, renew,
};
pub use hash::{CodeChallenge, TokenHash, VerifierRefusal};
pub use pairwise::{PairwiseKey, Sector};
pub use passkey::{
    CeremonyOptions, LoginCeremony, LoginCredential, NewAccount, OriginError, PasskeyOrigin, PasskeyRefusal, RegisteredPasskey,
    RegistrationCeremony, RelyingParty, RelyingPartyError, StoredPasskey, UserHandle, VerifiedLogin, place,
};
pub use session_life::SessionLife;
