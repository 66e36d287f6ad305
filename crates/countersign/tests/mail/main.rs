//! Mails about incidents, through a mail server that is not ours. `scripts/mail` installs it; without it these tests say that they
//! were left out.
#![expect(clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "what fails or is left out in a helper is said")]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use countersign_core::{IncidentId, RiskView, SignalKind, UnixMillis, UserId};
use countersign_node::{
    Options, OsEntropy, SystemClock,
    config::{self, Dev},
    settings::mail::mail,
};
use countersign_notify::{CarryError, MailStats, Mailer};
use countersign_store::{Incident, IncidentChange, IncidentState, Moment};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

const WAIT: Duration = Duration::from_secs(20);

fn python() -> Option<PathBuf> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/mail-server/bin/python");
    if !python.exists() {
        eprintln!("left out: there is no mail server; `scripts/mail` installs one");
        return None;
    }
    Some(python)
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|l| l.local_addr()).expect("a port").port()
}

/// A certificate of its own authority for `name`: `ca.pem`, `cert.pem`, `key.pem` and, of somebody else, `other-ca.pem`.
fn certificates(home: &Path, name: &str) {
    let authority = || {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("signed").pem();
        (Issuer::new(params, key), pem)
    };
    let ((ca, ca_pem), (_, other_pem)) = (authority(), authority());
    let key = KeyPair::generate().expect("a key");
    let leaf = CertificateParams::new(vec![name.to_owned()]).expect("parameters").signed_by(&key, &ca).expect("signed");
    for (file, text) in [("ca.pem", ca_pem), ("other-ca.pem", other_pem), ("cert.pem", leaf.pem()), ("key.pem", key.serialize_pem())] {
        fs::write(home.join(file), text).expect("written");
    }
}

/// A running server; it ends with this value.
struct Server {
    child: Child,
    mails: mpsc::Receiver<Value>,
}

impl Server {
    fn start(python: &Path, home: &Path, port: u16, mode: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mail/server.py");
        let mut child = Command::new(python)
            .arg(script)
            .args([&port.to_string(), mode, "cert.pem", "key.pem"])
            .current_dir(home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a server");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        assert_eq!(lines.next().expect("a line").expect("text"), "ready");
        let (sender, mails) = mpsc::channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                drop(sender.send(serde_json::from_str(&line).expect("JSON")));
            }
        });
        Self { child, mails }
    }

    fn mail(&self) -> Mail {
        let taken = self.mails.recv_timeout(WAIT).expect("a mail");
        let text = taken.get("mail").and_then(Value::as_str).expect("a mail").replace("\r\n", "\n");
        let (head, body) = text.split_once("\n\n").expect("head and body");
        Mail {
            tls: taken.get("tls") == Some(&Value::Bool(true)),
            to: taken.get("to").cloned().unwrap_or_default(),
            head: head.replace("\n ", " "),
            body: body.to_owned(),
        }
    }

    fn nothing_came(&self) {
        assert!(self.mails.try_recv().is_err(), "nothing should have come");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

struct Mail {
    tls: bool,
    to: Value,
    head: String,
    body: String,
}

impl Mail {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name).and_then(|rest| rest.strip_prefix(": ")))
    }
}

fn text(port: u16, more: &str) -> String {
    format!(
        "public_url = \"https://api.example.com\"\nupstream = \"http://127.0.0.1:9\"\n[app.\"com.example.shop\"]\n[monitor.email]\n\
         host = \"localhost\"\nport = {port}\nfrom = \"Wächter <a@example.com>\"\nhold = \"1s\"\n{more}\n"
    )
}

const LOGIN: &str = "to = [\"b@example.com\"]\nca = \"ca.pem\"\nusername = \"countersign\"\npassword_file = \"password\"";

