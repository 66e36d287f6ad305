//! The door of another proxy, behind a real nginx, configured as docs/auth_request.md says.
#![expect(clippy::expect_used, reason = "what fails in a helper fails the test")]

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::Request};
use countersign_demo::{
    free_port,
    phone::{Call, DemoCa, Handset, Http, Phone, SIGNER, Surroundings},
};
use countersign_node::{
    Options, OsEntropy, RunningNode, SystemClock,
    config::{self, Dev},
};
use http::{HeaderMap, Method};
use tempfile::TempDir;
use tokio::{net::TcpListener, time::Instant};

const APP: &str = "com.example.notes";

/// What the API was asked, in order: method, target, headers.
type Asked = Arc<Mutex<Vec<(String, String, HeaderMap)>>>;

fn fixture(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/auth_request").join(name)).expect("a fixture")
}

struct Place {
    home: TempDir,
    ports: [u16; 3],
    asked: Asked,
}

/// nginx, until it is dropped.
struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Place {
    async fn new() -> Self {
        let ports = [(); 3].map(|()| free_port().expect("a port"));
        let place = Self { home: tempfile::tempdir().expect("a directory"), ports, asked: Asked::default() };
        let [.., api] = place.ports;
        fs::create_dir(place.path().join("policies")).expect("a directory");
        fs::write(place.path().join("policies/app.cedar"), fixture("app.cedar")).expect("written");
        fs::write(place.path().join("csign.toml"), place.filled_in(&fixture("csign.toml"))).expect("written");
        place.serve_the_api(api).await;
        place
    }

    fn path(&self) -> &Path {
        self.home.path()
    }

    /// A fixture with the ports and the directory of this place.
    fn filled_in(&self, text: &str) -> String {
        let [nginx, public, api] = self.ports.map(|port| port.to_string());
        let home = self.path().display().to_string();
        [("NGINX_PORT", nginx), ("PUBLIC_PORT", public), ("API_PORT", api), ("HOME", home)]
            .iter()
            .fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }

    /// What clients use: nginx.
    fn origin(&self) -> String {
        let [nginx, ..] = self.ports;
        format!("https://localhost:{nginx}")
    }

    async fn serve_the_api(&self, port: u16) {
        let asked = Arc::clone(&self.asked);
        let api = Router::new().fallback(move |request: Request| {
            let (head, _) = request.into_parts();
            asked.lock().expect("a lock").push((head.method.to_string(), head.uri.to_string(), head.headers));
            async { r#"{"note":"hello","iban":"DE02"}"# }
        });
        let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("a port");
        tokio::spawn(async move { axum::serve(listener, api).await });
    }

    async fn node(&self) -> RunningNode {
        let config = config::load(&self.path().join("csign.toml")).expect("a config");
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(OsEntropy));
        let options = Options { clock, entropy, dev: Dev::On, simulated_signers: vec![SIGNER] };
        countersign_node::start(config, options).await.expect("a node")
    }

    /// Starts nginx, and gives the certificate that it shows.
    fn nginx(&self) -> (Nginx, String) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        fs::write(self.path().join("cert.pem"), made.cert.pem()).expect("written");
        fs::write(self.path().join("key.pem"), made.signing_key.serialize_pem()).expect("written");
        fs::write(self.path().join("nginx.conf"), self.filled_in(&fixture("nginx.conf"))).expect("written");
        let command = Command::new("nginx")
            .args(["-e", "stderr", "-c", "nginx.conf", "-p"])
            .arg(self.path())
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx; scripts/auth_request installs it");
        (Nginx(command), made.cert.pem())
    }

    /// The last thing that the API was asked, taken out.
    fn taken(&self) -> Option<(String, String, HeaderMap)> {
        self.asked.lock().expect("a lock").pop()
    }
}

