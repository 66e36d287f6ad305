//! Signed data with one signer and its certificates (RFC 5652 sections 3 and 5), as far as Apple uses it.
//!
//! Parts that Apple never sends (revocation lists, unsigned attributes, key identifiers instead of issuer and serial number) are refused,
//! not skipped.

use const_oid::ObjectIdentifier;
use countersign_core::Limits;
use der::Decode;
use x509_cert::{name::Name, serial_number::SerialNumber};

use crate::apple::receipt::ber::{Element, Elements};
use crate::apple::receipt::refusal::ReceiptRefusal;

/// Object identifier of the content type of plain bytes (RFC 5652 section 4).
pub const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
/// Object identifier of SHA-256 (RFC 5754 section 2.2).
pub const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const NULL: u8 = 0x05;
const OID: u8 = 0x06;
const OCTET_STRING_CONSTRUCTED: u8 = 0x24;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const CONTEXT_0: u8 = 0xa0;

/// Signed data that parsed. Nothing in it is verified.
pub struct SignedData<'a> {
    /// The content, with its parts joined.
    pub content: Vec<u8>,
    /// The certificates in DER, as they were received.
    pub certificates: Vec<&'a [u8]>,
    /// The one signer of the content.
    pub signer: Signer<'a>,
}

/// Signer of the data, with the signature.
pub struct Signer<'a> {
    /// Issuer of the signer's certificate.
    pub issuer: Name,
    /// Serial number of the signer's certificate.
    pub serial: SerialNumber,
    /// Signed attributes as they were received, with their implicit tag; `None` when the content itself is signed.
    pub attributes: Option<&'a [u8]>,
    /// Algorithm of the signature.
    pub algorithm: ObjectIdentifier,
    /// The signature over content or attributes.
    pub signature: &'a [u8],
}

/// Parses the outer structure of a receipt.
pub fn read(bytes: &[u8]) -> Result<SignedData<'_>, ReceiptRefusal> {
    let outer = only(bytes, SEQUENCE)?;
    let mut outer = Elements::of(outer.body);
    expect_oid(&mut outer, SIGNED_DATA)?;
    let explicit = last(&mut outer, CONTEXT_0)?;
    let mut data = Elements::of(only(explicit.body, SEQUENCE)?.body);
    expect_version_1(&mut data)?;
    // Only SHA-256 may stand here and at the signer, so that nobody can choose a weaker digest.
    digests(take(&mut data, SET)?)?;
    let content = content(take(&mut data, SEQUENCE)?)?;
    let certificates = certificates(take(&mut data, CONTEXT_0)?)?;
    let signers = last(&mut data, SET)?;
    Ok(SignedData { content, certificates, signer: signer(only_signer(signers)?)? })
}

fn next<'a>(elements: &mut Elements<'a>) -> Result<Option<Element<'a>>, ReceiptRefusal> {
    elements.next().map_err(ReceiptRefusal::NotBer)
}

/// Reads the next element, which must have this tag.
fn take<'a>(elements: &mut Elements<'a>, tag: u8) -> Result<Element<'a>, ReceiptRefusal> {
    next(elements)?.filter(|element| element.tag == tag).ok_or(ReceiptRefusal::NotSignedData)
}

fn end(elements: &Elements<'_>) -> Result<(), ReceiptRefusal> {
    if elements.is_empty() { Ok(()) } else { Err(ReceiptRefusal::NotSignedData) }
}

/// Reads the next element, which must have this tag and be the last one.
fn last<'a>(elements: &mut Elements<'a>, tag: u8) -> Result<Element<'a>, ReceiptRefusal> {
    let out = take(elements, tag)?;
    end(elements)?;
    Ok(out)
}

/// The only element of `bytes`, which must have this tag.
fn only(bytes: &[u8], tag: u8) -> Result<Element<'_>, ReceiptRefusal> {
    last(&mut Elements::of(bytes), tag)
}

fn oid(element: Element<'_>) -> Result<ObjectIdentifier, ReceiptRefusal> {
    ObjectIdentifier::from_bytes(element.body).map_err(|_| ReceiptRefusal::NotSignedData)
}

fn expect_oid(elements: &mut Elements<'_>, expected: ObjectIdentifier) -> Result<(), ReceiptRefusal> {
    let found = oid(take(elements, OID)?)?;
    if found == expected { Ok(()) } else { Err(ReceiptRefusal::NotSignedData) }
}

