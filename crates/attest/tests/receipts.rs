//! Receipts of our own making: good ones, and ones with one fault at a time.

use aws_lc_rs::digest::{SHA256, digest};
use countersign_attest::{
    anchors::{Anchors, Purpose},
    apple::{
        BerRefusal, Receipt, ReceiptAge, ReceiptEnvironment, ReceiptField, ReceiptKind, ReceiptOf, ReceiptRefusal, receipt_facts,
        verify_receipt,
    },
    x509::{Malformed, SignatureRefusal},
};
use countersign_core::{Limits, Reason, Seconds, UnixMillis, UnixSeconds};
use proptest::prelude::*;
use rcgen::{BasicConstraints, CustomExtension, IsCa, KeyUsagePurpose, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256, date_time_ymd};
use receipt::{
    APP, BORN, Blueprint, CONTENT_TYPE, CREATED, DATA, DIES, ECDSA_SHA384, EXPIRES, Framing, MESSAGE_DIGEST, Made, NOW, RSA_ENCRYPTION,
    SHA_256, SHA_384, SIGNED_DATA, TOKEN, attribute, content, honest, make, oid, sorted, tlv,
};

mod receipt;

const CREATED_AT: UnixMillis = UnixMillis((NOW - 120) * 1000 + 500);

fn judge_at(made: &Made, age: ReceiptAge, now: u64) -> Result<Receipt, ReceiptRefusal> {
    let expected = ReceiptOf { app_id: APP, key_spki: &made.key_spki, age };
    verify_receipt(&made.bytes, &expected, &made.anchors(Purpose::AppAttestReceipt), UnixSeconds(now))
}

fn judge(wrong: fn(&mut Blueprint)) -> Result<Receipt, ReceiptRefusal> {
    let mut blueprint = honest();
    wrong(&mut blueprint);
    judge_at(&make(&blueprint), ReceiptAge::FreshWithin(Seconds(300)), NOW)
}

/// Content type and digest as signed attributes.
fn attributes(content: &[u8]) -> Option<Vec<Vec<u8>>> {
    sorted(vec![content_type(DATA), message_digest(content)])
}

fn content_type(kind: &str) -> Vec<u8> {
    attribute(CONTENT_TYPE, &[oid(kind)])
}

fn message_digest(content: &[u8]) -> Vec<u8> {
    attribute(MESSAGE_DIGEST, &[tlv(0x04, &[digest(&SHA256, content).as_ref().to_vec()])])
}

#[test]
fn an_honest_receipt_says_what_apple_said() {
    let receipt = judge(|_| {}).expect("an honest receipt");
    assert_eq!(receipt.kind(), ReceiptKind::Receipt);
    assert_eq!(receipt.environment(), Some(ReceiptEnvironment::Production));
    assert_eq!(receipt.risk_metric(), Some(7));
    assert_eq!(receipt.created_at(), CREATED_AT);
    assert_eq!(receipt.not_before(), Some(UnixMillis(CREATED_AT.0 + 86_400_000)));
    assert_eq!(receipt.expires_at(), UnixMillis(DIES * 1000));
    assert_eq!(receipt.client_hash(), Some(&[7; 32][..]));
    assert_eq!(receipt.token().map(|token| token.expose().as_slice()), Some(TOKEN));
    assert_eq!(receipt.fields_unknown(), 0);
    assert!(!format!("{receipt:?}").contains(&format!("{TOKEN:?}")), "a token does not print");
}

