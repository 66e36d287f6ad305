//! The admin socket: a file that only this user can open.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use axum::Router;
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

use crate::bodies;

/// A socket that is listened on.
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Binds the socket. One that was left behind is removed: the data directory's lock says that nobody listens on it.
    ///
    /// # Errors
    /// The system's word.
    pub fn bind(path: &Path) -> io::Result<Self> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        // The directory is this user's alone, so nobody connects before the mode is set.
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Answers until `shutdown`, then removes the socket.
    ///
    /// # Errors
    /// When the listener fails for good.
    pub async fn serve(self, router: Router, shutdown: CancellationToken) -> io::Result<()> {
        let served = axum::serve(self.listener, bodies::bounded(router)).with_graceful_shutdown(shutdown.cancelled_owned()).await;
        let _ = fs::remove_file(&self.path);
        served
    }
}
