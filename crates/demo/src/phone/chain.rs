//! The "hardware" of software phones: a certificate authority that says of a key what a phone's maker would say.
//!
//! Only a development node or the demo trusts it. For the demo's attackers it can lie in exactly one way at a time.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_attest::android::{ATTESTATION_EXTENSION, Origin};
use countersign_core::{BootState, SecurityLevel, UnixSeconds};
use countersign_node::files;
use countersign_proof::jwk::SigningKey;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CustomExtension, DistinguishedName, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, SerialNumber, SignatureAlgorithm, date_time_ymd,
};

use crate::phone::description::{self, Description};

/// OID of the subject attribute serialNumber (RFC 5280 appendix A.1); factory-provisioned intermediates carry it.
const SERIAL_NUMBER: &[u64] = &[2, 5, 4, 5];

/// Subject of the root.
const ROOT_NAME: &str = "Countersign software phones";

/// Serial number of the intermediate that the demo's revocation list names.
const REVOKED_SERIAL: &[u8] = &[0x6b, 0xad];

/// Serial number of the intermediate that is put on the list while phones are in use.
const LEAKING_SERIAL: &[u8] = &[0x6c, 0xea];

/// What a handset's hardware would say of itself.
#[derive(Clone, Debug)]
pub struct Handset {
    /// The security patch level as `YYYYMM`; `None` for this month's.
    patch: Option<u64>,
    /// The app's version code; `None` for the newest.
    app_version: Option<u64>,
    /// Which of the maker's intermediates vouches.
    batch: Batch,
}

/// A batch of phones, each with an intermediate of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Batch {
    /// Batch with a key that only its maker knows; each chain is as of another batch.
    Sound,
    /// Like it, and always the same.
    Same,
    /// Whose key will be published.
    Leaking,
    /// Phones whose certificates say that they are no authorities, as those of some makers do.
    Modest,
}

impl Handset {
    /// A phone as it should be.
    #[must_use]
    pub const fn genuine() -> Self {
        Self { patch: None, app_version: None, batch: Batch::Sound }
    }

    /// A phone that attests all its keys with one certificate, as real ones do.
    #[must_use]
    pub(crate) const fn of_one_batch() -> Self {
        Self { batch: Batch::Same, ..Self::genuine() }
    }

    /// A phone whose maker's key will leak, which nobody knows yet.
    #[must_use]
    pub const fn of_leaking_batch() -> Self {
        Self { batch: Batch::Leaking, ..Self::genuine() }
    }

    /// A phone whose maker wrote `CA:FALSE` into the certificate that attests its keys.
    #[must_use]
    pub(crate) const fn of_modest_maker() -> Self {
        Self { batch: Batch::Modest, ..Self::genuine() }
    }

    /// A phone with so old an app.
    #[must_use]
    pub const fn old_app(version: u64) -> Self {
        Self { app_version: Some(version), ..Self::genuine() }
    }

    /// A phone that has had no security update for years.
    #[must_use]
    pub const fn old_patch() -> Self {
        Self { patch: Some(202_301), ..Self::genuine() }
    }

    /// The demo app's signing certificate digest, as the config writes it.
    #[must_use]
    pub fn signer_hex() -> String {
        hex::encode(description::SIGNER)
    }
}

/// One lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tamper {
    /// The package name is another app's.
    AnotherApp,
    /// The description answers another challenge.
    AnotherChallenge,
    /// The phone's key is certified by an attested key instead of being attested.
    AppendedCertificate,
    /// The chain is for a key that the phone does not hold.
    ForeignKey,
    /// A byte of the description is changed after signing.
    ForgedDescription,
    /// The key was imported.
    ImportedKey,
    /// The root is unknown.
    OwnAuthority,
    /// The app is signed by somebody else.
    RepackagedApp,
    /// The intermediate stands on the revocation list.
    RevokedIntermediate,
    /// The bootloader is unlocked, and boots anything.
    Rooted,
    /// The system is the owner's own.
    SelfSignedBoot,
    /// The key lives in software.
    SoftwareKeystore,
    /// The chain is an expired one of Google's servers, with another certificate of the root appended.
    RecombinedExpired,
    /// The challenge was used before.
    StaleChallenge,
    /// The bootloader is unlocked, and boots its maker's system this time.
    UnlockedBootloader,
}

