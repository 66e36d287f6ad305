//! The monitor's step: who reacts to signals, who is told, and what is kept over a restart.

use std::sync::Arc;

use arc_swap::ArcSwap;
use countersign_monitor::react::{Reactor, ReactorParts};
use countersign_notify::{Mailer, Webhook};
use tokio::task::JoinSet;

use crate::assembly::{
    base::Assembly,
    monitoring::{self, Notifier},
    signals::Arrived,
    start_error::StartError,
    validate::MonitorSettings,
};

/// The monitor as operators see it.
pub struct Monitor {
    /// Who reacts, and undoes.
    pub reactor: Arc<Reactor>,
    /// Who writes mails.
    pub mailer: Option<Arc<Mailer>>,
}

/// Starts the monitor, which reacts to signals from now on.
///
/// # Errors
/// When the store does not answer.
pub async fn monitor(
    assembly: &Assembly,
    settings: MonitorSettings,
    arrived: Arrived,
    tasks: &mut JoinSet<()>,
) -> Result<Monitor, StartError> {
    let MonitorSettings { rules, mail, webhook } = settings;
    let (clock, shutdown) = (|| Arc::clone(&assembly.clock), || assembly.shutdown.clone());
    let rules = Arc::new(ArcSwap::from_pointee(rules));
    let mailer = mail.map(|mail| (Mailer::start(mail.mailing, clock(), shutdown()), mail.min_severity));
    let notifier = Notifier {
        rules: Arc::clone(&rules),
        mailer: mailer.clone(),
        webhook: webhook.map(|webhook| Webhook::start(webhook, clock(), shutdown())),
    };
    let reactor = Reactor::new(ReactorParts {
        rules,
        stores: assembly.stores.for_monitor(),
        ledger: Arc::clone(&assembly.admin_service) as _,
        tell: Arc::new(notifier),
        observer: Arc::clone(&assembly.observer) as _,
        clock: clock(),
        entropy: Arc::clone(&assembly.entropy),
    });
    let reactor = Arc::new(reactor.await?);
    tasks.spawn(monitoring::remember(Arc::clone(&assembly.observer), assembly.data.clone(), shutdown()));
    tasks.spawn(monitoring::react(Arc::clone(&reactor), arrived, clock(), shutdown()));
    Ok(Monitor { reactor, mailer: mailer.map(|(mailer, _)| mailer) })
}
