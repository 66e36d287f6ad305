//! Bytes that a receipt's signature covers: the content itself, or attributes that name its type and digest (RFC 5652 section 5.4).

use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{SHA256, digest},
};
use const_oid::ObjectIdentifier;
use der::{
    Decode, Encode,
    asn1::{Any, OctetString, SetOfVec},
};
use x509_cert::attr::Attribute;

use crate::apple::receipt::cms::{DATA, SignedData};
use crate::apple::receipt::refusal::ReceiptRefusal;

const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SET: u8 = 0x31;

/// The bytes that are signed.
///
/// SECURITY: without attributes, the content itself is signed, so an attacker could try to show one signature in both forms. Neither form
/// parses as the other: a field of a receipt begins with a number, an attribute with an object identifier.
pub(crate) fn signed_bytes(data: &SignedData<'_>) -> Result<Vec<u8>, ReceiptRefusal> {
    let Some(attributes) = data.signer.attributes else { return Ok(data.content.clone()) };
    // The attributes are stored with an implicit context tag, but signed with the tag of a SET (RFC 5652 section 5.4).
    let (_, after_tag) = attributes.split_first().ok_or(ReceiptRefusal::AttributesInvalid)?;
    let signed = [&[SET], after_tag].concat();
    let attributes = SetOfVec::<Attribute>::from_der(&signed).map_err(|_| ReceiptRefusal::AttributesInvalid)?;
    // The signature covers the DER form, and the parser above accepts attributes in any order.
    if attributes.to_der().as_deref() != Ok(&signed) {
        return Err(ReceiptRefusal::AttributesInvalid);
    }
    let content_type: ObjectIdentifier = single(&attributes, CONTENT_TYPE)?.decode_as().map_err(|_| ReceiptRefusal::AttributesInvalid)?;
    if content_type != DATA {
        return Err(ReceiptRefusal::ContentTypeMismatch);
    }
    let message_digest: OctetString = single(&attributes, MESSAGE_DIGEST)?.decode_as().map_err(|_| ReceiptRefusal::AttributesInvalid)?;
    verify_slices_are_equal(message_digest.as_bytes(), digest(&SHA256, &data.content).as_ref())
        .map_err(|_| ReceiptRefusal::DigestMismatch)?;
    Ok(signed)
}

/// The only value of the only attribute with this identifier.
fn single(attributes: &SetOfVec<Attribute>, oid: ObjectIdentifier) -> Result<&Any, ReceiptRefusal> {
    let mut found = attributes.iter().filter(|attribute| attribute.oid == oid);
    let (Some(attribute), None) = (found.next(), found.next()) else { return Err(ReceiptRefusal::AttributesInvalid) };
    let mut values = attribute.values.iter();
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(value),
        _ => Err(ReceiptRefusal::AttributesInvalid),
    }
}
