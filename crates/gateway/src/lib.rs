//! The policy enforcement point: the way of a request, from the wire to the upstream and back.
//!
//! [`listen`] serves connections, [`serve`] takes one request the way that `DESIGN.md` draws: receive, match, token, proof,
//! session, posture, validate, decide, record, act. What is decided is decided below: this crate holds no rule about tokens,
//! proofs or policies, only the order in which they are asked, the strict HTTP around them, and the proof by types that
//! nothing is forwarded that was not decided and recorded.
//!
//! What this crate does not do: it issues no tokens, enrols no device, changes no session, reads no file and no environment.

mod again;
mod answer;
mod authorize;
pub mod body;
mod buffers;
mod can;
mod config;
mod context;
mod crowd;
mod doors;
mod exchange;
mod families;
mod forward;
mod framing;
mod gather;
mod grpc;
mod handshake;
mod hidden;
mod hygiene;
mod introduce;
mod link;
mod listen;
mod media;
mod network;
mod observation;
mod observe;
mod passing;
mod path;
mod peer;
mod permit;
mod proxies;
mod proxy_protocol;
mod raw;
mod receive;
mod refusal;
mod relay;
mod slots;
mod state;
mod statement;
mod streams;
mod tls;
mod upstream;
mod way;

pub use buffers::Budget;
pub use config::{ForeignHost, GatewayConfig, HeldConfig, Origin, OriginError, Protocol, PublicHost, Scheme, UpstreamConfig};
pub use doors::{auth_request::answer_auth_request, proxy::serve};
pub use exchange::Patience;
pub use families::declarable;
pub use framing::{Fault, Scanner, Wire};
pub use grpc::{MessageRefusal, Messages, Whole};
pub use handshake::{HandshakeRefusal, Wanted};
pub use listen::{ListenConfig, Transport, listen};
pub use network::{Network, NetworkError};
pub use observe::describe as describe_metrics;
pub use passing::{BodyRules, at_door};
pub use path::{PathRefusal, normal as normal_path};
pub use peer::Peer;
pub use permit::Permit;
pub use proxies::{ForwardedBy, Proxies};
pub use proxy_protocol::read as read_proxy_header;
pub use receive::{Received, RequestRefusal, parse as parse_request};
pub use refusal::Refusal;
pub use relay::PassThrough;
pub use state::{Gateway, GatewayParts, Rules, Stores};
pub use statement::{Admitted, STATEMENT_TYPE, StatementKey, Statements};
pub use streams::{
    events::{EventTooLarge, Events},
    frame::{Frame, FrameRefusal, Opcode, Part, Reader as FrameReader, Sender as FrameSender},
};
pub use tls::{CertificateError, Certificates, Naming};
pub use upstream::{Upstream, UpstreamError};
