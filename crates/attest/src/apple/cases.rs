//! Files of App Attest samples with the values that their phones are known to have sent: our shared vectors and an operator's own.
//!
//! The file is a JSON object of a `source` and a list of `samples`. A sample is an attestation, an assertion or a receipt, with the time at
//! which it was made and everything that must come out: app, environment, key, key id, counter. This module is the pure half: the caller
//! reads the file.

use base64::{Engine, engine::general_purpose::STANDARD};
use countersign_codec::sha256;
use countersign_core::{Seconds, UnixMillis, UnixSeconds};
use countersign_proof::jwk::PublicKey;
use serde::Deserialize;

use crate::anchors::Anchors;
use crate::apple::app::AppleApp;
use crate::apple::assertion::verify_assertion;
use crate::apple::attestation::{Attestation, Claim, verify_attestation};
use crate::apple::receipt::{ReceiptAge, ReceiptEnvironment, ReceiptKind, ReceiptOf, ReceiptRefusal, verify_receipt};
use crate::apple::refusal::AppleRefusal;
use crate::apple::requirements::{Environment, Requirements};
use crate::calendar;
use crate::cases::{Agreement, CaseResult, CasesMalformed};

/// Greatest age of a receipt when it arrives; Apple advises five minutes.
const FRESH: Seconds = Seconds(300);

/// One sample as it stands in the file. Alphabetical.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Sample {
    /// A signature of an attested key.
    Assertion(AssertionSample),
    /// Apple's statement about a key.
    Attestation(AttestationSample),
    /// Apple's record of an attestation.
    Receipt(ReceiptSample),
}

/// An assertion with its known values.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AssertionSample {
    id: String,
    assertion_base64: String,
    bundle_identifier: String,
    challenge_base64: String,
    client_data_base64: String,
    client_data_hash_sha256_base64: String,
    counter: u32,
    #[serde(rename = "environment")]
    _environment: SampleEnvironment,
    key_id_base64: String,
    public_key: String,
    team_identifier: String,
    timestamp: String,
}

/// An attestation with its known values.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AttestationSample {
    id: String,
    attestation_base64: String,
    bundle_identifier: String,
    client_data_base64: String,
    client_data_hash_sha256_base64: String,
    environment: SampleEnvironment,
    #[serde(rename = "iOSVersion")]
    system_version: Option<WireVersion>,
    key_id_base64: String,
    public_key: String,
    team_identifier: String,
    timestamp: String,
}

/// A receipt with its known values. All texts are as in the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ReceiptSample {
    /// Identifier of the sample.
    pub id: String,
    /// Identifier of the sample with the attestation that the receipt is about.
    pub attestation_id: String,
    /// Bundle identifier of the app.
    pub bundle_identifier: String,
    /// Environment of the server that issued the receipt.
    pub environment: SampleEnvironment,
    /// Key id of the attested key, in base64.
    pub key_id_base64: String,
    /// Attested key, as PEM.
    pub public_key: String,
    /// Expected content of the receipt.
    pub properties: ReceiptProperties,
    /// Bytes of the receipt, in base64.
    pub receipt_base64: String,
    /// Team identifier of the app.
    pub team_identifier: String,
    /// Time of issue, by RFC 3339.
    pub timestamp: String,
}

/// Expected content of a receipt.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ReceiptProperties {
    /// Hash of the client data that was attested, in base64.
    pub client_hash_base64: String,
    /// Time at which the receipt was made, by RFC 3339.
    pub creation_time: String,
    /// Apple's word for the environment in receipts: `sandbox` or `production`.
    pub environment: String,
    /// Time at which the receipt expires, by RFC 3339.
    pub expiration_time: String,
    /// Time before which Apple gives no newer receipt, by RFC 3339.
    pub not_before: Option<String>,
    /// Number of keys that the device had attested lately.
    pub risk_metric: Option<u32>,
    /// Token by which Apple recognises the key.
    pub token: String,
    /// Event: `ATTEST` for the receipt of an attestation, `RECEIPT` for one requested later.
    #[serde(rename = "type")]
    pub kind: String,
}

/// Environment as it stands in the file. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleEnvironment {
    /// The environment for apps in development.
    Development,
    /// The environment for apps in use.
    Production,
}

