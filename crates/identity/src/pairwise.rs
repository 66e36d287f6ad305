//! Pairwise subjects: a person has another name in every sector, and nobody outside can link two of them.

use aws_lc_rs::hmac;
use countersign_codec::base64url;
use countersign_core::{ContractViolation, PairwiseId, Secret, UserId};

/// Group of apps and upstreams that know a person by one name (OpenID Connect Core section 8.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sector(pub String);

/// Key from which all pairwise names are derived; every node of a deployment has the same one.
pub struct PairwiseKey(hmac::Key);

impl PairwiseKey {
    /// Takes the 32 bytes of the key.
    #[must_use]
    pub fn new(bytes: &Secret<[u8; 32]>) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes.expose()))
    }

    /// The name of `user` in `sector`: HMAC-SHA256 over both, cut to 128 bits.
    ///
    /// # Errors
    /// None in practice: the alphabet of base64url is part of an identifier's.
    pub fn name(&self, user: &UserId, sector: &Sector) -> Result<PairwiseId, ContractViolation> {
        let mut context = hmac::Context::with_key(&self.0);
        // The length in front keeps two pairs of sector and user from giving the same bytes.
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
