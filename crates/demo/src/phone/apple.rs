//! The "Secure Enclave" of software iPhones: an authority that says of a key what Apple's App Attest would say.
//!
//! Only the demo trusts it. The bytes are those of <https://developer.apple.com/documentation/devicecheck>: CBOR around a chain
//! and authenticator data, and assertions that count.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use countersign_attest::apple::{AppleApp, Environment, NONCE_EXTENSION};
use countersign_codec::sha256;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CustomExtension, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, SerialNumber, SigningKey, date_time_ymd,
};

/// The flag of authenticator data that says that a credential follows (WebAuthn section 6.1).
const ATTESTED_CREDENTIAL: u8 = 0x40;

/// The maker of software iPhones.
pub struct DemoApple {
    root: Certificate,
    intermediate: Certificate,
    params: CertificateParams,
    key: KeyPair,
}

/// A key in the enclave, with its counter. A copy of it counts on its own.
pub struct EnclaveKey {
    key: KeyPair,
    counter: AtomicU32,
}

impl DemoApple {
    /// Makes a root and an intermediate. The keys live in memory only.
    ///
    /// # Errors
    /// When the library cannot make keys.
    pub fn new() -> Result<Self> {
        let (root_key, key) = (fresh()?, fresh()?);
        let root_params = authority("Countersign software iPhones", 1);
        let root = root_params.self_signed(&root_key)?;
        let params = authority("Countersign demo App Attestation CA", 2);
        let intermediate = params.signed_by(&key, &Issuer::from_params(&root_params, &root_key))?;
        Ok(Self { root, intermediate, params, key })
    }

    /// The root, for the node's trust anchors.
    #[must_use]
    pub fn root_pem(&self) -> String {
        self.root.pem()
    }

    /// What `attestKey` gives an app: the key's id and the attestation object.
    ///
    /// # Errors
    /// When the library cannot sign.
    pub fn attest(
        &self,
        key: &EnclaveKey,
        app: &AppleApp,
        environment: Environment,
        client_data_hash: &[u8; 32],
    ) -> Result<(Vec<u8>, Vec<u8>)> {
        let point = key.key.der_bytes();
        let key_id = sha256(&[point]);
        let data =
            [&app.rp_id_hash()[..], &[ATTESTED_CREDENTIAL], &0_u32.to_be_bytes(), &environment.aaguid(), &[0, 32], &key_id, &cose(point)?]
                .concat();
        let mut leaf = named("an attested key", 3);
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.custom_extensions.push(nonce(&sha256(&[&data, client_data_hash])));
        let leaf = leaf.signed_by(&key.key, &Issuer::from_params(&self.params, &self.key))?;
        let mut out = minicbor::Encoder::new(Vec::new());
        out.map(3)?.str("fmt")?.str("apple-appattest")?.str("attStmt")?.map(2)?.str("x5c")?.array(2)?;
        out.bytes(leaf.der())?.bytes(self.intermediate.der())?.str("receipt")?.bytes(b"a receipt of the demo")?;
        out.str("authData")?.bytes(&data)?;
        Ok((key_id.to_vec(), out.into_writer()))
    }
}

impl EnclaveKey {
    /// What `generateKey` makes.
    ///
    /// # Errors
    /// When the library cannot make a key.
    pub fn new() -> Result<Self> {
        Ok(Self { key: fresh()?, counter: AtomicU32::new(0) })
    }

    /// What no enclave allows: a copy, which counts on from here.
    ///
    /// # Errors
    /// When the library cannot read its own key.
    pub fn cloned(&self) -> Result<Self> {
        Ok(Self { key: KeyPair::from_pem(&self.key.serialize_pem())?, counter: AtomicU32::new(self.counter.load(Ordering::SeqCst)) })
    }

    /// What `generateAssertion` gives an app.
    ///
    /// # Errors
    /// When the library cannot sign.
    pub fn assert(&self, app: &AppleApp, client_data_hash: &[u8; 32]) -> Result<Vec<u8>> {
        let counter = self.counter.fetch_add(1, Ordering::SeqCst).saturating_add(1);
        let data = [&app.rp_id_hash()[..], &[0], &counter.to_be_bytes()].concat();
        let signature = self.key.sign(&sha256(&[&data, client_data_hash]))?;
        let mut out = minicbor::Encoder::new(Vec::new());
        out.map(2)?.str("signature")?.bytes(&signature)?.str("authenticatorData")?.bytes(&data)?;
        Ok(out.into_writer())
    }
}

fn fresh() -> Result<KeyPair> {
    Ok(KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?)
}

fn named(name: &str, serial: u64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from(serial));
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2060, 1, 1);
    params
}

fn authority(name: &str, serial: u64) -> CertificateParams {
    let mut params = named(name, serial);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

/// The credential's key in COSE (RFC 9053 section 7.1.1).
fn cose(point: &[u8]) -> Result<Vec<u8>> {
    let (x, y) = point.get(1..).and_then(|coordinates| coordinates.split_at_checked(32)).context("a P-256 key has two coordinates")?;
    let mut out = minicbor::Encoder::new(Vec::new());
    out.map(5)?.u8(1)?.u8(2)?.u8(3)?.i8(-7)?.i8(-1)?.u8(1)?.i8(-2)?.bytes(x)?.i8(-3)?.bytes(y)?;
    Ok(out.into_writer())
}

/// `SEQUENCE { [1] OCTET STRING }`, whose lengths are all below 128.
fn nonce(nonce: &[u8; 32]) -> CustomExtension {
    let oid: Vec<_> = NONCE_EXTENSION.arcs().map(u64::from).collect();
    CustomExtension::from_oid_content(&oid, [&[0x30, 36, 0xa1, 34, 0x04, 32][..], nonce].concat())
}