/// Version of a system: a number for `14.2`, a text for `14.2.1`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum WireVersion {
    Number(serde_json::Number),
    Text(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireFile {
    #[serde(rename = "source")]
    _source: Option<String>,
    samples: Vec<Sample>,
}

/// Parses a file of samples.
///
/// # Errors
/// A refusal when the text has another format or an unknown field: a misspelt value must not count as compared.
pub fn parse(json: &str) -> Result<Vec<Sample>, CasesMalformed> {
    serde_json::from_str::<WireFile>(json).map(|file| file.samples).map_err(|why| CasesMalformed(why.to_string()))
}

impl Sample {
    /// Identifier of the sample.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Assertion(sample) => &sample.id,
            Self::Attestation(sample) => &sample.id,
            Self::Receipt(sample) => &sample.id,
        }
    }

    /// Verifies the sample at its own time, and compares all values that it states.
    #[must_use]
    pub fn run(&self, app_attest_anchors: &Anchors, receipt_anchors: &Anchors) -> CaseResult {
        let (expected, judged) = match self {
            Self::Assertion(sample) => ("asserted, as stated", sample.judge()),
            Self::Attestation(sample) => ("attested, as stated", sample.judge(app_attest_anchors)),
            Self::Receipt(sample) => ("a receipt, as stated", sample.judge(receipt_anchors)),
        };
        let (agreement, got) = match judged {
            Ok(differences) if differences.is_empty() => (Agreement::Passed, String::from(expected)),
            Ok(differences) => (Agreement::Differs, format!("accepted, but {}", differences.join("; "))),
            Err(Fault::Receipt(refusal)) => (Agreement::Differs, format!("refused: {} ({refusal})", refusal.reason())),
            Err(Fault::Refused(refusal)) => (Agreement::Differs, format!("refused: {} ({refusal})", refusal.reason())),
            Err(Fault::Sample(why)) => (Agreement::Differs, format!("a sample that cannot be judged: {why}")),
        };
        CaseResult { id: self.id().to_owned(), expected: String::from(expected), got, agreement }
    }
}

/// Reason why nothing could be compared.
enum Fault {
    /// The rules refuse the receipt.
    Receipt(ReceiptRefusal),
    /// The rules refuse the attestation or assertion.
    Refused(AppleRefusal),
    /// The sample itself has a mistake.
    Sample(String),
}

impl From<AppleRefusal> for Fault {
    fn from(refusal: AppleRefusal) -> Self {
        Self::Refused(refusal)
    }
}

impl AttestationSample {
    /// Differences between the attestation and the stated values.
    fn judge(&self, anchors: &Anchors) -> Result<Vec<String>, Fault> {
        let hash = client_data_hash(&self.client_data_base64, &self.client_data_hash_sha256_base64)?;
        let key_id = base64("keyIdBase64", &self.key_id_base64)?;
        let (environment, now) = (self.environment.read(), at(&self.timestamp)?);
        let requirements =
            Requirements { apps: vec![app(&self.team_identifier, &self.bundle_identifier)?], environments: vec![environment] };
        let stated_key = spki(&self.public_key)?;
        let attestation = Attestation::parse(&base64("attestationBase64", &self.attestation_base64)?)?;
        let claim = Claim { key_id: &key_id, client_data_hash: &hash };
        let attested = verify_attestation(&attestation, &claim, &requirements, anchors, now)?;

        let mut out = Vec::new();
        if attested.key().spki() != stated_key {
            out.push(String::from("`publicKey` is another key"));
        }
        let stated_version = self.system_version.as_ref().map(WireVersion::read);
        if attested.system_version() != stated_version {
            out.push(format!("`iOSVersion` is {:?}, expected {stated_version:?}", attested.system_version()));
        }
        Ok(out)
    }
}

impl AssertionSample {
    /// Differences between the assertion and the stated values.
    fn judge(&self) -> Result<Vec<String>, Fault> {
        let hash = client_data_hash(&self.client_data_base64, &self.client_data_hash_sha256_base64)?;
        let app = app(&self.team_identifier, &self.bundle_identifier)?;
        let point = point(&spki(&self.public_key)?)?;
        let key = PublicKey::from_p256_sec1(&point).map_err(|why| fault("publicKey", &why.to_string()))?;
        at(&self.timestamp)?;
        let asserted = verify_assertion(&base64("assertionBase64", &self.assertion_base64)?, &key, &app, &hash)?;

        let mut out = Vec::new();
        if asserted.counter() != self.counter {
            out.push(format!("`counter` is {}, expected {}", asserted.counter(), self.counter));
        }
        if sha256(&[&point]).as_slice() != base64("keyIdBase64", &self.key_id_base64)? {
            out.push(String::from("`keyIdBase64` is not the hash of `publicKey`"));
        }
        let (data, challenge) = (base64("clientDataBase64", &self.client_data_base64)?, base64("challengeBase64", &self.challenge_base64)?);
        if challenge.is_empty() || !data.windows(challenge.len()).any(|window| window == challenge) {
            out.push(String::from("`clientDataBase64` does not hold `challengeBase64`"));
        }
        Ok(out)
    }
}

