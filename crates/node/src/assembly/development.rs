//! The certificate of a development node, made here.

use std::{
    fs,
    path::{Path, PathBuf},
};

use countersign_gateway::Certificates;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SanType, date_time_ymd,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use crate::files;

/// A certificate for development: a root that is made once and kept, and a leaf under it for this start.
pub struct Development {
    /// What the listener shows.
    pub certificates: Certificates,
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
    let certificates = Certificates::new(vec![leaf.der().clone(), root], key).map_err(|why| why.to_string())?;
    Ok(Development { certificates, root_pem, root_file })
}

fn root(key_file: &Path, root_file: &Path) -> Result<(KeyPair, String), String> {
    if let (Ok(key), Ok(root)) = (fs::read_to_string(key_file), fs::read_to_string(root_file)) {
        let key = KeyPair::from_pem(&key)
            .map_err(|e| format!("`{}` cannot be used ({e}); remove it to have another made", key_file.display()))?;
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
