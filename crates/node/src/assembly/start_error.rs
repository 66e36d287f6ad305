//! Why a node does not start.

use std::{fmt, io};

use countersign_store::Unavailable;

use crate::{
    assembly::{lock::LockError, stores::OpenError},
    config::Faults,
};

/// Why a node does not start. Alphabetical.
#[derive(Debug)]
pub enum StartError {
    /// Config, policies, trust anchors or certificate are not fully understood.
    Config(Faults),
    /// There are fewer descriptors than connections need.
    Descriptors(String),
    /// A file or a port cannot be had.
    Io {
        /// What was tried, in words.
        what: String,
        /// The system's word.
        source: io::Error,
    },
    /// The data directory is not ours.
    Lock(LockError),
    /// Database or log cannot be opened.
    Open(OpenError),
    /// The store does not answer, or holds what it should not.
    Store(Unavailable),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(faults) => faults.fmt(f),
            Self::Descriptors(fault) => f.write_str(fault),
            Self::Io { what, source } => write!(f, "{what}: {source}"),
            Self::Lock(fault) => fault.fmt(f),
            Self::Open(fault) => fault.fmt(f),
            Self::Store(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

impl From<Faults> for StartError {
    fn from(faults: Faults) -> Self {
        Self::Config(faults)
    }
}

impl From<LockError> for StartError {
    fn from(fault: LockError) -> Self {
        Self::Lock(fault)
    }
}

impl From<OpenError> for StartError {
    fn from(fault: OpenError) -> Self {
        Self::Open(fault)
    }
}

impl From<Unavailable> for StartError {
    fn from(fault: Unavailable) -> Self {
        Self::Store(fault)
    }
}
