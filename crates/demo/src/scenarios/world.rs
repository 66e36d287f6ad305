//! The demo's small world: a node, a bank behind it, phones in people's hands, and a clock that can be turned.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, anyhow, bail};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use countersign_audit::{CheckpointVerifier, Report};
use countersign_core::{Clock, DecisionId, Entropy, OperatorName, UnixMillis};
use countersign_node::{
    Options, OsEntropy, RunningNode, SystemClock,
    config::{self, Dev},
    layout,
};
use countersign_proof::{
    jwk::{Algorithm, SigningKey},
    jws::{self, HeaderToSign, NamedBy},
};
use countersign_store::{KeyPurpose, Keys, segments, sqlite::Sqlite};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::phone::{Answer, DemoApple, DemoCa, DemoGoogle, Handset, Phone, SIGNER, Surroundings};

/// The ports that [`free_port`] tries.
const PORT_MIN: u16 = 20_000;
const PORTS: u32 = 12_000;

/// Connections that a node with few places takes.
pub(crate) const CONNECTIONS_FEW: usize = 100;

/// The app of the demo's bank.
pub const APP: &str = "com.example.bank";

/// What the demo's node does about what looks unusual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watching {
    /// What the shipped configuration does.
    AsShipped,
    /// It says what it would do. A hundred thieves in two seconds from one address look like what they are, and the rows about
    /// proofs, policies and devices are to show what each of these does alone.
    Observing,
    /// Shipped configuration, with the log's budget for strangers that is shipped as well.
    Besieged,
    /// Observation alone, with places for few connections.
    ObservingFew,
    /// Observation alone, with the log's budget for strangers that is shipped.
    ObservingFlood,
}

/// Where the demo's addresses are: all are this machine's own (`127.0.0.0/8`), and each network has a place on the map.
const PLACES: &str = "\
127.10.0.0/16,DE,52.52,13.40,10,fixed,AS64501    # homes in Berlin
127.11.0.0/16,DE,50.11,8.68,200,mobile,AS64502   # a German carrier, seen in Frankfurt
127.12.0.0/16,DE,52.50,13.37,10,fixed,AS64503    # an office in Berlin
127.20.0.0/16,US,40.71,-74.01,20,fixed,AS64504   # a hotel in New York
127.40.0.0/16,NG,6.45,3.40,200,mobile,AS64505    # a carrier in Lagos
";

/// What a team adds that wants to be warned.
const WATCHED: &str = "
[limits]
connections_max = 500
stranger_records_per_minute = 60000

