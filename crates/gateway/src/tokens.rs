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
