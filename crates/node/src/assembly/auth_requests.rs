//! The door of another proxy: a listener of its own, which clients cannot reach, in front of the gateway's `auth_request`.

use std::{fs, io, net::SocketAddr, path::PathBuf, sync::Arc};

use axum::{Router, body::Body, extract::Request};
use countersign_gateway::{Gateway, answer_auth_request};
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;

use crate::{
    config::{AuthRequestDoor, DoorListen},
    files,
};

/// Where another proxy asks, bound and not yet served.
pub enum AuthRequests {
    /// A loopback address.
    Loopback(TcpListener),
    /// A socket, and its file.
    Unix(UnixListener, PathBuf),
}

impl AuthRequests {
    /// Binds the door.
    ///
    /// # Errors
    /// The system's word, with what could not be bound.
    pub async fn bind(door: &AuthRequestDoor) -> Result<Self, (String, io::Error)> {
        match &door.listen {
            DoorListen::Loopback(address) => {
                loopback(*address).await.map_err(|source| (format!("`doors.auth_request`, `{address}`"), source))
            }
            DoorListen::Unix { path, mode } => {
                let bound = files::bind_socket(path, *mode)
                    .map_err(|source| (format!("the socket of `doors.auth_request`, `{}`", path.display()), source))?;
                Ok(Self::Unix(bound, path.clone()))
            }
        }
    }

    /// Answers until `shutdown`, then removes the socket.
    ///
    /// # Errors
    /// When the listener fails for good.
    pub async fn serve(self, house: Arc<Gateway>, shutdown: CancellationToken) -> io::Result<()> {
        let router = Router::new().fallback(move |request: Request| {
            let house = Arc::clone(&house);
            async move { answer_auth_request(&house, request).await.map(Body::new) }
        });
        match self {
            Self::Loopback(listener) => axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned()).await,
            Self::Unix(listener, path) => {
                let served = axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned()).await;
                let _ = fs::remove_file(path);
                served
            }
        }
    }
}

async fn loopback(address: SocketAddr) -> io::Result<AuthRequests> {
    Ok(AuthRequests::Loopback(TcpListener::bind(address).await?))
}
