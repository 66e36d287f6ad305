//! `countersign attest inspect`: says of any evidence about a phone what it is, what each part says, and how we judge it.

mod android;
mod apple;
mod asked;
mod explain;
mod kind;
mod play;
mod report;
mod run;
mod what_if;

pub use asked::InspectArgs;
pub use run::run;
