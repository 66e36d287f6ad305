//! What an operator decided, as types. Only `config::load` makes a [`Config`], and only from a file that it understood whole.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use countersign_compliance::{DailyLimit, FeedKind, OutageRule, Requirement};
use countersign_core::{Action, AppId, ClientId, RiskBar, Seconds, SecurityLevel, WhenLimited};
use countersign_gateway::{Network, Origin, Protocol, Proxies};
use countersign_identity::{BindingRules, PasskeyOrigin, SessionLife};
use countersign_monitor::{
    geography::ListOf,
    react::{ReactRules, Reaction},
    ssf::SignalSubject,
};
use countersign_policy::{OtherMembers, RequestHeaders, StreamSpec};
use countersign_risk::network::NetworkKind;
use lettre::message::Mailbox;

use crate::{config::operators::Operators, layout};

/// Whether this is a development node: self-signed certificate, loopback only, software phones admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dev {
    /// A node that counts.
    Off,
    /// A development node.
    On,
}

impl Dev {
    /// `On` when either is.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Off, Self::Off) => Self::Off,
            (Self::On, Self::Off | Self::On) | (Self::Off, Self::On) => Self::On,
        }
    }
}

/// A whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it was read from.
    pub file: PathBuf,
    /// Whether the file asks for a development node.
    pub dev: Dev,
    /// The origin that clients use: issuer, audience, and the origin of every proof.
    pub public: Origin,
    /// Where the public listener binds.
    pub listen: Listen,
    /// The operator's proxies, whose word about the client's address is believed.
    pub proxies: Proxies,
    /// The protected API.
    pub upstream: Upstream,
    /// The data directory: database, keys, log, admin socket.
    pub data: PathBuf,
    /// Readers of the data directory.
    pub(crate) data_readers: DataReaders,
    /// The directory of policies.
    pub policies: PathBuf,
    /// The apps, in alphabetical order.
    pub apps: Vec<App>,
    /// Sign-in.
    pub login: Login,
    /// What devices must prove.
    pub device: DeviceRules,
    /// How vendors are asked.
    pub vendors: Vendors,
    /// What is fetched while the node runs, in the order of their names.
    pub feeds: Vec<FeedSource>,
    /// Files about places and networks.
    pub geography: GeographyFiles,
    /// What unusual requests and logins lead to.
    pub monitor: MonitorRules,
    /// Who tells us of what ended elsewhere, and whom we tell.
    pub signals: SharedSignals,
    /// Where operators ask, and who they are.
    pub(crate) admin: AdminSocket,
    /// Where another proxy asks whether it may pass requests on; `None` where none does.
    pub auth_request: Option<AuthRequestDoor>,
    /// The certificate to show; `None` leaves it to a development node to make one.
    pub tls: Option<TlsFiles>,
    /// What the API offers; empty for the two built-in operations.
    pub operations: Vec<Operation>,
    /// Bounds that differ between installations.
    pub bounds: Bounds,
    /// Where health and metrics are served, and to whom.
    pub(crate) metrics: SidePort,
}

/// The door of another proxy: whoever reaches it is believed when it says what a client asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthRequestDoor {
    /// Where it listens.
    pub listen: DoorListen,
    /// The line on which it begins.
    pub line: usize,
}

/// Where health and metrics are served, and to whom besides this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SidePort {
    /// Address that is listened at.
    pub listen: SocketAddr,
    /// The file of the bearer token that others show, and its line.
    pub token: Option<(PathBuf, usize)>,
    /// Networks whose members need none.
    pub networks: Vec<Network>,
}

/// Where operators ask, and who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AdminSocket {
    /// The socket's file; `None` for the one in the data directory.
    pub path: Option<PathBuf>,
    /// Mode of the socket's file: `0600` or `0660`.
    pub mode: u32,
    /// Users that are operators.
    pub operators: Operators,
}

/// Where a door listens that clients must not reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DoorListen {
    /// A loopback address.
    Loopback(SocketAddr),
    /// A socket's file.
    Unix {
        /// The file.
        path: PathBuf,
        /// Its mode: `0600` or `0660`.
        mode: u32,
    },
}

/// Where the public listener binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// The port of `public_url`, on every address, or on loopback for a development node.
    ByPublicUrl,
    /// Here.
    On {
        /// The address.
        address: SocketAddr,
        /// The line that says so.
        line: usize,
    },
}

