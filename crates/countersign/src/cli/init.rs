//! `countersign init`: a configuration of three lines, a first policy with tests, and a data directory.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use countersign_gateway::Origin;
use serde_json::json;

use countersign_node::{config, files, settings::rules};

use crate::cli::output::{Exit, Output, say, say_json};

/// The public port of a node that was just made; none that an API is likely to use.
const PORT: u16 = 7443;

/// What is protected, and where the files go.
#[derive(Args, Debug)]
pub struct InitArgs {
    /// Where your API listens: `http://127.0.0.1:8080`.
    #[arg(long, value_name = "URL")]
    upstream: String,
    /// Your app's id: its Android package or iOS bundle.
    #[arg(long, value_name = "ID")]
    app: String,
    /// The directory to write into.
    #[arg(long, default_value = ".", value_name = "DIR")]
    dir: PathBuf,
    /// The URL by which phones reach this node.
    #[arg(long, value_name = "URL", default_value_t = format!("https://localhost:{PORT}"))]
    public_url: String,
}

const POLICY: &str = r#"// Whoever is signed in may read, on any phone that is enrolled.
@id("signed_in_may_read")
permit (principal, action == Action::"read", resource);

// Changes need a phone whose hardware vouches for its key.
@id("hardware_may_write")
permit (principal, action == Action::"write", resource)
when { context.device.trust >= 2 };

// A sign-in of more than twelve hours ago is confirmed before anything is changed.
@id("confirm_after_a_day") @outcome("step_up") @acr("phishing_resistant") @max_age("12h") @reason("signed_in_long_ago")
forbid (principal, action == Action::"write", resource)
when { context.auth.age_s > 43200 };
"#;

const TESTS: &str = r#"[
  { "name": "reading", "action": "read", "device": { "key": "none" }, "expect": { "outcome": "allow" } },
  { "name": "writing", "action": "write", "expect": { "outcome": "allow" } },
  { "name": "writing without hardware keys", "action": "write", "device": { "key": "software" }, "expect": { "outcome": "deny", "reasons": ["no_permit"] } },
  { "name": "writing, signed in long ago", "action": "write", "auth_age_s": 43201, "expect": { "outcome": "step_up", "reasons": ["signed_in_long_ago"] } }
]
"#;

/// Writes everything, or nothing that was there before.
pub fn run(args: &InitArgs, output: Output) -> Result<Exit> {
    let upstream = Origin::parse(&args.upstream).with_context(|| format!("`--upstream {}`", args.upstream))?;
    let public = Origin::parse(&args.public_url).with_context(|| format!("`--public-url {}`", args.public_url))?;
    let text = format!("public_url = \"{}\"\nupstream   = \"{}\"\n[app.{}]\n", public.as_str(), upstream.as_str(), json!(args.app));
    let dir = if args.dir == Path::new(".") { Path::new("") } else { &args.dir };
    let config_file = dir.join("csign.toml");
    // What is written is read back before it is written, so that `init` never leaves a file that `serve` refuses.
    let config = config::parse(&text, &config_file)?;
    let files = [(config_file, text.as_str()), (dir.join("policies/app.cedar"), POLICY), (dir.join("policies/app_test.json"), TESTS)];
    for (file, _) in &files {
        if file.exists() {
            bail!("`{}` is there already and is not overwritten; name another directory with `--dir`", file.display());
        }
    }
    fs::create_dir_all(&config.policies).with_context(|| format!("making `{}`", config.policies.display()))?;
    for (file, text) in &files {
        write_new(file, text)?;
    }
    files::private_directory(&config.data).with_context(|| format!("making `{}`", config.data.display()))?;
    rules::rules(&config.file, &config.operations, &config.policies)?;
    let written: Vec<_> = files.iter().map(|(file, _)| file.display().to_string()).collect();
    match output {
        Output::Json => say_json(&json!({ "written": written, "data": config.data.display().to_string(), "public_url": public.as_str() })),
        Output::Text => {
            say(format!(
                "wrote {}\nmade  {} (database, keys and log come with the first start)",
                written.join(", "),
                config.data.display()
            ));
            say("next: `countersign serve --dev`, and in another terminal `countersign phone get /`");
            say("before real phones: `[tls]` with a certificate, and in your app's section `android = { cert_sha256 = [\"9F:2A:...\"] }`");
        }
    }
    Ok(Exit::Fine)
}

fn write_new(file: &Path, text: &str) -> Result<()> {
    // `create_new` is what keeps the promise if the file came into being meanwhile.
    let made = OpenOptions::new().write(true).create_new(true).open(file);
    let mut made = made.with_context(|| format!("writing `{}`", file.display()))?;
    made.write_all(text.as_bytes()).with_context(|| format!("writing `{}`", file.display()))
}
