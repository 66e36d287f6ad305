//! Bindings: the devices on which a person signs in, and the limits for a new one.
//!
//! A *binding* is one person on one device. Several people may share a phone, and one person may have several phones; cutting one binding
//! leaves the others. A phone that was reset or restored has a new key, so it counts as a new device with a new binding.

use countersign_core::{Acr, DeviceId, Limits, Reason, Seconds, SessionState, UnixSeconds, UserId};

/// State of a binding. A binding that was cut stays cut: the app enrols a new key instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindingState {
    /// The person may sign in on the device.
    Active,
    /// The person reported that the device was not theirs.
    Disowned {
        /// Time of the report.
        at: UnixSeconds,
    },
    /// The person removed the device.
    Removed {
        /// Time of the removal.
        at: UnixSeconds,
    },
}

/// Ability of a passkey to be in several places (WebAuthn level 3 section 6.1.3, flag BE). Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasskeyPlace {
    /// The passkey is synchronised, or may be: whoever gets into the person's keychain has it, too.
    Copyable,
    /// The passkey stays in the authenticator that made it.
    OnePlace,
}

/// Passkey by which a person signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenedBy {
    /// SHA-256 of the credential id.
    pub credential: [u8; 32],
    /// Ability of the passkey to have copies.
    pub place: PasskeyPlace,
}

/// One person on one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The person who signs in.
    pub user: UserId,
    /// The device on which they sign in.
    pub device: DeviceId,
    /// Strength of the sign-in that made the binding.
    pub acr: Acr,
    /// Passkey of the sign-in that made the binding; `None` for bindings of earlier versions.
    pub opened_by: Option<OpenedBy>,
    /// Time of the person's first sign-in on the device.
    pub bound_at: UnixSeconds,
    /// Start of the day on which the person was last seen on the device.
    pub seen_on: UnixSeconds,
    /// State of the binding.
    pub state: BindingState,
}

impl Binding {
    /// True when the person may act on the device.
    #[must_use]
    pub const fn active(&self) -> bool {
        matches!(self.state, BindingState::Active)
    }
}

/// The operator's rules for bindings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BindingRules {
    /// Greatest number of devices on which one person may be signed in.
    pub devices_max: u32,
    /// Time for which a device counts as new to its person.
    pub cool_down: Seconds,
}

/// Reason why a device may not be cut off, or a sign-in may not be bound. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindingRefusal {
    /// The person was authenticated too long ago.
    AuthenticationStale,
    /// The device that asks is too new to cut off an older one.
    CoolingDown,
    /// The target is the device that asks.
    InHand,
    /// The target is not a device of this person.
    NotYours,
    /// The person, or an operator, cut this binding before.
    Revoked,
    /// The person has the greatest allowed number of devices.
    TooMany,
}

impl BindingRefusal {
    /// Stable reason code of the refusal, for logs and metrics.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::AuthenticationStale => Reason::AuthenticationStale,
            Self::CoolingDown => Reason::BindingCoolingDown,
            Self::InHand => Reason::DeviceInHand,
            Self::NotYours => Reason::DeviceNotYours,
            Self::Revoked => Reason::DeviceRevoked,
            Self::TooMany => Reason::DevicesTooMany,
        }
    }
}

/// The binding for a sign-in: the earlier one of the same device, or the new one.
///
/// # Errors
/// A refusal when the device was cut off, or would be one too many.
pub fn bind(theirs: &[Binding], new: Binding, rules: BindingRules) -> Result<Binding, BindingRefusal> {
    match theirs.iter().find(|binding| binding.device == new.device) {
        Some(earlier) if earlier.active() => Ok(earlier.clone()),
        // SECURITY: signing in again must not bring back a binding that was cut.
        Some(_) => Err(BindingRefusal::Revoked),
        None => {
            let active = theirs.iter().filter(|binding| binding.active()).count();
            let room = u32::try_from(active).is_ok_and(|active| active < rules.devices_max);
            if room { Ok(new) } else { Err(BindingRefusal::TooMany) }
        }
    }
}

