//! Strict reader of forms: `application/x-www-form-urlencoded` in which no parameter comes twice (RFC 6749 section 3.2, appendix B).

use countersign_core::{Limits, Reason, Secret};

/// Reason why a body is not the form that an endpoint asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormRefusal {
    /// A `%` without two hexadecimal digits, a byte that must be escaped, or no UTF-8.
    EncodingInvalid,
    /// A parameter comes twice, so that two readers could see two values.
    RepeatedParameter,
    /// The form has more than [`Limits::FORM_PARAMETERS_MAX`] parameters.
    TooMany,
}

impl FormRefusal {
    /// Stable code of the refusal.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::EncodingInvalid | Self::RepeatedParameter | Self::TooMany => Reason::BodyMalformed,
        }
    }
}

/// Form that was read. Values are secrets, because one of them usually is.
#[derive(Debug)]
pub struct Form(Vec<(String, Secret<String>)>);

impl Form {
    /// Reads a form. A parameter without a value counts as left out (RFC 6749 section 3.2).
    ///
    /// # Errors
    /// The first rule that the form breaks.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormRefusal> {
        let mut parameters: Vec<(String, Secret<String>)> = Vec::new();
        for pair in bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            if parameters.len() >= Limits::FORM_PARAMETERS_MAX {
                return Err(FormRefusal::TooMany);
            }
            let equals = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let (name, value) = pair.split_at_checked(equals).ok_or(FormRefusal::EncodingInvalid)?;
            let name = decode(name)?;
            // After the escapes are undone, so that two spellings of one name count as a repetition.
            if parameters.iter().any(|(known, _)| *known == name) {
                return Err(FormRefusal::RepeatedParameter);
            }
            parameters.push((name, Secret::new(decode(value.strip_prefix(b"=").unwrap_or(value))?)));
        }
        Ok(Self(parameters))
    }

    /// Takes out the value of a parameter; `None` when the parameter is missing or empty.
    pub fn take(&mut self, name: &str) -> Option<Secret<String>> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(at).1).filter(|value| !value.expose().is_empty())
    }

    /// True when the form has a parameter of this name, be it empty.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }
}

/// Undoes the escaping: `+` is a space, `%XX` a byte, and everything else stands for itself if it is visible ASCII.
fn decode(text: &[u8]) -> Result<String, FormRefusal> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        rest = match byte {
            b'+' => {
                out.push(b' ');
                after
            }
            b'%' => {
                let ([high, low], after) = after.split_first_chunk::<2>().ok_or(FormRefusal::EncodingInvalid)?;
                out.push(hexadecimal(*high)? << 4 | hexadecimal(*low)?);
                after
            }
            byte if byte.is_ascii_graphic() => {
                out.push(*byte);
                after
            }
            _ => return Err(FormRefusal::EncodingInvalid),
        };
    }
    String::from_utf8(out).map_err(|_| FormRefusal::EncodingInvalid)
}

fn hexadecimal(digit: u8) -> Result<u8, FormRefusal> {
    let value = char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    value.ok_or(FormRefusal::EncodingInvalid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forms_are_read_strictly() {
        let many = |count: usize| (0..count).map(|i| format!("p{i}=x")).collect::<Vec<_>>().join("&");
        let (most, too_many) = (many(Limits::FORM_PARAMETERS_MAX), many(Limits::FORM_PARAMETERS_MAX + 1));
        let rows: &[(&str, &[u8], Result<Option<&str>, FormRefusal>)] = &[
            ("a value", b"a=1", Ok(Some("1"))),
            ("among others", b"b=2&a=1&c=3", Ok(Some("1"))),
            ("escaped", b"%61=%C3%A4+b%2B", Ok(Some("\u{e4} b+"))),
            ("an equals sign in the value", b"a=b=c", Ok(Some("b=c"))),
            ("left out", b"b=1", Ok(None)),
            ("nothing", b"", Ok(None)),
            ("without a value", b"a=", Ok(None)),
            ("without an equals sign", b"a", Ok(None)),
            ("the most", most.as_bytes(), Ok(None)),
            ("one more", too_many.as_bytes(), Err(FormRefusal::TooMany)),
            ("twice", b"a=1&a=1", Err(FormRefusal::RepeatedParameter)),
            ("twice in other words", b"a=1&%61=2", Err(FormRefusal::RepeatedParameter)),
            ("twice, once empty", b"a=1&a=", Err(FormRefusal::RepeatedParameter)),
            ("an unknown one twice", b"a=1&b=1&b=2", Err(FormRefusal::RepeatedParameter)),
            ("half an escape", b"a=%4", Err(FormRefusal::EncodingInvalid)),
            ("no escape", b"a=%zz", Err(FormRefusal::EncodingInvalid)),
            ("no UTF-8", b"a=%ff", Err(FormRefusal::EncodingInvalid)),
            ("a raw space", b"a=1 2", Err(FormRefusal::EncodingInvalid)),
            ("a raw byte", b"a=\xc3\xa4", Err(FormRefusal::EncodingInvalid)),
        ];
        for (name, bytes, expected) in rows {
            let got = Form::parse(bytes).map(|mut form| form.take("a").map(|value| value.expose().clone()));
            assert_eq!(got, expected.map(|value| value.map(String::from)), "{name}");
        }
        for refusal in [FormRefusal::EncodingInvalid, FormRefusal::RepeatedParameter, FormRefusal::TooMany] {
            assert_eq!(refusal.reason().code(), "body_malformed");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "[a-c=&%0-9+]{0,200}") {
            let _ = Form::parse(&bytes);
            let _ = Form::parse(text.as_bytes());
        }

        #[test]
        fn what_is_read_was_written(value in ".{1,40}") {
            let escaped: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let mut form = Form::parse(format!("a={escaped}").as_bytes()).expect("read");
            prop_assert_eq!(form.take("a").map(|value| value.expose().clone()), Some(value));
        }
    }
}
