//! The certificate that we show, exchangeable while connections are open.

use std::{fmt, io, sync::Arc};

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    client::verify_server_name,
    crypto::{CryptoProvider, aws_lc_rs},
    server::{ClientHello, ParsedCertificate, ResolvesServerCert},
    sign::CertifiedKey,
    version::TLS13,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

/// Answer to the question if a certificate names a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// The certificate does not name the host.
    Misses,
    /// The certificate names the host.
    Names,
}

/// Why a certificate cannot be used.
#[derive(Debug)]
pub enum CertificateError {
    /// The chain is empty.
    Empty,
    /// The key does not parse, is of an unsupported kind, or is not the certificate's.
    KeyRefused(rustls::Error),
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the certificate file holds no certificate"),
            Self::KeyRefused(cause) => write!(f, "the private key cannot be used with this certificate: {cause}"),
        }
    }
}

impl std::error::Error for CertificateError {}

/// The certificate chain and key in use.
pub struct Certificates {
    current: ArcSwap<CertifiedKey>,
    provider: Arc<CryptoProvider>,
}

impl Certificates {
    /// Begins with this chain (leaf first) and key.
    ///
    /// # Errors
    /// When they cannot be used, or do not belong together.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, CertificateError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let current = certified(chain, key, &provider)?;
        Ok(Self { current: ArcSwap::from_pointee(current), provider })
    }

    /// Shows another certificate from the next handshake on.
    ///
    /// # Errors
    /// When it cannot be used; the present one stays.
    pub fn replace(&self, chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<(), CertificateError> {
        self.current.store(Arc::new(certified(chain, key, &self.provider)?));
        Ok(())
    }

    /// The chain that is shown now, leaf first.
    #[must_use]
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.current.load().cert.iter().map(|der| der.clone().into_owned()).collect()
    }

    /// Tells whether the leaf names this host, as a client would ask (RFC 9525 section 6).
    #[must_use]
    pub fn naming(&self, host: &str) -> Naming {
        let current = self.current.load();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let named = current.cert.first().is_some_and(|leaf| {
            let (Ok(leaf), Ok(name)) = (ParsedCertificate::try_from(leaf), ServerName::try_from(bare)) else { return false };
            verify_server_name(&leaf, &name).is_ok()
        });
        if named { Naming::Names } else { Naming::Misses }
    }

    /// TLS 1.3 only, HTTP/2 preferred, no early data (RFC 8446 section 8: it can be replayed).
    pub(crate) fn server_config(self: &Arc<Self>) -> io::Result<ServerConfig> {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&TLS13])
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Resolver(Arc::clone(self))));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.max_early_data_size = 0;
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(io::Error::other)?;
        Ok(config)
    }
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, CertificateError> {
    if chain.is_empty() {
        return Err(CertificateError::Empty);
    }
    CertifiedKey::from_der(chain, key, provider).map_err(CertificateError::KeyRefused)
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificates(..)")
    }
}

#[derive(Debug)]
struct Resolver(Arc<Certificates>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.current.load_full())
    }
}