/// What is to be attested.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The app that made the key.
    pub app: &'a str,
    /// The key.
    pub key: &'a SigningKey,
    /// What the server gave.
    pub challenge: &'a [u8],
    /// When.
    pub now: UnixSeconds,
}

/// The maker of software phones.
pub struct DemoCa {
    root: Certified,
    sound: Maker,
    revoked: Maker,
    leaking: Maker,
    modest: Maker,
    expired: Vec<Certified>,
}

/// A maker's intermediate, and the key of its phones that attests others.
struct Maker {
    intermediate: Certified,
    attesting: Certified,
}

/// A certificate with its key.
struct Certified {
    certificate: Certificate,
    params: CertificateParams,
    key: KeyPair,
}

impl DemoCa {
    /// Makes a root and its intermediates. The keys live in memory only.
    ///
    /// # Errors
    /// When the library cannot make keys.
    pub fn new() -> Result<Self> {
        Self::under(authority(ROOT_NAME, &[1], None)?)
    }

    /// The maker whose root key is kept below a development node's data, made when there is none yet. Its root stands where
    /// the node looks for further trust anchors.
    ///
    /// # Errors
    /// When the files cannot be used.
    pub fn kept_in(dev: &Path) -> Result<Self> {
        let (key_file, anchors) = (dev.join("phones-key.pem"), dev.join("anchors"));
        let root_file = anchors.join("phones.pem");
        if !key_file.exists() {
            let made = authority(ROOT_NAME, &[1], None)?;
            files::private_directory(&anchors)?;
            files::write_private(&root_file, made.certificate.pem().as_bytes())?;
            files::write_private(&key_file, made.key.serialize_pem().as_bytes())?;
        }
        let key = KeyPair::from_pem(&fs::read_to_string(&key_file)?).with_context(|| format!("reading `{}`", key_file.display()))?;
        // The signature of a certificate is made anew each time, but anchors are known by their key.
        let params = authority_params(ROOT_NAME, &[1])?;
        Self::under(Certified { certificate: params.self_signed(&key)?, params, key })
    }

    fn under(root: Certified) -> Result<Self> {
        let sound = Maker::new("Countersign demo TEE", &[2], &root, |_| {})?;
        let revoked = Maker::new("Countersign demo TEE, stolen", REVOKED_SERIAL, &root, |_| {})?;
        let leaking = Maker::new("Countersign demo TEE, careless", LEAKING_SERIAL, &root, |_| {})?;
        let modest = Maker::new("Countersign demo TEE, modest", &[4], &root, |params| {
            params.is_ca = IsCa::ExplicitNoCa;
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        })?;
        let expired = remotely_provisioned(&root)?;
        Ok(Self { root, sound, revoked, leaking, modest, expired })
    }

    /// The root, for the node's trust anchors.
    #[must_use]
    pub fn root_pem(&self) -> String {
        self.root.certificate.pem()
    }

    /// A revocation list in Google's format that names one intermediate.
    #[must_use]
    pub fn status_list() -> String {
        list(&[REVOKED_SERIAL])
    }

    /// The list after another key leaked.
    #[must_use]
    pub fn status_list_after_the_leak() -> String {
        list(&[REVOKED_SERIAL, LEAKING_SERIAL])
    }

    /// A chain for `key`, leaf first, that says of it what is true of `handset`.
    ///
    /// # Errors
    /// When the library cannot sign.
    pub fn attest(&self, handset: &Handset, asked: &Asked<'_>) -> Result<Vec<Vec<u8>>> {
        let mut said = Description::genuine(asked.app, asked.challenge, asked.now);
        if let Some(patch) = handset.patch {
            said.patch_level = patch;
        }
        if let Some(version) = handset.app_version {
            said.app_version = version;
        }
        let own = point(asked.key)?;
        match handset.batch {
            Batch::Sound => self.chain(&self.another_batch()?, &said, &own),
            Batch::Same => self.chain(&self.sound, &said, &own),
            Batch::Leaking => self.chain(&self.leaking, &said, &own),
            Batch::Modest => self.chain(&self.modest, &said, &own),
        }
    }

