//! A node over the example bank, with everything configured that answers or sends JSON, and the people who use it.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::State, routing::post};
use bytes::Bytes;
use countersign_core::{Clock, Entropy};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::{TcpListener, UnixStream};

use crate::product::{Call, DemoApple, DemoCa, Handset, Http, OsEntropy, Phone, RunningNode, Surroundings, SystemClock, free_port, start};

pub const APP: &str = "com.example.bank";
pub const POLL_TOKEN: &str = "a-siem-that-polls-0123456789";

/// Everything that a scenario needs.
pub struct Place {
    pub node: RunningNode,
    pub home: TempDir,
    pub ca: DemoCa,
    pub apple: DemoApple,
    pub around: Surroundings,
    /// What the webhook's receiver got.
    pub hooked: Arc<Mutex<Vec<Value>>>,
}

impl Place {
    /// Starts it all.
    pub async fn start() -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let port = free_port().expect("a port");
        let bank = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let upstream = bank.local_addr().expect("an address");
        tokio::spawn(async move { countersign_example_bank::serve(bank).await });
        let hooked = Arc::default();
        let others = others(Arc::clone(&hooked)).await;
        let (ca, apple) = (DemoCa::new().expect("a maker of phones"), DemoApple::new().expect("another"));
        lay_out(home.path(), &format!("public_url = \"https://localhost:{port}\"\nupstream = \"http://{upstream}\"\n"), &others);
        fs::write(home.path().join("demo-phones.pem"), ca.root_pem()).expect("written");
        fs::write(home.path().join("demo-iphones.pem"), apple.root_pem()).expect("written");
        let node = start(&home.path().join("csign.toml"), Arc::new(SystemClock)).await;
        let around = Surroundings {
            origin: format!("https://localhost:{port}").parse().expect("a URL"),
            root_pem: node.tls_root_pem().to_owned(),
            app: APP.to_owned(),
            clock: Arc::new(SystemClock) as Arc<dyn Clock>,
            entropy: Arc::new(OsEntropy) as Arc<dyn Entropy>,
        };
        let place = Self { node, home, ca, apple, around, hooked };
        // A phone that comes before the list is there is refused, since nothing says whether its certificates were revoked.
        place.until("the list was fetched", async || place.admin("GET", "/v1/feeds", "").await.1[0]["last"] == "taken").await;
        place
    }

    /// A client without a token.
    pub fn http(&self) -> Http {
        Http::new(&self.around.origin, &self.around.root_pem).expect("a client")
    }

    /// A phone out of its box.
    pub fn phone(&self) -> Phone {
        Phone::new(self.around.clone(), 0).expect("a phone")
    }

    /// A person with an account, signed in on a phone.
    pub async fn customer(&self, name: &str) -> Phone {
        let phone = self.phone();
        phone.enrol(&self.ca, &Handset::genuine()).await.expect("enrolled");
        phone.register(name, None).await.expect("registered");
        phone.sign_in().await.expect("signed in");
        phone
    }

    /// Status and document that the admin socket answers.
    pub async fn admin(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        ask(&self.home.path().join("data/admin.sock"), method, path, body).await
    }

    /// Waits until it holds.
    pub async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        for _ in 0..500 {
            if holds().await {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("it never came to this: {what}");
    }
}

/// Status and document of an answer over a Unix socket.
pub async fn ask(socket: &Path, method: &str, path: &str, body: &str) -> (u16, Value) {
    let stream = UnixStream::connect(socket).await.expect("a socket");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("a connection");
    tokio::spawn(connection);
    let request = http::Request::builder().method(method).uri(path).header("host", "admin").header("content-type", "application/json");
    let request = request.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).expect("a request");
    let answer = sender.send_request(request).await.expect("an answer");
    let status = answer.status().as_u16();
    let bytes = answer.into_body().collect().await.expect("a body").to_bytes();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

/// A receiver of webhooks, and a vendor with a list of revoked keys.
async fn others(hooked: Arc<Mutex<Vec<Value>>>) -> String {
    async fn hook(State(hooked): State<Arc<Mutex<Vec<Value>>>>, body: String) {
        hooked.lock().expect("no panic").push(serde_json::from_str(&body).expect("JSON"));
    }
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let list = axum::routing::get(async || DemoCa::status_list());
    let routes = Router::new().route("/hook", post(hook)).route("/list", list).with_state(hooked);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}

fn lay_out(home: &Path, head: &str, others: &str) {
    fs::create_dir(home.join("policies")).expect("a directory");
    for (name, text) in countersign_example_bank::POLICIES {
        fs::write(home.join("policies").join(name), text).expect("written");
    }
    let bank = countersign_example_bank::CONFIG.replace("{SIGNER}", &Handset::signer_hex());
    // Read by nobody here: no token of Play Integrity is shown.
    let bank = bank.replace(", play_keys = \"play.json\"", "").replace("status_list        = \"status.json\"\n", "");
    let more = format!(
        "[monitor]\nhoney_operations = [\"customers.export\"]\n\
         [monitor.webhook]\nurl = \"http://{others}/hook\"\nsecret_file = \"webhook.secret\"\n\
         [monitor.email]\nhost = \"127.0.0.1\"\nport = 9\ntls = \"none\"\nfrom = \"a@example.com\"\nto = [\"b@example.com\"]\n\
         [feeds.status_list]\nurl = \"http://{others}/list\"\n\
         [[signals.transmit]]\naudience = \"siem\"\ntoken_file = \"poll-token\"\n\
         [[operation]]\nmatch = \"GET /v1/internal/export\"\naction = \"customers.export\"\n"
    );
    fs::write(home.join("webhook.secret"), "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").expect("written");
    fs::write(home.join("poll-token"), POLL_TOKEN).expect("written");
    fs::write(home.join("csign.toml"), format!("{head}{bank}{more}")).expect("written");
}

/// A call with a JSON body, proved by the phone's device key as the issuer's doors ask for it.
pub async fn at_door(phone: &Phone, path: &str, body: &Value) -> Call {
    phone.freshen(phone.device_key()).await.expect("a nonce");
    let proof = phone.prove(phone.device_key(), "POST", path, None).expect("a proof");
    Call::new(http::Method::POST, path).json(body).header("dpop", &proof)
}
