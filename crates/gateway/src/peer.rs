//! Who is at the other end of a connection.

use std::{net::SocketAddr, sync::Arc};

use crate::framing::{Wire, WireState};

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// The name that it asked for in the handshake (RFC 6066 section 3).
    pub server_name: Option<Arc<str>>,
    wire: Option<WireState>,
}

impl Peer {
    /// A peer whose bytes nobody watches: for requests that did not come over HTTP/1.1.
    #[must_use]
    pub const fn new(address: SocketAddr) -> Self {
        Self { address, server_name: None, wire: None }
    }

    /// From here on `state` says how the connection speaks.
    pub(crate) fn watch(&mut self, state: WireState) {
        self.wire = Some(state);
    }

    /// Whether the connection spoke ambiguously at any time; see the `framing` module.
    #[must_use]
    pub fn wire(&self) -> Wire {
        self.wire.as_ref().map_or(Wire::Clear, WireState::read)
    }
}
