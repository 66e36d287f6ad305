//! Pairwise subjects: one person has a different name in every sector, and nobody can join the two.

use aws_lc_rs::hmac;
use countersign_codec::base64url;
use countersign_core::{ContractViolation, PairwiseId, Secret, UserId};

/// Apps and upstreams that know a person by one and the same name (OpenID Connect Core section 8.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sector(pub String);

/// The key from which all pairwise names are made; every node of a deployment has the same one.
pub struct PairwiseKey(hmac::Key);

impl PairwiseKey {
    /// Takes the key's bytes in.
    #[must_use]
    pub fn new(bytes: &Secret<[u8; 32]>) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes.expose()))
    }

    /// The name of `user` in `sector`: HMAC-SHA256 over both, unambiguously joined, cut to 128 bits.
    ///
    /// # Errors
    /// Never, as long as base64url's alphabet is part of an identifier's.
    pub fn name(&self, user: &UserId, sector: &Sector) -> Result<PairwiseId, ContractViolation> {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(&u64::try_from(sector.0.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(sector.0.as_bytes());
        context.update(user.as_str().as_bytes());
        let tag = context.sign();
        let cut = tag.as_ref().get(..16).unwrap_or_default();
        PairwiseId::parse(&format!("p_{}", base64url::encode(cut))).map_err(|_| ContractViolation("a pairwise name is an identifier"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_per_sector_and_stay() {
        let key = PairwiseKey::new(&Secret::new([7; 32]));
        let user = UserId::parse("u_1").expect("an id");
        let name = |sector: &str| key.name(&user, &Sector(sector.to_owned())).expect("a name");
        assert_eq!(name("shop"), name("shop"));
        assert_ne!(name("shop"), name("bank"));
        // The join of sector and user is unambiguous.
        let other = UserId::parse("1").expect("an id");
        assert_ne!(key.name(&other, &Sector("shopu_".to_owned())).expect("a name"), name("shop"));
    }
}