/// The protected API.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Its origin.
    pub origin: Origin,
    /// The line that names it.
    pub line: usize,
    /// The certificates that an `https` upstream is verified by.
    pub ca: Option<PathBuf>,
    /// Certificate that the node shows to an `https` upstream that asks for one (mutual TLS).
    pub(crate) identity: Option<UpstreamIdentity>,
    /// What is spoken there.
    pub protocol: Protocol,
    /// Places at which it may be reached without TLS.
    pub(crate) plain: PlainUpstream,
}

/// Where an upstream may be that is reached without TLS. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PlainUpstream {
    /// Anywhere: the operator said so, with `upstream_plain = true`.
    Anywhere,
    /// On this machine alone.
    OnThisMachine,
}

/// Readers of the data directory. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DataReaders {
    /// The user of the node alone.
    OwnerOnly,
    /// Others as well: the operator said so, with `data_shared = true`. They may never write.
    Shared,
}

/// The files by which an upstream knows the node.
#[derive(Clone, Debug)]
pub(crate) struct UpstreamIdentity {
    /// The chain, leaf first, in PEM.
    pub certificate: PathBuf,
    /// The private key, in PEM.
    pub key: PathBuf,
    /// The line that names the certificate.
    pub line: usize,
}

/// An app that may use this node.
#[derive(Clone, Debug)]
pub struct App {
    /// Its OAuth client id: its name in the file.
    pub client: ClientId,
    /// The Android package.
    pub package: AppId,
    /// SHA-256 of the certificates that sign the Android app.
    pub signers: Vec<[u8; 32]>,
    /// Who reads its tokens of Play Integrity.
    pub play: Option<PlaySource>,
    /// The iOS app, known by team and bundle.
    pub ios: Option<IosApp>,
    /// What is required of its devices, instead of or beside what is required of all.
    pub overrides: Vec<Requirement>,
    /// In which sector its people have one name.
    pub sector: String,
    /// The line on which it begins.
    pub line: usize,
}

/// Who reads an app's tokens of Play Integrity, and the line that says so.
#[derive(Clone, Debug)]
pub enum PlaySource {
    /// We, with the keys of the Play Console in this file.
    Keys(PathBuf, usize),
    /// Google, asked as the service account whose key is in this file.
    ServiceAccount(PathBuf, usize),
}

/// What unusual requests and logins lead to.
#[derive(Clone, Debug)]
pub struct MonitorRules {
    /// From which score on what is asked.
    pub risk: RiskBar,
    /// What signals lead to.
    pub react: ReactRules,
    /// People whose habits are remembered at a time.
    pub people_max: usize,
    /// Accounts that belong to nobody: whoever tries one is no customer.
    pub honey_accounts: BTreeSet<String>,
    /// Actions that no app of ours performs.
    pub honey_operations: BTreeSet<Action>,
    /// Who is told of incidents.
    pub webhook: Option<Webhook>,
    /// Who is written to about them.
    pub email: Option<Email>,
}

/// How the way to a mail server is protected. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTls {
    /// From the first byte (RFC 8314).
    Implicit,
    /// Not at all; only this machine itself can be such a server.
    None,
    /// From `STARTTLS` on, which has to be offered (RFC 3207).
    StartTls,
}

impl MailTls {
    /// The port that servers use for it.
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::Implicit => 465,
            Self::None => 25,
            Self::StartTls => 587,
        }
    }
}

/// What we show a mail server.
#[derive(Clone, Debug)]
pub struct MailLogin {
    /// The name.
    pub username: String,
    /// The file of the password.
    pub password: PathBuf,
}

/// Mails about incidents, and the line that begins their section.
#[derive(Clone, Debug)]
pub struct Email {
    /// The server: a name, or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the way to it is protected.
    pub tls: MailTls,
    /// The file of the authorities that it is verified by, where it is not `vendors.ca`.
    pub ca: Option<PathBuf>,
    /// What we show it, if it asks.
    pub login: Option<MailLogin>,
    /// Who writes.
    pub from: Mailbox,
    /// Who is written to.
    pub to: Vec<Mailbox>,
    /// Only about signals whose rule does this or more.
    pub min_severity: Reaction,
    /// How long an incident is waited for before its first mail, which then says what was done.
    pub hold: Seconds,
    /// The line.
    pub line: usize,
}

/// A receiver of messages, and the line that names it.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Where.
    pub url: url::Url,
    /// The file of the secret that signs them.
    pub secret: PathBuf,
    /// The line.
    pub line: usize,
}

