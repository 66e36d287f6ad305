//! Evidence as phones send it, and what it proves: the one place where the issuer meets `attest`.

use base64::{Engine, engine::general_purpose::STANDARD};
use countersign_attest::{
    anchors::Anchors,
    android::{Chain, Provisioning, RawChain, verify},
    apple::{self, Attestation, Attested, Claim, ReceiptAge, ReceiptOf, verify_assertion, verify_attestation, verify_receipt},
    binding::{Purpose, bound_challenge},
    play::{self, PlayRefusal, Verdict},
};
use countersign_codec::sha256;
use countersign_compliance::Voucher;
use countersign_core::{
    CounterWindow, DeviceId, Limits, Platform, Posture, Reason, RiskMetric, SerialDigest, Thumbprint, UnixSeconds, VendorVerdict,
};
use countersign_proof::jwk::PublicKey;
use countersign_store::{ChallengeId, Device, VouchingKey};
use metrics::counter;
use serde::Deserialize;

use crate::{
    refusal::Refusal,
    state::{App, DeviceTrust, PlayReader},
};

/// Platform that a phone states; its evidence has to be of that platform.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PlatformWire {
    Android,
    Ios,
}

impl PlatformWire {
    /// Name of a phone to which nobody gave one.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Android => "Android",
            Self::Ios => "iPhone",
        }
    }

    /// Same platform in the words of the posture.
    pub const fn platform(self) -> Platform {
        match self {
            Self::Android => Platform::Android,
            Self::Ios => Platform::Ios,
        }
    }
}

/// Evidence for a device key that is to be enrolled, as it was sent: standard base64, as the platforms' own tools write it.
pub(crate) enum EvidenceWire {
    /// Key Attestation of the device key itself, its own certificate first.
    Android { chain: Vec<String> },
    /// App Attest of another key, which vouches for the device key.
    Apple { key_id: String, attestation: String },
}

impl EvidenceWire {
    /// Decodes the evidence within the limits of its vendor.
    pub fn decode(&self) -> Result<Evidence, Refusal> {
        match self {
            Self::Android { chain } => Ok(Evidence::Android(read_chain(chain)?)),
            Self::Apple { key_id, attestation } => Ok(Evidence::Apple {
                key_id: decode(key_id, Limits::APP_ATTEST_KEY_ID_BYTES_MAX)?,
                attestation: decode(attestation, Limits::APP_ATTEST_BYTES_MAX)?,
            }),
        }
    }
}

/// Evidence for a device key that is to be enrolled.
pub(crate) enum Evidence {
    /// Key Attestation of the device key itself.
    Android(RawChain),
    /// App Attest of another key, which vouches for the device key.
    Apple { key_id: Vec<u8>, attestation: Vec<u8> },
}

/// Device for which evidence is given: its id here, and the key that signed the request.
#[derive(Clone)]
pub(crate) struct Claimant<'a> {
    pub id: DeviceId,
    pub key: &'a Thumbprint,
    pub app: &'a App,
    /// App's names and requirements, from the registry.
    pub required: &'a countersign_compliance::App,
}

/// Facts that a voucher proves.
pub(crate) struct Vouched {
    pub posture: Posture,
    /// Key that vouches; `None` when the device key was attested itself.
    pub vouching: Option<VouchingKey>,
    /// Certificate that vouched, by which enrolments are counted.
    pub voucher: Voucher,
}

