//! Phones: keys with a maker who vouches for them, proofs, and a passkey in a soft authenticator that we did not write.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use countersign_attest::android::{
    self, ApplicationId, Authorization, AuthorizationList, KeyDescription, Origin, Package, RootOfTrust, Tag, Value as Said,
};
use countersign_core::{BootState, ProofId, Secret, SecurityLevel, UnixSeconds};
use countersign_identity::CodeChallenge;
use countersign_proof::{
    access_token::hash_text,
    delegation::{self, DelegationToMake, GrantHash},
    dpop::{self, ProofToMake},
    jwk::{Algorithm, SigningKey},
    target::Target,
};
use http::Request;
use passkey::{
    authenticator::{Authenticator, UiHint, UserCheck, UserValidationMethod},
    client::{Client, DefaultClientData},
    crypto::aws_lc_rs::AwsLcRsBackend,
    types::{
        Passkey,
        ctap2::{Aaguid, Ctap2Error},
    },
};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CustomExtension, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SerialNumber, date_time_ymd,
};
use serde_json::{Value, json};

use crate::world::{APP, Answer, ORIGIN, SIGNER, World};

pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// Makes phones and vouches for their keys.
pub struct Maker {
    root: (Certificate, CertificateParams, KeyPair),
    tee: (Certificate, CertificateParams, KeyPair),
}

/// What a phone's hardware says; each field is something to lie about.
#[derive(Clone)]
pub struct Says {
    pub package: String,
    pub locked: bool,
    pub boot: BootState,
    pub level: SecurityLevel,
}

impl Says {
    pub fn truth() -> Self {
        Self { package: APP.to_owned(), locked: true, boot: BootState::Verified, level: SecurityLevel::TrustedEnvironment }
    }
}

impl Maker {
    pub fn new() -> Self {
        let root = authority("Test phones", 1, None);
        let tee = authority("Test TEE", 2, Some(&root));
        Self { root, tee }
    }

    pub fn root_pem(&self) -> String {
        self.root.0.pem()
    }

    /// A chain for `key`, leaf first, as the door takes it.
    pub fn attest(&self, says: &Says, key: &KeyPair, challenge: &[u8]) -> Vec<String> {
        let mut leaf = named("Android Keystore Key", 1);
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.custom_extensions.push(CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 11129, 2, 1, 17], description(says, challenge)));
        let leaf = leaf.signed_by(key, &Issuer::from_params(&self.tee.1, &self.tee.2)).expect("a leaf");
        [&leaf, &self.tee.0, &self.root.0].map(|certificate| STANDARD.encode(certificate.der())).to_vec()
    }
}

fn description(says: &Says, challenge: &[u8]) -> Vec<u8> {
    let list = |entries: Vec<(Tag, Said)>| {
        AuthorizationList::new(entries.into_iter().map(|(tag, value)| Authorization { tag, value }).collect()).expect("a list")
    };
    let app = ApplicationId { packages: vec![Package { name: says.package.clone(), version: 7 }], signers: vec![SIGNER.to_vec()] };
    let root = RootOfTrust {
        verified_boot_key: vec![9; 32],
        device_locked: says.locked,
        verified_boot_state: says.boot,
        verified_boot_hash: Some(vec![8; 32]),
    };
    android::encode(&KeyDescription {
        attestation_version: 300,
        attestation_security_level: says.level,
        key_mint_version: 300,
        key_mint_security_level: says.level,
        challenge: challenge.to_vec(),
        unique_id: Vec::new(),
        software_enforced: list(vec![(Tag::AttestationApplicationId, Said::Application(app))]),
        hardware_enforced: list(vec![
            (Tag::Purpose, Said::Integers(vec![2])),
            (Tag::Origin, Said::Origin(Origin::Generated)),
            (Tag::RootOfTrust, Said::RootOfTrust(root)),
            (Tag::OsVersion, Said::Integer(160_000)),
            (Tag::OsPatchLevel, Said::Integer(202_610)),
        ]),
    })
    .expect("a description")
}

fn named(name: &str, serial: u64) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from(serial));
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2060, 1, 1);
    params
}

