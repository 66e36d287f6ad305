//! The way to the protected API.

use std::{fs, path::Path, sync::Arc};

use countersign_gateway::{Upstream, UpstreamConfig};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, pem::PemObject};

use crate::config::{Config, Fault, Faults};

/// Prepares connections; opens none.
///
/// # Errors
/// When an `https` upstream cannot be verified.
pub fn upstream(config: &Config) -> Result<Upstream, Faults> {
    let fault =
        |what: String, remedy: String| Faults::one(Fault { file: config.file.clone(), line: Some(config.upstream.line), what, remedy });
    let mut settings = UpstreamConfig::new(config.upstream.origin.clone());
    settings.protocol = config.upstream.protocol;
    settings.head_max = config.bounds.upstream_max;
    if let Some(ca) = &config.upstream.ca {
        let trust = trust(ca).map_err(|why| fault(format!("`upstream_ca` cannot be `{}`", ca.display()), why))?;
        settings.trust = Some(Arc::new(trust));
    }
    Upstream::new(settings).map_err(|why| fault("`upstream` cannot be used".to_owned(), why.to_string()))
}

/// A client that verifies servers by the authorities in a PEM file.
///
/// # Errors
/// What to do about the file, in words.
pub fn trust(ca: &Path) -> Result<ClientConfig, String> {
    let text = fs::read(ca).map_err(|e| format!("make it a readable file ({e})"))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|e| format!("put certificates in PEM into it ({e})"))?;
        roots.add(certificate).map_err(|e| format!("put certificates of an authority into it ({e})"))?;
    }
    if roots.is_empty() {
        return Err("put at least one certificate in PEM into it".to_owned());
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(|e| e.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
