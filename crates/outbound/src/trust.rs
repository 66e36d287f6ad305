//! Verification of servers by the authorities that the operator names, and by no others.

use std::{fs, path::Path, sync::Arc};

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, pem::PemObject};

/// Makes a TLS client that verifies servers by the authorities in a PEM file.
///
/// # Errors
/// Advice about the file that an operator needs, in words.
pub fn trust(ca: &Path) -> Result<ClientConfig, String> {
    let text = fs::read(ca).map_err(|e| format!("give a readable file ({e})"))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|e| format!("give a file with PEM certificates ({e})"))?;
        roots.add(certificate).map_err(|e| format!("put certificates of an authority into it ({e})"))?;
    }
    if roots.is_empty() {
        return Err("put at least one certificate in PEM into it".to_owned());
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(|e| e.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
