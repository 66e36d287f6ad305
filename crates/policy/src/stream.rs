//! Connections that stay open, as an operation declares them: their kind and the bounds on their messages.

use std::fmt;

use countersign_core::Limits;

/// Greatest size of a message in bytes where the operation declares none.
const MESSAGE_BYTES_USUAL: usize = 64 * 1024;

/// Kind of a connection that stays open. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamKind {
    /// Server-Sent Events (WHATWG HTML section 9.2).
    Events,
    /// A gRPC call, with messages in both directions.
    Grpc,
    /// A response of open length: a download, NDJSON, long polling.
    Stream,
    /// A WebSocket (RFC 6455).
    WebSocket,
}

impl StreamKind {
    /// All kinds, in alphabetical order.
    pub const ALL: [Self; 4] = [Self::Events, Self::Grpc, Self::Stream, Self::WebSocket];

    /// Word for the kind in configuration and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Grpc => "grpc",
            Self::Stream => "stream",
            Self::WebSocket => "websocket",
        }
    }
}

/// A connection that stays open, as the operator declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamSpec {
    /// Kind of the connection.
    pub kind: StreamKind,
    /// Greatest size of one message or event in bytes.
    pub message_bytes_max: Option<u64>,
    /// Greatest number of messages that the client may send in a second.
    pub messages_per_second: Option<u64>,
}

/// Fault in the declaration of a stream. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamProblem {
    /// The method does not fit: a WebSocket is opened by `GET` (RFC 6455 section 4.1), and so are events; gRPC calls by `POST`.
    Method,
    /// A bound is declared on messages that do not exist: a plain stream has none, and with events the client sends none.
    NoMessages,
    /// A bound lets no message pass, or more than can be held in memory.
    OutOfRange,
}

impl fmt::Display for StreamProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method => f.write_str("a `stream` of kind `websocket` or `events` needs `GET`, one of kind `grpc` needs `POST`; change `match` or `kind`"),
            Self::NoMessages => f.write_str(
                "this kind of `stream` has no such messages; `message_bytes_max` is for websocket, grpc and events, `messages_per_second` for websocket and grpc",
            ),
            Self::OutOfRange => write!(
                f,
                "`stream` is out of range; write 1 to {} for `message_bytes_max`, 1 to {} for `messages_per_second`",
                Limits::STREAM_MESSAGE_BYTES_MAX,
                Limits::STREAM_MESSAGES_PER_SECOND_MAX
            ),
        }
    }
}

/// Bounds on a connection that stays open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamRules {
    /// Server-Sent Events, from the server only.
    Events {
        /// Greatest size of one event in bytes.
        event_bytes_max: usize,
    },
    /// A gRPC call, with messages in both directions.
    Grpc {
        /// Greatest size of one message in bytes, of either side, as it is sent (compressed, if it is).
        message_bytes_max: usize,
        /// Greatest number of messages that the client may send in a second.
        messages_per_second: Option<u32>,
    },
    /// Bytes without inner structure.
    Stream,
    /// A WebSocket, with messages in both directions.
    WebSocket {
        /// Greatest size of one message in bytes, of either side.
        message_bytes_max: usize,
        /// Greatest number of messages that the client may send in a second.
        messages_per_second: Option<u32>,
    },
}

impl StreamRules {
    /// Kind of the connection.
    #[must_use]
    pub const fn kind(self) -> StreamKind {
        match self {
            Self::Events { .. } => StreamKind::Events,
            Self::Grpc { .. } => StreamKind::Grpc,
            Self::Stream => StreamKind::Stream,
            Self::WebSocket { .. } => StreamKind::WebSocket,
        }
    }

