//! `countersign dev-token`: tokens for emulators and continuous integration, at a running node.

use std::{io::IsTerminal, path::Path};

use anyhow::{Context, Result, anyhow};
use clap::{Args, Subcommand, ValueEnum};
use countersign_codec::sha256;
use countersign_core::{ClientId, Platform, Seconds, UnixSeconds};
use countersign_identity::{DevKit, DevTokenText, Networks};
use qrcode::{EcLevel, QrCode, render::unicode::Dense1x2};
use rustls_pki_types::{CertificateDer, pem::PemObject};

use countersign_node::{
    admin::wire::{DevTokenAsk, DevTokenEnded, DevTokenMade, DevTokenView, Status},
    config,
};

use crate::cli::{
    ask,
    output::{Exit, Output, say, say_json, table},
    place::Place,
    when,
};

/// What to do with development tokens.
#[derive(Debug, Subcommand)]
pub enum DevTokenCommand {
    /// Create a token for enrolling emulators and test machines; it is shown only once
    Create(CreateArgs),
    /// List the newest tokens, with their phones and last use
    List,
    /// Revoke a token and all devices that were enrolled with it; this cannot be undone
    Revoke(RevokeArgs),
}

/// A platform, as people type it.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum PlatformArg {
    Android,
    Ios,
}

impl PlatformArg {
    const fn word(self) -> &'static str {
        match self {
            Self::Android => "android",
            Self::Ios => "ios",
        }
    }
}

impl From<PlatformArg> for Platform {
    fn from(platform: PlatformArg) -> Self {
        match platform {
            PlatformArg::Android => Self::Android,
            PlatformArg::Ios => Self::Ios,
        }
    }
}

/// For what.
#[derive(Args, Debug)]
pub struct CreateArgs {
    /// Client id of the app that can enrol with it.
    #[arg(long, value_name = "ID")]
    app: String,
    /// The platform that can enrol with it; by default both.
    #[arg(long)]
    platform: Option<PlatformArg>,
    /// How long devices can enrol with it: 12h, 30d; at most 90d.
    #[arg(long, default_value = "30d", value_name = "TIME", value_parser = span)]
    expires: Seconds,
    /// Maximum number of phones that can enrol with it.
    #[arg(long, default_value_t = 5)]
    phones: u32,
    /// Accept it from every network, not only from private networks.
    #[arg(long)]
    any_network: bool,
    /// A note that `list` shows.
    #[arg(long, default_value = "", value_name = "TEXT")]
    label: String,
    /// URL of the node as seen from the phone, if it is not `public_url`: <https://10.0.2.2:7443> from the Android emulator.
    #[arg(long, value_name = "URL")]
    server: Option<url::Url>,
    /// Print the token as a QR code too, even if the output is not a terminal.
    #[arg(long)]
    qr: bool,
}

/// Which one.
#[derive(Args, Debug)]
pub struct RevokeArgs {
    /// The token's id (`dt_...`), as shown by `list`.
    id: String,
}

fn span(text: &str) -> Result<Seconds> {
    config::span(text).ok_or_else(|| anyhow!("write a whole number and a unit, such as `12h` or `30d`"))
}

