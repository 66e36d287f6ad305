//! Delegation: the device key names a request key. It is the one certified step between the key in hardware and the key of a token.
//!
//! A hardware signature costs a phone up to a second, so the app signs its requests with a short-lived key in memory. The device key names
//! that key once for each token request, in a JWS of the type `csign-delegation+jwt`. The JWS carries the device key itself (`jwk`) and
//! these claims: `jkt` (the request key's thumbprint), `htu` (the token endpoint), `grant` (SHA-256 of the code or refresh token that is
//! redeemed), `iat`, `jti` and, when the server gave one, `nonce`.

use countersign_codec::{
    base64url,
    json::{NotTheObject, Object},
    sha256,
};
use countersign_core::{Limits, ProofId, Reason, Secret, Thumbprint, UnixSeconds};
use serde::Serialize;

use crate::{
    bound::{BoundProof, ReplayId},
    jwk::{CryptoFailure, JwkRefusal, PublicKey, SigningKey},
    jws::{self, HeaderToSign, Jws, JwsRefusal, NamedBy, Type},
    numeric_date::NumericDate,
    target::{OtherTarget, Target},
    window::{AcceptanceWindow, NonceRule, TimeRefusal},
};

/// SHA-256 of the code or refresh token that a delegation is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrantHash([u8; 32]);

impl GrantHash {
    /// Takes a hash that was stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Hashes a code or refresh token.
    #[must_use]
    pub fn of(grant: &Secret<String>) -> Self {
        Self(sha256(&[grant.expose().as_bytes()]))
    }
}

/// Reason why a delegation is refused. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DelegationRefusal {
    /// The claims are not a JSON object with all members, each of its type and size.
    ClaimsMalformed,
    /// The delegation was made for another code or refresh token.
    GrantMismatch,
    /// The key in the header's `jwk` is refused.
    Key(JwkRefusal),
    /// The header has no `jwk`.
    KeyMissing,
    /// The text is not an acceptable JWS.
    Jws(JwsRefusal),
    /// The delegation names another request key than the one that proved the request.
    RequestKeyMismatch,
    /// The delegation was made for another endpoint.
    TargetMismatch,
    /// The nonce or the time is refused.
    Time(TimeRefusal),
}

impl DelegationRefusal {
    /// Stable reason code of the refusal, for logs and metrics.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Time(time) => time.reason(),
            Self::ClaimsMalformed
            | Self::GrantMismatch
            | Self::Key(_)
            | Self::KeyMissing
            | Self::Jws(_)
            | Self::RequestKeyMismatch
            | Self::TargetMismatch => Reason::DelegationInvalid,
        }
    }
}

impl From<JwsRefusal> for DelegationRefusal {
    fn from(why: JwsRefusal) -> Self {
        Self::Jws(why)
    }
}

impl From<JwkRefusal> for DelegationRefusal {
    fn from(why: JwkRefusal) -> Self {
        Self::Key(why)
    }
}

impl From<NotTheObject> for DelegationRefusal {
    fn from(NotTheObject: NotTheObject) -> Self {
        Self::ClaimsMalformed
    }
}

/// Media type of a delegation. It differs from that of a proof, so that neither can be taken for the other.
const TYPE: &str = "csign-delegation+jwt";

/// A delegation whose structure and signature were checked, but not yet its request.
#[derive(Debug)]
#[must_use]
pub struct SignedDelegation {
    key: PublicKey,
    id: ReplayId,
    request_key: Thumbprint,
    target: String,
    grant: GrantHash,
    issued_at: UnixSeconds,
    nonce: Option<String>,
}

impl SignedDelegation {
    /// The key that signed the delegation. The delegation brought it along itself; the caller has to find out whether it belongs to a
    /// device.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }
}

