//! The servers that are compared, each a process of its own.

use std::{
    env, fs,
    net::TcpListener as StdListener,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use countersign_demo::phone::{DemoApple, DemoCa, DemoGoogle, Handset, SIGNER, Surroundings};
use countersign_gateway::{Certificates, ListenConfig, Origin, PassThrough, Transport, Upstream, UpstreamConfig, body::Bounds, listen};
use countersign_node::{
    Options, OsEntropy, SystemClock,
    config::{self, Dev},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::load::Goal;

/// The gateway's place in the table.
pub const GATEWAY: u8 = 3;

/// Policies that the gateway decides by.
pub const POLICIES: usize = 50;

/// A server that runs until it is dropped.
pub struct Server {
    /// What it is called in messages.
    pub name: &'static str,
    /// What it is called in the table.
    pub title: &'static str,
    /// Its place in the table.
    pub order: u8,
    /// Where the load goes.
    pub goal: Goal,
    child: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// User and system time that its process, and nginx's workers, have used (`proc(5)`, fields 14 and 15; 100 ticks a second).
    pub fn cpu(&self) -> Result<Duration> {
        let mut ticks = 0;
        for pid in family(self.child.id()) {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
            let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
            ticks += fields.get(11).and_then(|f| f.parse::<u64>().ok()).unwrap_or_default();
            ticks += fields.get(12).and_then(|f| f.parse::<u64>().ok()).unwrap_or_default();
        }
        Ok(Duration::from_millis(ticks * 10))
    }

    /// Waits until its port answers.
    pub async fn wait(&self) -> Result<()> {
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(("127.0.0.1", self.goal.port)).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err(anyhow!("port {} does not answer", self.goal.port))
    }
}

/// A process and its children.
fn family(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    std::iter::once(pid).chain(children.split_whitespace().filter_map(|pid| pid.parse().ok())).collect()
}

/// Ports, certificates, config and policies of one run.
pub struct Setting {
    /// The maker of the phones.
    pub ca: DemoCa,
    home: TempDir,
    certificate_pem: String,
    upstream: u16,
    pass_through: u16,
    nginx: u16,
    gateway: u16,
}

impl Setting {
    /// Lays everything out in a temporary directory.
    pub fn lay_out() -> Result<Self> {
        let home = tempfile::tempdir()?;
        let ca = DemoCa::new()?;
        let own = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
        fs::write(home.path().join("cert.pem"), own.cert.pem())?;
        fs::write(home.path().join("key.pem"), own.signing_key.serialize_pem())?;
        let setting = Self {
            ca,
            certificate_pem: own.cert.pem(),
            upstream: free_port()?,
            pass_through: free_port()?,
            nginx: free_port()?,
            gateway: free_port()?,
            home,
        };
        setting.write_config()?;
        Ok(setting)
    }

    fn write_config(&self) -> Result<()> {
        let home = self.home.path();
        let policies = home.join("policies");
        fs::create_dir_all(&policies)?;
        let mut count = 0;
        for (name, text) in countersign_example_bank::POLICIES.iter().filter(|(name, _)| name.ends_with(".cedar")) {
            count += text.matches("\npermit ").count() + text.matches("\nforbid ").count();
            fs::write(policies.join(name), text)?;
        }
        fs::write(policies.join("more.cedar"), more_policies(POLICIES - count))?;
        fs::write(home.join("demo-phones.pem"), self.ca.root_pem())?;
        fs::write(home.join("status.json"), DemoCa::status_list())?;
        fs::write(home.join("demo-iphones.pem"), DemoApple::new()?.root_pem())?;
        fs::write(home.join("play.json"), DemoGoogle::new(&OsEntropy)?.console_keys()?)?;
        let bank = countersign_example_bank::CONFIG.replace("{SIGNER}", &Handset::signer_hex());
        let text = format!(
            "public_url = \"https://localhost:{}\"\nupstream = \"http://127.0.0.1:{}\"\n{bank}\n# No hand taps six thousand times a second.\n[monitor]\nmode = \"observe\"\n",
            self.gateway, self.upstream
        );
        Ok(fs::write(home.join("csign.toml"), text)?)
    }

    /// A path of the bank that needs nobody's name.
    pub fn own_path(&self) -> String {
        "/v1/customers/bench/accounts".to_owned()
    }

    /// Where phones live.
    pub fn around(&self) -> Result<Surroundings> {
        Ok(Surroundings {
            origin: format!("https://localhost:{}", self.gateway).parse()?,
            root_pem: self.gateway_root()?,
            app: "com.example.bank".to_owned(),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(OsEntropy),
        })
    }

    /// The policies and operations that the gateway runs, for measuring the decision alone.
    pub fn config(&self) -> Result<config::Config> {
        config::load(&self.home.path().join("csign.toml")).map_err(|e| anyhow!("{e}"))
    }

    fn gateway_root(&self) -> Result<String> {
        fs::read_to_string(self.home.path().join("data/dev/tls-root.pem")).context("the gateway's root")
    }

    /// Starts the bank.
    pub fn start_upstream(&self) -> Result<Server> {
        let child = again(&["upstream", &self.upstream.to_string()])?;
        let goal = Goal { host: "localhost".to_owned(), port: self.upstream, root_pem: None };
        Ok(Server { name: "upstream", title: "the bank directly (plain HTTP)", order: 0, goal, child })
    }

    /// Starts our pass-through.
    pub fn start_pass_through(&self) -> Result<Server> {
        let home = self.home.path().display().to_string();
        let child = again(&["pass-through", &self.pass_through.to_string(), &self.upstream.to_string(), &home])?;
        let goal = Goal { host: "localhost".to_owned(), port: self.pass_through, root_pem: Some(self.certificate_pem.clone()) };
        Ok(Server { name: "pass-through", title: "our pass-through, no checks (TLS 1.3)", order: 2, goal, child })
    }

    /// Starts the gateway, and waits for its certificate.
    pub fn start_gateway(&self) -> Result<Server> {
        let child = again(&["gateway", &self.home.path().display().to_string()])?;
        for _ in 0..200 {
            if let Ok(root) = self.gateway_root() {
                let goal = Goal { host: "localhost".to_owned(), port: self.gateway, root_pem: Some(root) };
                return Ok(Server {
                    name: "gateway",
                    title: "the gateway, every check, 50 policies (TLS 1.3)",
                    order: GATEWAY,
                    goal,
                    child,
                });
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(anyhow!("the gateway did not make its certificate"))
    }

    /// Starts nginx as a plain reverse proxy with one worker; `None` where there is none.
    pub fn start_nginx(&self) -> Result<Option<Server>> {
        let home = self.home.path().display();
        let config = format!(
            "daemon off; worker_processes 1; pid {home}/nginx.pid; error_log {home}/nginx.log;\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log off; keepalive_requests 1000000; client_body_temp_path {home}; proxy_temp_path {home}; fastcgi_temp_path {home};\n\
             uwsgi_temp_path {home}; scgi_temp_path {home};\n\
             upstream bank {{ server 127.0.0.1:{}; keepalive 64; }}\n\
             server {{ listen 127.0.0.1:{} ssl; ssl_certificate {home}/cert.pem; ssl_certificate_key {home}/key.pem; ssl_protocols TLSv1.3;\n\
             location / {{ proxy_pass http://bank; proxy_http_version 1.1; proxy_set_header Connection \"\"; }} }} }}\n",
            self.upstream, self.nginx,
        );
        let file = self.home.path().join("nginx.conf");
        fs::write(&file, config)?;
        let started = Command::new("nginx").arg("-c").arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let Ok(child) = started else {
            println!("nginx is not installed, so its row is missing\n");
            return Ok(None);
        };
        let goal = Goal { host: "localhost".to_owned(), port: self.nginx, root_pem: Some(self.certificate_pem.clone()) };
        Ok(Some(Server { name: "nginx", title: "nginx as a plain reverse proxy (TLS 1.3)", order: 1, goal, child }))
    }
}

/// Policies as a bank's security team would add them over the years: each looks at real facts and none matches an honest
/// request. One in four concerns the operation that is measured.
fn more_policies(count: usize) -> String {
    let groups = ["accounts", "transfers", "admin", "accounts", "transfers", "admin", "transfers", "admin"];
    (0..count).fold(String::new(), |mut text, n| {
        let group = groups[n % groups.len()];
        let condition = match n % 3 {
            0 => format!("context.device.patch_age_days > {} && context.device.platform == \"android\"", 2_000 + n),
            1 => format!("context.session.age_s > {} && !(principal in Role::\"staff-{n}\")", 10_000_000 + n),
            _ => format!("context.device.app_version < {} && context.device.app == \"com.example.legacy{n}\"", n + 1),
        };
        text += &format!("@id(\"more_{n}\") @outcome(\"limit\") @reason(\"more_{n}\") @rate(\"1000/s\")\nforbid (principal, action in Action::\"{group}\", resource)\nwhen {{ {condition} }};\n");
        text
    })
}

/// This program, as one of its servers.
fn again(args: &[&str]) -> Result<Child> {
    Command::new(env::current_exe()?).args(args).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().context("starting a server")
}

fn free_port() -> Result<u16> {
    Ok(StdListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// What this was measured on.
pub fn machine() -> String {
    let first = |file: &str, key: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        text.lines()
            .find(|line| line.starts_with(key))
            .and_then(|line| line.split_once(':'))
            .map(|(_, value)| value.trim().to_owned())
            .unwrap_or_default()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "{}, {cores} cores, Linux {}, load at the start {}",
        first("/proc/cpuinfo", "model name"),
        kernel.trim(),
        load.split(' ').next().unwrap_or_default()
    )
}

/// The bank as a process.
pub async fn upstream(port: u16) -> Result<()> {
    Ok(countersign_example_bank::serve(TcpListener::bind(("127.0.0.1", port)).await?).await?)
}

/// Our listener and client, without checks, as a process.
pub async fn pass_through(port: u16, upstream: u16, home: &Path) -> Result<()> {
    let origin = |text: String| Origin::parse(&text).map_err(|e| anyhow!("{e}"));
    let chain = CertificateDer::pem_file_iter(home.join("cert.pem"))?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(home.join("key.pem"))?;
    let certificates = Certificates::new(chain, key).map_err(|e| anyhow!("{e}"))?;
    let to = Upstream::new(UpstreamConfig::new(origin(format!("http://127.0.0.1:{upstream}"))?)).map_err(|e| anyhow!("{e}"))?;
    let bounds = Bounds { bytes_max: 64 * 1024 * 1024, idle_max: Duration::from_secs(30) };
    let through = Arc::new(PassThrough::new(&origin(format!("https://localhost:{port}"))?, to, bounds));
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let handler = move |request, peer| {
        let through = Arc::clone(&through);
        async move { through.forward(request, &peer).await }
    };
    Ok(listen(
        listener,
        ListenConfig::new(Transport::Tls(Arc::new(certificates))),
        Arc::new(SystemClock),
        CancellationToken::new(),
        handler,
    )
    .await?)
}

/// The whole node as a process.
pub async fn gateway(home: &Path) -> Result<()> {
    let config = config::load(&home.join("csign.toml")).map_err(|e| anyhow!("{e}"))?;
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(OsEntropy));
    let options = Options { clock, entropy, dev: Dev::On, simulated_signers: vec![SIGNER] };
    let _node = countersign_node::start(config, options).await.map_err(|e| anyhow!("{e}"))?;
    std::future::pending().await
}
