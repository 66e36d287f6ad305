//! A maker of receipts as Apple makes them, with one thing wrong at a time.
#![expect(clippy::expect_used, reason = "what fails here fails the test")]

use const_oid::ObjectIdentifier;
use countersign_attest::{
    anchors::{Anchors, Purpose, Source, Vendor},
    x509::Certificate,
};
use der::Encode;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SerialNumber, SignatureAlgorithm, SigningKey, date_time_ymd,
};

/// 1 July 2025: all certificates below are in force.
pub const NOW: u64 = 1_751_328_000;
/// The first second of 2025, at which the certificates become valid.
pub const BORN: u64 = 1_735_689_600;
/// The first second of 2026, which is their last one.
pub const DIES: u64 = 1_767_225_600;
/// Two minutes before [`NOW`].
pub const CREATED: &str = "2025-06-30T23:58:00.500Z";
/// The first second of 2026.
pub const EXPIRES: &str = "2026-01-01T00:00:00Z";
pub const APP: &str = "TEAM123456.com.example.bank";
pub const TOKEN: &[u8] = b"a token of Apple's";

pub const DATA: &str = "1.2.840.113549.1.7.1";
pub const SIGNED_DATA: &str = "1.2.840.113549.1.7.2";
pub const CONTENT_TYPE: &str = "1.2.840.113549.1.9.3";
pub const MESSAGE_DIGEST: &str = "1.2.840.113549.1.9.4";
pub const SHA_256: &str = "2.16.840.1.101.3.4.2.1";
pub const SHA_384: &str = "2.16.840.1.101.3.4.2.2";
pub const ECDSA_SHA256: &str = "1.2.840.10045.4.3.2";
pub const ECDSA_SHA384: &str = "1.2.840.10045.4.3.3";
pub const RSA_ENCRYPTION: &str = "1.2.840.113549.1.1.1";
const RECEIPT_SIGNING: &[u64] = &[1, 2, 840, 113_635, 100, 12, 15];

/// Form in which lengths are written.
#[derive(Clone, Copy, Debug)]
pub enum Framing {
    Definite,
    Indefinite,
}

/// Everything about a receipt that a test may want to be wrong.
pub struct Blueprint {
    pub fields: Vec<(u32, Vec<u8>)>,
    /// Takes the place of the fields.
    pub content: Option<Vec<u8>>,
    /// Takes the place of the octet string around the content.
    pub octets: Option<Vec<u8>>,
    pub content_type: &'static str,
    pub version: u8,
    pub digests: &'static [&'static str],
    pub signer_version: u8,
    pub signer_digest: &'static str,
    pub algorithm: &'static str,
    /// The signed attributes, given the content.
    pub attributes: fn(&[u8]) -> Option<Vec<Vec<u8>>>,
    pub framing: Framing,
    pub signer_key: &'static SignatureAlgorithm,
    pub signer: fn(&mut CertificateParams),
    pub intermediate: fn(&mut CertificateParams),
    pub intermediates: u64,
    /// Given signer, intermediates and root.
    pub certificates: fn(&mut Vec<Vec<u8>>),
    /// Elements between the certificates and the signers.
    pub before_signers: Vec<u8>,
    /// Elements after the signature.
    pub after_signature: Vec<u8>,
    pub signers: usize,
    pub signature: fn(&mut Vec<u8>),
    pub whole: fn(&mut Vec<u8>),
}

/// A receipt with its subject and the anchors for it.
pub struct Made {
    pub bytes: Vec<u8>,
    pub key_spki: Vec<u8>,
    pub root_pem: String,
}

impl Made {
    pub fn anchors(&self, purpose: Purpose) -> Anchors {
        Anchors::parse(Source { vendor: Vendor::Operator, purpose }, &self.root_pem).expect("an anchor")
    }
}