/// Does it.
pub async fn run(command: &DevTokenCommand, place: &Place, output: Output) -> Result<Exit> {
    let socket = place.socket()?;
    match command {
        DevTokenCommand::Create(args) => {
            let ask = DevTokenAsk {
                app: args.app.clone(),
                platform: args.platform.map(|platform| platform.word().to_owned()),
                life_seconds: args.expires.0,
                phones: args.phones,
                any_network: args.any_network,
                label: args.label.clone(),
            };
            let status: Status = ask::get(&socket, "/v1/status").await?;
            let server = args.server.clone().map_or_else(|| status.public_url.parse(), Ok).context("`public_url` is not a URL")?;
            let pin = if status.dev { Some(pin(&place.data()?)?) } else { None };
            let mut answer: DevTokenMade = ask::post(&socket, "/v1/dev-tokens", &ask).await?;
            let kit = DevKit {
                server,
                pin,
                token: DevTokenText::parse(&answer.token).context("the node returned an invalid token")?,
                client: ClientId::parse(&args.app).map_err(|_| anyhow!("`{}` is not a valid client id", args.app))?,
                platform: args.platform.map(Platform::from),
                expires_at: UnixSeconds(answer.expires_at),
                phones_max: args.phones,
                networks: if args.any_network { Networks::Any } else { Networks::Private },
            };
            answer.token.clone_from(kit.write().expose());
            // Written so that what is shown can be read back.
            DevKit::parse(&answer.token).map_err(|why| anyhow!("{why}; check `--server`"))?;
            let contents = match kit.pin {
                Some(_) => "the server's address, the fingerprint of its certificate and the secret",
                None => "the server's address and the secret",
            };
            made(&answer, args, contents, output);
        }
        DevTokenCommand::List => list(&ask::get::<Vec<DevTokenView>>(&socket, "/v1/dev-tokens").await?, output),
        DevTokenCommand::Revoke(args) => {
            let path = format!("/v1/dev-tokens/{}/revoke", ask::segment(&args.id));
            let ended: DevTokenEnded = ask::post(&socket, &path, &serde_json::json!({})).await?;
            match output {
                Output::Json => say_json(&ended),
                Output::Text => say(format!(
                    "revoked, with {} devices and {} sessions; recorded as {}",
                    ended.devices_revoked, ended.sessions_ended, ended.decision
                )),
            }
        }
    }
    Ok(Exit::Fine)
}

/// SHA-256 of the development node's root certificate, which the node shows at the end of its chain.
pub fn pin(data: &Path) -> Result<[u8; 32]> {
    let file = data.join("dev/tls-root.pem");
    let root = CertificateDer::from_pem_file(&file).map_err(|e| anyhow!("reading `{}`: {e}", file.display()))?;
    Ok(sha256(&[&root]))
}

/// A QR code in half blocks: two rows of it in a line of text, dark on light whatever the terminal's colours.
fn drawn(text: &str) -> Result<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).context("drawing the QR code")?;
    Ok(code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build())
}

fn made(made: &DevTokenMade, args: &CreateArgs, contents: &str, output: Output) {
    let app = &args.app;
    match output {
        Output::Json => say_json(made),
        Output::Text => {
            let until = when::instant(UnixSeconds(made.expires_at));
            say(&made.token);
            if args.qr || std::io::stdout().is_terminal() {
                // A phone that cannot read the code can still be given the text.
                say(drawn(&made.token).unwrap_or_else(|why| format!("the QR code cannot be shown: {why:#}")));
            }
            say(format!(
                "this token contains {contents}; it is shown only once\ndevices can enrol with it until {until}; revoke it with `countersign dev-token revoke {}`",
                made.id
            ));
            if made.development == "enforce" {
                say(format!(
                    "warning: `{app}` refuses devices that enrol with development tokens; to accept them, set `allow_dev_tokens = true` in `[device]` and restart the node"
                ));
            }
        }
    }
}

fn list(all: &[DevTokenView], output: Output) {
    match output {
        Output::Json => say_json(&all),
        Output::Text => {
            let mut table = table(&["token", "app", "platform", "networks", "phones", "state", "expires", "last used", "label"]);
            for token in all {
                let instant = |at: u64| when::instant(UnixSeconds(at));
                table.add_row(vec![
                    token.id.clone(),
                    token.app.clone(),
                    token.platform.clone().unwrap_or_else(|| "both".to_owned()),
                    token.networks.clone(),
                    format!("{} of {}", token.phones.len(), token.phones_max),
                    token.state.clone(),
                    instant(token.expires_at),
                    token.last_used_at.map(instant).unwrap_or_default(),
                    token.label.clone(),
                ]);
            }
            say(table.to_string());
        }
    }
}