#[test]
fn other_honest_receipts_are_accepted() {
    let rows: &[(&str, fn(&mut Blueprint))] = &[
        ("in DER", |b| b.framing = Framing::Definite),
        ("with signed attributes", |b| b.attributes = attributes),
        ("with an attribute that we do not know", |b| {
            b.attributes = |content| sorted(vec![content_type(DATA), message_digest(content), attribute("1.2.3.4", &[oid(DATA)])]);
        }),
        ("signed with RSA", |b| (b.signer_key, b.algorithm) = (&PKCS_RSA_SHA256, RSA_ENCRYPTION)),
        ("without the root", |b| b.certificates = |all| all.truncate(2)),
        ("its certificates in another order", |b| b.certificates = |all| all.reverse()),
        ("with a certificate that plays no part", |b| {
            b.certificates = |all| all.push(rcgen::generate_simple_self_signed([]).expect("a certificate").cert.der().to_vec());
        }),
        ("directly below the root", |b| b.intermediates = 0),
        ("with as many intermediates as are followed", |b| b.intermediates = 3),
        ("with an intermediate that allows no other", |b| b.intermediate = |p| p.is_ca = IsCa::Ca(BasicConstraints::Constrained(0))),
        ("with as many fields as are read", |b| b.fields.extend((100..154).map(|number| (number, vec![])))),
    ];
    for (name, change) in rows {
        assert_eq!(judge(*change).map(|receipt| receipt.risk_metric()), Ok(Some(7)), "{name}");
    }
}

#[test]
fn what_may_be_missing_or_of_another_kind_is_told() {
    let of = |change: fn(&mut Blueprint)| judge(change).expect("an honest receipt");
    assert_eq!(of(|b| b.field(17, None)).risk_metric(), None);
    assert_eq!(of(|b| b.field(17, Some(b"4294967295"))).risk_metric(), Some(u32::MAX));
    assert_eq!(of(|b| b.field(19, None)).not_before(), None);
    assert_eq!(of(|b| b.field(4, None)).client_hash(), None);
    assert!(of(|b| b.field(5, None)).token().is_none());
    assert_eq!(of(|b| b.field(6, Some(b"ATTEST"))).kind(), ReceiptKind::Attest);
    assert_eq!(of(|b| b.field(7, None)).environment(), None);
    assert_eq!(of(|b| b.field(7, Some(b"sandbox"))).environment(), Some(ReceiptEnvironment::Sandbox));
    assert_eq!(of(|b| b.field(7, Some(b"Production"))).environment(), Some(ReceiptEnvironment::Other));
    assert_eq!(of(|b| b.fields.extend([(1, vec![]), (1, vec![]), (u32::MAX, vec![1])])).fields_unknown(), 3);
}

