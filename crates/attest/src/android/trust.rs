//! Whom a verification believes.

use crate::anchors::Anchors;
use crate::android::revocation::StatusRule;

/// The anchors and what is asked of the revocation list. Data that an operator can replace while the server runs.
#[derive(Clone, Debug)]
pub struct Trust {
    /// Where chains must end.
    pub anchors: Anchors,
    /// What is asked of the vendor's status list.
    pub status: StatusRule,
}
