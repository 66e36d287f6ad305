//! The gateway's step.

use std::sync::Arc;

use countersign_gateway::{Gateway, GatewayParts, Statements};

use crate::{
    assembly::{base::Assembly, start_error::StartError, validate::GatewaySettings},
    config::Faults,
};

/// Builds the gateway. It forwards nothing before it is served.
///
/// # Errors
/// When the store does not answer, or the public origin cannot be that of proofs.
pub async fn gateway(assembly: &Assembly, settings: GatewaySettings) -> Result<Arc<Gateway>, StartError> {
    let GatewaySettings { file, config, rules, digest: _, text: _, upstream, audience } = settings;
    let (issuer, now) = (assembly.public.as_str(), assembly.started_at);
    let statement_key = assembly.rings.statement_key(&*assembly.stores.keys, now).await?;
    let house = Gateway::new(GatewayParts {
        config,
        rules,
        access: Arc::clone(&assembly.access),
        statements: Statements::new(issuer, &audience, statement_key),
        upstream,
        stores: assembly.stores.for_gateway(),
        signals: Arc::clone(&assembly.signals),
        observer: Arc::clone(&assembly.observer) as _,
        objects: assembly.salt,
        clock: Arc::clone(&assembly.clock),
        entropy: Arc::clone(&assembly.entropy),
    });
    let house = house.map_err(|why| Faults::of_file(&file, "`public_url` cannot be used", &why.to_string()))?;
    Ok(Arc::new(house))
}