#[test]
fn the_signed_data_is_what_apple_makes() {
    let rows: &[(&str, fn(&mut Blueprint), ReceiptRefusal)] = &[
        ("a byte after it", |b| b.whole = |all| all.push(0), ReceiptRefusal::NotSignedData),
        ("an element after it", |b| b.whole = |all| all.extend([0x05, 0x00]), ReceiptRefusal::NotSignedData),
        ("base64", |b| b.whole = |all| *all = b"MIAGCSqGSIb3DQEHAqCA".to_vec(), ReceiptRefusal::NotBer(BerRefusal::Truncated)),
        ("nothing", |b| b.whole = Vec::clear, ReceiptRefusal::NotSignedData),
        ("deep nesting", |b| b.whole = |all| *all = [0x30, 0x80].repeat(10_000), ReceiptRefusal::NotBer(BerRefusal::DepthExceeded)),
        ("an endless element", |b| b.whole = |all| all.truncate(all.len() - 1), ReceiptRefusal::NotBer(BerRefusal::Truncated)),
        ("an end with a length", |b| b.whole = |all| *all = vec![0x30, 0x80, 0, 1, 0], ReceiptRefusal::NotBer(BerRefusal::EndMalformed)),
        (
            "a primitive without a length",
            |b| b.whole = |all| *all = vec![0x04, 0x80],
            ReceiptRefusal::NotBer(BerRefusal::IndefinitePrimitive),
        ),
        ("a giant length", |b| b.whole = |all| *all = vec![0x30, 0x88, 255, 255], ReceiptRefusal::NotBer(BerRefusal::LengthTooLong)),
        ("a long tag", |b| b.whole = |all| *all = vec![0x3f, 0x81, 0x01, 0], ReceiptRefusal::NotBer(BerRefusal::TagTooLong)),
        ("the largest that is read", |b| b.whole = |all| all.resize(Limits::RECEIPT_BYTES_MAX, 0), ReceiptRefusal::NotSignedData),
        ("one byte larger", |b| b.whole = |all| all.resize(Limits::RECEIPT_BYTES_MAX + 1, 0), ReceiptRefusal::TooLarge),
        ("version 3", |b| b.version = 3, ReceiptRefusal::NotSignedData),
        ("a signer of version 3", |b| b.signer_version = 3, ReceiptRefusal::NotSignedData),
        ("content of another type", |b| b.content_type = SIGNED_DATA, ReceiptRefusal::NotSignedData),
        ("content in parts of parts", |b| b.octets = Some(tlv(0x24, &[tlv(0x24, &[tlv(0x04, &[])])])), ReceiptRefusal::NotSignedData),
        ("content that is no octets", |b| b.octets = Some(tlv(0x30, &[])), ReceiptRefusal::NotSignedData),
        ("a list of revoked certificates", |b| b.before_signers = tlv(0xa1, &[]), ReceiptRefusal::NotSignedData),
        ("unsigned attributes", |b| b.after_signature = tlv(0xa1, &[]), ReceiptRefusal::NotSignedData),
        ("another digest", |b| b.digests = &[SHA_384], ReceiptRefusal::DigestRefused),
        ("no digest", |b| b.digests = &[], ReceiptRefusal::NotSignedData),
        ("two digests", |b| b.digests = &[SHA_256, SHA_384], ReceiptRefusal::NotSignedData),
        ("a signer with another digest", |b| b.signer_digest = SHA_384, ReceiptRefusal::DigestRefused),
        ("no signer", |b| b.signers = 0, ReceiptRefusal::WrongSignerCount { count: 0 }),
        ("two signers", |b| b.signers = 2, ReceiptRefusal::WrongSignerCount { count: 2 }),
        ("nine certificates", |b| b.certificates = |all| all.resize(9, vec![0x30, 0]), ReceiptRefusal::TooManyCertificates),
        (
            "eight certificates, of which some are none",
            |b| b.certificates = |all| all.resize(8, vec![0x30, 0]),
            ReceiptRefusal::CertificateMalformed { index: 3, malformed: Malformed::NotDer },
        ),
        (
            "a certificate twice",
            |b| b.certificates = |all| all.extend(all.first().cloned()),
            ReceiptRefusal::CertificateRepeated { index: 3 },
        ),
    ];
    for (name, wrong, expected) in rows {
        assert_eq!(judge(*wrong), Err(expected.clone()), "{name}");
    }
}

