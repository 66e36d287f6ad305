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
    pub attesting_ca: IsCa,
    pub attesting_usages: Vec<KeyUsagePurpose>,
    pub attesting_extensions: Vec<CustomExtension>,
    /// `title` of the attesting key's certificate from the factory, by which StrongBoxes are known.
    pub attesting_title: Option<&'static str>,
    /// `O` of the attesting key's certificate from Google's servers.
    pub attesting_organization: &'static str,
    pub leaf_born: (i32, u8, u8),
}

/// A chain, the attested key's certificate first, and the keys that the holder of the phone has.
pub struct Phone {
    pub ders: Vec<Vec<u8>>,
    pub root_pem: String,
    pub root_key: KeyPair,
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
        attesting_ca: IsCa::Ca(BasicConstraints::Unconstrained),
        attesting_usages: vec![KeyUsagePurpose::KeyCertSign],
        attesting_extensions: vec![],
        attesting_title: None,
        attesting_organization: "TEE",
        leaf_born: (1970, 1, 1),
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
    let root_issuer = Issuer::from_params(&root_params, &root_key);

    let intermediate_key = generate(blueprint.intermediate_algorithm);
    let mut intermediate_params = match blueprint.made {
        Made::Factory => {
            let mut params = authority("Test Attestation Intermediate", 0xb2);
            params.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 5]), "f92009e853b6b045");
            params
        }
        Made::Remote => of_google("Droid CA2", 0xb2),
        Made::Software => authority("Test Attestation Intermediate", 0xb2),
    };
    intermediate_params.is_ca = blueprint.intermediate_ca;
    intermediate_params.key_usages = blueprint.intermediate_usages.clone();
    intermediate_params.custom_extensions = blueprint.intermediate_extensions.clone();
    let intermediate = intermediate_params.signed_by(&intermediate_key, &root_issuer).expect("an intermediate");
    let intermediate_issuer = Issuer::new(intermediate_params, intermediate_key);

    // Between the intermediate and the phone stands the certificate of the server that issues remotely.
    let (server_key, server_params) = (generate(&PKCS_ECDSA_P256_SHA256), of_google("Droid CA3", 0xb3));
    let server = server_params.signed_by(&server_key, &intermediate_issuer).expect("a server");
    let server_issuer = Issuer::new(server_params, server_key);

    let attesting_key = generate(&PKCS_ECDSA_P256_SHA256);
    let mut attesting_params = authority("Test Phone", 0xc3);
    let (year, month, day) = blueprint.attesting_born;
    attesting_params.not_before = date_time_ymd(year, month, day);
    attesting_params.is_ca = blueprint.attesting_ca;
    attesting_params.key_usages = blueprint.attesting_usages.clone();
    attesting_params.custom_extensions = blueprint.attesting_extensions.clone();
    if let Some(title) = blueprint.attesting_title {
        attesting_params.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 12]), title);
    }
    let attesting_issuer = match blueprint.made {
        Made::Factory | Made::Software => &intermediate_issuer,
        Made::Remote => {
            let info = encode_provisioning_info(12);
            attesting_params.custom_extensions.push(CustomExtension::from_oid_content(PROVISIONING, info));
            attesting_params.distinguished_name.push(DnType::OrganizationName, blueprint.attesting_organization);
            &server_issuer
        }
    };
    let attesting = attesting_params.signed_by(&attesting_key, attesting_issuer).expect("an attesting key");
    let attesting_issuer = Issuer::new(attesting_params, attesting_key);

    let attested = generate(blueprint.leaf_algorithm);
    let mut attested_params = named("Android Keystore Key", 1);
    attested_params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let (year, month, day) = blueprint.leaf_born;
    attested_params.not_before = date_time_ymd(year, month, day);
    attested_params.not_after = date_time_ymd(2048, 1, 1);
    let content = blueprint.extension.clone().unwrap_or_else(|| encode(&blueprint.description).expect("a description"));
    attested_params.custom_extensions = vec![CustomExtension::from_oid_content(ATTESTATION, content)];
    attested_params.custom_extensions.extend(blueprint.leaf_extensions.iter().cloned());
    let leaf = attested_params.signed_by(&attested, &attesting_issuer).expect("a leaf");

    let issuers = match blueprint.made {
        Made::Factory | Made::Software => vec![&attesting, &intermediate, &root],
        Made::Remote => vec![&attesting, &server, &intermediate, &root],
    };
    let ders = std::iter::once(&leaf).chain(issuers).map(|certificate| certificate.der().to_vec()).collect();
    drop(root_issuer);
    Phone { ders, root_pem: root.pem(), root_key, attested, attested_params }
}