/// Reads the version, which must be 1: plain content, and a signer named by issuer and serial number (RFC 5652 sections 5.1 and 5.3).
fn expect_version_1(elements: &mut Elements<'_>) -> Result<(), ReceiptRefusal> {
    if take(elements, INTEGER)?.body == [1] { Ok(()) } else { Err(ReceiptRefusal::NotSignedData) }
}

/// Identifier of an algorithm without parameters, whether they are absent or NULL (RFC 5754 section 2).
fn algorithm(element: Element<'_>) -> Result<ObjectIdentifier, ReceiptRefusal> {
    let mut parts = Elements::of(element.body);
    let out = oid(take(&mut parts, OID)?)?;
    if !parts.is_empty() && !last(&mut parts, NULL)?.body.is_empty() {
        return Err(ReceiptRefusal::NotSignedData);
    }
    Ok(out)
}

fn expect_sha_256(element: Element<'_>) -> Result<(), ReceiptRefusal> {
    if algorithm(element)? == SHA_256 { Ok(()) } else { Err(ReceiptRefusal::DigestRefused) }
}

fn digests(set: Element<'_>) -> Result<(), ReceiptRefusal> {
    expect_sha_256(only(set.body, SEQUENCE)?)
}

/// The content, which may be split into parts. Parts that are split again would be legal (X.690 section 8.7.3); nobody makes them, so they
/// are refused.
fn content(element: Element<'_>) -> Result<Vec<u8>, ReceiptRefusal> {
    let mut parts = Elements::of(element.body);
    expect_oid(&mut parts, DATA)?;
    let mut explicit = Elements::of(last(&mut parts, CONTEXT_0)?.body);
    // The content is either one string, or a constructed string of several parts.
    if explicit.peek() == Some(OCTET_STRING) {
        return Ok(last(&mut explicit, OCTET_STRING)?.body.to_vec());
    }
    let (mut segments, mut out) = (Elements::of(last(&mut explicit, OCTET_STRING_CONSTRUCTED)?.body), Vec::new());
    while !segments.is_empty() {
        out.extend_from_slice(take(&mut segments, OCTET_STRING)?.body);
    }
    Ok(out)
}

fn certificates(set: Element<'_>) -> Result<Vec<&[u8]>, ReceiptRefusal> {
    let (mut elements, mut out) = (Elements::of(set.body), Vec::new());
    while !elements.is_empty() {
        if out.len() >= Limits::RECEIPT_CERTIFICATES_MAX {
            return Err(ReceiptRefusal::TooManyCertificates);
        }
        out.push(take(&mut elements, SEQUENCE)?.whole);
    }
    Ok(out)
}

fn only_signer(set: Element<'_>) -> Result<Element<'_>, ReceiptRefusal> {
    let (mut elements, mut all) = (Elements::of(set.body), Vec::new());
    // Counted to a bound, so that a receipt full of signers costs nothing.
    while !elements.is_empty() && all.len() < Limits::RECEIPT_SIGNERS_COUNTED_MAX {
        all.push(take(&mut elements, SEQUENCE)?);
    }
    match all.as_slice() {
        [one] => Ok(*one),
        _ => Err(ReceiptRefusal::WrongSignerCount { count: all.len() }),
    }
}

fn signer(element: Element<'_>) -> Result<Signer<'_>, ReceiptRefusal> {
    let mut parts = Elements::of(element.body);
    expect_version_1(&mut parts)?;
    let mut identifier = Elements::of(take(&mut parts, SEQUENCE)?.body);
    let issuer = Name::from_der(take(&mut identifier, SEQUENCE)?.whole).map_err(|_| ReceiptRefusal::NotSignedData)?;
    let serial = SerialNumber::from_der(last(&mut identifier, INTEGER)?.whole).map_err(|_| ReceiptRefusal::NotSignedData)?;
    expect_sha_256(take(&mut parts, SEQUENCE)?)?;
    // Kept with its head: the signature covers it with another tag (RFC 5652 section 5.4).
    let attributes = if parts.peek() == Some(CONTEXT_0) { Some(take(&mut parts, CONTEXT_0)?.whole) } else { None };
    let algorithm = algorithm(take(&mut parts, SEQUENCE)?)?;
    let signature = last(&mut parts, OCTET_STRING)?.body;
    Ok(Signer { issuer, serial, attributes, algorithm, signature })
}
