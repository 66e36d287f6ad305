//! Passkeys: the options that authenticators get, and the checks of their answers (WebAuthn level 3 sections 7.1 and 7.2).
//!
//! `webauthn-rs` checks the ceremony itself. This file narrows it: user verification always, discoverable credentials only, origins
//! compared byte by byte, no cross-origin use, a counter that went back refused.
//!
//! The library does two things that pure crates otherwise leave to their callers: it draws the challenge from the operating system's
//! generator, and at registration it reads the clock for attestation certificates, which are not requested here. State between the two
//! steps of a ceremony leaves as text for `store::Challenges`, where it can be used once.

use std::fmt;

use countersign_codec::base64url;
use countersign_core::{ContractViolation, Limits, Reason, UserId};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use url::Url;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, DiscoverableKey, Passkey, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, Uuid,
    Webauthn, WebauthnBuilder, WebauthnError,
};

use crate::binding::PasskeyPlace;

/// Origin on which passkeys may be used, exactly as the client writes it into the client data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeyOrigin {
    text: String,
    url: Url,
}

/// Reason why a text is not an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginError {
    /// `android:apk-key-hash:` is not followed by 43 characters of base64url.
    KeyHashMalformed,
    /// The text is neither a web origin nor an Android app's.
    NotAnOrigin,
    /// The web origin is neither `https` nor `http://localhost`.
    NotSecure,
}

impl fmt::Display for OriginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeyHashMalformed => {
                "after `android:apk-key-hash:` stands the SHA-256 of the signing certificate as 43 characters of base64url"
            }
            Self::NotAnOrigin => "an origin is `https://host`, `https://host:port` or `android:apk-key-hash:...`, without a path",
            Self::NotSecure => "passkeys need `https`; `http` is allowed only for `http://localhost`",
        })
    }
}

impl std::error::Error for OriginError {}

impl PasskeyOrigin {
    const ANDROID: &'static str = "android:apk-key-hash:";

    /// Parses `https://host[:port]` (browsers, and iOS apps by their associated domain) or `android:apk-key-hash:...` (Android's Credential
    /// Manager, see "Verify origin" at developer.android.com).
    ///
    /// # Errors
    /// A refusal when the text is not an origin, not written canonically, or not secure.
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let url = Url::parse(text).map_err(|_| OriginError::NotAnOrigin)?;
        if let Some(hash) = text.strip_prefix(Self::ANDROID) {
            let bytes = base64url::decode(hash).map_err(|_| OriginError::KeyHashMalformed)?;
            return if bytes.len() == 32 { Ok(Self { text: text.to_owned(), url }) } else { Err(OriginError::KeyHashMalformed) };
        }
        // The origin is compared byte by byte later, so it must be in the form in which browsers write it.
        if url.origin().ascii_serialization() != text {
            return Err(OriginError::NotAnOrigin);
        }
        match (url.scheme(), url.domain()) {
            // Browsers offer passkeys in secure contexts only; `localhost` is one without TLS.
            ("https", Some(_)) | ("http", Some("localhost")) => Ok(Self { text: text.to_owned(), url }),
            ("https", None) => Err(OriginError::NotAnOrigin),
            _ => Err(OriginError::NotSecure),
        }
    }

    /// Origin of an Android app that is signed with this certificate.
    ///
    /// # Errors
    /// None in practice: such an origin is always a URL.
    pub fn of_android_app(certificate_sha256: &[u8; 32]) -> Result<Self, OriginError> {
        Self::parse(&format!("{}{}", Self::ANDROID, base64url::encode(certificate_sha256)))
    }

    /// The origin as it stands in client data.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Reason why settings do not make a relying party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelyingPartyError {
    /// A web origin lies outside of the relying party id's domain.
    OriginOutsideOfId,
    /// There is no web origin; iOS apps and browsers use one.
    WebOriginMissing,
}

impl fmt::Display for RelyingPartyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OriginOutsideOfId => "the host of every web origin must be the relying party id or a subdomain of it",
            Self::WebOriginMissing => "give at least one web origin; browsers and iOS apps use it",
        })
    }
}

