//! Asks a running node over its admin socket.

use std::{io::ErrorKind, path::Path};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use countersign_node::admin::wire::Refused;
use countersign_outbound::exchange;
use http::{Method, Request, header};
use http_body_util::Full;
use serde::{Serialize, de::DeserializeOwned};
use tokio::net::UnixStream;

/// Bytes of an answer.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Reads.
///
/// # Errors
/// When no node runs, or it refuses; in its words.
pub async fn get<T: DeserializeOwned>(socket: &Path, path: &str) -> Result<T> {
    ask(socket, Method::GET, path, Bytes::new()).await
}

/// Changes.
///
/// # Errors
/// When no node runs, or it refuses; in its words.
pub async fn post<T: DeserializeOwned>(socket: &Path, path: &str, body: &impl Serialize) -> Result<T> {
    ask(socket, Method::POST, path, Bytes::from(serde_json::to_vec(body)?)).await
}

async fn ask<T: DeserializeOwned>(socket: &Path, method: Method, path: &str, body: Bytes) -> Result<T> {
    let stream = UnixStream::connect(socket).await.map_err(|fault| {
        let socket = socket.display();
        let what = if fault.kind() == ErrorKind::PermissionDenied {
            format!("this user may not use `{socket}`; run this command as the user that the node runs as")
        } else {
            format!("no node answers at `{socket}`; start one with `countersign serve`, or give its configuration with `--config`")
        };
        anyhow::Error::new(fault).context(what)
    })?;
    let request =
        Request::builder().method(method).uri(path).header(header::HOST, "admin").header(header::CONTENT_TYPE, "application/json");
    let answer = exchange(stream, request.body(Full::new(body))?, ANSWER_BYTES_MAX).await.context("sending the request to the node")?;
    let (status, bytes) = (answer.status, answer.body);
    if !status.is_success() {
        match serde_json::from_slice::<Refused>(&bytes) {
            Ok(refused) => bail!(refused.error),
            Err(_) => bail!("the node answered with status {status}; check that it runs the same version as this command"),
        }
    }
    serde_json::from_slice(&bytes).context("the node's answer cannot be parsed; check that it runs the same version as this command")
}

/// A word as one segment of a path.
pub fn segment(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    for byte in word.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
