//! Outage of a vendor: its beginning, for every part of the node that judges phones.

use std::sync::Arc;

use arc_swap::ArcSwap;
use countersign_compliance::{Outage, OutageRule, Revocations};
use countersign_core::UnixSeconds;
use metrics::{counter, gauge};

/// Recorder of whether a vendor answers.
#[derive(Clone)]
pub struct Silence {
    world: Arc<ArcSwap<Revocations>>,
    rule: OutageRule,
}

impl Silence {
    /// Makes a recorder that writes the outage into `world`.
    #[must_use]
    pub const fn new(world: Arc<ArcSwap<Revocations>>, rule: OutageRule) -> Self {
        Self { world, rule }
    }

    /// Notes that the vendor answered, which ends an outage.
    pub fn broken(&self) {
        gauge!("countersign_vendor_down", "vendor" => "play").set(0.0);
        if self.world.load().outage.is_some() {
            tracing::info!("Play Integrity answers again");
            self.set(None);
        }
    }

    /// Notes that the vendor did not answer, by a fault of its own or of the network. The first such note begins an outage.
    pub fn goes_on(&self, now: UnixSeconds) {
        gauge!("countersign_vendor_down", "vendor" => "play").set(1.0);
        counter!("countersign_vendor_failures_total", "vendor" => "play").increment(1);
        // Only the first failure sets the beginning: a later one must not make the grace longer.
        if self.world.load().outage.is_none() {
            tracing::warn!(
                grace_seconds = self.rule.grace.0,
                "Play Integrity does not answer; existing verdicts stay valid during the grace period"
            );
            self.set(Some(Outage { since: now, rule: self.rule }));
        }
    }

    fn set(&self, outage: Option<Outage>) {
        self.world.rcu(|world| Revocations { outage, ..(**world).clone() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_compliance::AfterGrace;
    use countersign_core::Seconds;

    #[test]
    fn an_outage_begins_once_and_ends_with_an_answer() {
        let world = Arc::new(ArcSwap::from_pointee(Revocations { fetched_at: Some(UnixSeconds(7)), ..Revocations::default() }));
        let silence = Silence::new(Arc::clone(&world), OutageRule { grace: Seconds(60), then: AfterGrace::Limit });
        let since = || world.load().outage.map(|outage| outage.since.0);
        silence.broken();
        assert_eq!(since(), None);
        silence.goes_on(UnixSeconds(100));
        silence.goes_on(UnixSeconds(200));
        assert_eq!((since(), world.load().fetched_at), (Some(100), Some(UnixSeconds(7))));
        silence.broken();
        assert_eq!(since(), None);
    }
}
