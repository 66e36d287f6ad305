//! Watches logins and requests, notices what does not fit, explains it, and restricts at once.

pub mod geography;
pub mod react;
pub mod ssf;
pub mod watch;
