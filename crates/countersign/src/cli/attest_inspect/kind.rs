//! Which kind of evidence a file holds, by its content alone.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_attest::report::REPORT_TYPE;
use serde_json::Value;

use crate::cli::attest_inspect::asked::base64;

/// Evidence, as far as it is seen at a glance what it is. Alphabetical.
#[derive(Debug, PartialEq, Eq)]
pub enum Evidence {
    /// An Android chain: PEM blocks, or a JSON list.
    AndroidChain(String),
    /// A signature of App Attest's key.
    AppleAssertion(Vec<u8>),
    /// Apple's word about a key.
    AppleAttestation(Vec<u8>),
    /// Apple's record of an attestation.
    AppleReceipt(Vec<u8>),
    /// What Google decoded, or what a token held.
    PlayPayload(String),
    /// An encrypted verdict.
    PlayToken(String),
    /// What the SDK says of its phone.
    Report(String),
}

/// What is expected of a file.
pub const EXPECTED: &str = "expected an Android chain (PEM blocks, or a JSON list of certificates in base64), an App Attest attestation, \
                            assertion or receipt (bytes, or their base64), a Play Integrity token (five parts with a `.` between them) \
                            or its decoded payload (JSON), or a posture report (a JWS of type `csign-report+jwt`)";

/// The content type of a receipt, signed data (RFC 5652 section 5.1), as an object identifier in DER.
const SIGNED_DATA: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];

/// How far into a receipt its content type stands at most: behind a tag and a length.
const SIGNED_DATA_WITHIN: usize = 24;

/// Says what it is, or nothing.
pub fn recognise(bytes: Vec<u8>) -> Option<Evidence> {
    match String::from_utf8(bytes) {
        // What is bytes may be a text by chance.
        Ok(text) => of_text(&text).or_else(|| of_bytes(text.into_bytes())),
        Err(error) => of_bytes(error.into_bytes()),
    }
}

fn of_text(text: &str) -> Option<Evidence> {
    let trimmed = text.trim();
    if trimmed.starts_with('[') || trimmed.contains("-----BEGIN CERTIFICATE-----") {
        return Some(Evidence::AndroidChain(text.to_owned()));
    }
    if trimmed.starts_with('{') {
        let value: Value = serde_json::from_str(trimmed).ok()?;
        let verdict = value.get("requestDetails").is_some() || value.get("tokenPayloadExternal").is_some();
        return verdict.then(|| Evidence::PlayPayload(text.to_owned()));
    }
    match trimmed.split('.').count() {
        5 => Some(Evidence::PlayToken(trimmed.to_owned())),
        3 => is_report(trimmed).then(|| Evidence::Report(trimmed.to_owned())),
        _ => {
            let compact: String = trimmed.split_whitespace().collect();
            of_bytes(base64(&compact).ok()?)
        }
    }
}

fn is_report(jws: &str) -> bool {
    let header = jws.split('.').next().and_then(|header| URL_SAFE_NO_PAD.decode(header).ok());
    let header: Option<Value> = header.and_then(|header| serde_json::from_slice(&header).ok());
    header.is_some_and(|header| header.get("typ").and_then(Value::as_str) == Some(REPORT_TYPE))
}

fn of_bytes(bytes: Vec<u8>) -> Option<Evidence> {
    let holds = |part: &[u8], within: usize| bytes.windows(part.len()).take(within).any(|window| window == part);
    // A map of CBOR with fewer than 24 entries (RFC 8949 section 3), a SEQUENCE of DER or BER.
    match bytes.first() {
        Some(0xa0..=0xb7) if holds(b"attStmt", usize::MAX) => Some(Evidence::AppleAttestation(bytes)),
        Some(0xa0..=0xb7) if holds(b"authenticatorData", usize::MAX) => Some(Evidence::AppleAssertion(bytes)),
        Some(0x30) if holds(SIGNED_DATA, SIGNED_DATA_WITHIN) => Some(Evidence::AppleReceipt(bytes)),
        Some(_) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::STANDARD;

    #[test]
    fn evidence_is_known_by_its_content() {
        let attestation = b"\xa3\x63fmt\x6fapple-appattest\x67attStmt".to_vec();
        let assertion = b"\xa2\x69signature\x41\x00\x71authenticatorData\x40".to_vec();
        let receipt = [&[0x30, 0x80][..], SIGNED_DATA, &[0xa0, 0x80]].concat();
        let header = |typ: &str| URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"ES256","typ":"{typ}"}}"#));
        let report = format!("{}.e30.c2ln", header("csign-report+jwt"));
        let payload = r#"{"requestDetails":{}}"#;
        let text = |text: &str| text.as_bytes().to_vec();
        let rows: Vec<(&str, Vec<u8>, Option<Evidence>)> = vec![
            ("PEM", text("-----BEGIN CERTIFICATE-----"), Some(Evidence::AndroidChain("-----BEGIN CERTIFICATE-----".to_owned()))),
            ("a list", text("[]"), Some(Evidence::AndroidChain("[]".to_owned()))),
            ("an attestation", attestation.clone(), Some(Evidence::AppleAttestation(attestation.clone()))),
            ("in base64", STANDARD.encode(&attestation).into_bytes(), Some(Evidence::AppleAttestation(attestation.clone()))),
            (
                "in base64url, with line breaks",
                format!("{}\n", URL_SAFE_NO_PAD.encode(&attestation).replace('t', "t\n")).into_bytes(),
                Some(Evidence::AppleAttestation(attestation)),
            ),
            ("an assertion", assertion.clone(), Some(Evidence::AppleAssertion(assertion))),
            ("a receipt", receipt.clone(), Some(Evidence::AppleReceipt(receipt.clone()))),
            ("a receipt in base64", STANDARD.encode(&receipt).into_bytes(), Some(Evidence::AppleReceipt(receipt))),
            ("a token", text("a.b.c.d.e\n"), Some(Evidence::PlayToken("a.b.c.d.e".to_owned()))),
            ("a payload", text(payload), Some(Evidence::PlayPayload(payload.to_owned()))),
            ("a report", text(&report), Some(Evidence::Report(report.clone()))),
            ("another JWS", text(&format!("{}.e30.c2ln", header("at+jwt"))), None),
            ("another object", text(r#"{"samples":[]}"#), None),
            ("no JSON", text("{"), None),
            ("a certificate in DER", vec![0x30, 0x82, 0x01, 0x00, 0x30, 0x82], None),
            ("another map of CBOR", b"\xa1\x61a\x01".to_vec(), None),
            ("words", text("nothing of the kind"), None),
            ("nothing", Vec::new(), None),
        ];
        for (name, bytes, expected) in rows {
            assert_eq!(recognise(bytes), expected, "{name}");
        }
    }
}
