//! Passkeys: what we ask of an authenticator and what we take for an answer (WebAuthn level 3 sections 7.1 and 7.2).
//!
//! The ceremony itself is checked by `webauthn-rs`; this file narrows it to what we want: user verification always,
//! discoverable credentials only, origins compared byte by byte, no cross-origin use, a counter that went back refused.
//!
//! Two things happen inside the library that pure rooms otherwise leave to their callers: it draws the challenge from the
//! operating system's generator, and at registration it reads the clock for attestation certificates, which we do not ask
//! for. State that must be recalled leaves as text for `store::Challenges`, where it counts once.

use std::fmt;

use countersign_codec::base64url;
use countersign_core::{ContractViolation, Reason, UserId};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use url::Url;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, DiscoverableKey, Passkey, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, Uuid,
    Webauthn, WebauthnBuilder, WebauthnError,
};

/// Bytes in a credential id (WebAuthn level 3 section 4, "credential ID").
const CREDENTIAL_ID_BYTES_MAX: usize = 1023;

/// A place where passkeys of ours may be used, exactly as the client writes it into the client data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeyOrigin {
    text: String,
    url: Url,
}

/// Why a text is not an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginError {
    /// `android:apk-key-hash:` is not followed by 43 characters of base64url.
    KeyHashMalformed,
    /// Neither a web origin nor an Android app's.
    NotAnOrigin,
    /// A web origin that is neither `https` nor `http://localhost`.
    NotSecure,
}

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeyHashMalformed => {
                "after `android:apk-key-hash:` stands the SHA-256 of the signing certificate as 43 characters of base64url"
            }
            Self::NotAnOrigin => "an origin is `https://host`, `https://host:port` or `android:apk-key-hash:...`, without a path",
            Self::NotSecure => "passkeys need `https`; only `http://localhost` is exempt",
        })
    }
}

impl std::error::Error for OriginError {}

impl PasskeyOrigin {
    const ANDROID: &'static str = "android:apk-key-hash:";

    /// Reads `https://host[:port]` (browsers, and iOS apps by their associated domain) or `android:apk-key-hash:...`
    /// (Android's Credential Manager, see "Verify origin" at developer.android.com).
    ///
    /// # Errors
    /// When it is no origin, not written canonically, or not a secure one.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let url = Url::parse(text).map_err(|_| OriginError::NotAnOrigin)?;
        if let Some(hash) = text.strip_prefix(Self::ANDROID) {
            let bytes = base64url::decode(hash).map_err(|_| OriginError::KeyHashMalformed)?;
            return if bytes.len() == 32 { Ok(Self { text: text.to_owned(), url }) } else { Err(OriginError::KeyHashMalformed) };
        }
        if url.origin().ascii_serialization() != text {
            return Err(OriginError::NotAnOrigin);
        }
        match (url.scheme(), url.domain()) {
            ("https", Some(_)) | ("http", Some("localhost")) => Ok(Self { text: text.to_owned(), url }),
            ("https", None) => Err(OriginError::NotAnOrigin),
            _ => Err(OriginError::NotSecure),
        }
    }

    /// The origin of an Android app that is signed by this certificate.
    ///
    /// # Errors
    /// Never, as long as such an origin is a URL.
    pub fn of_android_app(certificate_sha256: &[u8; 32]) -> Result<Self, OriginError> {
        Self::parse(&format!("{}{}", Self::ANDROID, base64url::encode(certificate_sha256)))
    }

    /// The origin as client data has it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Why these settings make no relying party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelyingPartyError {
    /// A web origin lies outside of the relying party id's domain.
    OriginOutsideOfId,
    /// No web origin is given; iOS apps and browsers use one.
    WebOriginMissing,
}

impl fmt::Display for RelyingPartyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OriginOutsideOfId => "every web origin's host must be the relying party id or end in `.` and it",
            Self::WebOriginMissing => "give at least one web origin; browsers and iOS apps use it",
        })
    }
}

impl std::error::Error for RelyingPartyError {}

/// Who asks for passkeys, and from where they are accepted.
pub struct RelyingParty {
    webauthn: Webauthn,
    origins: Vec<PasskeyOrigin>,
}

