//! The append-only Merkle log: what is written down, how it is proved, and how tampering is found.
//!
//! Bytes, keys and random values in; lines, proofs and verdicts out. This crate does not open files, hold a log or decide
//! what is worth recording: `store::segments` writes what is rendered here, and servers say what happened.

mod checkpoint;
mod entry;
mod fault;
mod group;
mod hash;
mod line;
mod merkle;
mod proof_file;
mod seal;
mod verify;

pub use checkpoint::{Checkpoint, CheckpointKey, CheckpointRefusal, CheckpointVerifier, KeyRefusal};
pub use entry::{Entry, Event, EventKind, PersonalField, PersonalName};
pub use fault::{Fault, FaultKind};
pub use hash::{Hash, leaf_hash, node_hash};
pub use line::{Header, Line, LineRefusal, commit_line, record_line};
pub use merkle::{
    Frontier, ProofRefusal, VerifiedConsistency, VerifiedInclusion, consistency_proof, inclusion_proof, root, verify_consistency,
    verify_inclusion,
};
pub use proof_file::{CheckedEntry, ProofFileRefusal, check, prove};
pub use seal::{Disclosure, KeyHandle, PersonKey, SealBytes, SealRefusal, check_disclosure, disclose, handle, open, seal};
pub use verify::{Report, Verifier};

#[cfg(test)]
mod samples;
