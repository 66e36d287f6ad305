//! The append-only Merkle log: what is written down, how it is proved, and how tampering is found.
//!
//! Bytes, keys and random values in; lines, proofs and verdicts out. This crate does not open files, hold a log or decide
//! what is worth recording: `store::segments` writes what is rendered here, and servers say what happened.

mod checkpoint;
mod choices;
mod earlier;
mod entry;
mod event;
mod fault;
mod format1;
mod format2;
mod glance;
mod group;
mod hash;
mod identity;
mod line;
mod merkle;
mod person_key;
mod posture_seen;
mod proof_file;
mod record;
mod recorded_facts;
mod restore;
mod rules_digest;
mod seal;
mod seal_refusal;
mod shown;
mod spelling;
mod tree;
mod verify;

pub use checkpoint::{Checkpoint, CheckpointKey, CheckpointRefusal, CheckpointVerifier, KeyRefusal};
pub use choices::{AccountState, Activated, Actor, CutOff, EventKind, Evidence, FromNetworks, Judged, Purpose};
pub use earlier::Earlier;
pub use entry::Entry;
pub use event::{
    About, AtEndpoint, ConfigActivated, ConnectionCut, DatabaseSeen, Decided, DevTokenCreated, DevTokenRevoked, DeviceAttested,
    DeviceEnrolled, DeviceReported, DeviceRevoked, DeviceSeen, Event, Grounds, IncidentJudged, IncidentSeen, LogInterrupted, PersonErased,
    ReasonCount, Recorded, RefusalsCounted, RequestJudged, SessionChanged, SignedIn, UserChanged, UserInvited,
};
pub use fault::{Fault, FaultKind};
pub use format2::SealBytes;
pub use glance::Glance;
pub use hash::{Hash, leaf_hash, node_hash};
pub use identity::{DeviceName, Identity, PersonalField, PersonalName};
pub use line::{Format, Header, Line, LineRefusal, commit_line, record_line};
pub use merkle::{
    Frontier, ProofRefusal, VerifiedConsistency, VerifiedInclusion, consistency_proof, inclusion_proof, root, verify_consistency,
    verify_inclusion,
};
pub use person_key::{KeyHandle, PersonKey};
pub use posture_seen::{LackSeen, PostureSeen, ReportSeen, VerdictSeen};
pub use proof_file::{CheckedEntry, ProofFileRefusal, check, prove};
pub use record::{Disclosure, Record, check_disclosure, disclose, handle, open};
pub use recorded_facts::{OpenFacts, OpenValue, Owner, RecordedFacts, RiskSeen, SealedFacts, Times, Version1};
pub use restore::FactsRefusal;
pub use rules_digest::RulesDigest;
pub use seal::seal;
pub use seal_refusal::SealRefusal;
pub use tree::Place;
pub use verify::{Report, Verifier};

#[cfg(test)]
mod samples;
