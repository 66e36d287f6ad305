//! The doors of the issuer: where they are and what they take.

use http::Method;

/// One endpoint. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Fresh evidence about an enrolled device.
    Attest,
    /// A challenge to be attested.
    Challenge,
    /// Enrolment of a device.
    Devices,
    /// The published keys (RFC 7517 section 5).
    Jwks,
    /// The passkey's answer to a login.
    LoginFinish,
    /// The beginning of a login.
    LoginStart,
    /// What we offer (RFC 8414).
    Metadata,
    /// One of the person's devices, to be renamed.
    MyDevice,
    /// One of the person's devices, which is not theirs.
    MyDeviceNotMe,
    /// One of the person's devices, to be removed.
    MyDeviceRemove,
    /// The person's devices.
    MyDevices,
    /// What happened to the person's devices.
    MyNotices,
    /// The passkey's answer to a registration.
    RegistrationFinish,
    /// The beginning of a registration.
    RegistrationStart,
    /// What an app says of its phone.
    Report,
    /// The end of a session, by its person (RFC 7009).
    Revoke,
    /// Tokens (RFC 6749 section 3.2).
    Token,
}

/// What a request's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyKind {
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `application/json`.
    Json,
    /// There is none.
    Nothing,
}

/// In which words a door refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// RFC 6749 section 5.2.
    OAuth,
    /// RFC 9457.
    Problem,
}

impl Door {
    /// Every door.
    pub const ALL: &'static [Self] = &[
        Self::Attest,
        Self::Challenge,
        Self::Devices,
        Self::Jwks,
        Self::LoginFinish,
        Self::LoginStart,
        Self::Metadata,
        Self::MyDevice,
        Self::MyDeviceNotMe,
        Self::MyDeviceRemove,
        Self::MyDevices,
        Self::MyNotices,
        Self::RegistrationFinish,
        Self::RegistrationStart,
        Self::Report,
        Self::Revoke,
        Self::Token,
    ];

    /// Its path, in which `{id}` stands for any segment; it is also its name in metrics.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Attest => "/countersign/v1/attest",
            Self::Challenge => "/countersign/v1/challenge",
            Self::Devices => "/countersign/v1/devices",
            Self::Jwks => "/.well-known/jwks.json",
            Self::LoginFinish => "/countersign/v1/login/finish",
            Self::LoginStart => "/countersign/v1/login/start",
            Self::Metadata => "/.well-known/oauth-authorization-server",
            Self::MyDevice | Self::MyDeviceRemove => "/countersign/v1/me/devices/{id}",
            Self::MyDeviceNotMe => "/countersign/v1/me/devices/{id}/not-me",
            Self::MyDevices => "/countersign/v1/me/devices",
            Self::MyNotices => "/countersign/v1/me/notices",
            Self::RegistrationFinish => "/countersign/v1/registration/finish",
            Self::RegistrationStart => "/countersign/v1/registration/start",
            Self::Report => "/countersign/v1/report",
            Self::Revoke => "/countersign/v1/revoke",
            Self::Token => "/countersign/v1/token",
        }
    }

    /// What it takes.
    #[must_use]
    pub const fn body(self) -> BodyKind {
        match self {
            Self::Jwks | Self::Metadata | Self::MyDeviceRemove | Self::MyDevices | Self::MyNotices => BodyKind::Nothing,
            Self::Revoke | Self::Token => BodyKind::Form,
            Self::Attest
            | Self::Challenge
            | Self::Devices
            | Self::LoginFinish
            | Self::LoginStart
            | Self::MyDevice
            | Self::MyDeviceNotMe
            | Self::RegistrationFinish
            | Self::RegistrationStart
            | Self::Report => BodyKind::Json,
        }
    }

    /// The method that its proofs name.
    #[must_use]
    pub const fn method(self) -> Method {
        match self {
            Self::MyDevice => Method::PATCH,
            Self::MyDeviceRemove => Method::DELETE,
            Self::Jwks | Self::Metadata | Self::MyDevices | Self::MyNotices => Method::GET,
            Self::Attest
            | Self::Challenge
            | Self::Devices
            | Self::LoginFinish
            | Self::LoginStart
            | Self::MyDeviceNotMe
            | Self::RegistrationFinish
            | Self::RegistrationStart
            | Self::Report
            | Self::Revoke
            | Self::Token => Method::POST,
        }
    }

    /// The methods that it takes. Whoever may read what is public may ask for the head alone (RFC 9110 section 9.3.2).
    #[must_use]
    pub const fn methods(self) -> &'static [Method] {
        match self {
            Self::Jwks | Self::Metadata => &[Method::GET, Method::HEAD],
            Self::MyDevice => &[Method::PATCH],
            Self::MyDeviceRemove => &[Method::DELETE],
            Self::MyDevices | Self::MyNotices => &[Method::GET],
            Self::Attest
            | Self::Challenge
            | Self::Devices
            | Self::LoginFinish
            | Self::LoginStart
            | Self::MyDeviceNotMe
            | Self::RegistrationFinish
            | Self::RegistrationStart
            | Self::Report
            | Self::Revoke
            | Self::Token => &[Method::POST],
        }
    }

    /// The doors at its path: one for each thing to be done there.
    pub fn neighbours(self) -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(move |door| door.path() == self.path())
    }

    /// In which words it refuses.
    #[must_use]
    pub const fn voice(self) -> Voice {
        match self.body() {
            BodyKind::Form => Voice::OAuth,
            BodyKind::Json | BodyKind::Nothing => Voice::Problem,
        }
    }
}
