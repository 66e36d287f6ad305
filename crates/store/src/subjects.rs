//! Promise: who the people are and which passkeys speak for them.

use async_trait::async_trait;
use countersign_core::{Role, UnixSeconds, UserId};
use countersign_identity::TokenHash;

use crate::unavailable::Unavailable;

/// Permission of a person to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserState {
    /// The person may sign in.
    Active,
    /// The account is closed: the person may not sign in.
    Closed,
}

/// Account of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Identifier of the account, known to this service only.
    pub id: UserId,
    /// Name that the person gave the account: a user name or an e-mail address. Unique.
    pub name: String,
    /// Groups of permissions that the person holds.
    pub roles: Vec<Role>,
    /// Instant at which the account was made.
    pub created_at: UnixSeconds,
    /// Permission to sign in.
    pub state: UserState,
}

/// Passkey that speaks for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passkey {
    /// Credential id (WebAuthn level 3 section 4).
    pub credential: Vec<u8>,
    /// Person for whom the passkey speaks.
    pub user: UserId,
    /// Credential record as the WebAuthn library writes it; it holds public material only.
    pub record: String,
    /// Signature counter at the last use (WebAuthn level 3 section 6.1.1).
    pub counter: u32,
    /// Instant of the registration.
    pub created_at: UnixSeconds,
}

/// Permission to make one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Hash of the code that the person types or scans.
    pub code: TokenHash,
    /// Name that the account will have; `None` leaves the choice to the person.
    pub name: Option<String>,
    /// Roles that the account will have.
    pub roles: Vec<Role>,
    /// Last second in which the invitation counts.
    pub expires_at: UnixSeconds,
}

/// Accounts, passkeys and invitations.
#[async_trait]
pub trait Subjects: Send + Sync {
    /// Makes an account together with its first passkey, or neither. [`Created`] says what happened.
    ///
    /// # Errors
    /// Our fault only.
    async fn create(&self, user: User, passkey: Passkey) -> Result<Created, Unavailable>;

    /// Finds the account of this id.
    ///
    /// # Errors
    /// Our fault only.
    async fn find(&self, id: &UserId) -> Result<Option<User>, Unavailable>;

    /// State of the account, `None` when there is none. On the way of every request: served from memory where it can be.
    ///
    /// # Errors
    /// Our fault only.
    async fn state(&self, id: &UserId) -> Result<Option<UserState>, Unavailable>;

    /// Finds the account of this name.
    ///
    /// # Errors
    /// Our fault only.
    async fn find_by_name(&self, name: &str) -> Result<Option<User>, Unavailable>;

    /// Lists the newest accounts, at most `count_max`.
    ///
    /// # Errors
    /// Our fault only.
    async fn list(&self, count_max: u32) -> Result<Vec<User>, Unavailable>;

    /// Changes state and roles; once this returns, no `state` on this node answers by the old one. `None`: no such account.
    ///
    /// # Errors
    /// Our fault only.
    async fn update(&self, id: &UserId, state: UserState, roles: &[Role]) -> Result<Option<User>, Unavailable>;

    /// Adds another passkey to an account. [`Created::CredentialTaken`] when an account has the credential already; never
    /// [`Created::NameTaken`].
    ///
    /// # Errors
    /// Our fault only.
    async fn add_passkey(&self, passkey: Passkey) -> Result<Created, Unavailable>;

    /// Finds the passkey of this credential id.
    ///
    /// # Errors
    /// Our fault only.
    async fn find_passkey(&self, credential: &[u8]) -> Result<Option<Passkey>, Unavailable>;

    /// Lists all passkeys of an account.
    ///
    /// # Errors
    /// Our fault only.
    async fn passkeys(&self, user: &UserId) -> Result<Vec<Passkey>, Unavailable>;

    /// Notes a use of the passkey: stores the new record and counter, if the stored counter is still `counter_before`. Of two racing uses
    /// of one counter value, one gets [`Used::Raced`].
    ///
    /// # Errors
    /// Our fault only.
    async fn use_passkey(&self, passkey: Passkey, counter_before: u32) -> Result<Used, Unavailable>;

    /// Remembers a new invitation.
    ///
    /// # Errors
    /// Our fault only.
    async fn invite(&self, invitation: Invitation) -> Result<(), Unavailable>;

    /// Finds an invitation that has not expired, without using it up.
    ///
    /// # Errors
    /// Our fault only.
    async fn find_invitation(&self, code: &TokenHash, now: UnixSeconds) -> Result<Option<Invitation>, Unavailable>;

    /// Uses the invitation up. Atomic: of two callers one gets it.
    ///
    /// # Errors
    /// Our fault only.
    async fn take_invitation(&self, code: &TokenHash, now: UnixSeconds) -> Result<Option<Invitation>, Unavailable>;
}

/// Answer to the making of an account or passkey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// The credential belongs to an account already.
    CredentialTaken,
    /// The account or passkey exists now.
    Done,
    /// The name belongs to an account already.
    NameTaken,
}

/// Answer to the use of a passkey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Used {
    /// The use was noted.
    Noted,
    /// Another caller used the same counter value first.
    Raced,
}
