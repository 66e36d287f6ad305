//! Encoder of what [`super::key_description`] parses, for test chains and the software phone. A real phone's hardware makes this structure
//! itself.

use der::{
    Encode, TagNumber,
    asn1::{AnyRef, OctetStringRef},
};

use crate::android::application::ApplicationId;
use crate::android::authorization::{AuthorizationList, Value};
use crate::android::boot_state::{self, RootOfTrust};
use crate::android::key_description::KeyDescription;
use crate::android::security_level;

/// Encodes a description as the content of the attestation extension; the inverse of [`KeyDescription::parse`].
///
/// # Errors
/// An error only for content far larger than any certificate.
pub fn encode(description: &KeyDescription) -> der::Result<Vec<u8>> {
    sequence(&[
        description.attestation_version.to_der()?,
        enumerated(security_level::number(description.attestation_security_level))?,
        description.key_mint_version.to_der()?,
        enumerated(security_level::number(description.key_mint_security_level))?,
        octets(&description.challenge)?,
        octets(&description.unique_id)?,
        list(&description.software_enforced)?,
        list(&description.hardware_enforced)?,
    ])
}

/// Encodes the content of the provisioning-information extension with the number of issued certificates: a CBOR map of one pair (RFC 8949).
#[must_use]
pub fn encode_provisioning_info(certificates_issued: u32) -> Vec<u8> {
    // 0xa1 is a map of one pair, 0x01 its key 1, and 0x1a announces an unsigned number in four bytes.
    let mut out = vec![0xa1, 0x01, 0x1a];
    out.extend(certificates_issued.to_be_bytes());
    out
}

fn list(list: &AuthorizationList) -> der::Result<Vec<u8>> {
    let fields = list.iter().map(|entry| {
        let tag = TagNumber(entry.tag.number()).context_specific(true);
        tlv(tag, &value(&entry.value)?)
    });
    sequence(&fields.collect::<der::Result<Vec<_>>>()?)
}

fn value(value: &Value) -> der::Result<Vec<u8>> {
    match value {
        Value::Application(app) => octets(&application(app)?),
        Value::Bytes(bytes) => octets(bytes),
        Value::Integer(number) => number.to_der(),
        Value::Integers(numbers) => set(&numbers.iter().map(Encode::to_der).collect::<der::Result<Vec<_>>>()?),
        Value::Origin(origin) => origin.number().to_der(),
        Value::Present => AnyRef::NULL.to_der(),
        Value::RootOfTrust(root) => root_of_trust(root),
        Value::Unknown(der) => Ok(der.clone()),
    }
}

fn application(app: &ApplicationId) -> der::Result<Vec<u8>> {
    let packages = app.packages.iter().map(|package| sequence(&[octets(package.name.as_bytes())?, package.version.to_der()?]));
    let signers = app.signers.iter().map(|signer| octets(signer));
    sequence(&[set(&packages.collect::<der::Result<Vec<_>>>()?)?, set(&signers.collect::<der::Result<Vec<_>>>()?)?])
}

fn root_of_trust(root: &RootOfTrust) -> der::Result<Vec<u8>> {
    let mut fields =
        vec![octets(&root.verified_boot_key)?, root.device_locked.to_der()?, enumerated(boot_state::number(root.verified_boot_state))?];
    if let Some(hash) = &root.verified_boot_hash {
        fields.push(octets(hash)?);
    }
    sequence(&fields)
}

fn sequence(elements: &[Vec<u8>]) -> der::Result<Vec<u8>> {
    tlv(der::Tag::Sequence, &elements.concat())
}

/// The elements stay in the order given, as the parser keeps it, although DER would sort them.
fn set(elements: &[Vec<u8>]) -> der::Result<Vec<u8>> {
    tlv(der::Tag::Set, &elements.concat())
}

fn octets(bytes: &[u8]) -> der::Result<Vec<u8>> {
    OctetStringRef::new(bytes)?.to_der()
}

fn enumerated(number: u8) -> der::Result<Vec<u8>> {
    tlv(der::Tag::Enumerated, &[number])
}

fn tlv(tag: der::Tag, value: &[u8]) -> der::Result<Vec<u8>> {
    AnyRef::new(tag, value)?.to_der()
}
