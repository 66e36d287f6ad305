//! What the watcher hears of logins, and what it makes of them.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use countersign_core::{
    DeviceId, Limits, LoginDevice, LoginOutcome, LoginSeen, Outcome, Platform, Posture, Reason, SessionId, UnixSeconds, UserId,
};

use crate::{house::Issuer, refusal::Refusal, visit::Visit};

/// Prompts that are remembered at a time; beyond, the oldest are forgotten.
const PROMPTS_MAX: usize = 10_000;

/// Who logs in, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    /// The account that is named, existing or not.
    pub account: &'a str,
    /// Whose it is.
    pub user: Option<&'a UserId>,
    /// The session that is being opened.
    pub session: Option<&'a SessionId>,
}

impl<'a> Who<'a> {
    /// Only an account was named.
    pub const fn named(account: &'a str) -> Self {
        Self { account, user: None, session: None }
    }
}

/// Tells the watcher of a login and says what its look asks for.
pub fn look(issuer: &Issuer, who: Who<'_>, device: &Posture, outcome: LoginOutcome, visit: &Visit) -> Outcome {
    let key = device.key.to_string();
    let system = match device.platform {
        Platform::Android => "Android",
        Platform::Ios => "iOS",
    };
    let version = device.os_version_known().map_or(0, |known| known.value);
    let app_version = device.app_version_known().map_or(0, |known| known.value);
    let view = issuer.world.watch.login(&LoginSeen {
        account: who.account,
        user: who.user,
        session: who.session,
        device: if device.trust() >= 2 { LoginDevice::Attested(&key) } else { LoginDevice::Claimed(&key) },
        os: &format!("{system} {}.{}", version / 10_000, version / 100 % 100),
        app: &format!("{} {app_version}", device.app.as_ref().map_or("", |app| app.as_str())),
        form: "phone",
        address: visit.address,
        round_trip_ms: None,
        outcome,
        at: visit.now,
    });
    issuer.config.risk.judge(view).asks
}

/// Asks whether a login may go on at all: whoever is guessing or pestering may not.
///
/// # Errors
/// [`Reason::LoginAttemptsTooMany`].
pub fn admit(issuer: &Issuer, who: Who<'_>, device: &Posture, outcome: LoginOutcome, visit: &Visit) -> Result<(), Refusal> {
    match look(issuer, who, device, outcome, visit) {
        Outcome::Allow | Outcome::Limit | Outcome::StepUp => Ok(()),
        Outcome::Deny => Err(Reason::LoginAttemptsTooMany.into()),
    }
}

/// The prompts that people were shown and have not answered yet. A prompt that is followed by another one was refused, or
/// pestered for.
#[derive(Debug, Default)]
pub struct Prompts(Mutex<HashMap<DeviceId, UnixSeconds>>);

impl Prompts {
    /// Notes that a device shows a prompt. What it says of the prompt before it.
    pub fn shown(&self, device: &DeviceId, now: UnixSeconds) -> LoginOutcome {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= PROMPTS_MAX {
            open.retain(|_, at| now.since(*at) <= Limits::CHALLENGE_LIFE);
        }
        if open.len() >= PROMPTS_MAX {
            open.clear();
        }
        match open.insert(device.clone(), now) {
            Some(_) => LoginOutcome::PromptRefused,
            None => LoginOutcome::Asked,
        }
    }

    /// Notes that the prompt was answered.
    pub fn answered(&self, device: &DeviceId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(device);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_that_is_followed_by_another_was_not_answered() {
        let (prompts, phone, other) = (Prompts::default(), DeviceId::from_random([1; 16]), DeviceId::from_random([2; 16]));
        let now = UnixSeconds(1_000);
        assert_eq!(prompts.shown(&phone, now), LoginOutcome::Asked);
        assert_eq!(prompts.shown(&other, now), LoginOutcome::Asked);
        assert_eq!(prompts.shown(&phone, now), LoginOutcome::PromptRefused);
        prompts.answered(&phone);
        assert_eq!(prompts.shown(&phone, now), LoginOutcome::Asked);
    }

    #[test]
    fn prompts_are_bounded() {
        let prompts = Prompts::default();
        for n in 0..20_000_u32 {
            let mut name = [0; 16];
            name[..4].copy_from_slice(&n.to_be_bytes());
            prompts.shown(&DeviceId::from_random(name), UnixSeconds(1));
        }
        assert!(prompts.0.lock().expect("a lock").len() <= PROMPTS_MAX);
    }
}
