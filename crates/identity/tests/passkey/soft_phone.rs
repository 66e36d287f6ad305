//! A phone with an authenticator that we did not write, around which every part of a ceremony can be bent.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_identity::CeremonyOptions;
use passkey::{
    authenticator::{Authenticator, UiHint, UserCheck, UserValidationMethod},
    crypto::aws_lc_rs::AwsLcRsBackend,
    types::{
        Passkey,
        ctap2::{Aaguid, Ctap2Error, get_assertion, make_credential},
        webauthn,
    },
};
use serde_json::{Value, json};

/// Behaviour of the person when asked for a finger.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Finger {
    Shown,
    Withheld,
}

struct Person(Finger);

#[async_trait::async_trait]
impl UserValidationMethod for Person {
    type PasskeyItem = Passkey;

    async fn check_user<'a>(&self, _: UiHint<'a, Passkey>, _: bool, _: bool) -> Result<UserCheck, Ctap2Error> {
        Ok(UserCheck { presence: true, verification: self.0 == Finger::Shown })
    }

    fn is_verification_enabled(&self) -> Option<bool> {
        Some(true)
    }

    fn is_presence_enabled(&self) -> bool {
        true
    }
}

/// One ceremony on one phone; each field is something that an attacker may bend.
#[derive(Clone)]
pub struct SoftPhone {
    pub origin: String,
    pub rp_id: String,
    pub finger: Finger,
    pub cross_origin: Option<bool>,
    pub register_type: &'static str,
    pub login_type: &'static str,
    pub counter: bool,
    pub kept: Option<Passkey>,
}

impl SoftPhone {
    pub fn at(origin: &str, rp_id: &str) -> Self {
        Self {
            origin: origin.to_owned(),
            rp_id: rp_id.to_owned(),
            finger: Finger::Shown,
            cross_origin: Some(false),
            register_type: "webauthn.create",
            login_type: "webauthn.get",
            counter: true,
            kept: None,
        }
    }

    fn client_data(&self, kind: &str, challenge: &Value) -> (String, Vec<u8>) {
        static SALT: AtomicU64 = AtomicU64::new(0);
        let mut data = json!({
            "type": kind, "challenge": challenge, "origin": self.origin, "salt": SALT.fetch_add(1, Ordering::Relaxed),
        });
        if let Some(cross_origin) = self.cross_origin {
            data["crossOrigin"] = json!(cross_origin);
        }
        let text = data.to_string();
        let hash = digest::digest(&digest::SHA256, text.as_bytes()).as_ref().to_vec();
        (URL_SAFE_NO_PAD.encode(text), hash)
    }

    fn authenticator(&self) -> Authenticator<Option<Passkey>, Person, AwsLcRsBackend> {
        let mut made = Authenticator::new(Aaguid::new_empty(), self.kept.clone(), Person(self.finger), AwsLcRsBackend);
        made.set_make_credentials_with_signature_counter(self.counter);
        made
    }

    pub async fn register(&mut self, options: CeremonyOptions) -> Value {
        let options = options.into_json();
        let (client_data, hash) = self.client_data(self.register_type, &options["challenge"]);
        let mut authenticator = self.authenticator();
        let made = authenticator
            .make_credential(make_credential::Request {
                client_data_hash: hash.into(),
                rp: make_credential::PublicKeyCredentialRpEntity { id: self.rp_id.clone(), name: None },
                user: serde_json::from_value(options["user"].clone()).expect("a user"),
                pub_key_cred_params: serde_json::from_value(options["pubKeyCredParams"].clone()).expect("parameters"),
                exclude_list: None,
                extensions: None,
                options: make_credential::Options { rk: true, up: true, uv: self.finger == Finger::Shown },
                pin_auth: None,
                pin_protocol: None,
            })
            .await
            .expect("a new credential");
        self.kept.clone_from(authenticator.store());
        let id = self.kept.as_ref().expect("kept").credential_id.to_vec();
        json!({
            "id": URL_SAFE_NO_PAD.encode(&id), "rawId": URL_SAFE_NO_PAD.encode(&id), "type": "public-key",
            "response": {
                "clientDataJSON": client_data,
                "attestationObject": URL_SAFE_NO_PAD.encode(made.as_webauthn_bytes().to_vec()),
            },
            "clientExtensionResults": { "credProps": { "rk": true } },
        })
    }

    pub async fn log_in(&mut self, options: CeremonyOptions) -> Value {
        let options = options.into_json();
        let (client_data, hash) = self.client_data(self.login_type, &options["challenge"]);
        let mut authenticator = self.authenticator();
        let made = authenticator
            .get_assertion(get_assertion::Request {
                rp_id: self.rp_id.clone(),
                client_data_hash: hash.into(),
                allow_list: options.get("allowCredentials").cloned().and_then(|list| serde_json::from_value(list).expect("a list")),
                extensions: None,
                options: get_assertion::Options { up: true, uv: self.finger == Finger::Shown },
                pin_auth: None,
                pin_protocol: None,
            })
            .await
            .expect("an assertion");
        self.kept.clone_from(authenticator.store());
        let id = made.credential.expect("a credential").id;
        json!({
            "id": URL_SAFE_NO_PAD.encode(&*id), "rawId": URL_SAFE_NO_PAD.encode(&*id), "type": "public-key",
            "response": {
                "clientDataJSON": client_data,
                "authenticatorData": URL_SAFE_NO_PAD.encode(made.auth_data.to_vec()),
                "signature": URL_SAFE_NO_PAD.encode(&*made.signature),
                "userHandle": made.user.map(|user| URL_SAFE_NO_PAD.encode(&*user.id)),
            },
            "clientExtensionResults": {},
        })
    }
}

/// The options as the foreign client's own types read them.
pub fn as_creation_options(options: CeremonyOptions) -> webauthn::CredentialCreationOptions {
    serde_json::from_value(json!({ "publicKey": options.into_json() })).expect("creation options")
}

/// The options as the foreign client's own types read them.
pub fn as_request_options(options: CeremonyOptions) -> webauthn::CredentialRequestOptions {
    serde_json::from_value(json!({ "publicKey": options.into_json() })).expect("request options")
}

/// A foreign client with a willing person.
pub fn foreign_authenticator(
    kept: Option<Passkey>,
) -> Authenticator<Option<Passkey>, impl UserValidationMethod<PasskeyItem = Passkey> + Sync, AwsLcRsBackend> {
    Authenticator::new(Aaguid::new_empty(), kept, Person(Finger::Shown), AwsLcRsBackend)
}
