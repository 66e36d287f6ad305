//! Restrictions that stand in the log, made to hold in the database: after a crash between the two, and on an older database.
//!
//! Only what restricts is read: what was cut off, closed, ended or taken back. What was given is not given a second time.

use std::{collections::HashMap, path::Path};

use countersign_audit::{AccountState, CutOff, DeviceName, EventKind, Identity, KeyHandle, PersonKey, Record, Recorded};
use countersign_core::{Outcome, SessionId, SessionState, UnixSeconds};
use countersign_identity::BindingState;
use countersign_store::{
    Bindings, DevTokens, Devices, OpenState, Sessions, SubjectKeys, Subjects, Unavailable, UserState, Whose, segments, sqlite::Sqlite,
};

use crate::assembly::behind::LookError;

/// Numbers of restrictions after they were applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Applied {
    /// Restrictions that hold now.
    pub applied: u64,
    /// Restrictions that cannot be read, because the key of their person is not there.
    pub unreadable: u64,
}

/// Applies every restriction of the log from entry `from` on. What holds already is left as it is.
///
/// # Errors
/// When log or database cannot be read.
pub(crate) async fn apply(database: &Sqlite, log: &Path, from: u64, now: UnixSeconds) -> Result<Applied, LookError> {
    let mut records = Vec::new();
    if log.is_dir() {
        segments::walk_from(log, from, |glance| restricts(glance.kind), |record| records.push(record))?;
    }
    records.retain(|record| record.event.outcome == Outcome::Allow);
    if records.is_empty() {
        return Ok(Applied::default());
    }
    let keys: HashMap<KeyHandle, PersonKey> = database.person_keys().await?.into_iter().map(|key| (key.handle().clone(), key)).collect();
    let mut done = Applied::default();
    let mut frozen: HashMap<SessionId, SessionState> = HashMap::new();
    for record in &records {
        let opened = match record.handle() {
            Some(handle) => keys.get(&handle).and_then(|key| record.open(key).ok()),
            None => Some(Identity::default()),
        };
        match opened {
            Some(identity) => {
                restrict(database, record, &identity, &mut frozen, now).await?;
                done.applied = done.applied.saturating_add(1);
            }
            None => done.unreadable = done.unreadable.saturating_add(1),
        }
    }
    // The last word on each session counts: one that was limited and then cleared is not limited again.
    for (session, state) in frozen {
        if let Some(state @ (OpenState::Challenged | OpenState::Limited)) = OpenState::of(state) {
            database.set_state(&session, state).await?;
        }
    }
    Ok(done)
}

const fn restricts(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::DevTokenRevoked
            | EventKind::DeviceRevoked
            | EventKind::PersonErased
            | EventKind::SessionChanged
            | EventKind::TokensRevoked
            | EventKind::UserChanged
    )
}

async fn restrict(
    database: &Sqlite,
    record: &Record,
    identity: &Identity,
    frozen: &mut HashMap<SessionId, SessionState>,
    now: UnixSeconds,
) -> Result<(), Unavailable> {
    let (user, session) = (identity.user.as_ref(), identity.session.as_ref());
    match &record.event.of {
        Recorded::DevTokenRevoked(revoked) => drop(DevTokens::revoke(database, &revoked.dev_token, now).await?),
        Recorded::DeviceRevoked(revoked) => {
            let (Some(DeviceName::Enrolled(device)), Some(how)) = (&identity.device, revoked.how) else { return Ok(()) };
            let at = record.at.seconds();
            let state = match how {
                CutOff::Revoked => {
                    Devices::revoke(database, device).await?;
                    database.end(&Whose::Device(device.clone()), UnixSeconds(0)).await?;
                    return Ok(());
                }
                CutOff::Disowned => BindingState::Disowned { at },
                CutOff::Removed => BindingState::Removed { at },
            };
            if let Some(user) = user {
                database.cut(user, device, state).await?;
                database.end(&Whose::PersonOnDevice(user.clone(), device.clone()), UnixSeconds(0)).await?;
            }
        }
        Recorded::PersonErased(_) => {
            if let Some(user) = user {
                database.destroy(user).await?;
            }
        }
        Recorded::SessionChanged(changed) => {
            let Some(session) = session else { return Ok(()) };
            match changed.to {
                SessionState::Revoked => drop(database.end(&Whose::Session(session.clone()), UnixSeconds(0)).await?),
                SessionState::Active | SessionState::Challenged | SessionState::Limited => {
                    frozen.insert(session.clone(), changed.to);
                }
            }
        }
        Recorded::TokensRevoked(_) => {
            if let Some(session) = session {
                database.end(&Whose::Session(session.clone()), UnixSeconds(0)).await?;
            }
        }
        Recorded::UserChanged(changed) => match (changed.state, user) {
            (AccountState::Closed, Some(id)) => {
                if let Some(found) = Subjects::find(database, id).await? {
                    database.update(id, UserState::Closed, &found.roles).await?;
                    database.end(&Whose::Person(id.clone()), UnixSeconds(0)).await?;
                }
            }
            (AccountState::Closed, None) => {}
        },
        Recorded::ConfigActivated(_)
        | Recorded::ConnectionCut(_)
        | Recorded::DevTokenCreated(_)
        | Recorded::DeviceAttested(_)
        | Recorded::DeviceEnrolled(_)
        | Recorded::DeviceRenamed(_)
        | Recorded::DeviceReported(_)
        | Recorded::Earlier(_)
        | Recorded::IncidentJudged(_)
        | Recorded::LogInterrupted(_)
        | Recorded::RefusalsCounted(_)
        | Recorded::PasskeyRegistered(_)
        | Recorded::Request(_)
        | Recorded::SignedIn(_)
        | Recorded::TokensIssued(_)
        | Recorded::UserInvited(_) => {}
    }
    Ok(())
}
