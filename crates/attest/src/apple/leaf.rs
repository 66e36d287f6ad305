//! Apple's extensions in the certificate of an attested key.

use const_oid::ObjectIdentifier;
use countersign_core::Limits;
use der::{
    Decode, Reader, SliceReader, Tag,
    asn1::{AnyRef, OctetStringRef},
};

use crate::apple::refusal::AppleRefusal;
use crate::x509::Certificate;

/// Object identifier of the extension that holds the nonce: `SEQUENCE { [1] EXPLICIT OCTET STRING }`.
pub const NONCE_EXTENSION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113635.100.8.2");

/// Object identifier of the extension that describes the operating system. Apple does not document it. On every device seen so far it is a
/// sequence of explicitly tagged values, of which `[1400]` is the version of the system as text.
const SYSTEM_EXTENSION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113635.100.8.7");
const SYSTEM_VERSION_TAG: u32 = 1400;

/// The nonce that Apple put into the certificate.
pub(super) fn nonce(leaf: &Certificate) -> Result<[u8; 32], AppleRefusal> {
    let content = leaf.extension(NONCE_EXTENSION).ok_or(AppleRefusal::NonceMissing)?;
    let sequence = AnyRef::from_der(content).ok().filter(|any| any.header().tag() == Tag::Sequence);
    sequence
        .and_then(|sequence| AnyRef::from_der(sequence.value()).ok())
        .and_then(|field| explicit(field, 1))
        .and_then(|octets| <[u8; 32]>::try_from(octets).ok())
        .ok_or(AppleRefusal::NonceMalformed)
}

/// Version of the operating system, when the extension has the usual form. No decision depends on it, so any other form counts as absent.
pub(super) fn system_version(leaf: &Certificate) -> Option<String> {
    let sequence = AnyRef::from_der(leaf.extension(SYSTEM_EXTENSION)?).ok().filter(|any| any.header().tag() == Tag::Sequence)?;
    let mut reader = SliceReader::new(sequence.value()).ok()?;
    while !reader.is_finished() {
        if let Some(octets) = explicit(AnyRef::decode(&mut reader).ok()?, SYSTEM_VERSION_TAG) {
            let text = std::str::from_utf8(octets).ok()?;
            // The text goes into reports, so only short printable ASCII is accepted.
            let plausible = (1..=Limits::SYSTEM_VERSION_BYTES_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
            return plausible.then(|| text.to_owned());
        }
    }
    None
}

/// Octets of a field with this explicit tag; `None` for another tag or type.
fn explicit(field: AnyRef<'_>, tag: u32) -> Option<&[u8]> {
    let Tag::ContextSpecific { constructed: true, number } = field.header().tag() else { return None };
    if number.value() != tag {
        return None;
    }
    <&OctetStringRef>::from_der(field.value()).ok().map(OctetStringRef::as_bytes)
}