/// Other certificates of the same root: one that expired in 2021, one that begins in 2039, and one that another authority signed.
pub fn roots_again(phone: &Phone) -> Vec<Vec<u8>> {
    let dated = |from: i32, to: i32| {
        let mut params = authority("Test Attestation Root", 0xa1);
        (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 1));
        params
    };
    let (other_key, other) = (generate(&PKCS_ECDSA_P256_SHA256), authority("Test Attestation Root", 0xa9));
    let signed = |params: CertificateParams| params.self_signed(&phone.root_key).expect("a root").der().to_vec();
    let crossed = dated(2020, 2040).signed_by(&phone.root_key, &Issuer::from_params(&other, &other_key)).expect("a root");
    vec![signed(dated(2020, 2021)), signed(dated(2039, 2040)), crossed.der().to_vec()]
}

/// A chain of any shape, the attested key's certificate first.
pub struct Path {
    pub ders: Vec<Vec<u8>>,
    pub root_pem: String,
}

/// A chain whose certificates, from the root down, have these names: `SN` is a serial number, `A/B` is the common name A of the organization
/// B, `+info` adds the extension of Google's servers. The last one is attested.
pub fn path(names: &[&str]) -> Path {
    let mut above: Option<(CertificateParams, KeyPair)> = None;
    let (mut ders, mut root_pem) = (Vec::new(), String::new());
    for (depth, name) in names.iter().enumerate() {
        let key = generate(&PKCS_ECDSA_P256_SHA256);
        let mut params = authority("", 0x10 + u64::try_from(depth).expect("small"));
        params.distinguished_name = DistinguishedName::new();
        let plain = name.trim_end_matches("+info");
        for part in plain.split('/') {
            match part {
                "SN" => params.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 5]), "f92009e853b6b045"),
                organization if organization.starts_with("Google") => {
                    params.distinguished_name.push(DnType::OrganizationName, organization)
                }
                name => params.distinguished_name.push(DnType::CommonName, name),
            }
        }
        if plain.len() < name.len() {
            params.custom_extensions.push(CustomExtension::from_oid_content(PROVISIONING, encode_provisioning_info(12)));
        }
        if depth + 1 == names.len() {
            (params.is_ca, params.key_usages) = (IsCa::NoCa, vec![KeyUsagePurpose::DigitalSignature]);
            let content = encode(&description(Made::Factory)).expect("a description");
            params.custom_extensions.push(CustomExtension::from_oid_content(ATTESTATION, content));
        }
        let certificate = match &above {
            None => params.self_signed(&key),
            Some((issuer, issuer_key)) => params.signed_by(&key, &Issuer::from_params(issuer, issuer_key)),
        };
        let certificate = certificate.expect("a certificate");
        if depth == 0 {
            root_pem = certificate.pem();
        }
        ders.insert(0, certificate.der().to_vec());
        above = Some((params, key));
    }
    Path { ders, root_pem }
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
pub const PROVISIONING: &[u64] = &[1, 3, 6, 1, 4, 1, 11129, 2, 1, 30];

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

fn of_google(name: &str, serial: u64) -> CertificateParams {
    let mut params = authority(name, serial);
    params.distinguished_name.push(DnType::OrganizationName, "Google LLC");
    params
}

fn authority(name: &str, serial: u64) -> CertificateParams {
    let mut params = named(name, serial);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}
