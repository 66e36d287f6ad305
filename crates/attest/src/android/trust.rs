//! The trust that a verification starts from.

use crate::anchors::Anchors;
use crate::android::revocation::StatusRule;

/// Anchors and the requirement on the revocation list. Both are data that an operator can replace while the server runs.
#[derive(Clone, Debug)]
pub struct Trust {
    /// Keys at which chains must end.
    pub anchors: Anchors,
    /// Requirement on the vendor's status list.
    pub status: StatusRule,
}
