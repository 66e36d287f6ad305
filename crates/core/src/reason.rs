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
                    Self::Policy(_) => "one of your own policies gave this reason",
                }
            }

            /// What the client is told: a class so coarse that it does not help an attacker to change anything.
            #[must_use]
            pub const fn public(&self) -> PublicReason {
                match self {
                    $(Self::$variant => PublicReason::$told,)*
                    Self::Policy(_) => PublicReason::NotPermitted,
                }
            }
        }
    };
}

reasons! {
    AccessibilityAbuse = "accessibility_abuse", DeviceUnproven, "the app reports that an accessibility service reads or controls other apps";
    AnchorUnknown = "anchor_unknown", DeviceUnproven, "the certificate chain does not end at a configured trust anchor";
    AppAccessRisk = "app_access_risk", DeviceUnproven, "Play Integrity reports that other apps can record the screen, draw over the app or control the phone";
    AppAttestMalformed = "app_attest_malformed", DeviceUnproven, "the App Attest object does not have the structure or the fixed values that Apple specifies";
    AppAttestPaceReached = "app_attest_pace_reached", TooMany, "the daily limit for new App Attest keys is reached (`vendors.app_attest_daily`)";
    AppSignerUnknown = "app_signer_unknown", DeviceUnproven, "the app is signed by a certificate that the configuration does not list; the app may have been repackaged";
    AppTampered = "app_tampered", DeviceUnproven, "the app reports that it was modified or was not installed from a store";
    AppUnknown = "app_unknown", DeviceUnproven, "the key was made by an app that is not configured here";
    AppVersionTooOld = "app_version_too_old", AppOutdated, "the app's version is older than the configuration allows, or is unknown";
    AssertionCounterReused = "assertion_counter_reused", DeviceUnproven, "the counter of an App Attest assertion was used before; the request may be a replay, or the key a copy";
    AssertionInvalid = "assertion_invalid", DeviceUnproven, "the assertion is not a valid signature of the attested key over this request";
    AttestationKeyMismatch = "attestation_key_mismatch", DeviceUnproven, "the enrolment was signed by another key than the attested one";
    AttestationStale = "attestation_stale", DeviceUnproven, "the phone says that it made the key longer ago than the configuration allows (`device.attestation_age_max`), or in the future, or not when";
    AttestationUnavailable = "attestation_unavailable", Unavailable, "a vendor's attestation service did not answer; enrolled devices are not affected, and the phone can try again";
    AttestationVersionTooOld = "attestation_version_too_old", DeviceUnproven, "the version of the attestation or of the keystore is older than the configuration allows";
    AuditUnavailable = "audit_unavailable", Unavailable, "the decision could not be written to the log, so the request was refused; check the disk of the data directory";
    AuthenticationStale = "authentication_stale", StepUp, "removing a device needs a more recent sign-in than this one";
    BearerDowngrade = "bearer_downgrade", TokenMissing, "the token was sent with the scheme `Bearer`; every token here needs a proof of possession (scheme `DPoP`)";
    BindingCoolingDown = "binding_cooling_down", Limited, "the person added this device recently, without a phishing-resistant sign-in; it cannot remove older devices yet";
    BodyFieldInvalid = "body_field_invalid", RequestInvalid, "a field of the body is missing, `null` though it is required, or of the wrong type; for an operation, compare with the fields that it declares";
    BodyMalformed = "body_malformed", RequestInvalid, "the body is not one valid JSON document, as the operation requires";
    BodyMemberAmbiguous = "body_member_ambiguous", RequestInvalid, "a member of the body could be read as another one: two names differ in nothing but case, `_` and `-`, or a name is another spelling of a declared one";
    BodyMemberUndeclared = "body_member_undeclared", RequestInvalid, "the body has a member that the operation does not declare; declare it in `body` (`any`, where no policy looks at it), or set `body.open = true`";
    BodyTooLarge = "body_too_large", RequestInvalid, "the body is larger than the operation allows";
    BootNotVerified = "boot_not_verified", DeviceUnproven, "the phone did not verify its system at boot with an accepted key";
    BootloaderUnlocked = "bootloader_unlocked", DeviceUnproven, "the phone's bootloader is unlocked";
    BuffersFull = "buffers_full", Unavailable, "the memory for bodies that are read before they pass is used up, in all or by this network or connection";
    CeremonyForeignKey = "ceremony_foreign_key", ProofInvalid, "a passkey sign-in or registration was begun with one device key and finished with another";
    CertificateExpired = "certificate_expired", DeviceUnproven, "a certificate of the attestation chain has expired";
    CertificateMalformed = "certificate_malformed", DeviceUnproven, "a certificate of the attestation chain cannot be parsed";
    CertificateNotYetValid = "certificate_not_yet_valid", DeviceUnproven, "a certificate of the attestation chain is not valid yet";
    CertificateRevoked = "certificate_revoked", DeviceUnproven, "a certificate of the attestation chain is on the vendor's revocation list";
    ChainBroken = "chain_broken", DeviceUnproven, "the certificates of the attestation chain do not connect (issuer and subject differ), or the chain is too short or too long";
    ChainExtended = "chain_extended", DeviceUnproven, "certificates were appended after the attested one; this is an attempt to pass off another key as attested";
    ChainSignatureInvalid = "chain_signature_invalid", DeviceUnproven, "a signature in the attestation chain is not valid";
    ChallengeCrowdedOut = "challenge_crowded_out", Retry, "so many other challenges were answered that one as old as this does not count any more; the app asks for another";
    ChallengeMismatch = "challenge_mismatch", DeviceUnproven, "the evidence was made for another challenge";
    ChallengeShareUsed = "challenge_share_used", TooMany, "this device has answered as many challenges as one device may in five minutes";
    ChallengeUnknown = "challenge_unknown", Retry, "the challenge was never issued, has expired or was already used";
    ChallengesFull = "challenges_full", Unavailable, "no longer given: open challenges are not remembered any more, so there is no limit of them";
    ClientAuthenticationRefused = "client_authentication_refused", RequestInvalid, "the request authenticates a client by a password, Basic credentials or an assertion; clients here are public, and name themselves by `client_id` alone";
    ChecksTooMany = "checks_too_many", TooMany, "the phone, or its site before it is enrolled, asked for more costly checks (certificate chains, passkeys) than its share";
    ClientUnknown = "client_unknown", RequestInvalid, "the client id is not one of the configured apps";
    CodeReused = "code_reused", SignInAgain, "an authorization code was redeemed twice; its session was revoked";
    CodeUnknown = "code_unknown", SignInAgain, "the authorization code was never issued or has expired";
    ConditionOnHidden = "condition_on_hidden", RequestInvalid, "the request would change something on a condition (`If-Match` or its like), and fields of its answer are hidden; the condition could be used to guess them";
    ConnectionIdle = "connection_idle", Retry, "the client or the upstream sent nothing on an open connection for too long";
    ConnectionsTooMany = "connections_too_many", Unavailable, "the limit of open connections of this node is reached (`open_connections_max`)";
    DebuggerAttached = "debugger_attached", DeviceUnproven, "the app reports that a debugger is attached to it";
    DelegationInvalid = "delegation_invalid", ProofInvalid, "the device key's signed statement about the request key is not valid or is about another key";
    DescriptionMalformed = "description_malformed", DeviceUnproven, "the key description in the attestation cannot be parsed";
    DevTokenExpired = "dev_token_expired", DevTokenExpired, "the development token has expired; make a new one with `countersign dev-token create`";
    DevTokenPhonesFull = "dev_token_phones_full", DevTokenRefused, "the development token has enrolled as many phones as it may; make another one, or one with a higher `--phones`";
    DevTokenPublicNetwork = "dev_token_public_network", DevTokenRefused, "the development token was used from a public address; use it in a private network, or make one with `--any-network`";
    DevTokenReleaseBuild = "dev_token_release_build", DevTokenReleaseBuild, "a release build of the app sent a development token; remove the token from the build, and revoke it if the build was distributed";
    DevTokenRevoked = "dev_token_revoked", DevTokenRefused, "the development token was revoked; make a new one with `countersign dev-token create`";
    DevTokenUnknown = "dev_token_unknown", DevTokenRefused, "the development token was not made by this node, or was not copied completely; `countersign dev-token list` shows all tokens";
    DevTokenWrongApp = "dev_token_wrong_app", DevTokenWrongApp, "the development token is for another app; make one with `--app` and this app's client id";
    DevTokenWrongPlatform = "dev_token_wrong_platform", DevTokenWrongPlatform, "the development token is for another platform; make one for this platform (`--platform`), or for both (no `--platform`)";
    DevelopmentDevice = "development_device", DeviceUnproven, "the device was enrolled with a development token, and the configuration refuses such devices in the stage `enforce`";
    DeviceInHand = "device_in_hand", DeviceInHand, "a device asked to remove itself; the person can sign out on it instead";
    DeviceNotYours = "device_not_yours", NotPermitted, "a person asked about a device that does not exist, or on which they never signed in";
    DeviceRevoked = "device_revoked", Revoked, "the device was revoked";
    DeviceUnknown = "device_unknown", Revoked, "the device is not enrolled";
    DevicesTooMany = "devices_too_many", DevicesTooMany, "the person has as many devices as `devices_max` allows; one must be removed first";
    Emulator = "emulator", DeviceUnproven, "the app reports that it runs on an emulator or simulator";
    EnrolmentsTooMany = "enrolments_too_many", TooMany, "one phone, phones of one batch at one site, or one site enrolled more keys than its share; it is possible again later";
    EnvironmentMismatch = "environment_mismatch", DeviceUnproven, "the key was attested in an App Attest environment that is not accepted here; development builds use another environment";
    EvidenceStale = "evidence_stale", Reattest, "the evidence about the device is too old; the app can renew it without the person";
    ExchangeTooLong = "exchange_too_long", Retry, "the request and its answer together took longer than is allowed where no stream is declared";
    ExchangesTooMany = "exchanges_too_many", TooMany, "the person has as many requests in progress as are allowed at one time";
    GatewayEnding = "gateway_ending", Unavailable, "the gateway is stopping; the client should connect again, to another node if there is one";
    GrantOfAnotherApp = "grant_of_another_app", SignInAgain, "the code or refresh token was given to another app than the one that the request names";
    GrantTypeUnknown = "grant_type_unknown", RequestInvalid, "the token request's grant type is neither `authorization_code` nor `refresh_token`";
    HandshakeInvalid = "handshake_invalid", RequestInvalid, "the WebSocket handshake does not follow RFC 6455";
    Hooked = "hooked", DeviceUnproven, "the app reports that foreign code runs inside it (Frida, Xposed or similar)";
    HeaderNotRemovable = "header_not_removable", RequestInvalid, "the request has a header that must not reach the API (a reserved name, a second spelling of one, or one that the operation does not declare), and behind another proxy nobody takes it away";
    HostUnknown = "host_unknown", RequestInvalid, "the request is for a host other than the one in `public_url`";
    Internal = "internal", Unavailable, "an internal error of Countersign; look up this decision number in the log of the server";
    KeyIdMismatch = "key_id_mismatch", DeviceUnproven, "the key id that the app sent is not the id of the attested key";
    KeyLost = "key_lost", KeyLost, "no enrolled device has this key; this happens after an app is restored or reinstalled, and the app enrols again";
    KeyNotGenerated = "key_not_generated", DeviceUnproven, "the attested key was imported or its origin is unknown; only a key generated in the hardware is accepted";
    KeyNotHardware = "key_not_hardware", DeviceUnproven, "the key, or its attestation, has a lower security level than required";
    KeyOpenToAllApplications = "key_open_to_all_applications", DeviceUnproven, "the attested key can be used by every app on the phone";
    KeyPurposeWrong = "key_purpose_wrong", DeviceUnproven, "the attested key may be used for other purposes than signing";
    KeyUnsupported = "key_unsupported", DeviceUnproven, "the attested key is not a P-256 key";
    LoginAttemptsTooMany = "login_attempts_too_many", TooMany, "too many wrong codes for this account, from this phone or from its network, or too many prompts on this phone; it is possible again in a few minutes";
    LoginRefused = "login_refused", SignInAgain, "the passkey's signature is not valid";
    MediaTypeWrong = "media_type_wrong", RequestInvalid, "the `Content-Type` of the body is not the one that this endpoint accepts";
    MessageInvalid = "message_invalid", RequestInvalid, "the client sent an invalid frame on an open connection (WebSocket, RFC 6455, or gRPC)";
    MessageTooLarge = "message_too_large", RequestInvalid, "a message on an open connection was larger than the operation allows (`message_bytes_max`)";
    MessagesTooMany = "messages_too_many", TooMany, "the client sent messages on an open connection faster than the operation allows (`messages_per_second`)";
    MethodOverridden = "method_overridden", RequestInvalid, "the query asks for another method than the request has (`_method` or its like); some frameworks obey, and something else would run than was judged";
    MethodUnknown = "method_unknown", RequestInvalid, "this endpoint does not accept the request's method";
    NameTaken = "name_taken", NameTaken, "another account has this name already";
    NoPermit = "no_permit", NotPermitted, "no policy permits this request";
    OriginForeign = "origin_foreign", NotPermitted, "a browser opened the connection from a page of another origin";
    OriginRefused = "origin_refused", SignInAgain, "the passkey was used on an origin that is not configured";
    OsVersionTooOld = "os_version_too_old", SystemOutdated, "the phone's system version is older than the configuration allows, or is unknown";
    ParameterInvalid = "parameter_invalid", RequestInvalid, "a path parameter is not a valid identifier";
    PatchLevelTooOld = "patch_level_too_old", SystemOutdated, "the phone's security patch level is older than the configuration allows, or is unknown";
    PathAmbiguous = "path_ambiguous", RequestInvalid, "the path could be read in two ways: it contains `//`, `..`, `;`, an encoded separator or dot, or a character that must be encoded";
    PkceMismatch = "pkce_mismatch", SignInAgain, "the PKCE code verifier does not match the code challenge, or the method is not S256";
    PlayAppUnrecognized = "play_app_unrecognized", DeviceUnproven, "Play Integrity does not recognise the app as the version distributed by Google Play";
    PlayDeviceIntegrityMissing = "play_device_integrity_missing", DeviceUnproven, "Play Integrity reports a lower device integrity than the configuration requires";
    PlayProtectRisk = "play_protect_risk", DeviceUnproven, "Play Protect found harmful apps, is turned off, or was not evaluated";
    PlayQuotaExhausted = "play_quota_exhausted", TooMany, "Google's daily quota for Play Integrity tokens is used up (`vendors.play_daily`); ask Google for a higher quota";
    PlayRequestMismatch = "play_request_mismatch", DeviceUnproven, "the Play Integrity verdict was made for another request";
    PlaySignatureInvalid = "play_signature_invalid", DeviceUnproven, "the signature of the Play Integrity token is not valid; check the verification key in the app's configuration";
    PlayTestingResponse = "play_testing_response", DeviceUnproven, "the Play Integrity verdict is a test response, set in the Play Console for testers";
    PlayTokenMalformed = "play_token_malformed", DeviceUnproven, "the Play Integrity token cannot be parsed";
    PlayTokenUndecryptable = "play_token_undecryptable", DeviceUnproven, "the Play Integrity token cannot be decrypted; check the decryption key in the app's configuration";
    PlayUnlicensed = "play_unlicensed", DeviceUnproven, "Play Integrity reports that the person did not get the app from Google Play";
    PlayVerdictMalformed = "play_verdict_malformed", DeviceUnproven, "the Play Integrity verdict cannot be parsed";
    PlayVerdictMissing = "play_verdict_missing", DeviceUnproven, "there is no Play Integrity verdict for the device, and the configuration requires one";
    PlayVerdictTooEarly = "play_verdict_too_early", DeviceUnproven, "the time of the Play Integrity verdict is in the future; check this server's clock";
    PlayVerdictTooOld = "play_verdict_too_old", DeviceUnproven, "the Play Integrity verdict is older than the configuration allows";
    PolicyError = "policy_error", NotPermitted, "a policy failed with an error; this counts as a refusal";
    ProofAlgorithmRefused = "proof_algorithm_refused", ProofInvalid, "the proof is signed with an algorithm that is not accepted (only ES256 and EdDSA are)";
    ProofCrowdedOut = "proof_crowded_out", UseNonce, "so many proofs of unknown keys came that one with a nonce as old as this does not count any more; the answer carries a new one";
    ProofKeyMismatch = "proof_key_mismatch", ProofInvalid, "the proof was signed by another key than the one the token is bound to; the token may be stolen";
    ProofMalformed = "proof_malformed", ProofInvalid, "the proof cannot be parsed";
    ProofMissing = "proof_missing", ProofInvalid, "the request has no proof (`DPoP` header)";
    ProofNonceStale = "proof_nonce_stale", UseNonce, "the proof's nonce has expired or was never issued here; the answer carries a new one";
    ProofNonceWanted = "proof_nonce_wanted", UseNonce, "the proof has no nonce, and either its time is wrong or this endpoint requires one; the answer carries a nonce and our time";
    ProofPrivateKey = "proof_private_key", ProofInvalid, "the proof's header contains a private key";
    ProofRepeatedHeader = "proof_repeated_header", ProofInvalid, "the request has more than one proof";
    ProofReplayed = "proof_replayed", ProofInvalid, "the proof was used before; the request may be a replay of a captured one";
    ProofSignatureInvalid = "proof_signature_invalid", ProofInvalid, "the proof's signature is not valid";
    ProofTokenMismatch = "proof_token_mismatch", ProofInvalid, "the proof was made for another token (`ath`)";
    ProofTooEarly = "proof_too_early", ClockFar, "the proof's time is too far in the future";
    ProofTooLarge = "proof_too_large", ProofInvalid, "the proof is larger than the limit";
    ProofTooOld = "proof_too_old", ClockFar, "the proof's time is too far in the past";
    ProofTypeWrong = "proof_type_wrong", ProofInvalid, "the proof's `typ` is not `dpop+jwt`";
    ProofWrongMethod = "proof_wrong_method", ProofInvalid, "the proof was made for another method";
    ProofWrongTarget = "proof_wrong_target", ProofInvalid, "the proof was made for another URL";
    RateExceeded = "rate_exceeded", TooMany, "the person sent more requests than they are currently allowed, on this device by a policy's `@rate` or on all devices together";
    ReaderTooSlow = "reader_too_slow", Retry, "the client or the upstream did not read what was sent to it on an open connection";
    ReceiptExpired = "receipt_expired", DeviceUnproven, "the App Attest receipt has expired or is older than the configuration allows; request a new one from Apple";
    ReceiptInvalid = "receipt_invalid", DeviceUnproven, "the App Attest receipt is not valid, or is about another app or key";
    RefreshForeignKey = "refresh_foreign_key", SignInAgain, "a refresh token was used with another device key than its own; the session was frozen";
    RefreshUnknown = "refresh_unknown", SignInAgain, "the refresh token was never issued, has expired or was revoked";
    ReplayMemoryFull = "replay_memory_full", Unavailable, "the memory of used proofs is full, so no proof is accepted";
    ReplayShareUsed = "replay_share_used", TooMany, "this device sends proofs so fast that it holds its share of the memory of used proofs";
    ReportInvalid = "report_invalid", RequestInvalid, "the app's posture report cannot be parsed, or is not signed by the device key";
    RequestMalformed = "request_malformed", RequestInvalid, "the request is not an unambiguous HTTP message";
    RequestTooLarge = "request_too_large", RequestInvalid, "the head of the request (request line and headers) is larger than the limit";
    RequestTooSlow = "request_too_slow", RequestInvalid, "the request took too long to arrive";
    ResponseNotMaskable = "response_not_maskable", Unavailable, "fields of the response had to be hidden, but the response is not valid JSON, so it was withheld";
    RiskHigh = "risk_high", NotPermitted, "the request is so unusual for this person that it is refused; the log entry lists the features that led to the score";
    RiskMetricHigh = "risk_metric_high", DeviceUnproven, "Apple counts more App Attest keys on this phone than the configuration allows";
    RiskRaised = "risk_raised", StepUp, "the request is unusual for this person, who must confirm it; the log entry lists the features that led to the score";
    RollbackResistanceMissing = "rollback_resistance_missing", DeviceUnproven, "the hardware does not state that a deleted key is gone for good, and the configuration requires it";
    RootOfTrustMissing = "root_of_trust_missing", DeviceUnproven, "the attestation contains no information about how the phone booted";
    RiskMetricMissing = "risk_metric_missing", DeviceUnproven, "Apple has not counted the App Attest keys on this phone, and the configuration requires the count";
    Rooted = "rooted", DeviceUnproven, "the app reports that the phone is rooted or jailbroken";
    ScopeUnknown = "scope_unknown", RequestInvalid, "the token request asks for a scope; what somebody may do is decided by policies here, and no token has a scope";
    ScreenLockMissing = "screen_lock_missing", ScreenLockMissing, "the app reports that the phone has no screen lock";
    SecurityLevelWrong = "security_level_wrong", DeviceUnproven, "the security levels of key, attestation and certificate contradict each other, or are not exactly the required one";
    SessionChallenged = "session_challenged", SignInAgain, "the session is blocked until the person signs in again";
    SessionExpired = "session_expired", SignInAgain, "the session has reached its maximum age";
    SessionLimited = "session_limited", Limited, "the session is limited, and the operation does not accept limited sessions (`when_limited`)";
    SessionRevoked = "session_revoked", Revoked, "the session was revoked";
    SessionSuspect = "session_suspect", StepUp, "the monitor limited the session until the person confirms it, and the operation does not accept limited sessions (`when_limited`)";
    SessionUnknown = "session_unknown", SignInAgain, "the token names a session that does not exist";
    SideloadedApps = "sideloaded_apps", DeviceUnproven, "the app reports that apps from outside the store are installed";
    SignUpClosed = "sign_up_closed", NotPermitted, "a new account needs an invitation, and this invitation is unknown, used or expired";
    StatusListMissing = "status_list_missing", DeviceUnproven, "no revocation list is loaded, and the configuration requires one";
    StatusListStale = "status_list_stale", DeviceUnproven, "the revocation list is older than the configuration allows";
    StoreUnavailable = "store_unavailable", Unavailable, "the database did not answer";
    StreamUndeclared = "stream_undeclared", RequestInvalid, "the request and the operation's `stream` do not match: a WebSocket was requested that is not declared, a normal request was sent to a WebSocket or gRPC operation, or the upstream answered with events or a gRPC response that are not declared";
    TokenAlgorithmRefused = "token_algorithm_refused", TokenInvalid, "the token is signed with an algorithm that is not accepted (only ES256 and EdDSA are)";
    TokenAudienceWrong = "token_audience_wrong", TokenInvalid, "the token is for another audience";
    TokenExpired = "token_expired", TokenExpired, "the token has expired";
    TokenIssuerWrong = "token_issuer_wrong", TokenInvalid, "the token was issued by another issuer";
    TokenKeyUnknown = "token_key_unknown", TokenInvalid, "the token is signed by a key that is not one of this node's published keys";
    TokenMalformed = "token_malformed", TokenInvalid, "the token cannot be parsed";
    TokenMissing = "token_missing", TokenMissing, "the request has no token";
    TokenNotYetValid = "token_not_yet_valid", TokenInvalid, "the token is not valid yet";
    TokenRepeatedHeader = "token_repeated_header", TokenInvalid, "the request has more than one `Authorization` header";
    TokenSignatureInvalid = "token_signature_invalid", TokenInvalid, "the token's signature is not valid";
    TokenTypeUnsupported = "token_type_unsupported", RequestInvalid, "an access token was to be revoked; it ends with its session, which the refresh token revokes (RFC 7009 section 2.2.1)";
    TokenTypeWrong = "token_type_wrong", TokenInvalid, "the token's `typ` is not `at+jwt`";
    UnknownOperation = "unknown_operation", NotPermitted, "no operation is declared for this method and path";
    UpstreamAnswerTooLarge = "upstream_answer_too_large", Unavailable, "the upstream's answer has more headers or a larger head or body than is passed on; see the limits of answers";
    UpstreamTimeout = "upstream_timeout", Unavailable, "the upstream did not answer in time";
    UpstreamUnavailable = "upstream_unavailable", Unavailable, "the upstream could not be reached";
    UserUnknown = "user_unknown", SignInAgain, "the account does not exist or is closed";
    Vpn = "vpn", DeviceUnproven, "the app reports that its traffic goes through a VPN, and the configuration does not allow that";
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

macro_rules! public_reasons {
    ($(
        $(#[$doc:meta])*
        $variant:ident = $status:literal, $code:literal, $challenge:ident, $oauth:ident, $retry:ident, [$($remedy:ident),*], $title:literal,
            $detail:literal;
    )*) => {
        /// The coarse class of a refusal: all that a client learns. Codes are API. Alphabetical.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum PublicReason {
            $($(#[$doc])* $variant,)*
        }

        impl PublicReason {
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
public_reasons! {
    /// The app is too old; the answer names the version and the store.
    AppOutdated = 403, "app_outdated", Absent, InvalidGrant, AfterRemedy, [UpdateApp], "Please update the app", "This version of the app is no longer supported. Please install the newest one.";
    /// The phone's clock is far off; the answer carries a nonce and our time.
    ClockFar = 401, "clock_far", UseDpopNonce, UseDpopNonce, WithNonce, [], "Check the date and time", "Set this phone's date and time to automatic if this keeps happening.";
    /// A development token has expired. Its classes are exact, because only developers see them, and only whoever holds the token.
    DevTokenExpired = 403, "dev_token_expired", Absent, InvalidGrant, Never, [], "This development token has expired", "The development token has expired. Make a new one with countersign dev-token create.";
    /// A development token is not taken, for a reason that is not its holder's to know.
    DevTokenRefused = 403, "dev_token_refused", Absent, InvalidGrant, Never, [], "This development token is not accepted", "The development token is not accepted here. The log entry of this decision says why.";
    /// A development token came from a release build.
    DevTokenReleaseBuild = 403, "dev_token_release_build", Absent, InvalidGrant, Never, [], "Release builds cannot use a development token", "A release build cannot use a development token. Remove the token from this build, or run a debug build.";
    /// A development token is another app's.
    DevTokenWrongApp = 403, "dev_token_wrong_app", Absent, InvalidGrant, Never, [], "This development token is for another app", "The development token was made for another app. Make one with this app's client id.";
    /// A development token is for the other platform.
    DevTokenWrongPlatform = 403, "dev_token_wrong_platform", Absent, InvalidGrant, Never, [], "This development token is for another platform", "The development token was made for another platform. Make one for this platform, or for both.";
    /// The device is the one in the person's hand, which signing out is for.
    DeviceInHand = 409, "device_in_hand", Absent, InvalidGrant, Never, [], "This is the phone in your hand", "You are using this phone now. To remove its access, sign out on it.";
    /// The device could not be proved; one class for every check behind it.
    DeviceUnproven = 403, "device_unproven", Absent, InvalidGrant, AfterRemedy, [UpdateSystem, ContactSupport], "We could not check this phone", "This phone could not be verified, so this is not available on it.";
    /// The person has as many devices as may be.
    DevicesTooMany = 403, "devices_too_many", Absent, InvalidGrant, AfterRemedy, [RemoveDevice], "You have too many devices", "Please remove a device that you no longer use, then sign in here again.";
    /// The app's key is gone, or was never enrolled; the app enrols a new one.
    KeyLost = 401, "key_lost", InvalidToken, InvalidGrant, AfterRemedy, [ReEnrol], "Set this phone up again", "This phone must be set up again. Nothing was lost. Please sign in afterwards.";
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
    ScreenLockMissing = 403, "screen_lock_missing", Absent, InvalidGrant, AfterRemedy, [SetScreenLock], "Set a screen lock", "To do this, please set a screen lock on this phone: a code, fingerprint or face.";
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

impl PublicReason {
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
        let told: BTreeSet<_> = PublicReason::ALL.iter().map(|told| told.code()).collect();
        assert_eq!(told.len(), PublicReason::ALL.len());
    }

    #[test]
    fn every_refusal_is_an_error_status() {
        assert!(PublicReason::ALL.iter().all(|told| (400..=599).contains(&told.status())));
    }

    /// RFC 9110 section 11.6.1 asks for a challenge with every 401; elsewhere one would ask in vain.
    #[test]
    fn a_challenge_comes_with_every_401_and_with_nothing_else() {
        for told in PublicReason::ALL {
            assert_eq!(told.challenge() != Challenge::Absent, told.status() == 401, "{told:?}");
        }
    }

    #[test]
    fn what_a_client_does_next_agrees_with_what_it_is_given() {
        for told in PublicReason::ALL {
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
            assert_eq!(reason.public(), PublicReason::DeviceUnproven, "{reason}");
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
