//! A node as a process under real outages: a full disk, no descriptors left, a reader of its log that is gone or never reads. Ready says no
//! while it is no, nothing that needs a record is done, and the node serves again within five seconds, with nothing lost.
#![cfg(target_os = "linux")]
#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "what fails in a helper fails the test")]

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStderr, Command, Stdio},
    time::Duration,
};

use countersign_demo::phone::{Call, Http};
use http::Method;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::Instant,
};

/// Time within which a node serves again after the cause has gone.
const AGAIN: Duration = Duration::from_secs(5);

/// Whose log nobody reads.
enum Reader {
    /// It is read until the node serves, and then closed.
    Gone,
    /// It is read until the node serves, and then never again.
    Stuck,
}

struct Node {
    child: Child,
    log: Option<BufReader<ChildStderr>>,
    home: TempDir,
    public: u16,
    side: SocketAddr,
}

impl Node {
    fn start(reader: &Reader, filter: &str) -> Self {
        let (home, public) = laid_out("");
        let mut child = serve(home.path(), &["--log-filter", filter]).stderr(Stdio::piped()).spawn().expect("a process");
        let mut log = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut line = String::new();
        let side = loop {
            line.clear();
            assert!(log.read_line(&mut line).expect("a line") > 0, "the log ended");
            let line: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"));
            if line["message"] == "serving" {
                break line["side"].as_str().expect("an address").parse().expect("an address");
            }
        };
        let log = match reader {
            Reader::Gone => None,
            Reader::Stuck => Some(log),
        };
        Self { child, log, home, public, side }
    }

    fn http(&self) -> Http {
        let root = fs::read_to_string(self.home.path().join("data/dev/tls-root.pem")).expect("the root");
        Http::new(&format!("https://localhost:{}", self.public).parse().expect("a URL"), &root).expect("a client")
    }

    /// Asks for something without a token: refused, and recorded. The status and the decision's number.
    async fn refused(&self, http: &Http) -> Option<(u16, String)> {
        let call = Call::new(Method::GET, "/v1/accounts");
        let answer = tokio::time::timeout(Duration::from_secs(3), http.send(&call)).await.ok()?.ok()?;
        Some((answer.status.as_u16(), answer.header("countersign-decision").unwrap_or_default().to_owned()))
    }

    async fn side(&self, path: &str) -> (u16, String) {
        let asked = async {
            let mut tcp = TcpStream::connect(self.side).await?;
            tcp.write_all(format!("GET {path} HTTP/1.1\r\nhost: side\r\nconnection: close\r\n\r\n").as_bytes()).await?;
            let mut text = String::new();
            tcp.read_to_string(&mut text).await?;
            std::io::Result::Ok(text)
        };
        let text = tokio::time::timeout(Duration::from_secs(5), asked).await.expect("an answer in time").expect("an answer");
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, text.split_once("\r\n\r\n").expect("a body").1.to_owned())
    }

    /// Waits until `/readyz` answers with this status; the answer, and how long it took.
    async fn wait_until(&self, status: u16, at_most: Duration) -> (String, Duration) {
        let began = Instant::now();
        loop {
            let (now, told) = self.side("/readyz").await;
            if now == status {
                return (told, began.elapsed());
            }
            assert!(began.elapsed() < at_most, "`/readyz` still says {now}: {told}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn limit(&self, resource: Resource, current: Option<u64>) -> Rlimit {
        let process = Pid::from_raw(i32::try_from(self.child.id()).expect("small")).expect("a process");
        let now = prlimit(Some(process), resource, Rlimit { current, maximum: None });
        // Whoever may not raise the hard limit leaves it.
        now.or_else(|_| {
            let maximum = hard(self.child.id(), resource);
            prlimit(Some(process), resource, Rlimit { current: current.or(maximum), maximum })
        })
        .expect("a limit")
    }

    /// Stops the node, and returns what `audit verify` says of its log and every decision number in it.
    fn end(mut self) -> (String, String) {
        self.child.kill().expect("killed");
        self.child.wait().expect("an end");
        let mut verified = Command::new(env!("CARGO_BIN_EXE_countersign"));
        let verified = verified.args(["audit", "verify"]).current_dir(self.home.path()).output().expect("a run");
        let text = format!("{}{}", String::from_utf8_lossy(&verified.stdout), String::from_utf8_lossy(&verified.stderr));
        assert!(verified.status.success(), "{text}");
        let mut log = String::new();
        for entry in fs::read_dir(self.home.path().join("data/log")).expect("a log") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|kind| kind == "txt") {
                log.push_str(&fs::read_to_string(path).expect("text"));
            }
        }
        (text, log)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn hard(process: u32, resource: Resource) -> Option<u64> {
    let name = if resource == Resource::Fsize { "Max file size" } else { "Max open files" };
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).expect("limits");
    let line = limits.lines().find_map(|line| line.strip_prefix(name)).expect("the limit");
    line.split_whitespace().nth(1).and_then(|hard| hard.parse().ok())
}

