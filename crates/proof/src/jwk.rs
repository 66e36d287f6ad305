//! Public and private keys on P-256 and Ed25519, as JWK and by thumbprint (RFC 7517, RFC 7518 section 6.2, RFC 8037, RFC 7638).

use std::fmt;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair, ParsedPublicKey,
    },
};
use countersign_codec::{
    base64url,
    json::{NotTheObject, Object},
    sha256,
};
use countersign_core::{Limits, Secret, Thumbprint};

/// Signature algorithms that are accepted. All others are refused, `none` and the symmetric ones included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// Ed25519 (RFC 8037 section 3.1).
    EdDsa,
    /// ECDSA on P-256 with SHA-256 (RFC 7518 section 3.4).
    Es256,
}

impl Algorithm {
    /// Registered name of the algorithm (RFC 7518 section 3.1).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
        }
    }

    /// The algorithm with this registered name; `None` for every other.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::EdDsa, Self::Es256].into_iter().find(|algorithm| algorithm.as_str() == text)
    }
}

/// Reason why a JWK is refused. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwkRefusal {
    /// The members `kty`, `crv` and `alg` do not describe P-256 with ES256 or Ed25519 with EdDSA.
    AlgorithmRefused,
    /// The text is not a JSON object with unique members of the right types.
    Malformed,
    /// The JWK holds private key material.
    PrivateKey,
    /// The coordinates have the wrong size, are not a point of the curve, or are a point of small order.
    PointInvalid,
    /// `use` or `key_ops` says that the key is not for verifying signatures (RFC 7517 sections 4.2 and 4.3).
    UseRefused,
}

impl fmt::Display for JwkRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlgorithmRefused => "the key is neither P-256 for ES256 nor Ed25519 for EdDSA; make one of these",
            Self::Malformed => "the key is not a JWK, or one of its members stands twice or has another type (RFC 7517)",
            Self::PrivateKey => "the key is private; send its public members only, and make a new one if this one left its place",
            Self::PointInvalid => "the key's coordinates are no point of its curve that could prove anything",
            Self::UseRefused => "the key is not for signatures (`use`, `key_ops`)",
        })
    }
}

impl std::error::Error for JwkRefusal {}

/// Refusal of a signature that does not belong to the message and the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureInvalid;

/// Failure of the cryptographic library to make a key or a signature, or to parse a stored key. The fault is ours, not the client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CryptoFailure;

impl fmt::Display for CryptoFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key could not be read or used; look at the stored keys")
    }
}

impl std::error::Error for CryptoFailure {}

/// A public key, checked and prepared for verification once.
#[derive(Clone)]
pub struct PublicKey {
    algorithm: Algorithm,
    parsed: ParsedPublicKey,
    thumbprint: Thumbprint,
}

impl PublicKey {
    /// Parses a JWK strictly. Members that say nothing about a signature key (`kid`, `x5c` and others) are ignored.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn from_jwk(text: &str) -> Result<Self, JwkRefusal> {
        let jwk = Object::parse(text, Limits::JSON_DEPTH_MAX)?;
        // SECURITY: checked first and for every key type, so that no private key is accepted as a public one (RFC 9449 section 4.3,
        // check 7).
        if PRIVATE_MEMBERS.iter().any(|name| jwk.has(name)) {
            return Err(JwkRefusal::PrivateKey);
        }
        let algorithm = match (jwk.text("kty")?.as_ref(), jwk.text("crv")) {
            // `crv` may be missing here: an RSA key has none, and is refused for its type.
            ("EC", Ok(curve)) if curve == "P-256" => Algorithm::Es256,
            ("OKP", Ok(curve)) if curve == "Ed25519" => Algorithm::EdDsa,
            _ => return Err(JwkRefusal::AlgorithmRefused),
        };
        if jwk.optional_text("alg")?.is_some_and(|alg| alg != algorithm.as_str()) {
            return Err(JwkRefusal::AlgorithmRefused);
        }
        let other_use = jwk.optional_text("use")?.is_some_and(|r#use| r#use != "sig");
        let other_operation = jwk.optional::<Vec<String>>("key_ops")?.is_some_and(|operations| !operations.iter().any(|o| o == "verify"));
        if other_use || other_operation {
            return Err(JwkRefusal::UseRefused);
        }
        let x = coordinate(&jwk, "x")?;
        match algorithm {
            Algorithm::Es256 => {
                let y = coordinate(&jwk, "y")?;
                Self::from_point(&x, &y)
            }
            Algorithm::EdDsa => Self::from_ed25519(&x),
        }
    }

