//! Authenticator data (WebAuthn section 6.1) as App Attest fills it in.
//!
//! Apple departs from WebAuthn in two ways. Assertions have the flag for a credential, but none follows. From iOS 27 on, a map of
//! extensions ends the data, often without its flag. The rule here is therefore: an attestation has a credential and its flag, an assertion
//! has no credential; after that comes nothing or one map of extensions, and the map must be there when its flag is set.

use countersign_core::Limits;

use crate::apple::cbor::{Reader, once, required};
use crate::apple::refusal::FormatRefusal;
use crate::apple::tolerance::shown;

/// Statements of the operating system about the app as it launched it, from iOS 27 on. They are read and reported, but nothing is required
/// of them here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Launch {
    bundle_version: Option<String>,
    validation_category: Option<u32>,
    unknown: Vec<String>,
}

impl Launch {
    /// Version of the app's bundle (`apple_bundle_version_01`).
    #[must_use]
    pub fn bundle_version(&self) -> Option<&str> {
        self.bundle_version.as_deref()
    }

    /// Kind of signature with which the app was allowed to launch (`apple_validation_category_01`), by Apple's numbers: 2 for TestFlight, 3
    /// for development, 4 for the App Store. An app from the store that says 3 was signed again by somebody else.
    #[must_use]
    pub const fn validation_category(&self) -> Option<u32> {
        self.validation_category
    }

    /// Names of the extensions that this version does not know, in their order; of an odd name only the printable part. They were passed over
    /// (`tolerance.rs` says which, and why that is safe).
    #[must_use]
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }
}

/// Content of an assertion's authenticator data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asserting {
    pub rp_id_hash: [u8; 32],
    pub counter: u32,
    pub launch: Launch,
}

/// Content of an attestation's authenticator data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attesting {
    pub rp_id_hash: [u8; 32],
    pub counter: u32,
    pub aaguid: [u8; 16],
    pub credential_id: Vec<u8>,
    pub credential_point: [u8; 65],
    pub launch: Launch,
}

impl Asserting {
    pub(super) fn parse(data: &[u8]) -> Result<Self, FormatRefusal> {
        let (fixed, rest) = Fixed::split(data)?;
        let launch = launch(fixed.flags, rest)?;
        Ok(Self { rp_id_hash: fixed.rp_id_hash, counter: fixed.counter, launch })
    }
}

