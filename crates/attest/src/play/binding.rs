//! What a phone has to ask Google Play for, so that the verdict speaks of this challenge and this device key.

use countersign_codec::{base64url, sha256};
use countersign_core::Thumbprint;

/// Keeps our hashes apart from everything else that is hashed.
const DOMAIN: &[u8] = b"countersign.play.v1";

/// The request hash (or nonce) for `challenge` and the device key: SHA-256 over the domain, the 32 bytes of the challenge and the
/// 32 of the thumbprint, in unpadded base64url.
///
/// A verdict for it is of no use to somebody who holds another key, and says nothing of what was asked.
#[must_use]
pub fn request_hash(challenge: &[u8; 32], device_key: &Thumbprint) -> String {
    base64url::encode(sha256(&[DOMAIN, challenge, device_key.as_bytes()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenge_and_key_are_bound() {
        let key = Thumbprint::from_bytes([2; 32]);
        // printf 'countersign.play.v1' plus 32 times 0x01 and 32 times 0x02, through sha256sum and base64.
        assert_eq!(request_hash(&[1; 32], &key), "QEQhBBYzxMVaU7uHOPi3IpiTVuDGPhHQRulIuFmR1rI");
        assert_ne!(request_hash(&[3; 32], &key), request_hash(&[1; 32], &key), "another challenge");
        assert_ne!(request_hash(&[1; 32], &Thumbprint::from_bytes([3; 32])), request_hash(&[1; 32], &key), "another key");
    }
}