impl std::error::Error for RelyingPartyError {}

/// The party that asks for passkeys, with the origins from which they are accepted.
pub struct RelyingParty {
    webauthn: Webauthn,
    origins: Vec<PasskeyOrigin>,
}

/// The 128 unpredictable bits by which authenticators know an account (WebAuthn level 3 section 5.4.3, `user.id`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserHandle([u8; 16]);

impl UserHandle {
    /// A new handle made of 128 unpredictable bits.
    #[must_use]
    pub const fn from_random(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Account that the handle stands for: the same bits in the form of our identifiers.
    #[must_use]
    pub fn user(&self) -> UserId {
        UserId::from_random(self.0)
    }
}

/// An account that is about to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAccount {
    /// Handle of the account, which also gives its id.
    pub handle: UserHandle,
    /// Name that the person gave the account.
    pub name: String,
}

/// Options that the client passes to the authenticator: the JSON of `PublicKeyCredentialCreationOptions` or `...RequestOptions` (WebAuthn
/// level 3 section 5.1.10), as Android's Credential Manager and `parseCreationOptionsFromJSON` take them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CeremonyOptions(Value);

impl CeremonyOptions {
    /// The options as a JSON document.
    #[must_use]
    pub fn into_json(self) -> Value {
        self.0
    }
}

/// State of a registration that waits for its answer. It contains the challenge, so it stays on the server and is used once.
#[derive(Clone, PartialEq, Eq)]
pub struct RegistrationCeremony(String);

/// State of a login that waits for its answer. It contains the challenge, so it stays on the server and is used once.
#[derive(Clone, PartialEq, Eq)]
pub struct LoginCeremony(String);

