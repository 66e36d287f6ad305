//! App Attest attestations: Apple's statement that a key is kept in a Secure Enclave and that an accepted app made it.

use std::fmt;

use countersign_core::{Limits, UnixSeconds};
use countersign_proof::jwk::PublicKey;

use crate::anchors::{Anchor, Anchors};
use crate::apple::app::AppleApp;
use crate::apple::authenticator_data::{Attesting, Launch};
use crate::apple::cbor::{Reader, once, required};
use crate::apple::chain::anchored;
use crate::apple::leaf::system_version;
use crate::apple::refusal::{AppleRefusal, FormatRefusal};
use crate::apple::requirements::{Environment, Requirements};
use crate::apple::rule;
use crate::x509::{Certificate, SubjectKey};

/// An attestation that parses. No signature has been checked yet.
#[derive(Clone)]
pub struct Attestation {
    pub(super) leaf: Certificate,
    /// All certificates: the leaf again, then those that issued it.
    pub(super) chain: Vec<Certificate>,
    receipt: Vec<u8>,
    pub(super) signed_data: Vec<u8>,
    pub(super) data: Attesting,
}

impl Attestation {
    /// Parses what `attestKey` gives the app: a CBOR map of `fmt`, `attStmt` (`x5c` and `receipt`) and `authData`.
    ///
    /// # Errors
    /// The first rule of the format that is broken; a certificate that does not parse; fewer than two certificates.
    pub fn parse(bytes: &[u8]) -> Result<Self, AppleRefusal> {
        let wire = Wire::parse(bytes).map_err(AppleRefusal::AttestationMalformed)?;
        let data = Attesting::parse(wire.authenticator_data).map_err(AppleRefusal::AttestationMalformed)?;
        let mut chain = Vec::with_capacity(wire.statement.certificates.len());
        for (index, der) in wire.statement.certificates.iter().enumerate() {
            chain.push(Certificate::parse(der).map_err(|malformed| AppleRefusal::CertificateMalformed { index, malformed })?);
        }
        match chain.first().cloned() {
            Some(leaf) if chain.len() >= Limits::APP_ATTEST_CERTIFICATES_MIN => {
                Ok(Self { leaf, chain, receipt: wire.statement.receipt.to_vec(), signed_data: wire.authenticator_data.to_vec(), data })
            }
            Some(_) | None => Err(AppleRefusal::ChainTooShort { count: chain.len() }),
        }
    }

    /// All certificates, the attested key's first. Apple does not send its root.
    #[must_use]
    pub fn certificates(&self) -> &[Certificate] {
        &self.chain
    }

    /// Apple's receipt, with which its fraud metric can be requested. It has not been parsed.
    #[must_use]
    pub fn receipt(&self) -> &[u8] {
        &self.receipt
    }
}

impl fmt::Debug for Attestation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attestation({:?})", self.chain)
    }
}

/// A key that Apple attested for an accepted app. Only [`verify_attestation`] makes one.
#[derive(Debug)]
#[must_use]
pub struct Attested {
    leaf: Certificate,
    public_key: PublicKey,
    key_id: [u8; 32],
    app: AppleApp,
    environment: Environment,
    anchor: Anchor,
    receipt: Vec<u8>,
    launch: Launch,
}

impl Attested {
    /// The key as its certificate holds it.
    #[must_use]
    pub const fn key(&self) -> &SubjectKey {
        self.leaf.key()
    }

    /// The key in the form that verifies assertions.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// SHA-256 of the key's uncompressed point, the key's name on the device.
    #[must_use]
    pub const fn key_id(&self) -> &[u8; 32] {
        &self.key_id
    }

    /// The app that made the key.
    #[must_use]
    pub const fn app(&self) -> &AppleApp {
        &self.app
    }

    /// Environment of App Attest that vouched for the key: production or development.
    #[must_use]
    pub const fn environment(&self) -> Environment {
        self.environment
    }

    /// The trust anchor at which the chain ended.
    #[must_use]
    pub const fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    /// Apple's receipt, to be stored: the fraud metric is requested with it. Its signature has not been verified.
    #[must_use]
    pub fn receipt(&self) -> &[u8] {
        &self.receipt
    }

    /// First second at which the key's certificate is valid; Apple dates it about a day before it issues it.
    #[must_use]
    pub const fn not_before(&self) -> UnixSeconds {
        self.leaf.not_before()
    }

    /// Last second at which the key's certificate is valid. The key itself does not expire.
    #[must_use]
    pub const fn not_after(&self) -> UnixSeconds {
        self.leaf.not_after()
    }

