//! Backend under test, with all that the suite needs of it.

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

/// Place where a backend keeps its data, so that a test can restart it.
#[async_trait]
pub trait Home: Send + Sync {
    /// Opens the store over the same data as before. An earlier store over them is closed first, and answers no more.
    async fn open(&self) -> Truth;
}

/// Stores of every promise that must outlive the process.
#[derive(Clone)]
pub struct Truth {
    /// Bindings of people to devices.
    pub bindings: Arc<dyn Bindings>,
    /// Development tokens and their use.
    pub dev_tokens: Arc<dyn DevTokens>,
    /// Enrolled devices and their postures.
    pub devices: Arc<dyn Devices>,
    /// Codes and refresh families.
    pub grants: Arc<dyn Grants>,
    /// Incidents and suppressions.
    pub incidents: Arc<dyn Incidents>,
    /// Keys of the node.
    pub keys: Arc<dyn Keys>,
    /// Sessions and their states.
    pub sessions: Arc<dyn Sessions>,
    /// Keys that seal people's fields.
    pub subject_keys: Arc<dyn SubjectKeys>,
    /// Accounts, passkeys and invitations.
    pub subjects: Arc<dyn Subjects>,
}

/// Stores of every promise that need not outlive the process.
#[derive(Clone)]
pub struct Fast {
    /// Challenges that wait for their answer.
    pub challenges: Arc<dyn Challenges>,
    /// Counters of requests.
    pub counters: Arc<dyn RateCounters>,
    /// Memory of used proofs.
    pub replay: Arc<dyn ReplayMemory>,
}

impl Truth {
    /// Makes the stores of all promises from one backend.
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

    /// Returns the same stores, with the n-th call to any of them failing.
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

    /// Makes the person and the device of the session of that number.
    ///
    /// # Panics
    /// When they cannot be made.
    pub async fn settle(&self, number: u16) {
        let made = self.subjects.create(user(number), passkey(number)).await;
        assert_eq!(made, Ok(Created::Done), "an account");
        let enrolled = self.devices.enrol(device(number)).await;
        assert_eq!(enrolled, Ok(device(number)), "a device");
    }

    /// Opens the session of that number, with its person and its device.
    ///
    /// # Panics
    /// When the session cannot be opened.
    pub async fn open_session(&self, number: u16) -> Session {
        self.settle(number).await;
        assert_eq!(self.sessions.open(session(number)).await, Ok(()), "a session");
        session(number)
    }
}

impl Fast {
    /// Returns the same stores, with the n-th call to any of them failing.
    #[must_use]
    pub fn failing(&self, faults: &Arc<Faults>) -> Self {
        Self {
            challenges: Arc::new(FailNth::new(Arc::clone(&self.challenges), Arc::clone(faults))),
            counters: Arc::new(FailNth::new(Arc::clone(&self.counters), Arc::clone(faults))),
            replay: Arc::new(FailNth::new(Arc::clone(&self.replay), Arc::clone(faults))),
        }
    }
}
