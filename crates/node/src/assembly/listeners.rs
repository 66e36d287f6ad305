//! The listeners of a node, bound before anything is served: the public one, the side one, the operators', and that of another proxy.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use countersign_gateway::{Certificates, ListenConfig, Proxies};
use tokio::net::{TcpListener, TcpSocket};

use crate::{
    admin::socket::Socket,
    assembly::{auth_requests::AuthRequests, development, side_access::SideAccess, start_error::StartError},
    config::{AuthRequestDoor, Bounds},
    settings::gateway,
};

/// Connections that wait to be accepted, as many as the system's own default allows.
const BACKLOG: u32 = 1024;

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

/// Where a node is to listen, and with which certificate.
pub struct ListenerSettings {
    /// The address for phones.
    pub public: SocketAddr,
    /// The address for health and metrics.
    pub side: SocketAddr,
    /// Callers that are answered at the side port.
    pub side_access: SideAccess,
    /// Path of the admin socket.
    pub admin: PathBuf,
    /// The mode of that socket.
    pub admin_mode: u32,
    /// Where another proxy asks, if one does.
    pub auth_request: Option<AuthRequestDoor>,
    /// Path of the data directory.
    pub data: PathBuf,
    /// The host that a certificate for development is made for.
    pub host: String,
    /// The operator's certificate; `None` leaves it to a development node to make one.
    pub certificates: Option<Certificates>,
    /// Bounds of what is taken.
    pub bounds: Bounds,
    /// Proxies that belong to the operator.
    pub proxies: Proxies,
}

/// The listeners, bound and not yet served.
pub struct Listeners {
    /// Phones.
    pub public: TcpListener,
    /// How connections of phones are taken.
    pub public_config: ListenConfig,
    /// Health and metrics.
    pub side: TcpListener,
    /// Callers that are answered at the side port.
    pub side_access: SideAccess,
    /// Another proxy, where one asks.
    pub auth_requests: Option<AuthRequests>,
    /// Operators.
    pub admin: Socket,
    /// Where they are.
    pub addresses: Addresses,
    /// What the public listener shows.
    pub certificates: Arc<Certificates>,
    /// The root of it, when it is of our own making; else empty.
    pub root_pem: String,
}

impl Listeners {
    /// Binds all of them. The data directory is ours by now.
    ///
    /// # Errors
    /// What is taken, or cannot be made.
    pub async fn bind(settings: ListenerSettings) -> Result<Self, StartError> {
        let (certificates, root_pem) = match settings.certificates {
            Some(certificates) => (certificates, String::new()),
            None => made(&settings.data, &settings.host)
                .map_err(|why| io_error("the development certificate cannot be made", io::Error::other(why)))?,
        };
        let certificates = Arc::new(certificates);
        let public = listener(settings.public, "the public address (`listen`)").await?;
        let side = listener(settings.side, "the metrics address (`metrics.listen`)").await?;
        let path = settings.admin;
        let admin = Socket::bind(&path, settings.admin_mode)
            .map_err(|source| io_error(&format!("the admin socket `{}` cannot be made", path.display()), source))?;
        let auth_requests = match &settings.auth_request {
            Some(door) => {
                Some(AuthRequests::bind(door).await.map_err(|(what, source)| io_error(&format!("{what}, cannot be bound"), source))?)
            }
            None => None,
        };
        let addresses = Addresses { public: address(&public)?, side: address(&side)?, admin: path };
        let public_config = gateway::listener(Arc::clone(&certificates), &settings.bounds, settings.proxies);
        Ok(Self { public, public_config, side, side_access: settings.side_access, auth_requests, admin, addresses, certificates, root_pem })
    }
}

fn made(data: &Path, host: &str) -> Result<(Certificates, String), String> {
    let made = development::development(data, host)?;
    tracing::info!(root = %made.root_file.display(), "using a development certificate; clients must trust this root certificate");
    Ok((made.certificates, made.root_pem))
}

async fn listener(address: SocketAddr, what: &str) -> Result<TcpListener, StartError> {
    let bound =
        if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) { every_address(address).await } else { TcpListener::bind(address).await };
    bound.map_err(|source| io_error(&format!("{what} `{address}` cannot be bound"), source))
}

/// Binds a port on every address, of IPv6 and IPv4 alike, whatever the system does by default (RFC 3493 section 5.3). A system without
/// IPv6 has every address of IPv4.
async fn every_address(address: SocketAddr) -> io::Result<TcpListener> {
    let Ok(socket) = TcpSocket::new_v6() else {
        return TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await;
    };
    rustix::net::sockopt::set_ipv6_v6only(&socket, false)?;
    socket.set_reuseaddr(true)?;
    match socket.bind(address) {
        Err(fault) if fault.kind() == io::ErrorKind::AddrNotAvailable => TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await,
        bound => bound.and_then(|()| socket.listen(BACKLOG)),
    }
}

fn address(listener: &TcpListener) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|source| io_error("the address of a bound port cannot be read", source))
}

fn io_error(what: &str, source: io::Error) -> StartError {
    StartError::Io { what: what.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn every_address_is_of_both_families() {
        let bound = listener((Ipv6Addr::UNSPECIFIED, 0).into(), "a test").await.expect("bound");
        let port = bound.local_addr().expect("an address").port();
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok(), "IPv4");
        if bound.local_addr().expect("an address").is_ipv6() {
            assert!(TcpStream::connect((Ipv6Addr::LOCALHOST, port)).await.is_ok(), "IPv6");
        }
    }
}