/// Who tells us of what ended elsewhere, and whom we tell.
#[derive(Clone, Debug, Default)]
pub struct SharedSignals {
    /// Those who tell us.
    pub sources: Vec<SignalSource>,
    /// Those whom we tell.
    pub targets: Vec<SignalTarget>,
}

/// Somebody who sends us events.
#[derive(Clone, Debug)]
pub struct SignalSource {
    /// Who signs them.
    pub issuer: String,
    /// What it calls us.
    pub audience: String,
    /// The file of its keys.
    pub jwks: PathBuf,
    /// The file of the token that it shows.
    pub token: PathBuf,
    /// The line on which it begins.
    pub line: usize,
}

/// Somebody whom we send events.
#[derive(Clone, Debug)]
pub struct SignalTarget {
    /// What we call it.
    pub audience: String,
    /// Where we push to; `None` when it polls.
    pub push: Option<url::Url>,
    /// The file of the token that we show there, or that it shows here.
    pub token: PathBuf,
    /// Under which name people are told of.
    pub subject: SignalSubject,
    /// The line on which it begins.
    pub line: usize,
}

/// How vendors are asked.
#[derive(Clone, Debug)]
pub struct Vendors {
    /// The authorities that vendors are verified by, in PEM.
    pub ca: Option<(PathBuf, usize)>,
    /// Where Play Integrity's tokens are decoded.
    pub play_endpoint: url::Url,
    /// What happens while Google does not decode tokens.
    pub outage: OutageRule,
    /// How many tokens Google decodes for an app in a day.
    pub play_daily: u64,
    /// How many keys of App Attest an app takes in a day; `None` for all.
    pub app_attest_daily: Option<DailyLimit>,
}

/// An iOS app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IosApp {
    /// Apple's team id.
    pub team: String,
    /// The bundle id.
    pub bundle: String,
}

/// Who may make an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignUp {
    /// Whoever holds an invitation.
    Invite,
    /// Everybody.
    Open,
}

/// Sign-in.
#[derive(Clone, Debug)]
pub struct Login {
    /// Who may make an account.
    pub sign_up: SignUp,
    /// Origins besides the public one, each with its line, from which passkeys are taken.
    pub origins: Vec<PasskeyOrigin>,
    /// On how many devices a person may be, and how long one is new.
    pub bindings: BindingRules,
    /// Longest life of a session, in all and without use.
    pub session_life: SessionLife,
}

/// What happens to the revocation list's requirement when the vendor's service is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenStale {
    /// New phones are limited, and so are enrolled ones.
    Limit,
    /// New phones are refused; enrolled ones are not touched.
    Refuse,
}

/// Where the vendors' revocation list comes from, besides a feed. Alphabetical.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StatusListSource {
    /// This file, named on this line.
    File(PathBuf, usize),
    /// Nowhere: the operator said so on this line, with `status_list = "none"`.
    Nowhere(usize),
    /// The operator said nothing.
    Unsaid,
}

impl StatusListSource {
    /// The file, and the line that names it.
    #[must_use]
    pub fn file(&self) -> Option<(&Path, usize)> {
        match self {
            Self::File(file, line) => Some((file, *line)),
            Self::Nowhere(_) | Self::Unsaid => None,
        }
    }
}

/// What devices must prove.
#[derive(Clone, Debug)]
pub struct DeviceRules {
    /// What is required of every app's devices, in the order in which it is asked.
    pub requirements: Vec<Requirement>,
    /// Requirements on the attestation of every Android phone's key.
    pub(crate) attested: AttestedKey,
    /// Files of keys of systems that are accepted beside the makers', each with its line.
    pub boot_keys: Vec<(PathBuf, usize)>,
    /// Systems beside the makers' whose shipped keys are accepted, each with its line.
    pub systems: Vec<(String, usize)>,
    /// Files of trust anchors besides the vendors', each with its line.
    pub anchors: Vec<(PathBuf, usize)>,
    /// Files of trust anchors for App Attest besides Apple's, each with its line.
    pub apple_anchors: Vec<(PathBuf, usize)>,
    /// Whether Apple's development environment is taken as well.
    pub apple_development: bool,
    /// The vendors' revocation list. Where a file is named it has to be there, and young enough.
    pub(crate) status_list: StatusListSource,
    /// How old the revocation list may be.
    pub status_list_age_max: Seconds,
    /// How much older it may be while its vendor is down.
    pub status_list_grace: Seconds,
    /// What happens after that.
    pub status_list_then: WhenStale,
}

