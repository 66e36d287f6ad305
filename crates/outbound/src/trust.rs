//! Verification of servers by the authorities that the operator names, and by no others; and what the node shows to those that ask.

use std::{fs, path::Path, sync::Arc};

use rustls::{ClientConfig, ConfigBuilder, RootCertStore, client::WantsClientCert};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

/// Files from which no TLS client can be made, with advice in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustError {
    /// The file of authorities.
    Authorities(String),
    /// Certificate and key of the client.
    Identity(String),
}

/// Makes a TLS client that verifies servers by the authorities in a PEM file.
///
/// # Errors
/// Advice about the file that an operator needs, in words.
pub fn trust(ca: &Path) -> Result<ClientConfig, String> {
    Ok(authorities(ca)?.with_no_client_auth())
}

/// Makes a TLS client that verifies servers by the authorities in a PEM file, and shows a certificate to those that ask for one (RFC 8446
/// section 4.4.2).
///
/// # Errors
/// Advice about the files that an operator needs, in words.
pub fn trust_as(ca: &Path, certificate: &Path, key: &Path) -> Result<ClientConfig, TrustError> {
    let builder = authorities(ca).map_err(TrustError::Authorities)?;
    let no_chain = |e: String| TrustError::Identity(format!("give a readable certificate chain in PEM ({e})"));
    let text = fs::read(certificate).map_err(|e| no_chain(e.to_string()))?;
    let chain = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>().map_err(|e| no_chain(e.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|e| TrustError::Identity(format!("give a readable private key in PEM ({e})")))?;
    builder.with_client_auth_cert(chain, key).map_err(|e| TrustError::Identity(format!("give a certificate and its own key ({e})")))
}

fn authorities(ca: &Path) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, String> {
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
    Ok(builder.with_root_certificates(roots))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
    use rustls::{ServerConfig, server::WebPkiClientVerifier};
    use rustls_pki_types::ServerName;
    use tempfile::TempDir;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    use super::*;

    /// An authority, a server that takes its clients alone, and a client of it.
    struct House {
        files: TempDir,
        server: TlsAcceptor,
    }

    impl House {
        fn new() -> Self {
            let mut params = CertificateParams::new(Vec::new()).expect("parameters");
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
            let leaf = |name: &str| {
                let key = KeyPair::generate().expect("a key");
                let params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
                (params.signed_by(&key, &authority).expect("a certificate"), key)
            };
            let files = tempfile::tempdir().expect("a directory");
            let write = |name: &str, text: String| fs::write(files.path().join(name), text).expect("written");
            write("ca.pem", authority.pem());
            let (client, client_key) = leaf("countersign");
            write("client.pem", client.pem());
            write("client.key", client_key.serialize_pem());
            let (server, server_key) = leaf("api.internal");
            let mut roots = RootCertStore::empty();
            roots.add(authority.der().clone()).expect("a root");
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().expect("a verifier");
            let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
            let key = PrivateKeyDer::try_from(server_key.serialize_der()).expect("a key");
            let config = builder.with_client_cert_verifier(clients).with_single_cert(vec![server.der().clone()], key).expect("a server");
            Self { files, server: TlsAcceptor::from(Arc::new(config)) }
        }

        fn file(&self, name: &str) -> PathBuf {
            self.files.path().join(name)
        }

        /// Whether the server answers this client.
        async fn answers(&self, client: ClientConfig) -> bool {
            let (near, far) = tokio::io::duplex(64 * 1024);
            let server = async {
                let Ok(mut stream) = self.server.accept(far).await else { return };
                let _ = stream.write_all(b"yes").await;
                let _ = stream.shutdown().await;
            };
            let client = async {
                let name = ServerName::try_from("api.internal").expect("a name");
                let Ok(mut stream) = TlsConnector::from(Arc::new(client)).connect(name, near).await else { return false };
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer).await.is_ok() && answer == b"yes"
            };
            tokio::join!(server, client).1
        }
    }

    #[tokio::test]
    async fn a_server_that_asks_is_shown_the_certificate() {
        let house = House::new();
        let shown = trust_as(&house.file("ca.pem"), &house.file("client.pem"), &house.file("client.key")).expect("a client");
        assert!(house.answers(shown).await, "a client of the authority");
        assert!(!house.answers(trust(&house.file("ca.pem")).expect("a client")).await, "nobody");
    }

    #[test]
    fn files_that_cannot_be_used_are_told_apart() {
        let house = House::new();
        let (ca, certificate, key) = (house.file("ca.pem"), house.file("client.pem"), house.file("client.key"));
        let rows = [
            ("no authorities", house.file("none"), certificate.clone(), key.clone(), "give a readable file", false),
            ("no certificate", ca.clone(), house.file("none"), key.clone(), "give a readable certificate chain in PEM", true),
            ("no key", ca.clone(), certificate.clone(), house.file("none"), "give a readable private key in PEM", true),
            ("another certificate", ca.clone(), ca, key, "give a certificate and its own key", true),
        ];
        for (name, ca, certificate, key, expected, of_identity) in rows {
            let (text, identity) = match trust_as(&ca, &certificate, &key).expect_err(name) {
                TrustError::Authorities(text) => (text, false),
                TrustError::Identity(text) => (text, true),
            };
            assert!(text.starts_with(expected), "{name}: {text}");
            assert_eq!(identity, of_identity, "{name}");
        }
    }
}
