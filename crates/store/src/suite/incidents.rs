//! Tests of the promise about incidents and suppressions.

use countersign_core::{DecisionId, IncidentId, SessionState, SignalKind, UnixMillis, UnixSeconds};

use crate::{
    incidents::{ActionTaken, Incident, IncidentState, Moment, Suppression},
    suite::{
        samples::{NOW, bytes, session},
        world::Home,
    },
};

fn incident(number: u16) -> Incident {
    let session = session(number);
    Incident {
        id: IncidentId::from_random(bytes(number)),
        kind: SignalKind::Scraping,
        state: IncidentState::Open,
        user: Some(session.user),
        device: Some(session.device),
        session: Some(session.id.clone()),
        first_at: UnixMillis(NOW.0 * 1000),
        last_at: UnixMillis(NOW.0 * 1000 + u64::from(number)),
        count: 3,
        score: 87,
        deeds: vec![ActionTaken {
            session: session.id,
            from: SessionState::Active,
            to: SessionState::Limited,
            decision: DecisionId::from_random([1; 8]),
        }],
        timeline: vec![Moment { at: UnixMillis(1), what: "noticed: objects +3.1".to_owned() }],
    }
}

pub(crate) async fn what_was_noticed_is_found_after_a_restart(home: &dyn Home) {
    let incidents = home.open().await.incidents;
    let nobody = Incident { user: None, device: None, session: None, deeds: vec![], timeline: vec![], ..incident(2) };
    for kept in [incident(1), nobody.clone()] {
        assert_eq!(incidents.keep(kept).await, Ok(()));
    }
    let changed = Incident { state: IncidentState::Fine, count: 4, ..incident(1) };
    assert_eq!(incidents.keep(changed.clone()).await, Ok(()), "in the place of what was there");
    let incidents = home.open().await.incidents;
    assert_eq!(incidents.find(&changed.id).await, Ok(Some(changed.clone())));
    assert_eq!(incidents.find(&incident(3).id).await, Ok(None));
    assert_eq!(incidents.list(None, 10).await, Ok(vec![nobody.clone(), changed.clone()]), "newest first");
    assert_eq!(incidents.list(None, 1).await, Ok(vec![nobody.clone()]));
    assert_eq!(incidents.list(Some(IncidentState::Fine), 10).await, Ok(vec![changed]));
    assert_eq!(incidents.list(Some(IncidentState::Closed), 10).await, Ok(vec![]));
}

pub(crate) async fn suppressions_hold_for_their_time(home: &dyn Home) {
    let incidents = home.open().await.incidents;
    let all = Suppression { kind: SignalKind::Scraping, user: None, until: UnixSeconds(100) };
    let one = Suppression { user: Some(session(1).user), until: UnixSeconds(200), ..all.clone() };
    for suppression in [Suppression { until: UnixSeconds(50), ..all.clone() }, all.clone(), one.clone()] {
        assert_eq!(incidents.suppress(suppression).await, Ok(()));
    }
    let incidents = home.open().await.incidents;
    assert_eq!(incidents.suppressions(UnixSeconds(99)).await, Ok(vec![all, one.clone()]));
    assert_eq!(incidents.suppressions(UnixSeconds(100)).await, Ok(vec![one]));
    assert_eq!(incidents.suppressions(UnixSeconds(200)).await, Ok(vec![]));
}
