//! Signing keys take turns: here a key that is due is made, and everybody who signs, verifies or publishes learns of it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use countersign_core::UnixSeconds;
use countersign_gateway::{Gateway, StatementKey};
use countersign_proof::{access_token::TokenVerifier, key_set::KeyRing};
use countersign_store::{KeyPurpose, Keys, Unavailable};

use crate::assembly::keys;

/// Both rings, as they stand now. Clones share them.
#[derive(Clone)]
pub struct Rings {
    /// Sign access tokens.
    pub access: Arc<ArcSwap<KeyRing>>,
    /// Sign statements to upstreams.
    pub statements: Arc<ArcSwap<KeyRing>>,
}

impl Rings {
    /// Reads both, and makes what is missing.
    ///
    /// # Errors
    /// Our fault only.
    pub async fn load(store: &dyn Keys, now: UnixSeconds) -> Result<Self, Unavailable> {
        Ok(Self {
            access: Arc::new(ArcSwap::from_pointee(keys::ring(store, KeyPurpose::AccessToken, now).await?)),
            statements: Arc::new(ArcSwap::from_pointee(keys::ring(store, KeyPurpose::Statement, now).await?)),
        })
    }

    /// What verifies access tokens of `issuer`, now.
    #[must_use]
    pub fn verifier(&self, issuer: &str, now: UnixSeconds) -> TokenVerifier {
        TokenVerifier { issuer: issuer.to_owned(), audience: issuer.to_owned(), keys: self.access.load().published(now) }
    }

    /// The key that signs statements, now.
    ///
    /// # Errors
    /// Our fault only.
    pub async fn statement_key(&self, store: &dyn Keys, now: UnixSeconds) -> Result<StatementKey, Unavailable> {
        let (id, key) = keys::current(store, KeyPurpose::Statement, &self.statements.load(), now).await?;
        Ok(StatementKey { id, key })
    }

    /// Tells if somebody signs at `now`: without, nobody gets a token, and no request reaches an upstream.
    #[must_use]
    pub(crate) fn can_sign(&self, now: UnixSeconds) -> bool {
        [&self.access, &self.statements].iter().all(|ring| ring.load().current(now).is_some())
    }

    /// Gives every key its turn.
    ///
    /// # Errors
    /// Our fault only; everything stays as it was, and the next look tries again.
    pub async fn turn(&self, store: &dyn Keys, house: &Gateway, issuer: &str, now: UnixSeconds) -> Result<(), Unavailable> {
        let access = keys::ring(store, KeyPurpose::AccessToken, now).await?;
        let statements = keys::ring(store, KeyPurpose::Statement, now).await?;
        self.access.store(Arc::new(access));
        self.statements.store(Arc::new(statements));
        house.access().tokens.replace(self.verifier(issuer, now));
        house.statements().replace(self.statement_key(store, now).await?);
        Ok(())
    }
}