pub fn honest() -> Blueprint {
    Blueprint {
        fields: fields(),
        content: None,
        octets: None,
        content_type: DATA,
        version: 1,
        digests: &[SHA_256],
        signer_version: 1,
        signer_digest: SHA_256,
        algorithm: ECDSA_SHA256,
        attributes: |_| None,
        framing: Framing::Indefinite,
        signer_key: &PKCS_ECDSA_P256_SHA256,
        signer: |_| {},
        intermediate: |_| {},
        intermediates: 1,
        certificates: |_| {},
        before_signers: vec![],
        after_signature: vec![],
        signers: 1,
        signature: |_| {},
        whole: |_| {},
    }
}

/// The fields of a receipt that came from Apple; the third, about the key, is put in later.
fn fields() -> Vec<(u32, Vec<u8>)> {
    let text = |number, text: &str| (number, text.as_bytes().to_vec());
    vec![
        text(17, "7"),
        text(6, "RECEIPT"),
        text(2, APP),
        (4, vec![7; 32]),
        (5, TOKEN.to_vec()),
        text(7, "production"),
        text(12, CREATED),
        text(19, "2025-07-01T23:58:00.500Z"),
        text(21, EXPIRES),
    ]
}

impl Blueprint {
    /// Puts another value into a field, or the field out.
    pub fn field(&mut self, number: u32, value: Option<&[u8]>) {
        self.fields.retain(|(other, _)| *other != number);
        self.fields.extend(value.map(|value| (number, value.to_vec())));
    }
}

pub fn make(blueprint: &Blueprint) -> Made {
    let attested = generate(&PKCS_ECDSA_P256_SHA256);
    let attested_certificate = named("An attested key", 9).self_signed(&attested).expect("a certificate");
    let key = Certificate::parse(attested_certificate.der()).expect("a certificate");
    let content = blueprint.content.clone().unwrap_or_else(|| {
        let mut fields = blueprint.fields.clone();
        if fields.iter().all(|(number, _)| *number != 3) {
            fields.push((3, attested_certificate.der().to_vec()));
        }
        content(&fields)
    });
    let (mut certificates, signer_key, root_pem) = certificates(blueprint);
    let signer = Certificate::parse(certificates.first().expect("a signer")).expect("a certificate");
    let serial = hex::decode(format!("{:0>2}", signer.serial())).expect("a serial number");
    let identifier = tlv(0x30, &[signer.issuer().to_der().expect("a name"), tlv(0x02, &[serial])]);
    (blueprint.certificates)(&mut certificates);
    let info = signer_info(blueprint, &content, &signer_key, identifier);
    let mut bytes = signed_data(blueprint, content, &certificates, &info);
    (blueprint.whole)(&mut bytes);
    Made { bytes, key_spki: key.key().spki().to_vec(), root_pem }
}

fn certificates(blueprint: &Blueprint) -> (Vec<Vec<u8>>, KeyPair, String) {
    let root_key = generate(&PKCS_ECDSA_P256_SHA256);
    let root_params = authority("Test Receipt Root", 0xa1);
    let root = root_params.self_signed(&root_key).expect("a root");
    let mut all = vec![root.der().to_vec()];
    let mut issuer = Issuer::new(root_params, root_key);
    for number in 0..blueprint.intermediates {
        let key = generate(&PKCS_ECDSA_P256_SHA256);
        let mut params = authority(&format!("Test Receipt CA {number}"), 0xb0 + number);
        (blueprint.intermediate)(&mut params);
        all.insert(0, params.signed_by(&key, &issuer).expect("an intermediate").der().to_vec());
        issuer = Issuer::new(params, key);
    }
    let key = generate(blueprint.signer_key);
    let mut params = named("Test Receipt Signing", 0x1234_5678);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.custom_extensions = vec![CustomExtension::from_oid_content(RECEIPT_SIGNING, vec![0x05, 0x00])];
    (blueprint.signer)(&mut params);
    all.insert(0, params.signed_by(&key, &issuer).expect("a signer").der().to_vec());
    (all, key, root.pem())
}