fn authority(name: &str, serial: u64, by: Option<&(Certificate, CertificateParams, KeyPair)>) -> (Certificate, CertificateParams, KeyPair) {
    let mut params = named(name, serial);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
    let certificate = match by {
        None => params.self_signed(&key),
        Some((_, issuer, issuer_key)) => params.signed_by(&key, &Issuer::from_params(issuer, issuer_key)),
    };
    (certificate.expect("a certificate"), params, key)
}

struct WillingPerson;

#[async_trait::async_trait]
impl UserValidationMethod for WillingPerson {
    type PasskeyItem = Passkey;

    async fn check_user<'a>(&self, _: UiHint<'a, Passkey>, _: bool, _: bool) -> Result<UserCheck, Ctap2Error> {
        Ok(UserCheck { presence: true, verification: true })
    }

    fn is_verification_enabled(&self) -> Option<bool> {
        Some(true)
    }

    fn is_presence_enabled(&self) -> bool {
        true
    }
}

fn authenticator(kept: Option<Passkey>) -> Authenticator<Option<Passkey>, WillingPerson, AwsLcRsBackend> {
    let mut made = Authenticator::new(Aaguid::new_empty(), kept, WillingPerson, AwsLcRsBackend);
    made.set_make_credentials_with_signature_counter(true);
    made
}

/// A phone with one app, one passkey and a clock.
pub struct Phone {
    pub device_key: SigningKey,
    pub hardware: KeyPair,
    pub request_key: SigningKey,
    pub passkey: Option<Passkey>,
    pub clock_error: i64,
    /// Nonce that every proof carries, an empty one for none; without it each has a fresh one of its key.
    pub nonce: Option<String>,
}

pub fn fresh_key() -> SigningKey {
    SigningKey::generate(Algorithm::Es256).expect("a key").0
}

impl Phone {
    pub fn new() -> Self {
        let hardware = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
        let device_key = SigningKey::from_pkcs8(Algorithm::Es256, &Secret::new(hardware.serialize_der())).expect("a key");
        Self { device_key, hardware, request_key: fresh_key(), passkey: None, clock_error: 0, nonce: None }
    }

    fn time(&self, world: &World) -> UnixSeconds {
        UnixSeconds(world.now().0.saturating_add_signed(self.clock_error))
    }

    /// The same keys in other hands.
    pub fn twin(&self) -> Self {
        let device_key = SigningKey::from_pkcs8(Algorithm::Es256, &Secret::new(self.hardware.serialize_der())).expect("a key");
        Self { device_key, ..Self::new() }
    }

    /// The nonce of the next proof, for the key `holder`.
    fn nonce_of(&self, world: &World, holder: &SigningKey) -> Option<String> {
        let given = self.nonce.clone().unwrap_or_else(|| world.issuer.access.nonces.issue(holder.public().thumbprint(), world.now()));
        Some(given).filter(|nonce| !nonce.is_empty())
    }

    pub fn proof(&self, world: &World, key: &SigningKey, path: &str) -> String {
        self.proof_with(world, key, path, key)
    }

    /// A proof by `key` with a nonce of `holder`.
    pub fn proof_with(&self, world: &World, key: &SigningKey, path: &str, holder: &SigningKey) -> String {
        let nonce = self.nonce_of(world, holder);
        let target = Target::parse(&format!("{ORIGIN}{path}")).expect("a target");
        let id = proof_id();
        let to_make = ProofToMake {
            method: "POST",
            target: &target,
            token_hash: None,
            nonce: nonce.as_deref(),
            id: &id,
            issued_at: self.time(world),
        };
        dpop::make(key, &to_make).expect("a proof")
    }

    pub fn json(&self, world: &World, path: &str, body: &Value) -> Request<Body> {
        post(path, "application/json")
            .header("dpop", self.proof(world, &self.device_key, path))
            .body(Body::from(body.to_string()))
            .expect("a request")
    }

    pub async fn ask(&self, world: &World, path: &str, body: &Value) -> Answer {
        world.send(self.json(world, path, body)).await
    }

    pub async fn challenge(&self, world: &World) -> Vec<u8> {
        let body = json!({ "client_id": APP });
        let request = post("/countersign/v1/challenge", "application/json").body(Body::from(body.to_string()));
        let answer = world.send(request.expect("a request")).await;
        URL_SAFE_NO_PAD.decode(answer.text("challenge")).expect("a challenge")
    }

