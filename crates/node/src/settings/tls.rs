//! The certificate that phones see, from the files that the config names.

use std::path::Path;

use countersign_gateway::{CertificateError, Certificates};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use crate::config::{Fault, Faults, TlsFiles};

/// Chain, leaf first, and private key.
struct Pair {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// The certificate that the config names, ready for connections.
///
/// # Errors
/// Each file that cannot be used, or why they do not fit together.
pub fn certificates(config: &Path, named: &TlsFiles) -> Result<Certificates, Faults> {
    let Pair { chain, key } = read(config, named)?;
    Certificates::new(chain, key).map_err(|why| unfit(config, named, &why))
}

/// Reads the certificate that the config names again, and shows it from the next handshake on.
///
/// # Errors
/// Each file that cannot be used, or why they do not fit together; the present ones stay.
pub fn replace(shown: &Certificates, config: &Path, named: &TlsFiles) -> Result<(), Faults> {
    let Pair { chain, key } = read(config, named)?;
    shown.replace(chain, key).map_err(|why| unfit(config, named, &why))
}

fn unfit(config: &Path, named: &TlsFiles, why: &CertificateError) -> Faults {
    let what = format!("`{}` and `{}` cannot be used together", named.certificate.display(), named.key.display());
    Faults::at(config, named.line, what, why.to_string())
}

fn read(config: &Path, named: &TlsFiles) -> Result<Pair, Faults> {
    let mut faults = Faults::default();
    let mut refuse =
        |file: &Path, why: String| faults.push(Fault::at(config, named.line, format!("`{}` cannot be used", file.display()), why));
    let chain = read_chain(&named.certificate).map_err(|why| refuse(&named.certificate, why)).ok();
    let key = PrivateKeyDer::from_pem_file(&named.key)
        .map_err(|e| refuse(&named.key, format!("make it a readable private key in PEM ({e})")))
        .ok();
    let pair = chain.zip(key).map(|(chain, key)| Pair { chain, key });
    faults.or(())?;
    pair.ok_or_else(Faults::default)
}

fn read_chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    match chain {
        Ok(chain) if chain.is_empty() => Err("put the certificate chain into it, leaf first, in PEM".to_owned()),
        Ok(chain) => Ok(chain),
        Err(e) => Err(format!("make it a readable certificate chain in PEM ({e})")),
    }
}
