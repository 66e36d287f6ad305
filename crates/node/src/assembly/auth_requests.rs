//! The door of another proxy: a listener of its own, which clients cannot reach, in front of the gateway's `auth_request`.

use std::{
    fs::{self, DirBuilder, Permissions},
    io,
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use axum::{Router, body::Body, extract::Request};
use countersign_gateway::{Gateway, answer_auth_request};
use tokio::net::{TcpListener, UnixListener};
use tokio_util::sync::CancellationToken;

use crate::{
    bodies,
    config::{AuthRequestDoor, DoorListen},
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
                let bound =
                    socket(path, *mode).map_err(|source| (format!("the socket of `doors.auth_request`, `{}`", path.display()), source))?;
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
        let router = bodies::bounded(router);
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

/// Binds a socket that nobody can open before it has its mode: it is made in a directory of this user's alone, and moved from there
/// to its place. A socket that was left there is replaced; any other file is an error.
fn socket(path: &Path, mode: u32) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file that is no socket"));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let hidden = path.with_file_name(format!(".{name}.new"));
    let made = hidden.join("s");
    // Left behind by a process that was killed; where anything else is in the way, the directory cannot be made.
    let _ = fs::remove_file(&made);
    let _ = fs::remove_dir(&hidden);
    DirBuilder::new().mode(0o700).create(&hidden)?;
    let listener = UnixListener::bind(&made)?;
    fs::set_permissions(&made, Permissions::from_mode(mode))?;
    fs::rename(&made, path)?;
    fs::remove_dir(&hidden)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_has_its_mode_and_takes_the_place_of_one_that_was_left() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("auth.sock");
        for mode in [0o600, 0o660] {
            let listener = socket(&path, mode).expect("bound");
            assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, mode);
            drop(listener);
        }
        assert_eq!(fs::read_dir(home.path()).expect("a directory").count(), 1, "nothing else is left");
        let file = home.path().join("notes");
        fs::write(&file, "x").expect("written");
        assert!(socket(&file, 0o600).is_err(), "a file is not replaced");
        assert_eq!(fs::read_to_string(&file).expect("a file"), "x");
    }
}
