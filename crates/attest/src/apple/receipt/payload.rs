//! The content of a receipt: a set of fields, each with a number, a version and a value.
//!
//! Apple does not sort the set, so the whole is not DER, but its parts are.

use std::collections::BTreeMap;

use countersign_core::{Limits, Secret};
use der::{Decode, Reader, SliceReader, asn1::OctetStringRef};
use x509_cert::SubjectPublicKeyInfo;

use crate::apple::receipt::content::{Receipt, ReceiptEnvironment, ReceiptKind};
use crate::apple::receipt::field::ReceiptField;
use crate::apple::receipt::moment::instant;
use crate::apple::receipt::refusal::ReceiptRefusal;
use crate::x509::Certificate;

/// Content of a receipt, before it is compared with the expected app and key.
pub struct Payload {
    /// The app, as `TEAM.bundle`.
    pub app_id: String,
    /// The attested key as `SubjectPublicKeyInfo` in DER.
    pub key: Vec<u8>,
    /// All other fields of the receipt.
    pub receipt: Receipt,
}

/// Parses the content of a receipt.
pub fn read(content: &[u8]) -> Result<Payload, ReceiptRefusal> {
    let fields = Fields::read(content)?;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    Ok(Payload {
        app_id: fields.required(ReceiptField::AppId, text)?,
        key: fields.required(ReceiptField::AttestedKey, key)?,
        receipt: Receipt {
            kind: fields.required(ReceiptField::Kind, kind)?,
            environment: fields.optional(ReceiptField::ReceiptEnvironment, |bytes| Some(environment(bytes)))?,
            risk_metric: fields.optional(ReceiptField::RiskMetric, number)?,
            created_at: fields.required(ReceiptField::CreatedAt, instant)?,
            not_before: fields.optional(ReceiptField::NotBefore, instant)?,
            expires_at: fields.required(ReceiptField::ExpiresAt, instant)?,
            client_hash: fields.optional(ReceiptField::ClientHash, |bytes| Some(bytes.to_vec()))?,
            token: fields.optional(ReceiptField::Token, |bytes| Some(Secret::new(bytes.to_vec())))?,
            fields_unknown: fields.unknown,
        },
    })
}

struct Fields<'a> {
    known: BTreeMap<ReceiptField, &'a [u8]>,
    unknown: usize,
}

impl<'a> Fields<'a> {
    fn read(content: &'a [u8]) -> Result<Self, ReceiptRefusal> {
        let mut out = Self { known: BTreeMap::new(), unknown: 0 };
        for (count, field) in elements(content).map_err(|_| ReceiptRefusal::ContentMalformed)?.into_iter().enumerate() {
            if count >= Limits::RECEIPT_FIELDS_MAX {
                return Err(ReceiptRefusal::TooManyFields);
            }
            let (number, value) = entry(field).map_err(|_| ReceiptRefusal::ContentMalformed)?;
            match ReceiptField::of(number) {
                Some(field) if out.known.insert(field, value).is_some() => return Err(ReceiptRefusal::FieldRepeated { field }),
                Some(_) => {}
                None => out.unknown = out.unknown.saturating_add(1),
            }
        }
        Ok(out)
    }

    fn optional<T>(&self, field: ReceiptField, read: impl Fn(&[u8]) -> Option<T>) -> Result<Option<T>, ReceiptRefusal> {
        match self.known.get(&field) {
            Some(value) => read(value).map(Some).ok_or(ReceiptRefusal::FieldMalformed { field }),
            None => Ok(None),
        }
    }

    fn required<T>(&self, field: ReceiptField, read: impl Fn(&[u8]) -> Option<T>) -> Result<T, ReceiptRefusal> {
        self.optional(field, read)?.ok_or(ReceiptRefusal::FieldMissing { field })
    }
}

/// The elements of the set, at most one more than is allowed, which is enough to know that there are too many.
fn elements(content: &[u8]) -> der::Result<Vec<&[u8]>> {
    let set = der::asn1::AnyRef::from_der(content)?;
    der::Tagged::tag(&set).assert_eq(der::Tag::Set)?;
    let (mut reader, mut out) = (SliceReader::new(set.value())?, Vec::new());
    while !reader.is_finished() && out.len() <= Limits::RECEIPT_FIELDS_MAX {
        out.push(reader.tlv_bytes()?);
    }
    Ok(out)
}

/// Number and value of a field. Its version has always been 1, and no other meaning is defined, so it is read and ignored.
fn entry(field: &[u8]) -> der::Result<(u32, &[u8])> {
    SliceReader::new(field)?.sequence(|reader| -> der::Result<_> {
        let number = u32::decode(reader)?;
        u32::decode(reader)?;
        Ok((number, <&OctetStringRef>::decode(reader)?.as_bytes()))
    })
}

/// The attested key. Apple's page calls this field the key, but Apple sends the certificate issued for the key; both are accepted. The
/// certificate's signature needs no check, since the receipt's signature covers it.
fn key(bytes: &[u8]) -> Option<Vec<u8>> {
    match Certificate::parse(bytes) {
        Ok(certificate) => Some(certificate.key().spki().to_vec()),
        Err(_) => SubjectPublicKeyInfo::from_der(bytes).ok().map(|_| bytes.to_vec()),
    }
}

fn kind(bytes: &[u8]) -> Option<ReceiptKind> {
    match bytes {
        b"ATTEST" => Some(ReceiptKind::Attest),
        b"RECEIPT" => Some(ReceiptKind::Receipt),
        _ => None,
    }
}

/// Environment from its word. An unknown word is not refused, but it is never taken for production.
fn environment(bytes: &[u8]) -> ReceiptEnvironment {
    match bytes {
        b"production" => ReceiptEnvironment::Production,
        b"sandbox" => ReceiptEnvironment::Sandbox,
        _ => ReceiptEnvironment::Other,
    }
}

fn number(bytes: &[u8]) -> Option<u32> {
    // Rust's parser would accept a leading `+`.
    let digits = bytes.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(bytes).ok().filter(|_| digits)?.parse().ok()
}
