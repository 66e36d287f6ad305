//! The admin socket: a file that this user alone can open, or its group as well. Its permission is the file's; who asks, the system says.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use axum::Router;
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;

use crate::bodies;
use crate::{
    admin::operators::{self, Peer},
    config::Operators,
    files,
};

/// A socket that is listened on.
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Binds the socket with this mode. One that was left behind is replaced: the data directory's lock says that nobody listens on it.
    ///
    /// # Errors
    /// The system's word.
    pub fn bind(path: &Path, mode: u32) -> io::Result<Self> {
        Ok(Self { listener: files::bind_socket(path, mode)?, path: path.to_owned() })
    }

    /// Answers operators until `shutdown`, then removes the socket.
    ///
    /// # Errors
    /// When the listener fails for good.
    pub(crate) async fn serve(self, router: Router, operators: Operators, shutdown: CancellationToken) -> io::Result<()> {
        let routes = bodies::bounded(operators::known(router, operators)).into_make_service_with_connect_info::<Peer>();
        let served = axum::serve(self.listener, routes).with_graceful_shutdown(shutdown.cancelled_owned()).await;
        let _ = fs::remove_file(&self.path);
        served
    }
}
