//! The content of a receipt: a set of fields, each a number, a version and a value.
//!
//! Apple does not sort the set, so it is no DER as a whole; its parts are.

use std::collections::BTreeMap;

use countersign_core::Secret;
use der::{Decode, Reader, SliceReader, asn1::OctetStringRef};
use x509_cert::SubjectPublicKeyInfo;

use crate::apple::receipt::content::{Receipt, ReceiptEnvironment, ReceiptKind};
use crate::apple::receipt::field::ReceiptField;
use crate::apple::receipt::moment::instant;
use crate::apple::receipt::refusal::ReceiptRefusal;
use crate::x509::Certificate;

/// Fields in one receipt; Apple's have ten.
const FIELDS_MAX: usize = 64;

/// What the content says, before anybody asked whether it is about the right thing.
pub struct Payload {
    /// The app, as `TEAM.bundle`.
    pub app_id: String,
    /// The attested key's `SubjectPublicKeyInfo`.
    pub key: Vec<u8>,
    /// The rest.
    pub receipt: Receipt,
}

/// Reads the content.
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
            if count >= FIELDS_MAX {
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

/// The elements of the set. One more than are taken is enough to know that there are too many.
fn elements(content: &[u8]) -> der::Result<Vec<&[u8]>> {
    let set = der::asn1::AnyRef::from_der(content)?;
    der::Tagged::tag(&set).assert_eq(der::Tag::Set)?;
    let (mut reader, mut out) = (SliceReader::new(set.value())?, Vec::new());
    while !reader.is_finished() && out.len() <= FIELDS_MAX {
        out.push(reader.tlv_bytes()?);
    }
    Ok(out)
}

/// A field's number and value. Its version has always been 1 and no other meaning is defined, so it is read and passed over.
fn entry(field: &[u8]) -> der::Result<(u32, &[u8])> {
    SliceReader::new(field)?.sequence(|reader| -> der::Result<_> {
        let number = u32::decode(reader)?;
        u32::decode(reader)?;
        Ok((number, <&OctetStringRef>::decode(reader)?.as_bytes()))
    })
}

/// Apple puts in the certificate that it issued for the key, and its page calls it the key; both are taken. That certificate's
/// signature needs no check, since the receipt's covers it.
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

/// A word that Apple's page does not define refuses nothing; it is only never taken for production.
fn environment(bytes: &[u8]) -> ReceiptEnvironment {
    match bytes {
        b"production" => ReceiptEnvironment::Production,
        b"sandbox" => ReceiptEnvironment::Sandbox,
        _ => ReceiptEnvironment::Other,
    }
}

fn number(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(bytes).ok().filter(|_| digits)?.parse().ok()
}