/// Requirements on the attestation of an Android phone's key, beyond what is always asked; none by default.
#[derive(Clone, Debug, Default)]
pub(crate) struct AttestedKey {
    /// Security level that alone is accepted.
    pub security_level_exact: Option<SecurityLevel>,
    /// Oldest version of the attestation's format.
    pub attestation_version_min: Option<u32>,
    /// Oldest version of the keystore's hardware interface.
    pub keymint_version_min: Option<u32>,
    /// True when the hardware must state that a deleted key is gone for good.
    pub rollback_resistance: bool,
    /// Greatest time since the phone, by its own word, made the key.
    pub age_max: Option<Seconds>,
}

/// Something that is fetched while the node runs.
#[derive(Clone, Debug)]
pub struct FeedSource {
    /// What.
    pub kind: FeedKind,
    /// From where.
    pub url: url::Url,
    /// How often is looked.
    pub every: Seconds,
    /// The age from which is warned.
    pub warn_after: Seconds,
    /// The line on which it begins.
    pub line: usize,
}

/// Files about places and networks.
#[derive(Clone, Debug, Default)]
pub struct GeographyFiles {
    /// MMDB databases, each with its line; of two that know something the first is believed.
    pub databases: Vec<(PathBuf, usize)>,
    /// Lists of networks.
    pub lists: Vec<GeoList>,
    /// Files of places that the operator knows, and the lines that name them.
    pub places: Vec<(PathBuf, usize)>,
}

/// A list of networks of one kind.
#[derive(Clone, Debug)]
pub struct GeoList {
    /// The file, plain or gzipped.
    pub file: PathBuf,
    /// The line that names it.
    pub line: usize,
    /// What its networks are.
    pub kind: NetworkKind,
    /// What stands in each line.
    pub of: ListOf,
}

/// The certificate to show and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, leaf first, in PEM.
    pub certificate: PathBuf,
    /// The private key, in PEM.
    pub key: PathBuf,
    /// The line on which the section begins.
    pub line: usize,
}

/// One thing that the API offers, in the operator's words; `countersign-policy` gives them their meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// The line on which it begins.
    pub line: usize,
    /// Method and path template: `GET /v1/accounts/{id}`.
    pub pattern: String,
    /// What policies call it.
    pub action: String,
    /// The kind of thing that is acted on.
    pub resource: Option<String>,
    /// Where its id is found: `path.id`, `token.sub`.
    pub id: Option<String>,
    /// Where its owner is found.
    pub owner: Option<String>,
    /// Members of the body: name, and type with JSON pointer.
    pub body: Vec<(String, String)>,
    /// Statement whether the body may have other members.
    pub body_others: OtherMembers,
    /// Headers that reach the API.
    pub request_headers: RequestHeaders,
    /// Bytes of a body.
    pub body_max: Option<u64>,
    /// What it does for limited sessions.
    pub when_limited: Option<WhenLimited>,
    /// How old the evidence about the device may be.
    pub evidence_age_max: Option<Seconds>,
    /// What it is, where its connection stays open.
    pub stream: Option<StreamSpec>,
}

/// Bounds that differ between installations; all others are constants of `countersign_core::Limits`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Connections at one time.
    pub connections_max: usize,
    /// How long requests may finish after the end began.
    pub drain_max: Duration,
    /// Longest time from the request to the head of the upstream's answer.
    pub upstream_max: Duration,
    /// Bytes of a body that streams through.
    pub body_bytes_max: u64,
    /// Open connections (WebSockets, events, streams) at one time.
    pub open_connections_max: usize,
    /// How often an open connection is judged again when nothing is heard of a change.
    pub judged_every: Duration,
    /// Refusals a minute of callers without a live session that the log records; beyond, it counts them.
    pub stranger_records_per_minute: u32,
}

impl Config {
    /// The socket of operators.
    #[must_use]
    pub fn admin_socket(&self) -> PathBuf {
        self.admin.path.clone().unwrap_or_else(|| self.data.join(layout::ADMIN_SOCKET))
    }

    /// Where the public listener binds.
    #[must_use]
    pub const fn listen_address(&self, dev: Dev) -> SocketAddr {
        let address = match dev {
            // Every address, of IPv4 as well.
            Dev::Off => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            Dev::On => IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        match self.listen {
            Listen::ByPublicUrl => SocketAddr::new(address, self.public.port()),
            Listen::On { address, .. } => address,
        }
    }
}
