//! The part of CBOR (RFC 8949) that App Attest uses, read strictly: definite lengths, no tags, every field of a map known and present once.
//!
//! All maps have a fixed shape, so nothing recurses, and no claimed length reserves memory.

use countersign_core::Limits;
use minicbor::{Decoder, data::Type};

use crate::apple::refusal::FormatRefusal;

/// Reader of one item after the other.
pub(super) struct Reader<'a> {
    decoder: Decoder<'a>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { decoder: Decoder::new(bytes) }
    }

    /// Reads the head of a map and returns the number of entries.
    pub(super) fn map(&mut self) -> Result<u64, FormatRefusal> {
        // `None` stands for an indefinite length, which is refused.
        self.decoder.map().ok().flatten().ok_or(FormatRefusal::NotCbor)
    }

    /// Reads the head of an array and returns the number of items.
    pub(super) fn array(&mut self) -> Result<u64, FormatRefusal> {
        self.decoder.array().ok().flatten().ok_or(FormatRefusal::NotCbor)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, FormatRefusal> {
        self.decoder.str().map_err(|_| FormatRefusal::NotCbor)
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], FormatRefusal> {
        self.decoder.bytes().map_err(|_| FormatRefusal::NotCbor)
    }

    pub(super) fn integer(&mut self) -> Result<i64, FormatRefusal> {
        self.decoder.i64().map_err(|_| FormatRefusal::NotCbor)
    }

    /// Skips one item of any kind that CTAP2 allows in what authenticators write (CTAP 2.1 section 8): definite lengths, no tags, and at most
    /// `levels` of arrays and maps within each other.
    pub(super) fn pass_over(&mut self, levels: u8) -> Result<(), FormatRefusal> {
        let not_cbor = |_| FormatRefusal::NotCbor;
        let items = match self.decoder.datatype().map_err(not_cbor)? {
            Type::Bool
            | Type::Null
            | Type::Undefined
            | Type::U8
            | Type::U16
            | Type::U32
            | Type::U64
            | Type::I8
            | Type::I16
            | Type::I32
            | Type::I64
            | Type::Int
            | Type::F16
            | Type::F32
            | Type::F64
            | Type::Simple => return self.decoder.skip().map_err(not_cbor),
            Type::Bytes => return self.decoder.bytes().map(drop).map_err(not_cbor),
            // Read rather than skipped, so that it is UTF-8.
            Type::String => return self.decoder.str().map(drop).map_err(not_cbor),
            Type::Array => self.array()?,
            Type::Map => self.map()?.checked_mul(2).ok_or(FormatRefusal::NotCbor)?,
            // Listed one by one, so that the compiler asks about a type that a later version of the library adds.
            Type::BytesIndef | Type::StringIndef | Type::ArrayIndef | Type::MapIndef | Type::Tag | Type::Break | Type::Unknown(_) => {
                return Err(FormatRefusal::NotCbor);
            }
        };
        if items > Limits::AUTHENTICATOR_EXTENSION_ITEMS_MAX {
            return Err(FormatRefusal::TooManyExtensions);
        }
        let below = levels.checked_sub(1).ok_or(FormatRefusal::NotCbor)?;
        (0..items).try_for_each(|_| self.pass_over(below))
    }

    /// Bytes after the items that were read.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.decoder.input().get(self.decoder.position()..).unwrap_or_default()
    }

    /// Ends the reading; bytes that are left over are an error.
    pub(super) fn finish(self) -> Result<(), FormatRefusal> {
        if self.rest().is_empty() { Ok(()) } else { Err(FormatRefusal::TrailingBytes) }
    }
}

/// Stores the value of a field. A second value is refused, because another parser might read the other one.
pub(super) fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), FormatRefusal> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(FormatRefusal::FieldRepeated),
    }
}

/// Value of a field that must be present.
pub(super) fn required<T>(slot: Option<T>, name: &'static str) -> Result<T, FormatRefusal> {
    slot.ok_or(FormatRefusal::FieldMissing { name })
}
