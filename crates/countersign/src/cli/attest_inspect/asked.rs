//! What is inspected, and by what it is judged.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail};
use base64::{Engine, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use clap::Args;
use countersign_attest::anchors::{Anchors, Purpose};
use countersign_codec::sha256;
use countersign_core::{Clock, UnixSeconds};
use countersign_proof::jwk::PublicKey;

use countersign_node::{SystemClock, settings::trust};

/// The evidence, and by what it is judged.
#[derive(Args, Debug)]
pub struct InspectArgs {
    /// File with the evidence: an Android chain, an App Attest attestation, assertion or receipt, a Play Integrity token or its
    /// decoded payload, or a posture report. The kind is recognised by the content. Binary evidence can be in base64.
    pub file: PathBuf,
    /// Judge the evidence as of this time, in seconds since 1970; by default now.
    #[arg(long, value_name = "SECONDS")]
    at: Option<u64>,
    /// Expected challenge: for a chain its challenge in base64; for App Attest the client data, or their hash of 32 bytes, in base64;
    /// for a Play token the request hash or nonce. Without this option the challenge is not checked.
    #[arg(long, value_name = "BASE64")]
    pub challenge: Option<String>,
    /// Expected app: `TEAMID1234.com.example.app` for Apple, the package name for Android.
    #[arg(long, value_name = "APP")]
    pub app: Option<String>,
    /// Directory of PEM files with trust anchors; by default the vendors' root certificates.
    #[arg(long, value_name = "DIR")]
    anchors: Option<PathBuf>,
    /// File with the public key that should have signed the assertion or report: a JWK, or PEM.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// File with the Play Console's keys for decrypting a token: `{"decryption":"BASE64","verification":"BASE64"}`.
    #[arg(long, value_name = "FILE")]
    pub play_keys: Option<PathBuf>,
    /// Show which requirements of this configuration a device with this evidence would not meet.
    #[arg(long, value_name = "CONFIG.toml")]
    pub what_if: Option<PathBuf>,
}

/// Bytes of evidence that are read; the largest of a phone has a tenth of it.
const EVIDENCE_BYTES_MAX: u64 = 1024 * 1024;

/// `SEQUENCE { SEQUENCE { id-ecPublicKey, secp256r1 }, BIT STRING` up to the first byte of the point (RFC 5480 section 2).
const P256_HEAD: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01,
    0x07, 0x03, 0x42, 0x00,
];

impl InspectArgs {
    /// The evidence as it stands in the file.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        let reading = || format!("reading `{}`", self.file.display());
        if fs::metadata(&self.file).with_context(reading)?.len() > EVIDENCE_BYTES_MAX {
            bail!("`{}` is larger than one megabyte, so it cannot be evidence; give another file", self.file.display());
        }
        fs::read(&self.file).with_context(reading)
    }

    /// As of when it is judged.
    pub fn now(&self) -> UnixSeconds {
        self.at.map_or_else(|| SystemClock.now().seconds(), UnixSeconds)
    }

    /// The challenge as bytes.
    pub fn challenge_bytes(&self) -> Result<Option<Vec<u8>>> {
        self.challenge.as_deref().map(|text| base64(text).context("`--challenge` is not base64")).transpose()
    }

    /// The hash of the client data that App Attest signs: the challenge itself when it has the length of one.
    pub fn client_data_hash(&self) -> Result<Option<[u8; 32]>> {
        let hash = |bytes: Vec<u8>| <[u8; 32]>::try_from(bytes).unwrap_or_else(|bytes| sha256(&[&bytes]));
        Ok(self.challenge_bytes()?.map(hash))
    }

    /// The anchors of `--anchors` for this purpose, or else those that are shipped.
    pub fn anchors(&self, purpose: Purpose) -> Result<Anchors> {
        if let Some(directory) = &self.anchors {
            return anchors_of(directory, purpose);
        }
        let shipped = match purpose {
            Purpose::AndroidHardware => Anchors::google(),
            Purpose::AndroidSoftware => Anchors::android_software(),
            Purpose::AppAttest => Anchors::apple_app_attest(),
            Purpose::AppAttestReceipt => Anchors::apple_receipt(),
        };
        shipped.context("reading the built-in trust anchors")
    }

    /// The key of `--key`.
    pub fn key(&self) -> Result<Option<PublicKey>> {
        let Some(file) = &self.key else { return Ok(None) };
        let text = fs::read_to_string(file).with_context(|| format!("reading `{}`", file.display()))?;
        public_key(&text).map(Some).with_context(|| format!("`{}` is not a P-256 public key; give a JWK or PEM", file.display()))
    }
}

fn public_key(text: &str) -> Result<PublicKey> {
    if text.trim_start().starts_with('{') {
        return PublicKey::from_jwk(text.trim()).map_err(|why| anyhow!("{why}"));
    }
    let spki = base64(&text.lines().filter(|line| !line.starts_with("-----")).collect::<String>())?;
    let point = spki.strip_prefix(P256_HEAD).context("not a `SubjectPublicKeyInfo` of P-256")?;
    PublicKey::from_p256_sec1(point).map_err(|why| anyhow!("{why}"))
}

fn anchors_of(directory: &Path, purpose: Purpose) -> Result<Anchors> {
    let mut all = Anchors::none();
    let entries = fs::read_dir(directory).with_context(|| format!("reading `{}`", directory.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "pem") {
            all = all.and(trust::anchors(&path, purpose).map_err(|why| anyhow!("`{}`: {why}", path.display()))?);
        }
    }
    if all.iter().next().is_none() {
        bail!("`{}` contains no PEM file with a certificate; give another directory", directory.display());
    }
    Ok(all)
}

/// Reads base64 of either alphabet.
pub fn base64(text: &str) -> Result<Vec<u8>> {
    STANDARD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text.trim_end_matches('='))).context("not base64")
}