#[test]
fn the_chain_hangs_together() {
    let rows: &[(&str, fn(&mut Blueprint), ReceiptRefusal)] = &[
        ("the signer's certificate is missing", |b| b.certificates = |all| drop(all.remove(0)), ReceiptRefusal::SignerMissing),
        (
            "two certificates are the signer's",
            |b| {
                b.certificates = |all| {
                    let mut other = all[0].clone();
                    *other.last_mut().expect("a byte") ^= 1;
                    all.push(other);
                }
            },
            ReceiptRefusal::SignerMissing,
        ),
        (
            "the intermediate is missing",
            |b| b.certificates = |all| drop(all.remove(1)),
            ReceiptRefusal::AnchorUnknown { issuer: "CN=Test Receipt CA 0".to_owned() },
        ),
        (
            "the signer's certificate is forged",
            |b| b.certificates = |all| *all[0].last_mut().expect("a byte") ^= 1,
            ReceiptRefusal::ChainSignatureInvalid { index: 0, why: SignatureRefusal::Invalid },
        ),
        (
            "the intermediate is forged",
            |b| b.certificates = |all| *all[1].last_mut().expect("a byte") ^= 1,
            ReceiptRefusal::ChainSignatureInvalid { index: 1, why: SignatureRefusal::Invalid },
        ),
        ("one intermediate more than is followed", |b| b.intermediates = 4, ReceiptRefusal::ChainTooLong),
        (
            "the intermediates allow none below them",
            |b| {
                b.intermediates = 2;
                b.intermediate = |p| p.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            },
            ReceiptRefusal::PathTooLong { index: 2 },
        ),
        (
            "the intermediate is no authority",
            |b| b.intermediate = |p| p.is_ca = IsCa::ExplicitNoCa,
            ReceiptRefusal::IssuerNotAllowed { index: 1 },
        ),
        (
            "the intermediate may not sign certificates",
            |b| b.intermediate = |p| p.key_usages = vec![KeyUsagePurpose::DigitalSignature],
            ReceiptRefusal::IssuerNotAllowed { index: 1 },
        ),
        (
            "the signer's certificate has expired",
            |b| b.signer = |p| p.not_after = date_time_ymd(2025, 6, 1),
            ReceiptRefusal::CertificateExpired { index: 0, not_after: UnixSeconds(1_748_736_000) },
        ),
        (
            "the intermediate has expired",
            |b| b.intermediate = |p| p.not_after = date_time_ymd(2025, 6, 1),
            ReceiptRefusal::CertificateExpired { index: 1, not_after: UnixSeconds(1_748_736_000) },
        ),
        (
            "the signer's certificate is not valid yet",
            |b| b.signer = |p| p.not_before = date_time_ymd(2026, 1, 1),
            ReceiptRefusal::CertificateNotYetValid { index: 0, not_before: UnixSeconds(DIES) },
        ),
        (
            "a critical extension that nobody knows",
            |b| {
                b.signer = |p| {
                    let mut unknown = CustomExtension::from_oid_content(&[1, 2, 3], vec![0x05, 0x00]);
                    unknown.set_criticality(true);
                    p.custom_extensions.push(unknown);
                }
            },
            ReceiptRefusal::CriticalExtensionUnknown { index: 0, oid: "1.2.3".to_owned() },
        ),
        ("a certificate that is not for receipts", |b| b.signer = |p| p.custom_extensions.clear(), ReceiptRefusal::SignerNotForReceipts),
        (
            "a key that is not for signing",
            |b| b.signer = |p| p.key_usages = vec![KeyUsagePurpose::KeyAgreement],
            ReceiptRefusal::SignerNotForReceipts,
        ),
        ("a key of which nothing says what it is for", |b| b.signer = |p| p.key_usages.clear(), ReceiptRefusal::SignerNotForReceipts),
    ];
    for (name, wrong, expected) in rows {
        assert_eq!(judge(*wrong), Err(expected.clone()), "{name}");
    }
}

#[test]
fn a_chain_ends_at_an_anchor_for_receipts() {
    let (made, other) = (make(&honest()), make(&honest()));
    let judge = |anchors: Anchors| {
        let expected = ReceiptOf { app_id: APP, key_spki: &made.key_spki, age: ReceiptAge::Any };
        verify_receipt(&made.bytes, &expected, &anchors, UnixSeconds(NOW)).map(|_| ())
    };
    let root = || Err(ReceiptRefusal::AnchorUnknown { issuer: "CN=Test Receipt Root".to_owned() });
    assert_eq!(judge(made.anchors(Purpose::AppAttestReceipt)), Ok(()));
    assert_eq!(judge(other.anchors(Purpose::AppAttestReceipt).and(made.anchors(Purpose::AppAttestReceipt))), Ok(()), "of two alike");
    assert_eq!(judge(made.anchors(Purpose::AppAttest)), root(), "an anchor for something else");
    assert_eq!(judge(Anchors::none()), root(), "no anchor");
    let forged = ReceiptRefusal::ChainSignatureInvalid { index: 2, why: SignatureRefusal::Invalid };
    assert_eq!(judge(other.anchors(Purpose::AppAttestReceipt)), Err(forged), "another root of the same name");
}

