//! Promises about state, and the backends that keep them