    pub async fn enrol(&self, world: &World, says: &Says) -> Answer {
        let challenge = self.challenge(world).await;
        let chain = world.maker.attest(says, &self.hardware, &challenge);
        self.ask(world, "/countersign/v1/devices", &enrolment(&chain, &challenge)).await
    }

    pub async fn start_registration(&self, world: &World, name: &str, invitation: Option<&str>) -> Answer {
        let mut body = json!({ "client_id": APP, "name": name });
        if let Some(code) = invitation {
            body["invitation"] = json!(code);
        }
        self.ask(world, "/countersign/v1/registration/start", &body).await
    }

    pub async fn make_passkey(&mut self, started: &Answer) -> Value {
        let options = serde_json::from_value(json!({ "publicKey": started.json()["options"] })).expect("options");
        let mut client = Client::new(authenticator(self.passkey.clone()));
        let made = client.register(&origin(), options, DefaultClientData).await.expect("a passkey");
        self.passkey.clone_from(client.authenticator().store());
        json!({ "ceremony": started.text("ceremony"), "credential": made })
    }

    pub async fn register(&mut self, world: &World, name: &str, invitation: Option<&str>) -> Answer {
        let started = self.start_registration(world, name, invitation).await;
        let body = self.make_passkey(&started).await;
        self.ask(world, "/countersign/v1/registration/finish", &body).await
    }

    pub async fn start_login(&self, world: &World) -> Answer {
        self.ask(world, "/countersign/v1/login/start", &login()).await
    }

    pub async fn use_passkey(&mut self, started: &Answer) -> Value {
        let options = serde_json::from_value(json!({ "publicKey": started.json()["options"] })).expect("options");
        let mut client = Client::new(authenticator(self.passkey.clone()));
        let made = client.authenticate(&origin(), options, DefaultClientData).await.expect("an assertion");
        self.passkey.clone_from(client.authenticator().store());
        json!({ "ceremony": started.text("ceremony"), "credential": made })
    }

    pub async fn log_in(&mut self, world: &World) -> Answer {
        let started = self.start_login(world).await;
        let body = self.use_passkey(&started).await;
        self.ask(world, "/countersign/v1/login/finish", &body).await
    }

    /// A token request with a request key that the device key names.
    pub fn token_request(&self, world: &World, form: &[(&str, &str)]) -> Request<Body> {
        let path = "/countersign/v1/token";
        let grant = form.iter().find(|(name, _)| ["code", "refresh_token"].contains(name)).map_or("", |(_, value)| value);
        let named = self.delegation(world, grant);
        post(path, "application/x-www-form-urlencoded")
            .header("dpop", self.proof_with(world, &self.request_key, path, &self.device_key))
            .header("countersign-delegation", named)
            .body(Body::from(encoded(form)))
            .expect("a request")
    }

    pub fn delegation(&self, world: &World, grant: &str) -> String {
        let target = Target::parse(&format!("{ORIGIN}/countersign/v1/token")).expect("a target");
        let (id, grant) = (proof_id(), GrantHash::of(&Secret::new(grant.to_owned())));
        let nonce = self.nonce_of(world, &self.device_key);
        let to_make = DelegationToMake {
            request_key: self.request_key.public().thumbprint(),
            target: &target,
            grant: &grant,
            nonce: nonce.as_deref(),
            id: &id,
            issued_at: self.time(world),
        };
        delegation::make(&self.device_key, &to_make).expect("a delegation")
    }

    pub async fn redeem(&self, world: &World, code: &str) -> Answer {
        world.send(self.token_request(world, &code_form(code))).await
    }

    pub async fn refresh(&self, world: &World, token: &str) -> Answer {
        world.send(self.token_request(world, &refresh_form(token))).await
    }

    /// A request of the person, with their token. Without a body there is no media type either.
    pub fn person(&self, world: &World, (tokens, method): (&Answer, &str), path: &str, body: &str) -> Request<Body> {
        let token = tokens.text("access_token");
        let hash = hash_text(&token);
        let target = Target::parse(&format!("{ORIGIN}{path}")).expect("a target");
        let id = proof_id();
        let nonce = self.nonce_of(world, &self.request_key);
        let nonce = nonce.as_deref();
        let to_make = ProofToMake { method, target: &target, token_hash: Some(&hash), nonce, id: &id, issued_at: self.time(world) };
        let proof = dpop::make(&self.request_key, &to_make).expect("a proof");
        let request = Request::builder().method(method).uri(path).header("authorization", format!("DPoP {token}")).header("dpop", proof);
        let request = if body.is_empty() { request } else { request.header("content-type", "application/json") };
        request.body(Body::from(body.to_owned())).expect("a request")
    }

