//! Promise: who the people are and which passkeys speak for them.

use async_trait::async_trait;
use countersign_core::{Role, UnixSeconds, UserId};
use countersign_identity::TokenHash;

use crate::unavailable::Unavailable;

/// Whether a person may sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserState {
    /// May sign in.
    Active,
    /// May not.
    Closed,
}

/// A person's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its id, known only to us.
    pub id: UserId,
    /// What the person calls the account: a user name or an e-mail address. Unique.
    pub name: String,
    /// The groups of permissions that the person holds.
    pub roles: Vec<Role>,
    /// When it was made.
    pub created_at: UnixSeconds,
    /// Whether the person may sign in.
    pub state: UserState,
}

/// A passkey that speaks for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passkey {
    /// The credential id (WebAuthn level 3 section 4).
    pub credential: Vec<u8>,
    /// For whom it speaks.
    pub user: UserId,
    /// The credential record as the WebAuthn library writes it; public material.
    pub record: String,
    /// Signature counter at the last use (WebAuthn level 3 section 6.1.1).
    pub counter: u32,
    /// When it was registered.
    pub created_at: UnixSeconds,
}

/// Leave to make one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Hash of the code that the person types or scans.
    pub code: TokenHash,
    /// The name that the account will have; `None` leaves it to the person.
    pub name: Option<String>,
    /// The roles that the account will have.
    pub roles: Vec<Role>,
    /// When it lapses.
    pub expires_at: UnixSeconds,
}

/// People, passkeys, invitations.
#[async_trait]
pub trait Subjects: Send + Sync {
    /// Makes an account together with its first passkey, or neither. See [`Created`].
    ///
    /// # Errors
    /// Our fault only.
    async fn create(&self, user: User, passkey: Passkey) -> Result<Created, Unavailable>;

    /// The account.
    ///
    /// # Errors
    /// Our fault only.
    async fn find(&self, id: &UserId) -> Result<Option<User>, Unavailable>;

    /// State of the account, `None` when there is none. On the way of every request: served from memory where it can be.
    ///
    /// # Errors
    /// Our fault only.
    async fn state(&self, id: &UserId) -> Result<Option<UserState>, Unavailable>;

    /// The account of that name.
    ///
    /// # Errors
    /// Our fault only.
    async fn find_by_name(&self, name: &str) -> Result<Option<User>, Unavailable>;

    /// The newest accounts, at most `count_max`.
    ///
    /// # Errors
    /// Our fault only.
    async fn list(&self, count_max: u32) -> Result<Vec<User>, Unavailable>;

    /// Changes state and roles; once this returns, no `state` on this node answers by the old one. `None`: no such account.
    ///
    /// # Errors
    /// Our fault only.
    async fn update(&self, id: &UserId, state: UserState, roles: &[Role]) -> Result<Option<User>, Unavailable>;

    /// Another passkey for an account. `NameTaken` never, `CredentialTaken` when somebody has it.
    ///
    /// # Errors
    /// Our fault only.
    async fn add_passkey(&self, passkey: Passkey) -> Result<Created, Unavailable>;

    /// The passkey of that credential id.
    ///
    /// # Errors
    /// Our fault only.
    async fn find_passkey(&self, credential: &[u8]) -> Result<Option<Passkey>, Unavailable>;

    /// All passkeys of an account.
    ///
    /// # Errors
    /// Our fault only.
    async fn passkeys(&self, user: &UserId) -> Result<Vec<Passkey>, Unavailable>;

    /// Notes a use of the passkey: the new record and counter, if the stored counter is still `counter_before`.
    /// Of two racing uses of one counter value, one gets `Used::Raced`.
    ///
    /// # Errors
    /// Our fault only.
    async fn use_passkey(&self, passkey: Passkey, counter_before: u32) -> Result<Used, Unavailable>;

    /// Remembers an invitation.
    ///
    /// # Errors
    /// Our fault only.
    async fn invite(&self, invitation: Invitation) -> Result<(), Unavailable>;

    /// The invitation, if it has not lapsed, without using it up.
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

/// What became of a new account or passkey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// The credential belongs to an account already.
    CredentialTaken,
    /// It exists now.
    Done,
    /// The name belongs to an account already.
    NameTaken,
}

/// What became of the use of a passkey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Used {
    /// Noted.
    Noted,
    /// Somebody else used the same counter value first.
    Raced,
}
