//! The "Google" of software phones: makes tokens of Play Integrity, with keys that only the demo's app is configured with.

use anyhow::{Result, anyhow};
use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    key_wrap::{AES_256, AesKek, KeyWrap},
};
use base64::{Engine, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_core::{Entropy, UnixSeconds};
use countersign_proof::{
    jwk::{Algorithm, SigningKey},
    jws::{self, HeaderToSign, NamedBy},
};
use serde_json::{Value, json};

use crate::phone::description::SIGNER;

/// `SubjectPublicKeyInfo` of a P-256 key up to its point (RFC 5480 section 2).
const P256_HEAD: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01,
    0x07, 0x03, 0x42, 0x00,
];

/// The vendor of software phones.
pub struct DemoGoogle {
    wrapping: [u8; 32],
    signing: SigningKey,
}

/// What a verdict says; by default that all is well.
#[derive(Clone, Debug)]
pub struct Verdict<'a> {
    /// The app's package.
    pub package: &'a str,
    /// What the app asked over.
    pub request_hash: &'a str,
    /// When it asked.
    pub at: UnixSeconds,
    /// What the device fulfils.
    pub labels: &'a [&'a str],
}

impl DemoGoogle {
    /// Makes the keys. They live in memory only.
    ///
    /// # Errors
    /// When the library cannot make keys.
    pub fn new(entropy: &dyn Entropy) -> Result<Self> {
        let mut wrapping = [0; 32];
        entropy.fill(&mut wrapping);
        let (signing, _) = SigningKey::generate(Algorithm::Es256).map_err(|_| anyhow!("making a key failed"))?;
        Ok(Self { wrapping, signing })
    }

    /// Both keys as the Play Console shows them, for the app's `play_keys`.
    ///
    /// # Errors
    /// When the library does not know its own key.
    pub fn console_keys(&self) -> Result<String> {
        let point = crate::phone::chain::public_point(&self.signing)?;
        let spki = [P256_HEAD, &point].concat();
        Ok(json!({ "decryption": STANDARD.encode(self.wrapping), "verification": STANDARD.encode(spki) }).to_string())
    }

    /// A token as Google makes it: signed (ES256), then encrypted (A256KW, A256GCM; RFC 7516).
    ///
    /// # Errors
    /// When the library cannot sign or encrypt.
    pub fn token(&self, verdict: &Verdict<'_>, entropy: &dyn Entropy) -> Result<String> {
        let header = HeaderToSign { typ: "JWT", key: NamedBy::Nothing };
        let signed = jws::sign(&self.signing, header, payload(verdict).to_string().as_bytes()).map_err(|_| anyhow!("signing failed"))?;
        let (mut content_key, mut iv) = ([0; 32], [0; 12]);
        entropy.fill(&mut content_key);
        entropy.fill(&mut iv);
        let kek = AesKek::new(&AES_256, &self.wrapping).map_err(|_| anyhow!("a key of 32 bytes"))?;
        let mut wrapped = [0; 40];
        let wrapped = kek.wrap(&content_key, &mut wrapped).map_err(|_| anyhow!("wrapping failed"))?;
        let protected = URL_SAFE_NO_PAD.encode(r#"{"alg":"A256KW","enc":"A256GCM"}"#);
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &content_key).map_err(|_| anyhow!("a key of 32 bytes"))?);
        let mut content = signed.into_bytes();
        let tag = key
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(iv), Aad::from(protected.as_bytes()), &mut content)
            .map_err(|_| anyhow!("encrypting failed"))?;
        let parts = [&*wrapped, &iv, &content, tag.as_ref()].map(|part| URL_SAFE_NO_PAD.encode(part));
        Ok(format!("{protected}.{}", parts.join(".")))
    }
}

fn payload(verdict: &Verdict<'_>) -> Value {
    json!({
        "requestDetails": {
            "requestPackageName": verdict.package, "requestHash": verdict.request_hash,
            "timestampMillis": verdict.at.0.saturating_mul(1000).to_string(),
        },
        "appIntegrity": {
            "appRecognitionVerdict": "PLAY_RECOGNIZED", "packageName": verdict.package,
            "certificateSha256Digest": [URL_SAFE_NO_PAD.encode(SIGNER)], "versionCode": "42",
        },
        "deviceIntegrity": { "deviceRecognitionVerdict": verdict.labels },
        "accountDetails": { "appLicensingVerdict": "LICENSED" },
    })
}
