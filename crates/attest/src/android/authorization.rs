//! The authorization lists of a key description: the properties of a key that software enforces, and those that hardware enforces.
//!
//! The parser is tolerant where phones differ (any order of tags, unknown tags) and strict where the meaning depends on it (each tag at
//! most once, each value of its tag's type, in DER).

use countersign_core::Limits;
use der::{
    Decode, Reader, SliceReader,
    asn1::{AnyRef, OctetStringRef},
};

use crate::android::application::ApplicationId;
use crate::android::boot_state::RootOfTrust;
use crate::android::origin::Origin;
use crate::android::refusal::DescriptionRefusal;

/// Type of the value of a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Application,
    Bytes,
    Integer,
    Integers,
    Origin,
    Present,
    RootOfTrust,
}

/// Value of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// The app that made the key.
    Application(ApplicationId),
    /// Bytes; UTF-8 text for the identifiers of a phone.
    Bytes(Vec<u8>),
    /// A number: a size, an enumerated value, a version, or a time in milliseconds since 1970.
    Integer(u64),
    /// A set of enumerated values, in the order in which they stand; some phones repeat one.
    Integers(Vec<u64>),
    /// The way in which the key came into its keystore.
    Origin(Origin),
    /// No value: the presence of the tag is the statement.
    Present,
    /// The state in which the phone booted.
    RootOfTrust(RootOfTrust),
    /// The DER inside a tag that this parser does not know.
    Unknown(Vec<u8>),
}

/// One tag and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// The property that is stated.
    pub tag: Tag,
    /// The value of the property. The encoder refuses a value that is not of the tag's type.
    pub value: Value,
}

macro_rules! tags {
    ($($variant:ident = $number:literal, $name:literal, $shape:ident;)*) => {
        /// A property of a key or of the phone: a tag of Keymaster or KeyMint. Ordered by number.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Tag {
            $(
                #[doc = concat!("`", $name, "`, ", stringify!($number), ".")]
                $variant,
            )*
            /// A tag that this parser does not know, by its number. It is skipped, since later versions may add tags.
            Other(u32),
        }

        impl Tag {
            /// All known tags, by number.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The tag with this number.
            #[must_use]
            pub const fn from_number(number: u32) -> Self {
                match number {
                    $($number => Self::$variant,)*
                    other => Self::Other(other),
                }
            }

            /// Number of the tag.
            #[must_use]
            pub const fn number(self) -> u32 {
                match self {
                    $(Self::$variant => $number,)*
                    Self::Other(number) => number,
                }
            }

            /// Name of the tag in Google's verifier; `None` for an unknown tag.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$variant => Some($name),)*
                    Self::Other(_) => None,
                }
            }

            const fn shape(self) -> Option<Shape> {
                match self {
                    $(Self::$variant => Some(Shape::$shape),)*
                    Self::Other(_) => None,
                }
            }
        }
    };
}

