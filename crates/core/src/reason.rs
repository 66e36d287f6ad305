//! Why something was refused or limited: one stable code, a text for the operator, and the coarse class that a client is told.

use std::{fmt, sync::Arc};

use crate::{challenge::Challenge, oauth_error::OAuthError, remedy::Remedy};

/// The code that a policy's `@reason` annotation gives: lower-case letters, digits and `_`, at most 64 bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyReason(Arc<str>);

impl PolicyReason {
    /// Reads a code; `None` when it is empty, too long, or holds another character.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        fits.then(|| Self(Arc::from(text)))
    }
}

macro_rules! reasons {
    ($($variant:ident = $code:literal, $told:ident, $text:literal;)*) => {
        /// A reason. Codes are API: added, deprecated, never renamed. Alphabetical.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $(
                #[doc = concat!("`", $code, "`: ", $text, ".")]
                $variant,
            )*
            /// The code that a policy of the operator gives.
            Policy(PolicyReason),
        }

        impl Reason {
            /// Every built-in reason, in alphabetical order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable code: API, log, metrics and documentation.
            #[must_use]
            pub fn code(&self) -> &str {
                match self {
                    $(Self::$variant => $code,)*
                    Self::Policy(reason) => &reason.0,
                }
            }

            /// What happened, exactly, and what to look at. For operators only.
            #[must_use]
            pub const fn for_operator(&self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Policy(_) => "a policy of yours says so",
                }
            }

            /// What the client is told: a class so coarse that it does not help an attacker to change anything.
            #[must_use]
            pub const fn told(&self) -> Told {
                match self {
                    $(Self::$variant => Told::$told,)*
                    Self::Policy(_) => Told::NotPermitted,
                }
            }
        }
    };
}

