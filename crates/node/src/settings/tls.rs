//! The certificate that phones see: from files, or made for development.

use std::{
    fs,
    path::{Path, PathBuf},
};

use countersign_gateway::{CertificateError, Certificates};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SanType, date_time_ymd,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use crate::{
    config::{Config, Fault, Faults, TlsFiles},
    files,
};

/// Chain and key, as the listener takes them.
pub struct Pair {
    /// Leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key.
    pub key: PrivateKeyDer<'static>,
}

impl Pair {
    /// Makes them ready for connections.
    ///
    /// # Errors
    /// Why they cannot be used.
    pub fn ready(self, config: &Config, files: &TlsFiles) -> Result<Certificates, Faults> {
        Certificates::new(self.chain, self.key).map_err(|why| unusable(config, files, &why))
    }

    /// Shows them from the next handshake on.
    ///
    /// # Errors
    /// Why they cannot be used; the present ones stay.
    pub fn replace(self, shown: &Certificates, config: &Config, files: &TlsFiles) -> Result<(), Faults> {
        shown.replace(self.chain, self.key).map_err(|why| unusable(config, files, &why))
    }
}

fn unusable(config: &Config, files: &TlsFiles, why: &CertificateError) -> Faults {
    let what = format!("`{}` and `{}` cannot be used together", files.certificate.display(), files.key.display());
    Faults::one(Fault { file: config.file.clone(), line: Some(files.line), what, remedy: why.to_string() })
}

/// Reads the files that the config names.
///
/// # Errors
/// Each file that cannot be used.
pub fn from_files(config: &Config, named: &TlsFiles) -> Result<Pair, Faults> {
    let mut faults = Faults::default();
    let mut refuse = |file: &Path, why: String| {
        let what = format!("`{}` cannot be used", file.display());
        faults.push(Fault { file: config.file.clone(), line: Some(named.line), what, remedy: why });
    };
    let chain = read_chain(&named.certificate).map_err(|why| refuse(&named.certificate, why)).ok();
    let key =
        PrivateKeyDer::from_pem_file(&named.key).map_err(|e| refuse(&named.key, format!("give a readable private key in PEM ({e})"))).ok();
    let pair = chain.zip(key).map(|(chain, key)| Pair { chain, key });
    faults.or(())?;
    pair.ok_or_else(Faults::default)
}

fn read_chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    match chain {
        Ok(chain) if chain.is_empty() => Err("it contains no certificate; give a certificate chain in PEM, leaf first".to_owned()),
        Ok(chain) => Ok(chain),
        Err(e) => Err(format!("give a readable certificate chain in PEM ({e})")),
    }
}

/// A certificate for development: a root that is made once and kept, and a leaf under it for this start.
pub struct Development {
    /// What the listener shows.
    pub pair: Pair,
    /// The root, for clients to trust.
    pub root_pem: String,
    /// Where the root is kept.
    pub root_file: PathBuf,
}

/// Makes the certificate of a development node for `host` and everything that is this machine: loopback, and the address by
/// which Android's emulator calls its host.
///
/// # Errors
/// When the library or the disk fails.
pub fn development(data: &Path, host: &str) -> Result<Development, String> {
    let home = data.join("dev");
    let root_file = home.join("tls-root.pem");
    files::private_directory(&home).map_err(|e| format!("`{}` cannot be used ({e})", home.display()))?;
    let (root_key, root_pem) = root(&home.join("tls-root-key.pem"), &root_file)?;
    let made = |e: rcgen::Error| format!("a certificate for `{host}` cannot be made ({e})");
    let issuer = Issuer::new(root_params().map_err(made)?, root_key);
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(made)?;
    let leaf = leaf(host).map_err(made)?.signed_by(&key, &issuer).map_err(made)?;
    let root =
        CertificateDer::from_pem_slice(root_pem.as_bytes()).map_err(|e| format!("`{}` cannot be used ({e})", root_file.display()))?;
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|e| format!("a key cannot be used ({e})"))?;
    Ok(Development { pair: Pair { chain: vec![leaf.der().clone(), root], key }, root_pem, root_file })
}

fn root(key_file: &Path, root_file: &Path) -> Result<(KeyPair, String), String> {
    if let (Ok(key), Ok(root)) = (fs::read_to_string(key_file), fs::read_to_string(root_file)) {
        let key = KeyPair::from_pem(&key)
            .map_err(|e| format!("`{}` cannot be used ({e}); delete it, and a new one is made", key_file.display()))?;
        return Ok((key, root));
    }
    let made = |e: rcgen::Error| format!("a root certificate cannot be made ({e})");
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(made)?;
    let root = root_params().map_err(made)?.self_signed(&key).map_err(made)?.pem();
    let written =
        files::write_private(key_file, key.serialize_pem().as_bytes()).and_then(|()| files::write_private(root_file, root.as_bytes()));
    written.map_err(|e| format!("`{}` cannot be written ({e})", root_file.display()))?;
    Ok((key, root))
}

/// The same at every start, so that a leaf of today fits the root of yesterday.
fn root_params() -> Result<CertificateParams, rcgen::Error> {
    let mut params = named("Countersign development root")?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    Ok(params)
}

fn leaf(host: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = named(host)?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    for name in [bare, "localhost", "127.0.0.1", "::1", "10.0.2.2"] {
        let name = match name.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(name.try_into()?),
        };
        if !params.subject_alt_names.contains(&name) {
            params.subject_alt_names.push(name);
        }
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn named(name: &str) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2060, 1, 1);
    Ok(params)
}