/// Values that a delegation must have.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// URL of the token endpoint.
    pub target: &'a Target,
    /// Hash of the request's code or refresh token.
    pub grant: &'a GrantHash,
    /// Thumbprint of the key that signed the request's DPoP proof.
    pub request_key: &'a Thumbprint,
    /// Rule for the nonce.
    pub nonces: NonceRule<'a>,
}

/// A delegation that fits its request and the present time. It may still be a replay until its proof is spent.
#[derive(Debug)]
#[must_use]
pub struct BoundDelegation {
    proof: BoundProof,
    request_key: Thumbprint,
}

impl BoundDelegation {
    /// Thumbprint of the device key that signed the delegation.
    #[must_use]
    pub const fn device_key(&self) -> &Thumbprint {
        self.proof.key()
    }

    /// Thumbprint of the request key that the delegation names.
    #[must_use]
    pub const fn request_key(&self) -> &Thumbprint {
        &self.request_key
    }

    /// The proof, for the replay memory to spend.
    pub fn into_proof(self) -> BoundProof {
        self.proof
    }
}

/// Parses the text of a `Countersign-Delegation` header and verifies its signature.
///
/// # Errors
/// The first check that fails.
pub fn read(delegation: &str) -> Result<SignedDelegation, DelegationRefusal> {
    let jws = Jws::read(delegation, Type::Is(TYPE))?;
    // The key comes with the text, so the signature alone proves nothing: the caller has to compare the key with the enrolled one.
    let key = PublicKey::from_jwk(jws.jwk().ok_or(DelegationRefusal::KeyMissing)?)?;
    let payload = jws.verify(&key)?;
    let claims = Object::from_bytes(payload.as_bytes(), Limits::JSON_DEPTH_MAX)?;
    let id = claims.text("jti")?;
    if !(1..=Limits::ID_BYTES_MAX).contains(&id.len()) {
        return Err(DelegationRefusal::ClaimsMalformed);
    }
    Ok(SignedDelegation {
        id: ReplayId::of(b"dele", key.thumbprint(), &id),
        request_key: Thumbprint::parse(&claims.text("jkt")?).map_err(|_| NotTheObject)?,
        target: claims.text("htu")?.into_owned(),
        grant: GrantHash(base64url::decode_array(&claims.text("grant")?).map_err(|_| NotTheObject)?),
        issued_at: claims.required::<NumericDate>("iat")?.down(),
        nonce: claims.optional_text("nonce")?.map(String::from),
        key,
    })
}

/// Checks that `delegation` was made for this request, now.
///
/// # Errors
/// The first check that fails.
pub fn bind(delegation: SignedDelegation, expected: &Expected<'_>, now: UnixSeconds) -> Result<BoundDelegation, DelegationRefusal> {
    expected.target.admit(&delegation.target).map_err(|OtherTarget| DelegationRefusal::TargetMismatch)?;
    let window =
        AcceptanceWindow::admit(delegation.nonce.as_deref(), delegation.key.thumbprint(), delegation.issued_at, expected.nonces, now)
            .map_err(DelegationRefusal::Time)?;
    // SECURITY: a captured delegation must not help to redeem another code or refresh token.
    if delegation.grant != *expected.grant {
        return Err(DelegationRefusal::GrantMismatch);
    }
    // SECURITY: ties the key in memory to the key in hardware. A thief's own request key fails here.
    if delegation.request_key != *expected.request_key {
        return Err(DelegationRefusal::RequestKeyMismatch);
    }
    let proof = BoundProof::new(*delegation.key.thumbprint(), delegation.id, window);
    Ok(BoundDelegation { proof, request_key: delegation.request_key })
}

/// Content of a delegation that a client makes.
#[derive(Clone, Copy, Debug)]
pub struct DelegationToMake<'a> {
    /// Thumbprint of the request key.
    pub request_key: &'a Thumbprint,
    /// URL of the token endpoint.
    pub target: &'a Target,
    /// Hash of the code or refresh token that is redeemed.
    pub grant: &'a GrantHash,
    /// The last nonce that the server gave.
    pub nonce: Option<&'a str>,
    /// `jti`: at least 96 unpredictable bits.
    pub id: &'a ProofId,
    /// `iat`: the time by the client's clock.
    pub issued_at: UnixSeconds,
}

