//! Policy: the operations that an API offers, and the one decision over all facts.
//!
//! Operations and policies are texts of the operator; they become values or a list of problems. Facts and policies go into
//! [`Policies::decide`], and a decision comes out. This crate does not read files, does not know HTTP, and does not ask who somebody is. It
//! does not rely on Cedar to fail closed: a policy whose evaluation fails denies (Cedar itself would skip it, cedar #2428).

mod advice;
mod annotation;
mod body;
mod cases;
mod decide;
mod entities;
mod folding;
mod json;
mod load;
mod mask;
mod operation;
mod replay;
mod router;
mod rule_set;
mod schema;
mod source;
mod stream;

pub use body::{BodyRefusal, OtherMembers};
pub use cases::{CaseProblem, CaseResult, run};
pub use json::{JsonRefusal, strict};
pub use load::{Policies, PolicyProblem, PolicySource};
pub use mask::{MaskRefusal, mask};
pub use operation::{OperationProblem, OperationSpec, RequestHeaders};
pub use replay::{Replayed, replay};
pub use router::{Found, Operations};
pub use rule_set::{RuleSet, RuleSetRefusal};
pub use schema::schema_text;
pub use stream::{StreamKind, StreamProblem, StreamRules, StreamSpec};