/// The 128 unpredictable bits by which authenticators know an account (WebAuthn level 3 section 5.4.3, `user.id`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserHandle([u8; 16]);

impl UserHandle {
    /// A new handle.
    #[must_use]
    pub const fn from_random(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The account that the handle stands for; the same bits in our own writing.
    #[must_use]
    pub fn user(&self) -> UserId {
        UserId::from_random(self.0)
    }
}

/// An account that is about to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAccount {
    /// Its handle, and thereby its id.
    pub handle: UserHandle,
    /// What the person calls it.
    pub name: String,
}

/// What the client hands to the authenticator: the JSON of `PublicKeyCredentialCreationOptions` or `...RequestOptions`
/// (WebAuthn level 3 section 5.1.10), as Android's Credential Manager and `parseCreationOptionsFromJSON` take it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CeremonyOptions(Value);

impl CeremonyOptions {
    /// The JSON document.
    #[must_use]
    pub fn into_json(self) -> Value {
        self.0
    }
}

/// A registration that waits for its answer. Holds the challenge, so it stays with us and counts once.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistrationCeremony(String);

/// A login that waits for its answer. Holds the challenge, so it stays with us and counts once.
#[derive(Clone, PartialEq, Eq)]
pub struct LoginCeremony(String);

macro_rules! recalled {
    ($($name:ident)*) => {$(
        impl $name {
            /// Takes up what was recalled from the store.
            #[must_use]
            pub fn recall(text: String) -> Self {
                Self(text)
            }

            /// What the store must recall.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )*};
}

recalled! { LoginCeremony RegistrationCeremony }

/// A passkey that was made for a new account. Only [`RelyingParty::finish_registration`] makes one.
#[derive(Debug)]
#[must_use]
pub struct RegisteredPasskey {
    /// What the store keeps.
    stored: StoredPasskey,
}

impl RegisteredPasskey {
    /// What the store keeps.
    pub fn into_stored(self) -> StoredPasskey {
        self.stored
    }
}

/// A passkey as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPasskey {
    /// The credential id.
    pub credential: Vec<u8>,
    /// The credential record as the WebAuthn library writes it; public material.
    pub record: String,
    /// Signature counter at the last use (WebAuthn level 3 section 6.1.1).
    pub counter: u32,
}

/// An answer to a login as it came in: well-formed, otherwise unchecked.
#[derive(Debug)]
pub struct LoginCredential(PublicKeyCredential);

impl LoginCredential {
    /// Reads the JSON that `PublicKeyCredential.toJSON()` and the phones' platform APIs give.
    ///
    /// # Errors
    /// [`PasskeyRefusal::CredentialMalformed`].
    pub fn parse(json: &str) -> Result<Self, PasskeyRefusal> {
        let credential: PublicKeyCredential = serde_json::from_str(json).map_err(|_| PasskeyRefusal::CredentialMalformed)?;
        names_itself(&credential.id, &credential.raw_id, &credential.type_)?;
        Ok(Self(credential))
    }

    /// The passkey that answered, to look up.
    #[must_use]
    pub fn credential(&self) -> &[u8] {
        &self.0.raw_id
    }
}

/// A login whose passkey verified, with the person verified on the authenticator. Only [`RelyingParty::finish_login`]
/// makes one.
#[derive(Debug)]
#[must_use]
pub struct VerifiedLogin {
    user: UserId,
    stored: StoredPasskey,
}

impl VerifiedLogin {
    /// Who signed in.
    #[must_use]
    pub const fn user(&self) -> &UserId {
        &self.user
    }

    /// The passkey with its new counter, to be stored before anything comes of the login.
    #[must_use]
    pub fn into_stored(self) -> StoredPasskey {
        self.stored
    }
}

/// Why an answer to a ceremony is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasskeyRefusal {
    /// The key's algorithm is not one that was asked for.
    AlgorithmRefused,
    /// An attestation statement came along, and does not verify.
    AttestationInvalid,
    /// The backup flags contradict each other or what was registered (WebAuthn level 3 section 6.1.3).
    BackupInconsistent,
    /// Our own recalled state does not parse; our fault.
    CeremonyBroken,
    /// The answer is to another challenge.
    ChallengeMismatch,
    /// The counter went back: the passkey exists twice.
    Cloned,
    /// The answer does not parse.
    CredentialMalformed,
    /// Another passkey answered than the one at hand.
    CredentialMismatch,
    /// The passkey was used inside a frame of another origin.
    CrossOrigin,
    /// The authenticator says that the passkey cannot be found without its id, so nobody could sign in with it.
    NotDiscoverable,
    /// The passkey was used on an origin that is not configured.
    OriginRefused,
    /// The passkey answered for another relying party.
    RelyingPartyMismatch,
    /// The signature does not verify.
    SignatureInvalid,
    /// The answer is to the other kind of ceremony.
    TypeMismatch,
    /// The user handle is missing or names somebody else than the passkey's owner.
    UserMismatch,
    /// The person was not present or not verified.
    UserNotVerified,
}

impl PasskeyRefusal {
    /// The stable code.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::CeremonyBroken => Reason::Internal,
            Self::CredentialMalformed => Reason::BodyFieldInvalid,
            Self::CrossOrigin | Self::OriginRefused => Reason::OriginRefused,
            Self::AlgorithmRefused
            | Self::AttestationInvalid
            | Self::BackupInconsistent
            | Self::ChallengeMismatch
            | Self::Cloned
            | Self::CredentialMismatch
            | Self::NotDiscoverable
            | Self::RelyingPartyMismatch
            | Self::SignatureInvalid
            | Self::TypeMismatch
            | Self::UserMismatch
            | Self::UserNotVerified => Reason::LoginRefused,
        }
    }
}

