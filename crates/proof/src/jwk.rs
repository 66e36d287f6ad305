//! Public and private keys: P-256 and Ed25519, as JWK and by thumbprint (RFC 7517, RFC 7518 section 6.2, RFC 8037, RFC 7638).

use std::fmt;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair, ParsedPublicKey,
    },
};
use countersign_core::{Secret, Thumbprint};

use crate::{
    base64url,
    json::{NotTheObject, Object},
    sha256::sha256,
};

/// The signature algorithms that are taken; all others, `none` and the symmetric ones included, are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// Ed25519 (RFC 8037 section 3.1).
    EdDsa,
    /// ECDSA on P-256 with SHA-256 (RFC 7518 section 3.4).
    Es256,
}

impl Algorithm {
    /// The registered name (RFC 7518 section 3.1).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
        }
    }

    /// Reads a registered name; `None` for every algorithm that is not taken.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::EdDsa, Self::Es256].into_iter().find(|algorithm| algorithm.as_str() == text)
    }
}

/// Why a JWK is refused. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JwkRefusal {
    /// Its `kty`, `crv` or `alg` is not one of P-256 with ES256 or Ed25519 with EdDSA.
    AlgorithmRefused,
    /// Not a JSON object with unique members of the right types.
    Malformed,
    /// It holds private key material.
    PrivateKey,
    /// Its coordinates have the wrong size or are no point of the curve, or one of small order.
    PointInvalid,
    /// Its `use` or `key_ops` says that it is not for signatures (RFC 7517 sections 4.2 and 4.3).
    UseRefused,
}

/// The signature does not belong to the message and the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureInvalid;

/// The cryptographic library failed in making a key or a signature, or a stored key does not parse: a fault of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CryptoFailure;

impl fmt::Display for CryptoFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key could not be read or used; look at the stored keys")
    }
}

impl std::error::Error for CryptoFailure {}

/// A key that verifies, checked and prepared once.
#[derive(Clone)]
pub struct PublicKey {
    algorithm: Algorithm,
    parsed: ParsedPublicKey,
    thumbprint: Thumbprint,
}

impl PublicKey {
    /// Reads a JWK strictly. Members that say nothing about a signature key (`kid`, `x5c`, ...) are passed over.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn from_jwk(text: &str) -> Result<Self, JwkRefusal> {
        let jwk = Object::parse(text)?;
        // SECURITY: asked first and of every key type, so that no private key passes as a public one (RFC 9449 section 4.3, check 7).
        if PRIVATE_MEMBERS.iter().any(|name| jwk.has(name)) {
            return Err(JwkRefusal::PrivateKey);
        }
        let algorithm = match (jwk.text("kty")?.as_ref(), jwk.text("crv")) {
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
    /// `PointInvalid` unless it is that.
    pub fn from_p256_sec1(point: &[u8]) -> Result<Self, JwkRefusal> {
        let (tag, coordinates) = point.split_first().ok_or(JwkRefusal::PointInvalid)?;
        let (x, rest) = coordinates.split_first_chunk::<32>().ok_or(JwkRefusal::PointInvalid)?;
        let y = <&[u8; 32]>::try_from(rest).map_err(|_| JwkRefusal::PointInvalid)?;
        if *tag == UNCOMPRESSED { Self::from_point(x, y) } else { Err(JwkRefusal::PointInvalid) }
    }

    /// The algorithm of its signatures.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Its name (RFC 7638), computed once.
    #[must_use]
    pub const fn thumbprint(&self) -> &Thumbprint {
        &self.thumbprint
    }

    /// The JWK with its required members only, in lexicographic order: the text that the thumbprint is the hash of (RFC 7638
    /// section 3.2).
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

    /// Verifies `signature` over `message`: `r || s` in 64 bytes for ES256 (RFC 7518 section 3.4), 64 bytes for EdDSA.
    ///
    /// # Errors
    /// When it is anything else than this key's signature over this message.
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

/// The first byte of an uncompressed point (SEC 1 section 2.3.3).
const UNCOMPRESSED: u8 = 4;

/// The points of Ed25519 whose order divides eight, in every encoding, without their sign bit. Under such a key one signature
/// fits many messages, so that it proves nothing.
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

fn ec_jwk(x: &[u8], y: &[u8]) -> String {
    let mut out = String::with_capacity(128);
    out.push_str(r#"{"crv":"P-256","kty":"EC","x":""#);
    base64url::encode_onto(x, &mut out);
    out.push_str(r#"","y":""#);
    base64url::encode_onto(y, &mut out);
    out.push_str(r#""}"#);
    out
}

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
    /// The thumbprint covers all of a key.
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

/// A key that signs. It is wiped when dropped, and shows its public half only.
pub struct SigningKey {
    pair: Pair,
    public: PublicKey,
}

enum Pair {
    EdDsa(Ed25519KeyPair),
    Es256(EcdsaKeyPair),
}

impl SigningKey {
    /// Makes a new key by the library's own random generator, and its PKCS#8 form to be kept.
    ///
    /// # Errors
    /// When the library fails.
    pub fn generate(algorithm: Algorithm) -> Result<(Self, Secret<Vec<u8>>), CryptoFailure> {
        let random = SystemRandom::new();
        let document = match algorithm {
            Algorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&random),
            Algorithm::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random),
        };
        let pkcs8 = Secret::new(document.map_err(|_| CryptoFailure)?.as_ref().to_vec());
        Ok((Self::from_pkcs8(algorithm, &pkcs8)?, pkcs8))
    }

    /// Reads a key in PKCS#8 form (RFC 5958).
    ///
    /// # Errors
    /// When it is not a key of this algorithm.
    pub fn from_pkcs8(algorithm: Algorithm, pkcs8: &Secret<Vec<u8>>) -> Result<Self, CryptoFailure> {
        match algorithm {
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8(pkcs8.expose()).map_err(|_| CryptoFailure)?;
                let point = <&[u8; 32]>::try_from(pair.public_key().as_ref()).map_err(|_| CryptoFailure)?;
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

    /// The half that verifies.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs `message`; the form is the one that [`PublicKey::verify`] takes. ES256 draws its nonce inside the library.
    ///
    /// # Errors
    /// When the library fails.
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