macro_rules! recalled {
    ($($name:ident)*) => {$(
        impl $name {
            /// Takes the text that the store returned.
            #[must_use]
            pub fn recall(text: String) -> Self {
                Self(text)
            }

            /// Text that the store must return later.
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
    /// Record for the store.
    stored: StoredPasskey,
}

impl RegisteredPasskey {
    /// The record for the store.
    pub fn into_stored(self) -> StoredPasskey {
        self.stored
    }
}

/// A passkey as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredPasskey {
    /// Credential id, the key under which the passkey is found.
    pub credential: Vec<u8>,
    /// Credential record in the WebAuthn library's own form; it holds no secret.
    pub record: String,
    /// Signature counter at the last use (WebAuthn level 3 section 6.1.1).
    pub counter: u32,
}

/// Answer to a login as it was received: well-formed, otherwise not checked.
#[derive(Debug)]
pub struct LoginCredential(PublicKeyCredential);

impl LoginCredential {
    /// Parses the JSON that `PublicKeyCredential.toJSON()` and the platform APIs of phones give.
    ///
    /// # Errors
    /// [`PasskeyRefusal::CredentialMalformed`].
    pub fn parse(json: &str) -> Result<Self, PasskeyRefusal> {
        let credential: PublicKeyCredential = serde_json::from_str(json).map_err(|_| PasskeyRefusal::CredentialMalformed)?;
        names_itself(&credential.id, &credential.raw_id, &credential.type_)?;
        Ok(Self(credential))
    }

    /// Credential id of the passkey that answered, by which the caller looks it up.
    #[must_use]
    pub fn credential(&self) -> &[u8] {
        &self.0.raw_id
    }
}

/// A login whose passkey was verified, with the person verified on the authenticator. Only [`RelyingParty::finish_login`] makes one.
#[derive(Debug)]
#[must_use]
pub struct VerifiedLogin {
    user: UserId,
    stored: StoredPasskey,
}

impl VerifiedLogin {
    /// The person who signed in.
    #[must_use]
    pub const fn user(&self) -> &UserId {
        &self.user
    }

    /// The passkey with its new counter, to be stored before the login has any effect.
    #[must_use]
    pub fn into_stored(self) -> StoredPasskey {
        self.stored
    }
}

/// Reason why the answer to a ceremony is refused. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasskeyRefusal {
    /// The key's algorithm is not one that was requested.
    AlgorithmRefused,
    /// The answer contains an attestation statement that does not verify.
    AttestationInvalid,
    /// The backup flags contradict each other or the registered ones (WebAuthn level 3 section 6.1.3).
    BackupInconsistent,
    /// The stored state of the ceremony does not parse. The fault is ours.
    CeremonyBroken,
    /// The answer belongs to another challenge.
    ChallengeMismatch,
    /// The counter went back: a copy of the passkey exists.
    Cloned,
    /// The answer does not parse.
    CredentialMalformed,
    /// The answer comes from another passkey than the expected one.
    CredentialMismatch,
    /// The passkey was used inside a frame of another origin.
    CrossOrigin,
    /// The authenticator states that the passkey is not discoverable, so nobody could sign in with it.
    NotDiscoverable,
    /// The passkey was used on an origin that is not configured.
    OriginRefused,
    /// The answer is for another relying party.
    RelyingPartyMismatch,
    /// The signature does not verify.
    SignatureInvalid,
    /// The answer belongs to the other kind of ceremony.
    TypeMismatch,
    /// The user handle is missing or names somebody other than the passkey's owner.
    UserMismatch,
    /// The person was not present or not verified.
    UserNotVerified,
}

impl PasskeyRefusal {
    /// Stable reason code of the refusal, for logs and metrics.
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
    /// A relying party with the id `rp_id` and the origins from which its passkeys are accepted.
    ///
    /// # Errors
    /// A refusal when there is no web origin, or one lies outside of the id's domain.
    pub fn new(rp_id: &str, origins: &[PasskeyOrigin]) -> Result<Self, RelyingPartyError> {
        let mut builder: Option<WebauthnBuilder<'_>> = None;
        for origin in origins.iter().filter(|origin| origin.url.domain().is_some()) {
            // Only `new` checks an origin against the id, so every origin goes through it.
            let fresh = WebauthnBuilder::new(rp_id, &origin.url).map_err(|_| RelyingPartyError::OriginOutsideOfId)?;
            builder = Some(builder.map_or(fresh, |builder| builder.append_allowed_origin(&origin.url)));
        }
        let mut builder = builder.ok_or(RelyingPartyError::WebOriginMissing)?.rp_name(rp_id);
        // Android's origins have no host that could be compared with the id.
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
        // The library does not ask for a discoverable credential. A login that names nobody needs one.
        if let Some(Value::Object(selection)) = options.get_mut("authenticatorSelection") {
            selection.insert("residentKey".to_owned(), json!("required"));
            selection.insert("requireResidentKey".to_owned(), json!(true));
        }
        let state = serde_json::to_string(&state).map_err(|_| ContractViolation("a ceremony's state is JSON"))?;
        Ok((CeremonyOptions(options), RegistrationCeremony(state)))
    }

    /// Checks the answer to a registration (WebAuthn level 3 section 7.1).
    ///
    /// # Errors
    /// The first check that fails.
    pub fn finish_registration(&self, ceremony: &RegistrationCeremony, credential: &str) -> Result<RegisteredPasskey, PasskeyRefusal> {
        let state: PasskeyRegistration = recall(&ceremony.0)?;
        let credential: RegisterPublicKeyCredential = serde_json::from_str(credential).map_err(|_| PasskeyRefusal::CredentialMalformed)?;
        names_itself(&credential.id, &credential.raw_id, &credential.type_)?;
        self.came_from_here(&credential.response.client_data_json)?;
        // Only an explicit `false` refuses: some clients do not report the property.
        if credential.extensions.cred_props.as_ref().is_some_and(|props| props.rk == Some(false)) {
            return Err(PasskeyRefusal::NotDiscoverable);
        }
        let passkey = self.webauthn.finish_passkey_registration(&credential, &state).map_err(|error| refusal(&error))?;
        // SECURITY: the id inside the attested data is stored; the one that the client states beside it must be the same.
        if *passkey.cred_id() != credential.raw_id {
            return Err(PasskeyRefusal::CredentialMismatch);
        }
        Ok(RegisteredPasskey { stored: stored(&passkey)? })
    }

    /// Begins a login. The options name no account and no passkey, so they tell nobody which accounts exist (WebAuthn level 3 section
    /// 14.6.2). A client that names an account gets the same options, and the name is compared when the ceremony is finished.
    ///
    /// # Errors
    /// [`ContractViolation`] when the library's own options are not JSON.
    pub fn start_login(&self) -> Result<(CeremonyOptions, LoginCeremony), ContractViolation> {
        let (options, state) =
            self.webauthn.start_discoverable_authentication().map_err(|_| ContractViolation("a login can always begin"))?;
        let mut options = serde_json::to_value(options.public_key).map_err(|_| ContractViolation("request options are JSON"))?;
        // An empty list means "any passkey of this site", but some clients read it as "none".
        if let Value::Object(members) = &mut options {
            members.remove("allowCredentials");
        }
        let state = serde_json::to_string(&state).map_err(|_| ContractViolation("a ceremony's state is JSON"))?;
        Ok((CeremonyOptions(options), LoginCeremony(state)))
    }

    /// Checks the answer to a login (WebAuthn level 3 section 7.2), given the passkey that [`LoginCredential::credential`] names and its
    /// owner.
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
        // SECURITY: the handle must name the owner of the passkey that the credential's id led to (WebAuthn level 3 section 7.2).
        if handle.map(|handle| handle.user()).as_ref() != Some(owner) {
            return Err(PasskeyRefusal::UserMismatch);
        }
        let key = DiscoverableKey::from(&known);
        let result = self.webauthn.finish_discoverable_authentication_v2(&credential.0, state, key).map_err(|error| refusal(&error))?;
        // The state requires it already. It is checked again, because everything above relies on it.
        if !result.user_verified() {
            return Err(PasskeyRefusal::UserNotVerified);
        }
        known.update_credential(&result).ok_or(PasskeyRefusal::CredentialMismatch)?;
        Ok(VerifiedLogin { user: owner.clone(), stored: StoredPasskey { counter: result.counter(), ..stored(&known)? } })
    }

    /// Checks that the client data names one of the configured origins, byte by byte, and no frame of another origin. The library compares
    /// parsed URLs, which have more than one spelling.
    fn came_from_here(&self, client_data: &[u8]) -> Result<(), PasskeyRefusal> {
        /// Client data (WebAuthn level 3 section 5.8.1); other members are allowed and ignored.
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
        // SECURITY: a page of somebody else that frames ours could lead a person through a login unseen.
        if data.cross_origin == Some(true) {
            return Err(PasskeyRefusal::CrossOrigin);
        }
        Ok(())
    }
}