fn mailer(home: &Path, port: u16, more: &str) -> (Arc<Mailer>, CancellationToken) {
    fs::write(home.join("password"), "hunter2\n").expect("written");
    fs::write(home.join("wrong-password"), "hunter3\n").expect("written");
    let config = config::parse(&text(port, more), &home.join("csign.toml")).expect("a config");
    let settings = mail(&config.file, config.monitor.email.as_ref(), &config.vendors, config.public.host());
    let settings = settings.expect("read").expect("a section");
    let shutdown = CancellationToken::new();
    (Mailer::start(settings.mailing, Arc::new(SystemClock), shutdown.clone()), shutdown)
}

fn incident(number: u8, what: &str) -> Incident {
    let at = UnixMillis(1_790_000_000_000);
    Incident {
        id: IncidentId::from_random([number; 16]),
        kind: SignalKind::Scraping,
        state: IncidentState::Open,
        user: Some(UserId::from_random([7; 16])),
        device: None,
        session: None,
        first_at: at,
        last_at: at,
        count: 1,
        score: RiskView::default().score,
        deeds: Vec::new(),
        timeline: vec![Moment { at, what: what.to_owned() }],
    }
}

async fn until(mailer: &Mailer, reached: impl Fn(&MailStats) -> bool) -> MailStats {
    for _ in 0..400 {
        let stats = mailer.stats();
        if reached(&stats) {
            return stats;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never: {:?}", mailer.stats())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_a_thread_of_two_mails_over_starttls() {
    let (Some(python), home, port) = (python(), tempfile::tempdir().expect("a directory"), free_port()) else { return };
    certificates(home.path(), "localhost");
    let server = Server::start(&python, home.path(), port, "starttls");
    let (mailer, _shutdown) = mailer(home.path(), port, LOGIN);
    let hostile = "noticed scraping für\r\nBcc: thief@example.com\r\n.\r\nQUIT\u{202e}";
    let opened = incident(1, hostile);
    for change in [IncidentChange::Opened, IncidentChange::Acted, IncidentChange::Acted] {
        mailer.tell(change, &opened);
    }
    let first = server.mail();
    let (id, user) = (opened.id.as_str(), opened.user.as_ref().expect("somebody").as_str());
    assert!(first.tls, "what was said under TLS");
    let name = format!("<{id}.opened@api.example.com>");
    assert_eq!((first.header("Message-ID"), first.header("References")), (Some(name.as_str()), None));
    assert_eq!(first.header("Subject"), Some(format!("Countersign: scraping about {user} ({id})").as_str()));
    assert_eq!(first.header("Auto-Submitted"), Some("auto-generated"));
    assert_eq!((first.header("Bcc"), &first.to), (None, &serde_json::json!(["b@example.com"])));
    assert!(!first.body.contains("\nBcc") && !first.body.contains("\nQUIT"), "{}", first.body);
    assert!(first.body.replace("=\n", "").contains(&format!("countersign incident undo {id}")), "{}", first.body);
    until(&mailer, |stats| stats.delivered == 1 && stats.waiting == 0).await;

    mailer.tell(IncidentChange::Acted, &opened);
    mailer.tell(IncidentChange::Fine, &Incident { state: IncidentState::Fine, ..opened.clone() });
    let second = server.mail();
    assert_eq!((second.header("References"), second.header("In-Reply-To")), (Some(name.as_str()), Some(name.as_str())));
    assert_eq!(second.header("Subject"), Some(format!("Re: Countersign: scraping about {user} ({id})").as_str()));
    until(&mailer, |stats| stats.delivered == 2 && stats.waiting == 0).await;
    server.nothing_came();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_cannot_be_trusted_gets_no_mail() {
    let (Some(python), home, port) = (python(), tempfile::tempdir().expect("a directory"), free_port()) else { return };
    certificates(home.path(), "localhost");
    let elsewhere = tempfile::tempdir().expect("a directory");
    certificates(elsewhere.path(), "mail.example.net");
    let (plain, implicit, foreign) = (free_port(), free_port(), free_port());
    let servers = [
        Server::start(&python, home.path(), port, "starttls"),
        Server::start(&python, home.path(), plain, "plain"),
        Server::start(&python, home.path(), implicit, "implicit"),
        Server::start(&python, elsewhere.path(), foreign, "implicit"),
    ];
    fs::copy(elsewhere.path().join("ca.pem"), home.path().join("foreign-ca.pem")).expect("copied");
    let rows = [
        ("a wrong password", port, LOGIN.replace("\"password\"", "\"wrong-password\""), Err("535")),
        ("no password", port, "to = [\"b@example.com\"]\nca = \"ca.pem\"".to_owned(), Err("530")),
        ("another authority", port, LOGIN.replace("ca.pem", "other-ca.pem"), Err("cannot be trusted")),
        ("no STARTTLS", plain, LOGIN.to_owned(), Err("does not offer STARTTLS")),
        (
            "another authority, implicit",
            implicit,
            "to = [\"b@example.com\"]\ntls = \"implicit\"\nca = \"other-ca.pem\"".to_owned(),
            Err("cannot be trusted"),
        ),
        (
            "another name",
            foreign,
            "to = [\"b@example.com\"]\ntls = \"implicit\"\nca = \"foreign-ca.pem\"".to_owned(),
            Err("cannot be trusted"),
        ),
        ("all fits", port, LOGIN.to_owned(), Ok(0)),
        ("all fits, implicit", implicit, "to = [\"b@example.com\"]\ntls = \"implicit\"\nca = \"ca.pem\"".to_owned(), Ok(2)),
        ("all fits, on this machine", plain, "to = [\"b@example.com\"]\ntls = \"none\"".to_owned(), Ok(1)),
        ("one of two is gone", plain, "to = [\"gone@example.com\", \"b@example.com\"]\ntls = \"none\"".to_owned(), Ok(1)),
        ("the only one is gone", plain, "to = [\"gone@example.com\"]\ntls = \"none\"".to_owned(), Err("550")),
    ];
    for (name, port, more, expected) in rows {
        let (mailer, _shutdown) = mailer(home.path(), port, &more);
        match (mailer.test().await, expected) {
            (Ok(()), Ok(server)) => {
                let mail = servers.get(server).expect("a server").mail();
                assert_eq!((mail.to, mail.tls), (serde_json::json!(["b@example.com"]), server != 1), "{name}");
                assert_eq!(mailer.stats().delivered, 1, "{name}");
            }
            (Err(why), Err(words)) => {
                assert!(why.to_string().contains(words), "{name}: {why}");
                assert!(!why.to_string().contains("hunter"), "{name}: {why}");
                assert!(mailer.stats().last_failure.is_some(), "{name}");
            }
            (sent, expected) => panic!("{name}: {sent:?}, not {expected:?}"),
        }
        servers.iter().for_each(Server::nothing_came);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_was_down_gets_the_mail_later_and_a_flood_is_one_mail() {
    let (Some(python), home, port) = (python(), tempfile::tempdir().expect("a directory"), free_port()) else { return };
    let (mailer, shutdown) = mailer(home.path(), port, "to = [\"b@example.com\"]\ntls = \"none\"");
    for number in 1..=8 {
        mailer.tell(IncidentChange::Opened, &incident(number, "noticed scraping"));
    }
    let stats = until(&mailer, |stats| stats.last_failure.is_some() && stats.waiting == 8).await;
    assert_eq!((stats.delivered, stats.given_up), (0, 0));
    let server = Server::start(&python, home.path(), port, "plain");
    let mail = server.mail();
    assert_eq!(mail.header("Subject"), Some("Countersign: 8 incidents"));
    assert_eq!(mail.body.matches("scraping about").count(), 8, "{}", mail.body);
    until(&mailer, |stats| stats.delivered == 1 && stats.waiting == 0).await;
    server.nothing_came();
    shutdown.cancel();
}

/// Needs no other server: what answers before the handshake is not the server (RFC 3207 section 6).
#[tokio::test(flavor = "multi_thread")]
async fn nobody_answers_in_the_servers_place_before_tls() {
    let rows: &[(&str, &[&str], &str)] = &[
        ("an answer too many", &["220 hello\r\n", "250-hello\r\n250 STARTTLS\r\n", "220 go\r\n250 AUTH PLAIN\r\n"], "more than was asked"),
        ("endless talk", &["220 hello\r\n", &"250-x\r\n".repeat(2_000)], "talks without end"),
        ("a refusal", &["554 go away\r\n"], "554 go away"),
        ("nothing", &[], "hung up"),
        ("STARTTLS taken away", &["220 hello\r\n", "250-hello\r\n250 AUTH PLAIN\r\n"], "does not offer STARTTLS"),
    ];
    let home = tempfile::tempdir().expect("a directory");
    certificates(home.path(), "localhost");
    for (name, replies, expected) in rows {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let replies: Vec<String> = replies.iter().map(|reply| (*reply).to_owned()).collect();
        let speaker = thread::spawn(move || speak(listener.accept().expect("a caller").0, &replies));
        let (mailer, _shutdown) = mailer(home.path(), port, LOGIN);
        let why = mailer.test().await.expect_err(name);
        assert!(matches!(why, CarryError::Failed(_)) && why.to_string().contains(expected), "{name}: {why}");
        assert!(!speaker.join().expect("ended").contains("AUTH"), "{name}: no password in the clear");
    }
}

/// Says one reply after the other, whatever is asked; what was asked.
fn speak(mut caller: TcpStream, replies: &[String]) -> String {
    let mut heard = String::new();
    for (number, reply) in replies.iter().enumerate() {
        if number > 0 {
            let mut bytes = [0; 512];
            let read = caller.read(&mut bytes).unwrap_or(0);
            heard += &String::from_utf8_lossy(bytes.get(..read).expect("what was read"));
        }
        drop(caller.write_all(reply.as_bytes()));
    }
    heard
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sends_a_test() {
    let (Some(python), home, port): (_, TempDir, _) = (python(), tempfile::tempdir().expect("a directory"), free_port()) else { return };
    let server = Server::start(&python, home.path(), port, "plain");
    fs::create_dir(home.path().join("policies")).expect("a directory");
    fs::write(home.path().join("policies/app.cedar"), "@id(\"all\") permit (principal, action, resource);").expect("written");
    let text = text(port, "to = [\"b@example.com\"]\ntls = \"none\"\n[metrics]\nlisten = \"127.0.0.1:0\"")
        .replace("https://api.example.com", &format!("https://localhost:{}", free_port()));
    fs::write(home.path().join("csign.toml"), text).expect("written");
    let config = config::load(&home.path().join("csign.toml")).expect("a config");
    let options = Options { clock: Arc::new(SystemClock), entropy: Arc::new(OsEntropy), dev: Dev::On, simulated_signers: Vec::new() };
    let node = countersign_node::start(config, options).await.expect("a node");
    let told = |args: &[&str]| {
        let run = Command::new(env!("CARGO_BIN_EXE_countersign")).args(args).current_dir(home.path()).output().expect("a run");
        String::from_utf8_lossy(&[run.stdout, run.stderr].concat()).into_owned()
    };
    let said = told(&["incident", "mail", "--test"]);
    assert!(said.contains("mails about incidents go to b@example.com by 127.0.0.1 port"), "{said}");
    assert!(said.contains("1 delivered, 0 waiting, 0 given up, 0 dropped"), "{said}");
    assert_eq!(server.mail().header("Subject"), Some("Countersign: a test"));
    drop(server);
    let said = told(&["incident", "mail", "--test"]);
    assert!(said.contains("the mail server could not be used"), "{said}");
    let said = told(&["incident", "mail", "--json"]);
    assert!(said.contains("\"failure\""), "{said}");
    node.shutdown(WAIT).await;
}
