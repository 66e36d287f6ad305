//! The operations and policies that the tests judge by, and the witnesses' makers.
use countersign_audit::CheckpointKey;
use countersign_gateway::Rules;
use countersign_policy::{Operations, Policies};
use countersign_store::ReplayMemory;
use std::sync::Arc;
pub fn rules() -> Rules {
    Rules { operations: Operations::new(), policies: Policies }
}
pub fn replay() -> Arc<dyn ReplayMemory> {
    countersign_store::shim::replay()
}
pub fn checkpoint_key() -> CheckpointKey {
    let (_, pkcs8) = countersign_proof::jwk::SigningKey::generate(countersign_proof::jwk::Algorithm::EdDsa).expect("a key");
    CheckpointKey::from_pkcs8("api.example.com", &pkcs8).expect("a key")
}