#[test]
fn the_signature_is_over_the_content() {
    const INVALID: ReceiptRefusal = ReceiptRefusal::SignatureInvalid { why: SignatureRefusal::Invalid };
    const REFUSED: ReceiptRefusal = ReceiptRefusal::SignatureInvalid { why: SignatureRefusal::AlgorithmRefused };
    let rows: &[(&str, fn(&mut Blueprint), ReceiptRefusal)] = &[
        ("a forged signature", |b| b.signature = |s| *s.last_mut().expect("a byte") ^= 1, INVALID),
        ("no signature", |b| b.signature = Vec::clear, INVALID),
        ("other content", |b| b.octets = Some(tlv(0x04, &[b"other".to_vec()])), INVALID),
        ("another algorithm", |b| b.algorithm = ECDSA_SHA384, REFUSED),
        ("an algorithm of another key", |b| b.algorithm = RSA_ENCRYPTION, REFUSED),
        ("a key that signs with SHA-384", |b| b.signer_key = &PKCS_ECDSA_P384_SHA384, INVALID),
        (
            "a forged signature over attributes",
            |b| {
                b.attributes = attributes;
                b.signature = |s| *s.last_mut().expect("a byte") ^= 1;
            },
            INVALID,
        ),
        (
            "attributes over other content",
            |b| (b.attributes, b.octets) = (attributes, Some(tlv(0x04, &[b"other".to_vec()]))),
            ReceiptRefusal::DigestMismatch,
        ),
        (
            "attributes over content of another type",
            |b| b.attributes = |content| sorted(vec![content_type(SIGNED_DATA), message_digest(content)]),
            ReceiptRefusal::ContentTypeMismatch,
        ),
        ("no content type", |b| b.attributes = |content| sorted(vec![message_digest(content)]), ReceiptRefusal::AttributesInvalid),
        ("no digest", |b| b.attributes = |_| sorted(vec![content_type(DATA)]), ReceiptRefusal::AttributesInvalid),
        ("no attribute", |b| b.attributes = |_| sorted(vec![]), ReceiptRefusal::AttributesInvalid),
        (
            "two digests",
            |b| b.attributes = |content| sorted(vec![content_type(DATA), message_digest(content), message_digest(b"other")]),
            ReceiptRefusal::AttributesInvalid,
        ),
        (
            "a digest of two values",
            |b| {
                b.attributes = |content| {
                    let values = sorted(vec![tlv(0x04, &[digest(&SHA256, content).as_ref().to_vec()]), tlv(0x04, &[vec![0; 32]])]);
                    sorted(vec![content_type(DATA), attribute(MESSAGE_DIGEST, &values.expect("two values"))])
                }
            },
            ReceiptRefusal::AttributesInvalid,
        ),
        (
            "a digest that is no octets",
            |b| b.attributes = |_| sorted(vec![content_type(DATA), attribute(MESSAGE_DIGEST, &[oid(DATA)])]),
            ReceiptRefusal::AttributesInvalid,
        ),
        (
            "attributes that are not sorted",
            |b| b.attributes = |content| attributes(content).map(|sorted| sorted.into_iter().rev().collect()),
            ReceiptRefusal::AttributesInvalid,
        ),
    ];
    for (name, wrong, expected) in rows {
        assert_eq!(judge(*wrong), Err(expected.clone()), "{name}");
    }
}

/// Signed attributes and content are both sets, and one signature covers either: neither passes for the other.
#[test]
fn attributes_do_not_pass_for_content() {
    let signed = tlv(0x31, &attributes(b"a receipt").expect("attributes"));
    let mut blueprint = honest();
    blueprint.content = Some(signed);
    assert_eq!(judge_at(&make(&blueprint), ReceiptAge::Any, NOW), Err(ReceiptRefusal::ContentMalformed));
}

