//! An authority and a phone like Apple's, with fixed keys and one thing wrong at a time.
#![expect(clippy::expect_used, reason = "what fails here fails the test")]
#![allow(dead_code, reason = "each test that includes this file uses a part of it")]

use aws_lc_rs::digest::{SHA256, digest};
use countersign_attest::apple::{AppleApp, Environment};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, SerialNumber, SigningKey, date_time_ymd,
};

/// 2 July 2025: all certificates below are in force.
pub const NOW: u64 = 1_751_414_400;
/// The first second of 1 July 2025, at which the leaf becomes valid.
pub const LEAF_BORN: u64 = 1_751_328_000;
/// The last second at which the leaf is valid, three days later.
pub const LEAF_EXPIRES: u64 = 1_751_587_200;
/// The first second of 2025, at which the intermediate becomes valid.
pub const ISSUER_BORN: u64 = 1_735_689_600;
/// The last second at which it is valid, the first of 2026.
pub const ISSUER_EXPIRES: u64 = 1_767_225_600;

/// The hash of the client data.
pub const HASH: [u8; 32] = [0x5c; 32];

pub const NONCE: &[u64] = &[1, 2, 840, 113_635, 100, 8, 2];
pub const SYSTEM: &[u64] = &[1, 2, 840, 113_635, 100, 8, 7];

pub const ATTESTED_CREDENTIAL: u8 = 0x40;
pub const EXTENSION_DATA: u8 = 0x80;

pub fn bank() -> AppleApp {
    AppleApp::parse("ABCDE12345.com.example.bank").expect("an app")
}

pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    digest(&SHA256, &parts.concat()).as_ref().try_into().expect("a hash")
}

/// A key by number, in PKCS #8 (RFC 5958) without its public half.
pub fn key(number: u8) -> KeyPair {
    let head = hex::decode("304102010030130607 2a8648ce3d0201 06082a8648ce3d030107 0427 3025020101 0420".replace(' ', "")).expect("hex");
    let der = [head, vec![number; 32]].concat();
    KeyPair::from_pkcs8_der_and_sign_algo(&der.as_slice().into(), &PKCS_ECDSA_P256_SHA256).expect("a key")
}

/// Everything about a phone's attestation that a test may want to be wrong.
pub struct Blueprint {
    pub issuer_key: KeyPair,
    pub issuer_ca: IsCa,
    pub issuer_usages: Vec<KeyUsagePurpose>,
    pub issuer_extensions: Vec<CustomExtension>,
    /// Another authority between the intermediate and the leaf.
    pub further_issuer: bool,
    pub leaf_key: KeyPair,
    pub leaf_ca: IsCa,
    pub leaf_extensions: Vec<CustomExtension>,
    /// Years; for as long as those the leaf is valid instead of for three days.
    pub leaf_valid: Option<(i32, i32)>,
    /// Takes the place of the nonce's extension.
    pub nonce: Option<Vec<CustomExtension>>,
    pub rp_id_hash: [u8; 32],
    pub flags: u8,
    pub counter: u32,
    pub aaguid: [u8; 16],
    /// Takes the place of the hash of the leaf's key.
    pub credential_id: Option<Vec<u8>>,
    /// Takes the place of the leaf's key in COSE.
    pub credential_key: Option<Vec<u8>>,
    /// Bytes at the end of the authenticator data.
    pub extensions: Vec<u8>,
}

/// The parts of what a phone sends.
pub struct Phone {
    pub certificates: Vec<Vec<u8>>,
    pub receipt: Vec<u8>,
    pub authenticator_data: Vec<u8>,
    pub key_id: [u8; 32],
    pub root_pem: String,
    pub key: KeyPair,
}

pub fn honest() -> Blueprint {
    Blueprint {
        issuer_key: key(2),
        issuer_ca: IsCa::Ca(BasicConstraints::Constrained(0)),
        issuer_usages: vec![KeyUsagePurpose::KeyCertSign],
        issuer_extensions: vec![],
        further_issuer: false,
        leaf_key: key(3),
        leaf_ca: IsCa::ExplicitNoCa,
        leaf_extensions: vec![],
        leaf_valid: None,
        nonce: None,
        rp_id_hash: bank().rp_id_hash(),
        flags: ATTESTED_CREDENTIAL,
        counter: 0,
        aaguid: Environment::Production.aaguid(),
        credential_id: None,
        credential_key: None,
        extensions: vec![],
    }
}