impl Attesting {
    pub(super) fn parse(data: &[u8]) -> Result<Self, FormatRefusal> {
        let (fixed, rest) = Fixed::split(data)?;
        if fixed.flags & ATTESTED_CREDENTIAL == 0 {
            return Err(FormatRefusal::CredentialMissing);
        }
        let short = FormatRefusal::AuthenticatorDataShort;
        let (aaguid, rest) = rest.split_first_chunk::<16>().ok_or(short)?;
        let (length, rest) = rest.split_first_chunk::<2>().ok_or(short)?;
        let (credential_id, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(short)?;
        let mut reader = Reader::new(rest);
        let credential_point = credential_point(&mut reader)?;
        let launch = launch(fixed.flags, reader.rest())?;
        Ok(Self {
            rp_id_hash: fixed.rp_id_hash,
            counter: fixed.counter,
            aaguid: *aaguid,
            credential_id: credential_id.to_vec(),
            credential_point,
            launch,
        })
    }
}

/// Flag AT: a credential follows.
const ATTESTED_CREDENTIAL: u8 = 0x40;
/// Flag ED: extensions follow.
const EXTENSION_DATA: u8 = 0x80;

struct Fixed {
    rp_id_hash: [u8; 32],
    flags: u8,
    counter: u32,
}

impl Fixed {
    fn split(data: &[u8]) -> Result<(Self, &[u8]), FormatRefusal> {
        if data.len() > Limits::AUTHENTICATOR_DATA_BYTES_MAX {
            return Err(FormatRefusal::TooLarge);
        }
        let short = FormatRefusal::AuthenticatorDataShort;
        let (rp_id_hash, rest) = data.split_first_chunk::<32>().ok_or(short)?;
        let (flags, rest) = rest.split_first().ok_or(short)?;
        let (counter, rest) = rest.split_first_chunk::<4>().ok_or(short)?;
        Ok((Self { rp_id_hash: *rp_id_hash, flags: *flags, counter: u32::from_be_bytes(*counter) }, rest))
    }
}

/// The credential's key as an uncompressed point (SEC 1 section 2.3.3). This function does not check that the point lies on the curve.
fn credential_point(reader: &mut Reader<'_>) -> Result<[u8; 65], FormatRefusal> {
    let (mut kind, mut algorithm, mut curve, mut x, mut y) = (None, None, None, None, None);
    for _ in 0..reader.map()? {
        match reader.integer()? {
            1 => once(&mut kind, reader.integer()?)?,
            3 => once(&mut algorithm, reader.integer()?)?,
            -1 => once(&mut curve, reader.integer()?)?,
            -2 => once(&mut x, reader.bytes()?)?,
            -3 => once(&mut y, reader.bytes()?)?,
            _ => return Err(FormatRefusal::FieldUnknown),
        }
    }
    // kty 2 is EC2, alg -7 is ES256, crv 1 is P-256 (RFC 9053 sections 7.1 and 2.1).
    let names = (required(kind, "kty")?, required(algorithm, "alg")?, required(curve, "crv")?);
    let x = <&[u8; 32]>::try_from(required(x, "x")?).map_err(|_| FormatRefusal::CredentialKeyMalformed)?;
    let y = <&[u8; 32]>::try_from(required(y, "y")?).map_err(|_| FormatRefusal::CredentialKeyMalformed)?;
    if names != (2, -7, 1) {
        return Err(FormatRefusal::CredentialKeyMalformed);
    }
    // The first byte, 4, marks an uncompressed point.
    let mut point = [4; 65];
    point.iter_mut().skip(1).zip(x.iter().chain(y)).for_each(|(to, from)| *to = *from);
    Ok(point)
}

/// The map of extensions, when there is one. Unknown extensions are passed over as `tolerance.rs` says: later systems may add some.
fn launch(flags: u8, rest: &[u8]) -> Result<Launch, FormatRefusal> {
    if rest.is_empty() {
        return if flags & EXTENSION_DATA == 0 { Ok(Launch::default()) } else { Err(FormatRefusal::ExtensionsMissing) };
    }
    let mut reader = Reader::new(rest);
    // The claimed number is checked before memory is reserved for it.
    let count = usize::try_from(reader.map()?).unwrap_or(usize::MAX);
    if count > Limits::AUTHENTICATOR_EXTENSIONS_MAX {
        return Err(FormatRefusal::TooManyExtensions);
    }
    let (mut names, mut out) = (Vec::with_capacity(count), Launch::default());
    for _ in 0..count {
        let name = reader.text()?;
        // SECURITY: of two extensions with one name, another parser might read the other one.
        if names.contains(&name) {
            return Err(FormatRefusal::FieldRepeated);
        }
        names.push(name);
        match name {
            "apple_bundle_version_01" => out.bundle_version = Some(bundle_version(reader.text())?),
            "apple_validation_category_01" => out.validation_category = Some(validation_category(reader.bytes())?),
            unknown => {
                reader.pass_over(Limits::AUTHENTICATOR_EXTENSION_LEVELS_MAX)?;
                out.unknown.push(shown(unknown));
            }
        }
    }
    reader.finish()?;
    Ok(out)
}

fn bundle_version(value: Result<&str, FormatRefusal>) -> Result<String, FormatRefusal> {
    let printable = |text: &&str| text.len() <= Limits::BUNDLE_VERSION_BYTES_MAX && text.bytes().all(|b| b == b' ' || b.is_ascii_graphic());
    value.ok().filter(printable).map(str::to_owned).ok_or(FormatRefusal::ExtensionMalformed)
}

/// A number in four bytes, least significant byte first.
fn validation_category(value: Result<&[u8], FormatRefusal>) -> Result<u32, FormatRefusal> {
    let bytes = value.ok().and_then(|bytes| <[u8; 4]>::try_from(bytes).ok()).ok_or(FormatRefusal::ExtensionMalformed)?;
    Ok(u32::from_le_bytes(bytes))
}
