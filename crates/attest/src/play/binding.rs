//! The value that a phone has to pass to Google Play, so that the verdict is about this challenge and this device key.

use countersign_codec::{base64url, sha256};
use countersign_core::Thumbprint;

/// Prefix that keeps these hashes apart from every other use of SHA-256.
const DOMAIN: &[u8] = b"countersign.play.v1";

/// Request hash (or nonce) for `challenge` and the device key: SHA-256 over the domain, the 32 bytes of the challenge and the 32 bytes of
/// the thumbprint, in unpadded base64url.
///
/// A verdict for this hash is useless to somebody with another key, and the hash reveals nothing about its inputs.
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
