//! Reasons to refuse a verdict of Google Play: one variant per rule.

use std::fmt;

use countersign_core::{Reason, UnixSeconds};
use countersign_proof::jws::JwsRefusal;

use crate::calendar::written;
use crate::play::label::{DeviceLevel, Label, Labels, Licensing, ProtectRisk, Recognition};

/// Reason why a token is not an encrypted text of the expected form. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenRefusal {
    /// The header's `alg` is not `A256KW`, or its `enc` is not `A256GCM`.
    AlgorithmRefused,
    /// The header has an extension that must be understood (`crit`); this reader understands none.
    CriticalHeader,
    /// A part is not canonical unpadded base64url.
    EncodingInvalid,
    /// The header is not a JSON object with unique members of the right types.
    HeaderMalformed,
    /// The header has a member that would change how the text is read, or that would make a reader fetch a key (`b64`, `jku`, `x5u`,
    /// `zip`).
    HeaderRefused,
    /// The wrapped key, the initialisation vector or the tag does not have the length of its algorithm.
    LengthWrong,
    /// The token does not have five parts separated by `.`.
    NotFiveParts,
    /// The token is larger than the limit.
    TooLarge,
}

/// Reason why a payload is not a verdict of the expected form. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VerdictRefusal {
    /// The payload has both a request hash and a nonce, or neither, so it would depend on the reader what the verdict answers.
    BindingAmbiguous,
    /// A field has another type or form than required.
    FieldMalformed {
        /// Name of the field.
        field: &'static str,
    },
    /// A field that every judgement needs is missing.
    FieldMissing {
        /// Name of the field.
        field: &'static str,
    },
    /// The text is not one JSON object in which every object has unique members, or it is nested too deeply.
    NotTheObject,
    /// The text is larger than the limit.
    TooLarge,
    /// A list has more labels or digests than are read.
    TooMany {
        /// Name of the list.
        field: &'static str,
    },
}

/// Reason why a token or a verdict of Google Play is refused: the first rule that is broken, in the order of [`super::decrypt_and_verify`]
/// and then of [`super::verify()`]. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlayRefusal {
    /// Other apps on the phone have access that is not accepted.
    AppAccessRisk {
        /// Labels that are not accepted.
        found: Vec<String>,
    },
    /// Nothing is stated about the access that other apps on the phone have.
    AppAccessUnevaluated,
    /// The app is signed by somebody other than its makers, or the signer is not stated.
    AppSignerUnknown {
        /// Name of the package.
        package: String,
        /// SHA-256 of the certificates that signed the package.
        signers: Vec<[u8; 32]>,
    },
    /// The running app is not an accepted one, is not the one that asked for the verdict, or is not named.
    AppUnknown {
        /// Package that Google Play found, when it is named.
        package: Option<String>,
    },
    /// Google Play does not recognise the app.
    AppUnrecognized {
        /// Label that Google Play gave instead.
        recognition: Option<Label<Recognition>>,
    },
    /// The app is older than required, or its version is not stated.
    AppVersionTooOld {
        /// Version code that is required.
        version_min: u64,
        /// Version code of the running app.
        version: Option<u64>,
    },
    /// The phone does not reach the required level.
    DeviceIntegrityMissing {
        /// Level that is required.
        level_min: DeviceLevel,
        /// Labels of the phone.
        labels: Vec<String>,
    },
    /// Play Protect found more than is accepted, or its finding is not stated.
    PlayProtectRisk {
        /// Finding of Play Protect.
        risk: Option<Label<ProtectRisk>>,
    },
    /// The verdict answers another request.
    RequestMismatch,
    /// The verdict was requested in the name of an app that is not accepted.
    RequestPackageUnknown {
        /// Package that asked for the verdict.
        package: String,
    },
    /// The signature inside the token does not verify.
    SignatureInvalid,
    /// The decrypted text is not a signed text of the expected form.
    SignedTextMalformed(JwsRefusal),
    /// The verdict is a test response that was set up for a tester.
    TestingResponse,
    /// The token is not an encrypted text of the expected form.
    TokenMalformed(TokenRefusal),
    /// The token was encrypted to another key, or was changed.
    TokenUndecryptable,
    /// The account does not have the app from Google Play, or nothing states that it has.
    Unlicensed {
        /// Label that Google Play gave.
        licensing: Option<Label<Licensing>>,
    },
    /// The payload is not a verdict of the expected form.
    VerdictMalformed(VerdictRefusal),
    /// The verdict was requested in the future, beyond the allowed clock difference.
    VerdictTooEarly {
        /// Time of the request.
        at: UnixSeconds,
    },
    /// The verdict was requested longer ago than is accepted.
    VerdictTooOld {
        /// Time of the request.
        at: UnixSeconds,
    },
}