tags! {
    Purpose = 1, "purposes", Integers;
    Algorithm = 2, "algorithms", Integer;
    KeySize = 3, "keySize", Integer;
    BlockMode = 4, "blockModes", Integers;
    Digest = 5, "digests", Integers;
    Padding = 6, "paddings", Integers;
    CallerNonce = 7, "callerNonce", Present;
    MinMacLength = 8, "minMacLength", Integer;
    EcCurve = 10, "ecCurve", Integer;
    MlDsaVariant = 11, "mlDsaVariant", Integer;
    RsaPublicExponent = 200, "rsaPublicExponent", Integer;
    RsaOaepMgfDigest = 203, "rsaOaepMgfDigests", Integers;
    RollbackResistance = 303, "rollbackResistance", Present;
    EarlyBootOnly = 305, "earlyBootOnly", Present;
    ActiveDateTime = 400, "activeDateTime", Integer;
    OriginationExpireDateTime = 401, "originationExpireDateTime", Integer;
    UsageExpireDateTime = 402, "usageExpireDateTime", Integer;
    UsageCountLimit = 405, "usageCountLimit", Integer;
    NoAuthRequired = 503, "noAuthRequired", Present;
    UserAuthType = 504, "userAuthType", Integer;
    AuthTimeout = 505, "authTimeout", Integer;
    AllowWhileOnBody = 506, "allowWhileOnBody", Present;
    TrustedUserPresenceRequired = 507, "trustedUserPresenceRequired", Present;
    TrustedConfirmationRequired = 508, "trustedConfirmationRequired", Present;
    UnlockedDeviceRequired = 509, "unlockedDeviceRequired", Present;
    AllApplications = 600, "allApplications", Present;
    CreationDateTime = 701, "creationDateTime", Integer;
    Origin = 702, "origin", Origin;
    RollbackResistant = 703, "rollbackResistant", Present;
    RootOfTrust = 704, "rootOfTrust", RootOfTrust;
    OsVersion = 705, "osVersion", Integer;
    OsPatchLevel = 706, "osPatchLevel", Integer;
    AttestationApplicationId = 709, "attestationApplicationId", Application;
    AttestationIdBrand = 710, "attestationIdBrand", Bytes;
    AttestationIdDevice = 711, "attestationIdDevice", Bytes;
    AttestationIdProduct = 712, "attestationIdProduct", Bytes;
    AttestationIdSerial = 713, "attestationIdSerial", Bytes;
    AttestationIdImei = 714, "attestationIdImei", Bytes;
    AttestationIdMeid = 715, "attestationIdMeid", Bytes;
    AttestationIdManufacturer = 716, "attestationIdManufacturer", Bytes;
    AttestationIdModel = 717, "attestationIdModel", Bytes;
    VendorPatchLevel = 718, "vendorPatchLevel", Integer;
    BootPatchLevel = 719, "bootPatchLevel", Integer;
    DeviceUniqueAttestation = 720, "deviceUniqueAttestation", Present;
    AttestationIdSecondImei = 723, "attestationIdSecondImei", Bytes;
    ModuleHash = 724, "moduleHash", Bytes;
}

/// One authorization list. Each tag stands in it at most once; the order is that of the certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthorizationList {
    entries: Vec<Authorization>,
}

impl AuthorizationList {
    /// A list of these entries, in this order.
    ///
    /// # Errors
    /// A refusal when a tag stands twice, when a value is not of its tag's type, or when there are too many entries.
    pub fn new(entries: Vec<Authorization>) -> Result<Self, DescriptionRefusal> {
        let mut out = Self::default();
        for entry in entries {
            // Everything that the encoder writes must parse again.
            if entry.tag.shape() != entry.value.shape() {
                return Err(DescriptionRefusal::TagMalformed { number: entry.tag.number() });
            }
            out.push(entry)?;
        }
        Ok(out)
    }

    /// Parses the elements of the `AuthorizationList` sequence.
    pub(super) fn parse(sequence: AnyRef<'_>) -> Result<Self, DescriptionRefusal> {
        if sequence.header().tag() != der::Tag::Sequence {
            return Err(DescriptionRefusal::NotDer);
        }
        let mut reader = SliceReader::new(sequence.value()).map_err(|_| DescriptionRefusal::NotDer)?;
        let mut out = Self::default();
        while !reader.is_finished() {
            let field = AnyRef::decode(&mut reader).map_err(|_| DescriptionRefusal::NotDer)?;
            // Every element is tagged explicitly with the number of its property.
            let der::Tag::ContextSpecific { constructed: true, number } = field.header().tag() else {
                return Err(DescriptionRefusal::NotDer);
            };
            let tag = Tag::from_number(number.value());
            let malformed = DescriptionRefusal::TagMalformed { number: tag.number() };
            out.push(Authorization { tag, value: Value::parse(tag, field.value()).ok_or(malformed)? })?;
        }
        Ok(out)
    }

    /// Value of a tag, when the list has it.
    #[must_use]
    pub fn find(&self, tag: Tag) -> Option<&Value> {
        self.entries.iter().find(|entry| entry.tag == tag).map(|entry| &entry.value)
    }

    /// Value of a tag that is a number, when the list has it.
    #[must_use]
    pub fn integer(&self, tag: Tag) -> Option<u64> {
        self.find(tag).and_then(|value| if let Value::Integer(number) = value { Some(*number) } else { None })
    }

