//! Android Key Attestation: what the secure hardware of a phone states about a key, the app that made it and the system that ran.
//!
//! See <https://source.android.com/docs/security/features/keystore/attestation> for the format and
//! <https://developer.android.com/privacy-and-security/security-key-attestation> for the rules of verification.
//!
//! [`verify()`] applies all rules, [`inspect()`] explains a chain to a person, [`encode`] is the inverse of the parser for test chains.
//! This module fetches nothing: anchors and the revocation list are arguments.

mod application;
mod author;
mod authorization;
mod boot_state;
mod chain;
mod evidence;
mod fields;
mod inspect;
mod key_description;
mod meaning;
mod origin;
mod provisioning;
mod refusal;
mod report;
mod requirements;
mod revocation;
mod security_level;
mod text;
mod trust;
mod verify;
mod vouched;

pub use application::{ApplicationId, Package};
pub use author::{encode, encode_provisioning_info};
pub use authorization::{Authorization, AuthorizationList, Tag, Value};
pub use boot_state::RootOfTrust;
pub use chain::{ATTESTATION_EXTENSION, Chain, Provisioning, RawChain, chain_from_der_list, chain_from_pem};
pub use evidence::Evidence;
pub use fields::{Field, description_fields};
pub use inspect::inspect;
pub use key_description::KeyDescription;
pub use origin::Origin;
pub use refusal::{AttestRefusal, DescriptionRefusal};
pub use report::{CertificateFacts, CertificateReport, CertificateRole, Content, Report, Verdict};
pub use requirements::{
    App, AppRule, ApplicationsRule, BootKeyRule, BootloaderRule, KeyRule, OriginRule, PurposeRule, Requirements, RollbackRule,
    RootOfTrustRule,
};
pub use revocation::{Status, StatusList, StatusListRefusal, StatusRule};
pub use trust::Trust;
pub use verify::verify;