/// True when a device is so new, to a person who has others, that less is allowed on it. A phishing-resistant sign-in by a passkey that
/// cannot be copied is enough to skip this time. One that can be copied is not: it may have been stolen from the person's keychain, and the
/// person needs time to hear of the new device.
#[must_use]
pub fn cooling_down(theirs: &[Binding], binding: &Binding, rules: BindingRules, now: UnixSeconds) -> bool {
    let others = theirs.iter().any(|other| other.device != binding.device && other.bound_at < binding.bound_at);
    let copied = binding.opened_by.is_some_and(|opened_by| opened_by.place == PasskeyPlace::Copyable);
    others && (copied || binding.acr < Acr::PhishingResistant) && now < binding.bound_at.plus(rules.cool_down)
}

/// Passkey with which a person stands for a session that is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShownPasskey {
    /// SHA-256 of the credential id.
    pub credential: [u8; 32],
    /// Time of the passkey's registration.
    pub created_at: UnixSeconds,
}

/// Checks that a passkey may lift the limit of a session on a device.
///
/// # Errors
/// [`BindingRefusal::CoolingDown`] when the device is new and the passkey is the one that bound it, or is not older than the binding: it
/// proves nothing that whoever bound the device did not have.
pub fn lift(
    theirs: &[Binding],
    binding: &Binding,
    passkey: &ShownPasskey,
    rules: BindingRules,
    now: UnixSeconds,
) -> Result<(), BindingRefusal> {
    if !cooling_down(theirs, binding, rules, now) {
        return Ok(());
    }
    let other = binding.opened_by.is_some_and(|opened_by| opened_by.credential != passkey.credential);
    if other && passkey.created_at < binding.bound_at { Ok(()) } else { Err(BindingRefusal::CoolingDown) }
}

/// State in which a session on a binding is opened.
#[must_use]
pub fn session_state(theirs: &[Binding], binding: &Binding, rules: BindingRules, now: UnixSeconds) -> SessionState {
    if cooling_down(theirs, binding, rules, now) { SessionState::Limited } else { SessionState::Active }
}

/// The device and sign-in from which a person asks to cut a device off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asking<'a> {
    /// The device that asks.
    pub device: &'a DeviceId,
    /// Time at which the person was last authenticated on it.
    pub auth_time: UnixSeconds,
}

