//! `AttestationApplicationId`: the app that made the key, as Android's package manager knows it.

use der::{
    Decode, Reader, SliceReader,
    asn1::{AnyRef, OctetStringRef},
};

/// One Android package of the identity that made the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Package name, such as `com.example.app`.
    pub name: String,
    /// Version code of the package.
    pub version: u64,
}

/// The packages that share the Android user id under which the key was made (nearly always one), and the certificates that signed them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationId {
    /// All packages of the identity.
    pub packages: Vec<Package>,
    /// SHA-256 of each certificate that signed the packages.
    pub signers: Vec<Vec<u8>>,
}

impl ApplicationId {
    /// Parses the DER inside the octet string; `None` when it has another structure.
    pub(super) fn parse(der: &[u8]) -> Option<Self> {
        let whole = AnyRef::from_der(der).ok()?;
        let mut fields = elements(whole, der::Tag::Sequence)?.into_iter();
        let (packages, signers) = (fields.next()?, fields.next()?);
        // A third element would belong to a format that this parser does not know.
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

/// The elements of a sequence or set. Their number is bounded by the number of bytes, and so by the size limit of a certificate.
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