/// Checks that a credential is a public key with one name only: `id` is `rawId` in canonical base64url.
fn names_itself(id: &str, raw_id: &[u8], kind: &str) -> Result<(), PasskeyRefusal> {
    // `id` and `rawId` are one value in two spellings; a difference means that two readers could take two credentials.
    let named = kind == "public-key" && (1..=Limits::CREDENTIAL_ID_BYTES_MAX).contains(&raw_id.len()) && base64url::encode(raw_id) == id;
    if named { Ok(()) } else { Err(PasskeyRefusal::CredentialMalformed) }
}

fn recall<T: DeserializeOwned>(text: &str) -> Result<T, PasskeyRefusal> {
    serde_json::from_str(text).map_err(|_| PasskeyRefusal::CeremonyBroken)
}

/// Ability of a passkey to be in several places, as its record says; one that says nothing has it.
#[must_use]
pub fn place(passkey: &StoredPasskey) -> PasskeyPlace {
    #[derive(Deserialize)]
    struct Record {
        cred: Flags,
    }
    #[derive(Deserialize)]
    struct Flags {
        backup_eligible: bool,
    }
    match recall::<Record>(&passkey.record) {
        Ok(Record { cred: Flags { backup_eligible: false } }) => PasskeyPlace::OnePlace,
        Ok(_) | Err(_) => PasskeyPlace::Copyable,
    }
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
    // The library does not show the counter, so it is read from the record's JSON.
    let counter = recall::<Record>(&record)?.cred.counter;
    Ok(StoredPasskey { credential: passkey.cred_id().clone(), record, counter })
}

/// Maps the library's errors to ours.
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