/// The binding that may be cut. A binding that was cut before is returned again, so that a retry gets the answer of the first try.
///
/// # Errors
/// The first rule that forbids it.
pub fn cut<'a>(
    theirs: &'a [Binding],
    asking: Asking<'_>,
    target: &DeviceId,
    rules: BindingRules,
    now: UnixSeconds,
) -> Result<&'a Binding, BindingRefusal> {
    let of = |device: &DeviceId| theirs.iter().find(|binding| binding.device == *device);
    // A device that was cut cannot cut others.
    let own = of(asking.device).filter(|own| own.active()).ok_or(BindingRefusal::Revoked)?;
    let found = of(target).ok_or(BindingRefusal::NotYours)?;
    if target == asking.device {
        return Err(BindingRefusal::InHand);
    }
    if asking.auth_time.plus(Limits::FRESH_AUTHENTICATION_AGE_MAX) < now {
        return Err(BindingRefusal::AuthenticationStale);
    }
    // SECURITY: without this rule, somebody with a person's weak factor could bind a phone and cut off the owner's.
    if found.bound_at <= own.bound_at && cooling_down(theirs, own, rules, now) {
        return Err(BindingRefusal::CoolingDown);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: BindingRules = BindingRules { devices_max: 2, cool_down: Seconds(100) };

    fn binding(number: u8, acr: Acr, bound_at: u64) -> Binding {
        Binding {
            user: UserId::from_random([9; 16]),
            device: DeviceId::from_random([number; 16]),
            acr,
            opened_by: None,
            bound_at: UnixSeconds(bound_at),
            seen_on: UnixSeconds(0),
            state: BindingState::Active,
        }
    }

    fn strong(number: u8, bound_at: u64) -> Binding {
        binding(number, Acr::PhishingResistant, bound_at)
    }

    fn removed(number: u8) -> Binding {
        Binding { state: BindingState::Removed { at: UnixSeconds(1) }, ..strong(number, 0) }
    }

    fn disowned(number: u8) -> Binding {
        Binding { state: BindingState::Disowned { at: UnixSeconds(1) }, ..strong(number, 0) }
    }

    #[test]
    fn a_sign_in_is_bound_once_and_within_bounds() {
        let rows: &[(&str, Vec<Binding>, Result<u64, BindingRefusal>)] = &[
            ("the first device", vec![], Ok(50)),
            ("a second device", vec![strong(2, 10)], Ok(50)),
            ("one too many", vec![strong(2, 10), strong(3, 11)], Err(BindingRefusal::TooMany)),
            ("known already, though there is no more room", vec![strong(2, 10), strong(1, 11)], Ok(11)),
            ("removed ones take no room", vec![strong(2, 10), removed(3), disowned(4)], Ok(50)),
            ("removed before", vec![removed(1)], Err(BindingRefusal::Revoked)),
            ("disowned before", vec![disowned(1)], Err(BindingRefusal::Revoked)),
        ];
        for (name, theirs, expected) in rows {
            let got = bind(theirs, strong(1, 50), RULES).map(|binding| binding.bound_at.0);
            assert_eq!(got, *expected, "{name}");
        }
    }

    #[test]
    fn a_new_device_cools_down() {
        let old = || vec![strong(2, 10)];
        let rows: &[(&str, Vec<Binding>, Acr, u64, SessionState)] = &[
            ("the first device of all", vec![], Acr::Basic, 1000, SessionState::Active),
            ("beside another", old(), Acr::Basic, 1000, SessionState::Limited),
            ("in the last second", old(), Acr::Basic, 1099, SessionState::Limited),
            ("after it", old(), Acr::Basic, 1100, SessionState::Active),
            ("by a phishing-resistant sign-in", old(), Acr::PhishingResistant, 1000, SessionState::Active),
            ("beside a newer one only", vec![strong(2, 1001)], Acr::Basic, 1002, SessionState::Active),
            ("beside a removed one", vec![removed(2)], Acr::Basic, 1000, SessionState::Limited),
        ];
        for (name, mut theirs, acr, now, expected) in rows.iter().cloned() {
            let new = binding(1, acr, 1000);
            theirs.push(new.clone());
            assert_eq!(session_state(&theirs, &new, RULES, UnixSeconds(now)), expected, "{name}");
        }
    }

    fn opened_by(place: PasskeyPlace) -> Option<OpenedBy> {
        Some(OpenedBy { credential: [1; 32], place })
    }

    #[test]
    fn a_device_bound_by_what_can_be_copied_cools_down() {
        use PasskeyPlace::{Copyable, OnePlace};
        let new = |place| Binding { opened_by: opened_by(place), ..strong(1, 1000) };
        let (old, copied) = (strong(2, 10), SessionState::Limited);
        let rows: &[(&str, Vec<Binding>, Binding, u64, SessionState)] = &[
            ("a synchronised passkey beside an older device", vec![old.clone()], new(Copyable), 1000, copied),
            ("in the last second", vec![old.clone()], new(Copyable), 1099, copied),
            ("after it", vec![old.clone()], new(Copyable), 1100, SessionState::Active),
            ("a passkey in one place", vec![old.clone()], new(OnePlace), 1000, SessionState::Active),
            ("the first device of all", vec![], new(Copyable), 1000, SessionState::Active),
            ("beside a removed one", vec![removed(2)], new(Copyable), 1000, copied),
        ];
        for (name, mut theirs, new, now, expected) in rows.iter().cloned() {
            theirs.push(new.clone());
            assert_eq!(session_state(&theirs, &new, RULES, UnixSeconds(now)), expected, "{name}");
            // A device that is limited cuts no older one off, and one that is not does.
            let asking = Asking { device: &new.device, auth_time: UnixSeconds(now) };
            let cut_off = cut(&theirs, asking, &old.device, RULES, UnixSeconds(now)).map(|_| ());
            let refused = if theirs.len() == 1 { BindingRefusal::NotYours } else { BindingRefusal::CoolingDown };
            assert_eq!(cut_off.is_ok(), expected == SessionState::Active && theirs.len() > 1, "{name}");
            assert!(cut_off.is_ok() || cut_off == Err(refused), "{name}");
        }
    }

    #[test]
    fn what_lifts_a_limit_is_older_than_or_other_than_what_opened_the_device() {
        let new = Binding { opened_by: opened_by(PasskeyPlace::Copyable), ..strong(1, 1000) };
        let both = vec![strong(2, 10), new.clone()];
        let passkey = |credential: u8, created_at: u64| ShownPasskey { credential: [credential; 32], created_at: UnixSeconds(created_at) };
        let refused = Err(BindingRefusal::CoolingDown);
        let rows: &[(&str, &[Binding], &Binding, ShownPasskey, u64, Result<(), BindingRefusal>)] = &[
            ("the passkey that bound the device", &both, &new, passkey(1, 5), 1050, refused),
            ("another one, older than the device", &both, &new, passkey(2, 5), 1050, Ok(())),
            ("another one, made on the new device", &both, &new, passkey(2, 1000), 1050, refused),
            ("the same, after the time", &both, &new, passkey(1, 5), 1100, Ok(())),
            ("on the older device", &both, &both[0], passkey(1, 5), 1050, Ok(())),
            ("on the only device", &both[1..], &new, passkey(1, 5), 1050, Ok(())),
        ];
        for (name, theirs, binding, passkey, now, expected) in rows {
            assert_eq!(lift(theirs, binding, passkey, RULES, UnixSeconds(*now)), *expected, "{name}");
        }
    }

    #[test]
    fn a_device_is_cut_off_by_its_person_now() {
        let both = || vec![strong(1, 10), strong(2, 900)];
        let weak = || vec![strong(1, 900), binding(2, Acr::Basic, 950), strong(3, 960)];
        let refused = Err;
        let rows: &[(&str, Vec<Binding>, u8, u8, u64, Result<(), BindingRefusal>)] = &[
            ("the older cuts the newer", both(), 1, 2, 1000, Ok(())),
            ("the newer cuts the older", both(), 2, 1, 1000, Ok(())),
            ("authenticated just in time", both(), 1, 2, 700, Ok(())),
            ("authenticated a second too early", both(), 1, 2, 699, refused(BindingRefusal::AuthenticationStale)),
            ("itself", both(), 1, 1, 1000, refused(BindingRefusal::InHand)),
            ("somebody else's", both(), 1, 7, 1000, refused(BindingRefusal::NotYours)),
            ("a cooling device cuts an older one", weak(), 2, 1, 1000, refused(BindingRefusal::CoolingDown)),
            ("a cooling device cuts a newer one", weak(), 2, 3, 1000, Ok(())),
            ("an older one cuts a cooling device", weak(), 1, 2, 1000, Ok(())),
            ("from a device that was cut itself", vec![disowned(1), strong(2, 5)], 1, 2, 1000, refused(BindingRefusal::Revoked)),
            ("once more", vec![strong(1, 10), removed(2)], 1, 2, 1000, Ok(())),
        ];
        for (name, theirs, from, target, auth_time, expected) in rows {
            let (from, target) = (DeviceId::from_random([*from; 16]), DeviceId::from_random([*target; 16]));
            let asking = Asking { device: &from, auth_time: UnixSeconds(*auth_time) };
            assert_eq!(cut(theirs, asking, &target, RULES, UnixSeconds(1000)).map(|_| ()), *expected, "{name}");
        }
    }

    #[test]
    fn every_refusal_has_a_code() {
        let all = [
            (BindingRefusal::AuthenticationStale, "authentication_stale"),
            (BindingRefusal::CoolingDown, "binding_cooling_down"),
            (BindingRefusal::InHand, "device_in_hand"),
            (BindingRefusal::NotYours, "device_not_yours"),
            (BindingRefusal::Revoked, "device_revoked"),
            (BindingRefusal::TooMany, "devices_too_many"),
        ];
        assert!(all.iter().all(|(refusal, code)| refusal.reason().code() == *code));
    }
}