    /// A chain for `key` that lies in one way.
    ///
    /// # Errors
    /// When the library cannot sign.
    pub fn attest_tampered(&self, tamper: Tamper, asked: &Asked<'_>) -> Result<Vec<Vec<u8>>> {
        let mut said = Description::genuine(asked.app, asked.challenge, asked.now);
        let own = point(asked.key)?;
        match tamper {
            Tamper::StaleChallenge => {}
            Tamper::AnotherApp => said.package = "com.example.other".to_owned(),
            Tamper::AnotherChallenge => said.challenge = vec![0; 32],
            Tamper::ImportedKey => said.origin = Origin::Imported,
            Tamper::RepackagedApp => said.signer = [0x66; 32],
            Tamper::SelfSignedBoot => said.boot_state = BootState::SelfSigned,
            Tamper::SoftwareKeystore => said.security_level = SecurityLevel::Software,
            Tamper::Rooted => (said.locked, said.boot_state) = (false, BootState::Unverified),
            Tamper::UnlockedBootloader => said.locked = false,
            Tamper::AppendedCertificate => return self.append(&said, &own),
            Tamper::ForeignKey => {
                let foreign = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
                return self.chain(&self.sound, &said, &PublicPoint(foreign.public_key_raw().to_vec()));
            }
            Tamper::ForgedDescription => {
                let mut chain = self.chain(&self.sound, &said, &own)?;
                forge(chain.first_mut().context("the chain has a leaf")?, asked.challenge)?;
                return Ok(chain);
            }
            Tamper::OwnAuthority => {
                let own_authority = Self::new()?;
                return own_authority.chain(&own_authority.sound, &said, &own);
            }
            Tamper::RecombinedExpired => return self.recombine(&said, &own),
            Tamper::RevokedIntermediate => return self.chain(&self.revoked, &said, &own),
        }
        self.chain(&self.sound, &said, &own)
    }

    /// A phone of a batch that nobody has met yet, of the sound maker.
    fn another_batch(&self) -> Result<Maker> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        // The first bit of a serial number is its sign.
        let mut serial: Vec<u8> = key.public_key_raw().iter().skip(1).take(8).copied().collect();
        serial.insert(0, 1);
        Maker::new("Countersign demo TEE", &serial, &self.root, |_| {})
    }

    fn chain(&self, by: &Maker, said: &Description, key: &PublicPoint) -> Result<Vec<Vec<u8>>> {
        let leaf = attested(said)?.signed_by(key, &by.attesting.issuer())?;
        let chain = [&leaf, &by.attesting.certificate, &by.intermediate.certificate, &self.root.certificate];
        Ok(chain.map(|certificate| certificate.der().to_vec()).into())
    }

    /// A phone whose certificates of Google's servers have expired, and that gives itself a root below the root: its name is a serial number,
    /// as that of a factory's intermediate, whose certificates do not expire.
    fn recombine(&self, said: &Description, key: &PublicPoint) -> Result<Vec<Vec<u8>>> {
        let attesting = self.expired.last().context("the servers' certificates are there")?;
        let leaf = attested(said)?.signed_by(key, &attesting.issuer())?;
        let again = self.root.params.self_signed(&self.root.key)?;
        let above = self.expired.iter().rev().map(|certified| &certified.certificate);
        let chain = std::iter::once(&leaf).chain(above).chain([&again, &self.root.certificate]);
        Ok(chain.map(|certificate| certificate.der().to_vec()).collect())
    }

    /// A thief with a genuine attested key uses it as if it were an authority, for a key without hardware.
    fn append(&self, said: &Description, key: &PublicPoint) -> Result<Vec<Vec<u8>>> {
        let attested_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let params = attested(said)?;
        let by = &self.sound;
        let genuine = params.signed_by(&attested_key, &by.attesting.issuer())?;
        let mut below = named("Android Keystore Key", &[9])?;
        below.custom_extensions.push(extension(said)?);
        let appended = below.signed_by(key, &Issuer::from_params(&params, &attested_key))?;
        let chain = [&appended, &genuine, &by.attesting.certificate, &by.intermediate.certificate, &self.root.certificate];
        Ok(chain.map(|certificate| certificate.der().to_vec()).into())
    }
}