impl ReceiptSample {
    /// Differences between the receipt and the stated values.
    fn judge(&self, anchors: &Anchors) -> Result<Vec<String>, Fault> {
        let stated = &self.properties;
        let app = app(&self.team_identifier, &self.bundle_identifier)?.to_string();
        let key = spki(&self.public_key)?;
        let expected = ReceiptOf { app_id: &app, key_spki: &key, age: ReceiptAge::FreshWithin(FRESH) };
        let receipt = verify_receipt(&base64("receiptBase64", &self.receipt_base64)?, &expected, anchors, at(&self.timestamp)?)
            .map_err(Fault::Receipt)?;

        let mut out = Vec::new();
        let mut differs = |name: &str, same: bool| {
            if !same {
                out.push(format!("`{name}` is not as stated"));
            }
        };
        let kind = match receipt.kind() {
            ReceiptKind::Attest => "ATTEST",
            ReceiptKind::Receipt => "RECEIPT",
        };
        let environment = receipt.environment().and_then(|environment| match environment {
            ReceiptEnvironment::Other => None,
            ReceiptEnvironment::Production => Some("production"),
            ReceiptEnvironment::Sandbox => Some("sandbox"),
        });
        let token = stated.token.as_bytes();
        differs("keyIdBase64", sha256(&[&point(&key)?]).as_slice() == base64("keyIdBase64", &self.key_id_base64)?);
        differs("clientHashBase64", receipt.client_hash() == Some(&base64("clientHashBase64", &stated.client_hash_base64)?));
        differs("creationTime", receipt.created_at() == instant("creationTime", &stated.creation_time)?);
        differs("environment", environment == Some(stated.environment.as_str()));
        differs("expirationTime", receipt.expires_at() == instant("expirationTime", &stated.expiration_time)?);
        let not_before = stated.not_before.as_deref().map(|text| instant("notBefore", text)).transpose()?;
        differs("notBefore", receipt.not_before() == not_before);
        differs("riskMetric", receipt.risk_metric() == stated.risk_metric);
        differs("token", receipt.token().is_some_and(|found| found.expose().as_slice() == token));
        differs("type", kind == stated.kind);
        Ok(out)
    }
}

impl SampleEnvironment {
    const fn read(self) -> Environment {
        match self {
            Self::Development => Environment::Development,
            Self::Production => Environment::Production,
        }
    }
}

impl WireVersion {
    fn read(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// The stated hash, after checking that it is the hash of the stated client data.
fn client_data_hash(data: &str, hash: &str) -> Result<[u8; 32], Fault> {
    let computed = sha256(&[&base64("clientDataBase64", data)?]);
    if base64("clientDataHashSha256Base64", hash)? == computed {
        Ok(computed)
    } else {
        Err(fault("clientDataHashSha256Base64", "is not the hash of `clientDataBase64`"))
    }
}

fn app(team: &str, bundle: &str) -> Result<AppleApp, Fault> {
    AppleApp::parse(&format!("{team}.{bundle}")).map_err(|why| Fault::Sample(why.to_string()))
}

fn at(timestamp: &str) -> Result<UnixSeconds, Fault> {
    instant("timestamp", timestamp).map(UnixMillis::seconds)
}

fn instant(field: &str, text: &str) -> Result<UnixMillis, Fault> {
    calendar::read(text).ok_or_else(|| fault(field, "is no instant by RFC 3339"))
}

/// The `SubjectPublicKeyInfo` in a PEM text (RFC 7468 section 13).
fn spki(pem: &str) -> Result<Vec<u8>, Fault> {
    match der::pem::decode_vec(pem.as_bytes()) {
        Ok(("PUBLIC KEY", der)) => Ok(der),
        Ok(_) | Err(_) => Err(fault("publicKey", "is no public key in PEM")),
    }
}

/// The point of a P-256 key: the last 65 bytes, after a head that is the same for all such keys (RFC 5480 section 2).
fn point(spki: &[u8]) -> Result<Vec<u8>, Fault> {
    let point = spki.strip_prefix(P256_HEAD).filter(|point| point.len() == 65);
    point.map(<[u8]>::to_vec).ok_or_else(|| fault("publicKey", "is no P-256 key"))
}

/// DER of `SEQUENCE { SEQUENCE { id-ecPublicKey, secp256r1 }, BIT STRING` up to the first byte of the point.
const P256_HEAD: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01,
    0x07, 0x03, 0x42, 0x00,
];

fn base64(field: &str, text: &str) -> Result<Vec<u8>, Fault> {
    STANDARD.decode(text).map_err(|_| fault(field, "is no base64"))
}

fn fault(field: &str, what: &str) -> Fault {
    Fault::Sample(format!("`{field}` {what}"))
}