    /// The person's path for this phone.
    pub fn path(&self, world: &World) -> String {
        let shelf = world.memory.shelf();
        let key = self.device_key.public().thumbprint();
        let device = shelf.devices.iter().find(|device| device.posture.key == *key).expect("an enrolled phone");
        format!("/countersign/v1/me/devices/{}", device.posture.device)
    }

    /// Another phone on which the same person is signed in: the passkey is a synchronised one.
    pub async fn second(&mut self, world: &World) -> (Self, Answer) {
        let mut phone = Self { passkey: self.passkey.clone(), ..Self::new() };
        assert_eq!(phone.enrol(world, &Says::truth()).await.verdict(), "201");
        let code = phone.log_in(world).await.text("code");
        let tokens = phone.redeem(world, &code).await;
        assert_eq!(tokens.verdict(), "200", "{tokens:?}");
        self.passkey.clone_from(&phone.passkey);
        (phone, tokens)
    }

    /// As [`Self::second`], a day later: the phone is no longer new to its person.
    pub async fn second_of_yesterday(&mut self, world: &World) -> (Self, Answer) {
        let (mut phone, _) = self.second(world).await;
        world.pass(86_400);
        let code = phone.log_in(world).await.text("code");
        let tokens = phone.redeem(world, &code).await;
        assert_eq!(tokens.verdict(), "200", "{tokens:?}");
        self.passkey.clone_from(&phone.passkey);
        (phone, tokens)
    }

    pub fn revocation(&self, world: &World, token: &str) -> Request<Body> {
        let path = "/countersign/v1/revoke";
        post(path, "application/x-www-form-urlencoded")
            .header("dpop", self.proof(world, &self.device_key, path))
            .body(Body::from(encoded(&[("token", token), ("client_id", APP)])))
            .expect("a request")
    }

    /// A phone whose owner has signed in: the first token answer.
    pub async fn signed_in(world: &World) -> (Self, Answer) {
        let mut phone = Self::registered(world).await;
        let code = phone.log_in(world).await.text("code");
        let tokens = phone.redeem(world, &code).await;
        assert_eq!(tokens.verdict(), "200", "{tokens:?}");
        (phone, tokens)
    }

    /// A phone whose owner has an account.
    pub async fn registered(world: &World) -> Self {
        let mut phone = Self::new();
        let enrolled = phone.enrol(world, &Says::truth()).await;
        assert_eq!(enrolled.verdict(), "201", "{enrolled:?}");
        let made = phone.register(world, "alice", None).await;
        assert_eq!(made.verdict(), "201", "{made:?}");
        phone
    }
}

pub fn enrolment(chain: &[String], challenge: &[u8]) -> Value {
    json!({ "client_id": APP, "platform": "android", "chain": chain, "challenge": URL_SAFE_NO_PAD.encode(challenge), "name": "Pixel 10" })
}

pub fn login() -> Value {
    let challenge = CodeChallenge::of_verifier(&Secret::new(VERIFIER.to_owned())).expect("a challenge");
    json!({ "client_id": APP, "code_challenge": URL_SAFE_NO_PAD.encode(challenge.as_bytes()), "code_challenge_method": "S256" })
}

pub fn code_form(code: &str) -> [(&'static str, &str); 4] {
    [("grant_type", "authorization_code"), ("client_id", APP), ("code", code), ("code_verifier", VERIFIER)]
}

pub fn refresh_form(token: &str) -> [(&'static str, &str); 3] {
    [("grant_type", "refresh_token"), ("client_id", APP), ("refresh_token", token)]
}

pub fn encoded(form: &[(&str, &str)]) -> String {
    form.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

pub fn post(path: &str, kind: &str) -> http::request::Builder {
    Request::builder().method("POST").uri(path).header("content-type", kind)
}

fn origin() -> url::Url {
    url::Url::parse(ORIGIN).expect("an origin")
}

fn proof_id() -> ProofId {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    ProofId::parse(&format!("proof-of-the-test-{:016}", NEXT.fetch_add(1, Ordering::Relaxed))).expect("an id")
}
