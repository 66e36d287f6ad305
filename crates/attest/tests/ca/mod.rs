//! A certification authority for chains as phones have them, with one thing wrong at a time.
#![expect(clippy::expect_used, reason = "what fails here fails the test")]
#![allow(dead_code, reason = "each test that includes this file uses a part of it")]

use base64::{Engine, engine::general_purpose::STANDARD};
use countersign_attest::android::{
    ApplicationId, Authorization, AuthorizationList, KeyDescription, Origin, Package, RootOfTrust, Tag, Value, encode,
    encode_provisioning_info,
};
use countersign_core::{BootState, SecurityLevel};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SerialNumber, SignatureAlgorithm, date_time_ymd,
};

/// 1 July 2025: all certificates below are in force.
pub const NOW: u64 = 1_751_328_000;
/// The first second of 2025, at which all but the root become valid.
pub const BORN: u64 = 1_735_689_600;
/// The first second of 2026, which is the last one of the intermediate and the attesting key's certificates.
pub const EXPIRES: u64 = 1_767_225_600;
/// The challenge that the phone was asked to attest.
pub const CHALLENGE: &[u8] = b"a challenge of thirty-two bytes!";
/// The app that made the key.
pub const PACKAGE: &str = "com.example.bank";
/// The certificate that signed the app.
pub const SIGNER: [u8; 32] = [7; 32];

/// Way in which the chain is made.
#[derive(Clone, Copy)]
pub enum Made {
    Factory,
    Remote,
    Software,
}

/// Everything about a chain that a test may want to be wrong.
pub struct Blueprint {
    pub made: Made,
    pub description: KeyDescription,
    /// Takes the place of the description's encoding.
    pub extension: Option<Vec<u8>>,
    pub leaf_algorithm: &'static SignatureAlgorithm,
    pub intermediate_algorithm: &'static SignatureAlgorithm,
    pub intermediate_ca: IsCa,
    pub intermediate_usages: Vec<KeyUsagePurpose>,
    pub leaf_extensions: Vec<CustomExtension>,
    pub intermediate_extensions: Vec<CustomExtension>,
    pub attesting_born: (i32, u8, u8),
}

/// A chain, the attested key's certificate first, and the keys that the holder of the phone has.
pub struct Phone {
    pub ders: Vec<Vec<u8>>,
    pub root_pem: String,
    pub attested: KeyPair,
    pub attested_params: CertificateParams,
}

pub fn honest(made: Made) -> Blueprint {
    Blueprint {
        made,
        description: description(made),
        extension: None,
        leaf_algorithm: &PKCS_ECDSA_P256_SHA256,
        intermediate_algorithm: &PKCS_ECDSA_P256_SHA256,
        intermediate_ca: IsCa::Ca(BasicConstraints::Unconstrained),
        intermediate_usages: vec![KeyUsagePurpose::KeyCertSign],
        leaf_extensions: vec![],
        intermediate_extensions: vec![],
        attesting_born: (2025, 1, 1),
    }
}

pub fn description(made: Made) -> KeyDescription {
    let level = match made {
        Made::Factory | Made::Remote => SecurityLevel::TrustedEnvironment,
        Made::Software => SecurityLevel::Software,
    };
    KeyDescription {
        attestation_version: 300,
        attestation_security_level: level,
        key_mint_version: 300,
        key_mint_security_level: level,
        challenge: CHALLENGE.to_vec(),
        unique_id: vec![],
        software_enforced: list(software_entries()),
        hardware_enforced: list(hardware_entries()),
    }
}

pub fn list(entries: Vec<Authorization>) -> AuthorizationList {
    AuthorizationList::new(entries).expect("entries of a list")
}

pub fn entry(tag: Tag, value: Value) -> Authorization {
    Authorization { tag, value }
}

pub fn software_entries() -> Vec<Authorization> {
    let package = Package { name: PACKAGE.to_owned(), version: 42 };
    vec![
        entry(Tag::CreationDateTime, Value::Integer(NOW * 1000)),
        entry(Tag::AttestationApplicationId, Value::Application(ApplicationId { packages: vec![package], signers: vec![SIGNER.to_vec()] })),
    ]
}

pub fn root_of_trust() -> RootOfTrust {
    RootOfTrust {
        verified_boot_key: vec![9; 32],
        device_locked: true,
        verified_boot_state: BootState::Verified,
        verified_boot_hash: Some(vec![8; 32]),
    }
}

pub fn hardware_entries() -> Vec<Authorization> {
    vec![
        entry(Tag::Purpose, Value::Integers(vec![2])),
        entry(Tag::Algorithm, Value::Integer(3)),
        entry(Tag::KeySize, Value::Integer(256)),
        entry(Tag::Digest, Value::Integers(vec![4])),
        entry(Tag::EcCurve, Value::Integer(1)),
        entry(Tag::NoAuthRequired, Value::Present),
        entry(Tag::Origin, Value::Origin(Origin::Generated)),
        entry(Tag::RootOfTrust, Value::RootOfTrust(root_of_trust())),
        entry(Tag::OsVersion, Value::Integer(150_000)),
        entry(Tag::OsPatchLevel, Value::Integer(202_506)),
        entry(Tag::VendorPatchLevel, Value::Integer(20_250_605)),
        entry(Tag::BootPatchLevel, Value::Integer(20_250_605)),
    ]
}