impl RelyingParty {
    /// A relying party named `rp_id`, with the origins from which its passkeys are accepted.
    ///
    /// # Errors
    /// When there is no web origin or one lies outside of the id's domain.
    pub fn new(rp_id: &str, origins: &[PasskeyOrigin]) -> Result<Self, RelyingPartyError> {
        let mut builder: Option<WebauthnBuilder<'_>> = None;
        for origin in origins.iter().filter(|origin| origin.url.domain().is_some()) {
            // `new` is what checks an origin against the id, so every one goes through it.
            let fresh = WebauthnBuilder::new(rp_id, &origin.url).map_err(|_| RelyingPartyError::OriginOutsideOfId)?;
            builder = Some(builder.map_or(fresh, |builder| builder.append_allowed_origin(&origin.url)));
        }
        let mut builder = builder.ok_or(RelyingPartyError::WebOriginMissing)?.rp_name(rp_id);
        for origin in origins.iter().filter(|origin| origin.url.domain().is_none()) {
            builder = builder.append_allowed_origin(&origin.url);
        }
        let webauthn = builder.build().map_err(|_| RelyingPartyError::OriginOutsideOfId)?;
        Ok(Self { webauthn, origins: origins.to_vec() })
    }

    /// Begins the registration of the first passkey of a new account.
    ///
    /// # Errors
    /// [`ContractViolation`] when the library refuses the account's name, which must not be empty.
    pub fn start_registration(&self, account: &NewAccount) -> Result<(CeremonyOptions, RegistrationCeremony), ContractViolation> {
        let (options, state) = self
            .webauthn
            .start_passkey_registration(Uuid::from_bytes(account.handle.0), &account.name, &account.name, None)
            .map_err(|_| ContractViolation("an account to be registered has a name"))?;
        let mut options = serde_json::to_value(options.public_key).map_err(|_| ContractViolation("creation options are JSON"))?;
        // The library asks for no discoverable credential; a login that names nobody needs one.
        if let Some(Value::Object(selection)) = options.get_mut("authenticatorSelection") {
            selection.insert("residentKey".to_owned(), json!("required"));
            selection.insert("requireResidentKey".to_owned(), json!(true));
        }
        let state = serde_json::to_string(&state).map_err(|_| ContractViolation("a ceremony's state is JSON"))?;
        Ok((CeremonyOptions(options), RegistrationCeremony(state)))
    }