fn signer_info(blueprint: &Blueprint, content: &[u8], key: &KeyPair, identifier: Vec<u8>) -> Vec<u8> {
    let attributes = (blueprint.attributes)(content);
    let signed = attributes.as_ref().map_or_else(|| content.to_vec(), |attributes| tlv(0x31, attributes));
    let mut signature = key.sign(&signed).expect("a signature");
    (blueprint.signature)(&mut signature);
    tlv(
        0x30,
        &[
            tlv(0x02, &[vec![blueprint.signer_version]]),
            identifier,
            algorithm(blueprint.signer_digest),
            attributes.map_or_else(Vec::new, |attributes| tlv(0xa0, &attributes)),
            tlv(0x30, &[oid(blueprint.algorithm)]),
            tlv(0x04, &[signature]),
            blueprint.after_signature.clone(),
        ],
    )
}

fn signed_data(blueprint: &Blueprint, content: Vec<u8>, certificates: &[Vec<u8>], info: &[u8]) -> Vec<u8> {
    let frame = |tag, parts: &[Vec<u8>]| match blueprint.framing {
        Framing::Definite => tlv(tag, parts),
        Framing::Indefinite => indefinite(tag, parts),
    };
    let octets = blueprint.octets.clone().unwrap_or_else(|| match blueprint.framing {
        Framing::Definite => tlv(0x04, &[content]),
        Framing::Indefinite => indefinite(0x24, &content.chunks(100).map(|part| tlv(0x04, &[part.to_vec()])).collect::<Vec<_>>()),
    });
    let digests: Vec<_> = blueprint.digests.iter().map(|digest| algorithm(digest)).collect();
    let data = frame(
        0x30,
        &[
            tlv(0x02, &[vec![blueprint.version]]),
            tlv(0x31, &digests),
            frame(0x30, &[oid(blueprint.content_type), frame(0xa0, &[octets])]),
            frame(0xa0, certificates),
            blueprint.before_signers.clone(),
            tlv(0x31, &vec![info.to_vec(); blueprint.signers]),
        ],
    );
    frame(0x30, &[oid(SIGNED_DATA), frame(0xa0, &[data])])
}

/// The content with these fields, in this order.
pub fn content(fields: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let fields: Vec<_> = fields
        .iter()
        .map(|(number, value)| {
            tlv(0x30, &[number.to_der().expect("a number"), tlv(0x02, &[vec![1]]), tlv(0x04, std::slice::from_ref(value))])
        })
        .collect();
    tlv(0x31, &fields)
}

/// Attributes in the order that DER asks for.
pub fn sorted(mut attributes: Vec<Vec<u8>>) -> Option<Vec<Vec<u8>>> {
    attributes.sort();
    Some(attributes)
}

pub fn attribute(kind: &str, values: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &[oid(kind), tlv(0x31, values)])
}

pub fn oid(dotted: &str) -> Vec<u8> {
    tlv(0x06, &[ObjectIdentifier::new(dotted).expect("an identifier").as_bytes().to_vec()])
}

fn algorithm(dotted: &str) -> Vec<u8> {
    tlv(0x30, &[oid(dotted), vec![0x05, 0x00]])
}

/// An element in DER.
pub fn tlv(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    let body = parts.concat();
    let length = u32::try_from(body.len()).expect("a length").to_be_bytes();
    let short: Vec<u8> = length.iter().copied().skip_while(|byte| *byte == 0).collect();
    let length = match short.as_slice() {
        [] => vec![0],
        [one] if *one < 0x80 => vec![*one],
        many => [&[0x80 | u8::try_from(many.len()).expect("a few")], many].concat(),
    };
    [vec![tag], length, body].concat()
}

fn indefinite(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    [vec![tag, 0x80], parts.concat(), vec![0, 0]].concat()
}

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