reasons! {
    AccessibilityAbuse = "accessibility_abuse", DeviceUnproven, "the app says that an accessibility service reads or acts in other apps";
    AnchorUnknown = "anchor_unknown", DeviceUnproven, "the chain does not end at a trust anchor that is configured";
    AppAccessRisk = "app_access_risk", DeviceUnproven, "Play Integrity says that other apps can record the screen, draw over the app or control the phone";
    AppAttestMalformed = "app_attest_malformed", DeviceUnproven, "the App Attest object does not have the shape or the fixed values that Apple defines";
    AppAttestPaceReached = "app_attest_pace_reached", TooMany, "as many keys of App Attest were taken today as the ramp allows (`vendors.app_attest_daily`)";
    AppSignerUnknown = "app_signer_unknown", DeviceUnproven, "the app is signed by a certificate that its configuration does not list; a repackaged app looks like this";
    AppTampered = "app_tampered", DeviceUnproven, "the app says that it was changed or not installed by a store";
    AppUnknown = "app_unknown", DeviceUnproven, "the app that made the key is not one of the configured apps";
    AppVersionTooOld = "app_version_too_old", AppOutdated, "the app's version is older than the configuration supports, or nothing says what it is";
    AssertionCounterReused = "assertion_counter_reused", DeviceUnproven, "an App Attest assertion's counter was used before; a replay or a copied key looks like this";
    AssertionInvalid = "assertion_invalid", DeviceUnproven, "the assertion is not the attested key's signature over this request";
    AttestationKeyMismatch = "attestation_key_mismatch", DeviceUnproven, "the attested key is not the key that signed the enrolment";
    AttestationUnavailable = "attestation_unavailable", Unavailable, "a vendor's attestation service did not answer; enrolled devices are not affected, and the phone may try again";
    AuditUnavailable = "audit_unavailable", Unavailable, "the decision could not be recorded, so it was not carried out; look at the data directory's disk";
    AuthenticationStale = "authentication_stale", StepUp, "the person was last authenticated longer ago than cutting a device off asks for";
    BearerDowngrade = "bearer_downgrade", TokenMissing, "a token came with the `Bearer` scheme; every token here needs a proof (`DPoP`)";
    BindingCoolingDown = "binding_cooling_down", Limited, "the device is new to its person and came by a sign-in that is not phishing-resistant; it may not cut off older ones yet";
    BodyFieldInvalid = "body_field_invalid", RequestInvalid, "a body field that policy looks at is missing or has another type than the operation declares";
    BodyMalformed = "body_malformed", RequestInvalid, "the body is not the single JSON document that the operation declares";
    BodyTooLarge = "body_too_large", RequestInvalid, "the body is larger than the operation's limit";
    BootNotVerified = "boot_not_verified", DeviceUnproven, "the phone did not verify its system at boot with an accepted key";
    BootloaderUnlocked = "bootloader_unlocked", DeviceUnproven, "the phone's bootloader is unlocked";
    CeremonyForeignKey = "ceremony_foreign_key", ProofInvalid, "a ceremony was finished by another device key than the one that began it";
    CertificateExpired = "certificate_expired", DeviceUnproven, "a certificate of the attestation chain has expired";
    CertificateMalformed = "certificate_malformed", DeviceUnproven, "a certificate of the attestation chain does not parse";
    CertificateNotYetValid = "certificate_not_yet_valid", DeviceUnproven, "a certificate of the attestation chain is not valid yet";
    CertificateRevoked = "certificate_revoked", DeviceUnproven, "a certificate of the attestation chain stands on the vendor's revocation list";
    ChainBroken = "chain_broken", DeviceUnproven, "issuer and subject of the attestation chain do not connect, or it is too short or too long";
    ChainExtended = "chain_extended", DeviceUnproven, "certificates were appended below the attested one; somebody tried to pass a key of their own";
    ChainSignatureInvalid = "chain_signature_invalid", DeviceUnproven, "a signature in the attestation chain does not verify";
    ChallengeMismatch = "challenge_mismatch", DeviceUnproven, "the evidence answers another challenge";
    ChallengeUnknown = "challenge_unknown", Retry, "the challenge was never issued, has expired or was used before";
    ChallengesFull = "challenges_full", Unavailable, "as many challenges are outstanding as are kept, so no new one is issued";
    ClientUnknown = "client_unknown", RequestInvalid, "the client is not one of the configured apps";
    CodeReused = "code_reused", SignInAgain, "an authorization code was redeemed twice; its session was revoked";
    CodeUnknown = "code_unknown", SignInAgain, "the authorization code was never issued or has expired";
    ConnectionIdle = "connection_idle", Retry, "one side of an open connection was silent for longer than is accepted";
    ConnectionsTooMany = "connections_too_many", Unavailable, "as many connections are open as this node takes (`open_connections_max`)";
    DebuggerAttached = "debugger_attached", DeviceUnproven, "the app says that a debugger is attached to it";
    DelegationInvalid = "delegation_invalid", ProofInvalid, "the device key's statement that names the request key does not verify or names another key";
    DescriptionMalformed = "description_malformed", DeviceUnproven, "the attestation's key description does not parse";
    DevTokenExpired = "dev_token_expired", DevTokenExpired, "the development token has expired; make a new one with `countersign dev-token create`";
    DevTokenPhonesFull = "dev_token_phones_full", DevTokenRefused, "the development token enrolled as many phones as it may; make another one, or one with a greater `--phones`";
    DevTokenPublicNetwork = "dev_token_public_network", DevTokenRefused, "the development token came from a public address; use it in a private network, or make one with `--any-network`";
    DevTokenReleaseBuild = "dev_token_release_build", DevTokenReleaseBuild, "a release build of the app sent a development token; take the token out of it, and revoke the token if the build left the house";
    DevTokenRevoked = "dev_token_revoked", DevTokenRefused, "the development token was revoked; make a new one with `countersign dev-token create`";
    DevTokenUnknown = "dev_token_unknown", DevTokenRefused, "the development token was not made here, or was copied in part; `countersign dev-token list` shows those there are";
    DevTokenWrongApp = "dev_token_wrong_app", DevTokenWrongApp, "the development token is for another app; make one with `--app` and this client id";
    DevTokenWrongPlatform = "dev_token_wrong_platform", DevTokenWrongPlatform, "the development token is for the other platform; make one with another `--platform`, or without it for both";
    DevelopmentDevice = "development_device", DeviceUnproven, "the device was enrolled by a development token, and the configuration does not take these in `enforce`";
    DeviceInHand = "device_in_hand", DeviceInHand, "a device asked to cut itself off; the person can sign out on it instead";
    DeviceNotYours = "device_not_yours", NotPermitted, "a person asked for a device on which they never signed in, or for none";
    DeviceRevoked = "device_revoked", Revoked, "the device was revoked";
    DeviceUnknown = "device_unknown", Revoked, "the device is not enrolled";
    DevicesTooMany = "devices_too_many", DevicesTooMany, "the person has signed in on as many devices as `devices_max` allows; one must be removed first";
    Emulator = "emulator", DeviceUnproven, "the app says that it runs on an emulator or simulator";
    EnvironmentMismatch = "environment_mismatch", DeviceUnproven, "the key was attested in an App Attest environment that is not accepted here; development builds use their own";
    EvidenceStale = "evidence_stale", Reattest, "the evidence about the device is older than is accepted; the app can renew it without the person";
    GatewayEnding = "gateway_ending", Unavailable, "the gateway is being stopped; the client connects again and finds another node";
    GrantTypeUnknown = "grant_type_unknown", RequestInvalid, "the token request's grant type is neither `authorization_code` nor `refresh_token`";
    HandshakeInvalid = "handshake_invalid", RequestInvalid, "the WebSocket handshake is not one that RFC 6455 describes";
    Hooked = "hooked", DeviceUnproven, "the app says that foreign code runs inside it (Frida, Xposed or the like)";
    HostUnknown = "host_unknown", RequestInvalid, "the request is for another host than `public_url` names";
    Internal = "internal", Unavailable, "a fault of ours; the log entry with this decision number tells where";
    KeyIdMismatch = "key_id_mismatch", DeviceUnproven, "the key id that the app sent is not the attested key's";
    KeyLost = "key_lost", KeyLost, "the key names no enrolled device; an app that was restored or installed anew looks like this, and enrols again";
    KeyNotGenerated = "key_not_generated", DeviceUnproven, "the attested key was imported or is of unknown origin; only a key made inside the hardware counts";
    KeyNotHardware = "key_not_hardware", DeviceUnproven, "the key, or its attestation, lives below the security level that is required";
    KeyOpenToAllApplications = "key_open_to_all_applications", DeviceUnproven, "the attested key can be used by every app on the phone";
    KeyPurposeWrong = "key_purpose_wrong", DeviceUnproven, "the attested key may do something else than sign";
    KeyUnsupported = "key_unsupported", DeviceUnproven, "the attested key is not a P-256 key";
    LoginAttemptsTooMany = "login_attempts_too_many", TooMany, "too many logins or prompts failed for this account or from this phone or network; it goes on in some minutes";
    LoginRefused = "login_refused", SignInAgain, "the passkey's answer did not verify";
    MediaTypeWrong = "media_type_wrong", RequestInvalid, "the body's content type is not the one that this door takes";
    MessageInvalid = "message_invalid", RequestInvalid, "the client broke the framing of its open connection (RFC 6455, or that of gRPC)";
    MessageTooLarge = "message_too_large", RequestInvalid, "a message on an open connection was larger than its operation takes (`message_bytes_max`)";
    MessagesTooMany = "messages_too_many", TooMany, "the client sent more messages on an open connection than its operation takes (`messages_per_second`)";
    MethodUnknown = "method_unknown", RequestInvalid, "the request's method is not one that this door knows";
    NameTaken = "name_taken", NameTaken, "somebody else has an account of this name";
    NoPermit = "no_permit", NotPermitted, "no policy permits this";
    OriginForeign = "origin_foreign", NotPermitted, "a browser opened the connection from a page of another origin";
    OriginRefused = "origin_refused", SignInAgain, "the passkey was used on an origin that is not configured";
    OsVersionTooOld = "os_version_too_old", SystemOutdated, "the phone's system is older than the configuration accepts, or nothing says what it is";
    ParameterInvalid = "parameter_invalid", RequestInvalid, "a parameter of the path is not an identifier";
    PatchLevelTooOld = "patch_level_too_old", SystemOutdated, "the phone's security patches are older than the configuration accepts, or nothing says how old they are";
    PathAmbiguous = "path_ambiguous", RequestInvalid, "the path could be read in two ways (`//`, `..`, `;`, encoded separators or dots)";
    PkceMismatch = "pkce_mismatch", SignInAgain, "the code verifier does not belong to the code challenge, or the method is not S256";
    PlayAppUnrecognized = "play_app_unrecognized", DeviceUnproven, "Play Integrity does not recognise the app as the one that Google distributes";
    PlayDeviceIntegrityMissing = "play_device_integrity_missing", DeviceUnproven, "Play Integrity says that the device is less sound than the configuration asks";
    PlayProtectRisk = "play_protect_risk", DeviceUnproven, "Play Protect found harmful apps, is off, or was not evaluated";
    PlayQuotaExhausted = "play_quota_exhausted", TooMany, "as many tokens of Play Integrity were decoded today as Google allows (`vendors.play_daily`); ask Google for more";
    PlayRequestMismatch = "play_request_mismatch", DeviceUnproven, "the Play Integrity verdict answers another request";
    PlaySignatureInvalid = "play_signature_invalid", DeviceUnproven, "the Play Integrity token's signature does not verify; check the verification key of the app's configuration";
    PlayTestingResponse = "play_testing_response", DeviceUnproven, "the Play Integrity verdict is a test response that the Play Console makes up for testers";
    PlayTokenMalformed = "play_token_malformed", DeviceUnproven, "the Play Integrity token does not parse";
    PlayTokenUndecryptable = "play_token_undecryptable", DeviceUnproven, "the Play Integrity token does not decrypt; check the decryption key of the app's configuration";
    PlayUnlicensed = "play_unlicensed", DeviceUnproven, "Play Integrity says that the person did not get the app from Google Play";
    PlayVerdictMalformed = "play_verdict_malformed", DeviceUnproven, "the Play Integrity verdict does not parse";
    PlayVerdictMissing = "play_verdict_missing", DeviceUnproven, "there is no Play Integrity verdict for the device, and the configuration asks for one";
    PlayVerdictTooEarly = "play_verdict_too_early", DeviceUnproven, "the Play Integrity verdict's time lies ahead of ours; check this server's clock";
    PlayVerdictTooOld = "play_verdict_too_old", DeviceUnproven, "the Play Integrity verdict is older than is accepted";
    PolicyError = "policy_error", NotPermitted, "a policy could not be evaluated; it is treated as a refusal";
    ProofAlgorithmRefused = "proof_algorithm_refused", ProofInvalid, "the proof is signed with an algorithm that is not on the list (ES256, EdDSA)";
    ProofKeyMismatch = "proof_key_mismatch", ProofInvalid, "the proof was signed by another key than the one the token is bound to; a stolen token looks like this";
    ProofMalformed = "proof_malformed", ProofInvalid, "the proof does not parse";
    ProofMissing = "proof_missing", ProofInvalid, "the request has no proof (`DPoP` header)";
    ProofNonceStale = "proof_nonce_stale", UseNonce, "the proof's nonce has expired or was never issued here; the answer carries a new one";
    ProofNonceWanted = "proof_nonce_wanted", UseNonce, "the proof has no nonce and its clock is off, or this door asks for one; the answer carries one and our time";
    ProofPrivateKey = "proof_private_key", ProofInvalid, "the proof's header contains a private key";
    ProofRepeatedHeader = "proof_repeated_header", ProofInvalid, "the request has more than one proof";
    ProofReplayed = "proof_replayed", ProofInvalid, "the proof was used before; a captured request sent again looks like this";
    ProofSignatureInvalid = "proof_signature_invalid", ProofInvalid, "the proof's signature does not verify";
    ProofTokenMismatch = "proof_token_mismatch", ProofInvalid, "the proof was made for another token (`ath`)";
    ProofTooEarly = "proof_too_early", ClockFar, "the proof's time lies ahead of ours by more than is accepted";
    ProofTooLarge = "proof_too_large", ProofInvalid, "the proof is larger than is accepted";
    ProofTooOld = "proof_too_old", ClockFar, "the proof's time lies behind ours by more than is accepted";
    ProofTypeWrong = "proof_type_wrong", ProofInvalid, "the proof's `typ` is not `dpop+jwt`";
    ProofWrongMethod = "proof_wrong_method", ProofInvalid, "the proof was made for another method";
    ProofWrongTarget = "proof_wrong_target", ProofInvalid, "the proof was made for another URL";
    RateExceeded = "rate_exceeded", TooMany, "more requests than this session may make at present";
    ReaderTooSlow = "reader_too_slow", Retry, "one side of an open connection did not take what was sent to it";
    ReceiptExpired = "receipt_expired", DeviceUnproven, "the receipt of App Attest has expired, or is older than is accepted; ask Apple for a new one";
    ReceiptInvalid = "receipt_invalid", DeviceUnproven, "the receipt of App Attest does not verify, or is about another app or key";
    RefreshForeignKey = "refresh_foreign_key", SignInAgain, "a refresh token came with another key than its device key; the session was frozen";
    RefreshUnknown = "refresh_unknown", SignInAgain, "the refresh token was never issued, has expired or was revoked";
    ReplayMemoryFull = "replay_memory_full", Unavailable, "the memory of used proofs is full, so no proof is accepted";
    ReportInvalid = "report_invalid", RequestInvalid, "the app's posture report does not parse, or is not signed by the device key";
    RequestMalformed = "request_malformed", RequestInvalid, "the request is not one unambiguous HTTP message";
    RequestTooLarge = "request_too_large", RequestInvalid, "the request's head is larger than is accepted";
    RequestTooSlow = "request_too_slow", RequestInvalid, "the request took longer to arrive than is accepted";
    ResponseNotMaskable = "response_not_maskable", Unavailable, "fields of the answer had to be hidden and it is not JSON that can be parsed, so it was withheld";
    RiskHigh = "risk_high", NotPermitted, "the request looks so unlike its person that it is refused whoever asks; the entry says what the score was made of";
    RiskMetricHigh = "risk_metric_high", DeviceUnproven, "Apple counts more App Attest keys on this phone than the configuration accepts";
    RiskRaised = "risk_raised", StepUp, "the request looks unlike its person, who has to confirm it; the entry says what the score was made of";
    RootOfTrustMissing = "root_of_trust_missing", DeviceUnproven, "the attestation does not say how the phone booted";
    RiskMetricMissing = "risk_metric_missing", DeviceUnproven, "Apple has not counted the App Attest keys on this phone, and the configuration asks for the count";
    Rooted = "rooted", DeviceUnproven, "the app says that the phone is rooted or jailbroken";
    ScreenLockMissing = "screen_lock_missing", ScreenLockMissing, "the app says that the phone has no screen lock";
    SessionChallenged = "session_challenged", SignInAgain, "the session waits for its person to sign in again";
    SessionExpired = "session_expired", SignInAgain, "the session has reached its end";
    SessionLimited = "session_limited", Limited, "the session is limited, and the operation does not take limited sessions (`when_limited`)";
    SessionRevoked = "session_revoked", Revoked, "the session was revoked";
    SessionSuspect = "session_suspect", StepUp, "the monitor limited the session until its person confirms, and the operation does not take limited sessions";
    SessionUnknown = "session_unknown", SignInAgain, "the token names a session that does not exist";
    SideloadedApps = "sideloaded_apps", DeviceUnproven, "the app says that apps from outside of the store are installed";
    SignUpClosed = "sign_up_closed", NotPermitted, "new accounts need an invitation, and this one is unknown, used or expired";
    StatusListMissing = "status_list_missing", DeviceUnproven, "no revocation list is loaded, and the configuration asks for one";
    StatusListStale = "status_list_stale", DeviceUnproven, "the revocation list is older than is accepted";
    StoreUnavailable = "store_unavailable", Unavailable, "the store did not answer";
    StreamUndeclared = "stream_undeclared", RequestInvalid, "a WebSocket was asked for where the operation declares none, or what it declares, WebSocket or gRPC, was not asked for (`stream`)";
    TokenAlgorithmRefused = "token_algorithm_refused", TokenInvalid, "the token is signed with an algorithm that is not on the list (ES256, EdDSA)";
    TokenAudienceWrong = "token_audience_wrong", TokenInvalid, "the token is for another audience";
    TokenExpired = "token_expired", TokenExpired, "the token has expired";
    TokenIssuerWrong = "token_issuer_wrong", TokenInvalid, "the token is from another issuer";
    TokenKeyUnknown = "token_key_unknown", TokenInvalid, "the token is signed by a key that is not published here";
    TokenMalformed = "token_malformed", TokenInvalid, "the token does not parse";
    TokenMissing = "token_missing", TokenMissing, "the request has no token";
    TokenNotYetValid = "token_not_yet_valid", TokenInvalid, "the token is not valid yet";
    TokenRepeatedHeader = "token_repeated_header", TokenInvalid, "the request has more than one `Authorization` header";
    TokenSignatureInvalid = "token_signature_invalid", TokenInvalid, "the token's signature does not verify";
    TokenTypeWrong = "token_type_wrong", TokenInvalid, "the token's `typ` is not `at+jwt`";
    UnknownOperation = "unknown_operation", NotPermitted, "no operation is declared for this method and path";
    UpstreamTimeout = "upstream_timeout", Unavailable, "the upstream did not answer in time";
    UpstreamUnavailable = "upstream_unavailable", Unavailable, "the upstream could not be reached";
    UserUnknown = "user_unknown", SignInAgain, "the account does not exist or is closed";
    Vpn = "vpn", DeviceUnproven, "the app says that traffic leaves through a VPN, which the configuration does not accept";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Whether and when a client may send the request again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// Once the person did what the remedy says.
    AfterRemedy,
    /// After the time in `Retry-After`.
    Later,
    /// Not at all.
    Never,
    /// At once, with the nonce of the answer.
    WithNonce,
    /// At once, with a refreshed token.
    WithRefresh,
}