    /// Takes a P-256 key as the 65 bytes of its uncompressed point (SEC 1 section 2.3.3), as certificates hold it.
    ///
    /// # Errors
    /// `PointInvalid` when the bytes are anything else.
    pub fn from_p256_sec1(point: &[u8]) -> Result<Self, JwkRefusal> {
        // Compressed points are refused, so that one key has one spelling.
        let (tag, coordinates) = point.split_first().ok_or(JwkRefusal::PointInvalid)?;
        let (x, rest) = coordinates.split_first_chunk::<32>().ok_or(JwkRefusal::PointInvalid)?;
        let y = <&[u8; 32]>::try_from(rest).map_err(|_| JwkRefusal::PointInvalid)?;
        if *tag == UNCOMPRESSED { Self::from_point(x, y) } else { Err(JwkRefusal::PointInvalid) }
    }

    /// Algorithm of the key's signatures.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Thumbprint of the key (RFC 7638), computed once.
    #[must_use]
    pub const fn thumbprint(&self) -> &Thumbprint {
        &self.thumbprint
    }

    /// The JWK with its required members only, in lexicographic order: the text whose hash is the thumbprint (RFC 7638 section 3.2).
    #[must_use]
    pub fn to_jwk(&self) -> String {
        let bytes = self.parsed.as_ref();
        match self.algorithm {
            Algorithm::Es256 => {
                let (x, y) = bytes.get(1..).unwrap_or_default().split_at_checked(32).unwrap_or_default();
                ec_jwk(x, y)
            }
            Algorithm::EdDsa => okp_jwk(bytes),
        }
    }

    /// Verifies `signature` over `message`: 64 bytes `r || s` for ES256 (RFC 7518 section 3.4), 64 bytes for EdDSA.
    ///
    /// # Errors
    /// [`SignatureInvalid`] when it is anything other than this key's signature over this message.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureInvalid> {
        self.parsed.verify_sig(message, signature).map_err(|_| SignatureInvalid)
    }

    fn from_point(x: &[u8; 32], y: &[u8; 32]) -> Result<Self, JwkRefusal> {
        let mut point = [UNCOMPRESSED; 65];
        point.iter_mut().skip(1).zip(x.iter().chain(y)).for_each(|(to, from)| *to = *from);
        let parsed = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).map_err(|_| JwkRefusal::PointInvalid)?;
        let thumbprint = Thumbprint::from_bytes(sha256(&[ec_jwk(x, y).as_bytes()]));
        Ok(Self { algorithm: Algorithm::Es256, parsed, thumbprint })
    }

    fn from_ed25519(x: &[u8; 32]) -> Result<Self, JwkRefusal> {
        let mut unsigned = *x;
        // The last bit of the encoding is the sign of x; both signs of a small-order point are refused.
        if let Some(last) = unsigned.last_mut() {
            *last &= 0x7f;
        }
        if SMALL_ORDER.contains(&unsigned) {
            return Err(JwkRefusal::PointInvalid);
        }
        let parsed = ParsedPublicKey::new(&ED25519, x).map_err(|_| JwkRefusal::PointInvalid)?;
        let thumbprint = Thumbprint::from_bytes(sha256(&[okp_jwk(x).as_bytes()]));
        Ok(Self { algorithm: Algorithm::EdDsa, parsed, thumbprint })
    }
}

/// Members that only a private or symmetric key has (RFC 7518 sections 6.2.2, 6.3.2 and 6.4, RFC 8037 section 2).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// First byte of an uncompressed point (SEC 1 section 2.3.3).
const UNCOMPRESSED: u8 = 4;