/// Claims of the delegation as JSON.
#[derive(Serialize)]
struct WireClaims<'a> {
    jti: &'a str,
    jkt: String,
    htu: &'a str,
    grant: String,
    iat: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
}

/// Makes a delegation, signed by the device key.
///
/// # Errors
/// [`CryptoFailure`] when the library fails.
pub fn make(key: &SigningKey, delegation: &DelegationToMake<'_>) -> Result<String, CryptoFailure> {
    let wire = WireClaims {
        jti: delegation.id.as_str(),
        jkt: delegation.request_key.to_string(),
        htu: delegation.target.as_str(),
        grant: base64url::encode(delegation.grant.0),
        iat: delegation.issued_at.0,
        nonce: delegation.nonce,
    };
    let payload = serde_json::to_vec(&wire).map_err(|_| CryptoFailure)?;
    jws::sign(key, HeaderToSign { typ: TYPE, key: NamedBy::Embedded }, &payload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{dpop, jwk::Algorithm, nonce::NonceKeys};
    use countersign_core::{KeyId, Seconds};

    const NOW: UnixSeconds = UnixSeconds(1_000_000);

    struct House {
        device: SigningKey,
        request_key: Thumbprint,
        target: Target,
        grant: GrantHash,
        nonces: NonceKeys,
    }

    impl House {
        fn new() -> Self {
            Self {
                device: SigningKey::generate(Algorithm::Es256).expect("a key").0,
                request_key: *SigningKey::generate(Algorithm::Es256).expect("a key").0.public().thumbprint(),
                target: Target::parse("https://api.example.com/token").expect("a target"),
                grant: GrantHash::of(&Secret::new(String::from("code"))),
                nonces: NonceKeys::new(&Secret::new([1; 32]), None),
            }
        }

        fn expected(&self) -> Expected<'_> {
            let nonces = NonceRule::Accepted(&self.nonces);
            Expected { target: &self.target, grant: &self.grant, request_key: &self.request_key, nonces }
        }

        /// A delegation of the type `typ`, good but that `from` is replaced by `to` in its claims.
        fn signed(&self, typ: &str, from: &str, to: &str) -> String {
            let good = format!(
                r#"{{"jti":"j-1","jkt":"{}","htu":"https://api.example.com/token","grant":"{}","iat":1000000}}"#,
                self.request_key,
                base64url::encode(self.grant.0)
            );
            assert!(good.contains(from), "`{from}` is not in the claims");
            let header = HeaderToSign { typ, key: NamedBy::Embedded };
            jws::sign(&self.device, header, good.replacen(from, to, 1).as_bytes()).expect("a delegation")
        }
    }

    #[test]
    fn claims_fit_the_request() {
        let house = House::new();
        let (jkt, grant) = (house.request_key.to_string(), base64url::encode(house.grant.0));
        let other = base64url::encode([7; 32]);
        let foreign = NonceKeys::new(&Secret::new([2; 32]), None).issue(house.device.public().thumbprint(), NOW);
        let (ours, theirs) = (
            format!("{{\"nonce\":\"{}\",", house.nonces.issue(house.device.public().thumbprint(), NOW)),
            format!("{{\"nonce\":\"{foreign}\","),
        );
        let stale = format!("{{\"nonce\":\"{}\",", house.nonces.issue(house.device.public().thumbprint(), NOW.minus(Seconds(1_000))));
        let too_long = "j".repeat(129);
        let malformed = Err(DelegationRefusal::ClaimsMalformed);
        let rows: &[(&str, &str, &str, Result<(), DelegationRefusal>)] = &[
            ("all fits", "", "", Ok(())),
            ("a nonce", "{", &ours, Ok(())),
            ("a foreign nonce", "{", &theirs, Err(DelegationRefusal::Time(TimeRefusal::NonceUnknown))),
            ("an old nonce", "{", &stale, Err(DelegationRefusal::Time(TimeRefusal::NonceStale))),
            ("too old", "1000000", "999939", Err(DelegationRefusal::Time(TimeRefusal::TooOld))),
            ("the oldest second", "1000000", "999940", Ok(())),
            ("too early", "1000000", "1000006", Err(DelegationRefusal::Time(TimeRefusal::TooEarly))),
            ("another endpoint", "/token", "/tokens", Err(DelegationRefusal::TargetMismatch)),
            ("another request key", &jkt, &other, Err(DelegationRefusal::RequestKeyMismatch)),
            ("another code", &grant, &other, Err(DelegationRefusal::GrantMismatch)),
            ("no code", "\"grant\"", "\"grants\"", malformed),
            ("half a code", &grant, "AAAA", malformed),
            ("no request key", "\"jkt\"", "\"jk\"", malformed),
            ("half a request key", &jkt, "AAAA", malformed),
            ("no endpoint", "\"htu\"", "\"ht\"", malformed),
            ("no time", "\"iat\"", "\"ia\"", malformed),
            ("no name", "\"jti\"", "\"jt\"", malformed),
            ("an empty name", "j-1", "", malformed),
            ("too long a name", "j-1", &too_long, malformed),
            ("two request keys", "{", "{\"jkt\":\"a\",", malformed),
            ("no object", "{", "[{", malformed),
        ];
        for (name, from, to, expected) in rows {
            let bound = read(&house.signed(TYPE, from, to)).and_then(|signed| bind(signed, &house.expected(), NOW));
            assert_eq!(bound.map(|_| ()), *expected, "{name}");
        }
        let required = Expected { nonces: NonceRule::Required(&house.nonces), ..house.expected() };
        let bound = read(&house.signed(TYPE, "", "")).and_then(|signed| bind(signed, &required, NOW));
        assert_eq!(bound.map(|_| ()), Err(DelegationRefusal::Time(TimeRefusal::NonceWanted)), "no nonce where one is required");
    }

    /// RFC 9449 section 11.2: whoever held the device key for a moment has what they signed then, and nothing later.
    #[test]
    fn what_was_dated_ahead_opens_nothing_later() {
        let house = House::new();
        let device = *house.device.public().thumbprint();
        let (own, of_request_key) = (house.nonces.issue(&device, NOW), house.nonces.issue(&house.request_key, NOW));
        let required = Expected { nonces: NonceRule::Required(&house.nonces), ..house.expected() };
        let rows: &[(&str, Option<&str>, u64, u64, Result<(), TimeRefusal>)] = &[
            ("at once, by the nonce", Some(&own), 0, 0, Ok(())),
            ("the last second of the nonce", Some(&own), 0, 30, Ok(())),
            ("one second later", Some(&own), 0, 31, Err(TimeRefusal::NonceStale)),
            ("dated ahead, with the nonce of now", Some(&own), 40, 40, Err(TimeRefusal::NonceStale)),
            ("dated far ahead", Some(&own), 150, 150, Err(TimeRefusal::NonceStale)),
            ("dated ahead, without a nonce", None, 40, 40, Err(TimeRefusal::NonceWanted)),
            ("with a nonce of the request key", Some(&of_request_key), 0, 0, Err(TimeRefusal::NonceUnknown)),
        ];
        for (name, nonce, dated, used, expected) in rows {
            let to_make = DelegationToMake {
                request_key: &house.request_key,
                target: &house.target,
                grant: &house.grant,
                nonce: *nonce,
                id: &ProofId::parse("j-1").expect("an id"),
                issued_at: NOW.plus(Seconds(*dated)),
            };
            let signed = read(&make(&house.device, &to_make).expect("a delegation")).expect("a delegation");
            let bound = bind(signed, &required, NOW.plus(Seconds(*used)));
            assert_eq!(bound.map(|_| ()), expected.map_err(DelegationRefusal::Time), "{name}");
        }
    }

    #[test]
    fn only_a_signed_delegation_is_one() {
        let house = House::new();
        let id = KeyId::parse("a").expect("a name");
        let good = house.signed(TYPE, "", "");
        let payload = good.split('.').nth(1).expect("a payload");
        let named = jws::sign(&house.device, HeaderToSign { typ: TYPE, key: NamedBy::Kid(&id) }, b"{}").expect("a text");
        let unsigned = format!("{}.{payload}.", good.split('.').next().expect("a header"));
        let private = format!(r#"{{"typ":"{TYPE}","alg":"ES256","jwk":{{"d":"AA"}}}}"#);
        let private = format!("{}.{payload}.AA", base64url::encode(private));
        let rows: &[(&str, &str, DelegationRefusal)] = &[
            ("a proof", &house.signed("dpop+jwt", "", ""), DelegationRefusal::Jws(JwsRefusal::TypeWrong)),
            ("no signature", &unsigned, DelegationRefusal::Jws(JwsRefusal::SignatureInvalid)),
            ("a name instead of the key", &named, DelegationRefusal::KeyMissing),
            ("a private key", &private, DelegationRefusal::Key(JwkRefusal::PrivateKey)),
            ("nothing", "", DelegationRefusal::Jws(JwsRefusal::NotThreeParts)),
        ];
        for (name, text, expected) in rows {
            let refusal = read(text).map(|_| ()).expect_err(name);
            assert_eq!(refusal, *expected, "{name}");
            assert_eq!(refusal.reason(), Reason::DelegationInvalid, "{name}");
        }
        assert!(dpop::read(&good).is_err(), "a delegation is no proof");
        assert_eq!(DelegationRefusal::Time(TimeRefusal::NonceWanted).reason(), Reason::ProofNonceWanted);
    }

    #[test]
    fn what_a_client_makes_is_taken() {
        let house = House::new();
        let id = ProofId::parse("j-1").expect("an id");
        let nonce = house.nonces.issue(house.device.public().thumbprint(), NOW);
        for nonce in [None, Some(nonce.as_str())] {
            let (request_key, target, grant) = (&house.request_key, &house.target, &house.grant);
            let to_make = DelegationToMake { request_key, target, grant, nonce, id: &id, issued_at: NOW };
            let signed = read(&make(&house.device, &to_make).expect("a delegation")).expect("our own delegation");
            assert_eq!(signed.key(), house.device.public());
            let bound = bind(signed, &house.expected(), NOW).expect("our own delegation");
            assert_eq!((bound.device_key(), bound.request_key()), (house.device.public().thumbprint(), request_key));
            assert!(bound.into_proof().remember_until() >= NOW);
        }
    }

    /// A proof and a delegation by one key under one name are two things to remember.
    #[test]
    fn a_delegation_does_not_use_up_a_proof() {
        let house = House::new();
        let (key, target, id) = (&house.device, &house.target, &ProofId::parse("j-1").expect("an id"));
        let to_make = dpop::ProofToMake { method: "POST", target, token_hash: None, nonce: None, id, issued_at: NOW };
        let (bound_to, nonces) = (dpop::BoundTo::TokenRequest, NonceRule::Accepted(&house.nonces));
        let fits = dpop::Expected { method: "POST", target, bound_to, nonces };
        let proof = dpop::read(&dpop::make(key, &to_make).expect("a proof")).and_then(|proof| dpop::bind(proof, &fits, NOW));
        let delegation = read(&house.signed(TYPE, "", "")).and_then(|signed| bind(signed, &house.expected(), NOW));
        let (proof, delegation) = (proof.expect("a proof"), delegation.expect("a delegation").into_proof());
        assert_eq!(proof.key(), delegation.key());
        assert_ne!(proof.id(), delegation.id());
    }
}
