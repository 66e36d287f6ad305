//! Who is at the other end of a connection.

use std::{net::SocketAddr, sync::Arc};

use countersign_core::Reason;

use crate::{
    exchange::{Exchange, Stage},
    framing::{Wire, WireState},
};

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Address of the client, also where a proxy of the operator's stands between.
    pub address: SocketAddr,
    /// The name that it asked for in the handshake (RFC 6066 section 3).
    pub server_name: Option<Arc<str>>,
    wire: Option<WireState>,
    exchange: Option<Arc<Exchange>>,
}

impl Peer {
    /// A peer whose bytes nobody watches: for requests that did not come over HTTP/1.1.
    #[must_use]
    pub const fn new(address: SocketAddr) -> Self {
        Self { address, server_name: None, wire: None, exchange: None }
    }

    /// From here on `state` says how the connection speaks.
    pub(crate) fn watch(&mut self, state: WireState) {
        self.wire = Some(state);
    }

    /// The peer, in this exchange.
    pub(crate) fn within(&self, exchange: Arc<Exchange>) -> Self {
        Self { exchange: Some(exchange), ..self.clone() }
    }

    /// Whether the connection spoke ambiguously at any time; see the `framing` module.
    #[must_use]
    pub fn wire(&self) -> Wire {
        self.wire.as_ref().map_or(Wire::Clear, WireState::read)
    }

    /// The request may pass, and the rules for its body change with that.
    pub(crate) fn reaches(&self, stage: Stage) {
        if let Some(exchange) = &self.exchange {
            exchange.reaches(stage);
        }
    }

    /// Takes room for bytes that are kept in memory until the exchange ends.
    ///
    /// # Errors
    /// [`Reason::BuffersFull`].
    pub(crate) fn keep(&self, bytes: usize) -> Result<(), Reason> {
        self.exchange.as_ref().map_or(Ok(()), |exchange| exchange.keep(bytes).map_err(|_| Reason::BuffersFull))
    }
}
