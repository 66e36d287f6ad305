//! The step of shared signals: what others tell us, and what we tell them.

use std::sync::Arc;

use countersign_monitor::{
    react::Reactor,
    ssf::{self, News, Sharing},
};
use countersign_store::{SharedSignals, Subjects};
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    assembly::{base::Assembly, keys, start_error::StartError},
    settings::signals::SignalSettings,
};

/// Starts to tell others, and prepares to be told.
///
/// # Errors
/// When the store does not answer, or holds what it should not.
pub async fn sharing(
    assembly: &Assembly,
    settings: SignalSettings,
    reactor: &Arc<Reactor>,
    news: mpsc::Receiver<News>,
    tasks: &mut JoinSet<()>,
) -> Result<Arc<Sharing>, StartError> {
    let SignalSettings { sources, targets, caller } = settings;
    let (database, issuer) = (assembly.stores.database(), assembly.public.as_str().to_owned());
    let people: Arc<dyn Subjects> = Arc::clone(&database) as _;
    let kept: Arc<dyn SharedSignals> = Arc::clone(&database) as _;
    let told = ssf::ReceiverStores { people: Arc::clone(&people), sessions: database as _, kept: Arc::clone(&kept) };
    let sharing = Arc::new(Sharing {
        key: keys::shared_signals(&*assembly.stores.keys, assembly.started_at).await?,
        receiver: ssf::Receiver::new(sources, issuer.clone(), told, Arc::clone(reactor)),
        issuer,
        targets,
        caller,
        people,
        kept,
        clock: Arc::clone(&assembly.clock),
        entropy: Arc::clone(&assembly.entropy),
    });
    tasks.spawn(ssf::transmit(Arc::clone(&sharing), news, assembly.shutdown.clone()));
    Ok(sharing)
}
