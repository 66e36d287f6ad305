//! Subjects of events (RFC 9493 section 3, SSF 1.0 sections 3.1 to 3.6).

use std::net::IpAddr;

use countersign_codec::json::{NotTheObject, Object};
use countersign_core::Limits;
use serde_json::value::RawValue;

/// Refusal of a subject that is not an object with a `format` and the members of that format, each once and of the right type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubjectRefusal;

impl From<NotTheObject> for SubjectRefusal {
    fn from(NotTheObject: NotTheObject) -> Self {
        Self
    }
}

/// Subject named by one identifier. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Simple {
    /// An account, as an `acct:` URI.
    Account(String),
    /// A decentralised identifier (DID), as a URL.
    Did(String),
    /// An e-mail address of a person.
    Email(String),
    /// Addresses of a device.
    IpAddresses(Vec<IpAddr>),
    /// A subject by the name that an issuer uses.
    IssuerSubject {
        /// Identifier of the issuer.
        issuer: String,
        /// Name of the subject at that issuer.
        subject: String,
    },
    /// A token, by its issuer and `jti`.
    JwtId {
        /// Identifier of the issuer.
        issuer: String,
        /// Identifier of the token (`jti`).
        id: String,
    },
    /// A name that only the two sides understand.
    Opaque(String),
    /// A format that is not known here. It identifies nobody.
    Other(String),
    /// A telephone number of a person.
    PhoneNumber(String),
    /// A SAML assertion, by its issuer and id.
    SamlAssertion {
        /// Identifier of the issuer.
        issuer: String,
        /// Id of the assertion.
        id: String,
    },
    /// Any other URI that names the subject.
    Uri(String),
}

/// Subject of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectId {
    /// One subject under several names.
    Aliases(Vec<Simple>),
    /// Several subjects that belong together, such as a person's session on a device of a tenant.
    Complex {
        /// Identifier of the person.
        user: Option<Simple>,
        /// Identifier of the device.
        device: Option<Simple>,
        /// Identifier of the session.
        session: Option<Simple>,
        /// Parts that narrow the subject further (`application`, `tenant`, `org_unit`, `group`) and that are not known here.
        others: Vec<(String, Simple)>,
    },
    /// One subject under one name.
    Simple(Simple),
}

impl Simple {
    /// Parses an identifier that is not composed of others.
    ///
    /// # Errors
    /// [`SubjectRefusal`] when it has another form.
    pub fn parse(json: &str) -> Result<Self, SubjectRefusal> {
        let object = Object::parse(json, Limits::JSON_DEPTH_MAX)?;
        let text = |name: &str| -> Result<String, SubjectRefusal> {
            let text = object.text(name)?.into_owned();
            if text.is_empty() { Err(SubjectRefusal) } else { Ok(text) }
        };
        Ok(match object.text("format")?.as_ref() {
            "account" => Self::Account(text("uri")?),
            // RFC 9493 names the member `url`; its content is not checked further.
            "did" => Self::Did(text("url")?),
            "email" => Self::Email(text("email")?),
            "ip-addresses" => {
                let all: Vec<String> = object.required("ip-addresses")?;
                if all.is_empty() || all.len() > Limits::SET_SUBJECT_MEMBERS_MAX {
                    return Err(SubjectRefusal);
                }
                let parsed = all.iter().map(|address| address.parse().map_err(|_| SubjectRefusal));
                Self::IpAddresses(parsed.collect::<Result<_, _>>()?)
            }
            "iss_sub" => Self::IssuerSubject { issuer: text("iss")?, subject: text("sub")? },
            "jwt_id" => Self::JwtId { issuer: text("iss")?, id: text("jti")? },
            "opaque" => Self::Opaque(text("id")?),
            "phone_number" => Self::PhoneNumber(text("phone_number")?),
            "saml_assertion_id" => Self::SamlAssertion { issuer: text("issuer")?, id: text("assertion_id")? },
            "uri" => Self::Uri(text("uri")?),
            "aliases" | "complex" | "" => return Err(SubjectRefusal),
            other => Self::Other(other.to_owned()),
        })
    }
}

impl SubjectId {
    /// Parses a subject of any format.
    ///
    /// # Errors
    /// [`SubjectRefusal`] when it has another form.
    pub fn parse(json: &str) -> Result<Self, SubjectRefusal> {
        let object = Object::parse(json, Limits::JSON_DEPTH_MAX)?;
        match object.text("format")?.as_ref() {
            "aliases" => {
                let all: Vec<&RawValue> = object.required("identifiers")?;
                if all.is_empty() || all.len() > Limits::SET_SUBJECT_MEMBERS_MAX {
                    return Err(SubjectRefusal);
                }
                Ok(Self::Aliases(all.iter().map(|one| Simple::parse(one.get())).collect::<Result<_, _>>()?))
            }
            "complex" => Self::complex(object),
            _ => Ok(Self::Simple(Simple::parse(json)?)),
        }
    }

    fn complex(object: Object<'_>) -> Result<Self, SubjectRefusal> {
        let (mut user, mut device, mut session, mut others) = (None, None, None, Vec::new());
        for (name, part) in object.into_members().filter(|(name, _)| name != "format") {
            // The parts of a complex subject are simple ones, so nesting ends here.
            let part = Simple::parse(part)?;
            match name.as_ref() {
                "user" => user = Some(part),
                "device" => device = Some(part),
                "session" => session = Some(part),
                _ => others.push((name.into_owned(), part)),
            }
        }
        if user.is_none() && device.is_none() && session.is_none() && others.is_empty() {
            return Err(SubjectRefusal);
        }
        Ok(Self::Complex { user, device, session, others })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_read_strictly() {
        let email = |text: &str| Simple::Email(text.to_owned());
        assert_eq!(SubjectId::parse(r#"{"format":"email","email":"a@b.example"}"#), Ok(SubjectId::Simple(email("a@b.example"))));
        let complex = r#"{"format":"complex","user":{"format":"email","email":"a@b.example"},"tenant":{"format":"opaque","id":"1"}}"#;
        let others = vec![("tenant".to_owned(), Simple::Opaque("1".to_owned()))];
        let expected = SubjectId::Complex { user: Some(email("a@b.example")), device: None, session: None, others };
        assert_eq!(SubjectId::parse(complex), Ok(expected));
        for bad in [
            "[]",
            "{}",
            r#"{"format":"email"}"#,
            r#"{"format":"email","email":""}"#,
            r#"{"format":"email","email":1}"#,
            r#"{"format":"email","email":"a","email":"b"}"#,
            r#"{"format":"ip-addresses","ip-addresses":[]}"#,
            r#"{"format":"ip-addresses","ip-addresses":["10.0.0.256"]}"#,
            r#"{"format":"iss_sub","iss":"a"}"#,
            r#"{"format":"aliases","identifiers":[]}"#,
            r#"{"format":"aliases","identifiers":[{"format":"aliases","identifiers":[]}]}"#,
            r#"{"format":"complex"}"#,
            r#"{"format":"complex","user":"a"}"#,
            r#"{"format":"complex","user":{"format":"complex"}}"#,
        ] {
            assert_eq!(SubjectId::parse(bad), Err(SubjectRefusal), "{bad}");
        }
    }
}