[geography]
places = [\"places.csv\"]

[monitor]
honey_accounts   = [\"admin@example.com\"]
honey_operations = [\"customers.export\"]

[[operation]]
match  = \"GET /v1/internal/export\"
action = \"customers.export\"
";

/// The rows read the exact reason of every refusal from the log, so that all of them are recorded.
const OBSERVED: &str = "
[monitor]
mode = \"observe\"

[limits]
connections_max = 500
stranger_records_per_minute = 60000
";

/// Line by which every refusal is recorded.
const EVERY_STRANGER: &str = "stranger_records_per_minute = 60000\n";

/// A clock that can be turned: forward, so that nobody has to wait for a token to expire, and to wherever a wrong clock may be.
#[derive(Debug, Default)]
pub struct TurnableClock {
    ahead_seconds: AtomicI64,
}

impl TurnableClock {
    /// Turns the clock forward.
    pub fn turn(&self, seconds: u64) {
        self.ahead_seconds.fetch_add(i64::try_from(seconds).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// Sets the clock so many seconds ahead of the right time, or behind it.
    pub fn set_ahead(&self, seconds: i64) {
        self.ahead_seconds.store(seconds, Ordering::SeqCst);
    }
}

impl Clock for TurnableClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(SystemClock.now().0.saturating_add_signed(self.ahead_seconds.load(Ordering::SeqCst).saturating_mul(1000)))
    }
}

/// Everything that the scenarios need.
pub struct World {
    /// The node under attack.
    pub node: RunningNode,
    /// Its clock, and everybody's.
    pub clock: Arc<TurnableClock>,
    /// Where phones live.
    pub around: Surroundings,
    /// The maker of the demo's phones.
    pub ca: DemoCa,
    /// The maker of its iPhones.
    pub apple: DemoApple,
    /// Their vendor.
    pub google: DemoGoogle,
    /// Where the node keeps its data.
    pub home: TempDir,
    bank: tokio::task::JoinHandle<()>,
}

/// World whose node is down.
pub struct Halted {
    clock: Arc<TurnableClock>,
    around: Surroundings,
    ca: DemoCa,
    apple: DemoApple,
    google: DemoGoogle,
    home: TempDir,
    bank: tokio::task::JoinHandle<()>,
}

impl Halted {
    /// Starts a node on the data as they are.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(&self) -> Result<RunningNode> {
        start_node(self.home.path(), &self.clock).await
    }

    /// The world with a node that was started.
    #[must_use]
    pub fn with(self, node: RunningNode) -> World {
        let Self { clock, around, ca, apple, google, home, bank } = self;
        World { node, clock, around, ca, apple, google, home, bank }
    }

    /// Where the node keeps its data.
    #[must_use]
    pub fn data(&self) -> std::path::PathBuf {
        self.home.path().join("data")
    }
}

impl World {
    /// Starts bank and node on free loopback ports, with a temporary data directory and a maker of phones that only this
    /// node trusts.
    ///
    /// # Errors
    /// When a port, the directory or the node cannot be had.
    pub async fn start(watching: Watching) -> Result<Self> {
        Self::start_by(Arc::default(), watching).await
    }

    /// The same, by a clock that may be wrong from the first start on.
    ///
    /// # Errors
    /// As [`World::start`].
    pub async fn start_by(clock: Arc<TurnableClock>, watching: Watching) -> Result<Self> {
        let home = tempfile::Builder::new().prefix("countersign-demo-").tempdir().context("making a temporary directory")?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("binding the bank's port")?;
        let upstream = listener.local_addr()?;
        let bank = tokio::spawn(async move {
            if let Err(fault) = countersign_example_bank::serve(listener).await {
                tracing::error!(%fault, "the bank stopped");
            }
        });
        let ca = DemoCa::new()?;
        let (apple, google) = (DemoApple::new()?, DemoGoogle::new(&OsEntropy)?);
        let port = free_port()?;
        lay_out(home.path(), (port, upstream), &ca, watching)?;
        std::fs::write(home.path().join("demo-iphones.pem"), apple.root_pem())?;
        std::fs::write(home.path().join("play.json"), google.console_keys()?)?;
        let node = start_node(home.path(), &clock).await?;
        let around = Surroundings {
            origin: format!("https://localhost:{port}").parse()?,
            root_pem: node.tls_root_pem().to_owned(),
            app: APP.to_owned(),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            entropy: Arc::new(OsEntropy) as Arc<dyn Entropy>,
        };
        Ok(Self { node, clock, around, ca, apple, google, home, bank })
    }

    /// Stops the node and starts it again on the same data.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn restart(self) -> Result<Self> {
        let halted = self.halt().await;
        let node = halted.start().await?;
        Ok(halted.with(node))
    }

    /// Stops the node alone. Its data stays.
    pub async fn halt(self) -> Halted {
        let Self { node, clock, around, ca, apple, google, home, bank } = self;
        node.shutdown(Duration::from_secs(2)).await;
        Halted { clock, around, ca, apple, google, home, bank }
    }

    /// A phone out of its box.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn phone(&self) -> Result<Phone> {
        Phone::new(self.around.clone(), 0)
    }

    /// A person with an enrolled phone, an account and a session.
    ///
    /// # Errors
    /// When any of it is refused.
    pub async fn customer(&self, name: &str, handset: &Handset) -> Result<Phone> {
        let phone = self.phone()?;
        phone.enrol(&self.ca, handset).await?;
        phone.register(name, None).await?;
        phone.sign_in().await?;
        Ok(phone)
    }

    /// The exact reasons that the log holds for an answer, as an operator would read them.
    pub fn logged(&self, answer: &Answer) -> String {
        self.logged_as(answer.header("countersign-decision").unwrap_or_default())
    }

    /// The same for a decision by its number.
    pub fn logged_as(&self, decision: &str) -> String {
        let Ok(decision) = DecisionId::parse(decision) else {
            return "the answer has no decision number".to_owned();
        };
        match segments::find_decision(self.node.log_directory(), &decision) {
            Ok(Some(record)) => {
                let reasons = record.read().map(|entry| entry.event.reasons).unwrap_or_default();
                reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
            }
            Ok(None) => "not recorded".to_owned(),
            Err(fault) => fault.to_string(),
        }
    }

    /// A token with `token`'s claims for another API, with a genuine signature of our own issuer.
    ///
    /// # Errors
    /// When the issuer's key cannot be read from the data directory.
    pub async fn token_for_another_audience(&self, token: &str) -> Result<String> {
        let store = Sqlite::open(&self.data()).await?;
        let stored = store.list(KeyPurpose::AccessToken).await?.pop().context("the issuer has a key")?;
        store.close().await;
        let key = SigningKey::from_pkcs8(Algorithm::Es256, &stored.secret).map_err(|e| anyhow!("the issuer's key: {e:?}"))?;
        let mut claims = claims(token)?;
        if let Some(fields) = claims.as_object_mut() {
            fields.insert("aud".to_owned(), json!("https://another-api.example.com"));
        }
        let header = HeaderToSign { typ: "at+jwt", key: NamedBy::Kid(&stored.id) };
        jws::sign(&key, header, claims.to_string().as_bytes()).map_err(|e| anyhow!("signing: {e:?}"))
    }

    /// Ends the session of a token, as an operator does.
    ///
    /// # Errors
    /// When there is none.
    pub async fn revoke_session_of(&self, token: &str) -> Result<()> {
        self.node.admin_service().revoke_session(&session(token)?, &operator()?).await.map_err(|e| anyhow!("{e:?}")).map(|_| ())
    }

    /// Cuts off the device of a token's session, as an operator does.
    ///
    /// # Errors
    /// When there is none.
    pub async fn revoke_device_of(&self, token: &str) -> Result<()> {
        let admin_service = self.node.admin_service();
        let session = admin_service.session(&session(token)?).await.map_err(|e| anyhow!("{e:?}"))?;
        admin_service.revoke_device(session.device.as_str(), &operator()?).await.map_err(|e| anyhow!("{e:?}")).map(|_| ())
    }

    /// Fetches the revocation list again, as a team does every day: one that is a week old lets no new phone in.
    ///
    /// # Errors
    /// When the list cannot be written.
    pub async fn fetch_status_list(&self) -> Result<()> {
        let path = self.home.path().join("status.json");
        std::fs::write(&path, DemoCa::status_list())?;
        let now = Duration::from_millis(self.clock.now().0);
        std::fs::File::options().write(true).open(&path)?.set_modified(SystemTime::UNIX_EPOCH + now)?;
        self.node.reload().await;
        Ok(())
    }

    /// Puts the careless maker's key on the revocation list, and has the node read it again.
    ///
    /// # Errors
    /// When the list cannot be written.
    pub async fn publish_the_leak(&self) -> Result<()> {
        std::fs::write(self.home.path().join("status.json"), DemoCa::status_list_after_the_leak())?;
        self.node.reload().await;
        Ok(())
    }

    /// Verifies a log with the node's public key.
    ///
    /// # Errors
    /// When log or key cannot be read; what does not verify stands in the report.
    pub fn verify_log(&self, directory: &Path) -> Result<Report> {
        let key = std::fs::read_to_string(self.data().join(layout::LOG_KEY))?;
        let key = CheckpointVerifier::parse(&key).map_err(|e| anyhow!("the log's key: {e:?}"))?;
        Ok(segments::verify(directory, &key, None)?)
    }

    /// Where the node keeps its data.
    pub fn data(&self) -> std::path::PathBuf {
        self.home.path().join("data")
    }

    /// Stops everything.
    pub async fn stop(self) {
        self.node.shutdown(Duration::from_secs(2)).await;
        self.bank.abort();
    }
}