impl Retry {
    /// The value of `retry` on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AfterRemedy => "after_remedy",
            Self::Later => "later",
            Self::Never => "no",
            Self::WithNonce => "now_with_nonce",
            Self::WithRefresh => "refresh",
        }
    }
}

macro_rules! tolds {
    ($(
        $(#[$doc:meta])*
        $variant:ident = $status:literal, $code:literal, $challenge:ident, $oauth:ident, $retry:ident, [$($remedy:ident),*], $title:literal,
            $detail:literal;
    )*) => {
        /// The coarse class of a refusal: all that a client learns. Codes are API. Alphabetical.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Told {
            $($(#[$doc])* $variant,)*
        }

        impl Told {
            /// Every class, in alphabetical order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// HTTP status (RFC 9110).
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// The stable code on the wire.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// How the client is asked to authenticate instead (`WWW-Authenticate`).
            #[must_use]
            pub const fn challenge(self) -> Challenge {
                match self { $(Self::$variant => Challenge::$challenge,)* }
            }

            /// The error that OAuth endpoints name, unless a reason has one of its own.
            #[must_use]
            pub const fn oauth_error(self) -> OAuthError {
                match self { $(Self::$variant => OAuthError::$oauth,)* }
            }

            /// Whether the client may try again.
            #[must_use]
            pub const fn retry(self) -> Retry {
                match self { $(Self::$variant => Retry::$retry,)* }
            }

            /// What the person can do.
            #[must_use]
            pub const fn remedies(self) -> &'static [Remedy] {
                match self { $(Self::$variant => &[$(Remedy::$remedy),*],)* }
            }

            /// A heading for the person.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// A sentence for the person.
            #[must_use]
            pub const fn for_person(self) -> &'static str {
                match self { $(Self::$variant => $detail,)* }
            }
        }
    };
}

