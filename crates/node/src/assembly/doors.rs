//! The three doors of a node, bound before anything is served: the public one, the side one, the operators'.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};

use countersign_gateway::Certificates;
use tokio::net::TcpListener;

use crate::{
    admin::socket::Socket,
    assembly::start_error::StartError,
    config::{Config, Dev},
    layout,
    settings::tls,
};

/// Where a node listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Phones.
    pub public: SocketAddr,
    /// Health and metrics.
    pub side: SocketAddr,
    /// Operators.
    pub admin: PathBuf,
}

/// The doors, bound and closed.
pub struct Doors {
    /// Phones.
    pub public: TcpListener,
    /// Health and metrics.
    pub side: TcpListener,
    /// Operators.
    pub admin: Socket,
    /// Where they are.
    pub addresses: Addresses,
    /// What the public door shows.
    pub certificates: Arc<Certificates>,
    /// The root of it, when it is of our own making; else empty.
    pub root_pem: String,
}

impl Doors {
    /// Binds all of them. The data directory is ours by now.
    ///
    /// # Errors
    /// What is taken, or cannot be made.
    pub async fn bind(config: &Config, dev: Dev, certificates: Option<Certificates>) -> Result<Self, StartError> {
        let (certificates, root_pem) = match certificates {
            Some(certificates) => (certificates, String::new()),
            None => development(config).map_err(|why| io_error("the development certificate cannot be made", io::Error::other(why)))?,
        };
        let public = listener(config.listen_address(dev), "the public address (`listen`)").await?;
        let side = listener(config.metrics, "the metrics address (`metrics.listen`)").await?;
        let path = config.data.join(layout::ADMIN_SOCKET);
        let admin =
            Socket::bind(&path).map_err(|source| io_error(&format!("the admin socket `{}` cannot be made", path.display()), source))?;
        let addresses = Addresses { public: address(&public)?, side: address(&side)?, admin: path };
        Ok(Self { public, side, admin, addresses, certificates: Arc::new(certificates), root_pem })
    }
}

fn development(config: &Config) -> Result<(Certificates, String), String> {
    let made = tls::development(&config.data, config.public.host())?;
    tracing::info!(root = %made.root_file.display(), "using a development certificate; clients must trust this root certificate");
    let certificates = Certificates::new(made.pair.chain, made.pair.key).map_err(|why| why.to_string())?;
    Ok((certificates, made.root_pem))
}

async fn listener(address: SocketAddr, what: &str) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| io_error(&format!("{what} `{address}` cannot be bound"), source))
}

fn address(listener: &TcpListener) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|source| io_error("the address of a bound port cannot be read", source))
}

fn io_error(what: &str, source: io::Error) -> StartError {
    StartError::Io { what: what.to_owned(), source }
}
