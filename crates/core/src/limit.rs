//! The limits on everything that comes from outside. Reaching one has a reason of its own; see `docs/reasons.md`.

use crate::time::Seconds;

/// The limits that every room shares. Constants, because a limit that can be turned off is not one.
pub struct Limits;

impl Limits {
    /// Bytes in an identifier.
    pub const ID_BYTES_MAX: usize = 128;
    /// Bytes in one compact JWS: an access token or a proof.
    pub const JWS_BYTES_MAX: usize = 8 * 1024;
    /// Bytes in a proof's `htu`.
    pub const URL_BYTES_MAX: usize = 4 * 1024;
    /// Life of an access token.
    pub const ACCESS_TOKEN_LIFE: Seconds = Seconds(300);
    /// Greatest age of a proof without a nonce; RFC 9449 section 11.1 asks for a window of seconds or minutes.
    pub const PROOF_AGE_MAX: Seconds = Seconds(60);
    /// Greatest lead of a phone's clock over ours.
    pub const PROOF_SKEW_MAX: Seconds = Seconds(5);
    /// Time for which a nonce is taken after the end of the bucket in which it was issued.
    pub const NONCE_LIFE: Seconds = Seconds(300);
    /// Proofs remembered at one time; beyond it new proofs are refused, not old ones forgotten.
    pub const REPLAY_ENTRIES_MAX: usize = 2_000_000;
    /// Bytes in all header names and values of a request.
    pub const HEADER_BYTES_MAX: usize = 32 * 1024;
    /// Header lines in a request.
    pub const HEADERS_MAX: usize = 100;
    /// Bytes of a body that policy looks at or that obligations rewrite.
    pub const PARSED_BODY_BYTES_MAX: usize = 1024 * 1024;
    /// Bytes of a body that streams through.
    pub const STREAMED_BODY_BYTES_MAX: u64 = 64 * 1024 * 1024;
    /// Bytes of a JSON document at a door of ours (enrolment, login).
    pub const DOOR_JSON_BYTES_MAX: usize = 128 * 1024;
    /// Bytes of a form at a door of ours (token, revocation).
    pub const DOOR_FORM_BYTES_MAX: usize = 16 * 1024;
    /// Parameters in a form.
    pub const FORM_PARAMETERS_MAX: usize = 32;
    /// Bytes in the name of an account or a device.
    pub const NAME_BYTES_MAX: usize = 128;
    /// Sessions of one person on one device that a step-up reaches.
    pub const STEP_UP_SESSIONS_MAX: u32 = 32;
    /// Age up to which a person's authentication counts as fresh: such a person may cut a device off, and is not asked to step up
    /// because of a score.
    pub const FRESH_AUTHENTICATION_AGE_MAX: Seconds = Seconds(300);
    /// Devices of one person that are listed, revoked ones too; the newest come first.
    pub const DEVICES_LISTED_MAX: u32 = 1000;
    /// Sessions of one person that are listed or ended at once.
    pub const PERSON_SESSIONS_MAX: u32 = 1000;
    /// Time for which a person's devices hear of a new device, or of one that was cut off.
    pub const NOTICE_LIFE: Seconds = Seconds(30 * 86_400);
    /// Nesting of a JSON document.
    pub const JSON_DEPTH_MAX: usize = 64;
    /// Certificates in an attestation chain.
    pub const CHAIN_CERTIFICATES_MAX: usize = 10;
    /// Bytes of one certificate in an attestation chain.
    pub const CERTIFICATE_BYTES_MAX: usize = 16 * 1024;
    /// Bytes of one App Attest attestation: certificates, receipt and authenticator data.
    pub const APP_ATTEST_BYTES_MAX: usize = 64 * 1024;
    /// Bytes of one App Attest assertion.
    pub const APP_ATTEST_ASSERTION_BYTES_MAX: usize = 4 * 1024;
    /// Bytes of the authenticator data in either of them (WebAuthn section 6.1).
    pub const AUTHENTICATOR_DATA_BYTES_MAX: usize = 2 * 1024;
    /// Entries in the extension map of authenticator data.
    pub const AUTHENTICATOR_EXTENSIONS_MAX: usize = 16;
    /// Life of a challenge for enrolment, passkey registration or login.
    pub const CHALLENGE_LIFE: Seconds = Seconds(300);
    /// Challenges outstanding at one time.
    pub const CHALLENGES_MAX: usize = 100_000;
    /// Life of a development token.
    pub const DEV_TOKEN_LIFE_MAX: Seconds = Seconds(90 * 86_400);
    /// Phones that one development token enrols.
    pub const DEV_TOKEN_PHONES_MAX: u32 = 100;
    /// Verified access tokens remembered at one time; about a kilobyte each.
    pub const TOKENS_REMEMBERED_MAX: usize = 20_000;
    /// Life of an authorization code; RFC 6749 section 4.1.2 recommends at most ten minutes.
    pub const CODE_LIFE: Seconds = Seconds(60);
    /// Life that an access token must have left to be given again to whoever repeats a refresh: nobody is answered with what is about
    /// to lapse.
    pub const REPEATED_TOKEN_LIFE_MIN: Seconds = Seconds(60);
}