impl Maker {
    fn new(name: &str, serial: &[u8], root: &Certified, change: impl Fn(&mut CertificateParams)) -> Result<Self> {
        let intermediate = authority(name, serial, Some(root))?;
        let mut params = authority_params(&format!("{name}, one phone"), &[serial, &[1]].concat())?;
        change(&mut params);
        let attesting = certified(params, Some(&intermediate))?;
        Ok(Self { intermediate, attesting })
    }
}

impl Certified {
    fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }
}

/// Certificates as Google's servers issue them, from the intermediate down, of which the last expired in 2021.
fn remotely_provisioned(root: &Certified) -> Result<Vec<Certified>> {
    let mut made: Vec<Certified> = Vec::new();
    for (name, organization, serial) in [("Droid CA2", "Google LLC", 0x71), ("Droid CA3", "Google LLC", 0x72), ("demo phone", "TEE", 0x73)]
    {
        let mut params = named(name, &[serial])?;
        params.distinguished_name.push(DnType::OrganizationName, organization);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.not_after = if serial == 0x73 { date_time_ymd(2021, 1, 1) } else { params.not_after };
        let next = certified(params, Some(made.last().unwrap_or(root)))?;
        made.push(next);
    }
    Ok(made)
}

fn list(serials: &[&[u8]]) -> String {
    let entry = serde_json::json!({ "status": "REVOKED", "reason": "KEY_COMPROMISE" });
    let entries: serde_json::Map<_, _> = serials.iter().map(|serial| (hex::encode(serial), entry.clone())).collect();
    serde_json::json!({ "entries": entries }).to_string()
}

fn named(name: &str, serial: &[u8]) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from_slice(serial));
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2060, 1, 1);
    Ok(params)
}

fn authority_params(name: &str, serial: &[u8]) -> Result<CertificateParams> {
    let mut params = named(name, serial)?;
    params.distinguished_name.push(DnType::CustomDnType(SERIAL_NUMBER.to_vec()), hex::encode(serial));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    Ok(params)
}

fn authority(name: &str, serial: &[u8], by: Option<&Certified>) -> Result<Certified> {
    certified(authority_params(name, serial)?, by)
}

fn certified(params: CertificateParams, by: Option<&Certified>) -> Result<Certified> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificate = match by {
        None => params.self_signed(&key)?,
        Some(by) => params.signed_by(&key, &Issuer::from_params(&by.params, &by.key))?,
    };
    Ok(Certified { certificate, params, key })
}

/// The certificate that attests a key.
fn attested(said: &Description) -> Result<CertificateParams> {
    let mut params = named("Android Keystore Key", &[1])?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.custom_extensions.push(extension(said)?);
    Ok(params)
}

/// The extension that holds the description (source.android.com, "Key and ID attestation").
fn extension(said: &Description) -> Result<CustomExtension> {
    let oid: Vec<_> = ATTESTATION_EXTENSION.arcs().map(u64::from).collect();
    Ok(CustomExtension::from_oid_content(&oid, said.der()?))
}

/// The public half of a P-256 key, as certificates hold it: an uncompressed point (RFC 5480 section 2.2).
struct PublicPoint(Vec<u8>);

impl PublicKeyData for PublicPoint {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

/// The uncompressed point of a P-256 key.
///
/// # Errors
/// When it is another kind of key.
pub fn public_point(key: &SigningKey) -> Result<Vec<u8>> {
    point(key).map(|PublicPoint(bytes)| bytes)
}

fn point(key: &SigningKey) -> Result<PublicPoint> {
    let jwk: serde_json::Value = serde_json::from_str(&key.public().to_jwk())?;
    let mut bytes = vec![4];
    for name in ["x", "y"] {
        let text = jwk.get(name).and_then(|v| v.as_str()).context("a device key is a P-256 key")?;
        bytes.extend(URL_SAFE_NO_PAD.decode(text)?);
    }
    Ok(PublicPoint(bytes))
}

/// Changes the challenge inside of a signed certificate.
fn forge(certificate: &mut [u8], challenge: &[u8]) -> Result<()> {
    let at = certificate.windows(challenge.len()).position(|window| window == challenge).context("the challenge stands in the leaf")?;
    let byte = certificate.get_mut(at).context("the challenge has a first byte")?;
    *byte ^= 1;
    Ok(())
}
