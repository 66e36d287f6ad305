//! Remedies: steps that a person can take after a refusal.

/// Step that a person can take after a refusal. This is the complete list, so that advice never reveals more than intended. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Remedy {
    /// Let the app prove the device again; the person notices nothing.
    AttestDevice,
    /// Show a finger or face again.
    ConfirmItsYou,
    /// Ask support, because the person can do nothing alone.
    ContactSupport,
    /// Let the app make and enrol a new device key, then sign in.
    ReEnrol,
    /// Remove a device that is no longer used.
    RemoveDevice,
    /// Set a screen lock on the phone.
    SetScreenLock,
    /// Sign in again in the app.
    SignInAgain,
    /// Install the newest version of the app.
    UpdateApp,
    /// Install the newest update of the system.
    UpdateSystem,
}

impl Remedy {
    /// Stable word for the remedy (`kind`) in answers to clients.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::AttestDevice => "attest_device",
            Self::ConfirmItsYou => "confirm_its_you",
            Self::ContactSupport => "contact_support",
            Self::ReEnrol => "re_enrol",
            Self::RemoveDevice => "remove_device",
            Self::SetScreenLock => "set_screen_lock",
            Self::SignInAgain => "sign_in_again",
            Self::UpdateApp => "update_app",
            Self::UpdateSystem => "update_system",
        }
    }

    /// Text of the button that offers the remedy.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::AttestDevice => "Check this phone again",
            Self::ConfirmItsYou => "Use fingerprint or face",
            Self::ContactSupport => "Contact support",
            Self::ReEnrol => "Set this phone up again",
            Self::RemoveDevice => "Remove a device",
            Self::SetScreenLock => "Set a screen lock",
            Self::SignInAgain => "Sign in again",
            Self::UpdateApp => "Update the app",
            Self::UpdateSystem => "Update the phone's system",
        }
    }
}
