//! What a person can do when something was refused.

/// What a person can do about a refusal; the whole allow-list of counterfactuals. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Remedy {
    /// Let the app prove the device again; the person notices nothing.
    AttestDevice,
    /// Show a finger or face again.
    ConfirmItsYou,
    /// Nothing that a person can do alone.
    ContactSupport,
    /// Let the app make and enrol a new device key, then sign in.
    ReEnrol,
    /// Remove a device that is used no more.
    RemoveDevice,
    /// Set a screen lock.
    SetScreenLock,
    /// Sign in again.
    SignInAgain,
    /// Install the newest version of the app.
    UpdateApp,
    /// Install the newest system update.
    UpdateSystem,
}

impl Remedy {
    /// The `kind` on the wire.
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

    /// The label of a button.
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
