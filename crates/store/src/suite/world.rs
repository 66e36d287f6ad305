//! What a backend under test brings along.

use std::sync::Arc;

use async_trait::async_trait;
use countersign_core::Session;

use crate::{
    bindings::Bindings,
    challenges::Challenges,
    counters::RateCounters,
    dev_tokens::DevTokens,
    devices::Devices,
    grants::Grants,
    incidents::Incidents,
    keys::{Keys, SubjectKeys},
    replay::ReplayMemory,
    sessions::Sessions,
    subjects::{Created, Subjects},
    suite::{
        fail_nth::{FailNth, Faults},
        samples::{device, passkey, session, user},
    },
};

/// Where a backend keeps its data, so that a test can restart it.
#[async_trait]
pub trait Home: Send + Sync {
    /// Opens the store over the same data as before. Whatever was open is closed first, and answers no more.
    async fn open(&self) -> Truth;
}

/// Every promise that must outlive the process.
#[derive(Clone)]
pub struct Truth {
    /// Who signs in on which devices.
    pub bindings: Arc<dyn Bindings>,
    /// Development tokens.
    pub dev_tokens: Arc<dyn DevTokens>,
    /// Devices.
    pub devices: Arc<dyn Devices>,
    /// Codes and refresh families.
    pub grants: Arc<dyn Grants>,
    /// Incidents.
    pub incidents: Arc<dyn Incidents>,
    /// Keys of ours.
    pub keys: Arc<dyn Keys>,
    /// Sessions.
    pub sessions: Arc<dyn Sessions>,
    /// Keys that seal people's fields.
    pub subject_keys: Arc<dyn SubjectKeys>,
    /// People.
    pub subjects: Arc<dyn Subjects>,
}

/// Every promise that need not.
#[derive(Clone)]
pub struct Fast {
    /// Challenges.
    pub challenges: Arc<dyn Challenges>,
    /// Rates.
    pub counters: Arc<dyn RateCounters>,
    /// Used proofs.
    pub replay: Arc<dyn ReplayMemory>,
}

impl Truth {
    /// All promises of one backend.
    #[must_use]
    pub fn of<B>(backend: &Arc<B>) -> Self
    where
        B: Bindings + DevTokens + Devices + Grants + Incidents + Keys + Sessions + SubjectKeys + Subjects + 'static,
    {
        Self {
            bindings: Arc::clone(backend) as _,
            dev_tokens: Arc::clone(backend) as _,
            devices: Arc::clone(backend) as _,
            grants: Arc::clone(backend) as _,
            incidents: Arc::clone(backend) as _,
            keys: Arc::clone(backend) as _,
            sessions: Arc::clone(backend) as _,
            subject_keys: Arc::clone(backend) as _,
            subjects: Arc::clone(backend) as _,
        }
    }

    /// The same, with the n-th call to any of them failing.
    #[must_use]
    pub fn failing(&self, faults: &Arc<Faults>) -> Self {
        Self {
            bindings: Arc::new(FailNth::new(Arc::clone(&self.bindings), Arc::clone(faults))),
            dev_tokens: Arc::new(FailNth::new(Arc::clone(&self.dev_tokens), Arc::clone(faults))),
            devices: Arc::new(FailNth::new(Arc::clone(&self.devices), Arc::clone(faults))),
            grants: Arc::new(FailNth::new(Arc::clone(&self.grants), Arc::clone(faults))),
            incidents: Arc::new(FailNth::new(Arc::clone(&self.incidents), Arc::clone(faults))),
            keys: Arc::new(FailNth::new(Arc::clone(&self.keys), Arc::clone(faults))),
            sessions: Arc::new(FailNth::new(Arc::clone(&self.sessions), Arc::clone(faults))),
            subject_keys: Arc::new(FailNth::new(Arc::clone(&self.subject_keys), Arc::clone(faults))),
            subjects: Arc::new(FailNth::new(Arc::clone(&self.subjects), Arc::clone(faults))),
        }
    }

    /// The person and the device that a session of that number is of.
    ///
    /// # Panics
    /// When they are not made.
    pub async fn settle(&self, number: u16) {
        let made = self.subjects.create(user(number), passkey(number)).await;
        assert_eq!(made, Ok(Created::Done), "an account");
        let enrolled = self.devices.enrol(device(number)).await;
        assert_eq!(enrolled, Ok(device(number)), "a device");
    }

    /// Opens a session, with the person and the device that it is of.
    ///
    /// # Panics
    /// When it is not opened.
    pub async fn open_session(&self, number: u16) -> Session {
        self.settle(number).await;
        assert_eq!(self.sessions.open(session(number)).await, Ok(()), "a session");
        session(number)
    }
}

impl Fast {
    /// The same, with the n-th call to any of them failing.
    #[must_use]
    pub fn failing(&self, faults: &Arc<Faults>) -> Self {
        Self {
            challenges: Arc::new(FailNth::new(Arc::clone(&self.challenges), Arc::clone(faults))),
            counters: Arc::new(FailNth::new(Arc::clone(&self.counters), Arc::clone(faults))),
            replay: Arc::new(FailNth::new(Arc::clone(&self.replay), Arc::clone(faults))),
        }
    }
}