// Status, code, challenge, OAuth error, retry, remedies, title, text.
tolds! {
    /// The app is too old; the answer names the version and the store.
    AppOutdated = 403, "app_outdated", Absent, InvalidGrant, AfterRemedy, [UpdateApp], "Please update the app", "This version of the app is no longer supported. Please install the newest one.";
    /// The phone's clock is far off; the answer carries a nonce and our time.
    ClockFar = 401, "clock_far", UseDpopNonce, UseDpopNonce, WithNonce, [], "Check the date and time", "Set this phone's date and time to automatic if this keeps happening.";
    /// A development token has expired. Its classes are exact, because only developers see them, and only whoever holds the token.
    DevTokenExpired = 403, "dev_token_expired", Absent, InvalidGrant, Never, [], "This development token has expired", "The development token has expired. Make a new one with countersign dev-token create.";
    /// A development token is not taken, for a reason that is not its holder's to know.
    DevTokenRefused = 403, "dev_token_refused", Absent, InvalidGrant, Never, [], "This development token is not accepted", "The development token is not accepted here. The log entry of this decision says why.";
    /// A development token came from a release build.
    DevTokenReleaseBuild = 403, "dev_token_release_build", Absent, InvalidGrant, Never, [], "A release build has no development token", "A release build cannot use a development token. Remove the token from this build, or run a debug build.";
    /// A development token is another app's.
    DevTokenWrongApp = 403, "dev_token_wrong_app", Absent, InvalidGrant, Never, [], "This development token is for another app", "The development token was made for another app. Make one with this app's client id.";
    /// A development token is for the other platform.
    DevTokenWrongPlatform = 403, "dev_token_wrong_platform", Absent, InvalidGrant, Never, [], "This development token is for another platform", "The development token was made for another platform. Make one for this platform, or for both.";
    /// The device is the one in the person's hand, which signing out is for.
    DeviceInHand = 409, "device_in_hand", Absent, InvalidGrant, Never, [], "This is the phone in your hand", "You are using this phone now. To end its access, sign out on it.";
    /// The device could not be proved; one class for every check behind it.
    DeviceUnproven = 403, "device_unproven", Absent, InvalidGrant, AfterRemedy, [UpdateSystem, ContactSupport], "We could not check this phone", "This phone could not be verified, so this is not available on it.";
    /// The person has as many devices as may be.
    DevicesTooMany = 403, "devices_too_many", Absent, InvalidGrant, AfterRemedy, [RemoveDevice], "You have too many devices", "Please remove a device that you no longer use, then sign in here again.";
    /// The app's key is gone, or was never enrolled; the app enrols a new one.
    KeyLost = 401, "key_lost", InvalidToken, InvalidGrant, AfterRemedy, [ReEnrol], "Set this phone up again", "This phone must be set up again. Nothing was lost: please sign in afterwards.";
    /// The session is limited for now.
    Limited = 403, "limited", Absent, InvalidGrant, Later, [], "This is paused for your safety", "This is paused for your safety. Please try again later.";
    /// The name of a new account belongs to somebody else.
    NameTaken = 409, "name_taken", Absent, InvalidRequest, AfterRemedy, [], "This name is taken", "Somebody has this name already. Please choose another one.";
    /// The person may not do this.
    NotPermitted = 403, "policy", Absent, UnauthorizedClient, Never, [], "You don't have access to this", "You don't have access to this.";
    /// The proof of possession did not verify; one class for all its faults.
    ProofInvalid = 401, "proof_invalid", InvalidDpopProof, InvalidDpopProof, Never, [ContactSupport], "Something went wrong", "This request could not be completed.";
    /// The device must be proved again; the app does that without the person.
    Reattest = 401, "reattest", UseFreshAttestation, InvalidGrant, AfterRemedy, [AttestDevice], "One moment", "This phone is being checked again.";
    /// The request itself is not well-formed.
    RequestInvalid = 400, "request_invalid", Absent, InvalidRequest, Never, [], "Something went wrong", "This request could not be understood.";
    /// A short-lived thing has lapsed; begin the exchange again.
    Retry = 400, "try_again", Absent, InvalidGrant, Later, [], "Please try again", "This took too long. Please try again.";
    /// Session or device were revoked.
    Revoked = 401, "revoked", InvalidToken, InvalidGrant, Never, [SignInAgain], "You were signed out", "You were signed out on this phone.";
    /// The phone opens to everybody.
    ScreenLockMissing = 403, "screen_lock_missing", Absent, InvalidGrant, AfterRemedy, [SetScreenLock], "Set a screen lock", "This needs a phone that is locked with a code, finger or face.";
    /// The person must sign in again.
    SignInAgain = 401, "reauth", InvalidToken, InvalidGrant, AfterRemedy, [SignInAgain], "Sign in again", "Please sign in again to continue.";
    /// Stronger or fresher authentication is needed (RFC 9470).
    StepUp = 401, "step_up", InsufficientUserAuthentication, InvalidGrant, AfterRemedy, [ConfirmItsYou], "Confirm it's you", "This needs your fingerprint or face again.";
    /// The phone's system is too old.
    SystemOutdated = 403, "system_outdated", Absent, InvalidGrant, AfterRemedy, [UpdateSystem], "Please update your phone", "Your phone's system is too old for this. Please install its newest update.";
    /// The access token has expired.
    TokenExpired = 401, "token_expired", InvalidToken, InvalidRequest, WithRefresh, [], "One moment", "Your access is being renewed.";
    /// The access token does not verify.
    TokenInvalid = 401, "token_invalid", InvalidToken, InvalidRequest, WithRefresh, [], "Something went wrong", "This request could not be completed.";
    /// There is no access token, or not in the form that is asked for.
    TokenMissing = 401, "token_missing", SchemeOnly, InvalidRequest, WithRefresh, [SignInAgain], "Sign in", "Please sign in to continue.";
    /// Too many requests.
    TooMany = 429, "too_many", Absent, TemporarilyUnavailable, Later, [], "Please wait a moment", "There were too many requests. Please wait a moment.";
    /// A fault of ours.
    Unavailable = 503, "unavailable", Absent, TemporarilyUnavailable, Later, [], "Not available right now", "This is not available right now. Nothing was lost.";
    /// The proof needs the nonce that the answer carries (RFC 9449 sections 8 and 9).
    UseNonce = 401, "use_dpop_nonce", UseDpopNonce, UseDpopNonce, WithNonce, [], "One moment", "One moment.";
}