pub fn make(blueprint: Blueprint) -> Phone {
    let point = blueprint.leaf_key.der_bytes().to_vec();
    let key_id = sha256(&[&point]);
    let authenticator_data = authenticator_data(&blueprint, &point, &key_id);

    let root_key = key(1);
    let mut root_params = authority("Test App Attestation Root CA", 0xa1);
    root_params.not_before = date_time_ymd(2020, 1, 1);
    root_params.not_after = date_time_ymd(2040, 1, 1);
    let root = root_params.self_signed(&root_key).expect("a root");
    let root_issuer = Issuer::new(root_params, root_key);

    let mut params = authority("Test App Attestation CA 1", 0xb2);
    params.is_ca = blueprint.issuer_ca;
    params.key_usages = blueprint.issuer_usages;
    params.custom_extensions = blueprint.issuer_extensions;
    let intermediate = params.signed_by(&blueprint.issuer_key, &root_issuer).expect("an intermediate");
    let mut issuers = vec![intermediate.der().to_vec()];
    let mut issuer = Issuer::new(params, blueprint.issuer_key);
    if blueprint.further_issuer {
        let params = authority("Test App Attestation CA 2", 0xb3);
        let further = params.signed_by(&key(4), &issuer).expect("another intermediate");
        issuers.insert(0, further.der().to_vec());
        issuer = Issuer::new(params, key(4));
    }

    let mut leaf_params = named("an attested key", 1);
    match blueprint.leaf_valid {
        None => (leaf_params.not_before, leaf_params.not_after) = (date_time_ymd(2025, 7, 1), date_time_ymd(2025, 7, 4)),
        Some((from, to)) => (leaf_params.not_before, leaf_params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1)),
    }
    leaf_params.is_ca = blueprint.leaf_ca;
    leaf_params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let nonce = nonce_extension(&sha256(&[&authenticator_data, &HASH]));
    leaf_params.custom_extensions = blueprint.nonce.unwrap_or_else(|| vec![nonce]);
    leaf_params.custom_extensions.extend(blueprint.leaf_extensions);
    let leaf = leaf_params.signed_by(&blueprint.leaf_key, &issuer).expect("a leaf");

    Phone {
        certificates: [vec![leaf.der().to_vec()], issuers].concat(),
        receipt: b"a receipt".to_vec(),
        authenticator_data,
        key_id,
        root_pem: root.pem(),
        key: blueprint.leaf_key,
    }
}

impl Phone {
    /// The result of `attestKey`, as the app gets it.
    pub fn attestation(&self) -> Vec<u8> {
        let certificates: Vec<_> = self.certificates.iter().map(|der| bytes(der)).collect();
        let statement = map(&[(text("x5c"), array(&certificates)), (text("receipt"), bytes(&self.receipt))]);
        map(&[(text("fmt"), text("apple-appattest")), (text("attStmt"), statement), (text("authData"), bytes(&self.authenticator_data))])
    }

    /// The result of `generateAssertion`, as the app gets it.
    pub fn assertion(&self, authenticator_data: &[u8], client_data_hash: &[u8; 32]) -> Vec<u8> {
        let signature = self.key.sign(&sha256(&[authenticator_data, client_data_hash])).expect("a signature");
        map(&[(text("signature"), bytes(&signature)), (text("authenticatorData"), bytes(authenticator_data))])
    }
}

/// The authenticator data of an assertion.
pub fn asserting(rp_id_hash: [u8; 32], flags: u8, counter: u32, extensions: &[u8]) -> Vec<u8> {
    [&rp_id_hash[..], &[flags], &counter.to_be_bytes(), extensions].concat()
}

fn authenticator_data(blueprint: &Blueprint, point: &[u8], key_id: &[u8; 32]) -> Vec<u8> {
    let credential_id = blueprint.credential_id.clone().unwrap_or_else(|| key_id.to_vec());
    let credential_key = blueprint.credential_key.clone().unwrap_or_else(|| cose(point));
    let length = u16::try_from(credential_id.len()).expect("a short id").to_be_bytes();
    let fixed = asserting(blueprint.rp_id_hash, blueprint.flags, blueprint.counter, &[]);
    [&fixed[..], &blueprint.aaguid, &length, &credential_id, &credential_key, &blueprint.extensions].concat()
}

/// A P-256 key in COSE, by its uncompressed point.
pub fn cose(point: &[u8]) -> Vec<u8> {
    let (x, y) = point.get(1..).and_then(|coordinates| coordinates.split_at_checked(32)).unwrap_or_default();
    map(&[(vec![1], vec![2]), (vec![3], vec![0x26]), (vec![0x20], vec![1]), (vec![0x21], bytes(x)), (vec![0x22], bytes(y))])
}

/// The extensions that iOS 27 appends.
pub fn launch(version: &str, category: u32) -> Vec<u8> {
    map(&[(text("apple_bundle_version_01"), text(version)), (text("apple_validation_category_01"), bytes(&category.to_le_bytes()))])
}

pub fn nonce_extension(nonce: &[u8]) -> CustomExtension {
    let octets = tlv(0x04, nonce);
    CustomExtension::from_oid_content(NONCE, tlv(0x30, &tlv(0xa1, &octets)))
}

pub fn critical(oid: &[u64]) -> CustomExtension {
    let mut out = CustomExtension::from_oid_content(oid, vec![5, 0]);
    out.set_criticality(true);
    out
}

/// DER with a length below 128.
pub fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag, u8::try_from(content.len()).expect("a short content")], content].concat()
}

/// The head of a CBOR item with a length of two bytes or none (RFC 8949 section 3).
pub fn head(major: u8, length: usize) -> Vec<u8> {
    match u8::try_from(length) {
        Ok(short) if short < 24 => vec![major << 5 | short],
        Ok(_) | Err(_) => [&[major << 5 | 25][..], &u16::try_from(length).expect("a length").to_be_bytes()].concat(),
    }
}

pub fn bytes(content: &[u8]) -> Vec<u8> {
    [head(2, content.len()), content.to_vec()].concat()
}

pub fn text(content: &str) -> Vec<u8> {
    [head(3, content.len()), content.as_bytes().to_vec()].concat()
}

pub fn array(items: &[Vec<u8>]) -> Vec<u8> {
    [head(4, items.len()), items.concat()].concat()
}

pub fn map(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let flat: Vec<_> = entries.iter().flat_map(|(name, value)| [name.clone(), value.clone()]).collect();
    [head(5, entries.len()), flat.concat()].concat()
}

fn named(name: &str, serial: u64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from(serial));
    params.not_before = date_time_ymd(2025, 1, 1);
    params.not_after = date_time_ymd(2026, 1, 1);
    params
}

fn authority(name: &str, serial: u64) -> CertificateParams {
    let mut params = named(name, serial);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}
