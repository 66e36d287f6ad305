//! The append-only Merkle log: entries, proofs, checkpoints, sealed personal fields