impl Told {
    /// Whether the answer carries a nonce for the next proof (RFC 9449 sections 8 and 9): where the challenge asks for one.
    #[must_use]
    pub fn offers_nonce(self) -> bool {
        self.challenge() == Challenge::UseDpopNonce
    }

    /// Whether the answer says when to come again (`Retry-After`): with the statuses that have that header (RFC 6585 section 4,
    /// RFC 9110 section 15.6.4).
    #[must_use]
    pub const fn says_when(self) -> bool {
        matches!(self.status(), 429 | 503)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn codes_are_unique_and_well_formed() {
        let codes: BTreeSet<_> = Reason::ALL.iter().map(Reason::code).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        assert!(codes.iter().all(|code| PolicyReason::parse(code).is_some()));
        let told: BTreeSet<_> = Told::ALL.iter().map(|told| told.code()).collect();
        assert_eq!(told.len(), Told::ALL.len());
    }

    #[test]
    fn every_refusal_is_an_error_status() {
        assert!(Told::ALL.iter().all(|told| (400..=599).contains(&told.status())));
    }

    /// RFC 9110 section 11.6.1 asks for a challenge with every 401; elsewhere one would ask in vain.
    #[test]
    fn a_challenge_comes_with_every_401_and_with_nothing_else() {
        for told in Told::ALL {
            assert_eq!(told.challenge() != Challenge::Absent, told.status() == 401, "{told:?}");
        }
    }

    #[test]
    fn what_a_client_does_next_agrees_with_what_it_is_given() {
        for told in Told::ALL {
            assert_eq!(told.offers_nonce(), told.retry() == Retry::WithNonce, "{told:?}");
            assert_eq!(told.offers_nonce(), told.oauth_error() == OAuthError::UseDpopNonce, "{told:?}");
            assert!(!told.says_when() || told.retry() == Retry::Later, "{told:?}");
            assert_eq!(told.says_when(), told.oauth_error() == OAuthError::TemporarilyUnavailable, "{told:?}");
        }
    }

    /// What the operator reads must not leak to the person: the two texts share no reason-specific word by construction,
    /// so it is enough that every device check is told in one voice.
    #[test]
    fn all_device_checks_sound_the_same() {
        for reason in [Reason::BootNotVerified, Reason::CertificateRevoked, Reason::KeyNotHardware, Reason::AppSignerUnknown] {
            assert_eq!(reason.told(), Told::DeviceUnproven, "{reason}");
        }
    }

    #[test]
    fn policy_codes_parse_strictly() {
        assert!(PolicyReason::parse("patch_level_old").is_some());
        for bad in ["", "Large", "a b", "a-b", &"a".repeat(65)] {
            assert!(PolicyReason::parse(bad).is_none(), "{bad}");
        }
    }
}
