//! Unpredictable bytes, drawn in this one place.

use countersign_core::Entropy;

/// The operating system's generator, through the cryptographic library.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    #[expect(clippy::disallowed_methods, reason = "this is the `Entropy` that everybody else asks")]
    fn fill(&self, buffer: &mut [u8]) {
        if aws_lc_rs::rand::fill(buffer).is_err() {
            // SECURITY: without random bytes every identifier could be guessed. The library aborts by itself in this case
            // on the platforms that we know; nothing may go on here on any other.
            std::process::abort();
        }
    }
}