fn laid_out(more: &str) -> (TempDir, u16) {
    let home = tempfile::tempdir().expect("a directory");
    let public = countersign_demo::free_port().expect("a port");
    let text = format!(
        "public_url = \"https://localhost:{public}\"\nupstream = \"http://127.0.0.1:9\"\n[app.\"com.example.shop\"]\n\
         [metrics]\nlisten = \"127.0.0.1:0\"\n[limits]\nstranger_records_per_minute = 60000\n{more}"
    );
    fs::write(home.path().join("csign.toml"), text).expect("written");
    fs::create_dir(home.path().join("policies")).expect("made");
    fs::write(home.path().join("policies/app.cedar"), "@id(\"anything\") permit (principal, action, resource);").expect("written");
    (home, public)
}

fn serve(home: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(["serve", "--dev", "--log", "json"]).args(more).current_dir(home);
    command
}

/// The disk takes no byte more (a limit on the size of files does to `write` what a full disk does), twice.
#[tokio::test]
async fn a_full_disk_refuses_and_passes() {
    let node = Node::start(&Reader::Gone, "info");
    let http = node.http();
    let mut acknowledged = Vec::new();
    for _ in 0..2 {
        let (status, decision) = node.refused(&http).await.expect("an answer");
        assert_eq!(status, 401);
        acknowledged.push(decision);
        node.limit(Resource::Fsize, Some(0));
        let (told, _) = node.wait_until(503, AGAIN).await;
        assert!(told.contains("not ready: log: ") && told.contains("not ready: store: "), "{told}");
        assert!(!told.contains(&*node.home.path().to_string_lossy()), "no path is told: {told}");
        for _ in 0..20 {
            assert_eq!(node.refused(&http).await.expect("an answer").0, 503, "what needs a record is not done");
        }
        assert_eq!(node.side("/healthz").await.0, 200);
        node.limit(Resource::Fsize, None);
        let began = Instant::now();
        let (told, took) = node.wait_until(200, AGAIN).await;
        assert_eq!(told, "ready\n");
        let (status, decision) = node.refused(&http).await.expect("an answer");
        assert_eq!(status, 401, "{took:?}, {:?}", began.elapsed());
        acknowledged.push(decision);
    }
    let (_, log) = node.end();
    for decision in acknowledged {
        assert!(log.contains(&decision), "{decision} was acknowledged and is lost");
    }
    assert_eq!(log.matches("log_interrupted").count(), 2, "the log says itself when it could not be written");
}

