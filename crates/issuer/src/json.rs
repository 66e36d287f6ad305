//! Strict JSON for the issuer's endpoints, and the stable codes of bodies that are not.

use countersign_codec::json::{self, JsonRefusal};
use countersign_core::{Limits, Reason};
use serde::de::DeserializeOwned;

/// Reads `bytes` as one `T`: one document, no name twice in any object, no nesting beyond [`Limits::JSON_DEPTH_MAX`].
///
/// # Errors
/// The first rule that the bytes break.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonRefusal> {
    json::parse(bytes, Limits::JSON_DEPTH_MAX)
}

/// Returns the stable code for a body that is not the JSON document that an endpoint asks for.
pub const fn reason(refusal: JsonRefusal) -> Reason {
    match refusal {
        JsonRefusal::Malformed | JsonRefusal::RepeatedName | JsonRefusal::TooDeep => Reason::BodyMalformed,
        JsonRefusal::ShapeWrong => Reason::BodyFieldInvalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, value::RawValue};

    #[test]
    fn the_limit_of_depth_is_ours() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse::<Box<RawValue>>(nested(Limits::JSON_DEPTH_MAX).as_bytes()).is_ok());
        assert_eq!(parse::<Value>(nested(Limits::JSON_DEPTH_MAX + 1).as_bytes()), Err(JsonRefusal::TooDeep));
    }

    #[test]
    fn every_refusal_has_a_code() {
        let rows = [
            (JsonRefusal::Malformed, "body_malformed"),
            (JsonRefusal::RepeatedName, "body_malformed"),
            (JsonRefusal::ShapeWrong, "body_field_invalid"),
            (JsonRefusal::TooDeep, "body_malformed"),
        ];
        for (refusal, code) in rows {
            assert_eq!(reason(refusal).code(), code);
        }
    }
}