/// The hardware list with one tag's value replaced, removed or added.
pub fn hardware_with(tag: Tag, value: Option<Value>) -> AuthorizationList {
    replaced(hardware_entries(), tag, value)
}

pub fn software_with(tag: Tag, value: Option<Value>) -> AuthorizationList {
    replaced(software_entries(), tag, value)
}

fn replaced(mut entries: Vec<Authorization>, tag: Tag, value: Option<Value>) -> AuthorizationList {
    entries.retain(|entry| entry.tag != tag);
    entries.extend(value.map(|value| entry(tag, value)));
    entries.sort_by_key(|entry| entry.tag.number());
    list(entries)
}

pub fn make(blueprint: &Blueprint) -> Phone {
    let root_key = generate(&PKCS_ECDSA_P256_SHA256);
    let mut root_params = authority("Test Attestation Root", 0xa1);
    root_params.not_before = date_time_ymd(2020, 1, 1);
    root_params.not_after = date_time_ymd(2040, 1, 1);
    let root = root_params.self_signed(&root_key).expect("a root");
    let root_issuer = Issuer::new(root_params, root_key);

    let intermediate_key = generate(blueprint.intermediate_algorithm);
    let mut intermediate_params = authority("Test Attestation Intermediate", 0xb2);
    if let Made::Factory = blueprint.made {
        intermediate_params.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 5]), "f92009e853b6b045");
    }
    intermediate_params.is_ca = blueprint.intermediate_ca;
    intermediate_params.key_usages = blueprint.intermediate_usages.clone();
    intermediate_params.custom_extensions = blueprint.intermediate_extensions.clone();
    let intermediate = intermediate_params.signed_by(&intermediate_key, &root_issuer).expect("an intermediate");
    let intermediate_issuer = Issuer::new(intermediate_params, intermediate_key);

    let attesting_key = generate(&PKCS_ECDSA_P256_SHA256);
    let mut attesting_params = authority("Test Phone", 0xc3);
    let (year, month, day) = blueprint.attesting_born;
    attesting_params.not_before = date_time_ymd(year, month, day);
    if let Made::Remote = blueprint.made {
        let info = encode_provisioning_info(12);
        attesting_params.custom_extensions.push(CustomExtension::from_oid_content(PROVISIONING, info));
    }
    let attesting = attesting_params.signed_by(&attesting_key, &intermediate_issuer).expect("an attesting key");
    let attesting_issuer = Issuer::new(attesting_params, attesting_key);

    let attested = generate(blueprint.leaf_algorithm);
    let mut attested_params = named("Android Keystore Key", 1);
    attested_params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    attested_params.not_before = date_time_ymd(1970, 1, 1);
    attested_params.not_after = date_time_ymd(2048, 1, 1);
    let content = blueprint.extension.clone().unwrap_or_else(|| encode(&blueprint.description).expect("a description"));
    attested_params.custom_extensions = vec![CustomExtension::from_oid_content(ATTESTATION, content)];
    attested_params.custom_extensions.extend(blueprint.leaf_extensions.iter().cloned());
    let leaf = attested_params.signed_by(&attested, &attesting_issuer).expect("a leaf");

    let ders = [&leaf, &attesting, &intermediate, &root].iter().map(|certificate| certificate.der().to_vec()).collect();
    Phone { ders, root_pem: root.pem(), attested, attested_params }
}

/// The attack of somebody who holds an attested key: a certificate for a key of their own, with a better description.
pub fn append(made: &Phone, with_description: Option<Vec<u8>>) -> Vec<Vec<u8>> {
    let issuer = Issuer::from_params(&made.attested_params, &made.attested);
    let mut params = named("Android Keystore Key", 2);
    params.custom_extensions =
        with_description.into_iter().map(|content| CustomExtension::from_oid_content(ATTESTATION, content)).collect();
    let own = generate(&PKCS_ECDSA_P256_SHA256);
    let appended = params.signed_by(&own, &issuer).expect("an appended certificate");
    [vec![appended.der().to_vec()], made.ders.clone()].concat()
}

pub fn extension(oid: &[u64], content: &[u8], critical: bool) -> CustomExtension {
    let mut out = CustomExtension::from_oid_content(oid, content.to_vec());
    out.set_criticality(critical);
    out
}

pub fn pem(ders: &[Vec<u8>]) -> String {
    ders.iter()
        .map(|der| {
            let text = STANDARD.encode(der);
            let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("base64")).collect();
            format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
        })
        .collect()
}

pub const ATTESTATION: &[u64] = &[1, 3, 6, 1, 4, 1, 11129, 2, 1, 17];
const PROVISIONING: &[u64] = &[1, 3, 6, 1, 4, 1, 11129, 2, 1, 30];

fn generate(algorithm: &'static SignatureAlgorithm) -> KeyPair {
    KeyPair::generate_for(algorithm).expect("a key")
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