    /// Takes the answer to a registration (WebAuthn level 3 section 7.1).
    ///
    /// # Errors
    /// The first check that fails.
    pub fn finish_registration(&self, ceremony: &RegistrationCeremony, credential: &str) -> Result<RegisteredPasskey, PasskeyRefusal> {
        let state: PasskeyRegistration = recall(&ceremony.0)?;
        let credential: RegisterPublicKeyCredential = serde_json::from_str(credential).map_err(|_| PasskeyRefusal::CredentialMalformed)?;
        names_itself(&credential.id, &credential.raw_id, &credential.type_)?;
        self.came_from_here(&credential.response.client_data_json)?;
        if credential.extensions.cred_props.as_ref().is_some_and(|props| props.rk == Some(false)) {
            return Err(PasskeyRefusal::NotDiscoverable);
        }
        let passkey = self.webauthn.finish_passkey_registration(&credential, &state).map_err(|error| refusal(&error))?;
        // SECURITY: the id that is stored is the one inside the attested data, not the one that the client says beside it.
        if *passkey.cred_id() != credential.raw_id {
            return Err(PasskeyRefusal::CredentialMismatch);
        }
        Ok(RegisteredPasskey { stored: stored(&passkey)? })
    }

    /// Begins a login. It names no account and no passkey, so it tells nobody which accounts exist (WebAuthn level 3 section
    /// 14.6.2): whoever names an account gets the same options, and the name is compared when the ceremony is finished.
    ///
    /// # Errors
    /// [`ContractViolation`] when the library's own options are not JSON.
    pub fn start_login(&self) -> Result<(CeremonyOptions, LoginCeremony), ContractViolation> {
        let (options, state) =
            self.webauthn.start_discoverable_authentication().map_err(|_| ContractViolation("a login can always begin"))?;
        let mut options = serde_json::to_value(options.public_key).map_err(|_| ContractViolation("request options are JSON"))?;
        // An empty list means "any passkey of this site", and some clients read it as "none".
        if let Value::Object(members) = &mut options {
            members.remove("allowCredentials");
        }
        let state = serde_json::to_string(&state).map_err(|_| ContractViolation("a ceremony's state is JSON"))?;
        Ok((CeremonyOptions(options), LoginCeremony(state)))
    }

    /// Takes the answer to a login (WebAuthn level 3 section 7.2), given the passkey that [`LoginCredential::credential`]
    /// names and its owner.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn finish_login(
        &self,
        ceremony: &LoginCeremony,
        credential: &LoginCredential,
        passkey: &StoredPasskey,
        owner: &UserId,
    ) -> Result<VerifiedLogin, PasskeyRefusal> {
        let state: DiscoverableAuthentication = recall(&ceremony.0)?;
        let mut known: Passkey = recall(&passkey.record)?;
        self.came_from_here(&credential.0.response.client_data_json)?;
        let handle = credential.0.get_user_unique_id().and_then(|bytes| <[u8; 16]>::try_from(bytes).ok()).map(UserHandle);
        if handle.map(|handle| handle.user()).as_ref() != Some(owner) {
            return Err(PasskeyRefusal::UserMismatch);
        }
        let key = DiscoverableKey::from(&known);
        let result = self.webauthn.finish_discoverable_authentication_v2(&credential.0, state, key).map_err(|error| refusal(&error))?;
        // Required by the state already; said again, because everything above builds on it.
        if !result.user_verified() {
            return Err(PasskeyRefusal::UserNotVerified);
        }
        known.update_credential(&result).ok_or(PasskeyRefusal::CredentialMismatch)?;
        Ok(VerifiedLogin { user: owner.clone(), stored: StoredPasskey { counter: result.counter(), ..stored(&known)? } })
    }

    /// Whether the client data names one of our origins, byte by byte, and no frame around it. The library compares parsed
    /// URLs, which have more than one spelling.
    fn came_from_here(&self, client_data: &[u8]) -> Result<(), PasskeyRefusal> {
        /// WebAuthn level 3 section 5.8.1; other members are allowed and ignored.
        #[derive(Deserialize)]
        struct ClientData {
            origin: String,
            #[serde(rename = "crossOrigin")]
            cross_origin: Option<bool>,
        }
        let data: ClientData = serde_json::from_slice(client_data).map_err(|_| PasskeyRefusal::CredentialMalformed)?;
        if !self.origins.iter().any(|origin| origin.text == data.origin) {
            return Err(PasskeyRefusal::OriginRefused);
        }
        if data.cross_origin == Some(true) {
            return Err(PasskeyRefusal::CrossOrigin);
        }
        Ok(())
    }
}