async fn until_it_answers(http: &Http) {
    let began = Instant::now();
    while !http.send(&Call::new(Method::GET, "/.well-known/jwks.json")).await.is_ok_and(|answer| answer.status == 200) {
        assert!(began.elapsed() < Duration::from_secs(10), "nginx does not answer");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs nginx"]
async fn behind_a_real_nginx() {
    let place = Place::new().await;
    let node = place.node().await;
    let (_nginx, root_pem) = place.nginx();
    let http = Http::new(&place.origin().parse().expect("a URL"), &root_pem).expect("a client");
    until_it_answers(&http).await;

    let ca = DemoCa::kept_in(&place.path().join("data/dev")).expect("a maker of phones");
    node.reload().await;
    let around = Surroundings {
        origin: place.origin().parse().expect("a URL"),
        root_pem,
        app: APP.to_owned(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
    };
    let phone = Phone::new(around.clone(), 0).expect("a phone");
    phone.enrol(&ca, &Handset::genuine()).await.expect("enrolled");
    phone.register("ana@example.com", None).await.expect("registered");
    phone.sign_in().await.expect("signed in");

    // Let in: the API hears who it is, from us, and nothing of the credentials.
    let forged = Call::new(Method::GET, "/v1/notes/1?page=2").header("countersign-user", "p_forged").header("cookie", "a=b");
    let answer = phone.call(&forged).await.expect("an answer");
    assert_eq!((answer.status.as_u16(), answer.json()["note"].as_str()), (200, Some("hello")), "{:?}", answer.headers);
    assert!(answer.header("countersign-decision").is_some_and(|id| id.starts_with("D-")));
    let (method, target, headers) = place.taken().expect("the API was asked");
    assert_eq!((method.as_str(), target.as_str()), ("GET", "/v1/notes/1?page=2"));
    assert!(headers["countersign-user"].to_str().expect("text").starts_with("p_"));
    assert_ne!(headers["countersign-user"], "p_forged");
    assert_eq!(headers["countersign-identity"].to_str().expect("text").split('.').count(), 3, "a statement");
    assert_eq!(headers["countersign-decision"].to_str().ok(), answer.header("countersign-decision"));
    assert!(["authorization", "dpop", "cookie"].iter().all(|name| !headers.contains_key(*name)), "{headers:?}");
    let written = phone.call(&Call::new(Method::POST, "/v1/notes").json(&serde_json::json!({ "note": "x" }))).await.expect("an answer");
    assert_eq!(written.status, 200, "a body that nobody has to read is nginx's");
    assert_eq!(place.taken().expect("the API was asked").0, "POST");

    // No token.
    let bare = http.send(&Call::new(Method::GET, "/v1/notes/1")).await.expect("an answer");
    assert_eq!((bare.status.as_u16(), bare.header("www-authenticate")), (401, Some(r#"DPoP algs="ES256 EdDSA""#)));
    assert_eq!(bare.header("countersign-reason"), Some("token_missing"));

    // The thief's key.
    let thief = Phone::new(around.clone(), 0).expect("a phone");
    thief.pocket(phone.tokens().await.expect("signed in")).await;
    let stolen = thief.call(&Call::new(Method::GET, "/v1/notes/1")).await.expect("an answer");
    assert_eq!((stolen.status.as_u16(), stolen.header("countersign-reason")), (401, Some("proof_invalid")));
    assert_eq!(stolen.header("www-authenticate"), Some(r#"DPoP error="invalid_dpop_proof", algs="ES256 EdDSA""#));

    // What is not allowed, and what this door cannot do.
    let rows = [
        ("an unknown operation", Method::GET, "/v1/nothing", 403, "policy"),
        ("a refusal of the policies", Method::GET, "/v1/never", 403, "policy"),
        ("an ambiguous path", Method::GET, "/v1//notes/1", 403, "request_invalid"),
        ("fields to be hidden", Method::GET, "/v1/masked", 500, "unavailable"),
        ("a socket", Method::GET, "/v1/live", 403, "request_invalid"),
        ("a body that policy looks at", Method::POST, "/v1/transfers", 403, "request_invalid"),
        ("the question itself, asked from outside", Method::GET, "/_countersign", 404, ""),
    ];
    for (name, method, path, status, reason) in rows {
        let answer = phone.call(&Call::new(method, path)).await.expect("an answer");
        assert_eq!((answer.status.as_u16(), answer.header("countersign-reason").unwrap_or_default()), (status, reason), "{name}");
    }

    // What clients say of method and target does not matter, however they write it.
    for name in ["x-original-uri", "x_original_uri"] {
        let never = Call::new(Method::GET, "/v1/never").header(name, "/v1/notes/1").header("x-original-method", "GET");
        let answer = phone.call(&never.header("x-real-ip", "10.0.0.1")).await.expect("an answer");
        assert_eq!(answer.status, 403, "{name}");
    }
    assert_eq!(place.taken().map(|(method, target, _)| (method, target)), None, "the API was asked nothing of all that");
    let honest = Call::new(Method::GET, "/v1/notes/2").header("x-original-uri", "/v1/never").header("x-original-method", "DELETE");
    assert_eq!(phone.call(&honest).await.expect("an answer").status, 200);
    node.shutdown(Duration::from_secs(2)).await;
}

/// What the guide tells operators is what runs here.
#[test]
fn the_guides_configuration_is_the_one_that_is_tested() {
    let guide = include_str!("../../../../docs/auth_request.md");
    let (_, rest) = guide.split_once("        location / {\n").expect("the location of the API");
    let (block, _) = rest.split_once("\n    }\n").expect("the end of the server");
    let tested = fixture("nginx.conf");
    let lines = block
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#') && !line.starts_with("proxy_pass http://127"));
    let missing: Vec<_> = lines.filter(|line| !tested.contains(line)).collect();
    assert!(missing.is_empty() && block.contains("X-Original-URI"), "{missing:#?}");
}
