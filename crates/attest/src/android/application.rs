//! `AttestationApplicationId`: the app that made the key, as Android's package manager knows it.

use der::{
    Decode, Reader, SliceReader,
    asn1::{AnyRef, OctetStringRef},
};

/// One Android package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version code.
    pub version: u64,
}

/// The packages that share the identity under which the key was made (nearly always one), and who signed them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationId {
    /// The packages.
    pub packages: Vec<Package>,
    /// SHA-256 of each certificate that signed them.
    pub signers: Vec<Vec<u8>>,
}

impl ApplicationId {
    /// Reads the DER inside the octet string; `None` when it is something else.
    pub(super) fn parse(der: &[u8]) -> Option<Self> {
        let whole = AnyRef::from_der(der).ok()?;
        let mut fields = elements(whole, der::Tag::Sequence)?.into_iter();
        let (packages, signers) = (fields.next()?, fields.next()?);
        if fields.next().is_some() {
            return None;
        }
        let packages = elements(packages, der::Tag::Set)?.into_iter().map(package).collect::<Option<_>>()?;
        let digest = |any: AnyRef<'_>| any.decode_as::<&OctetStringRef>().ok().map(|digest| digest.as_bytes().to_vec());
        let signers = elements(signers, der::Tag::Set)?.into_iter().map(digest).collect::<Option<_>>()?;
        Some(Self { packages, signers })
    }
}

fn package(any: AnyRef<'_>) -> Option<Package> {
    match elements(any, der::Tag::Sequence)?.as_slice() {
        [name, version] => {
            let name = name.decode_as::<&OctetStringRef>().ok()?.as_bytes().to_vec();
            Some(Package { name: String::from_utf8(name).ok()?, version: version.decode_as().ok()? })
        }
        _ => None,
    }
}

/// The elements of a sequence or set; never more than its bytes, so never more than a certificate's.
fn elements(any: AnyRef<'_>, tag: der::Tag) -> Option<Vec<AnyRef<'_>>> {
    if any.header().tag() != tag {
        return None;
    }
    let mut reader = SliceReader::new(any.value()).ok()?;
    let mut out = Vec::new();
    while !reader.is_finished() {
        out.push(AnyRef::decode(&mut reader).ok()?);
    }
    Some(out)
}