impl Evidence {
    /// Verifies the evidence for the device whose key signed this request.
    pub fn verify(self, trust: &DeviceTrust, device: Claimant<'_>, challenge: &ChallengeId, now: UnixSeconds) -> Result<Vouched, Refusal> {
        let Claimant { id, key, app, required: _ } = device;
        match self {
            Self::Android(chain) => {
                let evidence = verify(&Chain::parse(&chain)?, &trust.android, &app.android, &challenge.0, now)?;
                if evidence.device_key()?.thumbprint() != key {
                    return Err(Reason::AttestationKeyMismatch.into());
                }
                let posture = evidence.posture(id, *key, now);
                let voucher = voucher(evidence.provisioning(), &posture);
                Ok(Vouched { posture, vouching: None, voucher })
            }
            Self::Apple { key_id, attestation } => {
                let requirements = app.ios.as_ref().ok_or(Reason::AppUnknown)?;
                app.app_attest_quota.room(now)?;
                let hash = bound_challenge(Purpose::Enrol, &challenge.0, key);
                let attestation = Attestation::parse(&attestation)?;
                let claim = Claim { key_id: &key_id, client_data_hash: &hash };
                let attested = verify_attestation(&attestation, &claim, requirements, &trust.apple, now)?;
                app.app_attest_quota.count(now);
                note_unknown(attested.launch().unknown());
                let posture = Posture {
                    app: Some(attested.app().bundle().clone()),
                    os_version: attested.system_version().as_deref().and_then(apple::os_version),
                    ..apple::posture(id, *key, now)
                };
                let (receipt, risk_metric) = receipt(&attested, &trust.receipts, now);
                let vouching = VouchingKey { jwk: attested.public_key().to_jwk(), counters: CounterWindow::FRESH, receipt };
                Ok(Vouched { posture: Posture { risk_metric, ..posture }, vouching: Some(vouching), voucher: Voucher::Nothing })
            }
        }
    }
}

/// Counts evidence that a newer system than this version knows added to, so that an operator sees it with the first beta. The names are not
/// labels, since a phone's owner chooses how many there are; the log has them, and `attest inspect`.
fn note_unknown(extensions: &[String]) {
    if !extensions.is_empty() {
        counter!("countersign_app_attest_unknown_total").increment(1);
        tracing::info!(?extensions, "App Attest evidence had extensions that this version does not know; they were passed over");
    }
}

/// Names the phone, or its batch, by the certificate with which it attests its keys: the second of the chain.
fn voucher(provisioning: &Provisioning, posture: &Posture) -> Voucher {
    let Some(SerialDigest(serial)) = posture.certificates.get(1) else { return Voucher::Nothing };
    let digest = sha256(&[serial]);
    match provisioning {
        Provisioning::Remote { .. } => Voucher::Phone(digest),
        // Software says nothing of itself that could be believed, and so counts like many phones.
        Provisioning::Factory | Provisioning::Unknown => Voucher::Batch(digest),
    }
}

/// Reads Apple's receipt and its count, if the receipt verifies. Without one the key is attested all the same; the requirements say what a
/// missing count means.
fn receipt(attested: &Attested, anchors: &Anchors, now: UnixSeconds) -> (Option<Vec<u8>>, Option<RiskMetric>) {
    let app_id = attested.app().to_string();
    let expected = ReceiptOf { app_id: &app_id, key_spki: attested.key().spki(), age: ReceiptAge::FreshWithin(Limits::RECEIPT_AGE_MAX) };
    match verify_receipt(attested.receipt(), &expected, anchors, now) {
        Ok(receipt) => {
            let metric = receipt.risk_metric().map(|count| RiskMetric { count, at: receipt.created_at().seconds() });
            (Some(attested.receipt().to_vec()), metric)
        }
        Err(refusal) => {
            counter!("countersign_receipts_refused_total", "reason" => refusal.reason().code().to_owned()).increment(1);
            tracing::info!(%refusal, "an App Attest receipt was rejected");
            (None, None)
        }
    }
}

/// Verifies an assertion of a known App Attest key: the same app on the same phone, now. Returns the assertion's counter too, which the
/// store takes or refuses.
pub fn asserted(app: &App, device: &Device, assertion: &str, challenge: &ChallengeId, now: UnixSeconds) -> Result<(Posture, u32), Refusal> {
    let (Some(requirements), Some(vouching)) = (&app.ios, &device.vouching) else { return Err(Reason::BodyFieldInvalid.into()) };
    let posture = &device.posture;
    let key = PublicKey::from_jwk(&vouching.jwk).map_err(|_| Refusal::because(Reason::Internal, "a kept key".to_owned()))?;
    let ours = requirements.apps.iter().find(|app| posture.app.as_ref() == Some(app.bundle())).ok_or(Reason::AppUnknown)?;
    let hash = bound_challenge(Purpose::Reattest, &challenge.0, &posture.key);
    let asserted = verify_assertion(&decode(assertion, Limits::APP_ATTEST_ASSERTION_BYTES_MAX)?, &key, ours, &hash)?;
    note_unknown(asserted.launch().unknown());
    let renewed =
        Posture { app: posture.app.clone(), os_version: posture.os_version, ..apple::posture(posture.device.clone(), posture.key, now) };
    Ok((renewed, asserted.counter()))
}