/// Connections take every descriptor that there is.
#[tokio::test]
async fn without_descriptors_the_node_says_so_and_goes_on() {
    let node = Node::start(&Reader::Gone, "info");
    let http = node.http();
    let (status, first) = node.refused(&http).await.expect("an answer");
    assert_eq!((status, node.side("/readyz").await.0), (401, 200));
    let open = || fs::read_dir(format!("/proc/{}/fd", node.child.id())).expect("descriptors").filter_map(Result::ok);
    let highest: u64 = open().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).max().expect("some");
    let before = node.limit(Resource::Nofile, Some(highest + 1));
    let mut held = Vec::new();
    // As many as fit into the gaps below the limit, and some that wait.
    let gaps = highest.saturating_sub(u64::try_from(open().count()).expect("few"));
    for _ in 0..gaps + 16 {
        held.push(TcpStream::connect(("127.0.0.1", node.public)).await.expect("a place in the queue"));
    }
    let (told, _) = node.wait_until(503, AGAIN).await;
    assert!(told.contains("not ready: descriptors: "), "{told}");
    assert_eq!(node.refused(&http).await.map(|(status, _)| status), Some(401), "an open connection is served: the log needs no descriptor");
    drop(held);
    node.limit(Resource::Nofile, before.current);
    let (_, took) = node.wait_until(200, AGAIN).await;
    let (status, last) = node.refused(&node.http()).await.expect("an answer");
    assert_eq!(status, 401, "{took:?}");
    let (_, log) = node.end();
    assert!(log.contains(&first) && log.contains(&last));
}

/// The reader of the log has gone away, or stopped to read: everything goes on, and lines that are lost are counted.
#[tokio::test]
async fn a_log_without_a_reader_stops_nothing() {
    for reader in [Reader::Gone, Reader::Stuck] {
        let node = Node::start(&reader, "trace");
        let http = node.http();
        let began = Instant::now();
        loop {
            let (status, _) = node.refused(&http).await.expect("an answer");
            assert_eq!(status, 401);
            let (_, metrics) = node.side("/metrics").await;
            if metrics.contains("countersign_log_lines_dropped_total") {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "no line was counted as dropped");
        }
        for _ in 0..20 {
            assert_eq!(node.refused(&http).await.expect("an answer").0, 401);
        }
        assert_eq!(node.side("/readyz").await, (200, "ready\n".to_owned()));
        // It ends when it is told to, too.
        let mut node = node;
        let told = Command::new("kill").arg("-TERM").arg(node.child.id().to_string()).status().expect("kill");
        assert!(told.success());
        let began = Instant::now();
        while node.child.try_wait().expect("a state").is_none() {
            assert!(began.elapsed() < Duration::from_secs(40), "the node does not end");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        drop(node.log.take());
    }
}

/// The soft limit is raised to the hard one; more connections than that allows are refused at the start, with a remedy.
#[tokio::test]
async fn connections_beyond_the_descriptors_are_refused_at_the_start() {
    let (home, _) = laid_out("connections_max = 2000\n");
    let shell = |limit: &str| {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{limit}; exec '{}' serve --dev --log json", env!("CARGO_BIN_EXE_countersign")));
        command.current_dir(home.path()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    };
    let refused = shell("ulimit -n 1024").output().expect("a run");
    let told = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success(), "{told}");
    assert!(told.contains("set `connections_max` to 512 at most, or allow 3256 files"), "{told}");
    assert!(!home.path().join("data/countersign.db").exists(), "nothing was made");
    let mut child = shell("ulimit -Sn 256; ulimit -Hn 5000").spawn().expect("a process");
    let mut log = BufReader::new(child.stderr.take().expect("a pipe"));
    let mut line = String::new();
    while !line.contains("\"serving\"") {
        line.clear();
        assert!(log.read_line(&mut line).expect("a line") > 0, "the log ended");
    }
    let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).expect("limits");
    child.kill().expect("killed");
    child.wait().expect("an end");
    let files = limits.lines().find(|line| line.starts_with("Max open files")).expect("the limit");
    assert_eq!(files.split_whitespace().nth(3), Some("5000"), "{files}");
    let mut rest = String::new();
    let _ = log.read_to_string(&mut rest);
}
