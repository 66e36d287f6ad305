//! What the watcher hears of logins, and what it makes of them.

use countersign_core::{LoginDevice, LoginFactor, LoginOutcome, LoginSeen, Outcome, Platform, Posture, Reason, SessionId, UserId};

use crate::{context::RequestContext, refusal::Refusal, state::Issuer};

/// Person who logs in, as far as known.
#[derive(Clone, Copy, Debug)]
pub struct Who<'a> {
    /// Account that is named, existing or not.
    pub account: &'a str,
    /// Person of the account; `None` before the passkey has answered.
    pub user: Option<&'a UserId>,
    /// Session that is being opened; `None` before.
    pub session: Option<&'a SessionId>,
}

impl<'a> Who<'a> {
    /// Describes a login of which only the account's name is known.
    pub const fn named(account: &'a str) -> Self {
        Self { account, user: None, session: None }
    }
}

/// Tells the watcher of a login and returns the outcome that its judgement asks for.
pub fn observe(issuer: &Issuer, who: Who<'_>, device: &Posture, outcome: LoginOutcome, context: &RequestContext) -> Outcome {
    let key = device.key.to_string();
    let system = match device.platform {
        Platform::Android => "Android",
        Platform::Ios => "iOS",
    };
    let version = device.os_version_known().map_or(0, |known| known.value);
    let app_version = device.app_version_known().map_or(0, |known| known.value);
    let view = issuer.world.observer.login(&LoginSeen {
        account: who.account,
        user: who.user,
        session: who.session,
        device: if device.trust() >= 2 { LoginDevice::Attested(&key) } else { LoginDevice::Claimed(&key) },
        installation: Some(&device.device),
        os: &format!("{system} {}.{}", version / 10_000, version / 100 % 100),
        app: &format!("{} {app_version}", device.app.as_ref().map_or("", |app| app.as_str())),
        form: "phone",
        address: context.address,
        round_trip_ms: None,
        // Passkeys are the only factor yet.
        factor: LoginFactor::Passkey,
        outcome,
        at: context.now,
    });
    issuer.config.risk.judge(view).asks
}

/// Asks whether a prompt may be shown on a device: pestering is refused. What others do is no ground: a passkey is never refused for the
/// repute of its account or site.
///
/// # Errors
/// [`Reason::LoginAttemptsTooMany`] when the watcher's judgement denies the login.
pub(crate) fn admit(
    issuer: &Issuer,
    who: Who<'_>,
    device: &Posture,
    outcome: LoginOutcome,
    context: &RequestContext,
) -> Result<(), Refusal> {
    match observe(issuer, who, device, outcome, context) {
        Outcome::Allow | Outcome::Limit | Outcome::StepUp => Ok(()),
        Outcome::Deny => Err(Reason::LoginAttemptsTooMany.into()),
    }
}
