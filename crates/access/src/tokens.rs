//! Step 3 of the way: an access token is verified once and then remembered by its hash until it expires.

use std::sync::Arc;

use arc_swap::ArcSwap;
use countersign_core::UnixSeconds;
use countersign_proof::access_token::{TokenRefusal, TokenVerifier, VerifiedToken, token_hash};
use quick_cache::sync::Cache;

/// Tokens remembered at one time; about a kilobyte each.
const TOKENS_REMEMBERED_MAX: usize = 20_000;

/// The verifier, and what it verified.
pub struct Tokens {
    /// SECURITY: verifier and memory are one value. Were they two, a token could be verified by the old keys and
    /// remembered after the new ones came.
    current: ArcSwap<Epoch>,
}

struct Epoch {
    verifier: TokenVerifier,
    remembered: Cache<[u8; 32], Arc<VerifiedToken>>,
}

impl Tokens {
    /// Begins with `verifier` and nothing remembered.
    #[must_use]
    pub fn new(verifier: TokenVerifier) -> Self {
        Self { current: ArcSwap::from_pointee(Epoch::new(verifier)) }
    }

    /// Verifies by other keys from now on, and forgets what the old ones verified.
    pub fn replace(&self, verifier: TokenVerifier) {
        self.current.store(Arc::new(Epoch::new(verifier)));
    }

    /// Verifies `token`, or recognises it. What time can change is asked every time.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn verify(&self, token: &str, now: UnixSeconds) -> Result<Arc<VerifiedToken>, TokenRefusal> {
        let epoch = self.current.load();
        let hash = token_hash(token);
        if let Some(known) = epoch.remembered.get(&hash) {
            return match known.fresh(now) {
                Ok(()) => Ok(known),
                Err(refusal) => {
                    epoch.remembered.remove(&hash);
                    Err(refusal)
                }
            };
        }
        let verified = Arc::new(epoch.verifier.verify(token, now)?);
        epoch.remembered.insert(hash, Arc::clone(&verified));
        Ok(verified)
    }
}

impl Epoch {
    fn new(verifier: TokenVerifier) -> Self {
        Self { verifier, remembered: Cache::new(TOKENS_REMEMBERED_MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::{Acr, ClientId, KeyId, PairwiseId, ProofId, SessionId, Thumbprint};
    use countersign_proof::{
        access_token::{self, Claims},
        jwk::{Algorithm, SigningKey},
        key_set::KeySet,
    };

    const ISSUER: &str = "https://api.example.com";

    fn verifier(keys: KeySet) -> TokenVerifier {
        TokenVerifier { issuer: ISSUER.to_owned(), audience: ISSUER.to_owned(), keys }
    }

    #[test]
    fn what_is_remembered_is_still_asked_for_its_time_and_its_key() {
        let (key, _) = SigningKey::generate(Algorithm::Es256).expect("a key");
        let id = KeyId::parse("k1").expect("an id");
        let claims = Claims {
            issuer: ISSUER.to_owned(),
            audience: ISSUER.to_owned(),
            subject: PairwiseId::parse("p_1").expect("an id"),
            client: ClientId::parse("app").expect("an id"),
            session: SessionId::parse("s_1").expect("an id"),
            id: ProofId::parse("t1").expect("an id"),
            issued_at: UnixSeconds(1000),
            expires_at: UnixSeconds(1300),
            auth_time: UnixSeconds(1000),
            acr: Acr::Basic,
            amr: vec![],
            key: Thumbprint::from_bytes([1; 32]),
        };
        let token = access_token::issue(&key, &id, &claims).expect("a token");
        let keys = KeySet::new([(id, key.public().clone())]);
        let tokens = Tokens::new(verifier(keys.clone()));
        let verify = |now| tokens.verify(token.expose(), UnixSeconds(now)).map(|_| ());
        assert_eq!(verify(1000), Ok(()));
        assert_eq!(verify(1299), Ok(()), "remembered");
        assert_eq!(verify(1300), Err(TokenRefusal::Expired), "remembered, and its time is over");
        assert_eq!(verify(1300), Err(TokenRefusal::Expired), "verified anew");
        assert_eq!(verify(1299), Ok(()));
        tokens.replace(verifier(KeySet::default()));
        assert!(verify(1299).is_err(), "the key is no longer published");
        tokens.replace(verifier(keys));
        assert_eq!(verify(1299), Ok(()));
    }
}
