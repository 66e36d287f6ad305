//! Sources from which an operation takes a resource's id and owner, and the body fields that policies look at.

/// Source of a value: `path.NAME`, `token.sub` or `literal:TEXT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ValueSource {
    /// A fixed text, the same for every request.
    Literal(String),
    /// A parameter of the path, by name.
    Path(String),
    /// The subject of the token.
    TokenSubject,
}

impl ValueSource {
    /// Parses a source; `None` for any other form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == "token.sub" {
            return Some(Self::TokenSubject);
        }
        if let Some(name) = text.strip_prefix("path.") {
            return (!name.is_empty()).then(|| Self::Path(name.to_owned()));
        }
        text.strip_prefix("literal:").map(|text| Self::Literal(text.to_owned()))
    }
}

/// Type of a body field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldKind {
    /// Anything: the body may have it, and policies do not see it.
    Any,
    /// A truth value, `true` or `false`.
    Bool,
    /// A whole number up to 2^53 - 1 in either direction, written without fraction or exponent.
    Long,
    /// A text of at most 1,024 bytes.
    Text,
}

/// Statement whether a body may leave a field out, or have `null` there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// The field may be missing; policies must ask `context.request has NAME`.
    Optional,
    /// The field must be present.
    Required,
}

/// A body field that policies look at: `long /amount`, or `text? /note` for one that may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldSpec {
    /// Type of the field.
    pub kind: FieldKind,
    /// Statement whether the field may be missing.
    pub presence: Presence,
    /// Place of the field in the body, as a JSON pointer (RFC 6901).
    pub pointer: String,
}

impl FieldSpec {
    /// Parses a field; `None` for any other form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, pointer) = text.split_once(' ')?;
        let (kind, presence) = match kind.strip_suffix('?') {
            Some(kind) => (kind, Presence::Optional),
            None => (kind, Presence::Required),
        };
        let kind = match kind {
            "any" => FieldKind::Any,
            "bool" => FieldKind::Bool,
            "long" => FieldKind::Long,
            "text" => FieldKind::Text,
            _ => return None,
        };
        // In a JSON pointer, `~` stands only before `0` or `1` (RFC 6901 section 3).
        let escapes_well = pointer.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        (pointer.starts_with('/') && escapes_well).then(|| Self { kind, presence, pointer: pointer.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_and_fields_are_taken_strictly() {
        assert_eq!(ValueSource::parse("path.customer"), Some(ValueSource::Path("customer".to_owned())));
        assert_eq!(ValueSource::parse("token.sub"), Some(ValueSource::TokenSubject));
        assert_eq!(ValueSource::parse("literal:"), Some(ValueSource::Literal(String::new())));
        for bad in ["", "path.", "token.email", "customer"] {
            assert_eq!(ValueSource::parse(bad), None, "{bad}");
        }
        let amount = FieldSpec { kind: FieldKind::Long, presence: Presence::Optional, pointer: "/amount".to_owned() };
        assert_eq!(FieldSpec::parse("long? /amount"), Some(amount));
        for bad in ["", "long", "long amount", "float /a", "long /a~2", "Long /a"] {
            assert_eq!(FieldSpec::parse(bad), None, "{bad}");
        }
    }
}
