//! Whether a log can be written, for whoever asks before waiting for it.

use std::sync::{Arc, Mutex, PoisonError};

/// Health of one log, shared by its writer and its callers.
#[derive(Clone, Default)]
pub(crate) struct Health(Arc<Mutex<Option<String>>>);

impl Health {
    /// The log cannot be written.
    pub(crate) fn fails(&self, cause: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(cause.to_owned());
    }

    /// It can be written again.
    pub(crate) fn is_well(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Why it cannot be written, while that is so.
    pub(crate) fn cause(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