impl PlayRefusal {
    /// Stable reason code of the refusal, for logs and metrics.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::AppAccessRisk { .. } | Self::AppAccessUnevaluated => Reason::AppAccessRisk,
            Self::AppSignerUnknown { .. } => Reason::AppSignerUnknown,
            Self::AppUnknown { .. } | Self::RequestPackageUnknown { .. } => Reason::AppUnknown,
            Self::AppUnrecognized { .. } => Reason::PlayAppUnrecognized,
            Self::AppVersionTooOld { .. } => Reason::AppVersionTooOld,
            Self::DeviceIntegrityMissing { .. } => Reason::PlayDeviceIntegrityMissing,
            Self::PlayProtectRisk { .. } => Reason::PlayProtectRisk,
            Self::RequestMismatch => Reason::PlayRequestMismatch,
            Self::SignatureInvalid => Reason::PlaySignatureInvalid,
            Self::SignedTextMalformed(_) | Self::TokenMalformed(_) => Reason::PlayTokenMalformed,
            Self::TestingResponse => Reason::PlayTestingResponse,
            Self::TokenUndecryptable => Reason::PlayTokenUndecryptable,
            Self::Unlicensed { .. } => Reason::PlayUnlicensed,
            Self::VerdictMalformed(_) => Reason::PlayVerdictMalformed,
            Self::VerdictTooEarly { .. } => Reason::PlayVerdictTooEarly,
            Self::VerdictTooOld { .. } => Reason::PlayVerdictTooOld,
        }
    }
}

/// Text for operators: the finding and its meaning.
impl fmt::Display for PlayRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AppAccessRisk { found } => write!(f, "other apps on the phone have `{}`, which is not accepted", found.join("`, `")),
            Self::AppAccessUnevaluated => {
                f.write_str("the verdict does not say what other apps on the phone can do; turn the signal on in the Play Console")
            }
            Self::AppSignerUnknown { package, signers } if signers.is_empty() => write!(f, "nothing says who signed the app `{package}`"),
            Self::AppSignerUnknown { package, signers } => {
                let signers: Vec<_> = signers.iter().map(hex::encode).collect();
                let signers = signers.join(", ");
                write!(f, "the app `{package}` is signed by `{signers}`, which is not accepted; the app may have been repackaged")
            }
            Self::AppUnknown { package: None } => f.write_str("Google Play does not say which app runs"),
            Self::AppUnknown { package: Some(package) } => {
                write!(f, "the app `{package}` runs, which is not accepted or did not ask for this verdict")
            }
            Self::AppUnrecognized { recognition } => write!(f, "Google Play says {} of the app, not `PLAY_RECOGNIZED`", said(recognition)),
            Self::AppVersionTooOld { version_min, version: Some(version) } => {
                write!(f, "the app has the version code {version}, and {version_min} is required")
            }
            Self::AppVersionTooOld { version_min, version: None } => {
                write!(f, "nothing says which version the app has, and {version_min} is required")
            }
            Self::DeviceIntegrityMissing { level_min, labels } if labels.is_empty() => {
                write!(f, "the phone has no label, and `{}` is required", level_min.label().as_str())
            }
            Self::DeviceIntegrityMissing { level_min, labels } => {
                write!(f, "the phone has `{}`, and `{}` is required", labels.join("`, `"), level_min.label().as_str())
            }
            Self::PlayProtectRisk { risk } => write!(f, "Play Protect says {}, which is not accepted", said(risk)),
            Self::RequestMismatch => f.write_str("the verdict was made for another request"),
            Self::RequestPackageUnknown { package } => write!(f, "the verdict was asked for by `{package}`, which is not accepted"),
            Self::SignatureInvalid => f.write_str("the signature in the token does not verify; check the verification key"),
            Self::SignedTextMalformed(why) => write!(f, "the content of the token is not an acceptable signed text ({why:?})"),
            Self::TestingResponse => f.write_str("the verdict is a test response, set in the Play Console for this tester"),
            Self::TokenMalformed(why) => write!(f, "the token {}", token_text(*why)),
            Self::TokenUndecryptable => f.write_str("the token does not decrypt: it was changed, or the decryption key is another app's"),
            Self::Unlicensed { licensing } => write!(f, "Google Play says {} of the account, not `LICENSED`", said(licensing)),
            Self::VerdictMalformed(why) => write!(f, "the verdict {}", verdict_text(*why)),
            Self::VerdictTooEarly { at } => {
                write!(f, "the verdict is of {}, which is in the future; check this server's clock", written(*at))
            }
            Self::VerdictTooOld { at } => write!(f, "the verdict is of {}, which is too long ago", written(*at)),
        }
    }
}

impl std::error::Error for PlayRefusal {}

fn said<T: Labels>(label: &Option<Label<T>>) -> String {
    label.as_ref().map_or_else(|| String::from("nothing"), |label| format!("`{label}`"))
}