#[test]
fn the_content_is_fields() {
    let rows: &[(&str, fn(&mut Blueprint), ReceiptRefusal)] = &[
        ("no set", |b| b.content = Some(tlv(0x30, &[])), ReceiptRefusal::ContentMalformed),
        ("a byte after the set", |b| b.content = Some([content(&[]), vec![0]].concat()), ReceiptRefusal::ContentMalformed),
        ("a field that is none", |b| b.content = Some(tlv(0x31, &[tlv(0x04, &[])])), ReceiptRefusal::ContentMalformed),
        (
            "a field with something after it",
            |b| b.content = Some(tlv(0x31, &[tlv(0x30, &[vec![2, 1, 1, 2, 1, 1, 4, 0, 5, 0]])])),
            ReceiptRefusal::ContentMalformed,
        ),
        (
            "a negative number",
            |b| b.content = Some(tlv(0x31, &[tlv(0x30, &[vec![2, 1, 0xff, 2, 1, 1, 4, 0]])])),
            ReceiptRefusal::ContentMalformed,
        ),
        ("one field more than is read", |b| b.fields.extend((100..155).map(|number| (number, vec![]))), ReceiptRefusal::TooManyFields),
        ("the app twice", |b| b.fields.push((2, b"TEAM.other".to_vec())), ReceiptRefusal::FieldRepeated { field: ReceiptField::AppId }),
        ("the metric twice", |b| b.fields.push((17, b"0".to_vec())), ReceiptRefusal::FieldRepeated { field: ReceiptField::RiskMetric }),
        ("no app", |b| b.field(2, None), ReceiptRefusal::FieldMissing { field: ReceiptField::AppId }),
        ("no type", |b| b.field(6, None), ReceiptRefusal::FieldMissing { field: ReceiptField::Kind }),
        ("no creation time", |b| b.field(12, None), ReceiptRefusal::FieldMissing { field: ReceiptField::CreatedAt }),
        ("no expiration time", |b| b.field(21, None), ReceiptRefusal::FieldMissing { field: ReceiptField::ExpiresAt }),
        ("no field at all", |b| b.content = Some(content(&[])), ReceiptRefusal::FieldMissing { field: ReceiptField::AppId }),
        ("only an app", |b| b.content = Some(content(&[(2, vec![])])), ReceiptRefusal::FieldMissing { field: ReceiptField::AttestedKey }),
        ("an app that is no text", |b| b.field(2, Some(&[0xff])), ReceiptRefusal::FieldMalformed { field: ReceiptField::AppId }),
        ("a key that is none", |b| b.field(3, Some(b"key")), ReceiptRefusal::FieldMalformed { field: ReceiptField::AttestedKey }),
        ("a type that is none", |b| b.field(6, Some(b"attest")), ReceiptRefusal::FieldMalformed { field: ReceiptField::Kind }),
        ("a creation time that is none", |b| b.field(12, Some(b"now")), ReceiptRefusal::FieldMalformed { field: ReceiptField::CreatedAt }),
        ("an expiration time that is none", |b| b.field(21, Some(b"")), ReceiptRefusal::FieldMalformed { field: ReceiptField::ExpiresAt }),
        ("a renewal time that is none", |b| b.field(19, Some(b"x")), ReceiptRefusal::FieldMalformed { field: ReceiptField::NotBefore }),
        ("a signed metric", |b| b.field(17, Some(b"+1")), ReceiptRefusal::FieldMalformed { field: ReceiptField::RiskMetric }),
        ("an empty metric", |b| b.field(17, Some(b"")), ReceiptRefusal::FieldMalformed { field: ReceiptField::RiskMetric }),
        (
            "a greater metric than fits",
            |b| b.field(17, Some(b"4294967296")),
            ReceiptRefusal::FieldMalformed { field: ReceiptField::RiskMetric },
        ),
    ];
    for (name, wrong, expected) in rows {
        assert_eq!(judge(*wrong), Err(expected.clone()), "{name}");
    }
}

