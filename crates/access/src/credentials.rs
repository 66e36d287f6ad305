//! The one grammar of credentials: an access token under the scheme `DPoP`, and one proof (RFC 9449 sections 4.3 and 7.1).

use countersign_core::Reason;
use http::{HeaderMap, HeaderName, header};

/// Header that carries a proof (RFC 9449 section 4.1).
pub static DPOP: HeaderName = HeaderName::from_static("dpop");

/// Why a request has no usable credentials. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialRefusal {
    /// A token of ours, or somebody's, came as `Bearer`.
    Bearer,
    /// No `DPoP` header.
    ProofMissing,
    /// Two `DPoP` headers, or a list in one.
    ProofRepeated,
    /// Bytes that no JWS has.
    ProofUnreadable,
    /// Bytes that no token has.
    TokenIllegible,
    /// No `Authorization` header, or one of another scheme.
    TokenMissing,
    /// Two `Authorization` headers.
    TokenRepeated,
}

impl CredentialRefusal {
    /// The stable code.
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Bearer => Reason::BearerDowngrade,
            Self::ProofMissing => Reason::ProofMissing,
            Self::ProofRepeated => Reason::ProofRepeatedHeader,
            Self::ProofUnreadable => Reason::ProofMalformed,
            Self::TokenIllegible => Reason::TokenMalformed,
            Self::TokenMissing => Reason::TokenMissing,
            Self::TokenRepeated => Reason::TokenRepeatedHeader,
        }
    }
}

/// Token and proof of one request, as texts. Each is a refusal of its own, because the token is verified before anyone asks for
/// the proof: a request with neither is told about its token.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    token: Result<&'a str, CredentialRefusal>,
    proof: Result<&'a str, CredentialRefusal>,
}

impl<'a> Credentials<'a> {
    /// Reads them.
    #[must_use]
    pub fn read(headers: &'a HeaderMap) -> Self {
        Self { token: token(headers), proof: proof(headers) }
    }

    /// The access token.
    ///
    /// # Errors
    /// When there is none, more than one, or one of another scheme.
    pub const fn token(&self) -> Result<&'a str, CredentialRefusal> {
        self.token
    }

    /// The proof.
    ///
    /// # Errors
    /// When there is none or more than one.
    pub const fn proof(&self) -> Result<&'a str, CredentialRefusal> {
        self.proof
    }
}

/// RFC 9449 section 7.1. The scheme is case-insensitive (RFC 9110 section 11.1).
fn token(headers: &HeaderMap) -> Result<&str, CredentialRefusal> {
    let value = only(headers, &header::AUTHORIZATION, CredentialRefusal::TokenMissing, CredentialRefusal::TokenRepeated)?;
    let text = std::str::from_utf8(value).map_err(|_| CredentialRefusal::TokenIllegible)?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if scheme.eq_ignore_ascii_case("bearer") {
        return Err(CredentialRefusal::Bearer);
    }
    if !scheme.eq_ignore_ascii_case("dpop") || token.is_empty() {
        return Err(CredentialRefusal::TokenMissing);
    }
    if token.bytes().all(is_token68) { Ok(token) } else { Err(CredentialRefusal::TokenIllegible) }
}

/// RFC 9449 section 4.3, check 1.
fn proof(headers: &HeaderMap) -> Result<&str, CredentialRefusal> {
    let value = only(headers, &DPOP, CredentialRefusal::ProofMissing, CredentialRefusal::ProofRepeated)?;
    let text = std::str::from_utf8(value).map_err(|_| CredentialRefusal::ProofUnreadable)?;
    if text.contains(',') {
        return Err(CredentialRefusal::ProofRepeated);
    }
    if text.bytes().all(is_token68) { Ok(text) } else { Err(CredentialRefusal::ProofUnreadable) }
}

/// `token68` of RFC 9110 section 11.2, which every compact JWS is made of.
const fn is_token68(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}

fn only<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
    missing: CredentialRefusal,
    repeated: CredentialRefusal,
) -> Result<&'a [u8], CredentialRefusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Err(missing) };
    match values.next() {
        None => Ok(value.as_bytes()),
        Some(_) => Err(repeated),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn credentials_are_one_token_and_one_proof() {
        use CredentialRefusal as C;
        const TOKEN: (&str, &str) = ("authorization", "DPoP a.b.c");
        const PROOF: (&str, &str) = ("dpop", "d.e.f");
        let rows: &[(&str, &[(&str, &str)], Result<(&str, &str), C>)] = &[
            ("one of each", &[TOKEN, PROOF], Ok(("a.b.c", "d.e.f"))),
            ("the scheme in upper case", &[("authorization", "DPOP a.b.c"), PROOF], Ok(("a.b.c", "d.e.f"))),
            ("no token", &[PROOF], Err(C::TokenMissing)),
            ("an empty token", &[("authorization", "DPoP "), PROOF], Err(C::TokenMissing)),
            ("the scheme alone", &[("authorization", "DPoP"), PROOF], Err(C::TokenMissing)),
            ("another scheme", &[("authorization", "Basic YTpi"), PROOF], Err(C::TokenMissing)),
            ("a bearer token", &[("authorization", "Bearer a.b.c"), PROOF], Err(C::Bearer)),
            ("a bearer token in lower case", &[("authorization", "bearer a.b.c"), PROOF], Err(C::Bearer)),
            ("two tokens", &[TOKEN, TOKEN, PROOF], Err(C::TokenRepeated)),
            ("a bearer token beside it", &[TOKEN, ("authorization", "Bearer a.b.c"), PROOF], Err(C::TokenRepeated)),
            ("a list of tokens", &[("authorization", "DPoP a.b.c, DPoP d.e.f"), PROOF], Err(C::TokenIllegible)),
            ("two spaces", &[("authorization", "DPoP  a.b.c"), PROOF], Err(C::TokenIllegible)),
            ("a token beyond ASCII", &[("authorization", "DPoP \u{e4}"), PROOF], Err(C::TokenIllegible)),
            ("no proof", &[TOKEN], Err(C::ProofMissing)),
            ("two proofs", &[TOKEN, PROOF, PROOF], Err(C::ProofRepeated)),
            ("a list of proofs", &[TOKEN, ("dpop", "d.e.f,d.e.f")], Err(C::ProofRepeated)),
            ("a proof beyond ASCII", &[TOKEN, ("dpop", "\u{e4}")], Err(C::ProofUnreadable)),
            ("a proof with a space", &[TOKEN, ("dpop", "d.e f")], Err(C::ProofUnreadable)),
        ];
        for (name, given, expected) in rows {
            let mut headers = HeaderMap::new();
            for (name, value) in *given {
                headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).expect("a value"));
            }
            let credentials = Credentials::read(&headers);
            let got = credentials.token().and_then(|token| credentials.proof().map(|proof| (token, proof)));
            assert_eq!(got, *expected, "{name}");
        }
    }
}
