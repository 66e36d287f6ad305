//! The issuer's step.

use std::sync::Arc;

use countersign_core::Secret;
use countersign_identity::PairwiseKey;
use countersign_issuer::{Allowances, Challenger, Issuer, IssuerConfig, IssuerKeys, NamedKeys, Prompts, RefreshKey, World};
use countersign_store::KeyPurpose;

use crate::assembly::{base::Assembly, keys, start_error::StartError};

/// Builds the issuer. It issues nothing before it is served.
///
/// # Errors
/// When the store does not answer, or holds what it should not.
pub async fn issuer(assembly: &Assembly, config: IssuerConfig) -> Result<Arc<Issuer>, StartError> {
    let (store, entropy, now) = (&*assembly.stores.keys, &*assembly.entropy, assembly.started_at);
    let pairwise = keys::secret(store, KeyPurpose::Pairwise, entropy, now).await?;
    let refresh = keys::secret(store, KeyPurpose::Refresh, entropy, now).await?;
    // Made anew with each process, as the memory of spent challenges is: none from before a restart counts after it.
    let mut secret = [0; 32];
    entropy.fill(&mut secret);
    Ok(Arc::new(Issuer {
        stores: assembly.stores.for_issuer(),
        world: World {
            clock: Arc::clone(&assembly.clock),
            entropy: Arc::clone(&assembly.entropy),
            signals: Arc::clone(&assembly.signals),
            observer: Arc::clone(&assembly.observer) as _,
        },
        access: Arc::clone(&assembly.access),
        keys: IssuerKeys {
            access: Arc::clone(&assembly.rings.access),
            statements: Arc::clone(&assembly.rings.statements),
            refresh: RefreshKey::new(&refresh),
            pairwise: PairwiseKey::new(&pairwise),
        },
        config,
        apps: Arc::clone(&assembly.apps),
        trust: Arc::clone(&assembly.trust),
        revocations: Arc::clone(&assembly.revocations),
        challenger: Challenger::new(&Secret::new(secret)),
        named_keys: NamedKeys::default(),
        prompts: Prompts::default(),
        allowances: Allowances::new(Arc::clone(&assembly.clock)),
    }))
}
