//! The part of CBOR (RFC 8949) that App Attest uses, read strictly: definite lengths, no tags, every field of a map known and present once.
//!
//! All maps have a fixed shape, so nothing recurses, and no claimed length reserves memory.

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

    /// Skips one item without inner items: a number, a text, bytes or a truth value.
    pub(super) fn pass_over_scalar(&mut self) -> Result<(), FormatRefusal> {
        match self.decoder.datatype().map_err(|_| FormatRefusal::NotCbor)? {
            Type::Bool => self.decoder.bool().map(drop),
            Type::U8 | Type::U16 | Type::U32 | Type::U64 | Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Int => {
                self.decoder.int().map(drop)
            }
            Type::Bytes => self.decoder.bytes().map(drop),
            Type::String => self.decoder.str().map(drop),
            // Listed one by one, so that the compiler asks about a type that a later version of the library adds.
            Type::Null
            | Type::Undefined
            | Type::F16
            | Type::F32
            | Type::F64
            | Type::Simple
            | Type::BytesIndef
            | Type::StringIndef
            | Type::Array
            | Type::ArrayIndef
            | Type::Map
            | Type::MapIndef
            | Type::Tag
            | Type::Break
            | Type::Unknown(_) => return Err(FormatRefusal::NotCbor),
        }
        .map_err(|_| FormatRefusal::NotCbor)
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