/// Whether a credential is a public key that has one name only: `id` is `rawId` in canonical base64url.
fn names_itself(id: &str, raw_id: &[u8], kind: &str) -> Result<(), PasskeyRefusal> {
    let named = kind == "public-key" && (1..=CREDENTIAL_ID_BYTES_MAX).contains(&raw_id.len()) && base64url::encode(raw_id) == id;
    if named { Ok(()) } else { Err(PasskeyRefusal::CredentialMalformed) }
}

fn recall<T: DeserializeOwned>(text: &str) -> Result<T, PasskeyRefusal> {
    serde_json::from_str(text).map_err(|_| PasskeyRefusal::CeremonyBroken)
}

fn stored(passkey: &Passkey) -> Result<StoredPasskey, PasskeyRefusal> {
    /// The one member of the library's record that the store compares.
    #[derive(Deserialize)]
    struct Record {
        cred: Counter,
    }
    #[derive(Deserialize)]
    struct Counter {
        counter: u32,
    }
    let record = serde_json::to_string(passkey).map_err(|_| PasskeyRefusal::CeremonyBroken)?;
    let counter = recall::<Record>(&record)?.cred.counter;
    Ok(StoredPasskey { credential: passkey.cred_id().clone(), record, counter })
}

/// Sorts the library's errors into ours.
#[expect(clippy::wildcard_enum_match_arm, reason = "the library's enum has some eighty variants, most of them about attestation")]
fn refusal(error: &WebauthnError) -> PasskeyRefusal {
    match error {
        WebauthnError::CredentialPossibleCompromise => PasskeyRefusal::Cloned,
        WebauthnError::MismatchedChallenge => PasskeyRefusal::ChallengeMismatch,
        WebauthnError::InvalidClientDataType => PasskeyRefusal::TypeMismatch,
        WebauthnError::InvalidRPOrigin => PasskeyRefusal::OriginRefused,
        WebauthnError::CredentialCrossOrigin => PasskeyRefusal::CrossOrigin,
        WebauthnError::InvalidRPIDHash => PasskeyRefusal::RelyingPartyMismatch,
        WebauthnError::UserNotPresent | WebauthnError::UserNotVerified => PasskeyRefusal::UserNotVerified,
        WebauthnError::AuthenticationFailure | WebauthnError::SignatureInvalid => PasskeyRefusal::SignatureInvalid,
        WebauthnError::CredentialNotFound => PasskeyRefusal::CredentialMismatch,
        WebauthnError::CredentialAlteredAlgFromRequest
        | WebauthnError::COSEKeyInvalidType
        | WebauthnError::COSEKeyInvalidAlgorithm
        | WebauthnError::COSEKeyEDUnsupported
        | WebauthnError::COSEKeyECDSAInvalidCurve
        | WebauthnError::COSEKeyEDDSAInvalidCurve
        | WebauthnError::COSEKeyRSANEInvalid
        | WebauthnError::SshPublicKeyEDUnsupported => PasskeyRefusal::AlgorithmRefused,
        WebauthnError::CredentialMayNotBeHardwareBound | WebauthnError::CredentialBackupEligibilityInconsistent => {
            PasskeyRefusal::BackupInconsistent
        }
        WebauthnError::ParseNOMFailure
        | WebauthnError::ParseInsufficientBytesAvailable
        | WebauthnError::ParseBase64Failure(_)
        | WebauthnError::ParseCBORFailure(_)
        | WebauthnError::ParseJSONFailure(_)
        | WebauthnError::InvalidExtensions
        | WebauthnError::AuthenticatorDataMissingExtension
        | WebauthnError::MissingAttestationCredentialData
        | WebauthnError::COSEKeyInvalidCBORValue
        | WebauthnError::COSEKeyECDSAXYInvalid
        | WebauthnError::COSEKeyEDDSAXInvalid => PasskeyRefusal::CredentialMalformed,
        _ => PasskeyRefusal::AttestationInvalid,
    }
}
