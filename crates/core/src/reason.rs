//! Why something was refused or limited: one stable code, a text for the operator, and the coarse class that a client is told.

use std::{fmt, sync::Arc};

use crate::decision::Remedy;

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
    AnchorUnknown = "anchor_unknown", DeviceUnproven, "the chain does not end at a trust anchor that is configured";
    AppAccessRisk = "app_access_risk", DeviceUnproven, "other apps on the phone could see its screen or act in this one, or nothing says that none can";
    AppSignerUnknown = "app_signer_unknown", DeviceUnproven, "the app is signed by a certificate that its configuration does not list; a repackaged app looks like this";
    AppUnknown = "app_unknown", DeviceUnproven, "the app that made the key or asked for the verdict is not one of the configured apps";
    AppVersionTooOld = "app_version_too_old", DeviceUnproven, "the app is older than its configuration requires, or nothing says how old it is";
    AttestationKeyMismatch = "attestation_key_mismatch", DeviceUnproven, "the attested key is not the key that signed the enrolment";
    AuditUnavailable = "audit_unavailable", Unavailable, "the decision could not be recorded, so it was not carried out; look at the data directory's disk";
    BearerDowngrade = "bearer_downgrade", TokenMissing, "a token came with the `Bearer` scheme; every token here needs a proof (`DPoP`)";
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
    DelegationInvalid = "delegation_invalid", ProofInvalid, "the device key's statement that names the request key does not verify or names another key";
    DescriptionMalformed = "description_malformed", DeviceUnproven, "the attestation's key description does not parse";
    DeviceRevoked = "device_revoked", Revoked, "the device was revoked";
    DeviceUnknown = "device_unknown", Revoked, "the device is not enrolled";
    EvidenceStale = "evidence_stale", DeviceUnproven, "the evidence about the device is older than is accepted";
    GrantTypeUnknown = "grant_type_unknown", RequestInvalid, "the token request's grant type is neither `authorization_code` nor `refresh_token`";
    HostUnknown = "host_unknown", RequestInvalid, "the request is for another host than `public_url` names";
    Internal = "internal", Unavailable, "a fault of ours; the log entry with this decision number tells where";
    KeyNotGenerated = "key_not_generated", DeviceUnproven, "the attested key was imported or is of unknown origin; only a key made inside the hardware counts";
    KeyNotHardware = "key_not_hardware", DeviceUnproven, "the key, or its attestation, lives below the security level that is required";
    KeyOpenToAllApplications = "key_open_to_all_applications", DeviceUnproven, "the attested key can be used by every app on the phone";
    KeyPurposeWrong = "key_purpose_wrong", DeviceUnproven, "the attested key may do something else than sign";
    KeyUnsupported = "key_unsupported", DeviceUnproven, "the attested key is not a P-256 key";
    LoginRefused = "login_refused", SignInAgain, "the passkey's answer did not verify";
    MediaTypeWrong = "media_type_wrong", RequestInvalid, "the body's content type is not the one that this door takes";
    MethodUnknown = "method_unknown", RequestInvalid, "the request's method is not one that this door knows";
    NameTaken = "name_taken", NameTaken, "somebody else has an account of this name";
    NoPermit = "no_permit", NotPermitted, "no policy permits this";
    OriginRefused = "origin_refused", SignInAgain, "the passkey was used on an origin that is not configured";
    ParameterInvalid = "parameter_invalid", RequestInvalid, "a parameter of the path is not an identifier";
    PatchLevelTooOld = "patch_level_too_old", DeviceUnproven, "the phone's security patches are older than enrolment requires";
    PathAmbiguous = "path_ambiguous", RequestInvalid, "the path could be read in two ways (`//`, `..`, `;`, encoded separators or dots)";
    PkceMismatch = "pkce_mismatch", SignInAgain, "the code verifier does not belong to the code challenge, or the method is not S256";
    PlayAppUnrecognized = "play_app_unrecognized", DeviceUnproven, "Google Play does not recognise the app as a version that it distributes";
    PlayDeviceIntegrityMissing = "play_device_integrity_missing", DeviceUnproven, "Google Play does not give the phone the integrity label that is required";
    PlayProtectRisk = "play_protect_risk", DeviceUnproven, "Play Protect is off, has found more than is accepted, or nothing says what it found";
    PlayRequestMismatch = "play_request_mismatch", DeviceUnproven, "the Play Integrity verdict answers another request";
    PlaySignatureInvalid = "play_signature_invalid", DeviceUnproven, "the Play Integrity token's signature does not verify; check the verification key of the app's configuration";
    PlayTestingResponse = "play_testing_response", DeviceUnproven, "the Play Integrity verdict is a test response that the Play Console makes up for testers";
    PlayTokenMalformed = "play_token_malformed", DeviceUnproven, "the Play Integrity token does not parse";
    PlayTokenUndecryptable = "play_token_undecryptable", DeviceUnproven, "the Play Integrity token does not decrypt; check the decryption key of the app's configuration";
    PlayUnlicensed = "play_unlicensed", DeviceUnproven, "the app was not installed by Google Play for this account, or nothing says that it was";
    PlayVerdictMalformed = "play_verdict_malformed", DeviceUnproven, "the Play Integrity verdict does not parse";
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
    RefreshForeignKey = "refresh_foreign_key", SignInAgain, "a refresh token came with another key than its device key; the session was frozen";
    RefreshUnknown = "refresh_unknown", SignInAgain, "the refresh token was never issued, has expired or was revoked";
    ReplayMemoryFull = "replay_memory_full", Unavailable, "the memory of used proofs is full, so no proof is accepted";
    RequestMalformed = "request_malformed", RequestInvalid, "the request is not one unambiguous HTTP message";
    RequestTooLarge = "request_too_large", RequestInvalid, "the request's head is larger than is accepted";
    RequestTooSlow = "request_too_slow", RequestInvalid, "the request took longer to arrive than is accepted";
    ResponseNotMaskable = "response_not_maskable", Unavailable, "fields of the answer had to be hidden and it is not JSON that can be parsed, so it was withheld";
    RootOfTrustMissing = "root_of_trust_missing", DeviceUnproven, "the attestation does not say how the phone booted";
    SessionChallenged = "session_challenged", SignInAgain, "the session waits for its person to sign in again";
    SessionExpired = "session_expired", SignInAgain, "the session has reached its end";
    SessionRevoked = "session_revoked", Revoked, "the session was revoked";
    SessionUnknown = "session_unknown", SignInAgain, "the token names a session that does not exist";
    SignUpClosed = "sign_up_closed", NotPermitted, "new accounts need an invitation, and this one is unknown, used or expired";
    StatusListMissing = "status_list_missing", DeviceUnproven, "no revocation list is loaded, and the configuration asks for one";
    StatusListStale = "status_list_stale", DeviceUnproven, "the revocation list is older than is accepted";
    StoreUnavailable = "store_unavailable", Unavailable, "the store did not answer";
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
    ($($(#[$doc:meta])* $variant:ident = $status:literal, $code:literal, $retry:ident, [$($remedy:ident),*], $title:literal, $detail:literal;)*) => {
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

tolds! {
    /// The phone's clock is far off; the answer carries a nonce and our time.
    ClockFar = 401, "clock_far", WithNonce, [], "Check the date and time", "Set this phone's date and time to automatic if this keeps happening.";
    /// The device could not be proved; one class for every check behind it.
    DeviceUnproven = 403, "device_unproven", AfterRemedy, [UpdateSystem, ContactSupport], "We could not check this phone", "This phone could not be verified, so this is not available on it.";
    /// The name of a new account belongs to somebody else.
    NameTaken = 409, "name_taken", AfterRemedy, [], "This name is taken", "Somebody has this name already. Please choose another one.";
    /// The person may not do this.
    NotPermitted = 403, "policy", Never, [], "You don't have access to this", "You don't have access to this.";
    /// The proof of possession did not verify; one class for all its faults.
    ProofInvalid = 401, "proof_invalid", Never, [ContactSupport], "Something went wrong", "This request could not be completed.";
    /// The request itself is not well-formed.
    RequestInvalid = 400, "request_invalid", Never, [], "Something went wrong", "This request could not be understood.";
    /// A short-lived thing has lapsed; begin the exchange again.
    Retry = 400, "try_again", Later, [], "Please try again", "This took too long. Please try again.";
    /// Session or device were revoked.
    Revoked = 401, "revoked", Never, [SignInAgain], "You were signed out", "You were signed out on this phone.";
    /// The person must sign in again.
    SignInAgain = 401, "reauth", AfterRemedy, [SignInAgain], "Sign in again", "Please sign in again to continue.";
    /// Stronger or fresher authentication is needed (RFC 9470).
    StepUp = 401, "step_up", AfterRemedy, [ConfirmItsYou], "Confirm it's you", "This needs your fingerprint or face again.";
    /// The access token has expired.
    TokenExpired = 401, "token_expired", WithRefresh, [], "One moment", "Your access is being renewed.";
    /// The access token does not verify.
    TokenInvalid = 401, "token_invalid", WithRefresh, [], "Something went wrong", "This request could not be completed.";
    /// There is no access token, or not in the form that is asked for.
    TokenMissing = 401, "token_missing", WithRefresh, [SignInAgain], "Sign in", "Please sign in to continue.";
    /// Too many requests.
    TooMany = 429, "too_many", Later, [], "Please wait a moment", "There were too many requests. Please wait a moment.";
    /// A fault of ours.
    Unavailable = 503, "unavailable", Later, [], "Not available right now", "This is not available right now. Nothing was lost.";
    /// The proof needs the nonce that the answer carries (RFC 9449 sections 8 and 9).
    UseNonce = 401, "use_dpop_nonce", WithNonce, [], "One moment", "One moment.";
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