#[test]
fn a_receipt_is_about_one_app_and_one_key() {
    let app = |app_id: &str| ReceiptRefusal::AppMismatch { app_id: app_id.to_owned() };
    assert_eq!(judge(|b| b.field(2, Some(b"TEAM123456.com.example.banks"))), Err(app("TEAM123456.com.example.banks")));
    assert_eq!(judge(|b| b.field(2, Some(b""))), Err(app("")));
    let (made, other) = (make(&honest()), make(&honest()));
    let about = |key_spki| {
        let expected = ReceiptOf { app_id: APP, key_spki, age: ReceiptAge::Any };
        verify_receipt(&made.bytes, &expected, &made.anchors(Purpose::AppAttestReceipt), UnixSeconds(NOW)).map(|_| ())
    };
    assert_eq!(about(&made.key_spki), Ok(()));
    assert_eq!(about(&other.key_spki), Err(ReceiptRefusal::KeyMismatch));
    assert_eq!(about(&[]), Err(ReceiptRefusal::KeyMismatch));
}

/// Apple's page speaks of the key, and Apple sends its certificate.
#[test]
fn a_receipt_may_hold_the_bare_key() {
    let other = make(&honest());
    let mut blueprint = honest();
    blueprint.field(3, Some(&other.key_spki));
    let made = Made { key_spki: other.key_spki.clone(), ..make(&blueprint) };
    assert!(judge_at(&made, ReceiptAge::Any, NOW).is_ok());
}

#[test]
fn a_receipt_has_its_time() {
    let made = make(&honest());
    let (created_at, any) = (CREATED_AT, ReceiptAge::Any);
    let (made_at, within) = (created_at.seconds().0, |seconds| ReceiptAge::FreshWithin(Seconds(seconds)));
    let rows: &[(&str, ReceiptAge, u64, Result<(), ReceiptRefusal>)] = &[
        ("fresh enough", within(120), NOW, Ok(())),
        ("a second too old", within(119), NOW, Err(ReceiptRefusal::TooOld { created_at })),
        ("of any age", any, NOW, Ok(())),
        ("made in the same second", within(0), made_at, Ok(())),
        ("as far ahead as clocks may differ", within(0), made_at - 60, Ok(())),
        ("a second further", any, made_at - 61, Err(ReceiptRefusal::CreatedInFuture { created_at })),
        ("in its last second", any, DIES, Ok(())),
        ("before its certificates", any, BORN, Err(ReceiptRefusal::CreatedInFuture { created_at })),
    ];
    for (name, age, now, expected) in rows {
        assert_eq!(judge_at(&made, *age, *now).map(|_| ()), *expected, "{name}");
    }
    let expired = |b: &mut Blueprint| b.field(21, Some(b"2025-06-30T23:59:59.999Z"));
    let expires_at = UnixMillis(NOW * 1000 - 1);
    assert_eq!(judge(expired), Err(ReceiptRefusal::Expired { expires_at }));
    assert!(judge(|b| b.field(21, Some(b"2025-07-01T00:00:00Z"))).is_ok(), "in its last second");
}

#[test]
fn certificates_count_from_their_first_to_their_last_second() {
    let mut blueprint = honest();
    blueprint.field(12, Some(b"2025-01-01T00:00:00Z"));
    blueprint.field(21, Some(b"2026-02-01T00:00:00Z"));
    let made = make(&blueprint);
    let judge = |now| judge_at(&made, ReceiptAge::Any, now).map(|_| ());
    assert_eq!(judge(BORN), Ok(()));
    assert_eq!(judge(BORN - 1), Err(ReceiptRefusal::CertificateNotYetValid { index: 0, not_before: UnixSeconds(BORN) }));
    assert_eq!(judge(DIES), Ok(()));
    assert_eq!(judge(DIES + 1), Err(ReceiptRefusal::CertificateExpired { index: 0, not_after: UnixSeconds(DIES) }));
    assert!(CREATED < EXPIRES);
}

