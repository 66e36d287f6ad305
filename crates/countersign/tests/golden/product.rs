//! The product as the golden tests start and use it: the one file here that knows in which crate a thing lives.

use std::{path::Path, sync::Arc};

use countersign::{
    config::{self, Dev},
    node::{self, Options},
};
pub use countersign::{
    demo::free_port,
    node::RunningNode,
    phone::{Answer, Call, DemoApple, DemoCa, EnclaveKey, Handset, Http, Phone, SoftAuthenticator, Surroundings},
    wire::{OsEntropy, SystemClock},
};
use countersign_core::Clock;

/// A development node on the configuration in `file`.
pub async fn start(file: &Path, clock: Arc<dyn Clock>) -> RunningNode {
    let config = config::load(file).unwrap_or_else(|faults| panic!("{faults}"));
    let options = Options { clock, entropy: Arc::new(OsEntropy), dev: Dev::On };
    node::start(config, options).await.unwrap_or_else(|fault| panic!("{fault}"))
}