    /// Value of a tag that is a set of numbers, when the list has it.
    #[must_use]
    pub fn integers(&self, tag: Tag) -> Option<&[u64]> {
        self.find(tag).and_then(|value| if let Value::Integers(numbers) = value { Some(numbers.as_slice()) } else { None })
    }

    /// The way in which the key came into its keystore, when the list states it.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        self.find(Tag::Origin).and_then(|value| if let Value::Origin(origin) = value { Some(*origin) } else { None })
    }

    /// The state in which the phone booted, when the list states it.
    #[must_use]
    pub fn root_of_trust(&self) -> Option<&RootOfTrust> {
        self.find(Tag::RootOfTrust).and_then(|value| if let Value::RootOfTrust(root) = value { Some(root) } else { None })
    }

    /// The app that made the key, when the list states it.
    #[must_use]
    pub fn application_id(&self) -> Option<&ApplicationId> {
        self.find(Tag::AttestationApplicationId).and_then(|value| if let Value::Application(app) = value { Some(app) } else { None })
    }

    /// All entries, in the order in which they stand.
    pub fn iter(&self) -> impl Iterator<Item = &Authorization> {
        self.entries.iter()
    }

    /// True when the tags stand in ascending order, as DER requires. Some phones do not keep to it, so nothing is refused for it.
    #[must_use]
    pub(crate) fn tags_ordered(&self) -> bool {
        self.entries.is_sorted_by_key(|entry| entry.tag.number())
    }

    fn push(&mut self, entry: Authorization) -> Result<(), DescriptionRefusal> {
        // Checked while reading, because the search for repetitions below is linear.
        if self.entries.len() >= Limits::AUTHORIZATION_TAGS_MAX {
            return Err(DescriptionRefusal::TooManyTags);
        }
        // SECURITY: of a tag that stands twice, another parser might believe the other value.
        if self.find(entry.tag).is_some() {
            return Err(DescriptionRefusal::TagRepeated { number: entry.tag.number() });
        }
        self.entries.push(entry);
        Ok(())
    }
}

impl Value {
    fn parse(tag: Tag, bytes: &[u8]) -> Option<Self> {
        Some(match tag.shape() {
            Some(Shape::Application) => Self::Application(ApplicationId::parse(octets(bytes)?)?),
            Some(Shape::Bytes) => Self::Bytes(octets(bytes)?.to_vec()),
            Some(Shape::Integer) => Self::Integer(u64::from_der(bytes).ok()?),
            Some(Shape::Integers) => Self::Integers(integers(bytes)?),
            Some(Shape::Origin) => Self::Origin(Origin::from_number(u64::from_der(bytes).ok()?)),
            Some(Shape::Present) => AnyRef::from_der(bytes).ok().filter(|any| any.is_null()).map(|_| Self::Present)?,
            Some(Shape::RootOfTrust) => Self::RootOfTrust(RootOfTrust::parse(bytes)?),
            // Kept as it came, so that an inspection can show it.
            None => Self::Unknown(bytes.to_vec()),
        })
    }

    const fn shape(&self) -> Option<Shape> {
        match self {
            Self::Application(_) => Some(Shape::Application),
            Self::Bytes(_) => Some(Shape::Bytes),
            Self::Integer(_) => Some(Shape::Integer),
            Self::Integers(_) => Some(Shape::Integers),
            Self::Origin(_) => Some(Shape::Origin),
            Self::Present => Some(Shape::Present),
            Self::RootOfTrust(_) => Some(Shape::RootOfTrust),
            Self::Unknown(_) => None,
        }
    }
}

fn octets(bytes: &[u8]) -> Option<&[u8]> {
    <&OctetStringRef>::from_der(bytes).ok().map(OctetStringRef::as_bytes)
}

fn integers(bytes: &[u8]) -> Option<Vec<u64>> {
    let set = AnyRef::from_der(bytes).ok().filter(|any| any.header().tag() == der::Tag::Set)?;
    let mut reader = SliceReader::new(set.value()).ok()?;
    let mut out = Vec::new();
    while !reader.is_finished() {
        out.push(u64::decode(&mut reader).ok()?);
    }
    Some(out)
}