    /// Version of the operating system, when the certificate names one.
    #[must_use]
    pub fn system_version(&self) -> Option<String> {
        system_version(&self.leaf)
    }

    /// Statement of the operating system about the app's launch.
    #[must_use]
    pub const fn launch(&self) -> &Launch {
        &self.launch
    }
}

/// The claim that an attestation has to prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim<'a> {
    /// Key id that the app sent with the attestation, decoded: the result of `generateKey`.
    pub key_id: &'a [u8],
    /// SHA-256 of the client data, which contain the server's challenge.
    pub client_data_hash: &'a [u8; 32],
}

/// Verifies an attestation: Apple must vouch for the claimed key, for an accepted app and environment, in answer to the client data.
///
/// The steps are those that Apple documents, plus checks of the key's kind and of the credential's key. Only anchors for
/// [`crate::anchors::Purpose::AppAttest`] count.
///
/// # Errors
/// The first rule that is broken, in the order in which the rules stand below.
pub fn verify_attestation(
    attestation: &Attestation,
    claim: &Claim<'_>,
    requirements: &Requirements,
    anchors: &Anchors,
    now: UnixSeconds,
) -> Result<Attested, AppleRefusal> {
    let Attestation { leaf, data, .. } = attestation;
    // The chain first: the nonce in the leaf means something only when Apple signed the leaf.
    let anchor = anchored(&attestation.chain, anchors, now)?;
    rule::answers(leaf, &attestation.signed_data, claim.client_data_hash)?;
    // From here on in the order of Apple's steps: key, app, counter, environment, credential.
    let public_key = rule::p256(leaf.key())?;
    let key_id = rule::key_id(leaf.key(), claim.key_id)?;
    let app = rule::app(data, &requirements.apps)?;
    rule::unused(data)?;
    let environment = rule::environment(data, &requirements.environments)?;
    rule::credential_id(data, claim.key_id)?;
    rule::credential_key(data, leaf.key())?;
    Ok(Attested {
        leaf: leaf.clone(),
        public_key,
        key_id,
        app: app.clone(),
        environment,
        anchor: anchor.clone(),
        receipt: attestation.receipt.clone(),
        launch: data.launch.clone(),
    })
}

/// The outer CBOR map, with its parts still as bytes.
struct Wire<'a> {
    statement: Statement<'a>,
    authenticator_data: &'a [u8],
}

struct Statement<'a> {
    certificates: Vec<&'a [u8]>,
    receipt: &'a [u8],
}

impl<'a> Wire<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, FormatRefusal> {
        if bytes.len() > Limits::APP_ATTEST_BYTES_MAX {
            return Err(FormatRefusal::TooLarge);
        }
        let mut reader = Reader::new(bytes);
        let (mut format, mut statement, mut authenticator_data) = (None, None, None);
        for _ in 0..reader.map()? {
            match reader.text()? {
                "fmt" => once(&mut format, reader.text()?)?,
                "attStmt" => once(&mut statement, Statement::read(&mut reader)?)?,
                "authData" => once(&mut authenticator_data, reader.bytes()?)?,
                _ => return Err(FormatRefusal::FieldUnknown),
            }
        }
        // Nothing may follow; otherwise one attestation could be sent in many spellings.
        reader.finish()?;
        if required(format, "fmt")? != "apple-appattest" {
            return Err(FormatRefusal::FormatUnknown);
        }
        Ok(Self { statement: required(statement, "attStmt")?, authenticator_data: required(authenticator_data, "authData")? })
    }
}

impl<'a> Statement<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, FormatRefusal> {
        let (mut certificates, mut receipt) = (None, None);
        for _ in 0..reader.map()? {
            match reader.text()? {
                "x5c" => once(&mut certificates, certificates_of(reader)?)?,
                "receipt" => once(&mut receipt, reader.bytes()?)?,
                _ => return Err(FormatRefusal::FieldUnknown),
            }
        }
        Ok(Self { certificates: required(certificates, "x5c")?, receipt: required(receipt, "receipt")? })
    }
}

fn certificates_of<'a>(reader: &mut Reader<'a>) -> Result<Vec<&'a [u8]>, FormatRefusal> {
    let count = usize::try_from(reader.array()?).unwrap_or(usize::MAX);
    // Checked before anything is collected, so that a claimed length reserves no memory.
    if count > Limits::CHAIN_CERTIFICATES_MAX {
        return Err(FormatRefusal::TooManyCertificates);
    }
    (0..count).map(|_| reader.bytes()).collect()
}