/// Points of Ed25519 whose order divides eight, in every encoding, without the sign bit. Under such a key one signature fits many messages,
/// so it proves nothing.
const SMALL_ORDER: [[u8; 32]; 7] = [
    filled(0x00, 0x00, 0x00),
    filled(0x01, 0x00, 0x00),
    filled(0xec, 0xff, 0x7f),
    filled(0xed, 0xff, 0x7f),
    filled(0xee, 0xff, 0x7f),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
        0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
        0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

const fn filled(first: u8, between: u8, last: u8) -> [u8; 32] {
    let mut out = [between; 32];
    if let Some(byte) = out.first_mut() {
        *byte = first;
    }
    if let Some(byte) = out.last_mut() {
        *byte = last;
    }
    out
}

fn coordinate(jwk: &Object<'_>, name: &str) -> Result<[u8; 32], JwkRefusal> {
    base64url::decode_array(&jwk.text(name)?).map_err(|_| JwkRefusal::PointInvalid)
}

/// JWK of a P-256 key, with its members in the order of RFC 7638. The thumbprint is a hash of this text, so the order matters.
fn ec_jwk(x: &[u8], y: &[u8]) -> String {
    let mut out = String::with_capacity(128);
    out.push_str(r#"{"crv":"P-256","kty":"EC","x":""#);
    base64url::encode_onto(x, &mut out);
    out.push_str(r#"","y":""#);
    base64url::encode_onto(y, &mut out);
    out.push_str(r#""}"#);
    out
}

/// JWK of an Ed25519 key, with its members in the order of RFC 7638.
fn okp_jwk(x: &[u8]) -> String {
    let mut out = String::with_capacity(96);
    out.push_str(r#"{"crv":"Ed25519","kty":"OKP","x":""#);
    base64url::encode_onto(x, &mut out);
    out.push_str(r#""}"#);
    out
}

impl From<NotTheObject> for JwkRefusal {
    fn from(NotTheObject: NotTheObject) -> Self {
        Self::Malformed
    }
}

impl PartialEq for PublicKey {
    /// Compares thumbprints, which cover the whole key.
    fn eq(&self, other: &Self) -> bool {
        self.thumbprint == other.thumbprint
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {})", self.algorithm.as_str(), self.thumbprint)
    }
}

/// A key that signs. It is wiped when dropped, and `Debug` shows its public half only.
pub struct SigningKey {
    pair: Pair,
    public: PublicKey,
}

enum Pair {
    EdDsa(Ed25519KeyPair),
    Es256(EcdsaKeyPair),
}

impl SigningKey {
    /// Makes a new key with the library's random generator, and returns it with its PKCS#8 form for storage.
    ///
    /// # Errors
    /// [`CryptoFailure`] when the library fails.
    pub fn generate(algorithm: Algorithm) -> Result<(Self, Secret<Vec<u8>>), CryptoFailure> {
        let random = SystemRandom::new();
        let document = match algorithm {
            Algorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&random),
            Algorithm::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random),
        };
        let pkcs8 = Secret::new(document.map_err(|_| CryptoFailure)?.as_ref().to_vec());
        Ok((Self::from_pkcs8(algorithm, &pkcs8)?, pkcs8))
    }

    /// Parses a key in PKCS#8 form (RFC 5958).
    ///
    /// # Errors
    /// [`CryptoFailure`] when it is not a key of this algorithm.
    pub fn from_pkcs8(algorithm: Algorithm, pkcs8: &Secret<Vec<u8>>) -> Result<Self, CryptoFailure> {
        match algorithm {
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8(pkcs8.expose()).map_err(|_| CryptoFailure)?;
                let point = <&[u8; 32]>::try_from(pair.public_key().as_ref()).map_err(|_| CryptoFailure)?;
                // Through the checks for keys of others, so that both halves have one set of rules.
                let public = PublicKey::from_ed25519(point).map_err(|_| CryptoFailure)?;
                Ok(Self { pair: Pair::EdDsa(pair), public })
            }
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.expose()).map_err(|_| CryptoFailure)?;
                let public = PublicKey::from_p256_sec1(pair.public_key().as_ref()).map_err(|_| CryptoFailure)?;
                Ok(Self { pair: Pair::Es256(pair), public })
            }
        }
    }

    /// The public half of the key.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs `message`, in the form that [`PublicKey::verify`] accepts. For ES256 the library draws the signature's nonce itself.
    ///
    /// # Errors
    /// [`CryptoFailure`] when the library fails.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoFailure> {
        let signature = match &self.pair {
            Pair::EdDsa(pair) => pair.try_sign(message),
            Pair::Es256(pair) => pair.sign(&SystemRandom::new(), message),
        };
        signature.map(|signature| signature.as_ref().to_vec()).map_err(|_| CryptoFailure)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({} {})", self.public.algorithm.as_str(), self.public.thumbprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: &str = "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs";
    const Y: &str = "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA";
    /// RFC 8037 appendix A.2.
    const ED: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn ec(more: &str) -> String {
        format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}","y":"{Y}"{more}}}"#)
    }

    fn okp(x: &[u8; 32]) -> String {
        format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, base64url::encode(x))
    }

    #[test]
    fn a_jwk_is_read_strictly() {
        let padded = format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}=","y":"{Y}"}}"#);
        let long = format!(r#"{{"kty":"EC","crv":"P-256","x":"AA{X}","y":"{Y}"}}"#);
        let swapped = format!(r#"{{"kty":"EC","crv":"P-256","x":"{Y}","y":"{X}"}}"#);
        let without_y = format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}"}}"#);
        let p384 = format!(r#"{{"kty":"EC","crv":"P-384","x":"{X}","y":"{Y}"}}"#);
        let ed = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{ED}"}}"#);
        let x25519 = format!(r#"{{"kty":"OKP","crv":"X25519","x":"{ED}"}}"#);
        let crossed = format!(r#"{{"kty":"EC","crv":"Ed25519","x":"{ED}"}}"#);
        let rows: &[(&str, &str, Result<Algorithm, JwkRefusal>)] = &[
            ("P-256", &ec(""), Ok(Algorithm::Es256)),
            ("Ed25519", &ed, Ok(Algorithm::EdDsa)),
            ("what says nothing about the key", &ec(r#","kid":"a","x5t":"b","ext":true"#), Ok(Algorithm::Es256)),
            ("for signatures", &ec(r#","use":"sig","key_ops":["verify"],"alg":"ES256""#), Ok(Algorithm::Es256)),
            ("for encryption", &ec(r#","use":"enc""#), Err(JwkRefusal::UseRefused)),
            ("for other operations", &ec(r#","key_ops":["deriveKey"]"#), Err(JwkRefusal::UseRefused)),
            ("for no operation", &ec(r#","key_ops":[]"#), Err(JwkRefusal::UseRefused)),
            ("for another algorithm", &ec(r#","alg":"ES384""#), Err(JwkRefusal::AlgorithmRefused)),
            ("another curve", &p384, Err(JwkRefusal::AlgorithmRefused)),
            ("a curve for agreement", &x25519, Err(JwkRefusal::AlgorithmRefused)),
            ("a curve of another type", &crossed, Err(JwkRefusal::AlgorithmRefused)),
            ("RSA", r#"{"kty":"RSA","n":"AQ","e":"AQAB"}"#, Err(JwkRefusal::AlgorithmRefused)),
            ("a private key", &ec(r#","d":"AA""#), Err(JwkRefusal::PrivateKey)),
            ("an empty private key", &ec(r#","d":null"#), Err(JwkRefusal::PrivateKey)),
            ("a symmetric key", r#"{"kty":"oct","k":"AA"}"#, Err(JwkRefusal::PrivateKey)),
            ("a private RSA key", r#"{"kty":"RSA","n":"AQ","e":"AQAB","qi":"AA"}"#, Err(JwkRefusal::PrivateKey)),
            ("two of one member", &ec(r#","x":"AA""#), Err(JwkRefusal::Malformed)),
            ("two of a member that is passed over", &ec(r#","kid":"a","kid":"a""#), Err(JwkRefusal::Malformed)),
            ("no type", "{}", Err(JwkRefusal::Malformed)),
            ("no y", &without_y, Err(JwkRefusal::Malformed)),
            ("no object", "[]", Err(JwkRefusal::Malformed)),
            ("a use of another type", &ec(r#","use":1"#), Err(JwkRefusal::Malformed)),
            ("padding", &padded, Err(JwkRefusal::PointInvalid)),
            ("a zero before x", &long, Err(JwkRefusal::PointInvalid)),
            ("off the curve", &swapped, Err(JwkRefusal::PointInvalid)),
        ];
        for (name, text, expected) in rows {
            assert_eq!(PublicKey::from_jwk(text).map(|key| key.algorithm()), *expected, "{name}");
        }
    }

    #[test]
    fn points_that_prove_nothing_are_refused() {
        for point in SMALL_ORDER {
            let mut other_sign = point;
            other_sign[31] |= 0x80;
            for point in [point, other_sign] {
                assert_eq!(PublicKey::from_jwk(&okp(&point)), Err(JwkRefusal::PointInvalid), "{point:?}");
            }
        }
    }

    #[test]
    fn a_key_from_a_certificate_is_the_key_of_its_jwk() {
        let jwk = PublicKey::from_jwk(&ec("")).expect("a key");
        let mut point = vec![4];
        point.extend(base64url::decode(X).expect("x"));
        point.extend(base64url::decode(Y).expect("y"));
        assert_eq!(PublicKey::from_p256_sec1(&point), Ok(jwk));
        let mut off = point.clone();
        off[64] ^= 1;
        let rows: &[(&str, &[u8])] = &[
            ("nothing", &[]),
            ("the point at infinity", &[0]),
            ("one byte less", &point[..64]),
            ("one byte more", &[&point[..], &[0]].concat()),
            ("compressed", &[&[2], &point[1..33]].concat()),
            ("hybrid", &[&[6], &point[1..]].concat()),
            ("off the curve", &off),
        ];
        for (name, bytes) in rows {
            assert_eq!(PublicKey::from_p256_sec1(bytes), Err(JwkRefusal::PointInvalid), "{name}");
        }
    }

    #[test]
    fn thumbprints_are_those_of_the_rfcs() {
        // RFC 8037 appendix A.3 and RFC 9449 section 6.1.
        let ed = PublicKey::from_jwk(&format!(r#"{{"x":"{ED}","crv":"Ed25519","kty":"OKP"}}"#)).expect("a key");
        assert_eq!(ed.thumbprint().to_string(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert_eq!(ed.to_jwk(), format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{ED}"}}"#));
        let p256 = PublicKey::from_jwk(&ec(r#","kid":"a""#)).expect("a key");
        assert_eq!(p256.thumbprint().to_string(), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
        assert_eq!(p256.to_jwk(), format!(r#"{{"crv":"P-256","kty":"EC","x":"{X}","y":"{Y}"}}"#));
        assert_ne!(ed, p256);
    }

    #[test]
    fn what_is_signed_is_verified_by_its_own_key_only() {
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
            let (key, pkcs8) = SigningKey::generate(algorithm).expect("a key");
            let (other, _) = SigningKey::generate(algorithm).expect("another key");
            let kept = SigningKey::from_pkcs8(algorithm, &pkcs8).expect("the key that was kept");
            assert_eq!(kept.public(), key.public());
            assert_eq!(PublicKey::from_jwk(&key.public().to_jwk()).as_ref(), Ok(key.public()));
            let signature = kept.sign(b"this").expect("a signature");
            assert_eq!(signature.len(), 64);
            assert_eq!(key.public().verify(b"this", &signature), Ok(()));
            assert_eq!(key.public().verify(b"that", &signature), Err(SignatureInvalid));
            assert_eq!(key.public().verify(b"this", &[&signature[..], &[0]].concat()), Err(SignatureInvalid));
            assert_eq!(other.public().verify(b"this", &signature), Err(SignatureInvalid));
            let crossed = if algorithm == Algorithm::EdDsa { Algorithm::Es256 } else { Algorithm::EdDsa };
            assert_eq!(SigningKey::from_pkcs8(crossed, &pkcs8).map(|_| ()).err(), Some(CryptoFailure));
            assert!(!format!("{key:?}").contains(&hex::encode(&pkcs8.expose()[..8])), "a signing key shows its public half only");
        }
    }

    #[test]
    fn algorithms_are_named_exactly() {
        for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
            assert_eq!(Algorithm::parse(algorithm.as_str()), Some(algorithm));
        }
        for other in ["none", "None", "", "HS256", "RS256", "ES384", "es256", "ES256 ", "Ed25519"] {
            assert_eq!(Algorithm::parse(other), None, "{other}");
        }
    }
}
