//! Bodies that policy looks at: JSON with one reading, and the values that pointers name in it.

use countersign_codec::json::document;
use countersign_core::Limits;
use serde_json::value::RawValue;

/// A document that is not JSON with one reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonRefusal;

/// Takes a document that is one strict JSON text in UTF-8.
///
/// # Errors
/// When it is not, repeats a name, or nests deeper than [`Limits::JSON_DEPTH_MAX`].
pub fn strict(bytes: &[u8]) -> Result<&RawValue, JsonRefusal> {
    document(bytes, Limits::JSON_DEPTH_MAX).map_err(|_| JsonRefusal)
}

/// The steps of a JSON pointer (RFC 6901 section 4), unescaped.
pub(crate) fn steps(pointer: &str) -> Vec<String> {
    pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_unescaped() {
        assert_eq!(steps("/a~1b/~0/c"), ["a/b", "~", "c"]);
    }

    #[test]
    fn the_limit_of_depth_is_ours() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(strict(nested(Limits::JSON_DEPTH_MAX).as_bytes()).map(|_| ()), Ok(()));
        assert_eq!(strict(nested(Limits::JSON_DEPTH_MAX + 1).as_bytes()).map(|_| ()), Err(JsonRefusal));
    }
}