    pub(crate) fn parse(spec: StreamSpec, method: &str) -> Result<Self, StreamProblem> {
        let bytes = match spec.message_bytes_max {
            None => MESSAGE_BYTES_USUAL,
            Some(bytes) if (1..=Limits::STREAM_MESSAGE_BYTES_MAX).contains(&bytes) => {
                usize::try_from(bytes).map_err(|_| StreamProblem::OutOfRange)?
            }
            Some(_) => return Err(StreamProblem::OutOfRange),
        };
        let rate = match spec.messages_per_second {
            None => None,
            Some(rate) if (1..=Limits::STREAM_MESSAGES_PER_SECOND_MAX).contains(&rate) => {
                Some(u32::try_from(rate).map_err(|_| StreamProblem::OutOfRange)?)
            }
            Some(_) => return Err(StreamProblem::OutOfRange),
        };
        // Each kind opens with one method: WebSocket with GET (RFC 6455 section 4.1), gRPC with POST, server-sent events with GET.
        match (spec.kind, method) {
            (StreamKind::Stream, _) if rate.is_some() || spec.message_bytes_max.is_some() => Err(StreamProblem::NoMessages),
            (StreamKind::Stream, _) => Ok(Self::Stream),
            (StreamKind::Events, "GET") if rate.is_some() => Err(StreamProblem::NoMessages),
            (StreamKind::Events, "GET") => Ok(Self::Events { event_bytes_max: bytes }),
            (StreamKind::Grpc, "POST") => Ok(Self::Grpc { message_bytes_max: bytes, messages_per_second: rate }),
            (StreamKind::WebSocket, "GET") => Ok(Self::WebSocket { message_bytes_max: bytes, messages_per_second: rate }),
            (StreamKind::Events | StreamKind::Grpc | StreamKind::WebSocket, _) => Err(StreamProblem::Method),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_what_its_kind_can_be() {
        use StreamKind::{Events, Grpc, Stream, WebSocket};
        const USUAL: usize = MESSAGE_BYTES_USUAL;
        let socket = |bytes, rate| Ok(StreamRules::WebSocket { message_bytes_max: bytes, messages_per_second: rate });
        let rows = [
            ("the usual", WebSocket, None, None, "GET", socket(USUAL, None)),
            ("the least", WebSocket, Some(1), Some(1), "GET", socket(1, Some(1))),
            ("the most", WebSocket, Some(1024 * 1024), Some(100_000), "GET", socket(1024 * 1024, Some(100_000))),
            ("no bytes", WebSocket, Some(0), None, "GET", Err(StreamProblem::OutOfRange)),
            ("too many bytes", WebSocket, Some(1024 * 1024 + 1), None, "GET", Err(StreamProblem::OutOfRange)),
            ("no messages", WebSocket, None, Some(0), "GET", Err(StreamProblem::OutOfRange)),
            ("too many messages", WebSocket, None, Some(100_001), "GET", Err(StreamProblem::OutOfRange)),
            ("a socket by POST", WebSocket, None, None, "POST", Err(StreamProblem::Method)),
            ("events", Events, Some(9), None, "GET", Ok(StreamRules::Events { event_bytes_max: 9 })),
            ("events by POST", Events, None, None, "POST", Err(StreamProblem::Method)),
            ("events of the client", Events, None, Some(1), "GET", Err(StreamProblem::NoMessages)),
            ("a call", Grpc, Some(9), Some(2), "POST", Ok(StreamRules::Grpc { message_bytes_max: 9, messages_per_second: Some(2) })),
            ("a call by GET", Grpc, None, None, "GET", Err(StreamProblem::Method)),
            ("a stream", Stream, None, None, "POST", Ok(StreamRules::Stream)),
            ("a stream of messages", Stream, Some(9), None, "GET", Err(StreamProblem::NoMessages)),
        ];
        for (name, kind, message_bytes_max, messages_per_second, method, expected) in rows {
            let spec = StreamSpec { kind, message_bytes_max, messages_per_second };
            assert_eq!(StreamRules::parse(spec, method), expected, "{name}");
            assert!(expected.is_err() || expected.map(StreamRules::kind) == Ok(kind), "{name}");
        }
    }
}
