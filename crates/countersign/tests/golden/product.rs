//! The product as the golden tests start and use it: the one file here that knows in which crate a thing lives.

use std::{path::Path, sync::Arc};

use countersign_core::Clock;
use countersign_demo::phone::SIGNER;
pub use countersign_demo::{
    free_port,
    phone::{Answer, Call, DemoApple, DemoCa, EnclaveKey, Handset, Http, Phone, SoftAuthenticator, Surroundings},
};
use countersign_node::{
    Options,
    config::{self, Dev},
};
pub use countersign_node::{OsEntropy, RunningNode, SystemClock};

/// A development node on the configuration in `file`.
pub async fn start(file: &Path, clock: Arc<dyn Clock>) -> RunningNode {
    let config = config::load(file).unwrap_or_else(|faults| panic!("{faults}"));
    let options = Options { clock, entropy: Arc::new(OsEntropy), dev: Dev::On, simulated_signers: vec![SIGNER] };
    countersign_node::start(config, options).await.unwrap_or_else(|fault| panic!("{fault}"))
}