/// For any bytes an answer comes at once: nothing is read more often because it is nested.
#[test]
fn hostile_bytes_are_refused() {
    let made = make(&honest());
    let judge = |bytes: Vec<u8>| judge_at(&Made { bytes, ..make(&honest()) }, ReceiptAge::Any, NOW).map(|_| ());
    assert!(judge([0x30, 0x80].repeat(Limits::RECEIPT_BYTES_MAX / 2)).is_err(), "nested without end");
    assert!(judge([0x24, 0x80].repeat(10)).is_err(), "parts of parts");
    assert!(judge([&[0x30, 0x80][..], &[0x05, 0x00].repeat(10_000)].concat()).is_err(), "many elements and no end");
    assert!(judge(vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff]).is_err(), "a giant length");
    assert!(judge([0x30, 0x84, 0x00, 0x00, 0x7f, 0x00].repeat(4000)).is_err(), "lengths inside lengths");
    let expected = ReceiptOf { app_id: APP, key_spki: &made.key_spki, age: ReceiptAge::Any };
    let anchors = made.anchors(Purpose::AppAttestReceipt);
    for length in 0..made.bytes.len() {
        let cut = made.bytes.get(..length).expect("a part");
        assert!(verify_receipt(cut, &expected, &anchors, UnixSeconds(NOW)).is_err(), "{length} bytes");
    }
}

#[test]
fn refusals_have_reasons_and_words() {
    let (created_at, expires_at, index) = (UnixMillis(0), UnixMillis(0), 1);
    let rows: &[(ReceiptRefusal, Reason)] = &[
        (ReceiptRefusal::AnchorUnknown { issuer: "CN=Root".to_owned() }, Reason::AnchorUnknown),
        (ReceiptRefusal::Expired { expires_at }, Reason::ReceiptExpired),
        (ReceiptRefusal::TooOld { created_at }, Reason::ReceiptExpired),
        (ReceiptRefusal::CreatedInFuture { created_at }, Reason::ReceiptInvalid),
        (ReceiptRefusal::IssuerNotAllowed { index }, Reason::ReceiptInvalid),
        (ReceiptRefusal::NotBer(BerRefusal::Truncated), Reason::ReceiptInvalid),
        (ReceiptRefusal::FieldMissing { field: ReceiptField::RiskMetric }, Reason::ReceiptInvalid),
        (ReceiptRefusal::SignatureInvalid { why: SignatureRefusal::Invalid }, Reason::ReceiptInvalid),
    ];
    for (refusal, reason) in rows {
        assert_eq!(refusal.reason(), *reason, "{refusal}");
        let text = refusal.to_string();
        assert!(text.len() > 20 && !text.ends_with('.') && text.starts_with(char::is_lowercase), "{text}");
    }
}

proptest! {
    /// A receipt in which some bytes are replaced, left out or put in says the same or nothing. Bytes of no meaning at all are
    /// an edit that replaces everything.
    #[test]
    fn no_edit_changes_what_a_receipt_says(
        framing in prop::sample::select(vec![Framing::Definite, Framing::Indefinite]),
        at in any::<prop::sample::Index>(),
        without in prop_oneof![0..4_usize, Just(usize::MAX)],
        with in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let made = make(&Blueprint { framing, ..honest() });
        let genuine = judge_at(&made, ReceiptAge::Any, NOW).expect("an honest receipt");
        let at = if without == usize::MAX { 0 } else { at.index(made.bytes.len()) };
        let until = at.saturating_add(without).min(made.bytes.len());
        let mut changed = made;
        changed.bytes.splice(at..until, with);
        let told = receipt_facts(&changed.bytes);
        if let Ok(receipt) = judge_at(&changed, ReceiptAge::Any, NOW) {
            let told = told.expect("what verifies can be told");
            prop_assert_eq!((told.app_id.as_str(), told.risk_metric, told.created_at), (APP, receipt.risk_metric(), receipt.created_at()));
            prop_assert_eq!(receipt, genuine);
        }
    }
}