const fn token_text(why: TokenRefusal) -> &'static str {
    match why {
        TokenRefusal::AlgorithmRefused => "is not encrypted with A256KW and A256GCM",
        TokenRefusal::CriticalHeader => "has a header with a critical extension",
        TokenRefusal::EncodingInvalid => "has a part that is not canonical base64url",
        TokenRefusal::HeaderMalformed => "has a header that is not a JSON object with unique members",
        TokenRefusal::HeaderRefused => "has a header that would change how it is read",
        TokenRefusal::LengthWrong => "has a key, vector or tag of the wrong length",
        TokenRefusal::NotFiveParts => "does not have five parts; send the token as returned by the Play Integrity library",
        TokenRefusal::TooLarge => "is larger than the limit",
    }
}

fn verdict_text(why: VerdictRefusal) -> String {
    match why {
        VerdictRefusal::BindingAmbiguous => String::from("has not exactly one of `requestHash` and `nonce`"),
        VerdictRefusal::FieldMalformed { field } => format!("has another type or form in `{field}`"),
        VerdictRefusal::FieldMissing { field } => format!("has no `{field}`"),
        VerdictRefusal::NotTheObject => String::from("is not one JSON object with unique members and of small depth"),
        VerdictRefusal::TooLarge => String::from("is larger than the limit"),
        VerdictRefusal::TooMany { field } => format!("has more values in `{field}` than are read"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_core::PublicReason;

    /// Texts for operators name the finding; clients get one and the same answer for all refusals.
    #[test]
    fn refusals_speak() {
        let package = || String::from("com.evil");
        let rows: &[(PlayRefusal, &str, &str)] = &[
            (PlayRefusal::AppAccessRisk { found: vec![String::from("KNOWN_OVERLAYS")] }, "app_access_risk", "`KNOWN_OVERLAYS`"),
            (PlayRefusal::AppAccessUnevaluated, "app_access_risk", "Play Console"),
            (PlayRefusal::AppSignerUnknown { package: package(), signers: vec![[0xab; 32]] }, "app_signer_unknown", "`abab"),
            (PlayRefusal::AppSignerUnknown { package: package(), signers: vec![] }, "app_signer_unknown", "nothing says who signed"),
            (PlayRefusal::AppUnknown { package: Some(package()) }, "app_unknown", "`com.evil`"),
            (PlayRefusal::AppUnknown { package: None }, "app_unknown", "does not say which app"),
            (PlayRefusal::AppUnrecognized { recognition: None }, "play_app_unrecognized", "says nothing of the app"),
            (PlayRefusal::AppVersionTooOld { version_min: 42, version: Some(41) }, "app_version_too_old", "41, and 42"),
            (PlayRefusal::AppVersionTooOld { version_min: 42, version: None }, "app_version_too_old", "nothing says which version"),
            (
                PlayRefusal::DeviceIntegrityMissing { level_min: DeviceLevel::Strong, labels: vec![String::from("A"), String::from("B")] },
                "play_device_integrity_missing",
                "`A`, `B`, and `MEETS_STRONG_INTEGRITY`",
            ),
            (
                PlayRefusal::DeviceIntegrityMissing { level_min: DeviceLevel::Basic, labels: vec![] },
                "play_device_integrity_missing",
                "no label, and `MEETS_BASIC_INTEGRITY`",
            ),
            (PlayRefusal::PlayProtectRisk { risk: Some(Label::Unevaluated) }, "play_protect_risk", "`UNEVALUATED`"),
            (PlayRefusal::RequestMismatch, "play_request_mismatch", "another request"),
            (PlayRefusal::RequestPackageUnknown { package: package() }, "app_unknown", "asked for by `com.evil`"),
            (PlayRefusal::SignatureInvalid, "play_signature_invalid", "verification key"),
            (PlayRefusal::SignedTextMalformed(JwsRefusal::AlgorithmRefused), "play_token_malformed", "AlgorithmRefused"),
            (PlayRefusal::TestingResponse, "play_testing_response", "tester"),
            (PlayRefusal::TokenMalformed(TokenRefusal::NotFiveParts), "play_token_malformed", "five parts"),
            (PlayRefusal::TokenUndecryptable, "play_token_undecryptable", "decryption key"),
            (PlayRefusal::Unlicensed { licensing: Some(Label::Known(Licensing::Unlicensed)) }, "play_unlicensed", "`UNLICENSED`"),
            (PlayRefusal::VerdictMalformed(VerdictRefusal::FieldMissing { field: "a" }), "play_verdict_malformed", "no `a`"),
            (PlayRefusal::VerdictTooEarly { at: UnixSeconds(0) }, "play_verdict_too_early", "1970-01-01T00:00:00Z"),
            (PlayRefusal::VerdictTooOld { at: UnixSeconds(0) }, "play_verdict_too_old", "1970-01-01T00:00:00Z"),
        ];
        for (refusal, code, text) in rows {
            // Whoever has an old app may know what helps; all else is one class.
            let told = if *code == "app_version_too_old" { PublicReason::AppOutdated } else { PublicReason::DeviceUnproven };
            assert_eq!((refusal.reason().code(), refusal.reason().public()), (*code, told), "{refusal}");
            assert!(refusal.to_string().contains(text), "{refusal}");
        }
    }
}
