//! Tokens, keys and proofs of possession: strict, pure verification