async fn start_node(home: &Path, clock: &Arc<TurnableClock>) -> Result<RunningNode> {
    let config = config::load(&home.join("csign.toml")).map_err(|e| anyhow!("the demo's config: {e}"))?;
    let clock = Arc::clone(clock) as Arc<dyn Clock>;
    let options = Options { clock, entropy: Arc::new(OsEntropy), dev: Dev::On, simulated_signers: vec![SIGNER] };
    countersign_node::start(config, options).await.map_err(|e| anyhow!("starting the node: {e}"))
}

/// Writes the bank's config and policies, as a team would.
fn lay_out(home: &Path, (port, upstream): (u16, std::net::SocketAddr), ca: &DemoCa, watching: Watching) -> Result<()> {
    let policies = home.join("policies");
    std::fs::create_dir_all(&policies)?;
    for (name, text) in countersign_example_bank::POLICIES {
        std::fs::write(policies.join(name), text)?;
    }
    std::fs::write(home.join("demo-phones.pem"), ca.root_pem())?;
    std::fs::write(home.join("status.json"), DemoCa::status_list())?;
    std::fs::write(home.join("places.csv"), PLACES)?;
    let text = format!(
        "public_url = \"https://localhost:{port}\"\nupstream = \"http://{upstream}\"\n{}{}",
        countersign_example_bank::CONFIG.replace("{SIGNER}", &Handset::signer_hex()),
        match watching {
            Watching::AsShipped => WATCHED.to_owned(),
            Watching::Observing => OBSERVED.to_owned(),
            Watching::Besieged => WATCHED.replace(EVERY_STRANGER, ""),
            Watching::ObservingFlood => OBSERVED.replace(EVERY_STRANGER, ""),
            Watching::ObservingFew => {
                OBSERVED.replace("connections_max = 500", &format!("connections_max = {CONNECTIONS_FEW}"))
            }
        },
    );
    std::fs::write(home.join("csign.toml"), text)?;
    Ok(())
}

/// A port of loopback that nothing listens on. It lies below those that the system deals out by itself (32768 and up on Linux), so
/// that no connection of somebody else takes it before it is bound again.
///
/// # Errors
/// When all of them are taken.
pub fn free_port() -> Result<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id().wrapping_mul(251);
    for _ in 0..PORTS {
        let next = begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = PORT_MIN.saturating_add(u16::try_from(next % PORTS)?);
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port from {PORT_MIN} on is free")
}

/// The claims of a token, unverified.
///
/// # Errors
/// When it is no JWS.
pub fn claims(token: &str) -> Result<Value> {
    let claims = token.split('.').nth(1).context("a token has claims")?;
    Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims)?)?)
}

fn session(token: &str) -> Result<String> {
    Ok(claims(token)?.get("sid").and_then(Value::as_str).context("a token names its session")?.to_owned())
}

/// The operator of all scenarios.
pub fn operator() -> Result<OperatorName> {
    Ok(OperatorName::parse("demo")?)
}