/// Verifies the chain of a new key for an enrolled phone: the key was made for this challenge and this device key, so that an honest app on
/// that phone speaks for its own device key.
pub(crate) fn attested_again(
    trust: &DeviceTrust,
    device: Claimant<'_>,
    chain: &[String],
    challenge: &ChallengeId,
    now: UnixSeconds,
) -> Result<Posture, Refusal> {
    let expected = bound_challenge(Purpose::Reattest, &challenge.0, device.key);
    let evidence = verify(&Chain::parse(&read_chain(chain)?)?, &trust.android, &device.app.android, &expected, now)?;
    Ok(evidence.posture(device.id, *device.key, now))
}

/// Reads Google Play's verdict about the phone, which must answer this challenge and name this device key.
pub async fn verdict(
    app: &App,
    token: &str,
    key: &Thumbprint,
    challenge: &ChallengeId,
    now: UnixSeconds,
) -> Result<VendorVerdict, Refusal> {
    let play = app.play.as_ref().ok_or(Reason::BodyFieldInvalid)?;
    let verdict = match &play.reader {
        PlayReader::Ours(keys) => Verdict::parse(play::decrypt_and_verify(token, keys)?.as_str()),
        PlayReader::Google(google) => {
            play.quota.spend(key, now)?;
            let body =
                google.decode(&play.package, token).await.map_err(|fault| Refusal::because(Reason::AttestationUnavailable, fault.what))?;
            Verdict::from_decoded(&body)
        }
    };
    let verdict = verdict.map_err(PlayRefusal::VerdictMalformed)?;
    play::verify(&verdict, play::request_hash(&challenge.0, key).as_bytes(), &play.requirements, now)?;
    Ok(verdict.facts())
}

/// Decodes a certificate chain within its limits.
fn read_chain(texts: &[String]) -> Result<RawChain, Refusal> {
    if texts.len() > Limits::CHAIN_CERTIFICATES_MAX {
        return Err(Reason::ChainBroken.into());
    }
    let mut ders = Vec::with_capacity(texts.len());
    for text in texts {
        let der = STANDARD.decode(text).map_err(|_| Refusal::new(Reason::BodyFieldInvalid))?;
        if der.len() > Limits::CERTIFICATE_BYTES_MAX {
            return Err(Reason::CertificateMalformed.into());
        }
        ders.push(der);
    }
    Ok(RawChain::from_der_list(ders)?)
}

fn decode(text: &str, bytes_max: usize) -> Result<Vec<u8>, Refusal> {
    STANDARD.decode(text).ok().filter(|bytes| bytes.len() <= bytes_max).ok_or(Refusal::new(Reason::BodyFieldInvalid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_has_the_size_that_its_parser_takes() {
        let rows = [
            (Limits::APP_ATTEST_KEY_ID_BYTES_MAX, Limits::APP_ATTEST_BYTES_MAX, true),
            (Limits::APP_ATTEST_KEY_ID_BYTES_MAX + 1, Limits::APP_ATTEST_BYTES_MAX, false),
            (Limits::APP_ATTEST_KEY_ID_BYTES_MAX, Limits::APP_ATTEST_BYTES_MAX + 1, false),
        ];
        for (key_id, attestation, fits) in rows {
            let [key_id, attestation] = [key_id, attestation].map(|length| STANDARD.encode(vec![0; length]));
            assert_eq!(EvidenceWire::Apple { key_id, attestation }.decode().is_ok(), fits);
        }
        let decoded =
            |length: usize| decode(&STANDARD.encode(vec![0; length]), Limits::APP_ATTEST_ASSERTION_BYTES_MAX).map(|bytes| bytes.len());
        assert_eq!(decoded(4096), Ok(4096));
        assert_eq!(decoded(4097).map_err(|refusal| refusal.reason), Err(Reason::BodyFieldInvalid));
    }
}
